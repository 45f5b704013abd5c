/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/histogram.c: the exponential latency histogram. Integer arithmetic only, so that every machine puts a
 * value into the same bucket. Knows nothing of spans. */
#include "lib/analysis/analysis.h"

#include <math.h>
#include <stdlib.h>

#define SUB_BUCKETS (1 << SP_HISTOGRAM_SCALE) /* buckets for each power of two */

/* ceil(2^63 * 2^(i / 32)): the smallest normalised value of sub-bucket i. */
static const uint64_t sub_bucket_start[SUB_BUCKETS] = {
    0x8000000000000000u, 0x82cd8698ac2ba1d8u, 0x85aac367cc487b15u, 0x88980e8092da8528u,
    0x8b95c1e3ea8bd6e7u, 0x8ea4398b45cd53c1u, 0x91c3d373ab11c337u, 0x94f4efa8fef70962u,
    0x9837f0518db8a970u, 0x9b8d39b9d54e5539u, 0x9ef5326091a111aeu, 0xa27043030c496819u,
    0xa5fed6a9b15138ebu, 0xa9a15ab4ea7c0ef9u, 0xad583eea42a14ac7u, 0xb123f581d2ac2590u,
    0xb504f333f9de6485u, 0xb8fbaf4762fb9eeau, 0xbd08a39f580c36bfu, 0xc12c4cca66709457u,
    0xc5672a115506dadeu, 0xc9b9bd866e2f27a3u, 0xce248c151f8480e4u, 0xd2a81d91f12ae45bu,
    0xd744fccad69d6af5u, 0xdbfbb797daf23756u, 0xe0ccdeec2a94e112u, 0xe5b906e77c8348a9u,
    0xeac0c6e7dd24392fu, 0xefe4b99bdcdaf5ccu, 0xf5257d152486cc2du, 0xfa83b2db722a033bu,
};

/* round(2^63 * 2^((i + 0.5) / 32)): the geometric middle of sub-bucket i, whose ratio to either end is 2^(1/64). */
static const uint64_t sub_bucket_middle[SUB_BUCKETS] = {
    0x8164d1f3bc030773u, 0x843a28c3acde4046u, 0x871f61969e8d1010u, 0x8a14d575496efd9au,
    0x8d1adf5b7e5ba9e6u, 0x9031dc431466b1dcu, 0x935a2b2f13e6e92cu, 0x96942d3720185a00u,
    0x99e0459320b7fa65u, 0x9d3ed9a72cffb751u, 0xa0b0510fb9714fc2u, 0xa43515ae09e6809eu,
    0xa7cd93b4e965356au, 0xab7a39b5a93ed337u, 0xaf3b78ad690a4375u, 0xb311c412a9112489u,
    0xb6fd91e328d17791u, 0xbaff5ab2133e45fbu, 0xbf1799b67a731083u, 0xc346ccda24976407u,
    0xc78d74c8abb9b15du, 0xcbec14fef2727c5du, 0xd06333daef2b2595u, 0xd4f35aabcfedfa1fu,
    0xd99d15c278afd7b6u, 0xde60f4825e0e9124u, 0xe33f8972be8a5a51u, 0xe8396a503c4bdc68u,
    0xed4f301ed9942b84u, 0xf281773c59ffb13au, 0xf7d0df730ad13bb9u, 0xfd3e0c0cf486c175u,
};

/* The sub-bucket in which each 64th of an octave begins. None has more than one start within, as sub-buckets are wider. */
static const uint8_t sub_bucket_near[64] = {
    0,  0,  1,  2,  2,  3,  4,  4,  5,  6,  6,  7,  7,  8,  9,  9,  10, 10, 11, 12, 12, 13,
    13, 14, 14, 15, 15, 16, 16, 17, 17, 18, 18, 19, 19, 20, 20, 21, 21, 21, 22, 22, 23, 23,
    24, 24, 25, 25, 25, 26, 26, 27, 27, 27, 28, 28, 29, 29, 29, 30, 30, 30, 31, 31,
};

