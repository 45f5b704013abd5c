/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/value_set.h: all values that satisfy a condition, worked out once from sp_condition_holds_value, so that a column
 * can be gone through without comparing kinds again. Internal to storage/. Knows no blocks. */
#pragma once

#include "storage/bitmap.h"
#include "storage/catalogue.h"

/* Keys first to first + width, or all others. A key is a number turned so that it sorts as unsigned. */
struct sp_number_set {
    uint64_t first, width;
    bool inverted;
};

struct sp_value_set {
    const struct sp_condition *condition;
    struct sp_number_set integers, doubles, durations;
    bool booleans[2]; /* false, true */
};

void sp_value_set_init(struct sp_value_set *set, const struct sp_condition *condition);

/* Of all values there could be of a kind. */
enum sp_share sp_value_set_kind(const struct sp_value_set *set, enum sp_value_kind kind);
/* Of numbers of which the smallest and the largest are known; NaN may be among doubles. */
enum sp_share sp_value_set_range(const struct sp_value_set *set, enum sp_value_kind kind,
                                 uint64_t min, uint64_t max);
enum sp_share sp_value_set_durations(const struct sp_value_set *set, uint64_t min_ns,
                                     uint64_t max_ns);

static inline bool sp_number_set_has(const struct sp_number_set *set, uint64_t key)
{
    return (key - set->first <= set->width) != set->inverted;
}

/* Numbers as a column has them become keys. */
static inline uint64_t sp_key_of_integer(uint64_t bits)
{
    return bits ^ (uint64_t)1 << 63;
}

static inline uint64_t sp_key_of_double(uint64_t bits)
{
    return bits ^ ((0 - (bits >> 63)) | (uint64_t)1 << 63);
}

/* ret[i] = 1 if the number is in the set, otherwise 0. kind: INT, DOUBLE or BOOL. */
void sp_value_set_numbers(const struct sp_value_set *set, enum sp_value_kind kind,
                          const uint64_t *numbers, uint32_t count, uint8_t *ret);
void sp_value_set_duration_numbers(const struct sp_value_set *set, const uint64_t *durations_ns,
                                   uint32_t count, uint8_t *ret);
