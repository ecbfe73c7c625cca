// Whether a history of concurrent operations is linearizable: whether each can be given one moment between its call and
// its return such that, done one after the other at these moments, all give the answers that they gave.
//
// The search is Wing and Gong's with Lowe's memory of what was tried (J. Wing, C. Gong: "Testing and verifying concurrent
// objects", 1993; G. Lowe: "Testing for linearizability", 2017), apart for each part of the state that operations of other
// parts do not touch (A. Horn, D. Kroening: "Faster linearizability checking via P-compositionality", 2015). The parts are
// searched in turns, with growing shares, so that one that is hard does not hide what is plain in another.
//
// Pure; not thread safe; no limit but those that it is given.
#pragma once

#include <lockstep/base/assert.hpp>
#include <lockstep/base/random.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace lockstep::testing {

/// What a client asked and was told. Times are of any one clock, and only their order counts.
template <class Input, class Output>
struct operation {
    std::uint64_t client = 0;
    std::int64_t called = 0;
    std::optional<std::int64_t> returned;   ///< none: nobody knows whether it was done, or ever will be
    Input input{};
    Output output{};                        ///< meaningful once returned
};

/// The thing that operations are done to, as it should be.
template <class M>
concept sequential_model = std::copyable<typename M::state> && std::equality_comparable<typename M::state> &&
    requires(const typename M::state& s, const typename M::input& in, const typename M::output* out, std::uint64_t seed) {
        { M::initial() } -> std::same_as<typename M::state>;
        /// What is there after the operation; nothing if it cannot give this output here. No output: whatever it gave.
        { M::step(s, in, out) } -> std::same_as<std::optional<typename M::state>>;
        /// Of which part of the whole it is: operations of different parts do not affect each other.
        { M::part(in) } -> std::totally_ordered;
        /// A good hash of the state; states that differ are taken for one if two of it are alike.
        { M::digest(s, seed) } -> std::same_as<std::uint64_t>;
    };

enum class verdict : std::uint8_t { linearizable, violation, unknown };

struct check_limits {
    std::uint64_t steps_max = 200'000'000;                 ///< tries of an operation, over all parts
    std::size_t bytes_max = std::size_t{256} << 20;        ///< remembered, over all parts
};

struct check_result {
    verdict what = verdict::linearizable;
    std::uint64_t steps = 0;
    std::size_t bytes = 0;                  ///< remembered at the end of the largest part
    /// Of a violation: as many operations of one part as could be done one after the other, as indices into the history,
    std::vector<std::size_t> longest;
    /// and the one that had returned by then and fits nowhere.
    std::optional<std::size_t> misfit;
};

namespace detail {

/// A set of 128-bit numbers that are hashes already.
class fingerprint_set {
public:
    using key = std::pair<std::uint64_t, std::uint64_t>;

    /// False: it was there.
    bool insert(key k) {
        if ((size_ + 1) * 4 > slots_.size() * 3) grow();
        if (k == key{}) k.second = 1;
        std::size_t at = static_cast<std::size_t>(k.first) & (slots_.size() - 1);
        while (slots_[at] != key{}) {
            if (slots_[at] == k) return false;
            at = (at + 1) & (slots_.size() - 1);
        }
        slots_[at] = k;
        ++size_;
        return true;
    }
    std::size_t bytes() const noexcept { return slots_.size() * sizeof(key); }
    void clear() { *this = {}; }

private:
    void grow() {
        std::vector<key> before(std::max<std::size_t>(64, slots_.size() * 2));
        before.swap(slots_);
        size_ = 0;
        for (const key& k : before)
            if (k != key{}) insert(k);
    }

    std::vector<key> slots_;
    std::size_t size_ = 0;
};

/// The search of one part. It can be interrupted after any number of steps and gone on with.
template <sequential_model Model>
class part_search {
    using operation_type = operation<typename Model::input, typename Model::output>;
    using state = typename Model::state;
    static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

public:
    part_search(const std::vector<operation_type>& history, std::vector<std::size_t> members)
        : history_(&history), members_(std::move(members)), state_(Model::initial()) {
        link();
    }

    /// Goes on for so many steps. Nothing: it is not over.
    std::optional<verdict> run(std::uint64_t steps) {
        for (; steps != 0; --steps) {
            if (open_ == 0) return verdict::linearizable;
            ++steps_;
            if (at_ != none && !nodes_[at_].is_return) {
                try_here();
            } else {
                // Whatever comes next would come after an operation that had returned.
                if (done_.size() > longest_.size() || (longest_.empty() && misfit_ == none)) keep_longest();
                if (done_.empty()) return verdict::violation;
                take_back();
            }
        }
        return std::nullopt;
    }

    std::uint64_t steps() const noexcept { return steps_; }
    std::size_t bytes() const noexcept { return tried_.bytes() + done_.capacity() * sizeof(move); }
    void tell(check_result& out) const {
        out.longest = longest_;
        if (misfit_ != none) out.misfit = misfit_;
    }

private:
    /// Calls and returns in the order of time, as a list from which what is done is taken out.
    struct node {
        std::size_t member = 0;   ///< index into members_
        bool is_return = false;
        std::size_t match = none; ///< of a call: its return, if it has one
        std::size_t before = none, after = none;
    };
    struct move {
        std::size_t call;
        state was;
    };

