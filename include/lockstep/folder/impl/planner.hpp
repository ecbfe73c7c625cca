// The search for an order of steps: each entry is settled after what it depends on, as a walk over an overlay of the
// disk; what goes round in a circle is parked. See planner.hpp for what comes of it.
#pragma once

#include <lockstep/folder/apply.hpp>
#include <lockstep/folder/impl/disk_overlay.hpp>
#include <lockstep/folder/path.hpp>
#include <lockstep/folder/plan.hpp>
#include <lockstep/folder/tree.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::folder::detail {

template <disk_view View, class Busy>
class planner {
public:
    planner(const tree& committed, const View& local, Busy is_busy, plan_limits limits)
        : committed_(committed), disk_(local), is_busy_(std::move(is_busy)), limits_(limits) {}

    plan run(const std::vector<entry_id>& look_at) {
        std::vector<entry_id> todo = look_at;
        // What waited for another entry in a round may go in the next; each round but the last has done something.
        for (bool progress = true; !todo.empty() && progress;) {
            const std::size_t before = plan_.actions.size();
            std::vector<entry_id> again;
            states_.clear();
            for (const entry_id id : todo) {
                if (id != root_entry && settle(id) == verdict::waits) again.push_back(id);
            }
            for (const entry_id id : unfinished_) again.push_back(id);
            unfinished_.clear();
            std::sort(again.begin(), again.end());
            again.erase(std::unique(again.begin(), again.end()), again.end());
            todo = std::move(again);
            progress = !full() && plan_.actions.size() != before;
        }
        for (const entry_id id : todo) (full() ? plan_.rest : plan_.deferred).push_back(id);
        close_directories();
        tidy(plan_.deferred);
        tidy(plan_.rest);
        return std::move(plan_);
    }

private:
    enum class verdict : std::uint8_t {
        done,
        waits,    ///< for an entry that is being worked on, or for the next plan
        blocked,  ///< by something undecided
    };
    struct state {
        bool working = false;
        verdict is = verdict::waits;
    };
    using kind = action::kind;

    /// A chain of names that hold each other's place is followed so far; then its rest is parked.
    static constexpr int chain_max = 32;

    static void tidy(std::vector<entry_id>& ids) {
        std::sort(ids.begin(), ids.end());
        ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    }

    void deepest_first(std::vector<entry_id>& ids) const {
        std::sort(ids.begin(), ids.end(), [&](entry_id a, entry_id b) {
            return std::pair(disk_.depth(b), a) < std::pair(disk_.depth(a), b);
        });
    }

    bool full() const noexcept { return plan_.actions.size() >= limits_.actions_max || bytes_ >= limits_.bytes_max; }

    verdict settle(entry_id id) {
        if (const auto known = states_.find(id); known != states_.end())
            return known->second.working ? verdict::waits : known->second.is;
        if (full()) return verdict::waits;
        if (undecided(id)) {
            plan_.deferred.push_back(id);
            states_[id] = {false, verdict::blocked};
            return verdict::blocked;
        }
        states_[id].working = true;
        working_.push_back(id);
        const entry* wanted = committed_.find(id);
        const verdict is = wanted ? arrange(*wanted) : clear(id);
        working_.pop_back();
        states_[id] = {false, is};
        if (is == verdict::blocked) plan_.deferred.push_back(id);
        return is;
    }

    /// It, or a directory above it (where it shall be, or where it stands), has an edit that is not decided.
    bool undecided(entry_id id) const {
        if (is_busy_(id)) return true;
        const entry* wanted = committed_.find(id);
        for (; wanted; wanted = committed_.find(wanted->where.parent)) {
            if (is_busy_(wanted->id)) return true;
        }
        const local_entry* there = disk_.find(id);
        for (; there; there = disk_.find(there->where.parent)) {
            if (is_busy_(there->id)) return true;
        }
        return false;
    }

    // What is wanted

    verdict arrange(const entry& wanted) {
        const entry_id parent = wanted.where.parent;
        if (parent != root_entry) {
            // With all directories above in their final places, no move can lead into itself.
            if (const verdict v = settle(parent); v != verdict::done) return v;
        }
        const local_entry* there = disk_.find(wanted.id);
        if (there && there->type != wanted.type) {
            if (const verdict v = clear(wanted.id); v != verdict::done) return v;
            there = nullptr;
        }
        if (there && !there->parked && there->where == wanted.where) return refresh(wanted);
        if (there && !within_reach(*there)) return verdict::waits;
        if (const verdict v = vacate(wanted.where, wanted.id); v != verdict::done) return v;
        there = disk_.find(wanted.id);
        if (!there) return bring(wanted);
        move_to(*there, wanted.where, wanted.placement_version);
        return refresh(wanted);
    }

