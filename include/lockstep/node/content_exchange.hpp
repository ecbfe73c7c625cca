// Brings the chunks of large contents here, gives them to others, and asks others to have them before a content is
// proposed. What to ask whom for is content/pull_plan's to decide; here it is asked, answered and stored.
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/codec/node_messages.hpp>
#include <lockstep/concepts/file_system.hpp>
#include <lockstep/concepts/log_storage.hpp>
#include <lockstep/concepts/runtime.hpp>
#include <lockstep/content/manifest.hpp>
#include <lockstep/content/pull_plan.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace lockstep {

/// `Host` has, all on one loop:
///     void send(node_id, const Message&)             prepare_query, prepare_answer, chunk_query: small
///     bool send_bulk(node_id, const Message&)        chunk_answer; false: not taken
///     void content_failed(const storage_error&)      what is durable is unknown: the node must stop
///     void content_damaged()                         a chunk that was here is damaged, and was forgotten
///     void content_room(bool)                        the disk has no room for chunks, again and again; true: it has now
///     void tick_soon()                               calls turn() when the loop comes round
///     node_id self(), leader() (no_node: none), std::set<node_id> voters(), bool counts(node_id): on its founding disk
/// `Store` is a storage::chunk_store, opened.
template <class Host, runtime Runtime, file_system FileSystem, class Store>
class content_exchange {
public:
    using id = std::uint64_t;

    content_exchange(Host& host, Runtime& rt, FileSystem& fs, Store& store)
        : host_(host), rt_(rt), fs_(fs), store_(store), last_(rt.random() >> 1) {}
    content_exchange(const content_exchange&) = delete;
    content_exchange& operator=(const content_exchange&) = delete;

    /// `done` once the manifest and every chunk that it lists are durable here. `source` probably has them. It goes on
    /// asking until then or until cancel(). Precondition: the bytes are a well-formed manifest.
    id ensure(const shared_bytes& manifest, node_id source, unique_function<void()> done) {
        const auto list = content::decode_manifest(manifest.view());
        LOCKSTEP_ASSERT(list.has_value());
        const id ticket = begin(source, std::move(done));
        wish& w = wishes_.at(ticket);
        w.list = *list;
        w.manifest = sha256(manifest.view());
        if (store_.has(*w.manifest)) {
            advance(ticket);
        } else {
            w.awaited.insert(*w.manifest);
            awaiting_[*w.manifest].insert(ticket);
            keep({{*w.manifest, manifest}});
        }
        host_.tick_soon();
        return ticket;
    }
    /// The same of a manifest of which only the name is known.
    id ensure(const content_hash& manifest, node_id source, unique_function<void()> done) {
        const id ticket = begin(source, std::move(done));
        wishes_.at(ticket).manifest = manifest;
        look_for(ticket, {{manifest, content::encoded_manifest_bytes_max}});
        host_.tick_soon();
        return ticket;
    }
    /// The same of single chunks.
    id ensure(std::vector<content::chunk_ref> chunks, node_id source, unique_function<void()> done) {
        const id ticket = begin(source, std::move(done));
        wish& w = wishes_.at(ticket);
        w.now = stage::chunks;
        w.list.emplace().refs = chunks;
        look_for(ticket, chunks);
        host_.tick_soon();
        return ticket;
    }
    void cancel(id ticket) {
        const auto at = wishes_.find(ticket);
        if (at == wishes_.end()) return;
        // A manifest that came with the wish is being stored, and is asked of nobody.
        const bool asked = at->second.now != stage::manifest || !at->second.list;
        for (const auto& hash : at->second.awaited) {
            if (asked) plan_.release(hash);
            forget_awaiting(hash, ticket);
        }
        wishes_.erase(at);
    }
    /// Whether everything that a manifest lists is known to be here: nothing has to be waited for.
    bool complete(const shared_bytes& manifest) const { return complete_.contains(sha256(manifest.view())); }

    /// A command that names it was applied: the tree or the log keeps from now on what was prepared for it.
    void applied(const shared_bytes& manifest) {
        if (!pins_.empty()) pins_.erase(sha256(manifest.view()));
    }