/* floor(log2(value) * 32) */
uint16_t sp_histogram_index(uint64_t value_ns)
{
    uint64_t value = value_ns;
    unsigned leading = (unsigned)__builtin_clzll(value);
    uint64_t normalised = value << leading;
    unsigned near = sub_bucket_near[(normalised >> 57) & 63];
    bool next = near + 1 < SUB_BUCKETS && normalised >= sub_bucket_start[near + 1];
    return (uint16_t)((63 - leading) * SUB_BUCKETS + near + next);
}

static uint64_t bucket_middle(uint16_t index)
{
    unsigned exponent = index / SUB_BUCKETS;
    uint64_t middle = sub_bucket_middle[index % SUB_BUCKETS];
    unsigned shift = 63 - exponent;
    if (shift == 0)
        return middle;
    return (middle >> shift) + ((middle >> (shift - 1)) & 1);
}

void sp_histogram_fini(struct sp_histogram *h)
{
    if (!h)
        return;
    free(h->buckets);
    *h = (struct sp_histogram){0};
}

static bool reserve(struct sp_histogram *h, size_t count)
{
    if (count <= h->bucket_cap)
        return true;
    size_t cap = h->bucket_cap ? h->bucket_cap : 8;
    while (cap < count)
        cap *= 2;
    struct sp_histogram_bucket *grown = realloc(h->buckets, cap * sizeof *grown);
    if (!grown)
        return false;
    h->buckets = grown;
    h->bucket_cap = (uint32_t)cap;
    return true;
}

