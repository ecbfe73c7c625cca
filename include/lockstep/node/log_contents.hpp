// Brings contents that stand in the log into the chunk store: before a part of the log goes, everything that the tree
// still names must be durable elsewhere.
#pragma once

#include <lockstep/base/ids.hpp>
#include <lockstep/codec/command.hpp>
#include <lockstep/concepts/runtime.hpp>
#include <lockstep/content/chunk.hpp>
#include <lockstep/raft/entry.hpp>

#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace lockstep {

/// The contents of a tree that stand as one chunk under their own hash once they are in the chunk store.
template <class F>
void for_each_inline_content(const folder::entry& e, F f) {
    if (e.type != folder::entry_type::directory && e.size != 0 && e.manifest == content_hash{})
        f(content::chunk_ref{e.hash, static_cast<std::uint32_t>(e.size)});
}

/// `Host` has:
///     void read_log(log_index from, log_index to, std::size_t bytes_max, unique_function<void(std::vector<raft::entry>)>)
/// `Exchange` is a content_exchange. On the loop.
template <class Host, runtime Runtime, class Exchange>
class log_contents {
public:
    log_contents(Host& host, Runtime& rt, Exchange& exchange, std::size_t piece_bytes)
        : host_(host), rt_(rt), exchange_(exchange), piece_bytes_(piece_bytes) {}
    log_contents(const log_contents&) = delete;
    log_contents& operator=(const log_contents&) = delete;

    using done_handler = unique_function<void(std::set<content_hash> missing)>;

    /// `done` once those of the wanted contents that stand between `from` and `to` are in the store, with the others.
    void keep(std::set<content_hash> wanted, log_index from, log_index to, done_handler done) {
        auto p = std::make_shared<pass>();
        p->wanted = std::move(wanted);
        p->from = from;
        p->to = to;
        p->done = std::move(done);
        go_on(std::move(p));
    }

private:
    struct pass {   // a job's, while one is under way
        /// What is wanted of these, and is what it says that it is.
        std::vector<content::named_chunk> take(const std::vector<raft::entry>& entries) {
            std::vector<content::named_chunk> found;
            for (const auto& e : entries) {
                if (e.kind != raft::entry_kind::command || is_chunked_command(e.data.view())) continue;
                const auto command = decode_command(e.data);
                if (!command || command->content.empty() || !wanted.contains(command->hash)) continue;
                if (sha256(command->content.view()) != command->hash) continue;
                wanted.erase(command->hash);
                found.push_back({command->hash, command->content});
            }
            return found;
        }
        std::set<content_hash> wanted;
        log_index from;
        log_index to;
        done_handler done;
    };

    template <class F>
    auto guarded(F f) {
        return [alive = std::weak_ptr<int>(alive_), f = std::move(f)](auto&&... args) mutable {
            if (alive.lock()) f(std::forward<decltype(args)>(args)...);
        };
    }

    void go_on(std::shared_ptr<pass> p) {
        if (p->wanted.empty() || p->from > p->to) return p->done(std::move(p->wanted));
        host_.read_log(p->from, p->to, piece_bytes_, guarded([this, p](std::vector<raft::entry> entries) {
            if (entries.empty()) return p->done(std::move(p->wanted));
            p->from = entries.back().index + 1;
            offload(rt_, lane::reads, [p, entries = std::move(entries)] { return p->take(entries); },
                    guarded([this, p](std::vector<content::named_chunk> found) {
                        exchange_.store(std::move(found), guarded([this, p] { go_on(p); }));
                    }));
        }));
    }

    Host& host_;
    Runtime& rt_;
    Exchange& exchange_;
    std::size_t piece_bytes_;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace lockstep
