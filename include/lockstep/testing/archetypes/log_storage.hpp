// The least that is a `log_storage`: what templates over one may use, and nothing else. Never run.
#pragma once

#include <lockstep/concepts/log_storage.hpp>

#include <vector>

namespace lockstep::testing {

class log_storage_archetype {
public:
    log_storage_archetype(const log_storage_archetype&) = delete;
    log_storage_archetype& operator=(const log_storage_archetype&) = delete;

    void open(unique_function<void(recovered_log, storage_error)> done);
    void append(log_batch batch, unique_function<void(storage_error)> done);
    void reset(log_position at, lockstep::term term, node_id voted_for, unique_function<void(storage_error)> done);
    void drop_prefix(log_position to);
    void read(log_index from, log_index to, std::size_t bytes_max,
              unique_function<void(std::vector<log_record>, storage_error)> done);
    std::uint64_t bytes() const;
    void close();
};

static_assert(log_storage<log_storage_archetype>);

}  // namespace lockstep::testing