/* Position of the first bucket whose index is not below. */
static uint32_t lower_bound(const struct sp_histogram *h, uint16_t index)
{
    uint32_t low = 0, high = h->bucket_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (h->buckets[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void count_value(struct sp_histogram *h, uint64_t value, uint64_t times)
{
    if (h->count == 0 || value < h->min_ns)
        h->min_ns = value;
    if (value > h->max_ns)
        h->max_ns = value;
    h->count = sp_sum_saturating(h->count, times);
    h->sum_ns += value * times;
}

static bool count_in_bucket(struct sp_histogram *h, uint16_t index, uint64_t times)
{
    uint32_t at = lower_bound(h, index);
    if (at == h->bucket_count || h->buckets[at].index != index) {
        if (!reserve(h, (size_t)h->bucket_count + 1))
            return false;
        memmove(h->buckets + at + 1, h->buckets + at, (h->bucket_count - at) * sizeof *h->buckets);
        h->buckets[at] = (struct sp_histogram_bucket){.index = index};
        h->bucket_count++;
    }
    h->buckets[at].count = sp_sum_saturating(h->buckets[at].count, times);
    return true;
}

enum sp_status sp_histogram_add(struct sp_histogram *h, uint64_t value_ns, uint64_t times)
{
    if (times == 0)
        return SP_OK;
    if (value_ns == 0) {
        h->zero_count = sp_sum_saturating(h->zero_count, times);
        count_value(h, value_ns, times);
        return SP_OK;
    }
    if (!count_in_bucket(h, sp_histogram_index(value_ns), times))
        return SP_NO_MEMORY;
    count_value(h, value_ns, times);
    return SP_OK;
}

enum sp_status sp_histogram_add_bucket(struct sp_histogram *h, uint16_t index, uint64_t count)
{
    if (count == 0)
        return SP_OK;
    if (!count_in_bucket(h, index, count))
        return SP_NO_MEMORY;
    h->count = sp_sum_saturating(h->count, count);
    return SP_OK;
}

/* The smallest value that is not below the start of a bucket. */
static uint64_t bucket_low(uint16_t index)
{
    uint64_t start = sub_bucket_start[index % SUB_BUCKETS];
    unsigned shift = 63 - index / SUB_BUCKETS;
    return (start >> shift) + ((start & ((UINT64_C(1) << shift) - 1)) != 0);
}

void sp_histogram_bounds(uint16_t index, uint64_t *ret_low, uint64_t *ret_high)
{
    *ret_low = bucket_low(index);
    *ret_high =
        index + 1 < SP_HISTOGRAM_BUCKETS ? bucket_low((uint16_t)(index + 1)) - 1 : UINT64_MAX;
}

uint64_t sp_histogram_sum(const struct sp_histogram *h)
{
    if ((__uint128_t)h->max_ns * h->count <= UINT64_MAX)
        return h->sum_ns;
    /* The true sum is between this and a few percent more, so that it is sum_ns itself, or above all that fits. */
    __uint128_t least = 0;
    for (uint32_t i = 0; i < h->bucket_count && least <= UINT64_MAX; i++)
        least += (__uint128_t)bucket_low(h->buckets[i].index) * h->buckets[i].count;
    return least > h->sum_ns ? UINT64_MAX : h->sum_ns;
}

void sp_histogram_widen(struct sp_histogram *h)
{
    uint64_t low, high;
    h->min_ns = h->max_ns = 0;
    if (h->bucket_count == 0)
        return;
    sp_histogram_bounds(h->buckets[0].index, &low, &high);
    if (h->zero_count == 0)
        h->min_ns = low;
    sp_histogram_bounds(h->buckets[h->bucket_count - 1].index, &low, &h->max_ns);
}

static uint32_t union_size(const struct sp_histogram *a, const struct sp_histogram *b)
{
    uint32_t i = 0, j = 0, size = 0;
    for (; i < a->bucket_count && j < b->bucket_count; size++) {
        uint16_t left = a->buckets[i].index, right = b->buckets[j].index;
        i += left <= right;
        j += right <= left;
    }
    return size + (a->bucket_count - i) + (b->bucket_count - j);
}

enum sp_status sp_histogram_merge(struct sp_histogram *into, const struct sp_histogram *from)
{
    if (from->count == 0)
        return SP_OK;
    uint32_t size = union_size(into, from);
    if (!reserve(into, size))
        return SP_NO_MEMORY;

    /* From the highest index down: what is written lies behind what is still to be read. */
    uint32_t i = into->bucket_count, j = from->bucket_count;
    for (uint32_t k = size; j > 0; k--) {
        const struct sp_histogram_bucket *other = &from->buckets[j - 1];
        if (i > 0 && into->buckets[i - 1].index > other->index) {
            into->buckets[k - 1] = into->buckets[--i];
            continue;
        }
        struct sp_histogram_bucket sum = *other;
        if (i > 0 && into->buckets[i - 1].index == other->index)
            sum.count = sp_sum_saturating(sum.count, into->buckets[--i].count);
        into->buckets[k - 1] = sum;
        j--;
    }
    into->bucket_count = size;

    if (into->count == 0 || from->min_ns < into->min_ns)
        into->min_ns = from->min_ns;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
    into->count = sp_sum_saturating(into->count, from->count);
    into->zero_count = sp_sum_saturating(into->zero_count, from->zero_count);
    into->sum_ns += from->sum_ns;
    return SP_OK;
}

static uint64_t quantile_rank(uint64_t count, double q)
{
    if (!(q > 0))
        return 1;
    if (q >= 1)
        return count;
    /* long double holds every count exactly, so that ceil() is right for large counts too. A double is rarely the decimal
     * that was meant: 0.9 is a little more than 0.9, and 0.9 * 40 would round up to 37. So its last bit does not count. */
    long double rank = ceill((long double)q * (long double)count * (1 - 0x1p-52L));
    if (rank < 1)
        return 1;
    return rank >= (long double)count ? count : (uint64_t)rank;
}

uint64_t sp_histogram_quantile(const struct sp_histogram *h, double q)
{
    if (h->count == 0)
        return 0;
    uint64_t rank = quantile_rank(h->count, q);
    if (rank <= h->zero_count)
        return 0;
    uint64_t seen = h->zero_count;
    for (uint32_t i = 0; i < h->bucket_count; i++) {
        seen = sp_sum_saturating(seen, h->buckets[i].count);
        if (seen < rank)
            continue;
        uint64_t value = bucket_middle(h->buckets[i].index);
        if (value < h->min_ns)
            return h->min_ns;
        return value > h->max_ns ? h->max_ns : value;
    }
    return h->max_ns;
}
