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

namespace {

/// Appends that fill segments, drops and resets. What is acknowledged is noted as it is.
struct compacting_script {
    static constexpr std::size_t size = 9'000;
    log_position base, dropped;       ///< the newest reset acknowledged; what may be gone
    std::uint64_t acknowledged = 0;   ///< last index
    std::uint64_t submitted = 0;
    bool resetting = false;

    static std::uint64_t term_of(std::uint64_t index) { return 1 + index / 5; }
    static log_position at(std::uint64_t index) { return {log_index(index), term(term_of(index))}; }

    void append(wal_fixture& f, int count) {
        int answered = 0;
        for (int i = 0; i < count; ++i) {
            const std::uint64_t index = ++submitted;
            const log_record record = make_record(index, term_of(index), data_of(index, size));
            f.log().append({record.term, node_id(1), {record}},
                           [&, index](storage_error e) {
                               ++answered;
                               if (!e.code) acknowledged = index;
                           });
        }
        f.drive([&] { return answered == count; });
    }
    void drop(wal_fixture& f, std::uint64_t to) {
        if (to > acknowledged) return;
        dropped = at(to);
        f.log().drop_prefix(dropped);
    }
    void reset(wal_fixture& f, std::uint64_t to) {
        resetting = true;
        bool answered = false;
        f.log().reset(at(to), at(to).term, node_id(2), [&](storage_error e) {
            answered = true;
            if (e.code) return;
            base = dropped = at(to);
            acknowledged = submitted = to;
            resetting = false;
        });
        f.drive([&] { return answered; });
    }
    void run(wal_fixture& f) {
        if (f.open().code) return;
        append(f, 4);
        append(f, 12);
        drop(f, 9);
        append(f, 4);  // while it is dropped
        f.loop().run_until_idle();
        drop(f, 20);
        f.loop().run_until_idle();
        append(f, 3);
        if (acknowledged == 23) reset(f, 40);
        if (acknowledged == 40) append(f, 9);
        drop(f, 48);
        f.loop().run_until_idle();
    }
};

}  // namespace

