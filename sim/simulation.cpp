// The one translation unit that instantiates the simulated node of a folder.
#include <sim/simulation.hpp>

#include <sim/checkers/chunks_before_apply.hpp>
#include <sim/checkers/content_checker.hpp>
#include <sim/checkers/folder_checkers.hpp>
#include <sim/checkers/log_file_checker.hpp>
#include <sim/checkers/nothing_lost.hpp>
#include <sim/checkers/stood_somewhere.hpp>
#include <sim/checkers/trees_equal.hpp>
#include <sim/cluster.hpp>
#include <sim/machine/sim_policies.hpp>
#include <sim/replicated/consensus.hpp>
#include <sim/workload/log_writer.hpp>
#include <sim/workload/racing_user.hpp>
#include <sim/workload/sim_user.hpp>

#include <lockstep/node/folder_node.hpp>

namespace lockstep::sim {
namespace {

struct reporter {
    std::function<void(const report&)> tell;
    void observe(const report& r) { tell(r); }
};

using node_type = folder_node<sim_policies<reporter>>;

/// What runs on a machine: the node, and what it reports to.
struct program {
    program(node_options o, node_system& s, std::function<void(const report&)> tell)
        : observer{std::move(tell)}, node(std::move(o), s.runtime, s.file_system, s.streams, s.kernel_events, observer) {}
    const raft::core* core() const { return node.core(); }
    reporter observer;
    node_type node;
};

class folder_cluster final : public cluster<program> {
public:
    folder_cluster(const scenario& what, const run_hooks& hooks)
        : cluster(what, hooks), contents_([this] { return content_views(); }),
          folders_(w_, root_path, history_, what.tuned, [this](node_id id) -> const node_type* { return node_of(*machines()[id.value - 1]); }) {
        std::map<node_id, const sim_disk*> disks;
        for (auto& m : machines()) {
            disks.emplace(m->id(), &m->disk());
            add_user(*m);
            folders_.watch(*m, [this, id = m->id()](const std::string& path) { disk_changed(id, path); });
            m->set_state(std::string(root_path) + "/.lockstep");
        }
        faults_->disks().set_wiping([this](machine& m) { return wiping(m); });
        watch_logs(std::string(root_path) + "/.lockstep");
        log_files_ = std::make_unique<log_file_checker>(disks, root_path);
        trees_ = std::make_unique<trees_equal>(std::move(disks), root_path);
        kept_ = std::make_unique<nothing_lost>(machines().front()->disk(), root_path, history_);
        for (const auto& l : logs_) log_files_->add(*l);
        faults_->set_directory(directories_);
        directories_.on_allow = [this](node_id id, const std::string& path) { denials_named_ += names(id, path); };
        directories_.on_return = [this](node_id id) {
            const program* p = program_of(id);
            roots_missed_ += p && p->node.sync() && p->node.sync()->root_missing();
        };
        add_checker(*trees_);
        add_checker(*kept_);
        add_checker(contents_);
        if (!logs_.empty()) add_checker(*log_files_);
    }

private:
    void add_user(machine& m) {
        users_.push_back(std::make_unique<sim_user>(w_, m.disk(), m.id(), history_, what_.tuned.user));
        sim_user& user = *users_.back();
        racers_.push_back(std::make_unique<racing_user>(w_, m, history_, what_.tuned.user, what_.tuned.races_one_in));
        racing_user& racer = *racers_.back();
        log_writer* log = nullptr;
        if (m.id().value <= what_.tuned.user.logs) {
            logs_.push_back(std::make_unique<log_writer>(w_, m.disk(), m.id(), history_, root_path));
            log = logs_.back().get();
        }
        m.set_power_lost([this, &m, &user, &racer, log] {
            user.power_lost();
            racer.power_lost();
            if (log) log->power_lost();
            note_all(m.disk(), history_);
        });
        auto chance = std::make_shared<random_generator>(w_.fork("calls with users", m.id().value));
        m.set_before_call([this, &user, &racer, chance](fs_call) {
            if (chance->one_in(what_.tuned.users_at_calls_one_in)) user.act();
            user.before_call();
            racer.before_call();
        });
    }

    void begin_workload() override {
        for (auto& u : users_) u->start(what_.edits);
        for (auto& l : logs_) l->start();
    }
    void end_workload() override {
        for (auto& u : users_) u->stop();
        for (auto& r : racers_) r->stop();
        for (auto& l : logs_) l->stop();
    }

