/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/sum.h: sums that may be larger than a number of 64 bits, which two spans of some centuries are enough for. Such a sum is kept
 * in 128 bits where what is made of it (a mean, a share, a difference) has to be right, or stops at the greatest number. What is told of
 * it stops there, too: it means at least so much. Knows nothing. */
#pragma once

#include <stdint.h>

static inline uint64_t sp_sum_saturating(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* What is told of a sum. */
static inline uint64_t sp_sum_told(__uint128_t sum)
{
    return sum > UINT64_MAX ? UINT64_MAX : (uint64_t)sum;
}

/* And of how much a sum is larger than another: at least, or at most. */
static inline int64_t sp_sum_difference(__uint128_t sum, __uint128_t other)
{
    if (sum >= other)
        return sum - other > INT64_MAX ? INT64_MAX : (int64_t)(sum - other);
    return other - sum > INT64_MAX ? INT64_MIN : -(int64_t)(other - sum);
}

/* 0 of nothing. */
static inline double sp_sum_mean(__uint128_t sum, uint64_t count)
{
    return count > 0 ? (double)sum / (double)count : 0;
}
