#include <tests/catch.hpp>

#include <lockstep/storage/memory_log.hpp>
#include <lockstep/testing/log_storage_conformance.hpp>
#include <lockstep/testing/manual_runtime.hpp>

using namespace lockstep;
using testing::manual_runtime;

namespace {

class memory_fixture {
public:
    using storage = lockstep::storage::memory_log<manual_runtime>;
    storage& log() { return *log_; }
    void reopen() { log_ = std::make_unique<storage>(loop_, kept_); }
    template <class Predicate>
    bool drive(Predicate done) {
        return loop_.run_until(done);
    }

private:
    manual_runtime loop_;
    std::shared_ptr<lockstep::storage::memory_log_contents> kept_ =
        std::make_shared<lockstep::storage::memory_log_contents>();
    std::unique_ptr<storage> log_ = std::make_unique<storage>(loop_, kept_);
};

}  // namespace

TEST_CASE("the memory log is a log_storage") {
    for (const auto& failure : testing::check_log_storage<memory_fixture>()) FAIL_CHECK(failure);
}

TEST_CASE("appends of the memory log take as long as they were told to, in order") {
    manual_runtime loop;
    storage::memory_log<manual_runtime> log(loop);
    log.open([](recovered_log, storage_error) {});
    loop.run_until_idle();
    log.set_delay(std::chrono::milliseconds(5));
    std::vector<int> answered;
    log.append({term(1), node_id(1), {}}, [&](storage_error) { answered.push_back(1); });
    log.set_delay(std::chrono::milliseconds(1));
    log.append({term(2), node_id(1), {}}, [&](storage_error) { answered.push_back(2); });
    loop.run_until_idle();
    CHECK(answered.empty());
    loop.advance(std::chrono::milliseconds(10));
    CHECK(answered == std::vector<int>{1, 2});
    CHECK(log.contents().term == term(2));
}

TEST_CASE("an append of the memory log fails when told to, and changes nothing") {
    manual_runtime loop;
    storage::memory_log<manual_runtime> log(loop);
    log.open([](recovered_log, storage_error) {});
    loop.run_until_idle();
    log.fail_appends({errc::io_error, "told to"});
    storage_error answer;
    log.append({term(1), node_id(1), {}}, [&](storage_error e) { answer = e; });
    loop.run_until_idle();
    CHECK(answer.code == errc::io_error);
    CHECK(log.contents().term == term(0));
}
