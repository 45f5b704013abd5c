/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/call_tree.c: see lib/analysis/call_tree.h. Rows come parents first, so that each finds the node of its parent
 * done; siblings of one parent come one after the other but for their own descendants, so that runs of the same call can be
 * counted on the way. */
#include "lib/analysis/analysis.h"
#include "lib/analysis/names.h"

#include <stdlib.h>

#define NONE SP_CALL_NODE_NONE

/* The key of a node; no padding. */
struct path_key {
    uint32_t parent, service, operation;
    int32_t kind;
};

enum sp_status sp_call_tree_init(struct sp_call_tree *tree, bool is_sample, size_t bytes_max)
{
    *tree = (struct sp_call_tree){.is_sample = is_sample};
    sp_arena_init(&tree->arena, bytes_max);
    tree->names = sp_arena_calloc(&tree->arena, 2, sizeof(*tree->names)); /* texts, paths */
    if (!tree->names)
        return tree->arena.error;
    tree->names[0].arena = tree->names[1].arena = &tree->arena;
    return SP_OK;
}

static void free_histogram(struct sp_histogram *histogram)
{
    sp_histogram_fini(histogram); /* the struct itself is the arena's */
}

void sp_call_tree_fini(struct sp_call_tree *tree)
{
    if (!tree)
        return;
    for (uint32_t i = 0; i < tree->node_count; i++)
        for (int side = 0; side < 2; side++) {
            free_histogram(tree->nodes[i].sides[side].self_by_trace);
            free_histogram(tree->nodes[i].sides[side].repeats_by_trace);
        }
    sp_arena_fini(&tree->arena);
    *tree = (struct sp_call_tree){0};
}

/* ---- nodes ---- */

static bool grow(struct sp_call_tree *tree)
{
    if (tree->node_count < tree->node_cap)
        return true;
    uint32_t cap = tree->node_cap > 0 ? 2 * tree->node_cap : 64;
    struct sp_call_node *nodes = sp_arena_grow(
        &tree->arena, tree->nodes, tree->node_cap * sizeof(*nodes), (size_t)cap * sizeof(*nodes));
    uint32_t *touched = nodes != NULL ? sp_arena_calloc(&tree->arena, cap, sizeof(*touched)) : NULL;
    if (!touched)
        return false;
    if (tree->touched_count > 0)
        memcpy(touched, tree->touched, tree->touched_count * sizeof(*touched));
    tree->nodes = nodes;
    tree->touched = touched;
    tree->node_cap = cap;
    return true;
}

static bool add_histograms(struct sp_call_tree *tree, struct sp_call_node *node)
{
    struct sp_histogram *histograms = sp_arena_calloc(&tree->arena, 4, sizeof(*histograms));
    for (int side = 0; side < 2 && histograms != NULL; side++) {
        node->sides[side].self_by_trace = &histograms[2 * side];
        node->sides[side].repeats_by_trace = &histograms[2 * side + 1];
    }
    return histograms != NULL;
}

/* The node of a span under a node; *ret NONE: there are too many. False: no memory. */
static bool find_node(struct sp_call_tree *tree, uint32_t parent, const struct sp_span *span,
                      uint32_t *ret)
{
    struct sp_names *texts = &tree->names[0], *paths = &tree->names[1];
    struct path_key key = {parent, sp_names_number(texts, sp_span_service(span)),
                           sp_names_number(texts, span->name), span->kind};
    if (key.service == SP_NAMES_NONE || key.operation == SP_NAMES_NONE)
        return false;
    *ret = sp_names_find(paths, SP_NAMES_KEY(key)); /* NONE is SP_NAMES_NONE */
    if (*ret != SP_NAMES_NONE || (tree->is_sample && tree->node_count == SP_CALL_TREE_NODES_MAX))
        return true;
    struct sp_call_node node = {.parent = parent,
                                .depth = parent == NONE ? 0 : tree->nodes[parent].depth + 1,
                                .service = texts->items[key.service],
                                .operation = texts->items[key.operation],
                                .kind = span->kind};
    if ((tree->is_sample && !add_histograms(tree, &node)) || !grow(tree) ||
        sp_names_number(paths, SP_NAMES_KEY(key)) == SP_NAMES_NONE)
        return false;
    *ret = tree->node_count++;
    tree->nodes[*ret] = node;
    return true;
}

