// Chunks kept in memory, for tests of what uses a chunk store.
#pragma once

#include <lockstep/concepts/log_storage.hpp>
#include <lockstep/content/chunk.hpp>

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace node_test {

template <class Runtime, class FileSystem>
class memory_store {
public:
    using located = std::vector<std::pair<lockstep::content_hash, std::optional<lockstep::shared_bytes>>>;
    class reader {
    public:
        reader(FileSystem&, located chunks) : chunks_(std::move(chunks)) {}
        lockstep::result<lockstep::shared_bytes> read(std::size_t i) {
            if (!chunks_[i].second) return lockstep::make_error_code(lockstep::errc::not_found);
            return *chunks_[i].second;
        }

    private:
        located chunks_;
    };

    explicit memory_store(Runtime& rt) : rt_(rt) {}

    bool has(const lockstep::content_hash& hash) const { return chunks.contains(hash); }
    void put(std::vector<lockstep::content::named_chunk> more,
             lockstep::unique_function<void(lockstep::storage_error)> done) {
        rt_.post([this, more = std::move(more), done = std::move(done)]() mutable {
            if (full || (refuses && refuses(more))) return done({lockstep::make_error_code(lockstep::errc::no_space), "full"});
            for (auto& chunk : more) stored += chunks.emplace(chunk.hash, std::move(chunk.bytes)).second;
            done({});
        });
    }
    located locate(std::span<const lockstep::content_hash> hashes) const {
        located out;
        for (const auto& hash : hashes) {
            const auto at = chunks.find(hash);
            out.emplace_back(hash, at == chunks.end() ? std::nullopt : std::optional(at->second));
        }
        return out;
    }
    void forget(const located& where, std::size_t i) { chunks.erase(where[i].first); }

    std::map<lockstep::content_hash, lockstep::shared_bytes> chunks;
    std::size_t stored = 0;   ///< that were not there before
    bool full = false;
    std::function<bool(const std::vector<lockstep::content::named_chunk>&)> refuses;

private:
    Runtime& rt_;
};

}  // namespace node_test
