#include <lockstep/codec/envelope.hpp>
#include <lockstep/content/manifest.hpp>

#include <tests/codec/hostile.hpp>
#include <tests/codec/values.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

using namespace lockstep;
using namespace lockstep::codec_test;

namespace {

shared_bytes encode(const envelope& e) { return encode_envelope(e.group, e.body); }

struct golden {
    envelope_body body;
    const char* bytes;  ///< behind version and group
    const char* version = "01";
};

envelope_body from_1_to_2(raft::message_body body) {
    return raft::message{node_id(1), node_id(2), term(3), std::move(body)};
}

// Behind each kind of Raft message: from, to, term.
#define LOCKSTEP_TEST_RAFT "00 0100000000000000 0200000000000000 0300000000000000 "

content::chunk_ref some_chunk() {
    content::chunk_ref ref;
    for (std::size_t i = 0; i < ref.hash.bytes.size(); ++i) ref.hash.bytes[i] = static_cast<std::uint8_t>(0xa0 + i);
    ref.bytes = 256;
    return ref;
}

std::vector<golden> one_of_each() {
    founding_record record{cluster_id::from(0x0706050403020100, 0x0f0e0d0c0b0a0908),
                           {{node_id(5), disk_id::from(0x1716151413121110, 0x1f1e1d1c1b1a1918)}}};
    raft::append_request append{log_index(4), term(2), log_index(6), {}};
    append.entries.push_back({log_index(5), term(2), raft::entry_kind::command, shared_bytes::copy_of("abc")});
    append.entries.push_back({log_index(6), term(3), raft::entry_kind::empty, {}});
    raft::forwarded_proposal forwarded{{shared_bytes::copy_of("x"), shared_bytes::copy_of("yz")}};
    return {
        {from_1_to_2(raft::vote_request{true, log_index(4), term(2)}),
         LOCKSTEP_TEST_RAFT "00 01 0400000000000000 0200000000000000"},
        {from_1_to_2(raft::vote_reply{false, true}), LOCKSTEP_TEST_RAFT "01 00 01"},
        {from_1_to_2(append),
         LOCKSTEP_TEST_RAFT "02 0400000000000000 0200000000000000 0600000000000000 02000000"
                            "0500000000000000 0200000000000000 01 03000000 616263"
                            "0600000000000000 0300000000000000 00 00000000"},
        {from_1_to_2(raft::append_reply{true, log_index(7), log_index(8), term(2)}),
         LOCKSTEP_TEST_RAFT "03 01 0700000000000000 0800000000000000 0200000000000000"},
        {from_1_to_2(raft::heartbeat{log_index(7), 8}), LOCKSTEP_TEST_RAFT "04 0700000000000000 0800000000000000"},
        {from_1_to_2(raft::heartbeat_reply{8}), LOCKSTEP_TEST_RAFT "05 0800000000000000"},
        {from_1_to_2(forwarded), LOCKSTEP_TEST_RAFT "06 02000000 01000000 78 02000000 797a"},
        {from_1_to_2(raft::read_request{9}), LOCKSTEP_TEST_RAFT "07 0900000000000000"},
        {from_1_to_2(raft::read_reply{9, true, log_index(7)}),
         LOCKSTEP_TEST_RAFT "08 0900000000000000 01 0700000000000000"},
        {from_1_to_2(raft::snapshot_offer{{log_index(7), term(2)}}),
         LOCKSTEP_TEST_RAFT "09 0700000000000000 0200000000000000", "02"},
        {founding_query{}, "01"},
        {founding_state{true, std::nullopt}, "02 01 00"},
        {founding_state{false, record},
         "02 00 01 000102030405060708090a0b0c0d0e0f 01000000 0500000000000000 101112131415161718191a1b1c1d1e1f"},
        {synced_query{3, log_index(4)}, "03 0300000000000000 0400000000000000"},
        {synced_report{3, log_index(4), "a/b"}, "04 0300000000000000 0400000000000000 03000000 612f62"},
        {barrier_query{3, log_index(4)}, "05 0300000000000000 0400000000000000"},
        {barrier_answer{3, true, ""}, "06 0300000000000000 01 00000000"},
        {digest_report{log_index(4), 0x1122334455667788}, "07 0400000000000000 8877665544332211"},
        {problem_report{"no"}, "08 02000000 6e6f"},
        {chunk_query{5, {some_chunk()}}, "09 0500000000000000 01000000 a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf 00010000"},
        {chunk_answer{6, {shared_bytes::copy_of("hello"), {}}}, "0a 0600000000000000 02000000 05000000 68656c6c6f 00000000"},
        {prepare_query{7, shared_bytes::copy_of("m")}, "0b 0700000000000000 01000000 6d"},
        {prepare_answer{8}, "0c 0800000000000000"},
        {snapshot_query{{log_index(7), term(2)}}, "0d 0700000000000000 0200000000000000", "02"},
        {snapshot_answer{{log_index(7), term(2)}, shared_bytes::copy_of("m")},
         "0e 0700000000000000 0200000000000000 01000000 6d", "02"},
    };
}

raft::append_request append_of(const envelope& e) {
    return std::get<raft::append_request>(std::get<raft::message>(e.body).body);
}

}  // namespace

