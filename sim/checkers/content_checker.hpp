// Checks that every content that the committed state names is on the disks of a majority at every moment: in the log, or in
// the chunk store with all its chunks. A disk that was damaged is taken for one of that majority: what it has had it may have
// lost. The others of it have it all the same.
// Source: the design, payload gate and collection; docs/decisions/0015 and 0016.
#pragma once

#include <sim/world.hpp>

#include <lockstep/codec/command.hpp>
#include <lockstep/content/manifest.hpp>
#include <lockstep/folder/apply.hpp>
#include <lockstep/raft/entry.hpp>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace lockstep::sim {

/// One machine as it is after an event.
struct content_view {
    node_id node;
    bool known = false;                                  ///< it runs, and its log and store are open
    bool damaged = false;                                ///< its disk lost something of what was on it
    log_index base, durable;                             ///< of its log; of one that is down, as it was last seen
    std::function<bool(const content_hash&)> stored;     ///< a chunk is in its store
};

class content_checker final : public checker {
public:
    using look = std::function<std::vector<content_view>()>;

    explicit content_checker(look l) : look_(std::move(l)) {}

    /// An entry that some node applied. The first one to get there counts.
    void applied(const raft::entry& e) {
        if (e.index != at_ + 1) return;
        at_ = e.index;
        if (e.kind != raft::entry_kind::command) return;
        const auto command = decode_command(e.data);
        if (!command) return;
        folder::apply(committed_, e.index, *command);
        if (!command->chunked) return;
        const content_hash name = sha256(command->content.view());
        const auto list = content::decode_manifest(command->content.view());
        if (!list) return;
        auto& names = chunks_[name];
        if (!names.empty()) return;
        names.push_back(name);
        for (const auto& ref : list->refs) names.push_back(ref.hash);
    }

    void after_event(world& w) override {
        if (++events_ % every == 0) check(w);
    }
    void at_end(world& w) override { check(w); }

    /// How often it was looked whether a content is where it has to be.
    std::uint64_t looks() const noexcept { return looks_; }

private:
    static constexpr std::uint64_t every = 512;

    void check(world& w) {
        const auto views = look_();
        committed_.for_each([&](const folder::entry& e) {
            if (e.type == folder::entry_type::directory || e.size == 0 || w.failed()) return;
            std::size_t holders = 0;
            for (const content_view& v : views) holders += v.damaged || holds(v, e);
            ++looks_;
            if (2 * holders > views.size()) return;
            w.fail(exit_class::correctness, "the content of " + committed_.path_of(e.id).value_or("?") + ", committed at index " +
                                                std::to_string(e.content_version.value) + ", is on " +
                                                std::to_string(holders) + " of " + std::to_string(views.size()) + " nodes");
        });
    }

    /// One that is down has what its log and its snapshot named when it was last seen.
    bool holds(const content_view& v, const folder::entry& e) const {
        if (!v.known) return v.durable >= e.content_version;
        if (e.manifest == content_hash{})
            return (e.content_version > v.base && e.content_version <= v.durable) || v.stored(e.hash);
        const auto names = chunks_.find(e.manifest);
        if (names == chunks_.end()) return false;
        for (const auto& name : names->second)
            if (!v.stored(name)) return false;
        return true;
    }

    look look_;
    folder::tree committed_;
    log_index at_;
    std::map<content_hash, std::vector<content_hash>> chunks_;   ///< of manifests: their own name, and what they list
    std::uint64_t events_ = 0;
    std::uint64_t looks_ = 0;
};

}  // namespace lockstep::sim
