// A recovered log that counts only from behind a position.
#include <lockstep/concepts/log_storage.hpp>

#include <tests/catch.hpp>

using namespace lockstep;

namespace {

/// Entries 4 to 9: 4 to 6 of term 2, 7 and 8 of term 3, 9 of term 5.
recovered_log some_log() {
    recovered_log log;
    log.base = {log_index(3), term(1)};
    log.runs = {{log_index(4), term(2)}, {log_index(7), term(3)}, {log_index(9), term(5)}};
    log.last_index = log_index(9);
    return log;
}

std::vector<log_run> runs_behind(std::uint64_t index, std::uint64_t t) {
    recovered_log log = some_log();
    forget_before(log, {log_index(index), term(t)});
    CHECK(log.base == log_position{log_index(index), term(t)});
    CHECK(log.last_index == log_index(9));
    return log.runs;
}

}  // namespace

TEST_CASE("a log that counts from within a run keeps the rest of that run, and all behind it") {
    CHECK(runs_behind(4, 2) == std::vector<log_run>{{log_index(5), term(2)}, {log_index(7), term(3)}, {log_index(9), term(5)}});
    CHECK(runs_behind(7, 3) == std::vector<log_run>{{log_index(8), term(3)}, {log_index(9), term(5)}});
}

TEST_CASE("a log that counts from the end of a run keeps what is behind it") {
    CHECK(runs_behind(6, 2) == std::vector<log_run>{{log_index(7), term(3)}, {log_index(9), term(5)}});
    CHECK(runs_behind(9, 5).empty());
}

TEST_CASE("a position that a log does not hold leaves it as it is") {
    for (const log_position at : {log_position{log_index(2), term(1)}, log_position{log_index(3), term(1)},
                                  log_position{log_index(6), term(3)}, log_position{log_index(10), term(5)}}) {
        recovered_log log = some_log();
        forget_before(log, at);
        CHECK(log.base == log_position{log_index(3), term(1)});
        CHECK(log.runs == some_log().runs);
    }
}
