// lockstep-sim: runs the shipped node on a simulated world and tells what it saw. Its commands are in commands/.
#include <sim/commands/commands.hpp>

#include <cstdio>
#include <string_view>

namespace commands = lockstep::sim::commands;

namespace {

struct command {
    std::string_view name;
    int (*start)(int argc, char** argv);
};

constexpr command all[] = {
    {"run", &commands::run},
    {"consensus", &commands::run_consensus},
    {"check-history", &commands::check_history},
    {"view", &commands::view},
    {"explore", &commands::explore},
};

}  // namespace

int main(int argc, char** argv) {
    const auto start = [&] {
        for (const command& c : all)
            if (argc > 1 && c.name == argv[1]) return c.start(argc - 1, argv + 1);
        return commands::run(argc, argv);
    };
    const int code = start();
    const bool told = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
    return told ? code : commands::complain("the output cannot be written");
}
