// Random histories: three nodes that each see the tree with a delay of their own.
#pragma once

#include <lockstep/base/random.hpp>
#include <lockstep/folder/apply.hpp>

#include <tests/folder/origin.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep::folder::test {

struct node {
    origin commands;
    tree seen;
    std::vector<command> sent;
};

/// Few names, so that nodes get in each other's way.
inline std::string random_name(random_generator& random) {
    constexpr const char* names[] = {"a", "b", "c.txt"};
    return names[random.below(3)];
}

inline std::string random_path(random_generator& random, const tree& t) {
    std::vector<entry_id> directories{root_entry};
    t.for_each([&](const entry& e) {
        if (e.type == entry_type::directory) directories.push_back(e.id);
    });
    return join(*t.path_of(directories[random.below(directories.size())]), random_name(random));
}

inline command random_command(random_generator& random, node& n) {
    const auto content = std::to_string(random.below(40));
    const auto type = static_cast<entry_type>(1 + random.below(3));
    const auto bytes = type == entry_type::directory ? std::string{} : content;
    std::vector<entry> known;
    n.seen.for_each([&](const entry& e) { known.push_back(e); });
    if (known.empty() || random.one_in(4)) return n.commands.create(n.seen, random_path(random, n.seen), type, bytes);
    const entry& e = known[random.below(known.size())];
    switch (random.below(6)) {
        case 0:
        case 1: return n.commands.move(n.seen, e, random_path(random, n.seen));
        case 2: return n.commands.remove(n.seen, e);
        case 3: return n.commands.set_attributes(n.seen, e, static_cast<std::uint32_t>(random.below(01000)), 5);
        case 4: return n.commands.replace(n.seen, e, type, bytes);
        default: break;
    }
    if (e.type == entry_type::directory) return n.commands.remove(n.seen, e);
    return n.commands.write(n.seen, e, content);
}

/// Runs a random history and calls check(before, command, outcome, after) for each command; gives the log.
template <class F>
std::vector<command> run(std::uint64_t seed, int steps, history& log, F check) {
    random_generator random(seed);
    std::vector<command> commands;
    std::vector<node> nodes;
    const auto add = [&](const command& c) {
        const tree before = log.committed;
        const outcome o = log.add(c);
        commands.push_back(c);
        check(before, c, o, log.committed);
    };
    for (std::uint64_t n = 1; n <= 3; ++n) nodes.push_back({origin(n), {}, {}});
    for (const node& n : nodes) add(n.commands.open());
    for (int step = 0; step < steps; ++step) {
        node& n = nodes[random.below(3)];
        if (random.one_in(4)) n.seen = log.committed;
        if (!n.sent.empty() && random.one_in(10)) {
            add(n.sent[random.below(n.sent.size())]);
            continue;
        }
        n.sent.push_back(random_command(random, n));
        if (random.one_in(30)) n.sent.back().where.name = "..";
        add(n.sent.back());
    }
    return commands;
}

}  // namespace lockstep::folder::test
