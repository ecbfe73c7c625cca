// lockstep: keeps a directory identical on every node of a cluster.
#include "commands.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace program {
namespace {

constexpr int usage = 2;

/// A name could resolve to anything, whatever it begins with.
bool is_loopback(const std::string& host) {
    const bool numbers = host.find_first_not_of("0123456789.") == std::string::npos;
    return host == "localhost" || host == "::1" || (numbers && host.rfind("127.", 0) == 0);
}

constexpr const char* refused_open = ": refused without --insecure: the link is neither encrypted nor authenticated yet";

struct run_arguments {
    std::string id, dir, listen, admin, state, watcher = "auto", log_level = "info", inline_max = "64K", log_size = "64M";
    std::vector<std::string> peers;
    bool insecure = false;
};

/// A node's id: a number from 1 that any tool can hold.
bool parse_id(const std::string& text, lockstep::node_id& id) {
    if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos) return false;
    id = lockstep::node_id(std::stoull(text));
    return id != lockstep::no_node;
}

/// Empty, or what is wrong with one "--peer ID=HOST:PORT".
std::string read_peer(const std::string& text, lockstep::peer_address& peer, address& where) {
    const auto equals = text.find('=');
    const std::string wanted = "--peer " + text + ": want ID=HOST:PORT, as 2=127.0.0.1:8002";
    if (equals == std::string::npos || !parse_id(text.substr(0, equals), peer.node)) return wanted;
    if (!parse_address(text.substr(equals + 1), where)) return wanted;
    peer.address = where.text();
    return {};
}

std::string check_addresses(const run_arguments& given, run_settings& out) {
    address listen;
    if (!parse_address(given.listen, listen)) return "--listen " + given.listen + ": bad address, want HOST:PORT";
    if (!parse_address(given.admin, out.admin)) return "--admin " + given.admin + ": bad address, want HOST:PORT";
    for (const auto& [option, at] : {std::pair{"--listen ", listen}, std::pair{"--admin ", out.admin}})
        if (!given.insecure && !is_loopback(at.host))
            return option + at.text() + refused_open;
    if (listen.text() == out.admin.text()) return "--admin " + given.admin + ": the same address as --listen";
    out.node.listen = listen.text();
    return {};
}

/// Empty if all is well.
std::string read_size(const std::string& option, const std::string& text, std::uint64_t least, std::uint64_t most,
                      std::uint64_t& out) {
    if (!parse_size(text, out)) return option + " " + text + ": want a size as 65536, 64K, 16M or 1G";
    if (out < least) return option + " " + text + ": at least " + std::to_string(least);
    if (out > most) return option + " " + text + ": at most " + std::to_string(most);
    return {};
}

std::string check_run(const run_arguments& given, run_settings& out) {
    for (const auto& [name, missing] :
         {std::pair{"--id", given.id.empty()}, std::pair{"--dir", given.dir.empty()},
          std::pair{"--listen", given.listen.empty()}, std::pair{"--admin", given.admin.empty()}})
        if (missing)
            return std::string(name) + " is required" + (std::string(name) == "--id" ? " (a number from 1)" : "");
    if (!parse_id(given.id, out.node.id)) return "--id " + given.id + ": want a number from 1";
    if (auto wrong = check_addresses(given, out); !wrong.empty()) return wrong;
    std::set<std::uint64_t> ids{out.node.id.value};
    std::set<std::string> addresses{out.node.listen};
    for (const auto& text : given.peers) {
        lockstep::peer_address peer;
        address where;
        if (auto wrong = read_peer(text, peer, where); !wrong.empty()) return wrong;
        if (!given.insecure && !is_loopback(where.host)) return "--peer " + text + refused_open;
        if (peer.node == out.node.id) return "--peer " + text + ": that is this node's own --id";
        if (!ids.insert(peer.node.value).second)
            return "--peer " + text + ": node " + std::to_string(peer.node.value) + " is named twice";
        if (!addresses.insert(peer.address).second)
            return "--peer " + text + ": the address of " +
                   (peer.address == out.node.listen ? "this node's own --listen" : "another --peer");
        out.node.peers.push_back(std::move(peer));
    }
    if (ids.size() > 9) return "--peer: a cluster has at most 9 nodes";
    const std::map<std::string, lockstep::watcher_choice> watchers{{"auto", lockstep::watcher_choice::automatic},
                                                                   {"inotify", lockstep::watcher_choice::inotify},
                                                                   {"polling", lockstep::watcher_choice::polling}};
    const auto watcher = watchers.find(given.watcher);
    if (watcher == watchers.end()) return "--watcher " + given.watcher + ": want auto, inotify or polling";
    if (auto wrong = read_size("--inline-max", given.inline_max, 0, 256 << 10, out.node.inline_max); !wrong.empty())
        return wrong;
    if (auto wrong = read_size("--log-size", given.log_size, 1 << 20, 16ull << 30, out.node.log_bytes_max); !wrong.empty())
        return wrong;
    out.node.log_tail_bytes = out.node.log_bytes_max / 4;
    if (!std::set<std::string>{"debug", "info", "warning", "error"}.contains(given.log_level))
        return "--log-level " + given.log_level + ": want debug, info, warning or error";
    out.node.directory = given.dir;
    out.node.state_directory = given.state;
    out.node.watcher = watcher->second;
    out.log_level = given.log_level;
    return {};
}

