// That what is read from a simulated disk is what is durable on it: no more while a write is under way or its segment has no
// durable name, and no less than the log itself comes back with, whatever befell the machine.
#include <tests/catch.hpp>

#include <sim/checkers/wal_image.hpp>
#include <sim/disk/sim_file_system.hpp>
#include <sim/machine/older_log.hpp>
#include <sim/machine/sim_policies.hpp>

using namespace lockstep;
using namespace lockstep::sim;
using namespace std::chrono_literals;

namespace {

/// A machine that runs nothing but a log of small segments.
struct log_bench {
    explicit log_bench(std::uint64_t seed) : w(seed), cables(w), network(w, cables), box(w, cables, network, nullptr, node_id(1)) {
        box.set_program([this](node_system& s) {
            auto log = std::make_shared<sim_wal>(s.runtime, s.file_system, "/");
            log->open([this](recovered_log found, const storage_error& error) {
                REQUIRE(!error.code);
                recovered = std::move(found);
            });
            return log;
        });
        box.set_watch([this](machine_event e) {
            if (e == machine_event::power_lost) image.power_lost();
        });
    }
    void start() {
        recovered.reset();
        while (!box.start()) w.step();
        w.run_until([this] { return recovered.has_value(); }, w.now() + 10s);
        REQUIRE(recovered);
    }
    sim_wal& log() { return *static_cast<sim_wal*>(box.system()->program.get()); }
    void append(std::uint64_t t, std::uint64_t first, std::size_t count, std::size_t bytes) {
        log_batch batch{term(t), node_id(2), {}};
        for (std::size_t i = 0; i < count; ++i)
            batch.records.push_back({log_index(first + i), term(t), 1, shared_bytes(byte_buffer(bytes, std::byte(t)))});
        ++asked;
        log().append(std::move(batch), [this](const storage_error& error) { acknowledged += !error.code; });
    }
    void run_for(duration time) { w.run_until(w.now() + time); }

    world w;
    links cables;
    sim_network network;
    machine box;
    durable_log durable;
    std::size_t writes = 0;
    wal_image image{box.disk(), "/wal", [this](const durable_write& what) { ++writes; (void)durable.apply(what); }};
    std::optional<recovered_log> recovered;
    std::size_t asked = 0;
    std::size_t acknowledged = 0;
};

void agree(const durable_log& disk, const recovered_log& found) {
    CHECK(disk.term() == found.term);
    CHECK(disk.voted_for() == found.voted_for);
    CHECK(disk.last() == found.last_index);
    CHECK(disk.base() == found.base);
    for (const log_run& run : found.runs) CHECK(disk.term_at(run.first) == run.term);
}

}  // namespace

TEST_CASE("a batch is in the image when it is acknowledged, with each of its entries") {
    log_bench b(1);
    b.start();
    CHECK(b.writes == 0);
    b.append(1, 1, 3, 10);
    b.run_for(5s);
    CHECK(b.acknowledged == 1);
    CHECK(b.durable.term() == term(1));
    CHECK(b.durable.voted_for() == node_id(2));
    CHECK(b.durable.last() == log_index(3));
    REQUIRE(b.durable.at(log_index(2)));
    CHECK(*b.durable.at(log_index(2)) == mark_of({log_index(2), term(1), raft::entry_kind::command, shared_bytes(byte_buffer(10, std::byte(1)))}));
}