TEST_CASE("killed before any call, a log that is compacted and reset has all that was acknowledged and not dropped") {
    wal_fixture whole;
    compacting_script all;
    all.run(whole);
    REQUIRE(all.acknowledged == 49);
    const std::uint64_t calls = whole.files().calls();
    for (std::uint64_t n = 1; n <= calls; ++n) {
        for (const std::size_t torn : {std::size_t{0}, std::size_t{1}, std::size_t{80}, std::size_t{9'100}}) {
            wal_fixture f;
            compacting_script s;
            f.files().crash_at(n, torn);
            s.run(f);
            if (n % 5 == 0) {
                f.reopen();
                f.files().crash_at(n % 29 + 1, torn);
                (void)f.open();
            }
            const storage_error error = f.reopen_and_open();
            INFO("call " << n << ", torn " << torn << ": " << error.code.message() << ", " << error.detail);
            REQUIRE_FALSE(error.code);
            const log_position begin = f.recovered.base;
            const std::uint64_t last = f.recovered.last_index.value;
            const bool was_reset = s.resetting && begin.index.value == 40;
            REQUIRE((was_reset || last >= s.acknowledged));
            REQUIRE((was_reset || last <= s.submitted));
            REQUIRE((was_reset || begin.index <= s.dropped.index));
            REQUIRE(begin.index >= s.base.index);
            if (begin.index.value != 0) REQUIRE(begin == compacting_script::at(begin.index.value));
            const auto records = f.read_all();
            REQUIRE(records.size() == last - begin.index.value);
            for (const auto& r : records) {
                REQUIRE(as_text(r.data.view()) == data_of(r.index.value, compacting_script::size));
                REQUIRE(r.term.value == compacting_script::term_of(r.index.value));
            }
            // No segment is left that nothing needs, and the log goes on.
            REQUIRE(f.log().bytes() <= (records.size() / 6 + 4) * 65536);
            REQUIRE_FALSE(f.append({term(99), node_id(1), {make_record(last + 1, 99, "on")}}).code);
            REQUIRE_FALSE(f.reopen_and_open().code);
            REQUIRE(f.recovered.last_index.value == last + 1);
        }
    }
}

TEST_CASE("a failure at any call of a log that is compacted is told to the next append") {
    for (std::uint64_t n = 1;; ++n) {
        wal_fixture f;
        compacting_script s;
        f.files().fail_at(n, errc::io_error);
        s.run(f);
        if (f.files().calls() < n) break;
        INFO("call " << n);
        if (f.log().bytes() != 0) {  // it was opened
            storage_error error = f.append({term(99), node_id(1), {}});
            CHECK(error.code == errc::io_error);
        }
        REQUIRE_FALSE(f.reopen_and_open().code);
        REQUIRE((f.recovered.last_index.value >= s.acknowledged || s.resetting));
    }
}

TEST_CASE("a compacted log whose first segments are lost, or whose base is, is refused by name") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    for (std::uint64_t i = 1; i <= 30; ++i) REQUIRE_FALSE(f.append(one_record(i, data_of(i, 10'000))).code);
    f.loop().run_until_idle();
    f.log().drop_prefix({log_index(14), term(1)});
    f.loop().run_until_idle();
    REQUIRE_FALSE(std::filesystem::exists(f.segment(2)));
    REQUIRE_FALSE(f.append(one_record(31, "behind the base")).code);
    f.log().close();

    // A segment that was removed and is there again is only in the way.
    const std::string third = slurp(f.segment(3));
    std::string bytes = third;
    std::filesystem::remove(f.segment(3));
    storage_error error = f.reopen_and_open();
    CHECK(error.code == errc::corrupt);
    CHECK(names(error, "wal-0000000000000003.log: the segment is missing"));
    spit(f.segment(3), third);

    // The first batch that is left.
    bytes[format::header_size + 20] ^= 1;
    spit(f.segment(3), bytes);
    error = f.reopen_and_open();
    CHECK(error.code == errc::corrupt);
    CHECK(names(error, "wal-0000000000000003.log: at offset 4096"));
    spit(f.segment(3), third);

    // The base itself: with something behind it, and as the very last.
    std::uint64_t last = 3;
    while (std::filesystem::exists(f.segment(last + 1))) ++last;
    std::string data;
    std::size_t at = std::string::npos;
    for (; at == std::string::npos; --last) {
        data = slurp(f.segment(last));
        const std::size_t tail = data.find("behind the base");
        if (tail != std::string::npos) at = tail - format::record_header_size - format::batch_header_size - 8;
        if (at != std::string::npos) break;
    }
    bytes = data;
    bytes[at] ^= 1;
    spit(f.segment(last), bytes);
    error = f.reopen_and_open();
    CHECK(error.code == errc::corrupt);
    CHECK(names(error, "the log goes on behind it"));
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end(), '\0');
    spit(f.segment(last), bytes);
    error = f.reopen_and_open();
    CHECK(error.code == errc::corrupt);
    CHECK(names(error, "wal-0000000000000001.log: the segment is missing"));
    CHECK(slurp(f.segment(last)) == bytes);
    spit(f.segment(last), data);

    REQUIRE_FALSE(f.reopen_and_open().code);
    CHECK(f.recovered.base == log_position{log_index(14), term(1)});
    CHECK(f.recovered.last_index.value == 31);
    CHECK(f.read_all().size() == 17);
}

TEST_CASE("segments that a crash left over are removed at the next start") {
    wal_fixture f;
    REQUIRE_FALSE(f.open().code);
    for (std::uint64_t i = 1; i <= 20; ++i) REQUIRE_FALSE(f.append(one_record(i, data_of(i, 10'000))).code);
    f.loop().run_until_idle();
    const std::string first = slurp(f.segment(1)), second = slurp(f.segment(2));
    f.log().drop_prefix({log_index(14), term(1)});
    f.loop().run_until_idle();
    f.log().close();
    spit(f.segment(2), second);
    for (const bool both : {false, true}) {
        if (both) {
            spit(f.segment(1), first);
            spit(f.segment(2), second);
        }
        REQUIRE_FALSE(f.reopen_and_open().code);
        CHECK(f.recovered.base.index.value == 14);
        CHECK(f.read_all().size() == 6);
        CHECK_FALSE(std::filesystem::exists(f.segment(1)));
        CHECK_FALSE(std::filesystem::exists(f.segment(2)));
    }
}
