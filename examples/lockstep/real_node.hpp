// A node on the real system models, behind one pointer: real_node.cpp is the one place that compiles it.
#pragma once

#include <lockstep/base/unique_function.hpp>
#include <lockstep/concepts/observer.hpp>
#include <lockstep/node/options.hpp>
#include <lockstep/node/status.hpp>
#include <lockstep/os/asio_runtime.hpp>

#include <functional>
#include <memory>
#include <string>

namespace program {

/// On the loop of `rt`, which outlives it. Once it was started, it may be destroyed only after rt.stop(): until then the
/// jobs that rt runs use what is in it.
class real_node {
public:
    real_node(lockstep::asio_runtime& rt, lockstep::node_options options,
              std::function<void(const lockstep::report&)> observe);
    ~real_node();
    real_node(const real_node&) = delete;
    real_node& operator=(const real_node&) = delete;

    /// `started` is called once, with what went wrong in one line, or with nothing.
    void start(lockstep::unique_function<void(std::string)> started);
    void stop();
    void barrier(lockstep::duration timeout, lockstep::unique_function<void(lockstep::barrier_result)> done);
    lockstep::node_status status() const;

private:
    struct parts;
    std::unique_ptr<parts> parts_;
};

}  // namespace program
