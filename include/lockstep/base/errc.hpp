// Expected failures of the library, one enumerator each, as Boost.System error codes.
#pragma once

#include <boost/system/error_code.hpp>

#include <string>
#include <type_traits>

namespace lockstep {

using error_code = boost::system::error_code;

/// Expected failures. System models map what the operating system says to these (`not_found` for
/// ENOENT, and so on) so that callers compare one enumeration under every model.
enum class errc {
    ok = 0,
    // control
    halted,             ///< this incarnation of the node is dead (simulator) or shutting down: unwind, change nothing
    cancelled,          ///< the operation was cancelled by its owner
    timed_out,
    would_block,        ///< a bound was reached; try again when told
    not_leader,
    no_leader,
    // file systems
    not_found,
    already_exists,
    not_a_directory,
    is_a_directory,
    not_empty,
    symlink_in_path,    ///< a symbolic link (or an escape from the root) stands in the way
    permission_denied,
    read_only,
    no_space,
    too_many_open_files,
    name_too_long,
    busy,               ///< locked by another process
    cross_device,
    unsupported,        ///< the file system or kernel does not offer this
    io_error,           ///< the device failed; what was written is unknown
    invalid_argument,
    watch_limit,        ///< no more inotify watches
    instance_limit,     ///< no more inotify instances
    // networks
    connection_refused,
    connection_lost,
    address_in_use,
    address_invalid,
    address_unavailable,
    host_not_found,
    end_of_stream,
    // data
    corrupt,            ///< a checksum or format check failed
    too_large,          ///< beyond a stated bound
    truncated,          ///< ends before it should
    newer_format,       ///< written by a newer version of this library
    wrong_cluster,
    wrong_node,
    other
};

/// The category of `errc`; `message()` gives one clear lower-case phrase without a full stop.
const boost::system::error_category& lockstep_category() noexcept;
error_code make_error_code(errc e) noexcept;

}  // namespace lockstep

template <>
struct boost::system::is_error_code_enum<lockstep::errc> : std::true_type {};

namespace lockstep {
namespace detail {

class errc_category final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "lockstep"; }
    std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
            case errc::ok: return "success";
            case errc::halted: return "halted";
            case errc::cancelled: return "cancelled";
            case errc::timed_out: return "timed out";
            case errc::would_block: return "would block";
            case errc::not_leader: return "not the leader";
            case errc::no_leader: return "no leader";
            case errc::not_found: return "not found";
            case errc::already_exists: return "already exists";
            case errc::not_a_directory: return "not a directory";
            case errc::is_a_directory: return "is a directory";
            case errc::not_empty: return "directory not empty";
            case errc::symlink_in_path: return "a symbolic link stands in the path";
            case errc::permission_denied: return "permission denied";
            case errc::read_only: return "read-only file system";
            case errc::no_space: return "no space left on device";
            case errc::too_many_open_files: return "too many open files";
            case errc::name_too_long: return "name too long";
            case errc::busy: return "in use by another process";
            case errc::cross_device: return "on another file system";
            case errc::unsupported: return "not supported here";
            case errc::io_error: return "input/output error";
            case errc::invalid_argument: return "invalid argument";
            case errc::watch_limit: return "limit of inotify watches reached";
            case errc::instance_limit: return "limit of inotify instances reached";
            case errc::connection_refused: return "connection refused";
            case errc::connection_lost: return "connection lost";
            case errc::address_in_use: return "address already in use";
            case errc::address_invalid: return "bad address";
            case errc::address_unavailable: return "no such address on this machine";
            case errc::host_not_found: return "host not found";
            case errc::end_of_stream: return "end of stream";
            case errc::corrupt: return "corrupt data";
            case errc::too_large: return "too large";
            case errc::truncated: return "truncated data";
            case errc::newer_format: return "written by a newer version";
            case errc::wrong_cluster: return "belongs to another cluster";
            case errc::wrong_node: return "belongs to another node";
            case errc::other: break;
        }
        return "other error";
    }
};

}  // namespace detail

inline const boost::system::error_category& lockstep_category() noexcept {
    static const detail::errc_category category;
    return category;
}

inline error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), lockstep_category()}; }

}  // namespace lockstep
