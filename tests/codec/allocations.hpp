// How many bytes the process asked `operator new` for: what a decoder takes is part of what the tests hold it to.
#pragma once

#include <cstdint>

namespace lockstep::codec_test {

std::uint64_t bytes_allocated() noexcept;

}  // namespace lockstep::codec_test
