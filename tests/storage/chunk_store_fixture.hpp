// A chunk store on a real directory behind a file system that fails when told, and a loop in virtual time.
#pragma once

#include <lockstep/storage/chunk_store.hpp>
#include <tests/storage/storage_fixture.hpp>

namespace lockstep::testing {

using faulty_chunk_store = storage::chunk_store<manual_runtime, faulty_files>;

inline storage::named_chunk chunk_of(byte_buffer bytes) {
    const content_hash hash = sha256(byte_view(bytes));
    return {hash, shared_bytes(std::move(bytes))};
}
/// One of `size` bytes that no other number has.
inline storage::named_chunk made_chunk(std::uint64_t number, std::size_t size = 1000) {
    random_generator next(number);
    byte_buffer bytes(size);
    for (auto& b : bytes) b = static_cast<std::byte>(next());
    return chunk_of(std::move(bytes));
}

/// Small packs, so that tests go through many: four chunks of 1000 bytes in each but the last.
inline storage::chunk_store_options small_packs() {
    storage::chunk_store_options options;
    options.pack_bytes = 4500;
    return options;
}

class chunk_store_fixture {
public:
    explicit chunk_store_fixture(storage::chunk_store_options options = small_packs()) : options_(options) {
        start();
        (void)open();
    }

    faulty_chunk_store& store() { return *store_; }
    faulty_files& files() { return *files_; }
    manual_runtime& loop() { return *loop_; }

    std::string directory() const { return directory_.path() + "/chunks"; }
    std::string pack(std::uint64_t number) const { return directory() + "/" + storage::pack_format::pack_name(number); }
    std::string index(std::uint64_t number) const { return pack(number) + ".index"; }

    /// At the n-th call of the next opens; 0: not.
    void crash_next_open_at(std::uint64_t call) { crash_at_ = call; }
    storage_error reopen() {
        start();
        return open();
    }
    storage_error put(std::vector<storage::named_chunk> chunks) {
        std::optional<storage_error> answer;
        store_->put(std::move(chunks), [&](storage_error error) { answer = std::move(error); });
        loop_->run_until([&] { return answer.has_value(); });
        return answer.value_or(storage_error{errc::timed_out, "put was never answered"});
    }
    /// One after the other, each with a sync of its own.
    storage_error put_made(std::uint64_t from, std::uint64_t to) {
        storage_error error;
        for (; from <= to && !error.code; ++from) error = put({made_chunk(from)});
        return error;
    }
    storage_error collect(const std::vector<std::uint64_t>& live) {
        std::vector<content_hash> hashes;
        for (const auto number : live) hashes.push_back(made_chunk(number).hash);
        std::sort(hashes.begin(), hashes.end());
        std::optional<storage_error> answer;
        store_->collect(std::move(hashes), [&](storage::collection_report done, storage_error error) {
            collected = done;
            answer = std::move(error);
        });
        loop_->run_until([&] { return answer.has_value(); });
        return answer.value_or(storage_error{errc::timed_out, "collect was never answered"});
    }
    storage::located_chunks locate(std::uint64_t number) {
        const content_hash hash[] = {made_chunk(number).hash};
        return store_->locate(hash);
    }
    bool has(std::uint64_t number) { return store_->has(made_chunk(number).hash); }
    result<shared_bytes> read(const storage::located_chunks& where) {
        return storage::chunk_reader<faulty_files>(*files_, where).read(0);
    }
    /// There, and reads back right.
    bool reads(std::uint64_t number) {
        const auto bytes = read(locate(number));
        return bytes && *bytes == made_chunk(number).bytes;
    }

    storage::chunk_store_report report;
    storage::collection_report collected;

private:
    void start() {
        store_ = nullptr;
        loop_ = nullptr;
        files_ = std::make_unique<faulty_files>(base_);
        if (crash_at_ != 0) files_->crash_at(crash_at_);
        loop_ = std::make_unique<manual_runtime>(++starts_);
        store_ = std::make_unique<faulty_chunk_store>(*loop_, *files_, directory_.path(), options_);
    }
    storage_error open() {
        std::optional<storage_error> answer;
        store_->open([&](storage::chunk_store_report found, storage_error error) {
            report = std::move(found);
            answer = std::move(error);
        });
        loop_->run_until([&] { return answer.has_value(); });
        return answer.value_or(storage_error{errc::timed_out, "open was never answered"});
    }

    temporary_directory directory_;
    os::posix_file_system base_;
    storage::chunk_store_options options_;
    std::uint64_t starts_ = 0;
    std::uint64_t crash_at_ = 0;
    std::unique_ptr<faulty_files> files_;
    std::unique_ptr<manual_runtime> loop_;
    std::unique_ptr<faulty_chunk_store> store_;
};

}  // namespace lockstep::testing