TEST_CASE("the bytes of each kind of message are those that the format's page shows") {
    std::vector<std::pair<std::size_t, std::size_t>> seen;
    for (const auto& g : one_of_each()) {
        const auto expected = from_hex(g.version + std::string(" 6300000000000000") + g.bytes);
        CHECK(hex(encode_envelope(group_id(99), g.body).view()) == hex(expected.view()));
        const auto decoded = decode_envelope(expected);
        REQUIRE(decoded.has_value());
        CHECK(*decoded == envelope{group_id(99), g.body});
        const auto* m = std::get_if<raft::message>(&g.body);
        seen.emplace_back(g.body.index(), m ? m->body.index() : 0);
    }
    std::sort(seen.begin(), seen.end());
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    CHECK(seen.size() == values::kinds);  // a kind without golden bytes is a kind without a format
}

TEST_CASE("every message comes back as it was") {
    values v(31);
    for (std::size_t kind = 0; kind < values::kinds; ++kind) {
        for (int round = 0; round < 500; ++round) {
            const envelope sent{v.strong<group_id>(), v.body(kind)};
            const auto decoded = decode_envelope(encode(sent));
            REQUIRE(decoded.has_value());
            REQUIRE(*decoded == sent);
        }
    }
}

TEST_CASE("entries and forwarded commands are shared with the frame they came in, not copied") {
    const shared_bytes big(byte_buffer(1u << 20, std::byte{5}));
    raft::append_request append;
    append.entries.push_back({log_index(1), term(1), raft::entry_kind::command, big});
    const auto frame = encode_envelope(group_id(1), from_1_to_2(append));
    const auto before = bytes_allocated();
    const auto decoded = decode_envelope(frame);
    CHECK(bytes_allocated() - before < 4096);
    REQUIRE(decoded.has_value());
    CHECK(append_of(*decoded).entries.front().data == big);
    CHECK(shares(append_of(*decoded).entries.front().data, frame));

    const auto forwarded = encode_envelope(group_id(1), from_1_to_2(raft::forwarded_proposal{{big}}));
    const auto got = decode_envelope(forwarded);
    REQUIRE(got.has_value());
    const auto& command = std::get<raft::forwarded_proposal>(std::get<raft::message>(got->body).body).commands.front();
    CHECK(command == big);
    CHECK(shares(command, forwarded));
}

TEST_CASE("a message that is cut off, damaged or newer is refused, or is what its bytes say") {
    for (const auto& g : one_of_each()) torture(encode_envelope(group_id(1), g.body), decode_envelope, encode, 2);
}

TEST_CASE("random bytes are no danger to the decoder of messages") {
    values v(33);
    for (std::size_t kind = 0; kind < values::kinds; ++kind) {
        for (int round = 0; round < 4; ++round) {
            const auto good = encode_envelope(group_id(1), v.body(kind));
            fuzz(v.random(), good, 2000, decode_envelope, encode, 2);
        }
    }
}

TEST_CASE("a kind of message that nobody defined is corrupt") {
    CHECK(decode_envelope(from_hex("02 0100000000000000 0f")).error() == errc::corrupt);
    CHECK(decode_envelope(from_hex("01 0100000000000000 ff")).error() == errc::corrupt);
    CHECK(decode_envelope(from_hex("02 0100000000000000" LOCKSTEP_TEST_RAFT "0a")).error() == errc::corrupt);
}

TEST_CASE("a message comes in the lowest version that has it, and in no other") {
    const std::string offer = " 0100000000000000" LOCKSTEP_TEST_RAFT "09 0700000000000000 0200000000000000";
    CHECK(decode_envelope(from_hex("02" + offer)).has_value());
    CHECK(decode_envelope(from_hex("01" + offer)).error() == errc::corrupt);
    CHECK(decode_envelope(from_hex("03" + offer)).error() == errc::newer_format);
    CHECK(decode_envelope(from_hex("02 0100000000000000 01")).error() == errc::corrupt);
    CHECK(decode_envelope(from_hex("01 0100000000000000 0d 0700000000000000 0200000000000000")).error() == errc::corrupt);
}

