/* SPDX-License-Identifier: Apache-2.0
 *
 * The latency histogram against exact order statistics. */
#include "lib/analysis/analysis.h"
#include "tests/support/check_main.h"

#include <math.h>
#include <stdlib.h>

#define VALUES 4000

static uint64_t random_state;

static uint64_t random_u64(void) /* splitmix64 */
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double random_unit(void)
{
    return (double)(random_u64() >> 11) / 9007199254740992.0;
}

/* Latencies of many shapes, from single nanoseconds to the whole range. */
static uint64_t random_value(int distribution)
{
    switch (distribution) {
    case 0:
        return random_u64() % 100; /* tiny, with zeros */
    case 1:
        return random_u64() % 5000000000u; /* uniform to 5 s */
    case 2:
        return (uint64_t)(-log(1 - random_unit()) * 20e6); /* exponential around 20 ms */
    case 3:
        return (uint64_t)(1e6 / pow(1 - random_unit(), 1 / 1.1)); /* heavy tail */
    case 4:
        return random_u64() % 2 ? 1000000 + random_u64() % 1000 : 900000000 + random_u64() % 1000;
    case 5:
        return 123456789; /* all the same */
    case 6:
        return random_u64() >> (random_u64() % 64); /* every magnitude */
    default:
        return (uint64_t)1 << (random_u64() % 64); /* bucket edges */
    }
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static void assert_same(const struct sp_histogram *a, const struct sp_histogram *b)
{
    ck_assert_uint_eq(a->count, b->count);
    ck_assert_uint_eq(a->zero_count, b->zero_count);
    ck_assert_uint_eq(a->sum_ns, b->sum_ns);
    ck_assert_uint_eq(a->min_ns, b->min_ns);
    ck_assert_uint_eq(a->max_ns, b->max_ns);
    ck_assert_uint_eq(a->bucket_count, b->bucket_count);
    for (uint32_t i = 0; i < a->bucket_count; i++) {
        ck_assert_uint_eq(a->buckets[i].index, b->buckets[i].index);
        ck_assert_uint_eq(a->buckets[i].count, b->buckets[i].count);
    }
}

START_TEST(histogram_quantile_is_within_the_stated_error)
{
    static const double quantiles[] = {0, 0.001, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1};
    static uint64_t values[VALUES];
    random_state = (uint64_t)_i;
    struct sp_histogram h = {0};
    size_t count = 1 + random_u64() % VALUES;
    for (size_t i = 0; i < count; i++) {
        values[i] = random_value(_i);
        ck_assert_int_eq(sp_histogram_add(&h, values[i], 1), SP_OK);
    }
    qsort(values, count, sizeof *values, compare_u64);
    for (size_t i = 0; i < SP_ARRAY_LEN(quantiles); i++) {
        size_t rank = (size_t)ceil(quantiles[i] * (double)count * (1 - 0x1p-52));
        uint64_t exact = values[rank == 0 ? 0 : rank - 1];
        uint64_t got = sp_histogram_quantile(&h, quantiles[i]);
        double error = got > exact ? (double)(got - exact) : (double)(exact - got);
        ck_assert_msg(error <= SP_HISTOGRAM_RELATIVE_ERROR * (double)exact + 0.5,
                      "q %g: exact %lu, got %lu", quantiles[i], exact, got);
        ck_assert_uint_ge(got, values[0]);
        ck_assert_uint_le(got, values[count - 1]);
    }
    sp_histogram_fini(&h);
}
END_TEST

START_TEST(histogram_bucket_index_is_the_floor_of_the_logarithm)
{
    random_state = 7;
    for (int i = 0; i < 20000; i++) {
        uint64_t value = random_value(6);
        if (value == 0)
            continue;
        struct sp_histogram h = {0};
        ck_assert_int_eq(sp_histogram_add(&h, value, 1), SP_OK);
        long double index = log2l((long double)value) * 32;
        /* Near an edge the logarithm itself is rounded. */
        if (fabsl(index - roundl(index)) > 1e-12L)
            ck_assert_uint_eq(h.buckets[0].index, (uint16_t)floorl(index));
        ck_assert_uint_lt(h.buckets[0].index, SP_HISTOGRAM_BUCKETS);
        sp_histogram_fini(&h);
    }
}
END_TEST

START_TEST(histogram_merge_equals_adding_everything_to_one)
{
    random_state = 1000 + (uint64_t)_i;
    struct sp_histogram parts[3] = {{0}}, all = {0}, left = {0}, right = {0};
    for (int i = 0; i < VALUES; i++) {
        uint64_t value = random_value(_i), times = 1 + random_u64() % 3;
        ck_assert_int_eq(sp_histogram_add(&parts[random_u64() % 3], value, times), SP_OK);
        ck_assert_int_eq(sp_histogram_add(&all, value, times), SP_OK);
    }
    /* (a + b) + c and c + (b + a) */
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(sp_histogram_merge(&left, &parts[i]), SP_OK);
        ck_assert_int_eq(sp_histogram_merge(&right, &parts[2 - i]), SP_OK);
    }
    assert_same(&left, &all);
    assert_same(&right, &all);
    for (int i = 0; i < 3; i++)
        sp_histogram_fini(&parts[i]);
    sp_histogram_fini(&all);
    sp_histogram_fini(&left);
    sp_histogram_fini(&right);
}
END_TEST

