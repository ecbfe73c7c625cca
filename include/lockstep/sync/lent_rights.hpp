// Work in directories that their modes close to their owner: what a batch needs is lent for as long as it needs it, and a
// record says so before, so that a crash in between is no edit of a mode. Modes that would be in the batch's own way are
// given at its end.
#pragma once

#include <lockstep/sync/journal_records.hpp>
#include <lockstep/sync/staging.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::sync {

/// Of one batch, below one root. Blocking.
template <file_system FileSystem, class Journal>
class lent_rights {
public:
    using directory = typename FileSystem::directory;

    lent_rights(FileSystem& fs, Journal& journal, std::uint64_t nonce) : fs_(fs), journal_(journal), nonce_(nonce) {}

    void set_root(std::shared_ptr<directory> root) { root_ = std::move(root); }

    /// Opens a directory; on the way to it, owners may pass until restore().
    result<std::shared_ptr<directory>> open(const std::string& path) {
        if (path.empty()) return root_;
        auto opened = fs_.open_directory_at(*root_, path);
        if (!opened && opened.error() == errc::permission_denied && open_up(path))
            opened = fs_.open_directory_at(*root_, path);
        if (!opened) return opened.error();
        return std::make_shared<directory>(std::move(*opened));
    }

    /// Runs `f`; where the directory forbids it, gives its owner the right for the length of this call.
    template <class F>
    result<> writable(const std::string& path, directory& dir, F f) {
        result<> first = f();
        if (first || first.error() != errc::permission_denied) return first;
        auto now = fs_.status(dir);
        if (!now || (now->mode & loosened_bits) == loosened_bits) return first;
        if (!remember(path, *now)) return first;
        if (!fs_.set_mode(dir, now->mode | loosened_bits)) return first;
        result<> second = f();
        if (auto restored = fs_.set_mode(dir, now->mode); !restored) return restored;
        touched_.insert(path);
        return second;
    }

    /// A directory is to have this mode at the end of the batch.
    void at_end(const std::string& path, std::uint32_t mode) { modes_[path] = mode; }
    /// It has its mode, or is gone.
    void forget(const std::string& path) { modes_.erase(path); }
    /// What it has, but for what this batch lends it.
    std::uint32_t mode_of(const std::string& path, const file_status& now) const {
        const auto lent = modes_.find(path);
        return lent == modes_.end() ? now.mode : lent->second;
    }

    /// Directories whose modes were changed for a moment: to be synced.
    const std::set<std::string>& touched() const noexcept { return touched_; }

    /// What is below goes first: the way to it may close with what is above.
    result<> restore() {
        for (auto at = modes_.rbegin(); at != modes_.rend(); ++at) {
            auto opened = fs_.open_directory_at(*root_, at->first);
            if (!opened && (opened.error() == errc::not_found || opened.error() == errc::not_a_directory ||
                            opened.error() == errc::symlink_in_path))
                continue;  // moved or removed since
            // Ended here, recovery sets it right; gone on, the next look would take the mode for a user's.
            place_ = at->first;
            if (!opened) return opened.error();
            LOCKSTEP_TRY(fs_.set_mode(*opened, at->second));
            LOCKSTEP_TRY(fs_.sync_directory(*opened));
        }
        return {};
    }
    /// Where restore() failed.
    const std::string& place() const noexcept { return place_; }
    /// Why what was lent could not be written down; none where it could.
    error_code unrecorded() const noexcept { return unrecorded_; }

    /// All that was lent has been given back.
    void append_done(std::vector<byte_buffer>& records) const {
        for (const auto& [path, key] : lent_) records.push_back(encode_record(intent_done_record{key}));
    }

private:
    /// Gives the owner of each directory on the way the right to pass.
    bool open_up(const std::string& path) {
        std::shared_ptr<directory> above = root_;
        for (std::size_t start = 0; start < path.size();) {
            const std::size_t end = std::min(path.find('/', start), path.size());
            const std::string name = path.substr(start, end - start);
            auto here = fs_.open_directory_at(*above, name);
            if (!here && here.error() == errc::permission_denied) {
                const auto now = fs_.status_at(*above, name);
                if (!now || !remember(path.substr(0, end), *now)) return false;
                if (!fs_.set_directory_mode_at(*above, name, now->mode | loosened_bits)) return false;
                modes_.emplace(path.substr(0, end), now->mode);
                here = fs_.open_directory_at(*above, name);
            }
            if (!here) return false;
            above = std::make_shared<directory>(std::move(*here));
            start = end + 1;
        }
        return true;
    }

    bool remember(const std::string& path, const file_status& disk) {
        if (lent_.contains(path)) return true;
        loosened_record record{std::string(loosened_prefix) + std::to_string(nonce_) + "-" + std::to_string(lent_.size()),
                               path, disk};
        if (auto written = journal_.append({encode_record(record)}, true); !written) {
            unrecorded_ = written.error();
            return false;
        }
        lent_.emplace(path, std::move(record.key));
        return true;
    }

    FileSystem& fs_;
    Journal& journal_;
    std::uint64_t nonce_;
    std::shared_ptr<directory> root_;
    std::map<std::string, std::uint32_t> modes_;   ///< to be given at the end
    std::map<std::string, std::string> lent_;      ///< to which directories: keys of their records
    std::set<std::string> touched_;
    std::string place_;
    error_code unrecorded_;
};

}  // namespace lockstep::sync
