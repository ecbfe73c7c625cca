// Contents of recently committed commands, by log index, within a bound: what is to be written to the disk next is
// nearly always among them. What has left is read back from the log.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/ids.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <utility>

namespace lockstep {

class content_cache {
public:
    explicit content_cache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    void put(log_index index, shared_bytes content) {
        bytes_ += content.size();
        contents_.emplace(index, std::move(content));
        while (bytes_ > bytes_max_ && !contents_.empty()) {
            bytes_ -= contents_.begin()->second.size();
            contents_.erase(contents_.begin());
        }
    }

    std::optional<shared_bytes> find(log_index index) const {
        auto at = contents_.find(index);
        return at == contents_.end() ? std::nullopt : std::optional<shared_bytes>(at->second);
    }

private:
    std::size_t bytes_max_;
    std::size_t bytes_ = 0;
    std::map<log_index, shared_bytes> contents_;
};

}  // namespace lockstep