TEST_CASE("the image is never behind an acknowledgement, and after any crash it is what the log comes back with") {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        log_bench b(seed);
        random_generator random = b.w.fork("story");
        b.start();
        std::uint64_t t = 1;
        for (int life = 0; life < 4; ++life) {
            for (int i = 0; i < 12; ++i) {
                const std::uint64_t end = b.recovered->last_index.value;
                std::uint64_t from = end + 1;
                if (random.one_in(4) && end > b.durable.base().index.value + 1) from = end, ++t;   // replaces the last one
                const std::size_t count = 1 + random.below(5);
                b.append(t, from, count, random.below(20'000));
                b.recovered->last_index = log_index(from + count - 1);
                const std::size_t before = b.acknowledged;
                b.run_for(draw(random, duration(0), 3ms));
                if (b.acknowledged != before) CHECK(b.writes >= b.acknowledged);
            }
            b.box.crash(random.one_in(2) ? crash_kind::power : crash_kind::process);
            b.start();
            b.run_for(1s);
            agree(b.durable, *b.recovered);
            b.asked = b.acknowledged = b.writes;   // what was under way may have come to the disk
        }
        CHECK(b.writes > 0);
    }
}

TEST_CASE("the log goes on behind a segment that was made ahead by a version without bases") {
    log_bench b(5);
    b.start();
    std::size_t written = 0;
    for (; !b.box.disk().find("/wal/" + storage::wal_format::segment_name(2)); b.run_for(1s)) b.append(1, ++written, 1, 8000);
    CHECK(b.durable.last() == log_index(written));
    b.box.crash(crash_kind::process);
    b.run_for(1s);
    REQUIRE(make_log_older(b.box.disk(), "/wal"));
    b.start();
    b.log().reset({log_index(100), term(3)}, term(4), node_id(2), [](const storage_error&) {});
    b.run_for(1s);
    CHECK(b.durable.base() == log_position{log_index(100), term(3)});
    b.append(4, 101, 1, 10);
    b.run_for(1s);
    CHECK(b.durable.last() == log_index(101));
    b.box.crash(crash_kind::power);
    b.start();
    agree(b.durable, *b.recovered);
}

TEST_CASE("what was written and not synced is in no image") {
    world w(3);
    sim_disk disk(w, 1);
    std::size_t writes = 0;
    wal_image image(disk, "/wal", [&](const durable_write&) { ++writes; });
    const auto top = disk.open_directory(sim_disk::user, "/").value();
    REQUIRE(disk.make_directory(top, "wal", 0700));
    const auto dir = disk.open_directory_at(sim_disk::user, top, "wal").value();

    namespace format = storage::wal_format;
    const format::segment_header header{1, 42};
    byte_buffer bytes = format::encode_header(header);
    std::vector<format::record_place> places;
    format::append_batch(bytes, format::header_size, format::segment_seed(header), 1, 0,
                         {term(1), node_id(1), {{log_index(1), term(1), 1, shared_bytes::copy_of(std::string_view("x"))}}}, places);
    const auto file = disk.open_file(sim_disk::user, dir, format::segment_name(1), open_mode::create_new, 0600).value();
    REQUIRE(disk.write_at(file, 0, bytes));
    REQUIRE(disk.sync_directory(dir));
    CHECK(writes == 0);   // the name is durable, its content is not
    REQUIRE(disk.sync(file, false));
    CHECK(writes == 1);
}

TEST_CASE("a segment whose name is not durable holds nothing durable") {
    world w(3);
    sim_disk disk(w, 1);
    std::size_t writes = 0;
    wal_image image(disk, "/wal", [&](const durable_write&) { ++writes; });
    const auto top = disk.open_directory(sim_disk::user, "/").value();
    REQUIRE(disk.make_directory(top, "wal", 0700));
    const auto dir = disk.open_directory_at(sim_disk::user, top, "wal").value();

    namespace format = storage::wal_format;
    const format::segment_header header{1, 42};
    byte_buffer bytes = format::encode_header(header);
    std::vector<format::record_place> places;
    format::append_batch(bytes, format::header_size, format::segment_seed(header), 1, 0, {term(1), node_id(1), {}}, places);
    const auto file = disk.open_file(sim_disk::user, dir, format::segment_name(1), open_mode::create_new, 0600).value();
    REQUIRE(disk.write_at(file, 0, bytes));
    REQUIRE(disk.sync(file, true));
    CHECK(writes == 0);
    REQUIRE(disk.sync_directory(dir));
    CHECK(writes == 1);
}
