// The floor: what the bare operations cost on this machine, in this directory, now.
#pragma once

#include "child.hpp"
#include "measure.hpp"

#include <filesystem>
#include <map>

namespace bench {

/// Files of a sample from so many bytes on are removed behind it, smaller ones with all the rest at the end: a
/// file system may be slow to make files while others have just been removed (ext4 without a journal searches
/// inodes then).
constexpr std::size_t removed_from = std::size_t{1} << 20;

/// Samples of each part of a floor; taken beside those of a case, they share its weather.
class floor_samples {
public:
    void add_fdatasync(double us) { fdatasync_.add(us); }
    void add_round_trip(double us) { round_trip_.add(us); }
    void add_renames(double us) { renames_.add(us); }
    floor_times medians() {
        return {fdatasync_.percentile(50), round_trip_.percentile(50), renames_.percentile(50)};
    }

private:
    samples fdatasync_, round_trip_, renames_;
};

class floor_probe {
public:
    /// Files are made in `directory`, and removed.
    explicit floor_probe(std::filesystem::path directory);
    ~floor_probe();
    floor_probe(const floor_probe&) = delete;
    floor_probe& operator=(const floor_probe&) = delete;

    /// What durability on one disk and the word of it to another process cost: one write and fdatasync of `bytes`
    /// into a file that is filled with zeros already, as a log's next write, and one round trip that carries as many.
    void durable_message(floor_samples& to, std::size_t bytes, int times);
    /// What it takes to have `files` files of `bytes` in three directories, each durable and appearing whole: write to
    /// another name, fsync, rename, one after the other.
    void three_copies(floor_samples& to, std::size_t bytes, std::size_t files, int times);

private:
    double round_trip(const std::vector<char>& message);

    std::filesystem::path directory_;
    std::map<std::size_t, std::size_t> at_;  ///< where the next write into the file of a size goes
    std::uint64_t copies_ = 0;
    int listener_ = -1;
    int socket_ = -1;
    child echo_;
};

/// The other end of the round trips; does not return before its connection ends.
int run_echo(int port);

}  // namespace bench