START_TEST(histogram_that_is_empty_says_zero_and_merges_as_nothing)
{
    struct sp_histogram empty = {0}, one = {0};
    ck_assert_uint_eq(sp_histogram_quantile(&empty, 0.5), 0);
    ck_assert_int_eq(sp_histogram_add(&one, 5, 0), SP_OK);
    ck_assert_uint_eq(one.count, 0);
    ck_assert_int_eq(sp_histogram_add(&one, 5, 1), SP_OK);
    ck_assert_int_eq(sp_histogram_merge(&one, &empty), SP_OK);
    ck_assert_uint_eq(one.count, 1);
    ck_assert_int_eq(sp_histogram_merge(&empty, &one), SP_OK);
    assert_same(&empty, &one);
    sp_histogram_fini(&empty);
    sp_histogram_fini(&one);
    sp_histogram_fini(NULL);
}
END_TEST

START_TEST(histogram_quantile_rank_is_that_of_the_decimal_that_was_meant)
{
    /* As doubles, 0.9 * 40 is a little more than 36 and 0.07 * 100 a little more than 7. */
    static const struct {
        double q;
        uint64_t count, rank;
    } cases[] = {{0.9, 40, 36}, {0.07, 100, 7}, {0.95, 20, 19}, {0.99, 1000, 990}};
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        struct sp_histogram h = {0};
        uint64_t rank = cases[i].rank;
        ck_assert_int_eq(sp_histogram_add(&h, 1000, rank), SP_OK);
        ck_assert_int_eq(sp_histogram_add(&h, 9000, cases[i].count - rank), SP_OK);
        ck_assert_uint_lt(sp_histogram_quantile(&h, cases[i].q), 2000);
        ck_assert_uint_gt(sp_histogram_quantile(&h, cases[i].q + 1e-9), 8000);
        sp_histogram_fini(&h);
    }
}
END_TEST

START_TEST(histogram_clamps_quantiles_saturates_counts_and_wraps_sums)
{
    struct sp_histogram h = {0};
    ck_assert_int_eq(sp_histogram_add(&h, UINT64_MAX, UINT64_MAX - 1), SP_OK);
    ck_assert_int_eq(sp_histogram_add(&h, 1, 7), SP_OK);
    ck_assert_uint_eq(h.count, UINT64_MAX);
    ck_assert_uint_eq(h.sum_ns, 2 + 7); /* (2^64 - 1) * (2^64 - 2) + 7, modulo 2^64 */
    ck_assert_uint_eq(sp_histogram_quantile(&h, -3), 1);
    ck_assert_uint_eq(sp_histogram_quantile(&h, NAN), 1);
    ck_assert_uint_ge(sp_histogram_quantile(&h, 7), (uint64_t)(0.989 * 0x1p64));
    sp_histogram_fini(&h);
}
END_TEST

