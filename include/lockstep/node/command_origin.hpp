// This run of a node as an origin of commands: its session, the numbers of its commands, and what of them is undecided.
// A value with no clock of its own; `replicated` drives it.
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/base/unique_function.hpp>
#include <lockstep/node/outbox.hpp>
#include <lockstep/node/replicated_options.hpp>
#include <lockstep/node/session_table.hpp>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace lockstep {

class command_origin {
public:
    using applied_handler = unique_function<void(log_index)>;

    /// `run` is random: it tells this run's openings from those of runs before.
    command_origin(const replicated_options& options, std::uint64_t run)
        : self_(options.id), run_(run), command_bytes_max_(options.command_bytes_max),
          proposals_max_(options.proposals_max), proposal_bytes_max_(options.proposal_bytes_max),
          formation_interval_(options.formation_interval), outbox_(options.resend_after) {}

    /// Before the session is open it waits here. Errors: too_large, would_block.
    result<> add(shared_bytes command, applied_handler applied, time_point now) {
        if (command.size() > command_bytes_max_) return make_error_code(errc::too_large);
        if (undecided_.size() >= proposals_max_ || bytes_ + command.size() > proposal_bytes_max_)
            return make_error_code(errc::would_block);
        bytes_ += command.size();
        const auto added = undecided_.emplace_hint(undecided_.end(), ++last_number_,
                                                   proposal{std::move(command), std::move(applied)});
        if (session_ != log_index{}) say(added->first, added->second.command, now);
        return {};
    }

    /// Asks for a session in place of the one that stands for this node.
    void open(log_index replaced, time_point now) {
        outbox_.add(0, encode_numbered({numbered_command::what::open, self_, replaced, run_, {}}), now);
    }

    /// An opening of this node was applied. False: another process runs under its id.
    [[nodiscard]] bool opening_applied(log_index at, const numbered_command& opening, const session_table& sessions,
                                       time_point now) {
        const bool opened = sessions.session_of(self_) == at;
        if (session_ != log_index{}) return !opened;
        if (opening.number != run_) return true;
        outbox_.decided(0, now);
        if (!opened) {
            // It did not know of the session of the run before, which the log has told by now.
            open(sessions.session_of(self_), now);
            return true;
        }
        session_ = at;
        for (const auto& [number, waiting] : undecided_) say(number, waiting.command, now);
        return true;
    }

    /// A command of this node came out of the log. What to call, if it was one of this run's and was applied.
    applied_handler command_applied(const numbered_command& command, session_table::outcome what, time_point now) {
        if (command.session != session_) return {};
        if (what == session_table::outcome::gap) lost(now);
        if (what != session_table::outcome::next) return {};
        outbox_.decided(command.number, now);
        auto mine = undecided_.extract(command.number);
        bytes_ -= mine.mapped().command.size();
        return std::move(mine.mapped().applied);
    }

    /// Something may not have arrived: all is said again, in a while or at once.
    void lost(time_point now) { outbox_.resend_by(now + formation_interval_); }
    void leader_came(time_point now) { outbox_.resend_by(now); }

    /// What is to be proposed now, in order.
    std::vector<outbox::piece> take(time_point now) {
        auto pieces = outbox_.take_leaving();
        // All undecided ones are among them then.
        return sometimes(probe::commands_said_again, outbox_.resend_due(now)) ? outbox_.take_all(now) : std::move(pieces);
    }

private:
    struct proposal {
        shared_bytes command;
        applied_handler applied;
    };

    void say(std::uint64_t number, const shared_bytes& command, time_point now) {
        outbox_.add(number, encode_numbered({numbered_command::what::command, self_, session_, number, command}), now);
    }

    node_id self_;
    std::uint64_t run_;
    std::size_t command_bytes_max_;
    std::size_t proposals_max_;
    std::size_t proposal_bytes_max_;
    duration formation_interval_;
    log_index session_;                             // 0: not open yet
    std::uint64_t last_number_ = 0;
    std::map<std::uint64_t, proposal> undecided_;   // by number
    std::size_t bytes_ = 0;                         // of them
    outbox outbox_;                                 // of the session; its opening is at 0
};

}  // namespace lockstep
