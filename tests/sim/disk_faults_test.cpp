// The faults of disks, each seen to bite: what the shipped log and chunk store make of it, and what the plan counts.
#include <tests/catch.hpp>

#include <sim/faults/attendant.hpp>
#include <sim/faults/fault_plan.hpp>
#include <sim/scenario.hpp>

#include <lockstep/node/replica.hpp>
#include <lockstep/storage/chunk_store.hpp>
#include <lockstep/storage/wal.hpp>

using namespace lockstep;
using namespace lockstep::sim;
using namespace std::chrono_literals;

namespace {

using log_type = storage::wal<sim_runtime, sim_file_system>;
using store_type = storage::chunk_store<sim_runtime, sim_file_system>;

/// A machine whose program keeps a log and chunks in /state, and little else.
struct bench {
    explicit bench(std::uint64_t seed = 1, std::uint64_t machines = 3) : w(seed), cables(w), network(w, cables) {
        machine_options options;
        options.state = "/state";
        options.runtime.stall_one_in = 0;
        for (std::uint64_t id = 1; id <= machines; ++id) {
            boxes.push_back(std::make_unique<machine>(w, cables, network, nullptr, node_id(id), options));
            auto root = boxes.back()->disk().open_directory(sim_disk::user, "/").value();
            REQUIRE(boxes.back()->disk().make_directory(root, "state", 0755));
            REQUIRE(boxes.back()->disk().sync_directory(root));
            boxes.back()->set_program([this, id](node_system& s) {
                auto p = std::make_shared<program>(s);
                if (id == 1) running = p.get();
                return p;
            });
        }
    }

    struct program {
        explicit program(node_system& s)
            : log(s.runtime, s.file_system, "/state", {65536, 30'000}), chunks(s.runtime, s.file_system, "/state", {4096}), fs(s.file_system) {
            log.open([this](recovered_log recovered, storage_error error) {
                found = std::move(recovered);
                log_error = std::move(error);
                log_opened = true;
            });
            chunks.open([this](storage::chunk_store_report r, storage_error error) {
                report = std::move(r);
                chunks_error = std::move(error);
                chunks_opened = true;
            });
        }
        log_type log;
        store_type chunks;
        sim_file_system& fs;
        recovered_log found;
        storage_error log_error, chunks_error;
        storage::chunk_store_report report;
        bool log_opened = false, chunks_opened = false;
    };

    machine& box() { return *boxes.front(); }
    void start() {
        REQUIRE(box().start());
        REQUIRE(w.run_until([&] { return running->log_opened && running->chunks_opened; }, w.now() + 60s));
    }
    void restart(crash_kind how) {
        box().crash(how);
        w.run_until(w.now() + 1ms);
        start();
    }
    storage_error append(std::size_t bytes = 200) {
        log_batch batch{term(1), node_id(1), {{++last, term(1), 1, shared_bytes::copy_of(std::string(bytes, 'e'))}}};
        std::optional<storage_error> done;
        running->log.append(std::move(batch), [&](storage_error e) { done = std::move(e); });
        REQUIRE(w.run_until([&] { return done.has_value(); }, w.now() + 60s));
        return *done;
    }
    storage_error put(const shared_bytes& chunk) {
        std::optional<storage_error> done;
        running->chunks.put({{sha256(chunk.view()), chunk}}, [&](storage_error e) { done = std::move(e); });
        REQUIRE(w.run_until([&] { return done.has_value(); }, w.now() + 60s));
        return *done;
    }
    result<shared_bytes> read(const shared_bytes& chunk) {
        const content_hash names[] = {sha256(chunk.view())};
        return store_type::reader(running->fs, running->chunks.locate(names)).read(0);
    }
    fault_plan plan(const std::vector<fault>& faults) {
        std::vector<machine*> all;
        for (auto& b : boxes) all.push_back(b.get());
        return {w, cables, network, nullptr, all, faults};
    }

