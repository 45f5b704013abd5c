/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/call_tree.h: the call trees of two sides (two traces, or two samples of traces) merged by path: spans with the same
 * service, operation and kind under the same path are one node. Included by analysis.h. */
#pragma once

#include "lib/model/model.h"

struct sp_trace;
struct sp_histogram;
struct sp_names;

#define SP_CALL_NODE_NONE      UINT32_MAX
#define SP_CALL_TREE_NODES_MAX ((uint32_t)100 * 1000) /* of samples; two traces may have more */

/* What one side has of a node. */
struct sp_call_side {
    uint64_t trace_count; /* traces that have it */
    uint64_t call_count, error_count;
    __uint128_t duration_ns, self_ns; /* sums */
    /* of samples: by trace, the sum of self times, and the most calls under one parent; heap */
    struct sp_histogram *self_by_trace, *repeats_by_trace;
};

struct sp_call_node {
    uint32_t parent; /* SP_CALL_NODE_NONE: at the top */
    uint32_t depth;
    struct sp_slice service, operation; /* memory of the tree */
    int32_t kind;
    struct sp_call_side sides[2];
    /* of the trace that is being added */
    uint64_t trace_calls, trace_self_ns, trace_repeats, run;
    uint32_t run_parent; /* row, plus 1 */
    bool is_touched;
};

struct sp_call_tree {
    struct sp_call_node *nodes; /* parents before children */
    uint32_t node_count, node_cap;
    uint64_t trace_counts[2];
    uint64_t left_out_calls;  /* of paths beyond the limit of nodes */
    uint64_t duplicate_count; /* spans that were sent twice, not counted again */
    bool is_sample;
    struct sp_arena arena;
    struct sp_names *names; /* private */
    uint32_t *touched;
    uint32_t touched_count;
};

/* is_sample: keep what tests of samples need, and no more than SP_CALL_TREE_NODES_MAX nodes. SP_NO_MEMORY, SP_LIMIT (of bytes_max). */
SP_MUST_USE enum sp_status sp_call_tree_init(struct sp_call_tree *tree, bool is_sample,
                                             size_t bytes_max);
void sp_call_tree_fini(struct sp_call_tree *tree); /* NULL is fine */

/* Adds one trace to a side, 0 or 1. scratch: 4 bytes a span. SP_NO_MEMORY, SP_LIMIT: then the tree must be thrown away. */
SP_MUST_USE enum sp_status sp_call_tree_add(struct sp_call_tree *tree, int side,
                                            const struct sp_trace *trace, struct sp_arena *scratch);

/* The nodes depth first, children in the order in which they were first seen: rows of tree->nodes. The arena's memory.
 * SP_LIMIT, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_call_tree_order(const struct sp_call_tree *tree,
                                              struct sp_arena *arena, uint32_t **ret);