    std::shared_ptr<program> make_program(machine& m, node_system& s) override {
        const node_id id = m.id();
        node_options o = what_.tuned.node;
        o.id = id;
        o.directory = root_path;
        if (what_.tuned.polling) o.watcher = watcher_choice::polling;
        o.listen = address_of(id.value);
        o.peers = peers_of(id.value);
        folders_.started(id, faults_->atlas().is_damaged(id));
        const auto tell = [this, &m, who = s.who](const report& r) { reported(m, who, r); };
        auto p = std::make_shared<program>(std::move(o), s, tell);
        p->node.on_applied = [this, id](const raft::entry& e, const folder::tree& tree) {
            applied(id, e, tree.digest());
            folders_.applied(id, e, tree);
            contents_.applied(e);
            whole_.applied(e);
            with_chunks_.applied(id, e);
            if (e.kind == raft::entry_kind::command) accepted(e, tree);
        };
        p->node.on_installed = [this, id](log_position at, const folder::tree& tree) {
            ++installed_;
            installed(id, at, tree.digest());
            folders_.installed(id, tree);
        };
        p->node.start([this, &m, who = s.who, began = w_.now()](start_result what) {
            if (what.code && who->alive && directories_.lacked_root(m.id(), began)) without_root(m);
            else started(m, who, what);
        });
        return p;
    }

    /// A node does not start while its directory is gone, and says so: somebody tries again.
    void without_root(machine& m) {
        ++roots_missed_;
        begin_anew(m);
    }

    /// Whether a node's status says that it cannot use what stands at a path.
    bool names(node_id id, const std::string& path) {
        const program* p = program_of(id);
        if (!p) return false;
        const node_status s = p->node.status();
        const auto says = [&](const skipped_path& named) { return named.path == path || named.path.starts_with(path + "/"); };
        return std::ranges::any_of(s.skipped.first, says) || std::ranges::any_of(s.unwritable.first, says);
    }

    /// All that a node keeps is about to go. What it had put aside of users' files goes with it; not while one of them is
    /// still being written. While its directory is away nothing of it would go.
    bool wiping(machine& m) {
        if (directories_.lacked_root(m.id(), w_.now())) return false;
        std::vector<inode_ptr> aside{m.disk().find(m.options().state + "/staging")};
        if (!aside.front()) aside.clear();
        for (std::size_t i = 0; i < aside.size(); ++i) {
            const inode_ptr inode = aside[i];
            if (inode->open != 0) return false;
            for (const auto& [name, below] : inode->entries) aside.push_back(below);
        }
        for (const inode_ptr& inode : aside)
            if (inode->type == file_type::regular) history_.may_be_lost(inode->content);
        folders_.wiped(m.id());
        return true;
    }

    /// A node that lost its journal keeps for a person what it finds in staging and cannot name.
    void before_end() override {
        for (auto& m : machines()) {
            const inode_ptr staging = m->disk().find(m->options().state + "/staging");
            if (!staging || !faults_->atlas().is_damaged(m->id())) continue;
            for (const auto& [name, inode] : staging->entries)
                if (name.starts_with(sync::kept_prefix) && inode->type == file_type::regular) history_.may_be_lost(inode->content);
        }
    }

    /// What the tree took of a user's content is the cluster's to keep.
    void accepted(const raft::entry& e, const folder::tree& tree) {
        const auto command = decode_command(e.data);
        if (!command || command->content.empty() || command->type != folder::entry_type::file) return;   // a link may lead to the same text
        for (entry_id id : {command->entry, entry_id{command->session, command->sequence}}) {
            const folder::entry* now = tree.find(id);
            if (now && now->hash == command->hash) return history_.committed(command->hash);
        }
    }

    node_type* node_of(const machine& m) const {
        program* p = program_of(m.id());
        return p ? &p->node : nullptr;
    }

    std::vector<content_view> content_views() {
        std::vector<content_view> out;
        for (auto& m : machines()) {
            const node_type* node = node_of(*m);
            content_view v;
            v.node = m->id();
            v.damaged = faults_->atlas().is_damaged(m->id());
            v.known = node && node->core() && node->chunks().works();
            v.durable = record().log(m->id()).last();
            if (v.known) {
                v.base = node->core()->base().index;
                v.stored = [node](const content_hash& hash) { return node->chunks().holds(hash); };
            }
            out.push_back(std::move(v));
        }
        return out;
    }

    /// Of a node that works.
    std::string state_wanted(node_id id) const { return faults_->atlas().is_wiped(id) ? "following" : "ready"; }

