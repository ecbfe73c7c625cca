#include "commands.hpp"
#include "real_node.hpp"

#include <lockstep/http/admin_server.hpp>
#include <lockstep/os/asio_streams.hpp>

#include <boost/asio/signal_set.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>

namespace program {
namespace {

std::shared_ptr<spdlog::logger> make_log(const run_settings& settings) {
    auto log = std::make_shared<spdlog::logger>("lockstep", std::make_shared<spdlog::sinks::stdout_sink_st>());
    log->set_pattern("%Y-%m-%d %H:%M:%S.%e node " + std::to_string(settings.node.id.value) + " %l: %v");
    log->set_level(spdlog::level::from_str(settings.log_level));
    log->flush_on(spdlog::level::info);
    return log;
}

spdlog::level::level_enum level_of(lockstep::report::level severity) {
    using level = lockstep::report::level;
    switch (severity) {
        case level::debug: return spdlog::level::debug;
        case level::info: return spdlog::level::info;
        case level::warning: return spdlog::level::warn;
        case level::error: return spdlog::level::err;
        case level::fatal: return spdlog::level::critical;
    }
    return spdlog::level::critical;
}

}  // namespace

int run(const run_settings& settings) {
    std::signal(SIGPIPE, SIG_IGN);
    const auto log = make_log(settings);
    lockstep::asio_runtime rt;
    int code = 0;
    real_node node(rt, settings.node, [&](const lockstep::report& r) {
        if (r.severity != lockstep::report::level::fatal) return log->log(level_of(r.severity), "{}", r.text);
        code = complain(r.text);
        rt.post([&] { rt.stop(); });
    });

    boost::asio::signal_set signals(rt.context(), SIGTERM, SIGINT);
    signals.async_wait([&](boost::system::error_code error, int) {
        if (error) return;
        log->info("stopping");
        rt.stop();
    });

    lockstep::admin_hooks hooks;
    hooks.status = [&] { return node.status(); };
    hooks.barrier = [&](lockstep::duration timeout,
                        lockstep::unique_function<void(lockstep::barrier_result)> done) {
        node.barrier(timeout, std::move(done));
    };
    // The ports first: a start that fails on one must leave nothing half done.
    lockstep::admin_server admin(rt.context(), std::move(hooks));
    if (auto listening = admin.listen(settings.admin.host, settings.admin.port); !listening)
        return complain("--admin " + settings.admin.text() + ": " + listening.error().message());
    {
        lockstep::asio_streams probe(rt);
        if (auto free = probe.listen(settings.node.listen, [](const auto&) {}); !free)
            return complain("--listen " + settings.node.listen + ": " + free.error().message());
    }
    node.start([&](const std::string& problem) {
        if (problem.empty()) {
            log->info("serving {} on {}, admin on {}", settings.node.directory, settings.node.listen,
                      settings.admin.text());
            return;
        }
        code = complain(problem);
        rt.stop();
    });
    rt.run();
    admin.stop();
    node.stop();
    return code;
}

}  // namespace program