/* Values around what 64 bits hold together. */
START_TEST(histogram_tells_sums_that_fit_and_stops_at_the_greatest_number)
{
    uint64_t fitting = 0, larger = 0;
    random_state = 5;
    for (int round = 0; round < 20000; round++) {
        struct sp_histogram h = {0};
        __uint128_t sum = 0;
        uint64_t count = 1 + random_u64() % 6;
        for (uint64_t i = 0; i < count; i++) {
            uint64_t value = random_u64() >> (random_u64() % 5);
            if (i + 1 == count && i > 0 && round % 3 == 0 && sum > 0 && sum <= UINT64_MAX)
                value =
                    UINT64_MAX - (uint64_t)sum + random_u64() % 3; /* 2^64 - 1, 2^64, 2^64 + 1 */
            ck_assert_int_eq(sp_histogram_add(&h, value, 1), SP_OK);
            sum += value;
        }
        ck_assert_uint_eq(sp_histogram_sum(&h), sp_sum_told(sum));
        sp_histogram_widen(&h);
        ck_assert_uint_eq(sp_histogram_sum(&h), sp_sum_told(sum));
        fitting += sum <= UINT64_MAX;
        larger += sum > UINT64_MAX;
        sp_histogram_fini(&h);
    }
    ck_assert_uint_gt(fitting, 1000);
    ck_assert_uint_gt(larger, 1000);
}
END_TEST

START_TEST(histogram_widens_to_the_limits_of_its_buckets)
{
    for (uint64_t value = 1, step = 0; step < 4000; step++) {
        struct sp_histogram h = {0}, buckets = {0};
        ck_assert_int_eq(sp_histogram_add(&h, value, 3), SP_OK);
        sp_histogram_widen(&h);
        ck_assert(h.min_ns <= value && value <= h.max_ns);
        ck_assert_uint_eq(sp_histogram_index(h.min_ns), sp_histogram_index(value));
        ck_assert_uint_eq(sp_histogram_index(h.max_ns), sp_histogram_index(value));
        ck_assert(h.max_ns == UINT64_MAX ||
                  sp_histogram_index(h.max_ns + 1) > sp_histogram_index(value));
        ck_assert(h.min_ns == 1 || sp_histogram_index(h.min_ns - 1) < sp_histogram_index(value));
        ck_assert_int_eq(sp_histogram_add_bucket(&buckets, sp_histogram_index(value), 3), SP_OK);
        sp_histogram_widen(&buckets);
        ck_assert_uint_eq(sp_histogram_quantile(&h, 0.5), sp_histogram_quantile(&buckets, 0.5));
        sp_histogram_fini(&h);
        sp_histogram_fini(&buckets);
        uint64_t next = value + value / 90 + 1;
        value = next > value ? next : UINT64_MAX;
    }
    struct sp_histogram h = {0};
    ck_assert_int_eq(sp_histogram_add(&h, 0, 1), SP_OK);
    ck_assert_int_eq(sp_histogram_add(&h, 1000, 1), SP_OK);
    sp_histogram_widen(&h);
    ck_assert_uint_eq(h.min_ns, 0);
    ck_assert_uint_ge(h.max_ns, 1000);
    sp_histogram_fini(&h);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("analysis_histogram");
    TCase *tcase = tcase_create("histogram");
    tcase_add_loop_test(tcase, histogram_quantile_is_within_the_stated_error, 0, 8);
    tcase_add_test(tcase, histogram_bucket_index_is_the_floor_of_the_logarithm);
    tcase_add_loop_test(tcase, histogram_merge_equals_adding_everything_to_one, 0, 8);
    tcase_add_test(tcase, histogram_that_is_empty_says_zero_and_merges_as_nothing);
    tcase_add_test(tcase, histogram_quantile_rank_is_that_of_the_decimal_that_was_meant);
    tcase_add_test(tcase, histogram_clamps_quantiles_saturates_counts_and_wraps_sums);
    tcase_add_test(tcase, histogram_tells_sums_that_fit_and_stops_at_the_greatest_number);
    tcase_add_test(tcase, histogram_widens_to_the_limits_of_its_buckets);
    suite_add_tcase(suite, tcase);
    return suite;
}