    /// Whether a chunk is asked for, or on its way to the disk.
    bool awaits(const content_hash& chunk) const { return awaiting_.contains(chunk); }
    /// Whether a chunk is here.
    bool has(const content_hash& chunk) { return store_.has(chunk); }

    /// A collection begins: whatever is asked for from now on is looked for anew, so that the store knows that it is in
    /// use. Beside that it has to keep what these manifests list, and these chunks.
    void begin_collection(std::vector<content_hash>& manifests, std::vector<content_hash>& chunks) {
        complete_.clear();
        for (const auto& [ticket, w] : wishes_) {
            if (w.manifest) manifests.push_back(*w.manifest);
            else for (const auto& ref : w.list->refs) chunks.push_back(ref.hash);
        }
        for (const auto& [ticket, p] : preparations_) manifests.push_back(sha256(p.manifest.view()));
        std::erase_if(pins_, [now = rt_.now()](const auto& pin) { return pin.second <= now; });
        for (const auto& [manifest, until] : pins_) manifests.push_back(manifest);
    }

    /// `done` once a majority of the voters, the leader and this node among them, have it durably. It is here already.
    id prepare(const shared_bytes& manifest, unique_function<void()> done) {
        const id ticket = ++last_;
        preparations_[ticket] = {manifest, {}, std::move(done)};
        ask_to_prepare(ticket, host_.voters());
        host_.tick_soon();
        return ticket;
    }

    /// It is not to be proposed any more. Nobody is told: what they have of it is collected.
    void stop_preparing(id ticket) { preparations_.erase(ticket); }

    void handle(node_id from, const prepare_query& q) {
        if (content::decode_manifest(q.manifest.view())) fetch_for(from, q.manifest, q.id);
    }
    /// A peer is about to propose it, and has it. Precondition: the bytes are a well-formed manifest.
    void hint(const shared_bytes& manifest, node_id from) { fetch_for(from, manifest, std::nullopt); }
    void handle(node_id from, const prepare_answer& a) {
        const auto at = preparations_.find(a.id);
        if (at == preparations_.end()) return;
        at->second.ready.insert(from);
        host_.tick_soon();
    }

    /// Reads what it has, apart from the loop, and answers.
    void handle(node_id from, const chunk_query& q) {
        if (q.chunks.size() > codec_chunks_max || serving_[from] >= serving_max) return;
        std::vector<content_hash> here;
        std::vector<std::size_t> places;
        for (std::size_t i = 0; i < q.chunks.size(); ++i) {
            if (!store_.has(q.chunks[i].hash)) continue;
            here.push_back(q.chunks[i].hash);
            places.push_back(i);
        }
        ++serving_[from];
        read_chunks(std::move(here), [this, from, q, places](std::vector<std::optional<shared_bytes>> read) {
            chunk_answer answer{q.id, {}};
            answer.chunks.resize(q.chunks.size());
            for (std::size_t i = 0; i < read.size(); ++i)
                if (read[i]) answer.chunks[places[i]] = *read[i];
            answers_[from].push_back(std::move(answer));
            drained(from);
        });
    }
    /// There may be room on the way of contents to it.
    void drained(node_id peer) {
        auto& waiting = answers_[peer];
        while (!waiting.empty() && host_.send_bulk(peer, waiting.front())) {
            waiting.pop_front();
            --serving_[peer];
        }
    }

    /// Names what came by its hash, apart from the loop, and keeps what was asked for.
    void handle(node_id from, const chunk_answer& a) {
        offload(rt_, lane::reads,
                [chunks = a.chunks] {
                    std::map<content_hash, shared_bytes> named;
                    for (const auto& chunk : chunks)
                        if (!chunk.empty()) named.emplace(sha256(chunk.view()), chunk);
                    return named;
                },
                guarded([this, from, a](std::map<content_hash, shared_bytes> named) { answered(from, a, named); }));
    }

