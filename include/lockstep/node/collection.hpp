// Removes chunks that nothing needs any more. What is needed: the applied tree, snapshots, every entry of the local log,
// commands that are undecided, and whatever is on its way. Finding that out takes a while; what is put or found in the
// chunk store meanwhile is kept by the store itself.
//
// What is needed, ought to be here and is not was damaged: it is fetched from others. Until a list that is needed is here again
// nothing is removed, since nobody knows what it lists.
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/base/time.hpp>
#include <lockstep/codec/command.hpp>
#include <lockstep/concepts/log_storage.hpp>
#include <lockstep/concepts/runtime.hpp>
#include <lockstep/content/manifest.hpp>
#include <lockstep/node/log_contents.hpp>
#include <lockstep/node/tree_store.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace lockstep {

struct collection_options {
    std::uint64_t grown_bytes = 256 << 20;   ///< the store must have grown so much since the last one, and by a quarter
    std::size_t piece_bytes = 1 << 20;       ///< of the log, read in one go
    duration retry_after = std::chrono::seconds(30);
    duration hurry_pause = std::chrono::seconds(10);   ///< between those that are asked for
};

/// What is to be kept: chunks, and what manifests list.
struct content_roots {
    std::vector<content_hash> manifests;
    std::vector<content_hash> chunks;
    std::vector<content::chunk_ref> stored;   ///< of chunks: those that are in the store and nowhere else

    /// A start would begin with it: whatever stood in the log of it is in the store.
    void add_saved(const tree_snapshot& snapshot) {
        add(snapshot);
        snapshot.tree.for_each([this](const folder::entry& e) {
            for_each_inline_content(e, [this](const content::chunk_ref& ref) { stored.push_back(ref); });
        });
    }
    void add(const folder::tree& tree) {
        tree.for_each([this](const folder::entry& e) {
            if (e.manifest != content_hash{}) manifests.push_back(e.manifest);
            for_each_inline_content(e, [this](const content::chunk_ref& ref) { chunks.push_back(ref.hash); });
        });
    }
    void add(const tree_snapshot& snapshot) {
        if (!snapshot.manifest.empty()) manifests.push_back(sha256(snapshot.manifest.view()));
        add(snapshot.tree);
    }
    /// Every name once, in order.
    static void tidy(std::vector<content_hash>& names) {
        std::sort(names.begin(), names.end());
        names.erase(std::unique(names.begin(), names.end()), names.end());
    }
};

/// `Host` has, all on one loop:
///     void add_roots(content_roots&)           all but the log, as of now
///     log_index log_end()                      of what the core has in its log, durable or not
///     log_index log_durable()                  the end of what is durable of it
///     log_index log_base()                     entries up to here are gone from it
///     void collected(const storage::collection_report&)
///     void content_failed(const storage_error&)   what is durable is unknown: the node must stop
/// and what log_contents asks for. `Exchange` is a content_exchange, `Store` its chunk store.
template <class Host, runtime Runtime, class Exchange, class Store>
class collection {
public:
    collection(Host& host, Runtime& rt, Exchange& exchange, Store& store, collection_options options)
        : host_(host), rt_(rt), exchange_(exchange), store_(store), options_(options) {}
    collection(const collection&) = delete;
    collection& operator=(const collection&) = delete;

    /// Goes on, or begins where it is time to.
    void turn() {
        if (now_ == stage::idle && is_due()) return begin();
        if (now_ == stage::settling && host_.log_durable() >= std::min(settled_at_, host_.log_end())) return read_log(host_.log_base() + 1);
    }
    /// The next turn begins one, whether the store has grown or not: the disk is full, say, or something is damaged.
    void hurry() noexcept { hurried_ = true; }
    bool under_way() const noexcept { return now_ != stage::idle; }

private:
    enum class stage : std::uint8_t {
        idle,
        settling,   ///< what the core had in its log becomes durable, so that it can be read there
        working
    };
    static constexpr std::size_t manifests_at_once = 256;

    template <class F>
    auto guarded(F f) {
        return [alive = std::weak_ptr<int>(alive_), f = std::move(f)](auto&&... args) mutable {
            if (alive.lock()) f(std::forward<decltype(args)>(args)...);
        };
    }

    bool is_due() const {
        if (!store_.works() || rt_.now() < not_before_) return false;
        const std::uint64_t bytes = store_.status().bytes;
        return hurried_ || bytes >= bytes_after_ + std::max(options_.grown_bytes, bytes_after_ / 4);
    }

    /// From here on the store keeps whatever is put or found in it.
    void begin() {
        if (!store_.begin_collection()) return;
        if (std::exchange(hurried_, false)) not_before_ = rt_.now() + options_.hurry_pause;
        roots_ = {};
        stop_mending();
        host_.add_roots(roots_);
        exchange_.begin_collection(roots_.manifests, roots_.chunks);
        settled_at_ = host_.log_end();
        now_ = stage::settling;
        sometimes(probe::collection_waited_for_disk, host_.log_durable() < settled_at_);
        turn();
    }

    void read_log(log_index from) {
        now_ = stage::working;
        from = std::max(from, host_.log_base() + 1);
        if (from > host_.log_durable()) return end_log();
        host_.read_log(from, host_.log_durable(), options_.piece_bytes, guarded([this, from](std::vector<raft::entry> entries) {
            if (entries.empty() && from > host_.log_base()) return give_up();
            for (const auto& e : entries) {
                if (e.kind != raft::entry_kind::command || !is_chunked_command(e.data.view())) continue;
                if (const auto command = decode_command(e.data)) roots_.manifests.push_back(sha256(command->content.view()));
            }
            read_log(entries.empty() ? from : entries.back().index + 1);
        }));
    }

