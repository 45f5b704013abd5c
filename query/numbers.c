/* SPDX-License-Identifier: Apache-2.0
 *
 * query/numbers.c: see numbers.h. */
#include "query/numbers.h"

#include <math.h>
#include <stdlib.h>

#include "lib/analysis/analysis.h"

/* ---- exact sums ---- */

#define LIMB_BITS  32
#define LOWEST_BIT 1152 /* limb 0 counts 2^-1152: all bits of the smallest double stand above it */

/* Carries go up until every limb but the last is from 0 to 2^32 - 1: then a sum has one form only. */
static void normalise(int64_t limbs[SP_EXACT_SUM_LIMBS])
{
    int64_t carry = 0;
    for (size_t i = 0; i + 1 < SP_EXACT_SUM_LIMBS; i++) {
        int64_t limb = limbs[i] + carry;
        carry = limb >> LIMB_BITS; /* rounds down, for negative ones, too */
        limbs[i] = limb - carry * ((int64_t)1 << LIMB_BITS);
    }
    limbs[SP_EXACT_SUM_LIMBS - 1] += carry;
}

void sp_exact_sum_add(struct sp_exact_sum *sum, double value)
{
    if (isinf(value)) {
        sum->positive_infinities += value > 0;
        sum->negative_infinities += value < 0;
        return;
    }
    int exponent;
    double fraction = frexp(value, &exponent); /* value = fraction * 2^exponent */
    int64_t mantissa = (int64_t)ldexp(fraction, 53);
    int64_t sign = mantissa < 0 ? -1 : 1;
    uint64_t magnitude = (uint64_t)(mantissa * sign);
    unsigned bit = (unsigned)(exponent - 53 + LOWEST_BIT);
    size_t limb = bit / LIMB_BITS;
    __uint128_t shifted = (__uint128_t)magnitude << (bit % LIMB_BITS);
    for (; shifted != 0; shifted >>= LIMB_BITS)
        sum->limbs[limb++] += sign * (int64_t)(uint32_t)shifted;
    /* A limb takes 2^31 additions of 32 bits. */
    if (++sum->pending >= (uint32_t)1 << 30) {
        normalise(sum->limbs);
        sum->pending = 0;
    }
}

void sp_exact_sum_merge(struct sp_exact_sum *into, const struct sp_exact_sum *from)
{
    struct sp_exact_sum other = *from;
    normalise(other.limbs);
    normalise(into->limbs);
    for (size_t i = 0; i < SP_EXACT_SUM_LIMBS; i++)
        into->limbs[i] += other.limbs[i];
    into->pending = 2;
    into->positive_infinities += from->positive_infinities;
    into->negative_infinities += from->negative_infinities;
}

double sp_exact_sum_value(const struct sp_exact_sum *sum)
{
    int64_t limbs[SP_EXACT_SUM_LIMBS];
    if (sum->positive_infinities > 0 || sum->negative_infinities > 0)
        return sum->positive_infinities == 0   ? -INFINITY
               : sum->negative_infinities == 0 ? INFINITY
                                               : NAN;
    memcpy(limbs, sum->limbs, sizeof(limbs));
    normalise(limbs);
    bool negative = limbs[SP_EXACT_SUM_LIMBS - 1] < 0;
    if (negative) {
        for (size_t i = 0; i < SP_EXACT_SUM_LIMBS; i++)
            limbs[i] = -limbs[i];
        normalise(limbs);
    }
    size_t top = SP_EXACT_SUM_LIMBS;
    while (top > 0 && limbs[top - 1] == 0)
        top--;
    /* Four limbs are at least 97 bits. */
    double value = 0;
    for (size_t i = top; i > 0 && i + 4 > top; i--)
        value += ldexp((double)limbs[i - 1], (int)(LIMB_BITS * (i - 1)) - LOWEST_BIT);
    return negative ? -value : value;
}

/* ---- sums of numbers of both kinds ---- */

static void widen(struct sp_number_sum *sum, double min, double max)
{
    sum->min = sum->count == 0 || min < sum->min ? min : sum->min;
    sum->max = sum->count == 0 || max > sum->max ? max : sum->max;
}

void sp_number_sum_add_integer(struct sp_number_sum *sum, __int128_t value)
{
    widen(sum, (double)value, (double)value);
    sum->integers += value;
    sum->count++;
}

static bool has_doubles(struct sp_number_sum *sum, struct sp_arena *arena)
{
    if (sum->doubles == NULL)
        sum->doubles = sp_arena_calloc(arena, 1, sizeof(*sum->doubles));
    return sum->doubles != NULL;
}

bool sp_number_sum_add_double(struct sp_number_sum *sum, double value, struct sp_arena *arena)
{
    if (!has_doubles(sum, arena))
        return false;
    value += 0.0; /* of 0 and -0 the smaller depends on the order */
    widen(sum, value, value);
    sp_exact_sum_add(sum->doubles, value);
    sum->count++;
    return true;
}

