// Several folder_syncs on real directories, and one total order between them that is a vector: the replication of a
// directory without Raft, sockets or kernel events. Time is virtual; a poll is a hint.
#pragma once

#include <lockstep/concepts/watcher.hpp>
#include <lockstep/node/content_exchange.hpp>
#include <lockstep/node/folder_sync.hpp>
#include <lockstep/os/posix_file_system.hpp>
#include <lockstep/testing/faulty_file_system.hpp>
#include <lockstep/testing/manual_runtime.hpp>

#include <tests/node/memory_store.hpp>

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace sync_test {

using namespace lockstep;
namespace native = std::filesystem;

using disk_type = testing::faulty_file_system<os::posix_file_system>;

/// Records kept in memory: a journal that outlives its node.
struct memory_journal {
    result<> append(const std::vector<byte_buffer>& more, bool) {
        records.insert(records.end(), more.begin(), more.end());
        return {};
    }
    std::vector<byte_buffer> records;
};

struct no_watcher {
    template <class Directory>
    void add(const std::string&, Directory&) {}
    template <class Done>
    void flush(Done done) {
        rt->post([this, done = std::move(done)]() mutable {
            everything();
            done(error_code{});
        });
    }
    watcher_counters counters() const { return {}; }
    testing::manual_runtime* rt = nullptr;
    std::function<void()> everything;
};

class world;

/// All sites have the same chunks: what is prepared is there.
struct alone {
    template <class Message>
    void send(node_id, const Message&) {}
    template <class Message>
    bool send_bulk(node_id, const Message&) { return false; }
    void content_damaged() {}
    void content_room(bool) {}
    void content_failed(const storage_error&) {}
    void tick_soon() {
        rt->post([this] { turn(); });
    }
    node_id self() const { return node_id(1); }
    node_id leader() const { return leads ? node_id(1) : no_node; }
    std::set<node_id> voters() const { return {node_id(1)}; }
    bool counts(node_id) const { return true; }

    testing::manual_runtime* rt = nullptr;
    std::function<void()> turn;
    bool leads = true;
};

struct site {
    using store_type = node_test::memory_store<testing::manual_runtime, disk_type>;
    using exchange_type = content_exchange<alone, testing::manual_runtime, disk_type, store_type>;
    using sync_type = folder_sync<testing::manual_runtime, disk_type, no_watcher, memory_journal, exchange_type>;

    native::path root;
    node_options options;
    folder::tree committed;
    std::size_t applied = 0;
    session_id session;
    no_watcher watch;
    std::shared_ptr<memory_journal> journal = std::make_shared<memory_journal>();
    std::unique_ptr<sync_type> sync;
    std::vector<std::string> reports;
};

class world {
public:
    explicit world(std::size_t nodes) {
        native::path base = native::temp_directory_path() / "lockstep-sync-XXXXXX";
        std::string name = base.string();
        if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
        base_ = name;
        for (std::size_t i = 0; i < nodes; ++i) {
            sites_.push_back(std::make_unique<site>());
            site& s = *sites_.back();
            s.root = base_ / ("node" + std::to_string(i + 1));
            for (const char* part : {"staging", "marks"}) native::create_directories(s.root / ".lockstep" / part);
            std::ofstream(s.root / ".lockstep" / "marker") << "marker";
            s.options.id = node_id(i + 1);
            s.options.directory = s.root.string();
            start(s);
        }
    }
    ~world() {
        sites_.clear();
        native::remove_all(base_);
    }

    site& operator[](std::size_t i) { return *sites_.at(i - 1); }
    native::path path(std::size_t i, const std::string& name) { return (*this)[i].root / name; }
    testing::manual_runtime& runtime() { return rt_; }
    site::store_type& chunks() { return chunks_; }
    disk_type& disk() { return fs_; }
    /// What a node does now and then.
    void pass_seconds(int seconds) {
        for (int i = 0; i < 10 * seconds; ++i) {
            rt_.advance(std::chrono::milliseconds(100));
            exchange_.turn();
        }
        rt_.run_until_idle();
    }
    bool is_full() const { return exchange_.is_full(); }
    bool contents_to_be_had = true;   ///< those that stand in the log
    std::size_t contents_asked_for = 0;
    /// Without a leader nothing large can be proposed.
    void leaderless(bool on) {
        host_.leads = !on;
        exchange_.turn();
    }
    std::vector<folder::command>& log() { return log_; }

    void write(std::size_t i, const std::string& name, const std::string& text) {
        native::create_directories(path(i, name).parent_path());
        std::ofstream(path(i, name), std::ios::trunc | std::ios::binary) << text;
    }
    std::string read(std::size_t i, const std::string& name) {
        std::ifstream file(path(i, name), std::ios::binary);
        std::ostringstream text;
        text << file.rdbuf();
        return file ? text.str() : "<missing>";
    }

    /// Lets a node find what was edited on its disk, and decides nothing.
    void look(std::size_t i) {
        (*this)[i].sync->hinted({hint{}});
        rt_.run_until_idle();
        rt_.advance(std::chrono::milliseconds(200));
    }
    /// Gives a node everything that stands in the order.
    void deliver(std::size_t i) {
        site& s = (*this)[i];
        while (s.applied < log_.size()) {
            const folder::command& c = log_[s.applied++];
            const log_index index(s.applied);
            const auto outcome = folder::apply(s.committed, index, c);
            s.sync->stale(outcome.touched, index);
            if (c.session == s.session && c.what != folder::operation::open_session) s.sync->decided(index, c, outcome);
        }
        rt_.run_until_idle();
    }
    /// Everybody looks and is told until nothing moves any more.
    void settle() {
        for (int round = 0; round < 30; ++round) {
            const std::size_t before = log_.size();
            for (std::size_t i = 1; i <= sites_.size(); ++i) look(i);
            for (std::size_t i = 1; i <= sites_.size(); ++i) deliver(i);
            rt_.advance(std::chrono::milliseconds(1200));
            exchange_.turn();
            bool idle = log_.size() == before;
            for (const auto& s : sites_) idle = idle && s->applied == log_.size() && s->sync->idle();
            if (idle) return;
        }
        throw std::runtime_error("it does not settle");
    }

    /// A new run of a node: a process that ended and came back.
    void restart(std::size_t i) {
        site& s = (*this)[i];
        s.sync.reset();
        start(s);
        deliver(i);
    }

    /// Names, types, modes, times, contents below a root: equal strings are equal trees.
    std::string picture(std::size_t i) {
        std::set<std::string> lines;
        const native::path root = (*this)[i].root;
        for (auto it = native::recursive_directory_iterator(root); it != native::recursive_directory_iterator(); ++it) {
            const std::string name = it->path().lexically_relative(root).string();
            if (name == ".lockstep") {
                it.disable_recursion_pending();
                continue;
            }
            std::ostringstream line;
            line << name << ' ';
            if (it->is_symlink()) line << "-> " << native::read_symlink(it->path()).string();
            else if (it->is_directory()) line << "directory " << static_cast<int>(it->status().permissions());
            else line << "file " << static_cast<int>(it->status().permissions()) << ' '
                      << it->last_write_time().time_since_epoch().count() << ' ' << read(i, name);
            lines.insert(line.str());
        }
        std::string all;
        for (const auto& line : lines) all += line + '\n';
        return all;
    }
    bool same() {
        for (std::size_t i = 2; i <= sites_.size(); ++i)
            if (picture(1) != picture(i)) return false;
        return true;
    }

private:
    void start(site& s) {
        folder_sync_hooks hooks;
        hooks.submit = [this](const folder::command& c) { log_.push_back(c); };
        hooks.read_content = [this](log_index index, const content::chunk_ref&, unique_function<void(std::optional<shared_bytes>)> done) {
            ++contents_asked_for;
            if (contents_to_be_had) return done(log_.at(index.value - 1).content);
            if (contents_asked_for > 1000) throw std::runtime_error("it asks again and again");
            done(std::nullopt);
        };
        hooks.observe = [&s](const report& r) { s.reports.push_back(r.text); };
        hooks.fatal = [&s](const std::string& text) { s.reports.push_back("fatal: " + text); };
        hooks.progress = [] {};
        s.watch.rt = &rt_;
        s.watch.everything = [&s] { s.sync->hinted({hint{}}); };
        const auto seen = s.committed.session(s.options.id);
        s.session = {s.options.id, (seen ? seen->number : 0) + 1};
        folder::command open;
        open.session = s.session;
        log_.push_back(open);
        const sync::root_location root{s.root.string(), "marker"};
        s.sync = std::make_unique<site::sync_type>(rt_, fs_, s.watch, s.journal, exchange_, root, s.options, s.committed, std::move(hooks));
        auto state = sync::replay_journal(s.journal->records);
        if (!state) throw std::runtime_error("journal");
        while (s.applied < log_.size()) {
            ++s.applied;
            folder::apply(s.committed, log_index(s.applied), log_[s.applied - 1]);
        }
        auto changes = sync::changed_since(state->synced, s.committed);
        s.sync->start(s.session,
                      sync::disk_recovery<disk_type>(fs_, root, std::move(*state), std::move(changes)).run());
        rt_.run_until_idle();
    }

    native::path base_;
    testing::manual_runtime rt_;
    os::posix_file_system real_;
    disk_type fs_{real_};
    site::store_type chunks_{rt_};
    alone host_{&rt_, [this] { exchange_.turn(); }, true};
    site::exchange_type exchange_{host_, rt_, fs_, chunks_};
    std::vector<folder::command> log_;
    std::vector<std::unique_ptr<site>> sites_;
};

}  // namespace sync_test
