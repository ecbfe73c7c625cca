// A leader that found contents on its disk damaged may lack one that an entry of its log names and nobody else has: no other
// node can take that entry, nor any after it. Another has to lead then, whose log does not have it.
#pragma once

#include <lockstep/base/ids.hpp>
#include <lockstep/base/time.hpp>
#include <lockstep/base/unique_function.hpp>
#include <lockstep/node/named_manifest.hpp>
#include <lockstep/raft/entry.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace lockstep {

/// `Host` has, all on one loop:
///     bool is_leader(), log_index commit_index(), log_end()
///     void read_log(log_index from, log_index to, std::size_t bytes_max, unique_function<void(std::vector<raft::entry>)>)
///     Wish want_content(const shared_bytes& manifest, node_id source, unique_function<void()> done), void cancel_wish(Wish)
///     void yield_leadership()
template <class Host, class Wish>
class undelivered {
public:
    explicit undelivered(Host& host) : host_(host) {}

    /// Contents are damaged, and it is not known which: from now on it is looked whether this node holds up the others.
    void doubt() noexcept { doubtful_ = true; }

    /// Time went by.
    void turn(time_point now) {
        if (!doubtful_ || look_at_ > now) return;
        look_at_ = now + patience;
        const log_index commit = host_.commit_index();
        const bool stuck = host_.is_leader() && commit < host_.log_end() && std::exchange(commit_, commit) == commit;
        const bool lacking = !missing_.empty();
        forget();
        if (!stuck) return;
        if (lacking) return host_.yield_leadership();
        host_.read_log(commit + 1, host_.log_end(), read_bytes_max, [this, now = lifetime_](std::vector<raft::entry> entries) {
            if (now == lifetime_) ask_for(entries);
        });
    }

private:
    static constexpr duration patience = std::chrono::seconds(5);   ///< of a leader that commits nothing
    static constexpr std::size_t read_bytes_max = 4 << 20;          ///< what cannot be taken is the first of it

    /// Others may have it after all.
    void ask_for(const std::vector<raft::entry>& entries) {
        for (const raft::entry& e : entries) {
            if (e.kind != raft::entry_kind::command) continue;
            const auto manifest = manifest_named_by(e.data);
            if (!manifest) continue;
            const auto here = std::make_shared<bool>(false);
            const Wish wish = host_.want_content(*manifest, no_node, [this, here, index = e.index] {
                *here = true;
                missing_.erase(index);
            });
            if (!*here) missing_.emplace(e.index, wish);
        }
    }

    void forget() {
        ++lifetime_;
        for (const auto& [index, wish] : std::exchange(missing_, {})) host_.cancel_wish(wish);
    }

    Host& host_;
    bool doubtful_ = false;
    time_point look_at_{};
    log_index commit_;
    std::map<log_index, Wish> missing_;   ///< asked for since the last look
    std::uint64_t lifetime_ = 0;          ///< of what was asked for
};

}  // namespace lockstep
