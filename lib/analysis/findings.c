/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/findings.c: see lib/analysis/findings.h. */
#include "lib/analysis/findings.h"

#include <math.h>
#include <stdlib.h>

#include "lib/analysis/analysis.h"

static int by_rank(const void *left, const void *right)
{
    const struct sp_finding_row *a = left, *b = right;
    double x = fabs(a->difference), y = fabs(b->difference);
    if (a->is_found != b->is_found)
        return a->is_found ? -1 : 1;
    if (x != y)
        return x > y ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* Corrects for the number of tests and sorts. */
static enum sp_status rank(struct sp_arena *arena, struct sp_findings *findings)
{
    size_t count = findings->count;
    double *p = sp_arena_calloc(arena, count, sizeof(*p));
    double *q = sp_arena_calloc(arena, count, sizeof(*q));
    uint32_t *scratch = sp_arena_calloc(arena, count, sizeof(*scratch));
    if (!p || !q || !scratch)
        return arena->error;
    for (size_t i = 0; i < count; i++)
        p[i] = findings->rows[i].p;
    sp_false_discovery_rates(p, count, scratch, q);
    for (size_t i = 0; i < count; i++) {
        findings->rows[i].q = q[i];
        findings->rows[i].is_found = q[i] <= SP_FALSE_DISCOVERY_RATE;
        findings->found_count += findings->rows[i].is_found;
    }
    if (count > 0)
        qsort(findings->rows, count, sizeof(*findings->rows), by_rank);
    return SP_OK;
}

/* ---- shares ---- */

static double share(uint64_t part, uint64_t all)
{
    return all > 0 ? (double)part / (double)all : 0;
}

/* False: whatever the outcome, it could not be told from chance. Sums alone decide, so that nothing is chosen by its result. */
static bool compare_shares(const uint64_t hits[2], const uint64_t all[2],
                           struct sp_finding_row *row)
{
    if (sp_fisher_least(hits[0] + hits[1], all[0], all[1]) > SP_FALSE_DISCOVERY_RATE)
        return false;
    row->a = share(hits[0], all[0]);
    row->b = share(hits[1], all[1]);
    row->difference = row->b - row->a;
    row->superiority = 0.5;
    row->log_odds = log(((double)hits[1] + 0.5) / ((double)(all[1] - hits[1]) + 0.5)) -
                    log(((double)hits[0] + 0.5) / ((double)(all[0] - hits[0]) + 0.5));
    row->p = sp_fisher_exact(hits[0], all[0], hits[1], all[1]);
    return true;
}

enum sp_status sp_findings_values(const struct sp_value_counts *counts, struct sp_arena *arena,
                                  struct sp_findings *ret)
{
    struct sp_findings findings = {0};
    findings.rows = sp_arena_calloc(arena, counts->value_count, sizeof(*findings.rows));
    if (!findings.rows)
        return arena->error;
    for (uint32_t i = 0; i < counts->value_count; i++) {
        struct sp_finding_row row = {.index = i};
        if (compare_shares(counts->values[i].trace_counts, counts->trace_counts, &row))
            findings.rows[findings.count++] = row;
        else
            findings.untestable++;
    }
    enum sp_status status = rank(arena, &findings);
    if (status == SP_OK)
        *ret = findings;
    return status;
}

/* ---- calls ---- */

/* A node that is there exactly when its parent is adds nothing to what is said of that. */
static bool follows_parent(const struct sp_call_tree *tree, const struct sp_call_node *node)
{
    if (node->parent == SP_CALL_NODE_NONE)
        return false;
    const struct sp_call_node *parent = &tree->nodes[node->parent];
    return parent->sides[0].trace_count == node->sides[0].trace_count &&
           parent->sides[1].trace_count == node->sides[1].trace_count;
}

/* Ranks of values; traces without the node are zeros, or are no values. */
static bool compare_values(const struct sp_call_tree *tree, const struct sp_call_node *node,
                           enum sp_call_measure measure, struct sp_finding_row *row)
{
    const struct sp_histogram *values[2];
    uint64_t absent[2] = {0};
    double means[2];
    for (int side = 0; side < 2; side++) {
        const struct sp_call_side *sums = &node->sides[side];
        bool is_self = measure == SP_CALL_SELF_TIME;
        values[side] = is_self ? sums->self_by_trace : sums->repeats_by_trace;
        if (is_self)
            absent[side] = tree->trace_counts[side] - sums->trace_count;
        means[side] = sp_sum_mean(is_self ? sums->self_ns : sp_histogram_sum(values[side]),
                                  sums->trace_count + absent[side]);
    }
    struct sp_rank_test test = sp_rank_test(values[0], absent[0], values[1], absent[1]);
    row->a = means[0];
    row->b = means[1];
    row->difference = row->b - row->a;
    row->superiority = test.superiority;
    row->p = test.p;
    return test.is_tested;
}

enum sp_status sp_findings_calls(const struct sp_call_tree *tree, enum sp_call_measure measure,
                                 struct sp_arena *arena, struct sp_findings *ret)
{
    struct sp_findings findings = {0};
    SP_ASSERT(tree->is_sample);
    findings.rows = sp_arena_calloc(arena, tree->node_count, sizeof(*findings.rows));
    if (!findings.rows)
        return arena->error;
    for (uint32_t i = 0; i < tree->node_count; i++) {
        const struct sp_call_node *node = &tree->nodes[i];
        const uint64_t hits[2] = {node->sides[0].trace_count, node->sides[1].trace_count};
        struct sp_finding_row row = {.index = i};
        bool is_presence = measure == SP_CALL_PRESENCE;
        if (is_presence && follows_parent(tree, node))
            continue;
        if (is_presence ? compare_shares(hits, tree->trace_counts, &row)
                        : compare_values(tree, node, measure, &row))
            findings.rows[findings.count++] = row;
        else
            findings.untestable++;
    }
    enum sp_status status = rank(arena, &findings);
    if (status == SP_OK)
        *ret = findings;
    return status;
}
