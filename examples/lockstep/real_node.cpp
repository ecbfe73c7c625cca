#include "real_node.hpp"

#include <lockstep/default_policies.hpp>
#include <lockstep/node/folder_node.hpp>

#include <utility>

namespace program {
namespace {

struct observer {
    std::function<void(const lockstep::report&)> tell;
    void observe(const lockstep::report& r) { tell(r); }
};

using policies = lockstep::default_policies<observer>;
static_assert(lockstep::policies<policies>, "see docs/concepts");

}  // namespace

struct real_node::parts {
    parts(lockstep::asio_runtime& rt, lockstep::node_options options,
          std::function<void(const lockstep::report&)> observe)
        : streams(rt), kernel(rt.context()), watching{std::move(observe)},
          node(std::move(options), rt, fs, streams, kernel, watching) {}

    lockstep::os::posix_file_system fs;
    lockstep::asio_streams streams;
    lockstep::linux_kernel_events kernel;
    observer watching;
    lockstep::folder_node<policies> node;
};

real_node::real_node(lockstep::asio_runtime& rt, lockstep::node_options options,
                     std::function<void(const lockstep::report&)> observe)
    : parts_(std::make_unique<parts>(rt, std::move(options), std::move(observe))) {}

real_node::~real_node() = default;

void real_node::start(lockstep::unique_function<void(std::string)> started) {
    parts_->node.start([started = std::move(started)](lockstep::start_result result) mutable {
        started(std::move(result.text));
    });
}

void real_node::stop() { parts_->node.stop(); }

void real_node::barrier(lockstep::duration timeout, lockstep::unique_function<void(lockstep::barrier_result)> done) {
    parts_->node.barrier(timeout, std::move(done));
}

lockstep::node_status real_node::status() const { return parts_->node.status(); }

}  // namespace program
