#include <tests/catch.hpp>

#include <lockstep/base/checksum.hpp>
#include <tests/storage/storage_fixture.hpp>

using namespace lockstep;
using namespace lockstep::testing;
namespace format = lockstep::storage::wal_format;

namespace {

std::string data_of(std::uint64_t index, std::size_t size) {
    return std::string(size, static_cast<char>('a' + index % 26));
}

/// Ten batches of one record in the first segment, acknowledged one after the other.
void fill(wal_fixture& f, std::size_t size = 100) {
    REQUIRE_FALSE(f.open().code);
    for (std::uint64_t i = 1; i <= 10; ++i) REQUIRE_FALSE(f.append(one_record(i, data_of(i, size))).code);
    f.log().close();
}

/// Bytes of a batch of one record.
std::size_t batch_bytes(std::size_t size) {
    return format::batch_header_size + static_cast<std::size_t>(format::record_size(size));
}

bool names(const storage_error& error, const std::string& what) { return error.detail.find(what) != std::string::npos; }

void check_prefix(wal_fixture& f, std::uint64_t last, std::size_t size = 100) {
    CHECK(f.recovered.last_index.value == last);
    const auto all = f.read_all();
    REQUIRE(all.size() == last);
    for (std::uint64_t i = 1; i <= last; ++i) CHECK(as_text(all[i - 1].data.view()) == data_of(i, size));
}

}  // namespace

TEST_CASE("whatever part of the last batch reached the disk, it is there whole or not at all") {
    wal_fixture f;
    fill(f);
    const std::string whole = slurp(f.segment(1));
    const std::size_t start = format::header_size + 9 * batch_bytes(100);
    const std::size_t end = start + batch_bytes(100);
    for (std::size_t torn = start; torn < end; ++torn) {
        std::string bytes = whole;
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(torn),
                  bytes.begin() + static_cast<std::ptrdiff_t>(end), '\0');
        const bool same = bytes == whole;  // the padding at its end is zero anyway
        spit(f.segment(1), bytes);
        REQUIRE_FALSE(f.reopen_and_open().code);
        check_prefix(f, same ? 10 : 9);
        f.log().close();
        // What is left of it must be gone, or it could be taken for a part of what is written next.
        const std::string after = slurp(f.segment(1));
        if (!same) REQUIRE(after.find_first_not_of('\0', start) == std::string::npos);
    }
}

TEST_CASE("a torn tail is counted, and the log goes on where it was cut") {
    wal_fixture f;
    fill(f);
    std::string bytes = slurp(f.segment(1));
    const std::size_t start = format::header_size + 9 * batch_bytes(100);
    bytes[start + 70] = static_cast<char>(bytes[start + 70] ^ 1);
    spit(f.segment(1), bytes);
    REQUIRE_FALSE(f.reopen_and_open().code);
    CHECK(f.recovered.torn_bytes > 0);
    check_prefix(f, 9);
    REQUIRE_FALSE(f.append(one_record(10, data_of(10, 100))).code);
    REQUIRE_FALSE(f.reopen_and_open().code);
    CHECK(f.recovered.torn_bytes == 0);
    check_prefix(f, 10);
}

TEST_CASE("a byte that changed in the middle of the log is refused, naming file and offset") {
    wal_fixture f;
    fill(f);
    const std::string whole = slurp(f.segment(1));
    const std::size_t start = format::header_size + 4 * batch_bytes(100);
    for (std::size_t at = start; at < start + batch_bytes(100); ++at) {
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
        spit(f.segment(1), bytes);
        const storage_error error = f.reopen_and_open();
        REQUIRE(error.code == errc::corrupt);
        const std::size_t named = at < start + format::batch_header_size ? start : start + format::batch_header_size;
        CHECK(names(error, "wal-0000000000000001.log: at offset " + std::to_string(named) + ":"));
        CHECK(slurp(f.segment(1)) == bytes);
    }
}