/* ---- one trace ---- */

static void add_row(struct sp_call_tree *tree, int side, const struct sp_trace_row *row,
                    uint32_t number)
{
    struct sp_call_node *node = &tree->nodes[number];
    struct sp_call_side *sums = &node->sides[side];
    sums->call_count++;
    sums->error_count += (row->flags & SP_ROW_ERROR) != 0;
    sums->duration_ns += row->duration_ns;
    sums->self_ns += row->self_ns;
    if (!node->is_touched) {
        node->is_touched = true;
        node->trace_calls = node->trace_self_ns = node->trace_repeats = 0;
        node->run_parent = 0;
        tree->touched[tree->touched_count++] = number;
    }
    node->trace_calls++;
    node->trace_self_ns = sp_sum_saturating(node->trace_self_ns, row->self_ns);
    uint32_t parent = row->parent + 1; /* SP_ROW_NONE + 1 is 0: at the top */
    node->run = node->trace_calls > 1 && node->run_parent == parent ? node->run + 1 : 1;
    node->run_parent = parent;
    if (node->run > node->trace_repeats)
        node->trace_repeats = node->run;
}

static enum sp_status finish_trace(struct sp_call_tree *tree, int side)
{
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < tree->touched_count; i++) {
        struct sp_call_node *node = &tree->nodes[tree->touched[i]];
        struct sp_call_side *sums = &node->sides[side];
        node->is_touched = false;
        sums->trace_count++;
        if (tree->is_sample && status == SP_OK)
            status = sp_histogram_add(sums->self_by_trace, node->trace_self_ns, 1);
        if (tree->is_sample && status == SP_OK)
            status = sp_histogram_add(sums->repeats_by_trace, node->trace_repeats, 1);
    }
    tree->touched_count = 0;
    tree->trace_counts[side]++;
    return status;
}

enum sp_status sp_call_tree_add(struct sp_call_tree *tree, int side, const struct sp_trace *trace,
                                struct sp_arena *scratch)
{
    uint32_t *node_of = sp_arena_calloc(scratch, trace->row_count, sizeof(*node_of));
    if (!node_of)
        return scratch->error;
    for (uint32_t row = 0; row < trace->row_count; row++) {
        const struct sp_trace_row *here = &trace->rows[row];
        uint32_t parent = here->parent == SP_ROW_NONE ? NONE : node_of[here->parent];
        bool lost = here->parent != SP_ROW_NONE && parent == NONE; /* its parent was left out */
        node_of[row] = NONE;
        if (here->flags & SP_ROW_DUPLICATE) {
            tree->duplicate_count++;
            continue;
        }
        if (!lost && !find_node(tree, parent, here->span, &node_of[row]))
            return tree->arena.error;
        if (node_of[row] == NONE)
            tree->left_out_calls++;
        else
            add_row(tree, side, here, node_of[row]);
    }
    return finish_trace(tree, side);
}

/* ---- order ---- */

enum sp_status sp_call_tree_order(const struct sp_call_tree *tree, struct sp_arena *arena,
                                  uint32_t **ret)
{
    uint32_t count = tree->node_count, done = 0, top = NONE;
    uint32_t *order = sp_arena_calloc(arena, count, sizeof(*order));
    uint32_t *first = sp_arena_calloc(arena, count, sizeof(*first));
    uint32_t *next = sp_arena_calloc(arena, count, sizeof(*next));
    if (!order || !first || !next)
        return arena->error;
    for (uint32_t i = 0; i < count; i++)
        first[i] = NONE;
    for (uint32_t i = count; i-- > 0;) {
        uint32_t parent = tree->nodes[i].parent;
        uint32_t *head = parent == NONE ? &top : &first[parent];
        next[i] = *head;
        *head = i;
    }
    for (uint32_t at = top; at != NONE;) {
        order[done++] = at;
        if (first[at] != NONE) {
            at = first[at];
            continue;
        }
        while (at != NONE && next[at] == NONE)
            at = tree->nodes[at].parent;
        if (at != NONE)
            at = next[at];
    }
    SP_ASSERT(done == count);
    *ret = order;
    return SP_OK;
}