bool sp_number_sum_merge(struct sp_number_sum *into, const struct sp_number_sum *from,
                         struct sp_arena *arena)
{
    if (from->count == 0)
        return true;
    if (from->doubles != NULL) {
        if (!has_doubles(into, arena))
            return false;
        sp_exact_sum_merge(into->doubles, from->doubles);
    }
    widen(into, from->min, from->max);
    into->integers += from->integers;
    into->count += from->count;
    return true;
}

double sp_number_sum_value(const struct sp_number_sum *sum)
{
    double integers = (double)sum->integers;
    return sum->doubles != NULL ? integers + sp_exact_sum_value(sum->doubles) : integers;
}

/* ---- quantiles ---- */

static int32_t key_of(double value)
{
    int exponent;
    if (value == 0)
        return 0;
    double fraction = frexp(fabs(value), &exponent);
    /* In [2^52, 2^53): the histogram's own index, moved to where the number is. */
    int32_t index = sp_histogram_index((uint64_t)ldexp(fraction, 53));
    int32_t key = index + ((exponent - 53) * (1 << SP_HISTOGRAM_SCALE)) + SP_SKETCH_OFFSET;
    return value < 0 ? -key : key;
}

/* The middle of a bucket, by ratio. */
static double value_of(int32_t key)
{
    if (key == 0)
        return 0;
    double index = abs(key) - SP_SKETCH_OFFSET;
    double value = exp2((index + 0.5) / (1 << SP_HISTOGRAM_SCALE));
    return key < 0 ? -value : value;
}

/* The bucket of a key, made when it is new. */
static struct sp_sketch_bucket *bucket_of(struct sp_sketch *sketch, int32_t key,
                                          struct sp_arena *arena)
{
    uint32_t from = 0, to = sketch->bucket_count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (sketch->buckets[middle].key < key)
            from = middle + 1;
        else
            to = middle;
    }
    if (from < sketch->bucket_count && sketch->buckets[from].key == key)
        return &sketch->buckets[from];
    if (sketch->bucket_count == sketch->bucket_cap) {
        uint32_t cap = sketch->bucket_cap > 0 ? 2 * sketch->bucket_cap : 8;
        struct sp_sketch_bucket *grown = sp_arena_grow(
            arena, sketch->buckets, sketch->bucket_cap * sizeof(*grown), cap * sizeof(*grown));
        if (grown == NULL)
            return NULL;
        sketch->buckets = grown;
        sketch->bucket_cap = cap;
    }
    memmove(&sketch->buckets[from + 1], &sketch->buckets[from],
            (sketch->bucket_count - from) * sizeof(*sketch->buckets));
    sketch->bucket_count++;
    sketch->buckets[from] = (struct sp_sketch_bucket){.key = key};
    return &sketch->buckets[from];
}

static bool add_key(struct sp_sketch *sketch, int32_t key, uint64_t count, struct sp_arena *arena)
{
    if (count == 0)
        return true;
    struct sp_sketch_bucket *bucket = bucket_of(sketch, key, arena);
    if (bucket == NULL)
        return false;
    bucket->count += count;
    sketch->count += count;
    return true;
}

/* Numbers that a sketch has before it gets a window; so a window takes no more than some bytes a number. */
#define WINDOW_COUNT 1024
#define WINDOW_STEP  64
#define WINDOW_MAX   2048

/* A window over the positive keys so far and this one; false only for want of memory. */
static bool make_window(struct sp_sketch *sketch, int32_t key, struct sp_arena *arena)
{
    int32_t first = key, last = key;
    for (uint32_t i = 0; i < sketch->bucket_count; i++) {
        int32_t own = sketch->buckets[i].key;
        first = own > 0 && own < first ? own : first;
        last = own > last ? own : last;
    }
    if (sketch->window) {
        int32_t end = sketch->window_first + (int32_t)sketch->window_len - 1;
        first = sketch->window_first < first ? sketch->window_first : first;
        last = end > last ? end : last;
    }
    first -= first % WINDOW_STEP;
    uint32_t len = (uint32_t)(last - first) / WINDOW_STEP * WINDOW_STEP + WINDOW_STEP;
    if (len > WINDOW_MAX)
        return true; /* stays as it is */
    uint32_t *window = sp_arena_calloc(arena, len, sizeof(*window));
    if (!window)
        return false;
    for (uint32_t i = 0; i < sketch->window_len; i++)
        window[sketch->window_first + (int32_t)i - first] = sketch->window[i];
    sketch->window = window;
    sketch->window_first = first;
    sketch->window_len = len;
    return true;
}

/* Into the window, if the key is in it. */
static bool add_to_window(struct sp_sketch *sketch, int32_t key)
{
    uint32_t at = (uint32_t)(key - sketch->window_first);
    if (at >= sketch->window_len || sketch->window[at] == UINT32_MAX)
        return false;
    sketch->window[at]++;
    sketch->count++;
    return true;
}