/// The first argument that nothing takes; empty if there is none. Looked for before anything is parsed: a misspelt
/// option is what a person wants to hear of first, whatever else is wrong or missing.
std::string first_unknown(CLI::App& app, const std::vector<std::string>& arguments) {
    const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
    const CLI::App* command = &app;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& text = arguments[i];
        const auto named =
            std::find_if(commands.begin(), commands.end(), [&](const auto* c) { return c->get_name() == text; });
        if (command == &app && named != commands.end()) {
            command = *named;
            continue;
        }
        if (text.size() < 2 || text.front() != '-') return text;
        const auto equals = text.find('=');
        const auto* option = command->get_option_no_throw(text.substr(0, equals));
        if (!option) return text.substr(0, equals);
        if (equals == std::string::npos && option->get_expected_max() > 0) ++i;  // its value
    }
    return {};
}

}  // namespace

int complain(const std::string& line, int code) {
    std::fprintf(stderr, "lockstep: %s\n", line.c_str());
    return code;
}

int main(int argc, char** argv) {
    CLI::App app{"Keeps a directory identical on every node of a cluster.", "lockstep"};
    run_arguments given;
    auto* run_command = app.add_subcommand("run", "run a node");
    run_command->add_option("--id", given.id, "this node's id in the cluster, from 1");
    run_command->add_option("--dir", given.dir, "the directory to keep identical; it must exist");
    run_command->add_option("--listen", given.listen, "HOST:PORT for the other nodes");
    run_command->add_option("--admin", given.admin, "HOST:PORT of the admin interface (HTTP)");
    run_command->add_option("--peer", given.peers, "another member, ID=HOST:PORT; once for each")
        ->allow_extra_args(false);
    run_command->add_option("--state", given.state, "where the log and records are kept (default: DIR/.lockstep)");
    run_command->add_option("--watcher", given.watcher, "auto, inotify or polling");
    run_command->add_option("--inline-max", given.inline_max,
                            "larger files travel in chunks beside the log (as 64K; at most 256K)");
    run_command->add_option("--log-size", given.log_size,
                            "a longer log is cut behind a snapshot (as 64M); a quarter stays for slow nodes");
    run_command->add_option("--log-level", given.log_level, "debug, info, warning or error");
    run_command->add_flag("--insecure", given.insecure, "allow other addresses than loopback, unencrypted");

    std::string admin_text, timeout_text = "30s";
    bool json = false;
    auto* status_command = app.add_subcommand("status", "what a node says about itself");
    status_command->add_option("--admin", admin_text, "HOST:PORT of the node's admin interface");
    status_command->add_flag("--json", json, "as JSON");
    auto* barrier_command =
        app.add_subcommand("barrier", "wait until every edit made before is on every reachable node");
    barrier_command->add_option("--admin", admin_text, "HOST:PORT of the node's admin interface");
    barrier_command->add_option("--timeout", timeout_text, "as 30s, 500ms, 2m");

    if (auto unknown = first_unknown(app, {argv + 1, argv + argc}); !unknown.empty())
        return complain("unknown argument " + unknown + " (see lockstep --help)", usage);
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& help) {
        return app.exit(help);
    } catch (const CLI::ParseError& error) {
        std::string text = error.what();
        for (auto& c : text) c = c == '\n' ? ' ' : c;
        return complain(text, usage);
    }
    if (run_command->parsed()) {
        run_settings settings;
        if (run_command->count("--state") != 0 && given.state.empty())
            return complain("--state is empty: name a directory, or leave it out", usage);
        if (auto wrong = check_run(given, settings); !wrong.empty()) return complain(wrong, usage);
        return run(settings);
    }
    if (!status_command->parsed() && !barrier_command->parsed())
        return complain("say what to do: run, status or barrier (see lockstep --help)", usage);
    address admin;
    if (admin_text.empty()) return complain("--admin is required", usage);
    if (!parse_address(admin_text, admin))
        return complain("--admin " + admin_text + ": bad address, want HOST:PORT", usage);
    if (status_command->parsed()) return print_status(admin, json);
    std::chrono::milliseconds timeout{};
    if (!parse_duration(timeout_text, timeout))
        return complain("--timeout " + timeout_text + ": want a time such as 30s", usage);
    return wait_for_barrier(admin, timeout);
}

}  // namespace program

int main(int argc, char** argv) { return program::main(argc, argv); }
