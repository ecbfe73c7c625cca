// What storage/ asks of its policies is what the concepts say: it compiles on types that have nothing else.
#include <tests/catch.hpp>

#include <lockstep/storage/durable_file.hpp>
#include <lockstep/storage/journal.hpp>
#include <lockstep/storage/memory_log.hpp>
#include <lockstep/storage/wal.hpp>
#include <lockstep/testing/archetypes/file_system.hpp>
#include <lockstep/testing/archetypes/log_storage.hpp>
#include <lockstep/testing/archetypes/runtime.hpp>

using namespace lockstep;
using testing::file_system_archetype;
using testing::runtime_archetype;

static_assert(log_storage<storage::wal<runtime_archetype, file_system_archetype>>);
static_assert(log_storage<storage::memory_log<runtime_archetype>>);

namespace {

// Near misses: each lacks one thing.
struct no_append : testing::log_storage_archetype {
    void append(log_batch batch, unique_function<void(storage_error)> done) = delete;
};
struct no_reset : testing::log_storage_archetype {
    void reset(log_position at, unique_function<void(storage_error)> done);
};
struct lies_about_bytes : testing::log_storage_archetype {
    int bytes() const;
};
struct no_random_bits : runtime_archetype {
    void random();
};
struct no_exchange : file_system_archetype {
    result<> rename(directory& from, std::string_view name, directory& to, std::string_view new_name);
};
struct plain_answer : file_system_archetype {
    bool has_writers(file& f);
};
static_assert(!log_storage<no_append> && !log_storage<no_reset> && !log_storage<lies_about_bytes>);
static_assert(!runtime<no_random_bits>);
static_assert(!file_system<no_exchange> && !file_system<plain_answer>);

/// Instantiated, never called: the archetypes have no bodies.
[[maybe_unused]] void uses(runtime_archetype& rt, file_system_archetype& fs, file_system_archetype::directory& dir) {
    storage::wal<runtime_archetype, file_system_archetype> log(rt, fs, "state");
    log.open([](recovered_log, storage_error) {});
    log.append({}, [](storage_error) {});
    log.reset({}, {}, {}, [](storage_error) {});
    log.drop_prefix({});
    log.read({}, {}, 0, [](std::vector<log_record>, storage_error) {});
    log.close();
    storage::journal<file_system_archetype> journal(fs, std::move(dir), "name", "path");
    (void)journal.open();
    (void)journal.append({}, true);
    (void)journal.rewrite({});
    (void)storage::read_file(fs, dir, "name");
    (void)storage::replace_file_durably(fs, dir, "name", {});
}

}  // namespace

TEST_CASE("storage compiles on the archetypes of its concepts") { SUCCEED(); }
