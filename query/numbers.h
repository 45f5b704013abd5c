/* SPDX-License-Identifier: Apache-2.0
 *
 * query/numbers.h: many numbers as few: sums that do not depend on the order, quantiles with a stated error or exact. Memory is an
 * arena's, whose cap bounds it; a function that needs more returns false, and arena->error says why. Pure. One owner at a time.
 *
 * Spans come in any order, from several threads; so nothing here may depend on one: not even the last bit of a sum of doubles. */
#pragma once

#include "lib/base/base.h"

/* ---- sums ---- */

/* A sum of doubles without rounding: limb i counts 2^(32 * i - 1152). Zero-initialised is 0. */
#define SP_EXACT_SUM_LIMBS 70
struct sp_exact_sum {
    int64_t limbs[SP_EXACT_SUM_LIMBS];
    uint32_t pending; /* additions since carries were taken over */
    uint64_t positive_infinities, negative_infinities;
};

void sp_exact_sum_add(struct sp_exact_sum *sum, double value); /* not NaN */
void sp_exact_sum_merge(struct sp_exact_sum *into, const struct sp_exact_sum *from);
/* The same for equal sums, however they were made; within one unit in the last place. NaN: infinities of both signs. */
double sp_exact_sum_value(const struct sp_exact_sum *sum);

/* Numbers of one moment of a series. Zero-initialised is empty. */
struct sp_number_sum {
    uint64_t count;
    __int128_t integers;          /* of integers and durations */
    struct sp_exact_sum *doubles; /* NULL: none came */
    double min, max;
};

/* of 64 bits, with a sign or without */
void sp_number_sum_add_integer(struct sp_number_sum *sum, __int128_t value);
SP_MUST_USE bool sp_number_sum_add_double(struct sp_number_sum *sum, double value,
                                          struct sp_arena *arena); /* not NaN */
SP_MUST_USE bool sp_number_sum_merge(struct sp_number_sum *into, const struct sp_number_sum *from,
                                     struct sp_arena *arena);
double sp_number_sum_value(const struct sp_number_sum *sum);

/* ---- quantiles ---- */

/* Exponential buckets of base 2^(1/32), as struct sp_histogram, but of doubles of any size and sign; or, to be exact, the numbers
 * themselves. Zero-initialised is empty. */
struct sp_sketch {
    struct sp_sketch_bucket {
        int32_t
            key; /* 0: the number 0; positive: index + SP_SKETCH_OFFSET; negative numbers: the same below 0 */
        uint64_t count;
    } * buckets; /* ascending keys */
    uint32_t bucket_count, bucket_cap;
    /* Of one with many numbers: counts of the keys from window_first on, which have no bucket then */
    uint32_t *window;
    int32_t window_first;
    uint32_t window_len;
    double *values; /* exact ones; then there are no buckets */
    size_t value_cap;
    uint64_t count;
    double min, max;
};

#define SP_SKETCH_OFFSET 40000

SP_MUST_USE bool sp_sketch_add(struct sp_sketch *sketch, double value, uint64_t times, bool exact,
                               struct sp_arena *arena); /* finite */
/* A duration, without exact: the same as the number, faster. */
SP_MUST_USE bool sp_sketch_add_duration(struct sp_sketch *sketch, uint64_t duration_ns,
                                        struct sp_arena *arena);
/* Makes buckets of the window, for who looks at them. */
SP_MUST_USE bool sp_sketch_close(struct sp_sketch *sketch, struct sp_arena *arena);
/* Count more durations in a bucket of struct sp_histogram, which leaves min and max to the caller. */
SP_MUST_USE bool sp_sketch_add_bucket(struct sp_sketch *sketch, uint16_t index, uint64_t count,
                                      struct sp_arena *arena);
SP_MUST_USE bool sp_sketch_add_zeros(struct sp_sketch *sketch, uint64_t count,
                                     struct sp_arena *arena);
SP_MUST_USE bool sp_sketch_merge(struct sp_sketch *into, const struct sp_sketch *from,
                                 struct sp_arena *arena);

/* The rank of a quantile, from 1 to count, as sp_histogram_quantile has it: 0.9 of 40 is the 36th, although 0.9 is a little more than 9/10. */
uint64_t sp_quantile_rank(double q, uint64_t count);

/* The number of rank ceil(q * count), at least the first, within SP_HISTOGRAM_RELATIVE_ERROR, or exactly, if the sketch has the
 * numbers themselves, which it sorts. The last bit of q does not count. Of an empty one NaN. */
double sp_sketch_quantile(struct sp_sketch *sketch, double q);