TEST_CASE("the manifest of a snapshot is shared with the frame it came in, and bounded") {
    const auto with = [](std::size_t size) {
        return encode_envelope(group_id(1), snapshot_answer{{log_index(7), term(2)}, shared_bytes(byte_buffer(size))});
    };
    const auto largest = with(content::encoded_manifest_bytes_max);
    const auto decoded = decode_envelope(largest);
    REQUIRE(decoded.has_value());
    CHECK(shares(std::get<snapshot_answer>(decoded->body).manifest, largest));
    CHECK(decode_envelope(with(content::encoded_manifest_bytes_max + 1)).error() == errc::too_large);
    CHECK(std::get<snapshot_answer>(decode_envelope(with(0))->body).manifest.empty());
}

TEST_CASE("counts that a message cannot hold are refused before anything is allocated") {
    const std::string append = "01 0100000000000000" LOCKSTEP_TEST_RAFT
                               "02 0400000000000000 0200000000000000 0600000000000000 ";
    const std::string forwarded = "01 0100000000000000" LOCKSTEP_TEST_RAFT "06 ";
    const auto error_of = [](const std::string& text) {
        const auto bytes = from_hex(text);
        const auto before = bytes_allocated();
        const auto decoded = decode_envelope(bytes);
        CHECK(bytes_allocated() - before < 1024);
        return decoded.error();
    };
    CHECK(error_of(append + "00000100") == errc::truncated);
    CHECK(error_of(append + "01000100") == errc::too_large);
    CHECK(error_of(append + "ffffffff") == errc::too_large);
    CHECK(error_of(forwarded + "00000100") == errc::truncated);
    CHECK(error_of(forwarded + "ffffffff") == errc::too_large);
    CHECK(error_of(forwarded + "01000000 ffffffff") == errc::too_large);
    CHECK(error_of("01 0100000000000000 02 00 01 000102030405060708090a0b0c0d0e0f 40000000") == errc::truncated);
    CHECK(error_of("01 0100000000000000 02 00 01 000102030405060708090a0b0c0d0e0f 41000000") == errc::too_large);
    CHECK(error_of("01 0100000000000000 08 01000100") == errc::too_large);
}

TEST_CASE("a count is held against the least that so many items take, not only against the bytes left") {
    const auto allocated_for = [](const char* head, std::size_t left) {
        byte_buffer bytes;
        const auto start = from_hex(std::string("01 0100000000000000" LOCKSTEP_TEST_RAFT) + head);
        bytes.assign(start.view().begin(), start.view().end());
        bytes.resize(bytes.size() + left);
        const shared_bytes message(std::move(bytes));
        const auto before = bytes_allocated();
        CHECK(decode_envelope(message).error() == errc::truncated);
        return bytes_allocated() - before;
    };
    const std::size_t count = 0x1000;
    CHECK(allocated_for("02 0400000000000000 0200000000000000 0600000000000000 00100000", count * 21 - 1) < 4096);
    CHECK(allocated_for("06 00100000", count * 4 - 1) < 4096);
}

TEST_CASE("as many empty commands as fit cost memory in proportion to the message") {
    raft::forwarded_proposal f;
    f.commands.resize(1u << 16);
    const auto bytes = encode_envelope(group_id(1), from_1_to_2(f));
    const auto before = bytes_allocated();
    const auto decoded = decode_envelope(bytes);
    CHECK(bytes_allocated() - before <= 16 * bytes.size());
    CHECK(decoded.has_value());
    f.commands.resize((1u << 16) + 1);
    CHECK(decode_envelope(encode_envelope(group_id(1), from_1_to_2(f))).error() == errc::too_large);
}

TEST_CASE("a message beyond 64 MiB is refused whatever it holds") {
    CHECK(decode_envelope(shared_bytes(byte_buffer((64u << 20) + 1, std::byte{1}))).error() == errc::too_large);
}

TEST_CASE("a note for a person that is too long is cut, and the message still arrives") {
    const std::string endless((64u << 10) + 500, 'n');
    const auto problem = decode_envelope(encode_envelope(group_id(1), problem_report{endless}));
    REQUIRE(problem.has_value());
    CHECK(std::get<problem_report>(problem->body).text == endless.substr(0, 64u << 10));
    const auto report = decode_envelope(encode_envelope(group_id(1), synced_report{1, log_index(2), endless}));
    REQUIRE(report.has_value());
    CHECK(std::get<synced_report>(report->body).synced == log_index(2));
    const auto answer = decode_envelope(encode_envelope(group_id(1), barrier_answer{1, false, endless}));
    REQUIRE(answer.has_value());
    CHECK_FALSE(std::get<barrier_answer>(answer->body).ok);
}
