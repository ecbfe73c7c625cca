// A value or an error code: what every synchronous call that can fail returns.
#pragma once

#include <lockstep/base/errc.hpp>

#include <boost/system/result.hpp>

namespace lockstep {

/// `result<T> r = f(); if (!r) return r.error(); use(*r);`
template <class T = void>
using result = boost::system::result<T, error_code>;

}  // namespace lockstep

/// Returns the error of `expression` (a result) from the enclosing function, if it is one.
#define LOCKSTEP_TRY(expression)                                        \
    do {                                                                \
        if (auto lockstep_try_ = (expression); !lockstep_try_)          \
            return lockstep_try_.error();                               \
    } while (false)