TEST_CASE("batches of one write may reach the disk in any order: only what was acknowledged must be there") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    for (std::uint64_t i = 1; i <= 3; ++i) REQUIRE_FALSE(f.append(one_record(i, data_of(i, 100))).code);
    // One job with 4, then one with 5 to 8 together.
    std::size_t done = 0;
    for (std::uint64_t i = 4; i <= 8; ++i) {
        f.log().append(one_record(i, data_of(i, 100)), [&](storage_error e) { done += e.code ? 0 : 1; });
    }
    f.drive([&] { return done == 5; });
    f.log().close();
    std::string bytes = slurp(f.segment(1));
    const std::size_t fifth = format::header_size + 4 * batch_bytes(100);
    bytes[fifth + 80] = static_cast<char>(bytes[fifth + 80] ^ 1);
    spit(f.segment(1), bytes);
    REQUIRE_FALSE(f.reopen_and_open().code);
    check_prefix(f, 4);
    f.log().close();
    CHECK(slurp(f.segment(1)).find_first_not_of('\0', fifth) == std::string::npos);
}

TEST_CASE("damage in one segment is refused when the next goes on") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    for (std::uint64_t i = 1; i <= 10; ++i) REQUIRE_FALSE(f.append(one_record(i, data_of(i, 20'000))).code);
    f.log().close();
    REQUIRE(std::filesystem::exists(f.segment(4)));
    const std::string whole = slurp(f.segment(2));
    const std::string last_of_it = data_of(6, 20'000);
    const std::size_t at = whole.find(last_of_it);
    REQUIRE(at != std::string::npos);
    std::string bytes = whole;
    bytes[at + 5] = 'Z';
    spit(f.segment(2), bytes);
    storage_error error = f.reopen_and_open();
    CHECK(error.code == errc::corrupt);
    CHECK(names(error, "wal-0000000000000002.log: at offset " + std::to_string(at - format::record_header_size)));

    // The whole last batch of the segment turned to zeros.
    bytes = whole;
    const std::size_t batch = at - format::record_header_size - format::batch_header_size;
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(batch), bytes.end(), '\0');
    spit(f.segment(2), bytes);
    error = f.reopen_and_open();
    CHECK(error.code == errc::corrupt);

    // Something behind the last batch of a segment that is full.
    bytes = whole;
    bytes.back() = 'x';
    spit(f.segment(2), bytes);
    CHECK(f.reopen_and_open().code == errc::corrupt);
    spit(f.segment(2), whole);
    REQUIRE_FALSE(f.reopen_and_open().code);
    check_prefix(f, 10, 20'000);
}

TEST_CASE("a missing segment, a damaged header and a newer format are refused by name") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    for (std::uint64_t i = 1; i <= 10; ++i) REQUIRE_FALSE(f.append(one_record(i, data_of(i, 20'000))).code);
    f.log().close();
    const std::string whole = slurp(f.segment(2));

    std::filesystem::remove(f.segment(2));
    storage_error error = f.reopen_and_open();
    CHECK(error.code == errc::corrupt);
    CHECK(names(error, "wal-0000000000000002.log: the segment is missing"));

    std::string bytes = whole;
    bytes[100] = 1;
    spit(f.segment(2), bytes);
    error = f.reopen_and_open();
    CHECK(error.code == errc::corrupt);
    CHECK(names(error, "wal-0000000000000002.log: at offset 0:"));

    bytes = whole;
    bytes[16] = static_cast<char>(format::version + 1);
    const auto sum = checksum(as_bytes(std::string_view(bytes).substr(16, format::header_size - 16)));
    for (std::size_t i = 0; i < 8; ++i) bytes[8 + i] = static_cast<char>(sum >> (8 * i));
    spit(f.segment(2), bytes);
    error = f.reopen_and_open();
    CHECK(error.code == errc::newer_format);
    CHECK(names(error, "wal-0000000000000002.log"));

    spit(f.segment(2), slurp(f.segment(1)));
    error = f.reopen_and_open();
    CHECK(error.code == errc::corrupt);
    CHECK(names(error, "the header belongs to another segment"));

    spit(f.segment(2), whole);
    REQUIRE_FALSE(f.reopen_and_open().code);
    check_prefix(f, 10, 20'000);
}

TEST_CASE("a log may hold the bytes of a log") {
    wal_fixture other;
    REQUIRE_FALSE(other.open().code);
    for (std::uint64_t i = 1; i <= 30; ++i) REQUIRE_FALSE(other.append(one_record(i, data_of(i, 100))).code);
    wal_fixture f;
    fill(f);
    REQUIRE_FALSE(f.reopen_and_open().code);
    // Batches whose headers say that all that is here was durable before them.
    const std::string segment = slurp(other.segment(1));
    const std::size_t later = format::header_size + 20 * batch_bytes(100);
    REQUIRE_FALSE(f.append(one_record(11, segment.substr(later, 10 * batch_bytes(100)))).code);
    f.log().close();
    // Torn at its record's header: what follows is only data of it.
    std::string bytes = slurp(f.segment(1));
    char& torn = bytes[format::header_size + 10 * batch_bytes(100) + format::batch_header_size];
    torn = static_cast<char>(torn ^ 1);
    spit(f.segment(1), bytes);
    REQUIRE_FALSE(f.reopen_and_open().code);
    check_prefix(f, 10);
}

TEST_CASE("killed before any file-system call, with any part of a write done, the log has all that was acknowledged") {
    const std::size_t size = 9'000;
    const auto script = [&](wal_fixture& f, std::uint64_t& acknowledged, std::uint64_t& submitted) {
        if (f.open().code) return;
        for (int round = 0; round < 5; ++round) {
            std::size_t answered = 0;
            // The second job of a round has three batches: some of those go over two segments.
            for (int i = 0; i < 4; ++i) {
                const std::uint64_t index = ++submitted;
                f.log().append(one_record(index, data_of(index, size)), [&, index](storage_error e) {
                    ++answered;
                    if (!e.code) acknowledged = index;
                });
            }
            f.drive([&] { return answered == 4; });
            f.loop().run_until_idle();
        }
    };
    wal_fixture whole;
    std::uint64_t acknowledged = 0;
    std::uint64_t submitted = 0;
    script(whole, acknowledged, submitted);
    REQUIRE(acknowledged == 20);
    const std::uint64_t calls = whole.files().calls();
    REQUIRE(calls > 50);
    for (std::uint64_t n = 1; n <= calls; ++n) {
        for (const std::size_t torn : {std::size_t{0}, std::size_t{1}, std::size_t{9'000}, std::size_t{9'100}}) {
            wal_fixture f;
            acknowledged = submitted = 0;
            f.files().crash_at(n, torn);
            script(f, acknowledged, submitted);
            // Recovery is killed at each of its calls too, now and then.
            if (n % 7 == 0) {
                f.reopen();
                f.files().crash_at(n % 23 + 1, torn);
                (void)f.open();
            }
            const storage_error error = f.reopen_and_open();
            INFO("call " << n << ", torn " << torn << ": " << error.code.message() << ", " << error.detail);
            REQUIRE_FALSE(error.code);
            const std::uint64_t last = f.recovered.last_index.value;
            REQUIRE(last >= acknowledged);
            REQUIRE(last <= submitted);
            check_prefix(f, last, size);
            REQUIRE_FALSE(f.append(one_record(last + 1, data_of(last + 1, size))).code);
            REQUIRE_FALSE(f.reopen_and_open().code);
            check_prefix(f, last + 1, size);
        }
    }
}

TEST_CASE("a file system that fails at any call is told, and no acknowledged record is lost") {
    for (std::uint64_t n = 1;; ++n) {
        wal_fixture f;
        f.files().fail_at(n, errc::io_error);
        storage_error error = f.open();
        std::uint64_t acknowledged = 0;
        while (!error.code && acknowledged < 12) {
            error = f.append(one_record(acknowledged + 1, data_of(acknowledged + 1, 9'000)));
            if (!error.code) ++acknowledged;
            f.loop().run_until_idle();
        }
        const bool reached = f.files().calls() >= n;
        INFO("call " << n);
        if (reached && !error.code) error = f.append(one_record(acknowledged + 1, data_of(acknowledged + 1, 9'000)));
        if (!reached) break;
        CHECK(error.code == errc::io_error);
        CHECK_FALSE(error.detail.empty());
        REQUIRE_FALSE(f.reopen_and_open().code);
        REQUIRE(f.recovered.last_index.value >= acknowledged);
        check_prefix(f, f.recovered.last_index.value, 9'000);
    }
}