static bool add_one(struct sp_sketch *sketch, int32_t key, struct sp_arena *arena)
{
    if (add_to_window(sketch, key))
        return true;
    if (key > 0 && sketch->count >= WINDOW_COUNT &&
        (uint32_t)(key - sketch->window_first) >= sketch->window_len) {
        if (!make_window(sketch, key, arena))
            return false;
        if (add_to_window(sketch, key))
            return true;
    }
    return add_key(sketch, key, 1, arena);
}

bool sp_sketch_add_duration(struct sp_sketch *sketch, uint64_t duration_ns, struct sp_arena *arena)
{
    double value = (double)duration_ns;
    sketch->min = sketch->count == 0 || value < sketch->min ? value : sketch->min;
    sketch->max = sketch->count == 0 || value > sketch->max ? value : sketch->max;
    if (duration_ns >= (uint64_t)1 << 53) /* the double is another number */
        return add_one(sketch, key_of(value), arena);
    int32_t key = duration_ns == 0 ? 0 : sp_histogram_index(duration_ns) + SP_SKETCH_OFFSET;
    return add_one(sketch, key, arena);
}

bool sp_sketch_close(struct sp_sketch *sketch, struct sp_arena *arena)
{
    uint32_t *window = sketch->window;
    uint32_t len = sketch->window_len;
    sketch->window = NULL;
    sketch->window_len = 0;
    for (uint32_t i = 0; i < len; i++) {
        sketch->count -= window[i]; /* they are counted again */
        if (!add_key(sketch, sketch->window_first + (int32_t)i, window[i], arena))
            return false;
    }
    return true;
}

static bool add_value(struct sp_sketch *sketch, double value, struct sp_arena *arena)
{
    if (sketch->count == sketch->value_cap) {
        size_t cap = sketch->value_cap > 0 ? 2 * sketch->value_cap : 16;
        double *grown = sp_arena_grow(arena, sketch->values, sketch->value_cap * sizeof(*grown),
                                      cap * sizeof(*grown));
        if (grown == NULL)
            return false;
        sketch->values = grown;
        sketch->value_cap = cap;
    }
    sketch->values[sketch->count++] = value;
    return true;
}

bool sp_sketch_add(struct sp_sketch *sketch, double value, uint64_t times, bool exact,
                   struct sp_arena *arena)
{
    if (times == 0)
        return true;
    value += 0.0; /* of 0 and -0 the smaller depends on the order */
    sketch->min = sketch->count == 0 || value < sketch->min ? value : sketch->min;
    sketch->max = sketch->count == 0 || value > sketch->max ? value : sketch->max;
    if (!exact)
        return times == 1 ? add_one(sketch, key_of(value), arena)
                          : add_key(sketch, key_of(value), times, arena);
    for (uint64_t i = 0; i < times; i++)
        if (!add_value(sketch, value, arena))
            return false;
    return true;
}

bool sp_sketch_add_bucket(struct sp_sketch *sketch, uint16_t index, uint64_t count,
                          struct sp_arena *arena)
{
    return add_key(sketch, index + SP_SKETCH_OFFSET, count, arena);
}

bool sp_sketch_add_zeros(struct sp_sketch *sketch, uint64_t count, struct sp_arena *arena)
{
    return add_key(sketch, 0, count, arena);
}

bool sp_sketch_merge(struct sp_sketch *into, const struct sp_sketch *from, struct sp_arena *arena)
{
    if (from->count == 0)
        return true;
    into->min = into->count == 0 || from->min < into->min ? from->min : into->min;
    into->max = into->count == 0 || from->max > into->max ? from->max : into->max;
    for (uint32_t i = 0; i < from->window_len; i++)
        if (!add_key(into, from->window_first + (int32_t)i, from->window[i], arena))
            return false;
    for (uint32_t i = 0; i < from->bucket_count; i++)
        if (!add_key(into, from->buckets[i].key, from->buckets[i].count, arena))
            return false;
    for (uint64_t i = 0; from->values != NULL && i < from->count; i++)
        if (!add_value(into, from->values[i], arena))
            return false;
    return true;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

uint64_t sp_quantile_rank(double q, uint64_t count)
{
    q = !(q > 0) ? 0 : q < 1 ? q : 1;
    double exact = q * (double)count;
    uint64_t rank = (uint64_t)ceil(exact - exact * 0x1p-52);
    return rank < 1 ? 1 : rank > count ? count : rank;
}

double sp_sketch_quantile(struct sp_sketch *sketch, double q)
{
    if (sketch->count == 0)
        return NAN;
    uint64_t rank = sp_quantile_rank(q, sketch->count);
    if (sketch->values != NULL) {
        qsort(sketch->values, sketch->count, sizeof(*sketch->values), compare_doubles);
        return sketch->values[rank - 1];
    }
    uint64_t seen = 0;
    uint32_t i = 0;
    for (; i + 1 < sketch->bucket_count && seen + sketch->buckets[i].count < rank; i++)
        seen += sketch->buckets[i].count;
    double value = value_of(sketch->buckets[i].key);
    return value < sketch->min ? sketch->min : value > sketch->max ? sketch->max : value;
}
