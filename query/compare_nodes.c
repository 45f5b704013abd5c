/* SPDX-License-Identifier: Apache-2.0
 *
 * query/compare_nodes.c: see query/compare_nodes.h. */
#include "query/compare_nodes.h"

#include <math.h>
#include <stdlib.h>

static void write_side(const char *key, const struct sp_call_side *side, bool with_traces,
                       struct sp_json_writer *w)
{
    sp_json_key(w, key);
    if (side->call_count == 0) {
        sp_json_null(w);
        return;
    }
    sp_json_object_begin(w);
    if (with_traces) {
        sp_json_key(w, "traces");
        sp_json_u64(w, side->trace_count);
    }
    sp_json_key(w, "calls");
    sp_json_u64(w, side->call_count);
    sp_json_key(w, "errors");
    sp_json_u64(w, side->error_count);
    sp_json_key(w, "durationNano");
    sp_json_u64_string(w, sp_sum_told(side->duration_ns));
    sp_json_key(w, "selfNano");
    sp_json_u64_string(w, sp_sum_told(side->self_ns));
    sp_json_object_end(w);
}

static void write_difference(const char *key, __uint128_t a, __uint128_t b,
                             struct sp_json_writer *w)
{
    sp_json_key(w, key);
    sp_json_i64_string(w, sp_sum_difference(b, a));
}

/* number: of each node in the array, by its row in the tree. */
static void write_node(const struct sp_call_node *node, const uint32_t *number, bool with_traces,
                       struct sp_json_writer *w)
{
    const struct sp_call_side *a = &node->sides[0], *b = &node->sides[1];
    sp_json_object_begin(w);
    sp_json_key(w, "parent");
    sp_json_i64(w, node->parent == SP_CALL_NODE_NONE ? -1 : (int64_t)number[node->parent]);
    sp_json_key(w, "depth");
    sp_json_u64(w, node->depth);
    sp_json_key(w, "service");
    sp_json_string(w, node->service);
    sp_json_key(w, "operation");
    sp_json_string(w, node->operation);
    sp_json_key(w, "kind");
    sp_json_cstr(w, sp_span_kind_name(node->kind));
    sp_json_key(w, "change");
    sp_json_cstr(w, a->call_count == 0 ? "new" : b->call_count == 0 ? "gone" : "both");
    write_side("a", a, with_traces, w);
    write_side("b", b, with_traces, w);
    /* Sums of samples of different sizes do not compare: their difference would say nothing. */
    if (!with_traces) {
        write_difference("callDifference", a->call_count, b->call_count, w);
        write_difference("durationDifferenceNano", a->duration_ns, b->duration_ns, w);
        write_difference("selfDifferenceNano", a->self_ns, b->self_ns, w);
    }
    sp_json_object_end(w);
}

struct ranked {
    double difference;
    uint32_t node;
};

/* The greatest first; of equal ones, the one that was seen first. */
static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *l = left, *r = right;
    if (l->difference != r->difference)
        return l->difference > r->difference ? -1 : 1;
    return l->node < r->node ? -1 : l->node > r->node;
}

static double mean_of(const struct sp_call_tree *tree, const struct sp_call_node *node, int side)
{
    return sp_sum_mean(node->sides[side].duration_ns, tree->trace_counts[side]);
}

/* Marks the nodes to write: by difference, each with everything above it, as long as there is room. */
static enum sp_status choose(const struct sp_call_tree *tree, uint32_t nodes_max,
                             struct sp_arena *arena, bool *kept)
{
    struct ranked *ranked = sp_arena_calloc(arena, tree->node_count, sizeof(*ranked));
    if (!ranked)
        return arena->error;
    for (uint32_t i = 0; i < tree->node_count; i++)
        ranked[i] = (struct ranked){
            fabs(mean_of(tree, &tree->nodes[i], 1) - mean_of(tree, &tree->nodes[i], 0)), i};
    qsort(ranked, tree->node_count, sizeof(*ranked), compare_ranked);
    uint32_t room = nodes_max;
    for (uint32_t i = 0; i < tree->node_count && room > 0; i++) {
        uint32_t wanted = 0;
        for (uint32_t at = ranked[i].node; at != SP_CALL_NODE_NONE && !kept[at];
             at = tree->nodes[at].parent)
            wanted++;
        if (wanted > room)
            continue;
        for (uint32_t at = ranked[i].node; at != SP_CALL_NODE_NONE && !kept[at];
             at = tree->nodes[at].parent)
            kept[at] = true;
        room -= wanted;
    }
    return SP_OK;
}

enum sp_status sp_compare_nodes_write(struct sp_query_call *call, const struct sp_call_tree *tree,
                                      uint32_t nodes_max, bool with_traces, uint32_t *ret_written,
                                      struct sp_json_writer *w)
{
    uint32_t *order, written = 0;
    uint32_t *number = sp_arena_calloc(&call->arena, tree->node_count, sizeof(*number));
    bool *kept = sp_arena_calloc(&call->arena, tree->node_count, sizeof(*kept));
    enum sp_status status = !number || !kept ? call->arena.error : SP_OK;
    if (status == SP_OK)
        status = sp_call_tree_order(tree, &call->arena, &order);
    if (status != SP_OK)
        return status;
    bool all = tree->node_count <= nodes_max;
    if (!all && (status = choose(tree, nodes_max, &call->arena, kept)) != SP_OK)
        return status;
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < tree->node_count; i++) {
        if (!all && !kept[order[i]])
            continue;
        number[order[i]] = written++;
        write_node(&tree->nodes[order[i]], number, with_traces, w);
    }
    sp_json_array_end(w);
    *ret_written = written;
    return SP_OK;
}
