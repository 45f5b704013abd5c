/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/findings.h: what differs between two samples of traces, by attribute value and by call, ranked by how much, with the
 * false discovery rate at which it is found. Included by analysis.h. docs/decisions/0082-comparing-populations.md. */
#pragma once

#include "lib/analysis/call_tree.h"
#include "lib/analysis/value_counts.h"

#define SP_FALSE_DISCOVERY_RATE 0.05 /* of what is said to be found, the share that may be chance */

struct sp_finding_row {
    uint32_t index;    /* of the value, or of the node */
    double a, b;       /* what is compared, of each side: a share of traces, a mean */
    double difference; /* b - a: what rows are ranked by */
    double
        log_odds; /* of shares: ln of the odds ratio, half a trace added to each count; otherwise 0 */
    double superiority; /* of values: see struct sp_rank_test; otherwise 0.5 */
    double p, q;
    bool is_found; /* q is at most SP_FALSE_DISCOVERY_RATE */
};

/* Found ones first, by the size of their difference; then the others so; ties by index. The arena's memory. */
struct sp_findings {
    struct sp_finding_row *rows; /* tested ones */
    size_t count, found_count;
    uint64_t untestable; /* not tested: no outcome could be told from chance */
};

/* Shares of traces that carry a value. SP_LIMIT, SP_NO_MEMORY: of the arena. */
SP_MUST_USE enum sp_status sp_findings_values(const struct sp_value_counts *counts,
                                              struct sp_arena *arena, struct sp_findings *ret);

enum sp_call_measure {
    SP_CALL_PRESENCE, /* share of the traces that have it; nodes that stand exactly where their parent does are left out */
    SP_CALL_SELF_TIME, /* mean self time in a trace, ns; traces without it count as 0 */
    SP_CALL_REPEATS,   /* mean of the most calls under one parent, of traces that have it */
};

/* The nodes of a tree of samples. Errors as above. */
SP_MUST_USE enum sp_status sp_findings_calls(const struct sp_call_tree *tree,
                                             enum sp_call_measure measure, struct sp_arena *arena,
                                             struct sp_findings *ret);
