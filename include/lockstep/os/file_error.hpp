// What the errno of a file-system call means as `errc`.
#pragma once

#include <lockstep/base/errc.hpp>

#include <cerrno>

namespace lockstep::os {

inline error_code file_error(int error) noexcept {
    switch (error) {
        case 0: return {};
        case ENOENT: return errc::not_found;
        case EEXIST: return errc::already_exists;
        case ENOTDIR: return errc::not_a_directory;
        case EISDIR: return errc::is_a_directory;
        case ENOTEMPTY: return errc::not_empty;
        case ELOOP: return errc::symlink_in_path;
        case EACCES: case EPERM: return errc::permission_denied;
        case EROFS: return errc::read_only;
        case ENOSPC: case EDQUOT: return errc::no_space;
        case EMFILE: case ENFILE: return errc::too_many_open_files;
        case ENAMETOOLONG: return errc::name_too_long;
        case EBUSY: case EAGAIN: case ETXTBSY: return errc::busy;
        case EXDEV: return errc::cross_device;
        case EOPNOTSUPP: case ENOSYS: case ENXIO: case ENODEV: return errc::unsupported;
        case EIO: case ESTALE: return errc::io_error;
        case EINVAL: return errc::invalid_argument;
        case EFBIG: case EOVERFLOW: return errc::too_large;
        default: return errc::other;
    }
}

}  // namespace lockstep::os
