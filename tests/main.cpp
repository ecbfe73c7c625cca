// The main of every test executable.
//
// A failed assertion of the library aborts the process; Catch then reports SIGABRT without saying where.
// The handler here prints the running test's name beside the assertion first.
#if __has_include(<catch2/catch_all.hpp>)
#include <tests/catch.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <tests/catch.hpp>
#endif

#include <lockstep/base/assert.hpp>

#include <cstdio>
#include <string>

namespace {

std::string running_test = "outside any test";

#if __has_include(<catch2/catch_all.hpp>)
using listener_base = Catch::EventListenerBase;
#else
using listener_base = Catch::TestEventListenerBase;
#endif

class name_keeper final : public listener_base {
public:
    using listener_base::listener_base;
    void testCaseStarting(const Catch::TestCaseInfo& info) override {
        listener_base::testCaseStarting(info);
        running_test = info.name;
    }
    void testCaseEnded(const Catch::TestCaseStats& stats) override {
        listener_base::testCaseEnded(stats);
        running_test = "outside any test";
    }
};

void name_the_test(const char* what, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: in test \"%s\": assertion failed: %s\n", file, line, running_test.c_str(), what);
    std::fflush(stderr);
}

}  // namespace

CATCH_REGISTER_LISTENER(name_keeper)

int main(int argc, char** argv) {
    lockstep::set_assertion_handler(&name_the_test);
    return Catch::Session().run(argc, argv);
}