    void reachable(node_id peer) {
        plan_.reachable(peer);
        for (auto& [ticket, p] : preparations_)
            if (!p.ready.contains(peer)) ask_to_prepare(ticket, {peer});
        host_.tick_soon();
    }
    void unreachable(node_id peer) {
        plan_.unreachable(peer);
        serving_[peer] -= answers_[peer].size();   // it asks again
        answers_[peer].clear();
        host_.tick_soon();
    }

    /// Time went by, or something happened.
    void turn() {
        if (unstored_bytes_ < unstored_bytes_max)
            for (auto& query : plan_.take_queries(rt_.now())) host_.send(query.to, chunk_query{query.id, std::move(query.chunks)});
        const auto voters = preparations_.empty() ? std::set<node_id>{} : host_.voters();
        for (auto at = preparations_.begin(); at != preparations_.end();) {
            const auto next = std::next(at);
            if (prepared(at->second, voters)) {
                auto done = std::move(at->second.done);
                preparations_.erase(at);
                done();
            }
            at = next;
        }
        if (forget_peers_at_ <= rt_.now()) forget_peers();
        if (room_again_at_ <= rt_.now()) {
            std::erase_if(without_room_, [](stored& waiting) { return !waiting.wanted(); });
            try_for_room();
        }
        if (ask_again_at_ <= rt_.now()) {
            ask_again_at_ = rt_.now() + ask_again_after;
            for (const auto& [ticket, p] : preparations_) {
                std::set<node_id> silent;
                for (const node_id node : voters)
                    if (!p.ready.contains(node)) silent.insert(node);
                ask_to_prepare(ticket, silent);
            }
        }
    }
    time_point deadline() const {
        // While too much waits for the disk nobody is asked, however late an answer is.
        const time_point ask = unstored_bytes_ < unstored_bytes_max ? plan_.deadline() : never;
        return std::min({ask, preparations_.empty() ? never : ask_again_at_, forget_peers_at_, room_again_at_});
    }

    /// The chunks that a manifest lists, in the order of the content; nothing where they cannot be read now.
    void list_chunks(const content_hash& manifest,
                     unique_function<void(std::optional<std::vector<content::chunk_ref>>)> done) {
        read_chunks({manifest}, [this, done = std::move(done)](std::vector<std::optional<shared_bytes>> read) mutable {
            const auto list = read.front() ? content::decode_manifest(read.front()->view())
                                           : result<content::manifest>(make_error_code(errc::not_found));
            if (!list) return done(std::nullopt);
            if (list->level == 1) return done(list->refs);
            read_pieces(list->refs, [done = std::move(done)](result<std::vector<content::chunk_ref>> chunks) mutable {
                done(chunks ? std::optional(std::move(*chunks)) : std::nullopt);
            });
        });
    }

    /// Makes chunks durable here. Where the disk is full they wait for room: how much waits is the callers' to bound.
    /// `wanted` is asked now and then while they wait: if not any more, they are let go, and `done` is not called.
    void store(std::vector<content::named_chunk> chunks, unique_function<void()> done,
               unique_function<bool()> wanted = [] { return true; }) {
        // A little may fit where much does not: the saved tree, say, without which nothing can be removed.
        std::size_t bytes = 0;
        for (const auto& chunk : chunks) bytes += chunk.bytes.size();
        if (!full_ || bytes <= little_bytes_max) return put({std::move(chunks), std::move(done), std::move(wanted)});
        without_room_.push_back({std::move(chunks), std::move(done), std::move(wanted)});
    }
    /// Something waits for room on the disk.
    bool is_full() const noexcept { return full_; }

    std::uint64_t bytes_missing() const noexcept { return plan_.bytes(); }
    std::size_t preparing() const noexcept { return preparations_.size(); }