    /// What left the log while it was read is in the trees, or nobody's any more.
    void end_log() {
        host_.add_roots(roots_);
        content_roots::tidy(roots_.manifests);
        read_manifests(0);
    }

    void read_manifests(std::size_t at) {
        if (at == roots_.manifests.size()) return collect();
        const std::size_t end = std::min(at + manifests_at_once, roots_.manifests.size());
        std::vector<content_hash> some(roots_.manifests.begin() + static_cast<std::ptrdiff_t>(at),
                                       roots_.manifests.begin() + static_cast<std::ptrdiff_t>(end));
        exchange_.read_chunks(some, guarded([this, some, end](std::vector<std::optional<shared_bytes>> read) {
            if (!are_read(some, read)) return give_up();
            std::vector<content::chunk_ref> pieces;
            for (std::size_t i = 0; i < read.size(); ++i) {
                if (!read[i]) {
                    if (!exchange_.awaits(some[i])) lost_.manifests.push_back(some[i]);
                    continue;
                }
                const auto list = content::decode_manifest(read[i]->view());
                if (!list) continue;
                if (list->level == 1) needs(list->refs);
                else pieces.insert(pieces.end(), list->refs.begin(), list->refs.end());
            }
            read_lists(std::move(pieces), end);
        }));
    }

    void read_lists(std::vector<content::chunk_ref> pieces, std::size_t next_manifest) {
        std::vector<content_hash> names;
        for (const auto& piece : pieces) names.push_back(piece.hash);
        roots_.chunks.insert(roots_.chunks.end(), names.begin(), names.end());
        exchange_.read_chunks(names, guarded([this, names, pieces, next_manifest](std::vector<std::optional<shared_bytes>> read) {
            if (!are_read(names, read)) return give_up();
            for (std::size_t i = 0; i < read.size(); ++i) {
                if (!read[i]) {
                    if (!exchange_.awaits(names[i])) lost_.pieces.push_back(pieces[i]);
                    continue;
                }
                if (const auto refs = content::decode_piece(read[i]->view())) needs(*refs);
            }
            read_manifests(next_manifest);
        }));
    }

    /// What a list names: it stays. What of it is not here, and not asked for, was here once.
    void needs(const std::vector<content::chunk_ref>& refs) {
        for (const auto& ref : refs) {
            roots_.chunks.push_back(ref.hash);
            if (!store_.holds(ref.hash) && !exchange_.awaits(ref.hash)) lost_.chunks.push_back(ref);
        }
    }

    /// All that is lost is fetched from whoever has it, until the next collection: by then it may be nobody's any more. What
    /// is on its way is kept by being asked for.
    void mend() {
        for (const auto& ref : roots_.stored)
            if (!store_.holds(ref.hash) && !exchange_.awaits(ref.hash)) lost_.chunks.push_back(ref);
        for (const auto& name : lost_.manifests) mend_by([&](auto done) { return exchange_.ensure(name, no_node, std::move(done)); });
        for (const auto* refs : {&lost_.pieces, &lost_.chunks})
            if (!refs->empty()) mend_by([&](auto done) { return exchange_.ensure(*refs, no_node, std::move(done)); });
    }
    template <class Ask>
    void mend_by(Ask ask) {
        struct mending {
            typename Exchange::id id{};
            bool done = false;
        };
        const auto m = std::make_shared<mending>();
        m->id = ask(guarded([this, m] {   // it may come at once
            sometimes(probe::damaged_chunk_fetched_anew);
            m->done = true;
            mending_.erase(m->id);
        }));
        if (!m->done) mending_.insert(m->id);
    }
    void stop_mending() {
        for (const auto id : std::exchange(mending_, {})) exchange_.cancel(id);
    }

    /// Whether all that are here could be read: what a list that could not be names is needed.
    bool are_read(const std::vector<content_hash>& names, const std::vector<std::optional<shared_bytes>>& read) const {
        for (std::size_t i = 0; i < names.size(); ++i)
            if (!read[i] && exchange_.has(names[i])) return false;
        return true;
    }

    void collect() {
        mend();
        const bool knows_all = lost_.manifests.empty() && lost_.pieces.empty();
        lost_ = {};
        if (!knows_all) return give_up();
        auto live = std::move(roots_.chunks);
        live.insert(live.end(), roots_.manifests.begin(), roots_.manifests.end());
        content_roots::tidy(live);
        roots_ = {};
        store_.collect(std::move(live), guarded([this](auto report, const storage_error& error) {
                           if (error.code && store_.works()) return give_up();
                           now_ = stage::idle;
                           if (sometimes(probe::store_failed_in_collection, bool(error.code))) return host_.content_failed(error);
                           bytes_after_ = store_.status().bytes;
                           host_.collected(report);
                       }));
    }

    /// Something could not be read: later. What is kept meanwhile is kept a little longer.
    void give_up() {
        sometimes(probe::collection_given_up);
        not_before_ = rt_.now() + options_.retry_after;
        hurried_ = true;   // for the store need not grow until then
        roots_ = {};
        lost_ = {};
        now_ = stage::idle;
    }

    Host& host_;
    Runtime& rt_;
    Exchange& exchange_;
    Store& store_;
    collection_options options_;
    struct lost {
        std::vector<content_hash> manifests;
        std::vector<content::chunk_ref> pieces;
        std::vector<content::chunk_ref> chunks;
    };
    stage now_ = stage::idle;
    content_roots roots_;
    lost lost_;                               ///< of what this collection found to be needed
    std::set<typename Exchange::id> mending_;
    log_index settled_at_;
    std::uint64_t bytes_after_ = 0;   ///< of the store, when the last one ended
    time_point not_before_{};
    bool hurried_ = false;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace lockstep
