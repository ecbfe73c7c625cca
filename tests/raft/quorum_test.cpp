#include <lockstep/raft/quorum.hpp>

#include <tests/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>

using namespace lockstep;
using namespace lockstep::raft;

namespace {

/// One case of etcd's data: `committed cfg=(1,2) cfgj=(2,3) idx=(5,_,7)`, then bars, then the answer.
struct quorum_case {
    std::string input;
    std::string command;
    bool joint = false;
    joint_voters voters;
    std::map<node_id, std::string> given;  // "_": nothing known
    std::string answer;
};

std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> parts;
    std::istringstream in(list);
    for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
    return parts;
}

/// The text in the brackets behind `key=`.
std::string argument(const std::string& input, const std::string& key) {
    const auto at = input.find(key + "=(");
    if (at == std::string::npos) return {};
    const auto from = at + key.size() + 2;
    std::string text = input.substr(from, input.find(')', from) - from);
    std::erase(text, ' ');
    return text;
}

quorum_case parse(const std::string& input, const std::string& answer) {
    quorum_case c;
    c.input = input;
    c.command = input.substr(0, input.find(' '));
    c.joint = input.find("cfgj=") != std::string::npos;
    c.answer = answer;
    std::vector<node_id> order;
    for (const auto* key : {"cfg", "cfgj"})
        for (const auto& text : split(argument(input, key))) {
            const node_id id(std::stoull(text));
            (key == std::string("cfg") ? c.voters.incoming : c.voters.outgoing).insert(id);
            if (std::find(order.begin(), order.end(), id) == order.end()) order.push_back(id);
        }
    const auto values = split(argument(input, c.command == "vote" ? "votes" : "idx"));
    for (std::size_t i = 0; i < order.size(); ++i) c.given[order[i]] = i < values.size() ? values[i] : "_";
    return c;
}

std::vector<quorum_case> read_cases(const std::string& path) {
    std::vector<quorum_case> cases;
    std::ifstream file(path);
    std::string input, last, line;
    bool answering = false;
    const auto finish = [&] {
        if (answering) cases.push_back(parse(input, last));
        answering = false;
        input.clear();
    };
    while (std::getline(file, line)) {
        if (line.empty()) finish();
        else if (line == "----") answering = true;
        else if (answering) last = line;
        else if (line[0] != '#') input = line;
    }
    finish();
    return cases;
}

std::string answer_of(const quorum_case& c) {
    if (c.command == "vote") {
        const auto ballot = [&](node_id id) -> std::optional<bool> {
            const auto& text = c.given.at(id);
            return text == "_" ? std::nullopt : std::optional(text == "y");
        };
        const auto result = c.joint ? joint_vote(c.voters, ballot) : majority_vote(c.voters.incoming, ballot);
        return result == vote_result::won ? "VoteWon" : result == vote_result::lost ? "VoteLost" : "VotePending";
    }
    const auto reached = [&](node_id id) -> std::uint64_t {
        const auto& text = c.given.at(id);
        return text == "_" ? 0 : std::stoull(text);
    };
    const auto number = c.joint ? joint_reached(c.voters, reached) : majority_reached(c.voters.incoming, reached);
    return number == reached_all ? "\xe2\x88\x9e" : std::to_string(number);
}

/// An empty quorum's drawing shares the answer's line.
std::string bare(const std::string& answer) {
    const auto end = answer.rfind('>');
    return end == std::string::npos ? answer : answer.substr(end + 1);
}

}  // namespace

TEST_CASE("an empty quorum has reached everything and wins every vote") {
    CHECK(majority_reached({}, [](node_id) { return std::uint64_t{0}; }) == reached_all);
    CHECK(majority_vote({}, [](node_id) { return std::optional<bool>(); }) == vote_result::won);
}

TEST_CASE("a majority has reached the middle number, the lower one of two") {
    std::map<node_id, std::uint64_t> numbers{{node_id(1), 7}, {node_id(2), 5}, {node_id(3), 9}, {node_id(4), 6}};
    std::set<node_id> voters;
    const auto reached = [&](node_id id) { return numbers.at(id); };
    for (const std::uint64_t expected : {7u, 5u, 7u, 6u}) {
        voters.insert(node_id(voters.size() + 1));
        CHECK(majority_reached(voters, reached) == expected);
    }
}

TEST_CASE("a vote is lost as soon as it cannot be won") {
    const std::set<node_id> voters{node_id(1), node_id(2), node_id(3), node_id(4)};
    std::map<node_id, bool> ballots;
    const auto result = [&] {
        return majority_vote(voters, [&](node_id id) {
            const auto it = ballots.find(id);
            return it == ballots.end() ? std::nullopt : std::optional(it->second);
        });
    };
    ballots[node_id(1)] = true;
    ballots[node_id(2)] = false;
    CHECK(result() == vote_result::pending);
    ballots[node_id(3)] = false;
    CHECK(result() == vote_result::lost);
    ballots[node_id(3)] = true;
    CHECK(result() == vote_result::pending);
    ballots[node_id(4)] = true;
    CHECK(result() == vote_result::won);
}

TEST_CASE("a joint quorum needs both of its majorities") {
    const joint_voters voters{{node_id(1), node_id(2), node_id(3)}, {node_id(3), node_id(4), node_id(5)}};
    const auto vote = [&](std::set<std::uint64_t> yes, std::set<std::uint64_t> no) {
        return joint_vote(voters, [&](node_id id) {
            if (yes.contains(id.value)) return std::optional(true);
            return no.contains(id.value) ? std::optional(false) : std::nullopt;
        });
    };
    CHECK(vote({1, 2}, {}) == vote_result::pending);
    CHECK(vote({1, 2, 4}, {}) == vote_result::pending);
    CHECK(vote({1, 2, 4, 5}, {}) == vote_result::won);
    CHECK(vote({1, 2}, {4, 5}) == vote_result::lost);
    CHECK(joint_reached(voters, [](node_id id) { return 10 * id.value; }) == 20);
}

TEST_CASE("the quorums agree with etcd's cases") {
    const char* const folder = std::getenv("LOCKSTEP_CONFORMANCE_DIR");
    if (folder == nullptr) {
        std::cout << "skipped: the quorums agree with etcd's cases (LOCKSTEP_CONFORMANCE_DIR is not set)\n";
        return;
    }
    for (const auto* name : {"majority_commit", "majority_vote", "joint_commit", "joint_vote"}) {
        const auto cases = read_cases(std::string(folder) + "/etcd-raft/quorum/" + name + ".txt");
        CHECK(cases.size() > 10);
        for (const auto& c : cases) {
            CAPTURE(name, c.input);
            CHECK(answer_of(c) == bare(c.answer));
        }
    }
}
