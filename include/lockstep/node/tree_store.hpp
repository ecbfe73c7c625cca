// The committed tree kept as a content like any other: encoded, cut into chunks, and read back. Trees that differ little
// share most of their chunks, so that a later snapshot costs its difference, on the disk and on the way to another node.
#pragma once

#include <lockstep/base/ids.hpp>
#include <lockstep/codec/tree_snapshot.hpp>
#include <lockstep/concepts/runtime.hpp>
#include <lockstep/content/cutter.hpp>
#include <lockstep/content/manifest.hpp>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace lockstep {

/// The tree as it was when everything up to a position of the log had been applied.
struct tree_snapshot {
    log_position at;
    shared_bytes manifest;   ///< of its encoding
    folder::tree tree;
};

/// `Exchange` is a content_exchange. On the loop of `rt`; the work is done in pieces apart from it.
template <runtime Runtime, class Exchange>
class tree_store {
public:
    tree_store(Runtime& rt, Exchange& exchange, content::chunking cuts, std::size_t piece_bytes)
        : rt_(rt), exchange_(exchange), cuts_(cuts), piece_bytes_(piece_bytes) {}
    tree_store(const tree_store&) = delete;
    tree_store& operator=(const tree_store&) = delete;

    /// Makes a tree durable as chunks; `done` with its manifest, or nothing: the disk is full.
    /// Precondition: none is being written.
    void write(folder::tree tree, unique_function<void(std::optional<shared_bytes>)> done) {
        LOCKSTEP_ASSERT(!writing_);
        writing_ = std::make_shared<writing>(std::move(tree), cuts_);
        written_ = std::move(done);
        write_on();
    }
    /// What a collection must keep of the tree that is being written.
    void add_roots(std::vector<content_hash>& chunks) const {
        for (const auto& ref : refs_) chunks.push_back(ref.hash);
    }

    /// The tree of a manifest whose chunks are here; nothing where they cannot be read, or are no tree.
    void read(const shared_bytes& manifest, unique_function<void(std::optional<folder::tree>)> done) {
        exchange_.list_chunks(sha256(manifest.view()), guarded([this, done = std::move(done)](auto chunks) mutable {
            if (!chunks) return done(std::nullopt);
            auto r = std::make_shared<reading>();
            r->chunks = std::move(*chunks);
            r->done = std::move(done);
            read_on(std::move(r));
        }));
    }

private:
    struct writing {   // a job's, while one is under way
        writing(folder::tree tree, content::chunking cuts) : encoder(std::move(tree)), cut(cuts) {}
        tree_encoder encoder;
        content::cutter cut;
    };
    struct piece {
        std::vector<content::named_chunk> chunks;
        bool last = false;
    };
    struct reading {
        std::vector<content::chunk_ref> chunks;
        std::size_t next = 0;
        tree_decoder decoder;   // a job's, while one is under way
        unique_function<void(std::optional<folder::tree>)> done;
    };

    template <class F>
    auto guarded(F f) {
        return [alive = std::weak_ptr<int>(alive_), f = std::move(f)](auto&&... args) mutable {
            if (alive.lock()) f(std::forward<decltype(args)>(args)...);
        };
    }

    // --- writing ---

    void write_on() {
        auto job = [w = writing_, most = piece_bytes_] {
            piece out;
            std::size_t bytes = 0;
            const auto keep = [&](const content::chunk_ref& ref, byte_view chunk) {
                out.chunks.push_back({ref.hash, shared_bytes::copy_of(chunk)});
            };
            while (bytes < most && !w->encoder.done()) {
                const byte_buffer more = w->encoder.next(most);
                bytes += more.size();
                w->cut.feed(more, keep);
            }
            out.last = w->encoder.done();
            if (out.last) (void)w->cut.finish(keep);
            return out;
        };
        offload(rt_, lane::reads, std::move(job), guarded([this](piece p) {
                    for (const auto& chunk : p.chunks)
                        refs_.push_back({chunk.hash, static_cast<std::uint32_t>(chunk.bytes.size())});
                    exchange_.store(std::move(p.chunks), guarded([this, last = p.last] {
                                        if (!last) return write_on();
                                        write_manifest();
                                    }));
                }));
    }

    void write_manifest() {
        auto built = content::build_manifest(refs_);
        if (!built) return end_writing(std::nullopt);
        std::vector<content::named_chunk> lists;
        for (auto& list : built->pieces) {
            refs_.push_back(list.ref);
            lists.push_back({list.ref.hash, shared_bytes(std::move(list.bytes))});
        }
        const shared_bytes manifest(content::encode(built->what));
        const content_hash name = sha256(manifest.view());
        refs_.push_back({name, static_cast<std::uint32_t>(manifest.size())});
        lists.push_back({name, manifest});
        exchange_.store(std::move(lists), guarded([this, manifest] { end_writing(manifest); }));
    }

    void end_writing(std::optional<shared_bytes> manifest) {
        writing_.reset();
        refs_.clear();
        std::exchange(written_, {})(std::move(manifest));
    }

    // --- reading ---

    void read_on(std::shared_ptr<reading> r) {
        if (r->next == r->chunks.size()) {
            offload(rt_, lane::reads, [r] { return r->decoder.finish(); }, guarded([r](result<folder::tree> tree) {
                        r->done(tree ? std::optional(std::move(*tree)) : std::nullopt);
                    }));
            return;
        }
        std::vector<content_hash> some;
        for (std::size_t bytes = 0; r->next < r->chunks.size() && (some.empty() || bytes < piece_bytes_); ++r->next) {
            some.push_back(r->chunks[r->next].hash);
            bytes += r->chunks[r->next].bytes;
        }
        exchange_.read_chunks(std::move(some), guarded([this, r](std::vector<std::optional<shared_bytes>> read) {
            for (const auto& chunk : read)
                if (!chunk) return r->done(std::nullopt);
            auto job = [r, read = std::move(read)] {
                for (const auto& chunk : read)
                    if (!r->decoder.feed(chunk->view())) return false;
                return true;
            };
            offload(rt_, lane::reads, std::move(job), guarded([this, r](bool fed) {
                        if (!fed) return r->done(std::nullopt);
                        read_on(r);
                    }));
        }));
    }

    Runtime& rt_;
    Exchange& exchange_;
    content::chunking cuts_;
    std::size_t piece_bytes_;
    std::shared_ptr<writing> writing_;
    std::vector<content::chunk_ref> refs_;   ///< written so far
    unique_function<void(std::optional<shared_bytes>)> written_;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace lockstep
