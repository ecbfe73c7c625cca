// A write-ahead log on a real directory behind a file system that fails when told, and a loop in virtual time.
#pragma once

#include <lockstep/os/posix_file_system.hpp>
#include <lockstep/storage/wal.hpp>
#include <lockstep/testing/faulty_file_system.hpp>
#include <lockstep/testing/manual_runtime.hpp>
#include <tests/os/temporary_directory.hpp>

#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lockstep::testing {

using faulty_files = faulty_file_system<os::posix_file_system>;
using faulty_wal = storage::wal<manual_runtime, faulty_files>;

/// Small segments, so that tests go through many.
inline storage::wal_options small_segments() {
    storage::wal_options options;
    options.segment_size = 65536;
    return options;
}

class wal_fixture {
public:
    using storage = faulty_wal;

    explicit wal_fixture(lockstep::storage::wal_options options = small_segments()) : options_(options) { start(); }

    storage& log() { return *log_; }
    faulty_files& files() { return *files_; }
    manual_runtime& loop() { return *loop_; }
    void reopen() { start(); }
    template <class Predicate>
    bool drive(Predicate done) {
        return loop_->run_until(done);
    }

    std::string directory() const { return directory_.path(); }
    std::string segment(std::uint64_t sequence) const {
        return directory() + "/wal/" + lockstep::storage::wal_format::segment_name(sequence);
    }

    storage_error open() {
        std::optional<storage_error> answer;
        log_->open([&](recovered_log found, storage_error error) {
            recovered = std::move(found);
            answer = std::move(error);
        });
        drive([&] { return answer.has_value(); });
        return answer.value_or(storage_error{errc::timed_out, "open was never answered"});
    }
    storage_error reopen_and_open() {
        reopen();
        return open();
    }
    storage_error append(log_batch batch) {
        std::optional<storage_error> answer;
        log_->append(std::move(batch), [&](storage_error error) { answer = std::move(error); });
        drive([&] { return answer.has_value(); });
        return answer.value_or(storage_error{errc::timed_out, "append was never answered"});
    }
    std::vector<log_record> read_all() {
        std::vector<log_record> all;
        const log_index first = recovered.base.index + 1;
        while (first + all.size() <= recovered.last_index) {
            std::optional<storage_error> answer;
            log_->read(first + all.size(), recovered.last_index, 1 << 20,
                       [&](std::vector<log_record> records, storage_error error) {
                           all.insert(all.end(), records.begin(), records.end());
                           answer = std::move(error);
                       });
            if (!drive([&] { return answer.has_value(); }) || answer->code) break;
        }
        return all;
    }

    recovered_log recovered;

private:
    void start() {
        log_ = nullptr;
        loop_ = nullptr;
        files_ = std::make_unique<faulty_files>(base_);
        loop_ = std::make_unique<manual_runtime>();
        log_ = std::make_unique<storage>(*loop_, *files_, directory_.path(), options_);
    }

    temporary_directory directory_;
    os::posix_file_system base_;
    lockstep::storage::wal_options options_;
    std::unique_ptr<faulty_files> files_;
    std::unique_ptr<manual_runtime> loop_;
    std::unique_ptr<storage> log_;
};

inline std::string slurp(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}
inline void spit(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

inline log_record make_record(std::uint64_t index, std::uint64_t term, std::string_view data) {
    return {log_index(index), lockstep::term(term), 1, shared_bytes::copy_of(data)};
}
/// A batch with one record, in term 1.
inline log_batch one_record(std::uint64_t index, std::string_view data) {
    return {lockstep::term(1), node_id(2), {make_record(index, 1, data)}};
}

}  // namespace lockstep::testing
