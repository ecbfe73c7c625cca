// Histories in files: what other tools wrote is read as they meant it, and judged as they say.
#include <tests/catch.hpp>

#include <sim/history/history_file.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

using namespace lockstep;
using namespace lockstep::sim;
using testing::verdict;

namespace {

verdict judge(const std::string& text) {
    const parsed_history parsed = parse_history(text);
    INFO(text);
    REQUIRE(parsed.wrong == "");
    return check(parsed, {}).what;
}

std::string jepsen(std::initializer_list<const char*> lines) {
    std::string text;
    for (const std::string line : lines) text += "INFO  jepsen.util - " + line + "\n";
    return text;
}

std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("a log of Jepsen's is read as it was meant") {
    CHECK(judge(jepsen({"0\t:invoke\t:read\tnil", "0\t:ok\t:read\tnil"})) == verdict::linearizable);
    CHECK(judge(jepsen({"0\t:invoke\t:read\tnil", "0\t:ok\t:read\t3"})) == verdict::violation);
    CHECK(judge(jepsen({"0\t:invoke\t:write\t3", "0\t:ok\t:write\t3", "1\t:invoke\t:cas\t[3 4]", "1\t:ok\t:cas\t[3 4]", "0\t:invoke\t:read\tnil",
                        "0\t:ok\t:read\t4"})) == verdict::linearizable);
    // One that failed has compared; one that nobody heard of may have been done, and a read that failed was not.
    CHECK(judge(jepsen({"0\t:invoke\t:write\t3", "0\t:ok\t:write\t3", "1\t:invoke\t:cas\t[3 4]", "1\t:fail\t:cas\t[3 4]"})) == verdict::violation);
    CHECK(judge(jepsen({"0\t:invoke\t:write\t3", "0\t:info\t:write\t:timed-out", "1\t:invoke\t:read\tnil", "1\t:ok\t:read\t3"})) == verdict::linearizable);
    CHECK(judge(jepsen({"0\t:invoke\t:read\tnil", "0\t:fail\t:read\t:timed-out"})) == verdict::linearizable);
}

TEST_CASE("what failed is taken out of a history, in whatever order it ended") {
    // Client 2's read stays: nobody wrote what it read.
    CHECK(judge(jepsen({"0\t:invoke\t:write\t1", "1\t:invoke\t:write\t2", "2\t:invoke\t:read\tnil", "1\t:fail\t:write\t2",
                        "0\t:fail\t:write\t1", "2\t:ok\t:read\t3"})) == verdict::violation);
    const auto h = parse_history("{:process 1, :type :invoke, :f :put, :key \"a\", :value \"1\"}\n{:process 2, :type :invoke, :f :put, :key \"a\", :value \"2\"}\n"
                                 "{:process 3, :type :invoke, :f :put, :key \"a\", :value \"3\"}\n{:process 3, :type :fail, :f :put, :key \"a\", :value \"3\"}\n"
                                 "{:process 1, :type :fail, :f :put, :key \"a\", :value \"1\"}\n{:process 2, :type :ok, :f :put, :key \"a\", :value \"2\"}\n");
    REQUIRE(size(h) == 1);
    CHECK(describe(h, 0) == "client 2, lines 2 to 6: put \"a\" \"2\"");
}

TEST_CASE("what is no history is refused by its line") {
    CHECK(parse_history("").wrong == "neither a log of Jepsen's nor a list of operations");
    CHECK(parse_history("hello\n").wrong == "neither a log of Jepsen's nor a list of operations");
    CHECK(parse_history(jepsen({"0\t:invoke\t:read\tnil", "0\t:invoke\t:read\tnil"})).wrong == "line 2: client 0 calls before it returned");
    CHECK(parse_history(jepsen({"0\t:ok\t:read\t1"})).wrong == "line 1: client 0 returns what it did not call");
    CHECK(parse_history(jepsen({"0\t:invoke\t:pop\t1"})).wrong == "line 1: \":pop\" is no operation of a register");
    CHECK(parse_history(jepsen({"0\t:invoke\t:write\tx"})).wrong == "line 1: \"x\" is no number");
    CHECK(parse_history(jepsen({"0\t:invoke\t:cas\t[1,2]"})).wrong == "line 1: \"[1,2]\" is no pair of numbers");
    CHECK(parse_history("{:process 1, :type :invoke, :f :get, :key \"a\", :value nil}\n{:process 1}\n").wrong == "line 2: no operation");
    CHECK(parse_history("{:process 1, :type :invoke, :f :pop, :key \"a\", :value nil}\n").wrong == "line 1: \":pop\" is no operation of texts");
}

TEST_CASE("an operation can be shown to a person") {
    const auto h = parse_history("{:process 1, :type :invoke, :f :append, :key \"a\", :value \"x\"}\n{:process 1, :type :ok, :f :append, :key \"a\", :value \"x\"}\n"
                                 "{:process 2, :type :invoke, :f :get, :key \"a\", :value nil}\n{:process 2, :type :ok, :f :get, :key \"a\", :value \"x\"}\n");
    CHECK(size(h) == 2);
    CHECK(describe(h, 0) == "client 1, lines 1 to 2: append to \"a\" \"x\"");
    CHECK(describe(h, 1) == "client 2, lines 3 to 4: get \"a\": \"x\"");
    CHECK(check(h, {}).what == verdict::linearizable);
}

TEST_CASE("every history of Porcupine's collection is judged as it says") {
    const char* conformance = std::getenv("LOCKSTEP_CONFORMANCE_DIR");
    if (conformance == nullptr) {
        std::cout << "skipped: LOCKSTEP_CONFORMANCE_DIR is not set\n";
        return;
    }
    const std::filesystem::path top = std::filesystem::path(conformance) / "porcupine";
    std::size_t judged = 0;
    for (const auto& item : std::filesystem::directory_iterator(top / "kv")) {
        const std::string name = item.path().stem().string();
        if (item.path().extension() != ".txt") continue;
        INFO(name);
        REQUIRE((name.ends_with("-ok") || name.ends_with("-bad")));
        CHECK(judge(read_file(item.path())) == (name.ends_with("-ok") ? verdict::linearizable : verdict::violation));
        ++judged;
    }
    std::istringstream expected(read_file(top / "jepsen" / "expected.txt"));
    std::string number, answer;
    while (expected >> number >> answer) {
        const auto file = top / "jepsen" / ("etcd_" + std::string(3 - std::min<std::size_t>(3, number.size()), '0') + number + ".log");
        INFO(file.string());
        REQUIRE(std::filesystem::exists(file));
        CHECK(judge(read_file(file)) == (answer == "true" ? verdict::linearizable : verdict::violation));
        ++judged;
    }
    CHECK(judged > 50);
}