    verdict bring(const entry& wanted) {
        local_entry result = as_wanted(wanted);
        open_directories(wanted.where.parent, true);
        const std::string path = *disk_.path_of(wanted.where);
        if (wanted.type == entry_type::directory) {
            result.mode |= 0300u;  // filled first
            if (result.mode != wanted.mode) opened_.insert(wanted.id);
            emit(kind::make_directory, path, {}, result);
        } else {
            bytes_ += wanted.size;
            emit(kind::write_content, path, {}, result);
        }
        return verdict::done;
    }

    /// It stands where it shall: content, attributes and versions.
    verdict refresh(const entry& wanted) {
        const local_entry there = *disk_.find(wanted.id);
        const local_entry result = as_wanted(wanted);
        if (there == result) return verdict::done;
        const bool directory = wanted.type == entry_type::directory;
        const bool same_attributes = there.mode == result.mode && there.mtime_ns == result.mtime_ns;
        if (!directory && (there.hash != wanted.hash || there.size != wanted.size)) {
            open_directories(wanted.where.parent, true);
            bytes_ += wanted.size;
            emit(kind::write_content, *disk_.path_of(wanted.id), {}, result);
        } else if (same_attributes) {
            emit(kind::adopt, *disk_.path_of(wanted.id), {}, result);
        } else if (directory) {
            opened_.insert(wanted.id);
        } else {
            open_directories(wanted.where.parent, false);
            emit(kind::set_attributes, *disk_.path_of(wanted.id), {}, result);
        }
        return verdict::done;
    }

    /// Times of directories and modes of links are not compared: they are what they are.
    local_entry as_wanted(const entry& wanted) const {
        local_entry result;
        if (const local_entry* there = disk_.find(wanted.id)) result = *there;
        result.id = wanted.id;
        result.where = wanted.where;
        result.type = wanted.type;
        if (wanted.type != entry_type::symlink) result.mode = wanted.mode;
        if (wanted.type != entry_type::directory) result.mtime_ns = wanted.mtime_ns;
        result.hash = wanted.hash;
        result.size = wanted.size;
        result.content_version = wanted.content_version;
        result.placement_version = wanted.placement_version;
        result.parked = false;
        return result;
    }

    // What is in the way

    /// Makes a name free for `id`: what holds it goes where it belongs, or is parked if it cannot go yet.
    verdict vacate(const placement& where, entry_id id) {
        auto holder = disk_.child(where);
        if (!holder || *holder == id) return verdict::done;
        if (chain_ < chain_max) {
            ++chain_;
            const verdict v = settle(*holder);
            --chain_;
            holder = disk_.child(where);
            if (!holder || *holder == id) return verdict::done;
            if (v == verdict::blocked || full()) return v;
        }
        return park(*holder);
    }

    /// Moves an entry into staging. What is in a parked directory cannot be reached, so first goes out of it
    /// whatever this plan is working on and whatever the entry's own final place depends on.
    verdict park(entry_id id) {
        if (!disk_.path_of(id)) return verdict::waits;
        std::vector<entry_id> out;
        for (const entry_id other : working_) {
            if (disk_.is_below(id, other)) out.push_back(other);
        }
        for (const entry* e = committed_.find(id); e; e = committed_.find(e->where.parent)) {
            if (disk_.is_below(id, e->id)) out.push_back(e->id);
        }
        tidy(out);
        deepest_first(out);
        out.push_back(id);
        for (const entry_id other : out) {
            if (is_busy_(other)) return verdict::blocked;
        }
        for (const entry_id other : out) park_one(*disk_.find(other));
        return verdict::done;
    }

    void park_one(local_entry there) {
        open_directories(there.where.parent, true);
        if (there.type == entry_type::directory) open_directories(there.id, true);
        const std::string path = *disk_.path_of(there.id);
        there = *disk_.find(there.id);
        there.parked = true;
        unfinished_.insert(there.id);
        emit(kind::park, path, {}, there);
    }

    // What is not wanted

    verdict clear(entry_id id) {
        const local_entry* found = disk_.find(id);
        if (!found) return verdict::done;
        if (!within_reach(*found)) return verdict::waits;
        if (disk_.find(id)->type == entry_type::directory) {
            if (const verdict v = empty(id); v != verdict::done) return v;
        }
        const local_entry there = *disk_.find(id);
        if (!there.parked) open_directories(there.where.parent, true);
        const auto path = there.parked ? std::string{} : *disk_.path_of(id);
        emit(there.type == entry_type::directory ? kind::remove_directory : kind::remove_file, path, {}, there);
        return verdict::done;
    }

    /// Lets everything out of a directory that goes.
    verdict empty(entry_id directory) {
        std::vector<entry_id> inside = disk_.children(directory);
        if (inside.empty()) return verdict::done;
        if (disk_.find(directory)->parked) unpark(directory);
        for (const entry_id id : inside) {
            const verdict v = settle(id);
            const local_entry* there = disk_.find(id);
            if (!there || there->parked || there->where.parent != directory) continue;
            if (v == verdict::blocked || full()) return v;
            if (const verdict p = park(id); p != verdict::done) return p;
        }
        return disk_.children(directory).empty() ? verdict::done : verdict::waits;
    }

