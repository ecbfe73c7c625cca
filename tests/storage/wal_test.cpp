#include <tests/catch.hpp>

#include <lockstep/base/checksum.hpp>
#include <lockstep/testing/log_storage_conformance.hpp>
#include <tests/storage/storage_fixture.hpp>

using namespace lockstep;
using namespace lockstep::testing;

TEST_CASE("the write-ahead log is a log_storage") {
    for (const auto& failure : check_log_storage<wal_fixture>()) FAIL_CHECK(failure);
}

TEST_CASE("appends that arrive while one is written share the next write and sync") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    f.loop().hold(lane::log);
    std::size_t done = 0;
    for (std::uint64_t i = 1; i <= 10; ++i) f.log().append(one_record(i, "data"), [&](storage_error) { ++done; });
    const auto writes = f.files().writes();
    const auto syncs = f.files().syncs();
    f.loop().run_one_job(lane::log);
    CHECK(done == 1);
    f.loop().run_one_job(lane::log);
    CHECK(done == 10);
    CHECK(f.files().writes() - writes == 2);
    CHECK(f.files().syncs() - syncs == 2);
}

TEST_CASE("a batch larger than a segment gets a segment of its own size") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    REQUIRE_FALSE(f.append(one_record(1, "small")).code);
    REQUIRE_FALSE(f.append(one_record(2, std::string(200'000, 'L'))).code);
    REQUIRE_FALSE(f.append(one_record(3, "small again")).code);
    REQUIRE_FALSE(f.reopen_and_open().code);
    const auto all = f.read_all();
    REQUIRE(all.size() == 3);
    CHECK(all[1].data.size() == 200'000);
    CHECK(as_text(all[2].data.view()) == "small again");
}

TEST_CASE("the next segment is prepared while nothing is appended, before it is needed") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    REQUIRE_FALSE(f.append(one_record(1, std::string(40'000, 'x'))).code);
    f.loop().run_until_idle();
    CHECK(std::filesystem::file_size(f.segment(2)) == 65536);
    CHECK(f.log().bytes() == 2 * 65536);
    const auto writes = f.files().writes();
    REQUIRE_FALSE(f.append(one_record(2, std::string(40'000, 'y'))).code);
    CHECK(f.files().writes() - writes == 1);
}

TEST_CASE("a full disk is told before anything is acknowledged, and what was acknowledged stays") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    const std::string data(10'000, 'x');
    REQUIRE_FALSE(f.append(one_record(1, data)).code);
    // Preallocated bytes are there to be written; only making a segment needs space.
    std::uint64_t acknowledged = 1;
    storage_error error;
    while (!error.code) {
        if (acknowledged == 5) f.files().fail_writes(errc::no_space);
        error = f.append(one_record(acknowledged + 1, data));
        if (!error.code) ++acknowledged;
        REQUIRE(acknowledged < 100);
    }
    CHECK(error.code == errc::no_space);
    CHECK(acknowledged == 5);
    f.files().fail_writes({});
    CHECK(f.append(one_record(acknowledged + 1, data)).code == errc::no_space);
    REQUIRE_FALSE(f.reopen_and_open().code);
    CHECK(f.recovered.last_index.value == acknowledged);
}

TEST_CASE("a disk that is full while a segment is prepared ahead fails only once that segment is needed") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    REQUIRE_FALSE(f.append(one_record(1, std::string(20'000, 'x'))).code);
    bool done = false;
    f.loop().hold(lane::log);
    f.log().append(one_record(2, std::string(19'000, 'x')), [&](storage_error e) { done = !e.code; });
    f.loop().run_one_job(lane::log);
    REQUIRE(done);
    f.files().fail_writes(errc::no_space);
    f.loop().hold(lane::log, false);
    f.loop().run_until_idle();
    f.files().fail_writes({});
    CHECK_FALSE(f.append(one_record(3, std::string(9'000, 'x'))).code);
    CHECK_FALSE(f.append(one_record(4, std::string(30'000, 'x'))).code);
}

TEST_CASE("a failed sync is final: every later append fails with the first error") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    REQUIRE_FALSE(f.append(one_record(1, "kept")).code);
    f.files().fail_at(f.files().calls() + 2, errc::io_error);
    const storage_error first = f.append(one_record(2, "lost"));
    CHECK(first.code == errc::io_error);
    CHECK(first.detail.find("wal-0000000000000001.log") != std::string::npos);
    const auto calls = f.files().calls();
    const storage_error second = f.append(one_record(3, "refused"));
    CHECK(second.code == errc::io_error);
    CHECK(second.detail == first.detail);
    CHECK(f.files().calls() == calls);
}

TEST_CASE("when a write fails, what waits behind it fails too, in order") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    f.files().fail_at(f.files().calls() + 1, errc::io_error);
    std::vector<int> failed;
    for (int i = 1; i <= 3; ++i) {
        f.log().append(one_record(static_cast<std::uint64_t>(i), "x"), [&, i](storage_error e) {
            if (e.code == errc::io_error) failed.push_back(i);
        });
    }
    f.loop().run_until_idle();
    CHECK(failed == std::vector<int>{1, 2, 3});
}

TEST_CASE("records truncated while they are being read are not handed out") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    REQUIRE_FALSE(f.append({term(1), node_id(1), {make_record(1, 1, "a"), make_record(2, 1, "b")}}).code);
    f.loop().hold(lane::reads);
    std::vector<log_record> got;
    f.log().read(log_index(1), log_index(2), 1000,
                 [&](std::vector<log_record> r, storage_error) { got = std::move(r); });
    REQUIRE_FALSE(f.append({term(2), node_id(1), {make_record(2, 2, "new")}}).code);
    f.loop().hold(lane::reads, false);
    f.loop().run_until_idle();
    REQUIRE(got.size() == 1);
    CHECK(as_text(got[0].data.view()) == "a");

    f.loop().hold(lane::reads);
    f.log().read(log_index(2), log_index(2), 1000,
                 [&](std::vector<log_record> r, storage_error) { got = std::move(r); });
    REQUIRE_FALSE(f.append({term(3), node_id(1), {make_record(2, 3, "newest")}}).code);
    f.loop().hold(lane::reads, false);
    f.loop().run_until_idle();
    REQUIRE(got.size() == 1);
    CHECK(as_text(got[0].data.view()) == "newest");
}

TEST_CASE("a record damaged on disk after it was opened is refused by name when it is read") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    REQUIRE_FALSE(f.append(one_record(1, "precious")).code);
    std::string bytes = slurp(f.segment(1));
    bytes[bytes.find("precious")] = 'P';
    spit(f.segment(1), bytes);
    storage_error error;
    f.log().read(log_index(1), log_index(1), 100, [&](std::vector<log_record>, storage_error e) { error = e; });
    f.loop().run_until_idle();
    CHECK(error.code == errc::corrupt);
    CHECK(error.detail.find("wal-0000000000000001.log: at offset 4160") != std::string::npos);
}

TEST_CASE("an append's answer may destroy the log") {
    auto f = std::make_unique<wal_fixture>();
    REQUIRE_FALSE(f->open().code);
    int answered = 0;
    for (std::uint64_t i = 1; i <= 3; ++i) {
        f->log().append(one_record(i, "x"), [&](storage_error) {
            ++answered;
            f->log().close();
        });
    }
    f->loop().run_until_idle();
    CHECK(answered == 1);
}

namespace {

/// Records of about a sixth of a segment, one after the other.
void fill_segments(wal_fixture& f, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i <= to; ++i) REQUIRE_FALSE(f.append(one_record(i, std::string(10'000, 'x'))).code);
    f.loop().run_until_idle();
}

bool there(const wal_fixture& f, std::uint64_t segment) { return std::filesystem::exists(f.segment(segment)); }

}  // namespace

TEST_CASE("segments go when all that is in them was dropped, and not before") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    fill_segments(f, 1, 20);  // six in each
    const auto bytes = f.log().bytes();
    const auto writes = f.files().writes();
    f.log().drop_prefix({log_index(5), term(1)});
    f.loop().run_until_idle();
    CHECK(f.files().writes() == writes);  // nothing to gain yet
    CHECK(there(f, 1));
    f.log().drop_prefix({log_index(13), term(1)});
    f.loop().run_until_idle();
    CHECK_FALSE(there(f, 1));
    CHECK_FALSE(there(f, 2));
    CHECK(there(f, 3));
    CHECK(bytes - f.log().bytes() == 2 * 65536);
    REQUIRE_FALSE(f.reopen_and_open().code);
    CHECK(f.recovered.base == log_position{log_index(13), term(1)});
    CHECK(f.recovered.last_index.value == 20);
    CHECK(f.read_all().size() == 7);
    f.log().drop_prefix({log_index(20), term(1)});
    f.loop().run_until_idle();
    CHECK(f.log().bytes() <= 2 * 65536);
    REQUIRE_FALSE(f.reopen_and_open().code);
    CHECK(f.recovered.base == log_position{log_index(20), term(1)});
    CHECK(f.recovered.runs.empty());
    fill_segments(f, 21, 40);
    REQUIRE_FALSE(f.reopen_and_open().code);
    CHECK(f.recovered.last_index.value == 40);
}

TEST_CASE("a drop waits for one write at most, and a write for one removal at most") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    fill_segments(f, 1, 40);
    f.loop().hold(lane::log);
    std::size_t done = 0;
    const auto append = [&](std::uint64_t i) { f.log().append(one_record(i, "x"), [&](storage_error) { ++done; }); };
    append(41);
    append(42);
    f.log().drop_prefix({log_index(40), term(1)});
    f.loop().run_one_job(lane::log);
    CHECK(done == 1);
    f.loop().run_one_job(lane::log);  // the base
    CHECK(done == 1);
    f.loop().run_one_job(lane::log);
    CHECK(done == 2);
    append(43);
    CHECK(there(f, 1));
    f.loop().run_one_job(lane::log);
    CHECK_FALSE(there(f, 1));
    CHECK(there(f, 2));
    CHECK(done == 2);
    f.loop().run_one_job(lane::log);
    CHECK(done == 3);
    f.loop().hold(lane::log, false);
    f.loop().run_until_idle();
    CHECK_FALSE(there(f, 5));
}

TEST_CASE("what is dropped while it is being read is not found, or read whole") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    fill_segments(f, 1, 20);
    f.loop().hold(lane::reads);
    storage_error error;
    std::vector<log_record> got;
    const auto keep = [&](std::vector<log_record> records, storage_error e) {
        got = std::move(records);
        error = std::move(e);
    };
    f.log().read(log_index(2), log_index(4), 1 << 20, keep);
    f.log().drop_prefix({log_index(13), term(1)});
    f.drive([&] { return !there(f, 2); });
    f.loop().hold(lane::reads, false);
    f.loop().run_until_idle();
    CHECK(got.empty());
    CHECK(error.code == errc::not_found);
}

TEST_CASE("a full disk can be given space: a drop needs none of its own") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    fill_segments(f, 1, 14);
    std::uint64_t last = 14;
    // Up to the very end of a segment, and there is none behind it.
    const auto room = [&] {
        const std::string bytes = slurp(f.segment(3));
        return bytes.size() - (bytes.find_last_not_of('\0') + 1);
    };
    while (room() > 500) {
        const std::string data(room() > 12'000 ? 10'000 : 100, 'x');
        REQUIRE_FALSE(f.append(one_record(++last, data)).code);
    }
    std::uint64_t made = 4;
    while (there(f, made)) std::filesystem::remove(f.segment(made++));
    REQUIRE_FALSE(f.reopen_and_open().code);
    REQUIRE(f.recovered.last_index.value == last);
    f.log().drop_prefix({log_index(last), term(1)});
    f.loop().run_until_idle();
    CHECK_FALSE(there(f, 1));
    CHECK_FALSE(there(f, 2));
    CHECK(there(f, 3));
    REQUIRE_FALSE(f.append(one_record(last + 1, "room again")).code);
}

TEST_CASE("a log of version 1 goes on, and gets its first base in a segment of version 2") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    fill_segments(f, 1, 10);
    f.log().close();
    // What an older program left: the same bytes under headers of its version.
    for (std::uint64_t s = 1; there(f, s); ++s) {
        std::string bytes = slurp(f.segment(s));
        bytes[16] = 1;
        const auto sum = checksum(as_bytes(std::string_view(bytes).substr(16, 4096 - 16)));
        for (std::size_t i = 0; i < 8; ++i) bytes[8 + i] = static_cast<char>(sum >> (8 * i));
        spit(f.segment(s), bytes);
    }
    for (const bool reset : {false, true}) {
        REQUIRE_FALSE(f.reopen_and_open().code);
        const auto last = f.recovered.last_index.value;
        fill_segments(f, last + 1, last + 1);
        if (reset) {
            storage_error error{errc::timed_out, {}};
            f.log().reset({log_index(90), term(3)}, term(3), node_id(1), [&](storage_error e) { error = e; });
            f.loop().run_until_idle();
            CHECK_FALSE(error.code);
        } else {
            f.log().drop_prefix({log_index(7), term(1)});
            f.loop().run_until_idle();
            CHECK_FALSE(there(f, 1));
        }
        REQUIRE_FALSE(f.reopen_and_open().code);
        CHECK(f.recovered.base.index.value == (reset ? 90 : 7));
        CHECK(f.read_all().size() == (reset ? 0 : last + 1 - 7));
        CHECK(slurp(f.segment(4))[16] == 2);
    }
}
