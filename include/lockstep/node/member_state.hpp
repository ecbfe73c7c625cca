// The durable things of a member beside its log: who it is and which cluster it belongs to, in a directory that no
// other process uses. (A folder's node keeps more: state_directory.hpp.) Blocking: runs on a lane.
#pragma once

#include <lockstep/codec/state.hpp>
#include <lockstep/concepts/file_system.hpp>
#include <lockstep/node/start_result.hpp>
#include <lockstep/storage/durable_file.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace lockstep {

template <file_system FileSystem>
class member_state {
public:
    struct opened {
        start_result trouble;
        std::shared_ptr<member_state> state;
    };

    /// Precondition: the directory exists. `fresh` becomes the disk's id where it has none.
    static opened open(FileSystem& fs, const std::string& path, node_id self, disk_id fresh) {
        const auto failed = [&](error_code code, const std::string& what) {
            return opened{{code, path + ": " + what}, nullptr};
        };
        auto directory = fs.open_directory(path);
        if (!directory) return failed(directory.error(), directory.error().message());
        auto lock = fs.lock_file(*directory, "lock");
        if (!lock) return failed(lock.error(), lock.error().message());
        auto state = std::make_shared<member_state>(fs, std::move(*directory), std::move(*lock));

        const auto bytes = storage::read_file(fs, state->directory_, identity_name);
        if (!bytes && bytes.error() != errc::not_found)
            return failed(bytes.error(), "identity: " + bytes.error().message());
        if (!bytes) {
            state->identity_.node = self;
            state->identity_.disk = fresh;
            if (auto written = state->write(state->identity_); !written)
                return failed(written.error(), "identity: " + written.error().message());
            return {{}, std::move(state)};
        }
        auto identity = decode_identity(shared_bytes::copy_of(byte_view(*bytes)));
        if (!identity) return failed(identity.error(), "identity: " + identity.error().message());
        if (identity->node != self)
            return failed(errc::wrong_node, "belongs to node " + std::to_string(identity->node.value) + ", not " +
                                                std::to_string(self.value));
        state->identity_ = std::move(*identity);
        return {{}, std::move(state)};
    }

    member_state(FileSystem& fs, typename FileSystem::directory directory, typename FileSystem::lock lock)
        : fs_(fs), directory_(std::move(directory)), lock_(std::move(lock)) {}

    const node_identity& identity() const noexcept { return identity_; }
    void set_identity(node_identity identity) { identity_ = std::move(identity); }

    /// Makes an identity durable. Blocking.
    result<> write(const node_identity& identity) {
        return storage::replace_file_durably(fs_, directory_, identity_name, encode_identity(identity).view());
    }

private:
    static constexpr std::string_view identity_name = "identity";

    FileSystem& fs_;
    typename FileSystem::directory directory_;
    typename FileSystem::lock lock_;
    node_identity identity_;
};

}  // namespace lockstep
