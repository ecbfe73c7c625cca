// A callable that is owned once and called through a type-erased pointer; may hold move-only state.
// (std::move_only_function is C++23.)
#pragma once

#include <lockstep/base/assert.hpp>

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace lockstep {

template <class Signature>
class unique_function;

/// A small target lies in the function itself and moves with it, so that making one allocates nothing. Whoever calls a
/// function that may be moved or destroyed by what it does takes it into a variable of its own first.
template <class R, class... Args>
class unique_function<R(Args...)> {
public:
    /// A target of more bytes is allocated: a pointer to oneself, an owner and a number fit.
    static constexpr std::size_t inline_bytes_max = 4 * sizeof(void*);

    unique_function() = default;
    unique_function(std::nullptr_t) {}
    template <class F>
        requires(!std::is_same_v<std::remove_cvref_t<F>, unique_function> && std::is_invocable_r_v<R, F&, Args...>)
    unique_function(F f) : kind_(&kind_of<F>) {
        if constexpr (is_inline<F>) ::new (static_cast<void*>(place_)) F(std::move(f));
        else ::new (static_cast<void*>(place_)) F*(new F(std::move(f)));
    }
    unique_function(unique_function&& other) noexcept { take(other); }
    unique_function& operator=(unique_function&& other) noexcept {
        if (!kind_) {
            take(other);
            return *this;
        }
        // The old target may look at this function when it is destroyed: by then it holds the new one.
        unique_function old(std::move(*this));
        take(other);
        return *this;
    }
    ~unique_function() {
        if (kind_ && kind_->destroy) kind_->destroy(place_);
    }

    explicit operator bool() const noexcept { return kind_ != nullptr; }
    /// Precondition: not empty.
    R operator()(Args... args) const {
        LOCKSTEP_ASSERT(kind_ != nullptr);
        return kind_->call(place_, std::forward<Args>(args)...);
    }

private:
    /// What is done with a target of one type. Null: copying or forgetting its bytes does it.
    struct operations {
        R (*call)(std::byte* place, Args&&... args);
        void (*move)(std::byte* from, std::byte* to) noexcept;
        void (*destroy)(std::byte* place) noexcept;
    };

    template <class F>
    static constexpr bool is_inline = sizeof(F) <= inline_bytes_max && alignof(F) <= alignof(void*) &&
                                      std::is_nothrow_move_constructible_v<F>;
    template <class F>
    static constexpr bool is_bytes = is_inline<F> && std::is_trivially_copyable_v<F>;

    template <class F>
    static F& target(std::byte* place) noexcept {
        if constexpr (is_inline<F>) return *std::launder(reinterpret_cast<F*>(place));
        else return **std::launder(reinterpret_cast<F**>(place));
    }
    template <class F>
    static R call_target(std::byte* place, Args&&... args) {
        return static_cast<R>(target<F>(place)(std::forward<Args>(args)...));
    }
    template <class F>
    static void move_target(std::byte* from, std::byte* to) noexcept {
        ::new (static_cast<void*>(to)) F(std::move(target<F>(from)));
        target<F>(from).~F();
    }
    template <class F>
    static void destroy_target(std::byte* place) noexcept {
        if constexpr (is_inline<F>) target<F>(place).~F();
        else delete &target<F>(place);
    }
    template <class F>
    static constexpr operations kind_of{&call_target<F>, is_inline<F> && !is_bytes<F> ? &move_target<F> : nullptr,
                                        is_bytes<F> ? nullptr : &destroy_target<F>};

    /// Precondition: this one is empty.
    void take(unique_function& other) noexcept {
        kind_ = std::exchange(other.kind_, nullptr);
        if (!kind_) return;
        if (kind_->move) kind_->move(other.place_, place_);
        else std::memcpy(place_, other.place_, sizeof place_);
    }

    const operations* kind_ = nullptr;
    alignas(void*) mutable std::byte place_[inline_bytes_max] = {};
};

}  // namespace lockstep
