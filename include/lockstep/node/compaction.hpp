// Keeps the log short: once it is long enough, the committed tree is saved beside it, and what stands before goes, but
// for a tail that slow followers can still be served from. Nothing else waits for it.
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/node/log_contents.hpp>
#include <lockstep/node/log_extent.hpp>
#include <lockstep/node/tree_store.hpp>

#include <set>
#include <utility>

namespace lockstep {

struct compaction_options {
    std::uint64_t log_bytes_max = 64 << 20;   ///< of entries applied since the last cut
    std::uint64_t log_tail_bytes = 16 << 20;  ///< of them, kept for slow followers
    duration retry_after = std::chrono::seconds(1);
    duration hurry_pause = std::chrono::seconds(10);   ///< between those that are asked for
};

/// `Host` has, all on one loop:
///     const tree_snapshot& newest_snapshot()    the one that a start would begin with; at 0 where there is none
///     log_position applied()                    and const folder::tree& committed(), which is the tree at it
///     void keep_snapshot(tree_snapshot, log_index drop_to, unique_function<void(bool)> done)
///                                               durably, unless a newer one is kept: false. With it: that what stands in
///                                               the log up to there is not needed any more
///     void log_is_covered(log_index snapshot, log_index drop_to)
///     void compaction_failed(std::string why)   for a person; it is tried again
/// and what log_contents asks for.
template <class Host, runtime Runtime, class Exchange>
class compaction {
public:
    compaction(Host& host, Runtime& rt, Exchange& exchange, tree_store<Runtime, Exchange>& trees,
               log_contents<Host, Runtime, Exchange>& contents, compaction_options options)
        : host_(host), rt_(rt), exchange_(exchange), trees_(trees), contents_(contents), options_(options),
          extent_(options.log_tail_bytes / 64 + 1) {}
    compaction(const compaction&) = delete;
    compaction& operator=(const compaction&) = delete;

    void applied(log_index index, std::size_t bytes) { extent_.add(index, bytes + entry_overhead); }

    /// A snapshot from elsewhere took the place of all that was applied.
    void installed(log_index index) { extent_.cut(index); }

    /// Begins where it is time to.
    void turn() {
        if (under_way_ || rt_.now() < not_before_) return;
        if (!hurried_ && !doubtful_ && extent_.bytes() < options_.log_bytes_max) return;
        if (host_.applied().index > host_.newest_snapshot().at.index) return begin();
        hurried_ = doubtful_ = false;
    }
    /// The next turn begins one, however short the log is, and leaves no tail of it: the disk is full, and contents that
    /// only the log names are in the way.
    void hurry() noexcept { hurried_ = true; }
    /// The next turn begins one, however short the log is: of what the newest names something may be damaged that nobody else
    /// has, and nobody could catch up with it.
    void doubt_newest() noexcept { doubtful_ = true; }
    bool under_way() const noexcept { return under_way_; }
    /// What is being saved.
    const tree_snapshot& saving() const noexcept { return saving_; }

private:
    static constexpr std::size_t entry_overhead = 32;

    void begin() {
        under_way_ = true;
        saving_ = {host_.applied(), {}, host_.committed()};
        const tree_snapshot& before = host_.newest_snapshot();
        std::set<content_hash> wanted;
        diff(before.tree, saving_.tree, [&](entry_id, const folder::entry*, const folder::entry* now) {
            if (!now) return;
            for_each_inline_content(*now, [&](const content::chunk_ref& ref) {
                if (!exchange_.has(ref.hash)) wanted.insert(ref.hash);
            });
        });
        contents_.keep(std::move(wanted), before.at.index + 1, saving_.at.index,
                       [this](std::set<content_hash> missing) {
                           if (!missing.empty()) return fail("a content cannot be read back from the log");
                           write();
                       });
    }

    void write() {
        trees_.write(saving_.tree, [this](std::optional<shared_bytes> manifest) {
            if (!manifest) return fail("the tree could not be written");
            saving_.manifest = std::move(*manifest);
            const bool all = std::exchange(hurried_, false);
            const bool again = std::exchange(doubtful_, false);
            const log_index drop_to =
                all ? saving_.at.index : std::min(extent_.before_tail(options_.log_tail_bytes), saving_.at.index);
            if (all || again) not_before_ = rt_.now() + options_.hurry_pause;
            host_.keep_snapshot(saving_, drop_to, [this, at = saving_.at, drop_to](bool kept) {
                end();
                // A newer one is, or the disk is full.
                if (sometimes(probe::compaction_overtaken, !kept)) {
                    not_before_ = std::max(not_before_, rt_.now() + options_.retry_after);
                    return;
                }
                extent_.cut(drop_to);
                host_.log_is_covered(at.index, drop_to);
            });
        });
    }

    void fail(std::string why) {
        not_before_ = rt_.now() + options_.retry_after;
        end();
        host_.compaction_failed(std::move(why));
    }
    void end() {
        saving_ = {};
        under_way_ = false;
    }

    Host& host_;
    Runtime& rt_;
    Exchange& exchange_;
    tree_store<Runtime, Exchange>& trees_;
    log_contents<Host, Runtime, Exchange>& contents_;
    compaction_options options_;
    log_extent extent_;
    tree_snapshot saving_;
    time_point not_before_{};
    bool under_way_ = false;
    bool hurried_ = false;
    bool doubtful_ = false;
};

}  // namespace lockstep