    /// Reads chunks apart from the loop; those that cannot be read come as nothing.
    void read_chunks(std::vector<content_hash> hashes,
                     unique_function<void(std::vector<std::optional<shared_bytes>>)> done) {
        struct outcome {
            std::vector<std::optional<shared_bytes>> read;
            std::vector<std::size_t> damaged;
        };
        auto where = store_.locate(hashes);
        offload(rt_, lane::reads,
                [&fs = fs_, where, count = hashes.size()] {
                    outcome out;
                    out.read.resize(count);
                    typename Store::reader from(fs, where);
                    for (std::size_t i = 0; i < count; ++i) {
                        auto bytes = from.read(i);
                        if (bytes) out.read[i] = std::move(*bytes);
                        else if (bytes.error() == errc::corrupt || bytes.error() == errc::io_error) out.damaged.push_back(i);
                    }
                    return out;
                },
                guarded([this, where, done = std::move(done)](outcome out) {
                    for (const std::size_t i : out.damaged) store_.forget(where, i);
                    if (!out.damaged.empty()) {
                        complete_.clear();
                        host_.content_damaged();
                    }
                    done(std::move(out.read));
                }));
    }

private:
    static constexpr std::size_t codec_chunks_max = 256;
    static constexpr std::size_t serving_max = 8;                     ///< answers to one peer at a time
    static constexpr std::size_t unstored_bytes_max = 16 << 20;       ///< arrived, on their way to the disk
    static constexpr std::size_t little_bytes_max = 256 << 10;
    static constexpr std::size_t complete_max = 1 << 16;
    static constexpr duration ask_again_after = std::chrono::seconds(1);
    static constexpr duration pinned_for = std::chrono::seconds(60);  ///< what was prepared for others: a hint
    static constexpr duration fetched_for = std::chrono::seconds(60);   ///< what a peer asks for, after it asked last

    enum class stage : std::uint8_t { manifest, pieces, chunks };
    struct wish {
        std::optional<content_hash> manifest;    ///< none: of single chunks
        std::optional<content::manifest> list;   ///< none: it has to come first
        stage now = stage::manifest;            ///< what is waited for
        node_id source;
        std::set<content_hash> awaited;
        unique_function<void()> done;
    };
    struct peer_wish {
        id ticket{};
        time_point until;
        std::set<id> questions;   ///< its own, to be answered
    };
    struct preparation {
        shared_bytes manifest;
        std::set<node_id> ready;
        unique_function<void()> done;
    };

    struct stored {
        std::vector<content::named_chunk> chunks;
        unique_function<void()> done;
        unique_function<bool()> wanted;
    };

    template <class F>
    auto guarded(F f) {
        return [alive = std::weak_ptr<int>(alive_), f = std::move(f)](auto&&... args) mutable {
            if (alive.lock()) f(std::forward<decltype(args)>(args)...);
        };
    }

    void fetch_for(node_id peer, const shared_bytes& manifest, std::optional<id> question) {
        const auto key = std::pair(peer, sha256(manifest.view()));
        const auto [at, is_new] = for_peers_.try_emplace(key);
        at->second.until = rt_.now() + fetched_for;
        if (question) at->second.questions.insert(*question);
        if (forget_peers_at_ == never) forget_peers_at_ = at->second.until;
        if (!is_new) return;
        const id ticket = ensure(manifest, peer, [this, key] {
            const auto had = for_peers_.extract(key);
            if (pins_.size() < complete_max) pins_[key.second] = rt_.now() + pinned_for;
            for (const id q : had.mapped().questions) host_.send(key.first, prepare_answer{q});
        });
        if (const auto waits = for_peers_.find(key); waits != for_peers_.end()) waits->second.ticket = ticket;
    }

    /// A peer that asks no more is gone, or has changed its mind, and nobody may have what it spoke of.
    void forget_peers() {
        forget_peers_at_ = never;
        for (auto at = for_peers_.begin(); at != for_peers_.end();) {
            if (at->second.until > rt_.now()) {
                forget_peers_at_ = std::min(forget_peers_at_, at++->second.until);
            } else {
                cancel(at->second.ticket);
                at = for_peers_.erase(at);
            }
        }
    }

    void answered(node_id from, const chunk_answer& a, const std::map<content_hash, shared_bytes>& named) {
        const auto had = std::make_unique<bool[]>(a.chunks.size());
        for (std::size_t i = 0; i < a.chunks.size(); ++i) had[i] = !a.chunks[i].empty();
        std::vector<content::named_chunk> arrived;
        for (const auto& ref : plan_.answered(from, a.id, {had.get(), a.chunks.size()}, rt_.now())) {
            const auto at = named.find(ref.hash);
            if (at == named.end()) plan_.refused(ref.hash, from, rt_.now());
            else arrived.push_back({at->first, at->second});
        }
        keep(std::move(arrived));
        host_.tick_soon();
    }