    /// What stands in a directory that an earlier plan left in staging is brought back with it.
    bool within_reach(const local_entry& e) {
        const local_entry* above = &e;
        if (e.parked) return true;
        while (above && !above->parked) {
            if (above->where.parent == root_entry) return true;
            above = disk_.find(above->where.parent);
        }
        if (!above) return false;
        unpark(above->id);
        return true;
    }

    /// Takes a directory out of staging: to where it was, if that directory stays, or else to a free name at the top.
    void unpark(entry_id id) {
        const local_entry there = *disk_.find(id);
        placement where = there.where;
        if (!committed_.is_directory(where.parent) || !is_directory(where.parent) || !disk_.path_of(where) ||
            disk_.child(where)) {
            where.parent = root_entry;
            for (std::uint64_t n = 0; where.name == reserved_name || disk_.child(where); ++n)
                where.name = conflict_name(there.where.name, id.session.node, there.placement_version, n);
        }
        move_to(there, where, there.placement_version);
        unfinished_.insert(id);
    }
    bool is_directory(entry_id id) const {
        const local_entry* there = disk_.find(id);
        return id == root_entry || (there && there->type == entry_type::directory);
    }

    // Steps

    void move_to(const local_entry& from, const placement& where, version placement_version) {
        const entry_id id = from.id;
        if (!from.parked) open_directories(from.where.parent, true);
        open_directories(where.parent, true);
        // A directory that changes its parent is written to itself.
        if (from.type == entry_type::directory && !from.parked && from.where.parent != where.parent)
            open_directories(id, true);
        local_entry result = *disk_.find(id);
        const std::string path = result.parked ? std::string{} : *disk_.path_of(id);
        result.where = where;
        result.placement_version = placement_version;
        result.parked = false;
        unfinished_.erase(id);
        emit(kind::move, path, *disk_.path_of(where), result);
    }

    /// Lets us through to a directory, and change what is in it. Their modes are set at the end.
    void open_directories(entry_id directory, bool write) {
        std::vector<entry_id> above;
        for (entry_id id = directory; id != root_entry;) {
            const local_entry* there = disk_.find(id);
            if (!there) break;
            above.push_back(id);
            id = there->where.parent;
        }
        for (auto id = above.rbegin(); id != above.rend(); ++id) {
            local_entry there = *disk_.find(*id);
            const std::uint32_t need = write && *id == directory ? 0300u : 0100u;
            if ((there.mode & need) == need || there.parked) continue;
            const auto path = disk_.path_of(*id);
            if (!path) continue;
            there.mode |= 0300u;
            opened_.insert(*id);
            emit(kind::set_attributes, *path, {}, there);
        }
    }

    /// The attributes of directories, the deepest first: after all that had to be done in them.
    void close_directories() {
        std::vector<entry_id> ids(opened_.begin(), opened_.end());
        for (const entry_id id : ids) {
            const local_entry* there = disk_.find(id);
            if (there && !there->parked) open_directories(there->where.parent, false);
        }
        ids.assign(opened_.begin(), opened_.end());
        deepest_first(ids);
        for (const entry_id id : ids) {
            const entry* wanted = committed_.find(id);
            const local_entry* there = disk_.find(id);
            if (!wanted || !there) continue;
            const auto path = disk_.path_of(id);
            if (full() || !path || there->where != wanted->where || there->type != wanted->type) {
                (full() ? plan_.rest : plan_.deferred).push_back(id);
                continue;
            }
            const local_entry result = as_wanted(*wanted);
            if (*there != result) {
                const kind what = there->mode == result.mode ? kind::adopt : kind::set_attributes;
                emit(what, *path, {}, result);
            }
        }
    }

    void emit(kind what, std::string path, std::string to_path, const local_entry& result) {
        if (what == kind::adopt) {
            // A step of this plan that is not done yet takes the versions with it: nothing is adopted ahead of it.
            const auto same = [&](const action& a) { return a.entry == result.id; };
            const auto step = std::find_if(plan_.actions.rbegin(), plan_.actions.rend(), same);
            if (step != plan_.actions.rend()) {
                step->result = result;
                disk_.put(result);
                return;
            }
        }
        plan_.actions.push_back({what, result.id, std::move(path), std::move(to_path), result});
        if (what == kind::remove_file || what == kind::remove_directory) {
            disk_.erase(result.id);
            unfinished_.erase(result.id);
        } else {
            disk_.put(result);
        }
    }

    const tree& committed_;
    disk_overlay<View> disk_;
    Busy is_busy_;
    plan_limits limits_;
    plan plan_;
    std::uint64_t bytes_ = 0;
    int chain_ = 0;
    std::map<entry_id, state> states_;
    std::vector<entry_id> working_;
    std::set<entry_id> unfinished_;  ///< put somewhere for a time
    std::set<entry_id> opened_;  ///< directories whose mode is to be set in the end
};

}  // namespace lockstep::folder::detail
