#pragma once

#include <sim/determinism.hpp>
#include <sim/scenario.hpp>
#include <sim/trace/recorder.hpp>

#include <algorithm>
#include <optional>

namespace lockstep::sim {

LOCKSTEP_DECL run_result determinism_check::run(const run_hooks& hooks) {
    const auto hashed = [&](run_hooks with, block_hashes& into) {
        with.after_event = [&](const ran_event& e) { into.add(e.hash); };
        return run_(with);
    };
    block_hashes first, second;
    run_result result = hashed(hooks, first);
    if (result.outcome.what != exit_class::passed) return result;
    run_hooks quietly;
    quietly.prepare = hooks.prepare;
    const run_result again = hashed(quietly, second);
    if (const auto window = block_hashes::first_difference(first, second)) {
        prepare_ = hooks.prepare;
        result.outcome = {exit_class::correctness, "the same run went two ways: " + first_difference(*window)};
    } else if (again.trace_hash != result.trace_hash || again.outcome.what != result.outcome.what) {
        result.outcome = {exit_class::correctness, "the same run went two ways after its last event"};
    }
    return result;
}

LOCKSTEP_DECL determinism_check::pass determinism_check::look_at(const event_range& window) {
    pass p;
    std::string words;
    trace_recorder recorder(traced_kinds::all(), [&](const trace_event& e) {
        if (words.size() < words_max) words += (words.empty() ? "" : "; ") + to_text(e.where) + " " + std::string(to_string(e.what)) + " " + e.text;
    });
    run_hooks hooks;
    hooks.prepare = prepare_;
    hooks.trace = &recorder;
    hooks.after_event = [&](const ran_event& e) {
        p.hashes.add(e.hash);
        if (window.has(e.number)) p.window.push_back({e, std::move(words)});
        words.clear();
    };
    run_(hooks);
    return p;
}

/// What is not a function of the run differs from pair to pair: each pair is compared on its own, until one parts in the block
/// that was looked at.
LOCKSTEP_DECL std::string determinism_check::first_difference(event_range window) {
    const event_range first = window;
    for (int pair = 0; pair < pairs_max; ++pair) {
        const pass a = look_at(window), b = look_at(window);
        const auto found = block_hashes::first_difference(a.hashes, b.hashes);
        if (!found) continue;
        if (found->after >= window.after && found->upto <= window.upto) return difference(a, b);
        window = *found;
    }
    return "first in events " + std::to_string(first.after + 1) + " to " + std::to_string(first.upto) + ", but never there again in " +
           std::to_string(pairs_max) + " more pairs of runs";
}

LOCKSTEP_DECL std::string determinism_check::difference(const pass& a, const pass& b) {
    std::size_t i = 0;
    while (i < a.window.size() && i < b.window.size() && a.window[i].event == b.window[i].event) ++i;
    const auto words = [i](const pass& p) { return i < p.window.size() ? describe(p.window[i]) : std::string("there is none any more"); };
    const std::uint64_t number = i < a.window.size() ? a.window[i].event.number : i < b.window.size() ? b.window[i].event.number : 0;
    std::string text = "first at event " + std::to_string(number) + ": " + words(a) + " | the other time: " + words(b);
    if (i > 0) text += " | before it, alike: " + describe(a.window[i - 1]);
    return text;
}

LOCKSTEP_DECL std::string determinism_check::describe(const told_event& e) {
    static constexpr char digits[] = "0123456789abcdef";
    const auto hex = [](std::uint64_t n) {
        std::string text;
        for (int shift = 60; shift >= 0; shift -= 4) text += digits[(n >> shift) & 15];
        return text;
    };
    std::string text = std::string(to_string(e.event.kind)) + " event at " + to_text(e.event.at.time_since_epoch());
    if (e.event.node != no_node) text += " on node " + std::to_string(e.event.node.value);
    text += ", digest " + hex(e.event.digest) + ", hash after it " + hex(e.event.hash);
    return e.words.empty() ? text : text + " (" + e.words + ")";
}

}  // namespace lockstep::sim