    world w;
    links cables;
    sim_network network;
    std::vector<std::unique_ptr<machine>> boxes;
    program* running = nullptr;
    log_index last{};
};

shared_bytes chunk_of(char c, std::size_t bytes = 1000) { return shared_bytes::copy_of(std::string(bytes, c)); }

fault of(fault_kind kind, node_id whom, std::int64_t by, duration lasts = {}, duration at = 1ms) {
    fault f;
    f.at = at;
    f.kind = kind;
    f.who.ids = {whom};
    f.by = by;
    f.lasts = lasts;
    return f;
}

/// A number that picks a place whose file's name begins so.
template <class Damage>
void until_it_hits(disk_damage& damage, const std::string& name, Damage strike) {
    for (std::uint64_t pick = 1; pick < 10'000; ++pick) {
        strike(pick);
        if (damage.last().starts_with(name)) return;
    }
    FAIL("never hit " << name);
}

}  // namespace

TEST_CASE("a bit of a log that rots, anywhere but in its last batch, is refused at the next start, by file and offset") {
    for (std::uint64_t pick = 1; pick <= 60; ++pick) {
        bench b(pick);
        b.start();
        for (int i = 0; i < 8; ++i) REQUIRE_FALSE(b.append().code);
        b.box().crash(crash_kind::power);
        b.w.run_until(b.w.now() + 1ms);
        std::vector<kept_place> places = kept_places(b.box().disk(), "/state");
        std::erase_if(places, [](const kept_place& p) { return p.kind != kept_kind::log; });
        REQUIRE(places.size() == 1);
        random_generator random(pick);
        const auto at = static_cast<std::size_t>(random.between(pick % 2 ? storage::wal_format::header_size : 0, places[0].to - 1));
        places[0].file->content[at] ^= std::byte{1} << random.below(8);
        b.start();
        INFO("offset " << at);
        CHECK(b.running->log_error.code == errc::corrupt);
        CHECK(b.running->log_error.detail.find("/state/wal/wal-0000000000000001.log: at offset ") == 0);
    }
}

TEST_CASE("what nobody could tell from a crash is spared: the last batch of a log, and what was not synced") {
    bench b;
    b.start();
    const auto end_of_log = [&] {
        for (const kept_place& p : kept_places(b.box().disk(), "/state"))
            if (p.kind == kept_kind::log) return p.to;
        return std::uint64_t{0};
    };
    CHECK(end_of_log() == storage::wal_format::header_size);
    REQUIRE_FALSE(b.append(200).code);
    CHECK(end_of_log() == storage::wal_format::header_size);
    REQUIRE_FALSE(b.append(200).code);
    CHECK(end_of_log() == storage::wal_format::header_size + storage::wal_format::batch_header_size + storage::wal_format::record_size(200));
    auto dir = b.running->fs.open_directory("/state/wal").value();
    auto file = b.running->fs.open_file(dir, storage::wal_format::segment_name(1), open_mode::read_write, 0).value();
    REQUIRE(b.running->fs.write_at(file, 60'000, as_bytes("x")));
    CHECK(end_of_log() == 0);
}

TEST_CASE("a chunk that rots is found damaged when it is read or at a start, and put again it is there") {
    bench b;
    b.start();
    const shared_bytes chunk = chunk_of('c', 100'000);
    REQUIRE_FALSE(b.put(chunk).code);
    REQUIRE(b.read(chunk).has_value());
    until_it_hits(b.box().damage(), "chunks/pack", [&](std::uint64_t pick) { REQUIRE(b.box().damage().rot(pick)); });
    const content_hash names[] = {sha256(chunk.view())};
    const auto where = b.running->chunks.locate(names);
    CHECK(store_type::reader(b.running->fs, where).read(0).error() == errc::corrupt);
    b.running->chunks.forget(where, 0);
    REQUIRE_FALSE(b.put(chunk).code);
    CHECK(b.read(chunk).has_value());
    CHECK(b.box().damage().counts().rotten_bits > 0);
}

TEST_CASE("a sector that cannot be read fails each read that needs it, until it is written") {
    bench b;
    b.start();
    for (int i = 0; i < 20; ++i) REQUIRE_FALSE(b.append().code);
    until_it_hits(b.box().damage(), "wal/", [&](std::uint64_t pick) { REQUIRE(b.box().damage().spoil_sector(pick)); });
    const auto segment = b.box().disk().find("/state/wal/" + storage::wal_format::segment_name(1));
    REQUIRE(segment->unreadable.size() == 1);
    const std::uint64_t sector = *segment->unreadable.begin();
    b.restart(crash_kind::power);
    CHECK(b.running->log_error.code == errc::io_error);
    auto dir = b.running->fs.open_directory("/state/wal").value();
    auto file = b.running->fs.open_file(dir, storage::wal_format::segment_name(1), open_mode::read_write, 0).value();
    byte_buffer bytes(sector_bytes);
    CHECK(b.running->fs.read_at(file, sector * sector_bytes, bytes).error() == errc::io_error);
    CHECK(b.running->fs.read_at(file, (sector + 1) * sector_bytes, bytes).has_value());
    REQUIRE(b.running->fs.write_at(file, sector * sector_bytes, bytes));
    CHECK(b.running->fs.read_at(file, sector * sector_bytes, bytes).has_value());
}

TEST_CASE("a replica whose log cannot be read stops, and says so, instead of waiting for ever") {
    bench b;
    b.start();
    std::uint64_t applied = 0;
    storage_error damage;
    replica_hooks hooks;
    hooks.send = [](const raft::message&) {};
    hooks.apply = [&](const raft::entry&) { ++applied; };
    hooks.event = [](const raft::event&) {};
    hooks.fatal = [](const storage_error&) { FAIL("nothing was written"); };
    hooks.damaged = [&](const storage_error& e) { damage = e; };
    raft::initial_state initial;
    initial.self = node_id(1);
    initial.voters = {node_id(1)};
    initial.seed = 1;
    replica<sim_runtime, log_type> r(b.box().system()->runtime, b.running->log, {}, initial, std::move(hooks));
    REQUIRE(b.w.run_until([&] { return r.core().state_role() == raft::role::leader; }, b.w.now() + 60s));
    for (std::uint64_t i = 1; i <= 40; ++i) {
        r.propose({shared_bytes::copy_of(std::string(500, 'c'))});
        REQUIRE(b.w.run_until([&] { return applied > i; }, b.w.now() + 60s));
    }
    std::size_t read = 0;
    const auto read_all = [&] { r.read_log(log_index(1), r.core().last_index(), 1 << 20, [&](auto entries) { read += entries.size(); }); };
    read_all();
    b.w.run_until(b.w.now() + 1s);
    CHECK(read == r.core().last_index().value);
    CHECK_FALSE(damage.code);
    for (std::uint64_t pick = 1; pick < 1000; ++pick) REQUIRE(b.box().damage().spoil_sector(pick));
    read_all();
    b.w.run_until(b.w.now() + 1s);
    CHECK(damage.code == errc::io_error);
    CHECK(read == r.core().last_index().value);
}

TEST_CASE("reads that rot do so on the way only: the disk is as it was") {
    bench b;
    b.start();
    const shared_bytes chunk = chunk_of('c', 3000);
    REQUIRE_FALSE(b.put(chunk).code);
    b.box().damage().rot_reads(1);
    CHECK(b.read(chunk).error() == errc::corrupt);
    b.box().damage().rot_reads(0);
    CHECK(b.read(chunk).has_value());
    CHECK(b.box().damage().counts().rotten_reads > 0);
}

TEST_CASE("a write that goes astray is not where it should be, and is over something else") {
    bench b;
    b.start();
    for (int i = 0; i < 20; ++i) REQUIRE_FALSE(b.append().code);
    std::map<char, bool> there;
    std::uint64_t lost = 0;
    for (std::uint64_t pick = 1; pick <= 40; ++pick) {
        b.box().damage().misdirect(pick);
        const auto before = b.box().damage().counts().astray_writes;
        for (char c = 'a'; c <= 'z' && b.box().damage().counts().astray_writes == before; ++c) {
            const shared_bytes chunk = shared_bytes::copy_of(std::string(700, c) + std::to_string(pick));
            REQUIRE_FALSE(b.put(chunk).code);   // nobody is told
            if (b.box().damage().counts().astray_writes != before) lost += !b.read(chunk).has_value();
        }
        CHECK(b.box().damage().counts().astray_writes == before + 1);
    }
    CHECK(lost > 20);   // others were headers and indexes
    b.restart(crash_kind::power);
    CHECK((b.running->log_error.code || b.running->report.damaged != 0));
}

TEST_CASE("a write or sync that fails ends a log for good, and what was acknowledged before is there after a power failure") {
    for (const bool sync : {false, true}) {
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            bench b(seed);
            b.start();
            for (int i = 0; i < 5; ++i) REQUIRE_FALSE(b.append().code);
            fault_plan plan = b.plan({of(sync ? fault_kind::fail_sync : fault_kind::fail_write, node_id(1), 1)});
            plan.start(b.w.now() + 60s);
            b.w.run_until(b.w.now() + 2ms);
            const log_index acknowledged = b.last;
            CHECK(b.append().code == errc::io_error);
            CHECK(b.append().code == errc::io_error);   // it never tries again and then trusts
            CHECK(count_of(plan.counts(), fault_kind::fail_sync) == (sync ? 1 : 0));
            CHECK(count_of(plan.counts(), fault_kind::fail_write) == (sync ? 0 : 1));
            b.restart(seed % 2 ? crash_kind::power : crash_kind::process);
            CHECK_FALSE(b.running->log_error.code);
            CHECK(b.running->found.last_index >= acknowledged);
            CHECK(b.running->found.last_index <= acknowledged + 1);
        }
    }
}

TEST_CASE("whichever sync fails, what is acknowledged after the next start survives a power failure") {
    for (std::int64_t n = 1; n <= 12; ++n) {
        for (std::uint64_t seed = 1; seed <= 12; ++seed) {
            INFO("sync " << n << ", seed " << seed);
            bench b(seed);
            b.start();
            fault_plan plan = b.plan({of(fault_kind::fail_sync, node_id(1), n)});
            plan.start(b.w.now() + 60s);
            b.w.run_until(b.w.now() + 2ms);
            for (char c = 'a'; c <= 'h' && count_of(plan.counts(), fault_kind::fail_sync) == 0; ++c) {
                (void)b.put(chunk_of(c, 2500));   // a pack has room for one
                if (count_of(plan.counts(), fault_kind::fail_sync) == 0) (void)b.append();
            }
            REQUIRE(count_of(plan.counts(), fault_kind::fail_sync) == 1);
            b.restart(crash_kind::process);   // the page cache shows what the disk may not have
            REQUIRE_FALSE(b.running->log_error.code);
            REQUIRE_FALSE(b.running->chunks_error.code);
            b.last = b.running->found.last_index;
            std::vector<shared_bytes> chunks;
            for (char c = 'p'; c <= 's'; ++c) {
                chunks.push_back(chunk_of(c, 700));
                REQUIRE_FALSE(b.put(chunks.back()).code);
                REQUIRE_FALSE(b.append().code);
            }
            b.restart(crash_kind::power);
            CHECK_FALSE(b.running->log_error.code);
            CHECK(b.running->found.last_index == b.last);
            CHECK(b.running->report.damaged == 0);
            for (const shared_bytes& chunk : chunks) CHECK(b.read(chunk).has_value());
        }
    }
}

TEST_CASE("a slow disk takes so many times as long, and one that stalls gives nothing back before its time; then they are as usual") {
    bench b;
    b.start();
    const auto time_of_append = [&] {
        const time_point begin = b.w.now();
        for (int i = 0; i < 20; ++i) REQUIRE_FALSE(b.append().code);
        return b.w.now() - begin;
    };
    const duration usual = time_of_append();
    fault_plan plan = b.plan({of(fault_kind::slow_disk, node_id(1), 50, 30s), of(fault_kind::stall_disk, node_id(1), 0, 5s, 40s)});
    const time_point begin = b.w.now();
    plan.start(begin + 60s);
    b.w.run_until(begin + 2ms);
    CHECK(time_of_append() > 20 * usual);
    b.w.run_until(begin + 31s);
    CHECK(time_of_append() < 3 * usual);
    b.w.run_until(begin + 41s);
    REQUIRE_FALSE(b.append().code);
    CHECK(b.w.now() - begin >= 45s);
    CHECK(time_of_append() < 3 * usual);
    CHECK(count_of(plan.counts(), fault_kind::slow_disk) == 1);
    CHECK(count_of(plan.counts(), fault_kind::stall_disk) == 1);
}

TEST_CASE("a wiped node begins with nothing; the atlas lets that befall one of three") {
    bench b;
    for (auto& box : b.boxes) REQUIRE(box->start());
    b.w.run_until(b.w.now() + 1s);
    for (int i = 0; i < 5; ++i) REQUIRE_FALSE(b.append().code);
    fault_plan plan = b.plan({of(fault_kind::wipe, node_id(1), 0, 100ms), of(fault_kind::wipe, node_id(2), 0, 100ms, 1s),
                              of(fault_kind::rot, node_id(3), 7, {}, 2s), of(fault_kind::rot, node_id(1), 7, {}, 3s)});
    bool lets = false;
    std::uint64_t asked = 0;
    plan.disks().set_wiping([&](machine& m) {
        CHECK(m.id() == node_id(1));
        ++asked;
        return std::exchange(lets, true);
    });
    plan.start(b.w.now() + 60s);
    b.w.run_until(b.w.now() + 10s);
    CHECK(asked == 2);   // it was put off once
    CHECK(b.running->found.last_index == log_index{});
    CHECK(plan.atlas().is_wiped(node_id(1)));
    CHECK(b.boxes[1]->starts() == 1);
    CHECK(count_of(plan.counts(), fault_kind::wipe) == 1);
    CHECK(count_of(plan.counts(), fault_kind::rot) == 1);
    CHECK(plan.atlas().refused() == 2);
}

TEST_CASE("a node finds what an older binary would have left, and goes on from there") {
    bench b;
    b.start();
    for (int i = 0; i < 5; ++i) REQUIRE_FALSE(b.append().code);
    fault_plan plan = b.plan({of(fault_kind::older, node_id(1), 0, 100ms)});
    plan.start(b.w.now() + 60s);
    b.w.run_until(b.w.now() + 50ms);
    CHECK_FALSE(b.box().running());
    b.w.run_until(b.w.now() + 1s);
    CHECK(b.box().disk().find("/state/wal/" + storage::wal_format::segment_name(1))->content[16] == std::byte{1});
    CHECK_FALSE(b.running->log_error.code);
    CHECK(b.running->found.last_index == b.last);
    REQUIRE_FALSE(b.append().code);
    CHECK(count_of(plan.counts(), fault_kind::older) == 1);
}

TEST_CASE("whoever ends itself for what befell its disk is started again, and wiped where it will not start; nobody else") {
    bench b;
    b.start();
    for (int i = 0; i < 5; ++i) REQUIRE_FALSE(b.append().code);
    fault_plan plan = b.plan({of(fault_kind::fail_sync, node_id(1), 1), of(fault_kind::rot, node_id(1), 7, {}, 5s)});
    attendant looks(b.w, plan);
    plan.start(b.w.now() + 60s);
    b.w.run_until(b.w.now() + 2ms);
    const std::string io = "writing failed: " + error_code(errc::io_error).message();
    CHECK_FALSE(looks.ended(b.box(), io));
    CHECK(b.append().code == errc::io_error);
    CHECK_FALSE(looks.ended(*b.boxes[1], io));
    CHECK_FALSE(looks.ended(b.box(), "something else"));
    CHECK_FALSE(looks.refused(b.box(), errc::corrupt, "the log"));   // not yet
    CHECK(looks.ended(b.box(), io));
    b.w.run_until(b.w.now() + 1s);
    CHECK(b.box().starts() == 2);
    CHECK_FALSE(looks.ended(b.box(), io));   // once only
    b.w.run_until(b.w.now() + 5s);
    CHECK(looks.refused(b.box(), errc::corrupt, "the log"));
    b.w.run_until(b.w.now() + 1s);
    CHECK(b.box().starts() == 3);
    CHECK(b.running->found.last_index != log_index{});
    CHECK(looks.refused(b.box(), errc::corrupt, "the log"));
    b.w.run_until(b.w.now() + 1s);
    CHECK(b.box().starts() == 4);
    CHECK(b.running->found.last_index == log_index{});
    CHECK(plan.disks().wiped() == 1);
    CHECK(looks.counts().stops_for_io == 1);
    CHECK(looks.counts().stops_for_damage == 2);
    CHECK_FALSE(looks.refused(*b.boxes[2], errc::corrupt, "the log"));
}

TEST_CASE("plain seeds have none of these, swarms have each of them, mostly on a few disks") {
    std::set<fault_kind> plain, swarm;
    std::uint64_t damage = 0, on_one = 0;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        drawing how;
        for (const fault& f : draw_scenario(seed, how).faults) plain.insert(f.kind);
        how.swarm = true;
        std::map<node_id, std::uint64_t> aimed;
        for (const fault& f : draw_scenario(seed, how).faults) {
            swarm.insert(f.kind);
            if (damages(f.kind)) ++damage, ++aimed[*f.who.ids.begin()];
        }
        std::uint64_t most = 0;
        for (const auto& [node, times] : aimed) most = std::max(most, times);
        on_one += most;
    }
    for (std::size_t k = 0; k < fault_kind_count; ++k) {
        const auto kind = static_cast<fault_kind>(k);
        INFO(fault_grammars[k].name);
        if (is_of_disks(kind)) CHECK_FALSE(plain.contains(kind));
        if (is_of_disks(kind)) CHECK(swarm.contains(kind));
    }
    CHECK(on_one * 10 > damage * 8);
    CHECK(on_one < damage);   // the atlas has something to refuse
}
