// Invariants of apply over random histories: three nodes that each see the tree with a delay of their own.
#include <tests/catch.hpp>
#include <tests/folder/random_history.hpp>

#include <map>
#include <set>

using namespace lockstep;
using namespace lockstep::folder;
using folder::test::history;
using folder::test::run;

namespace {

std::set<content_hash> contents(const tree& t) {
    std::set<content_hash> hashes;
    t.for_each([&](const entry& e) {
        if (e.type != entry_type::directory) hashes.insert(e.hash);
    });
    return hashes;
}

bool took_effect(outcome_kind kind) {
    return kind == outcome_kind::applied || kind == outcome_kind::merged || kind == outcome_kind::conflict_copy ||
           kind == outcome_kind::no_op;
}

}  // namespace

TEST_CASE("the tree keeps its shape after every command") {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        history log;
        run(seed, 150, log, [&](const tree&, const command&, const outcome&, const tree& after) {
            const auto fault = find_fault(after);
            INFO("seed " << seed << " at " << log.last.value << ": " << fault.value_or(""));
            REQUIRE_FALSE(fault);
        });
    }
}

TEST_CASE("an outcome names what changed, and where the thing lives") {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        history log;
        run(seed, 150, log, [&](const tree& before, const command& c, const outcome& o, const tree& after) {
            INFO("seed " << seed << " at " << log.last.value);
            std::vector<entry_id> changed;
            diff(before, after, [&](entry_id id, const entry*, const entry*) { changed.push_back(id); });
            REQUIRE(o.touched == changed);
            if (!took_effect(o.kind)) REQUIRE(changed.empty());
            const bool brings = c.what == operation::create || c.what == operation::write || c.what == operation::replace;
            if (!brings || !took_effect(o.kind)) return;
            const entry* there = after.find(o.entry);
            REQUIRE(there);
            REQUIRE(there->hash == c.hash);
            REQUIRE(there->type == c.type);
        });
    }
}

TEST_CASE("the content of each entry is in the command of its content version") {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        history log;
        std::map<log_index, content_hash> brought;
        run(seed, 150, log, [&](const tree&, const command& c, const outcome&, const tree& after) {
            INFO("seed " << seed << " at " << log.last.value);
            brought.emplace(log.last, c.hash);
            after.for_each([&](const entry& e) {
                if (e.type != entry_type::directory) REQUIRE(brought.at(e.content_version) == e.hash);
            });
        });
    }
}

TEST_CASE("content leaves the tree only by an edit that was made from it") {
    std::size_t left = 0;
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
        history log;
        run(seed, 150, log, [&](const tree& before, const command& c, const outcome&, const tree& after) {
            INFO("seed " << seed << " at " << log.last.value);
            const auto kept = contents(after);
            for (const content_hash& hash : contents(before)) {
                if (kept.count(hash) != 0) continue;
                ++left;
                const entry* was = before.find(c.entry);
                REQUIRE(was);
                REQUIRE(was->hash == hash);
                REQUIRE(was->content_version == c.content_base);
                REQUIRE((c.what == operation::write || c.what == operation::remove || c.what == operation::replace));
            }
        });
    }
    REQUIRE(left > 1000);
}

TEST_CASE("the same commands in the same order give the same tree, outcomes and digest") {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        history log;
        std::vector<outcome> outcomes;
        std::vector<std::uint64_t> digests;
        const auto commands = run(seed, 200, log, [&](const tree&, const command&, const outcome& o, const tree& after) {
            outcomes.push_back(o);
            digests.push_back(after.digest());
        });
        history again;
        for (std::size_t i = 0; i < commands.size(); ++i) {
            REQUIRE(again.add(commands[i]) == outcomes[i]);
            REQUIRE(again.committed.digest() == digests[i]);
        }
        REQUIRE(again.committed == log.committed);
    }
}

TEST_CASE("random histories meet every kind of outcome") {
    std::set<outcome_kind> kinds;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        history log;
        run(seed, 150, log, [&](const tree&, const command&, const outcome& o, const tree&) { kinds.insert(o.kind); });
    }
    for (const auto kind : {outcome_kind::applied, outcome_kind::no_op, outcome_kind::conflict_copy,
                            outcome_kind::merged, outcome_kind::refused, outcome_kind::duplicate, outcome_kind::invalid}) {
        INFO(to_string(kind));
        REQUIRE(kinds.count(kind) == 1);
    }
}
