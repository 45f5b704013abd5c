/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/statistics.h: is a difference between two samples more than chance? Included by analysis.h. Which test is for
 * what, and why these: docs/decisions/0082-comparing-populations.md. */
#pragma once

#include "lib/model/model.h"

struct sp_histogram;

/* Fisher's exact test, two-sided: the probability of a table at most as probable as this one, its sums given, if both samples
 * come from one population. hits are at most all. 1 when one sample is empty. Takes as many steps as there are hits. */
double sp_fisher_exact(uint64_t a_hits, uint64_t a_all, uint64_t b_hits, uint64_t b_all);

/* The least p that any table with these sums can have: what is above the level asked for cannot be found, whatever is in it. */
double sp_fisher_least(uint64_t hits, uint64_t a_all, uint64_t b_all);

/* Mann and Whitney's test on values rounded to the buckets of the histograms; equal buckets are ties. */
struct sp_rank_test {
    bool is_tested; /* false: too few values differ for the normal approximation; p is 1 */
    double p;       /* two-sided */
    double
        superiority; /* the probability that a value of b is above one of a, ties half; 0.5 when one is empty */
};

/* more zeros: values of 0 that are not in the histograms. */
struct sp_rank_test sp_rank_test(const struct sp_histogram *a, uint64_t a_more_zeros,
                                 const struct sp_histogram *b, uint64_t b_more_zeros);

/* Benjamini and Hochberg: turns p values into the least false discovery rate at which each is found, in place of order. What is
 * NaN was not tested and stays NaN.     scratch: count entries. */
void sp_false_discovery_rates(const double *p, size_t count, uint32_t *scratch, double *ret_q);
