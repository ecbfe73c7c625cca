// The chunk store over the simulated disk: whatever call it crashes at, whatever the power takes and whatever fails,
// each chunk that somebody relies on is there again and reads back right, with collections running all the time.
#include <tests/catch.hpp>

#include <sim/machine/machine.hpp>

#include <lockstep/storage/chunk_store.hpp>

#include <set>

using namespace lockstep;
using namespace lockstep::sim;
using namespace std::chrono_literals;

namespace {

using store_type = storage::chunk_store<sim_runtime, sim_file_system>;

constexpr std::uint64_t ids = 60;

const storage::named_chunk& chunk(std::uint64_t id) {
    static const auto all = [] {
        std::vector<storage::named_chunk> made;
        for (std::uint64_t i = 0; i < ids; ++i) {
            random_generator next(i);
            byte_buffer bytes(static_cast<std::size_t>(1 + next.below(next.one_in(10) ? 9000 : 1500)));
            for (auto& b : bytes) b = static_cast<std::byte>(next());
            made.push_back({sha256(byte_view(bytes)), shared_bytes(bytes)});
        }
        return made;
    }();
    return all[id];
}

/// Survives the crashes.
struct expectation {
    std::set<std::uint64_t> roots;   ///< ids that have to be there: put or found, and not given up since
    std::size_t opens = 0, puts = 0, collections = 0, removed = 0, copied = 0, reads = 0, refused = 0, failures = 0;
    std::string wrong;
};

/// The program: opens, checks that all roots are there, then puts, asks, reads, gives up and collects at random.
class store_user : public std::enable_shared_from_this<store_user> {
public:
    store_user(node_system& s, expectation& e)
        : s_(s), e_(e), random_(s.runtime.random()),
          store_(s.runtime, s.file_system, "/state", {random_.between(4096, 16384), 6000, 60'000}) {
        store_.open([this](storage::chunk_store_report report, storage_error error) {
            if (error.code == errc::halted) return;
            if (error.code == errc::io_error || error.code == errc::no_space) return stop();
            if (error.code) return fail("open refused: " + error.code.message() + " " + error.detail);
            if (report.damaged != 0) return fail("damage where there is none: " + report.damage.front());
            check_roots();
        });
    }

private:
    void fail(std::string what) {
        if (e_.wrong.empty()) e_.wrong = std::move(what);
    }
    /// The device failed: a real node ends here.
    void stop() {
        ++e_.failures;
        stopped_ = true;
    }

    void check_roots() {
        std::vector<content_hash> hashes;
        for (const auto id : e_.roots) hashes.push_back(chunk(id).hash);
        auto where = store_.locate(hashes);
        if (!where.all_found()) return fail("a chunk that was acknowledged is not there after a start");
        read(std::move(where), [this] {
            ++e_.opens;
            // What was found at a start is relied on like what was acknowledged.
            for (std::uint64_t id = 0; id < ids; ++id)
                if (store_.has(chunk(id).hash)) e_.roots.insert(id);
            act();
        });
    }

    template <class Then>
    void read(storage::located_chunks where, Then then) {
        auto job = [&fs = s_.file_system, where]() -> error_code {
            storage::chunk_reader<sim_file_system> reader(fs, where);
            for (std::size_t i = 0; i < where.size(); ++i) {
                const auto bytes = reader.read(i);
                if (!bytes) return bytes.error();
                if (sha256(bytes->view()) != where.items[i].hash) return make_error_code(errc::other);
            }
            return {};
        };
        // The pins go with the job; these here go too, or a pack would wait for them.
        where = {};
        offload(s_.runtime, lane::reads, std::move(job), [this, then](error_code error) {
            if (error == errc::halted) return;
            if (error) return fail("reading what was located failed: " + error.message());
            ++e_.reads;
            then();
        });
    }

    void act() {
        if (stopped_ || !e_.wrong.empty()) return;
        switch (random_.below(8)) {
            case 0: case 1: case 2: put(); break;
            case 3: ask(); break;
            case 4: look(); break;
            case 5: case 6: give_up(); break;
            case 7: collect(); break;
        }
        s_.runtime.schedule(s_.runtime.now() + duration(random_.below(900'000)), [this] { act(); });
    }

    void put() {
        std::vector<storage::named_chunk> chunks;
        std::vector<std::uint64_t> named;
        for (std::uint64_t i = random_.between(1, 5); i > 0; --i) {
            named.push_back(random_.below(ids));
            chunks.push_back(chunk(named.back()));
        }
        store_.put(std::move(chunks), [this, named](storage_error error) {
            if (error.code == errc::halted) return;
            if (error.code == errc::no_space) { ++e_.refused; return; }
            if (error.code) return stop();
            ++e_.puts;
            e_.roots.insert(named.begin(), named.end());
            for (const auto id : named)
                if (store_.works() && !store_.has(chunk(id).hash))
                    fail("a chunk is not there when its put is answered");
        });
    }

    void ask() {
        const std::uint64_t id = random_.below(ids);
        if (store_.has(chunk(id).hash)) e_.roots.insert(id);
        else if (e_.roots.contains(id) && store_.works()) fail("a chunk that was acknowledged is not there");
    }

    /// Located now, read some time later.
    void look() {
        std::vector<content_hash> hashes;
        for (const auto id : e_.roots)
            if (random_.one_in(3)) hashes.push_back(chunk(id).hash);
        auto where = std::make_shared<storage::located_chunks>(store_.locate(hashes));
        if (!store_.works()) return;
        if (!where->all_found()) return fail("a chunk that was acknowledged is not found");
        s_.runtime.schedule(s_.runtime.now() + duration(random_.below(8'000'000)),
                            [this, where] { read(std::move(*where), [] {}); });
    }

    void give_up() {
        for (std::uint64_t i = random_.below(ids / 2); i > 0; --i) e_.roots.erase(random_.below(ids));
    }

    void collect() {
        if (!store_.begin_collection() || collecting_) return;
        collecting_ = true;
        // Finding out what is live takes time.
        s_.runtime.schedule(s_.runtime.now() + duration(random_.below(3'000'000)), [this, roots = e_.roots] {
            std::vector<content_hash> live;
            for (const auto id : roots) live.push_back(chunk(id).hash);
            std::sort(live.begin(), live.end());
            store_.collect(std::move(live), [this](storage::collection_report report, storage_error error) {
                collecting_ = false;
                if (error.code == errc::halted) return;
                if (error.code == errc::corrupt) return fail("a collection found damage: " + error.detail);
                if (error.code == errc::io_error) stop();
                ++e_.collections;
                e_.removed += report.packs_removed;
                e_.copied += report.chunks_copied;
            });
        });
    }

    node_system& s_;
    expectation& e_;
    random_generator random_;
    store_type store_;
    bool collecting_ = false;
    bool stopped_ = false;
};

struct box {
    explicit box(std::uint64_t seed, expectation& e)
        : w(seed), cables(w), network(w, cables), m(w, cables, network, nullptr, node_id(1)) {
        auto root = m.disk().open_directory(sim_disk::user, "/").value();
        REQUIRE(m.disk().make_directory(root, "state", 0700));
        REQUIRE(m.disk().sync_directory(root));
        m.set_program([&e](node_system& s) { return std::make_shared<store_user>(s, e); });
    }
    void start() {
        while (!m.start()) w.step();
    }

    world w;
    links cables;
    sim_network network;
    machine m;
};

std::string run(std::uint64_t seed, expectation& e) {
    box b(seed, e);
    random_generator draw = b.w.fork("crashes");
    for (int life = 0; life < 10 && e.wrong.empty(); ++life) {
        b.start();
        // One draw after the other: compilers evaluate arguments in orders of their own.
        const std::uint64_t crash_at = draw.between(1, draw.one_in(2) ? 40 : 600);
        b.m.crash_at_call(crash_at, draw.one_in(3) ? crash_kind::process : crash_kind::power);
        if (draw.one_in(3)) {
            const std::uint64_t fail_at = draw.between(1, 300);
            b.m.fail_at_call(fail_at, draw.one_in(3) ? errc::io_error : errc::no_space,
                             [](fs_call c) { return c == fs_call::write || c == fs_call::resize; });
        } else if (draw.one_in(6)) {
            b.m.fail_at_call(draw.between(1, 200), errc::io_error, &is_sync);
        } else {
            b.m.fail_at_call(0, errc::io_error);
        }
        if (!b.w.run_until([&] { return !b.m.running() || !e.wrong.empty(); }, b.w.now() + 150ms)) {
            b.m.crash(draw.one_in(2) ? crash_kind::power : crash_kind::process);
        }
    }
    return e.wrong;
}

}  // namespace

TEST_CASE("chunks that are relied on survive crashes, full disks and failing devices, with collections among all") {
    expectation sum;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        expectation e;
        INFO("seed " << seed);
        REQUIRE(run(seed, e) == "");
        sum.opens += e.opens; sum.puts += e.puts; sum.collections += e.collections; sum.removed += e.removed;
        sum.copied += e.copied; sum.reads += e.reads; sum.refused += e.refused; sum.failures += e.failures;
    }
    CHECK(sum.opens > 1000);
    CHECK(sum.puts > 5000);
    CHECK(sum.collections > 1000);
    CHECK(sum.removed > 500);
    CHECK(sum.copied > 200);
    CHECK(sum.refused > 5);
    CHECK(sum.failures > 20);
}

TEST_CASE("the chunk store survives a crash at every one of its calls") {
    for (const crash_kind how : {crash_kind::power, crash_kind::process}) {
        std::uint64_t at = 1;
        for (bool crashed = true; crashed; ++at) {
            expectation e;
            box b(7, e);
            b.start();
            b.m.crash_at_call(at, how);
            crashed = b.w.run_until([&] { return !b.m.running() || !e.wrong.empty(); }, b.w.now() + 60ms);
            INFO("call " << at);
            REQUIRE(e.wrong == "");
            if (!crashed) break;
            const std::size_t opens = e.opens;
            b.start();
            b.w.run_until([&] { return e.opens > opens || !e.wrong.empty(); }, b.w.now() + 5s);
            REQUIRE(e.wrong == "");
            REQUIRE(e.opens == opens + 1);
            b.m.crash(crash_kind::power);
            b.start();
            b.w.run_until([&] { return e.opens > opens + 1 || !e.wrong.empty(); }, b.w.now() + 5s);
            REQUIRE(e.wrong == "");
        }
        CHECK(at > 200);
    }
}