    id begin(node_id source, unique_function<void()> done) {
        const id ticket = ++last_;
        wish& w = wishes_[ticket];
        w.source = source;
        w.done = std::move(done);
        return ticket;
    }

    void look_for(id ticket, const std::vector<content::chunk_ref>& refs) {
        wish& w = wishes_.at(ticket);
        for (const auto& ref : refs) {
            if (store_.has(ref.hash) || !w.awaited.insert(ref.hash).second) continue;
            plan_.want(ref, w.source);
            awaiting_[ref.hash].insert(ticket);
        }
        if (w.awaited.empty()) return advance(ticket);
        host_.tick_soon();   // it may be a list that was just read which says what to ask for
    }

    /// All that was waited for is here.
    void advance(id ticket) {
        wish& w = wishes_.at(ticket);
        if (w.now == stage::manifest) {
            if (!w.list) return read_manifest(ticket, *w.manifest);
            w.now = w.list->level == 1 ? stage::chunks : stage::pieces;
            return look_for(ticket, w.list->refs);
        }
        if (w.now == stage::pieces) {
            w.now = stage::chunks;
            return read_pieces(w.list->refs, [this, ticket](result<std::vector<content::chunk_ref>> chunks) {
                const auto at = wishes_.find(ticket);
                if (at == wishes_.end()) return;
                if (chunks) return look_for(ticket, *chunks);
                // What is no list will not be one when it is fetched again: there is nothing that could be waited for.
                if (chunks.error() == errc::corrupt) return;
                at->second.now = stage::pieces;   // one could not be read: it is fetched again
                look_for(ticket, at->second.list->refs);
            });
        }
        auto done = std::move(w.done);
        if (complete_.size() >= complete_max) complete_.clear();
        if (w.manifest) complete_.insert(*w.manifest);
        wishes_.erase(ticket);
        done();
    }

    void read_manifest(id ticket, const content_hash& manifest) {
        read_chunks({manifest}, [this, ticket, manifest](std::vector<std::optional<shared_bytes>> read) {
            const auto at = wishes_.find(ticket);
            if (at == wishes_.end()) return;
            if (!read.front()) return look_for(ticket, {{manifest, content::encoded_manifest_bytes_max}});
            auto list = content::decode_manifest(read.front()->view());
            if (!list) return;   // named by somebody as one, and none: there is nothing that could be waited for
            at->second.list = std::move(*list);
            advance(ticket);
        });
    }

    /// not_found: one cannot be read now; corrupt: one is no list.
    void read_pieces(const std::vector<content::chunk_ref>& pieces,
                     unique_function<void(result<std::vector<content::chunk_ref>>)> done) {
        std::vector<content_hash> hashes;
        for (const auto& piece : pieces) hashes.push_back(piece.hash);
        read_chunks(std::move(hashes), [done = std::move(done)](std::vector<std::optional<shared_bytes>> read) {
            std::vector<content::chunk_ref> all;
            for (const auto& bytes : read) {
                const auto refs = bytes ? content::decode_piece(bytes->view())
                                        : result<std::vector<content::chunk_ref>>(make_error_code(errc::not_found));
                if (!refs) return done(make_error_code(bytes ? errc::corrupt : errc::not_found));
                all.insert(all.end(), refs->begin(), refs->end());
            }
            done(std::move(all));
        });
    }

    /// Stores what arrived, and tells those who wait for it.
    void keep(std::vector<content::named_chunk> chunks) {
        if (chunks.empty()) return;
        std::size_t bytes = 0;
        for (const auto& chunk : chunks) bytes += chunk.bytes.size();
        unstored_bytes_ += bytes;
        std::vector<content_hash> names;
        for (const auto& chunk : chunks) names.push_back(chunk.hash);
        auto wanted = [this, bytes, names] {
            if (std::ranges::any_of(names, [this](const auto& name) { return awaiting_.contains(name); })) return true;
            unstored_bytes_ -= bytes;
            return false;
        };
        auto done = [this, bytes, names = std::move(names)] {
            unstored_bytes_ -= bytes;
            for (const auto& name : names) here(name);
            host_.tick_soon();
        };
        store(std::move(chunks), std::move(done), std::move(wanted));
    }

