// The operator new of lockstep-sim: it counts, and gives small blocks from free lists, which is several times as fast as
// malloc for what a run does, sixteen allocations an event. Memory never goes back: each run is a process of its own. With
// a sanitizer, which watches malloc, it only counts.
#include <sim/commands/allocations.hpp>

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

namespace {

using lockstep::sim::commands::allocations_made;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool pooled = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
constexpr bool pooled = false;
#else
constexpr bool pooled = true;
#endif
#else
constexpr bool pooled = true;
#endif

constexpr std::size_t grain = 16;           ///< sizes are multiples of it, and so are addresses
constexpr std::size_t small_max = 1024;     ///< larger blocks are malloc's
constexpr std::size_t span_bits = 14;       ///< a span of so many bytes holds blocks of one size
constexpr std::size_t span_bytes = std::size_t{1} << span_bits;
constexpr std::size_t region_bytes = std::size_t{1} << 34;  ///< of addresses; memory is taken as it is touched

struct free_block {
    free_block* next;
};

/// Of this thread, for each size: a block that another thread gave may come to be used here.
thread_local std::array<free_block*, small_max / grain + 1> free_blocks{};

std::atomic<std::byte*> region{nullptr};
std::atomic<std::size_t> region_used{0};
std::array<std::uint8_t, region_bytes / span_bytes> size_of_span{};  ///< in grains

/// Null where there is no room for so many addresses: then all is malloc's.
std::byte* reserve() noexcept {
    static std::byte* const reserved = [] {
        void* const at = ::mmap(nullptr, region_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        region = at == MAP_FAILED ? nullptr : static_cast<std::byte*>(at);
        return region.load();
    }();
    return reserved;
}

/// A span cut into blocks of so many grains; null where there is none.
free_block* new_span(std::size_t grains) noexcept {
    std::byte* const base = reserve();
    const std::size_t at = base ? region_used.fetch_add(span_bytes) : region_bytes;
    if (at + span_bytes > region_bytes) return nullptr;
    size_of_span[at >> span_bits] = static_cast<std::uint8_t>(grains);
    const std::size_t size = grains * grain;
    free_block* first = nullptr;
    for (std::size_t i = span_bytes / size; i-- > 0;) first = ::new (base + at + i * size) free_block{first};
    return first;
}

void* allocate(std::size_t size) noexcept {
    ++allocations_made;
    if (!pooled || size > small_max) return std::malloc(size);
    const std::size_t grains = size == 0 ? 1 : (size + grain - 1) / grain;
    free_block*& first = free_blocks[grains];
    if (!first && !(first = new_span(grains))) return std::malloc(size);
    return std::exchange(first, first->next);
}

void release(void* p) noexcept {
    const auto base = reinterpret_cast<std::uintptr_t>(region.load(std::memory_order_relaxed));
    const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(p) - base;
    if (!pooled || base == 0 || at >= region_bytes) return std::free(p);
    free_block*& first = free_blocks[size_of_span[at >> span_bits]];
    first = ::new (p) free_block{first};
}

}  // namespace

void* operator new(std::size_t size) {
    if (void* const p = allocate(size)) return p;
    throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* p) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { release(p); }
