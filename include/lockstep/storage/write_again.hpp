// Makes durable what a run before wrote, and perhaps never synced. Blocking.
//
// 1. A process writes, its sync fails, and it ends: the device may lack what it wrote. 2. The kernel counts the pages as
// clean all the same, and goes on showing them. 3. The next process reads them back whole; a sync of its own says that all
// is well, since nothing is dirty; and it relies on them. 4. The power fails, and they are gone.
// So what is not known to have been synced is written once more, and then synced. (Rebello et al., "Can Applications
// Recover from fsync Failures?", 2020.)
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/errc.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/concepts/file_system.hpp>

#include <algorithm>
#include <cstdint>

namespace lockstep::storage {

/// Writes [from, to) of a file as it reads, without a sync. Errors: truncated where the file is shorter; what the file
/// system says.
template <file_system FileSystem>
result<> write_again(FileSystem& fs, typename FileSystem::file& file, std::uint64_t from, std::uint64_t to) {
    constexpr std::uint64_t piece_max = std::uint64_t{1} << 20;
    while (from < to) {
        byte_buffer piece(static_cast<std::size_t>(std::min(piece_max, to - from)));
        const auto got = fs.read_at(file, from, piece);
        if (!got) return got.error();
        if (*got != piece.size()) return make_error_code(errc::truncated);
        LOCKSTEP_TRY(fs.write_at(file, from, piece));
        from += piece.size();
    }
    return {};
}

}  // namespace lockstep::storage
