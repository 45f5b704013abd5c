/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/statistics.c: see lib/analysis/statistics.h. */
#include "lib/analysis/analysis.h"

#include <math.h>
#include <stdlib.h>

/* ---- two proportions ---- */

static double log_choose(uint64_t n, uint64_t k)
{
    int sign;
    return lgamma_r((double)n + 1, &sign) - lgamma_r((double)k + 1, &sign) -
           lgamma_r((double)(n - k) + 1, &sign);
}

/* Of all hits, how many may be in a. */
static void find_range(uint64_t hits, uint64_t a_all, uint64_t b_all, uint64_t *ret_least,
                       uint64_t *ret_most)
{
    *ret_least = hits > b_all ? hits - b_all : 0;
    *ret_most = hits < a_all ? hits : a_all;
}

static double log_probability(uint64_t a_hits, uint64_t hits, uint64_t a_all, uint64_t b_all)
{
    return log_choose(a_all, a_hits) + log_choose(b_all, hits - a_hits) -
           log_choose(a_all + b_all, hits);
}

/* From one number of hits in a to the next: how much more probable it is. */
static double step_up(uint64_t a_hits, uint64_t hits, uint64_t a_all, uint64_t b_all)
{
    return (double)(a_all - a_hits) * (double)(hits - a_hits) /
           ((double)(a_hits + 1) * (double)(b_all - (hits - a_hits) + 1));
}

double sp_fisher_exact(uint64_t a_hits, uint64_t a_all, uint64_t b_hits, uint64_t b_all)
{
    uint64_t hits = a_hits + b_hits, least, most;
    if (a_all == 0 || b_all == 0 || hits == 0 || hits == a_all + b_all)
        return 1;
    find_range(hits, a_all, b_all, &least, &most);
    double seen = exp(log_probability(a_hits, hits, a_all, b_all));
    double limit = seen * (1 + 1e-7); /* tables as probable as this one, but for rounding */
    double sum = seen, probability = seen;
    for (uint64_t k = a_hits; k < most; k++) {
        probability *= step_up(k, hits, a_all, b_all);
        sum += probability <= limit ? probability : 0;
    }
    probability = seen;
    for (uint64_t k = a_hits; k > least; k--) {
        probability /= step_up(k - 1, hits, a_all, b_all);
        sum += probability <= limit ? probability : 0;
    }
    return sum < 1 ? sum : 1;
}

double sp_fisher_least(uint64_t hits, uint64_t a_all, uint64_t b_all)
{
    uint64_t least, most;
    if (a_all == 0 || b_all == 0 || hits == 0 || hits == a_all + b_all)
        return 1;
    find_range(hits, a_all, b_all, &least, &most);
    double low = log_probability(least, hits, a_all, b_all);
    double high = log_probability(most, hits, a_all, b_all);
    /* the less probable end; both when they are as probable */
    if (fabs(low - high) < 1e-7)
        return fmin(1, exp(low) + exp(high));
    return exp(low < high ? low : high);
}

/* ---- ranks ---- */

/* Values of one rank: count of a and of b. */
struct tie {
    uint64_t a, b;
};

struct ranks {
    double a_all, b_all; /* values so far */
    double wins;         /* pairs in which b is above a, ties half */
    double tie_sum;      /* of t^3 - t */
    double largest_tie;
};

static void add_tie(struct ranks *ranks, struct tie tie)
{
    double a = (double)tie.a, b = (double)tie.b, t = a + b;
    ranks->wins += b * (ranks->a_all + a / 2);
    ranks->tie_sum += t * (t * t - 1);
    ranks->a_all += a;
    ranks->b_all += b;
    ranks->largest_tie = t > ranks->largest_tie ? t : ranks->largest_tie;
}

static struct ranks rank_all(const struct sp_histogram *a, uint64_t a_more_zeros,
                             const struct sp_histogram *b, uint64_t b_more_zeros)
{
    struct ranks ranks = {0};
    add_tie(&ranks, (struct tie){a->zero_count + a_more_zeros, b->zero_count + b_more_zeros});
    for (uint32_t i = 0, j = 0; i < a->bucket_count || j < b->bucket_count;) {
        uint32_t left = i < a->bucket_count ? a->buckets[i].index : UINT32_MAX;
        uint32_t right = j < b->bucket_count ? b->buckets[j].index : UINT32_MAX;
        struct tie tie = {left <= right ? a->buckets[i++].count : 0,
                          right <= left ? b->buckets[j++].count : 0};
        add_tie(&ranks, tie);
    }
    return ranks;
}

/* Values outside the largest tie that each sample must be expected to have: the usual bound for trusting the normal
 * distribution with counts. */
#define EXPECTED_MIN 5.0

struct sp_rank_test sp_rank_test(const struct sp_histogram *a, uint64_t a_more_zeros,
                                 const struct sp_histogram *b, uint64_t b_more_zeros)
{
    struct sp_rank_test test = {.p = 1, .superiority = 0.5};
    struct ranks ranks = rank_all(a, a_more_zeros, b, b_more_zeros);
    double m = ranks.a_all, n = ranks.b_all, all = m + n;
    if (m == 0 || n == 0)
        return test;
    test.superiority = ranks.wins / (m * n);
    double moving = all - ranks.largest_tie;
    if (moving * m / all < EXPECTED_MIN || moving * n / all < EXPECTED_MIN)
        return test;
    double variance = m * n / 12 * (all + 1 - ranks.tie_sum / (all * (all - 1)));
    double distance = fabs(ranks.wins - m * n / 2) - 0.5; /* continuity */
    test.is_tested = true;
    if (distance > 0 && variance > 0)
        test.p = erfc(distance / sqrt(2 * variance));
    return test;
}

/* ---- many tests ---- */

static int by_p(const void *left, const void *right, void *cookie)
{
    const double *p = cookie;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    if (p[a] != p[b])
        return p[a] < p[b] ? -1 : 1;
    return (a > b) - (a < b);
}

void sp_false_discovery_rates(const double *p, size_t count, uint32_t *scratch, double *ret_q)
{
    size_t tested = 0;
    for (size_t i = 0; i < count; i++) {
        ret_q[i] = p[i];
        if (!isnan(p[i]))
            scratch[tested++] = (uint32_t)i;
    }
    if (tested == 0)
        return;
    qsort_r(scratch, tested, sizeof(*scratch), by_p, (void *)(uintptr_t)p);
    double least = 1;
    for (size_t rank = tested; rank > 0; rank--) {
        double q = p[scratch[rank - 1]] * (double)tested / (double)rank;
        least = q < least ? q : least;
        ret_q[scratch[rank - 1]] = least;
    }
}