    void put(stored what) {
        auto waiting = std::make_shared<stored>(std::move(what));
        ++being_stored_;
        store_.put(waiting->chunks, guarded([this, waiting](const storage_error& error) {
            --being_stored_;
            if (error.code == errc::no_space) return no_room_for(std::move(*waiting));
            if (error.code) return host_.content_failed(error);
            if (full_) try_for_room();
            waiting->done();
        }));
    }

    void no_room_for(stored what) {
        without_room_.push_back(std::move(what));
        room_again_at_ = rt_.now() + ask_again_after;
        sometimes(probe::chunk_store_full);
        full_ = true;
        host_.content_room(false);
        host_.tick_soon();
    }

    /// One after the other; one that finds no room has all wait again.
    void try_for_room() {
        room_again_at_ = never;
        if (without_room_.empty()) {
            if (being_stored_ != 0) return;   // it tells: the one that found no room may be tried just now
            sometimes(probe::chunk_store_has_room_again);
            full_ = false;
            return host_.content_room(true);
        }
        stored next = std::move(without_room_.front());
        without_room_.pop_front();
        put(std::move(next));
    }

    void here(const content_hash& hash) {
        plan_.stored(hash);
        const auto at = awaiting_.find(hash);
        if (at == awaiting_.end()) return;
        const auto tickets = std::move(at->second);
        awaiting_.erase(at);
        for (const id ticket : tickets) {
            const auto waits = wishes_.find(ticket);
            if (waits == wishes_.end()) continue;
            waits->second.awaited.erase(hash);
            if (waits->second.awaited.empty()) advance(ticket);
        }
    }

    void forget_awaiting(const content_hash& hash, id ticket) {
        const auto at = awaiting_.find(hash);
        if (at == awaiting_.end()) return;
        at->second.erase(ticket);
        if (at->second.empty()) awaiting_.erase(at);
    }

    void ask_to_prepare(id ticket, const std::set<node_id>& nodes) {
        if (ask_again_at_ == never) ask_again_at_ = rt_.now() + ask_again_after;
        for (const node_id node : nodes)
            if (node != host_.self()) host_.send(node, prepare_query{ticket, preparations_.at(ticket).manifest});
    }

    bool prepared(const preparation& p, const std::set<node_id>& voters) const {
        const node_id leader = host_.leader();
        if (leader == no_node || (leader != host_.self() && !p.ready.contains(leader))) return false;
        std::size_t ready = 0;
        for (const node_id node : voters) ready += host_.counts(node) && (node == host_.self() || p.ready.contains(node));
        return 2 * ready > voters.size();
    }

    Host& host_;
    Runtime& rt_;
    FileSystem& fs_;
    Store& store_;
    content::pull_plan plan_;
    std::map<id, wish> wishes_;
    std::map<content_hash, std::set<id>> awaiting_;
    std::set<content_hash> complete_;   ///< manifests; forgotten now and then, and looked for again
    std::map<id, preparation> preparations_;
    std::map<content_hash, time_point> pins_;   ///< manifests that were prepared for others, until then
    std::map<std::pair<node_id, content_hash>, peer_wish> for_peers_;   ///< on their way here
    time_point forget_peers_at_ = never;
    std::map<node_id, std::size_t> serving_;                       ///< answers that are being read, or wait for room
    std::map<node_id, std::deque<chunk_answer>> answers_;          ///< those that wait
    std::size_t unstored_bytes_ = 0;
    std::deque<stored> without_room_;
    std::size_t being_stored_ = 0;
    bool full_ = false;
    time_point room_again_at_ = never;
    time_point ask_again_at_ = never;
    id last_;   ///< begins at random: answers to questions from before a restart must match none of now
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace lockstep
