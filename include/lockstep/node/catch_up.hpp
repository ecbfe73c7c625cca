// Brings this node to a state that its log cannot lead it to any more: fetches the tree of another node, makes every
// content that it names durable here, and has it installed at once. What is here already is not fetched: chunks of the
// store, contents of this node's own log, files in its directory. A newer wish takes the place of the one before, and keeps
// what was fetched.
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/codec/node_messages.hpp>
#include <lockstep/node/log_contents.hpp>
#include <lockstep/node/tree_store.hpp>
#include <lockstep/raft/io.hpp>
#include <lockstep/sync/local_source.hpp>

#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace lockstep {

/// `Host` has, all on one loop:
///     void send(node_id, const snapshot_query&)
///     const tree_snapshot& newest_snapshot()    the one that a start would begin with
///     std::shared_ptr<sync::local_source<FileSystem>> source(std::vector<sync::source_file>)   of its directory
///     log_position applied()                    and const folder::tree& committed(), which is the tree at it
///     log_index log_end()                       of what is durable in the log
///     void keep_snapshot(tree_snapshot, log_index drop_to, unique_function<void(bool)> done)   see compaction
///     void install(log_position)                the kept snapshot takes the place of what was applied
///     void install_failed(const raft::install_request&)
/// and what log_contents asks for.
template <class Host, runtime Runtime, file_system FileSystem, class Exchange>
class catch_up {
    using source_type = sync::local_source<FileSystem>;

public:
    catch_up(Host& host, Runtime& rt, Exchange& exchange, tree_store<Runtime, Exchange>& trees,
             log_contents<Host, Runtime, Exchange>& contents)
        : host_(host), rt_(rt), exchange_(exchange), trees_(trees), contents_(contents) {}
    catch_up(const catch_up&) = delete;
    catch_up& operator=(const catch_up&) = delete;

    void begin(const raft::install_request& wanted) {
        if (job_ && (job_->storing || job_->keeping)) {   // in a moment, or when the disk has room
            sometimes(probe::newer_snapshot_wanted_meanwhile);
            job_->next = wanted;
            return;
        }
        drop();
        job_ = std::make_shared<job>();
        job_->wanted = wanted;
        ask();
    }

    void handle(node_id from, const snapshot_answer& a) {
        if (!job_ || job_->asked_at == never || from != job_->wanted.from || a.at != job_->wanted.at) return;
        job_->asked_at = never;
        // It has that one no more.
        if (sometimes(probe::snapshot_gone_at_source, !content::decode_manifest(a.manifest.view()))) return fail();
        job_->snapshot = {a.at, a.manifest, {}};
        wait_for([&](auto done) { return exchange_.ensure(a.manifest, from, std::move(done)); }, [this] { read(); });
    }

    /// Time went by.
    void turn() {
        // What is being stored ends first: a wish that came meanwhile waits for it, and must not go with it.
        if (!job_ || job_->storing || job_->keeping) return;
        if (host_.applied().index >= job_->wanted.at.index) return drop();
        if (job_->asked_at != never && rt_.now() - job_->asked_at >= ask_again_after) ask();
    }
    bool under_way() const noexcept { return job_ != nullptr; }

    /// What is being fetched, as far as it is here.
    tree_snapshot fetching() const { return job_ ? job_->snapshot : tree_snapshot{}; }

private:
    static constexpr duration ask_again_after = std::chrono::seconds(1);

    struct job {
        raft::install_request wanted;
        time_point asked_at = never;              ///< unanswered since
        tree_snapshot snapshot;
        std::set<content_hash> manifests;         ///< of its contents: to be made complete
        std::vector<content::chunk_ref> chunks;   ///< likewise
        std::set<typename Exchange::id> waiting;
        bool storing = false;                     ///< what is here already
        bool keeping = false;                     ///< it is being made durable: there is no way back
        std::optional<raft::install_request> next;   ///< wanted since
    };

    /// Of the job at hand only.
    template <class F>
    auto guarded(F f) {
        return [mine = std::weak_ptr<job>(job_), f = std::move(f)](auto&&... args) mutable {
            if (mine.lock()) f(std::forward<decltype(args)>(args)...);
        };
    }

    void ask() {
        job_->asked_at = rt_.now();
        host_.send(job_->wanted.from, snapshot_query{job_->wanted.at});
    }