    /// Everything found, decided, and written everywhere.
    bool is_quiet() override {
        std::uint64_t commit = 0;
        bool quiet = leader() != no_node;
        for (std::size_t i = 0; i < machines().size() && quiet; ++i) {
            if (is_left_out(machines()[i]->id())) continue;
            node_type* node = node_of(*machines()[i]);
            if (!node || !users_[i]->idle() || !racers_[i]->idle()) quiet = false;
            else {
                const node_status s = node->status();
                if (commit == 0) commit = s.commit.value;
                // An edit of a large file that others do not have yet is none of its proposals.
                const auto is_sent = [](const transfer_status& t) { return t.what == "sending"; };
                quiet = s.state == state_wanted(machines()[i]->id()) && s.hints <= looks_without_end(machines()[i]->id()) && s.proposals == 0 && s.to_write == 0 && s.displaced == 0 &&
                        std::ranges::none_of(s.transfers, is_sent) &&
                        s.commit.value == commit && s.applied.value == commit && s.synced.value == commit;
            }
        }
        return quiet && difference().empty();
    }
    /// A file that is open is looked at again after each pass over everything.
    std::size_t looks_without_end(node_id id) const {
        return id.value <= logs_.size() && logs_[id.value - 1]->has_it_open() ? 1 : 0;
    }
    std::string difference() const {
        std::set<node_id> present;
        for (const auto& m : machines())
            if (!is_left_out(m->id())) present.insert(m->id());
        return trees_->difference(present);
    }

    standing standing_of(node_id id) override {
        const program* p = program_of(id);
        if (!p || !p->core()) return {};
        const node_status s = p->node.status();
        return {p->core(), s.synced.value, s.conflicts};
    }

    std::string standings() override {
        std::string text;
        for (auto& m : machines()) {
            node_type* node = node_of(*m);
            text += "node " + std::to_string(m->id().value) + " ";
            if (is_left_out(m->id())) text += "left out ";
            if (!node) { text += "down; "; continue; }
            const node_status s = node->status();
            text += s.role + " of node " + std::to_string(s.leader.value) + " " + s.state + " " + s.waiting_for + out_of_reach(m->id()) +
                    " term " + std::to_string(s.term.value) + " commit " +
                    std::to_string(s.commit.value) + " applied " + std::to_string(s.applied.value) + " synced " +
                    std::to_string(s.synced.value) + " hints " + std::to_string(s.hints) + " proposals " +
                    std::to_string(s.proposals) + " to write " + std::to_string(s.to_write) + " displaced " +
                    std::to_string(s.displaced);
            for (const auto& u : s.unwritable.first) text += " [" + u.path + ": " + u.why + "]";
            if (node->sync() && s.synced != s.commit) text += " (" + node->sync()->explain() + ")";
            const std::size_t i = static_cast<std::size_t>(m->id().value - 1);
            if (!users_[i]->idle()) text += ", its user is not done";
            if (!racers_[i]->idle()) text += ", who races with it is not done";
            if (const auto wanted = state_wanted(m->id()); s.state != wanted) text += ", and is to be " + wanted;
            text += "; ";
        }
        return text + difference();
    }

    void add_to(run_result& r) override {
        for (auto& u : users_) r.edits += u->edits();
        r.denials_named = denials_named_;
        r.roots_missed = roots_missed_;
        for (const auto& racer : racers_) r.races += racer->races();
        for (const auto& l : logs_) r.log_lines += l->writes(), r.logs_open += l->has_it_open();
        r.log_states = log_files_->states();
        for (auto& m : machines()) {
            if (node_type* node = node_of(*m)) {
                const node_status s = node->status();
                r.compactions += s.compactions;
                r.collections += s.collections;
            }
        }
        if (node_type* node = node_of(*machines().front())) r.conflicts = node->status().conflicts;
        r.contents = history_.contents().size();
        r.chunked = with_chunks_.looks();
        r.installed = installed_;
        r.content_looks = contents_.looks() + whole_.looks();
    }

    edit_history history_;
    content_checker contents_;
    stood_somewhere whole_{w_, history_, [this](node_id id) { return faults_->atlas().is_damaged(id); }};
    chunks_before_apply with_chunks_{w_, [this](node_id id, const content_hash& hash) { return program_of(id)->node.chunks().holds(hash); },
                                     // A store that has failed says that it has nothing.
                                     [this](node_id id) { return faults_->atlas().is_damaged(id) || !program_of(id)->node.chunks().works(); }};
    folder_checkers<node_type> folders_;
    std::unique_ptr<trees_equal> trees_;
    std::unique_ptr<nothing_lost> kept_;
    std::unique_ptr<log_file_checker> log_files_;
    directory_faults directories_{w_, root_path};
    std::vector<std::unique_ptr<sim_user>> users_;
    std::vector<std::unique_ptr<racing_user>> racers_;
    std::vector<std::unique_ptr<log_writer>> logs_;
    std::uint64_t installed_ = 0;
    std::uint64_t denials_named_ = 0;
    std::uint64_t roots_missed_ = 0;
};

}  // namespace

run_result simulate(const scenario& what, const run_hooks& hooks) {
    if (what.workload == workload_kind::consensus) return simulate_consensus(what, hooks);
    return folder_cluster(what, hooks).run();
}

}  // namespace lockstep::sim
