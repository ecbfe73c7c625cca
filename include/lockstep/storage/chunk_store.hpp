// Chunks by their names, durably: the chunk store's face on the event loop. It groups what is to be stored, keeps where
// each chunk is, and hands work to the chunks lane (pack_files).
#pragma once

#include <lockstep/concepts/runtime.hpp>
#include <lockstep/storage/pack_files.hpp>

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::storage {

struct chunk_store_options {
    std::uint64_t pack_bytes_max = std::uint64_t{64} << 20;   ///< a pack of so many bytes is ended
    std::size_t group_bytes_max = std::size_t{16} << 20;      ///< stored with one sync
};

/// What a start found.
struct chunk_store_report {
    std::vector<std::string> problems;   ///< a line each, for a person
};

/// All on the loop of `rt`. Callbacks may destroy the store. Lifetime: runtime and file system outlive it and its jobs.
template <runtime Runtime, file_system FileSystem>
class chunk_store {
public:
    using reader = chunk_reader<FileSystem>;
    using located = typename reader::located;

    /// Keeps its packs in the directory `path`.
    chunk_store(Runtime& rt, FileSystem& fs, std::string path, chunk_store_options options = {})
        : rt_(rt), fs_(fs), path_(std::move(path)), options_(options),
          files_(std::make_shared<pack_files<FileSystem>>(fs, path_, options.pack_bytes_max)) {}
    chunk_store(const chunk_store&) = delete;
    chunk_store& operator=(const chunk_store&) = delete;

    /// Precondition: called once, before anything else. Damaged chunks are not here; that is no error.
    void open(unique_function<void(chunk_store_report, storage_error)> done) {
        offload(rt_, lane::chunks, [files = files_] { return files->open(); },
                guarded([this, done = std::move(done)](typename pack_files<FileSystem>::opened found) {
                    for (const auto& chunk : found.chunks) index_[chunk.hash] = chunk.place;
                    bytes_ = found.bytes;
                    failed_ = found.error;
                    done({std::move(found.problems)}, std::move(found.error));
                }));
    }

    /// Durably here, as far as is known: what is damaged shows when it is read.
    bool has(const content_hash& hash) const { return index_.contains(hash); }

    /// `done` without an error: all of these are durable. no_space: none of those that were not here is, and a later call
    /// may succeed. After any other error every later call fails: what is durable is unknown, the caller must stop.
    void put(std::vector<shared_bytes> chunks, unique_function<void(storage_error)> done) {
        request r;
        for (auto& chunk : chunks) r.chunks.emplace_back(sha256(chunk.view()), std::move(chunk));
        r.done = std::move(done);
        waiting_.push_back(std::move(r));
        rt_.post(guarded([this] { work(); }));
    }

    /// Where chunks are, for a `reader` in a job on any lane.
    located locate(const std::vector<content_hash>& hashes) const {
        located out;
        out.path = path_;
        for (const auto& hash : hashes) {
            const auto at = index_.find(hash);
            if (at == index_.end()) out.chunks.emplace_back();
            else out.chunks.push_back(stored_chunk{hash, at->second});
        }
        return out;
    }
    /// It could not be read: as if it had never been here.
    void forget(const content_hash& hash) { index_.erase(hash); }

    FileSystem& files() noexcept { return fs_; }
    /// On disk.
    std::uint64_t bytes() const noexcept { return bytes_; }
    std::size_t chunks() const noexcept { return index_.size(); }

private:
    using named_chunk = std::pair<content_hash, shared_bytes>;
    struct request {
        std::vector<named_chunk> chunks;
        unique_function<void(storage_error)> done;
    };

    template <class F>
    auto guarded(F f) {
        return [alive = std::weak_ptr<int>(alive_), f = std::move(f)](auto&&... args) mutable {
            if (alive.lock()) f(std::forward<decltype(args)>(args)...);
        };
    }

    void work() {
        if (working_ || waiting_.empty()) return;
        auto group = std::make_shared<std::vector<request>>();
        std::vector<named_chunk> fresh;
        std::set<content_hash> chosen;
        std::size_t bytes = 0;
        while (!waiting_.empty() && (group->empty() || bytes < options_.group_bytes_max)) {
            for (const auto& chunk : waiting_.front().chunks) {
                if (has(chunk.first) || !chosen.insert(chunk.first).second) continue;
                bytes += chunk.second.size();
                fresh.push_back(chunk);
            }
            group->push_back(std::move(waiting_.front()));
            waiting_.pop_front();
        }
        if (failed_.code || fresh.empty()) return answer(*group, failed_);
        working_ = true;
        struct appended {
            result<std::vector<stored_chunk>> chunks;
            std::uint64_t bytes;
        };
        offload(rt_, lane::chunks,
                [files = files_, fresh = std::move(fresh)] {
                    auto stored = files->append(fresh);
                    return appended{std::move(stored), files->bytes()};
                },
                guarded([this, group](appended result) {
                    working_ = false;
                    bytes_ = result.bytes;
                    if (result.chunks) {
                        for (const auto& chunk : *result.chunks) index_[chunk.hash] = chunk.place;
                        return answer(*group, {});
                    }
                    const storage_error error{result.chunks.error(), path_};
                    if (error.code != errc::no_space) failed_ = error;
                    answer(*group, error);
                }));
    }

    void answer(std::vector<request>& group, const storage_error& error) {
        const std::weak_ptr<int> alive = alive_;
        for (auto& r : group) {
            r.done(error);
            if (!alive.lock()) return;
        }
        work();
    }

    Runtime& rt_;
    FileSystem& fs_;
    std::string path_;
    chunk_store_options options_;
    std::shared_ptr<pack_files<FileSystem>> files_;
    std::map<content_hash, chunk_place> index_;
    std::deque<request> waiting_;
    bool working_ = false;
    storage_error failed_;
    std::uint64_t bytes_ = 0;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace lockstep::storage