    void drop() {
        if (!job_) return;
        for (const auto ticket : job_->waiting) exchange_.cancel(ticket);
        job_.reset();
    }

    void fail() {
        const raft::install_request wanted = job_->wanted;
        drop();
        host_.install_failed(wanted);
    }

    /// Asks the exchange for something, and goes on once nothing is waited for any more.
    template <class Ask, class Then>
    void wait_for(Ask ask_for, Then then) {
        auto ticket = std::make_shared<typename Exchange::id>();
        auto here = [this, ticket, then = std::move(then)]() mutable {
            job_->waiting.erase(*ticket);
            if (job_->waiting.empty()) then();
        };
        // It may be here already: even so it is told later.
        *ticket = ask_for(guarded([this, here = std::move(here)]() mutable { rt_.post(guarded(std::move(here))); }));
        job_->waiting.insert(*ticket);
    }

    void read() {
        trees_.read(job_->snapshot.manifest, guarded([this](std::optional<folder::tree> tree) {
                        if (!tree) return fail();
                        job_->snapshot.tree = std::move(*tree);
                        keep_own();
                    }));
    }

    /// What stands in this node's own log.
    void keep_own() {
        job_->storing = true;
        std::set<content_hash> wanted;
        job_->snapshot.tree.for_each([&](const folder::entry& e) {
            for_each_inline_content(e, [&](const content::chunk_ref& ref) {
                if (!exchange_.has(ref.hash)) wanted.insert(ref.hash);
            });
        });
        contents_.keep(std::move(wanted), host_.newest_snapshot().at.index + 1, host_.log_end(),
                       guarded([this](std::set<content_hash> missing) { read_files(missing); }));
    }

    /// Finds out what is missing, and looks where it would stand in the directory. What the applied tree has in chunks is
    /// here.
    void read_files(const std::set<content_hash>& missing) {
        const folder::tree& tree = job_->snapshot.tree;
        std::vector<sync::source_file> files;
        diff(host_.committed(), tree, [&](entry_id, const folder::entry*, const folder::entry* e) {
            if (!e || e->manifest == content_hash{} || !job_->manifests.insert(e->manifest).second) return;
            files.push_back({tree.path_of(e->id).value_or(std::string()), std::nullopt});
        });
        tree.for_each([&](const folder::entry& e) {
            for_each_inline_content(e, [&](const content::chunk_ref& ref) {
                if (!missing.contains(ref.hash)) return;
                job_->chunks.push_back(ref);
                if (e.type == folder::entry_type::file) files.push_back({tree.path_of(e.id).value_or(std::string()), ref});
            });
        });
        read_on(host_.source(std::move(files)));
    }

    void read_on(std::shared_ptr<source_type> source) {
        offload(rt_, lane::reads, [source] { return source->next(); },
                guarded([this, source](std::vector<content::named_chunk> found) {
                    if (found.empty()) return fetch();
                    exchange_.store(std::move(found), guarded([this, source] { read_on(source); }));
                }));
    }

    /// All the rest, from others.
    void fetch() {
        job_->storing = false;
        if (const auto next = job_->next) return begin(*next);
        const auto manifests = std::exchange(job_->manifests, {});
        auto chunks = std::exchange(job_->chunks, {});
        const node_id from = job_->wanted.from;
        const auto then = [this] { keep(); };
        for (const auto& manifest : manifests)
            wait_for([&](auto done) { return exchange_.ensure(manifest, from, std::move(done)); }, then);
        wait_for([&](auto done) { return exchange_.ensure(std::move(chunks), from, std::move(done)); }, then);
    }

    void keep() {
        if (host_.applied().index >= job_->wanted.at.index) return drop();
        job_->keeping = true;
        host_.keep_snapshot(job_->snapshot, {}, [this](bool kept) {
            const raft::install_request wanted = job_->wanted;
            const auto next = job_->next;
            job_.reset();
            if (kept) host_.install(wanted.at);
            else host_.install_failed(wanted);
            if (next) begin(*next);
        });
    }

    Host& host_;
    Runtime& rt_;
    Exchange& exchange_;
    tree_store<Runtime, Exchange>& trees_;
    log_contents<Host, Runtime, Exchange>& contents_;
    std::shared_ptr<job> job_;
};

}  // namespace lockstep