    void link() {
        struct moment {
            std::int64_t at;
            bool is_return;
            std::size_t member;
        };
        std::vector<moment> moments;
        for (std::size_t m = 0; m < members_.size(); ++m) {
            const operation_type& op = (*history_)[members_[m]];
            moments.push_back({op.called, false, m});
            if (op.returned) {
                moments.push_back({*op.returned, true, m});
                ++open_;
            }
        }
        // What was called at the moment at which another one returned may have been before it.
        std::sort(moments.begin(), moments.end(), [](const moment& a, const moment& b) {
            return std::tuple(a.at, a.is_return, a.member) < std::tuple(b.at, b.is_return, b.member);
        });
        std::vector<std::size_t> call_of(members_.size(), none);
        nodes_.resize(moments.size());
        for (std::size_t i = 0; i < moments.size(); ++i) {
            nodes_[i] = {moments[i].member, moments[i].is_return, none, i == 0 ? none : i - 1, i + 1 == moments.size() ? none : i + 1};
            if (moments[i].is_return) nodes_[call_of[moments[i].member]].match = i;
            else call_of[moments[i].member] = i;
        }
        first_ = at_ = moments.empty() ? none : 0;
        for (std::size_t m = 0; m < members_.size(); ++m) marks_.push_back({mix64(2 * m + 1), mix64(~(2 * m))});
    }

    void try_here() {
        const node& call = nodes_[at_];
        const operation_type& op = (*history_)[members_[call.member]];
        auto next = Model::step(state_, op.input, op.returned ? &op.output : nullptr);
        // One of which nothing is known and that changes nothing need not be done.
        if (!next || (!op.returned && *next == state_)) return void(at_ = call.after);
        const auto mark = marks_[call.member];
        const fingerprint_set::key set{set_.first ^ mark.first, set_.second ^ mark.second};
        const fingerprint_set::key key{set.first ^ Model::digest(*next, 0x9e3779b97f4a7c15u), set.second ^ Model::digest(*next, 0x2545f4914f6cdd1du)};
        if (!tried_.insert(key)) return void(at_ = call.after);
        set_ = set;
        done_.push_back({at_, std::exchange(state_, std::move(*next))});
        open_ -= op.returned ? 1 : 0;
        unlink(at_);
        if (nodes_[at_].match != none) unlink(nodes_[at_].match);
        at_ = first_;
    }

    void take_back() {
        move last = std::move(done_.back());
        done_.pop_back();
        state_ = std::move(last.was);
        const node& call = nodes_[last.call];
        const auto mark = marks_[call.member];
        set_ = {set_.first ^ mark.first, set_.second ^ mark.second};
        if (call.match != none) {
            ++open_;
            relink(call.match);
        }
        relink(last.call);
        at_ = call.after;
    }

    void unlink(std::size_t i) {
        const node& n = nodes_[i];
        (n.before == none ? first_ : nodes_[n.before].after) = n.after;
        if (n.after != none) nodes_[n.after].before = n.before;
    }
    /// The last that was unlinked comes back first.
    void relink(std::size_t i) {
        const node& n = nodes_[i];
        (n.before == none ? first_ : nodes_[n.before].after) = i;
        if (n.after != none) nodes_[n.after].before = i;
    }

    void keep_longest() {
        longest_.clear();
        for (const move& m : done_) longest_.push_back(members_[nodes_[m.call].member]);
        misfit_ = at_ == none ? none : members_[nodes_[at_].member];
    }

    const std::vector<operation_type>* history_;   ///< outlives this
    std::vector<std::size_t> members_;
    std::vector<node> nodes_;
    std::vector<fingerprint_set::key> marks_;
    std::size_t first_ = none, at_ = none;
    std::size_t open_ = 0;   ///< that returned, and are not done yet
    state state_;
    fingerprint_set::key set_{};
    fingerprint_set tried_;
    std::vector<move> done_;
    std::vector<std::size_t> longest_;
    std::size_t misfit_ = none;
    std::uint64_t steps_ = 0;
};

}  // namespace detail

/// Precondition: no operation returned before it was called.
template <sequential_model Model>
check_result check_linearizability(const std::vector<operation<typename Model::input, typename Model::output>>& history,
                                   const check_limits& limits = {}) {
    using part_type = std::remove_cvref_t<decltype(Model::part(history.front().input))>;
    std::map<part_type, std::vector<std::size_t>> parts;
    for (std::size_t i = 0; i < history.size(); ++i) {
        LOCKSTEP_ASSERT(!history[i].returned || history[i].called <= *history[i].returned);
        parts[Model::part(history[i].input)].push_back(i);
    }
    std::vector<detail::part_search<Model>> searches;
    for (auto& [name, members] : parts) searches.emplace_back(history, std::move(members));

    check_result out;
    std::uint64_t share = 1024;
    while (!searches.empty()) {
        for (auto search = searches.begin(); search != searches.end();) {
            const std::uint64_t before = search->steps();
            const auto found = search->run(std::min(share, limits.steps_max - out.steps));
            out.steps += search->steps() - before;
            out.bytes = std::max(out.bytes, search->bytes());
            if (found == verdict::violation) {
                out.what = verdict::violation;
                search->tell(out);
                return out;
            }
            std::size_t bytes = 0;
            for (const auto& s : searches) bytes += s.bytes();
            const bool given_up = !found && (bytes > limits.bytes_max || out.steps >= limits.steps_max);
            if (given_up) out.what = verdict::unknown;   // unless another part is plain
            search = found || given_up ? searches.erase(search) : std::next(search);
            if (out.steps >= limits.steps_max) return out;
        }
        share *= 4;
    }
    return out;
}

}  // namespace lockstep::testing
