#include "commands.hpp"

#include <lockstep/default_policies.hpp>
#include <lockstep/http/admin_server.hpp>
#include <lockstep/node/folder_node.hpp>

#include <boost/asio/signal_set.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>

namespace program {
namespace {

/// Writes what the node reports to the program's log.
struct log_observer {
    std::shared_ptr<spdlog::logger> log;
    std::string failure;

    void observe(const lockstep::report& r) {
        using level = lockstep::report::level;
        switch (r.severity) {
            case level::debug: return log->debug("{}", r.text);
            case level::info: return log->info("{}", r.text);
            case level::warning: return log->warn("{}", r.text);
            case level::error: return log->error("{}", r.text);
            case level::fatal:
                failure = r.text;
                on_fatal();
                return;
        }
    }
    lockstep::unique_function<void()> on_fatal;
};

std::shared_ptr<spdlog::logger> make_log(const run_settings& settings) {
    auto log = std::make_shared<spdlog::logger>("lockstep", std::make_shared<spdlog::sinks::stdout_sink_st>());
    log->set_pattern("%Y-%m-%d %H:%M:%S.%e node " + std::to_string(settings.node.id.value) + " %l: %v");
    log->set_level(spdlog::level::from_str(settings.log_level));
    log->flush_on(spdlog::level::info);
    return log;
}

}  // namespace

int run(const run_settings& settings) {
    using policies = lockstep::default_policies<log_observer>;
    static_assert(lockstep::policies<policies>, "see docs/concepts");
    std::signal(SIGPIPE, SIG_IGN);

    lockstep::asio_runtime rt;
    lockstep::os::posix_file_system fs;
    lockstep::asio_streams streams(rt);
    lockstep::linux_kernel_events kernel(rt.context());
    log_observer observer{make_log(settings), {}, {}};
    auto node = std::make_unique<lockstep::folder_node<policies>>(settings.node, rt, fs, streams, kernel, observer);

    int code = 0;
    std::unique_ptr<lockstep::admin_server> admin;
    observer.on_fatal = [&] {
        code = complain(observer.failure);
        rt.post([&] { rt.stop(); });
    };
    boost::asio::signal_set signals(rt.context(), SIGTERM, SIGINT);
    signals.async_wait([&](boost::system::error_code error, int) {
        if (error) return;
        observer.log->info("stopping");
        rt.stop();
    });

    lockstep::admin_hooks hooks;
    hooks.status = [&] { return node->status(); };
    hooks.barrier = [&](lockstep::duration timeout,
                        lockstep::unique_function<void(lockstep::barrier_result)> done) {
        node->barrier(timeout, std::move(done));
    };
    // The ports first: a start that fails on one must leave nothing half done.
    admin = std::make_unique<lockstep::admin_server>(rt.context(), std::move(hooks));
    if (auto listening = admin->listen(settings.admin.host, settings.admin.port); !listening)
        return complain("--admin " + settings.admin.text() + ": " + listening.error().message());
    node->start([&](const lockstep::start_result& started) {
        if (!started.code) {
            observer.log->info("serving {} on {}, admin on {}", settings.node.directory, settings.node.listen,
                               settings.admin.text());
            return;
        }
        code = complain(started.text);
        rt.stop();
    });
    rt.run();
    admin->stop();
    node->stop();
    return code;
}

}  // namespace program
