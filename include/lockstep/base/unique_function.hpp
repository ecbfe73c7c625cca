// A callable that is owned once and called through a type-erased pointer; may hold move-only state.
// (std::move_only_function is C++23.)
#pragma once

#include <lockstep/base/assert.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace lockstep {

template <class Signature>
class unique_function;

template <class R, class... Args>
class unique_function<R(Args...)> {
public:
    unique_function() = default;
    unique_function(std::nullptr_t) {}
    template <class F>
        requires(!std::is_same_v<std::remove_cvref_t<F>, unique_function> && std::is_invocable_r_v<R, F&, Args...>)
    unique_function(F f) : target_(std::make_unique<holder<F>>(std::move(f))) {}

    explicit operator bool() const noexcept { return target_ != nullptr; }
    /// Precondition: not empty.
    R operator()(Args... args) const {
        LOCKSTEP_ASSERT(target_ != nullptr);
        return target_->call(std::forward<Args>(args)...);
    }

private:
    struct base {
        virtual ~base() = default;
        virtual R call(Args... args) = 0;
    };
    template <class F>
    struct holder final : base {
        explicit holder(F f) : f_(std::move(f)) {}
        R call(Args... args) override { return f_(std::forward<Args>(args)...); }
        F f_;
    };
    std::unique_ptr<base> target_;
};

}  // namespace lockstep
