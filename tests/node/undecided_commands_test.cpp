// Which commands stand in a log undecided.
#include <tests/catch.hpp>

#include <lockstep/node/undecided_commands.hpp>

#include <string>
#include <vector>

using namespace lockstep;

namespace {

shared_bytes command(const std::string& text) { return shared_bytes::copy_of(text); }
raft::entry entry(std::uint64_t index, const std::string& text) {
    return {log_index(index), term(1), raft::entry_kind::command, command(text)};
}

}  // namespace

TEST_CASE("a command is undecided from when it is appended until it is applied") {
    undecided_commands known;
    CHECK_FALSE(known.contains(command("a")));
    known.appended({entry(1, "a"), entry(2, "b")});
    known.appended({entry(3, "c")});
    for (const char* text : {"a", "b", "c"}) CHECK(known.contains(command(text)));
    CHECK_FALSE(known.contains(command("d")));
    known.applied(log_index(2));
    CHECK_FALSE(known.contains(command("a")));
    CHECK_FALSE(known.contains(command("b")));
    CHECK(known.contains(command("c")));
    known.applied(log_index(9));
    CHECK_FALSE(known.contains(command("c")));
}

TEST_CASE("what a later leader put in its place is undecided no more") {
    undecided_commands known;
    known.appended({entry(1, "a"), entry(2, "b"), entry(3, "c")});
    known.appended({entry(2, "d")});
    CHECK(known.contains(command("a")));
    CHECK_FALSE(known.contains(command("b")));
    CHECK_FALSE(known.contains(command("c")));
    CHECK(known.contains(command("d")));
    known.appended({});
    CHECK(known.contains(command("d")));
}

TEST_CASE("one that stands there twice is undecided until both are applied") {
    undecided_commands known;
    known.appended({entry(1, "a"), entry(2, "a")});
    known.applied(log_index(1));
    CHECK(known.contains(command("a")));
    known.applied(log_index(2));
    CHECK_FALSE(known.contains(command("a")));
}

TEST_CASE("entries that are no commands are none of them") {
    undecided_commands known;
    known.appended({{log_index(1), term(1), raft::entry_kind::empty, {}}});
    CHECK_FALSE(known.contains(shared_bytes{}));
}
