/* SPDX-License-Identifier: Apache-2.0
 *
 * query/spanset_relate.c: what && || and the structural operators make of two ascending lists of rows. Rows are in
 * depth-first order, so the descendants of a row are the next subtree_size - 1 rows: each operator is one or two passes over its
 * lists. The rules for orphans, duplicates and cycles: docs/traceql.md.
 *
 *     row       0 1 2 3 4 5       {A} >> {B}: the furthest end of any A so far; a B before it lies below an A
 *     depth     0 1 2 1 2 0       {A} << {B}: the next A behind B; B is above it if its subtree reaches that far
 *     A           A               {A} >  {B}, {A} < {B}: a bit for each row
 *     end         ^---> 3         {A} ~  {B}: a family for each parent, stored or only named */
#include <stdlib.h>

#include "query/spanset_program.h"

/* ---- lists ---- */

enum sp_status sp_rows_union(struct sp_spanset_run *run, struct sp_rows a, struct sp_rows b,
                             struct sp_rows *ret)
{
    if (a.count == 0 || b.count == 0) {
        *ret = a.count == 0 ? b : a;
        return SP_OK;
    }
    uint32_t count = 0, i = 0, j = 0;
    while (i < a.count || j < b.count) {
        bool from_a = j == b.count || (i < a.count && a.rows[i] <= b.rows[j]);
        uint32_t row = from_a ? a.rows[i++] : b.rows[j++];
        if (count == 0 || run->scratch[count - 1] != row)
            run->scratch[count++] = row;
    }
    return sp_rows_take(run, count, ret);
}

/* ---- one relation: hits[i] says whether right.rows[i] has it to a row of left ---- */

static const struct sp_trace_row *row_at(const struct sp_spanset_run *run, uint32_t row)
{
    return &run->facts->tree->rows[row];
}

static void mark(struct sp_spanset_run *run, uint32_t row, bool set)
{
    uint64_t bit = UINT64_C(1) << row % 64;
    run->marks[row / 64] = set ? run->marks[row / 64] | bit : run->marks[row / 64] & ~bit;
}

static bool is_marked(const struct sp_spanset_run *run, uint32_t row)
{
    return run->marks[row / 64] >> row % 64 & 1;
}

static void find_descendants(struct sp_spanset_run *run, struct sp_rows left, struct sp_rows right,
                             bool *hits)
{
    uint32_t end = 0, i = 0; /* behind the last descendant of any left row so far */
    for (uint32_t j = 0; j < right.count; j++) {
        for (; i < left.count && left.rows[i] < right.rows[j]; i++) {
            uint32_t reaches = left.rows[i] + row_at(run, left.rows[i])->subtree_size;
            end = reaches > end ? reaches : end;
        }
        hits[j] = right.rows[j] < end;
    }
}

static void find_ancestors(struct sp_spanset_run *run, struct sp_rows left, struct sp_rows right,
                           bool *hits)
{
    uint32_t i = 0;
    for (uint32_t j = 0; j < right.count; j++) {
        uint32_t row = right.rows[j];
        while (i < left.count && left.rows[i] <= row)
            i++;
        hits[j] = i < left.count && left.rows[i] < row + row_at(run, row)->subtree_size;
    }
}

static void find_children(struct sp_spanset_run *run, struct sp_rows left, struct sp_rows right,
                          bool *hits)
{
    for (uint32_t i = 0; i < left.count; i++)
        mark(run, left.rows[i], true);
    for (uint32_t j = 0; j < right.count; j++) {
        uint32_t parent = row_at(run, right.rows[j])->parent;
        hits[j] = parent != SP_ROW_NONE && is_marked(run, parent);
    }
    for (uint32_t i = 0; i < left.count; i++)
        mark(run, left.rows[i], false);
}

static void find_parents(struct sp_spanset_run *run, struct sp_rows left, struct sp_rows right,
                         bool *hits)
{
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < left.count; i++) {
            uint32_t parent = row_at(run, left.rows[i])->parent;
            if (parent != SP_ROW_NONE)
                mark(run, parent, pass == 0);
        }
        for (uint32_t j = 0; j < right.count && pass == 0; j++)
            hits[j] = is_marked(run, right.rows[j]);
    }
}

/* ---- siblings ---- */

struct orphan {
    struct sp_span_id parent;
    uint32_t row;
};

static int compare_orphans(const void *a, const void *b)
{
    const struct orphan *x = a, *y = b;
    int order = sp_span_id_compare(&x->parent, &y->parent);
    return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

/* A family is the row of a parent; or, for orphans that name the same missing parent, the first of them behind all rows. Roots, and
 * what was cut out of a cycle, have none. */
enum sp_status sp_rows_families(struct sp_spanset_run *run)
{
    uint32_t count = run->row_count, orphan_count = 0;
    if (run->families)
        return SP_OK;
    struct orphan *orphans =
        sp_arena_calloc(run->arena, run->facts->tree->orphan_count, sizeof(*orphans));
    uint32_t *families = sp_arena_alloc(run->arena, count * sizeof(*families));
    run->first_of = sp_arena_calloc(run->arena, 2 * (size_t)count, 2 * sizeof(*run->first_of));
    if (!orphans || !families || !run->first_of)
        return sp_spanset_no_memory(run);
    for (uint32_t row = 0; row < count; row++) {
        const struct sp_trace_row *at = row_at(run, row);
        families[row] = at->parent;
        if (at->parent == SP_ROW_NONE && (at->flags & SP_ROW_ORPHAN))
            orphans[orphan_count++] = (struct orphan){at->span->parent_span_id, row};
    }
    if (orphan_count > 1)
        qsort(orphans, orphan_count, sizeof(*orphans), compare_orphans);
    for (uint32_t i = 0; i < orphan_count; i++) {
        bool same = i > 0 && sp_span_id_compare(&orphans[i].parent, &orphans[i - 1].parent) == 0;
        families[orphans[i].row] = same ? families[orphans[i - 1].row] : count + orphans[i].row;
    }
    run->families = families;
    return SP_OK;
}

/* Of each family: the first left row, plus 1, and whether there is another one with another span id: a span that is stored
 * twice is not its own sibling. */
static enum sp_status find_siblings(struct sp_spanset_run *run, struct sp_rows left,
                                    struct sp_rows right, bool *hits)
{
    enum sp_status status = sp_rows_families(run);
    if (status != SP_OK)
        return status;
    for (uint32_t i = 0; i < left.count; i++) {
        uint32_t family = run->families[left.rows[i]];
        if (family == SP_ROW_NONE)
            continue;
        uint32_t *first = &run->first_of[2 * (size_t)family];
        if (first[0] == 0)
            first[0] = left.rows[i] + 1;
        else if (sp_span_id_compare(&row_at(run, first[0] - 1)->span->span_id,
                                    &row_at(run, left.rows[i])->span->span_id) != 0)
            first[1] = 1;
    }
    for (uint32_t j = 0; j < right.count; j++) {
        uint32_t family = run->families[right.rows[j]];
        const uint32_t *first = family == SP_ROW_NONE ? NULL : &run->first_of[2 * (size_t)family];
        hits[j] = first && first[0] != 0 &&
                  (first[1] || sp_span_id_compare(&row_at(run, first[0] - 1)->span->span_id,
                                                  &row_at(run, right.rows[j])->span->span_id) != 0);
    }
    for (uint32_t i = 0; i < left.count; i++) {
        uint32_t family = run->families[left.rows[i]];
        if (family != SP_ROW_NONE)
            memset(&run->first_of[2 * (size_t)family], 0, 2 * sizeof(*run->first_of));
    }
    return SP_OK;
}

/* ---- all relations ---- */

enum kinship { CHILD, PARENT, DESCENDANT, ANCESTOR, SIBLING, NONE };
enum outcome { RIGHT, RIGHT_NOT, BOTH };

static const struct {
    enum kinship kinship;
    enum outcome outcome;
} relations[] = {
    [SP_TRACEQL_AND] = {NONE, BOTH},
    [SP_TRACEQL_OR] = {NONE, BOTH},
    [SP_TRACEQL_CHILD] = {CHILD, RIGHT},
    [SP_TRACEQL_PARENT] = {PARENT, RIGHT},
    [SP_TRACEQL_DESCENDANT] = {DESCENDANT, RIGHT},
    [SP_TRACEQL_ANCESTOR] = {ANCESTOR, RIGHT},
    [SP_TRACEQL_SIBLING] = {SIBLING, RIGHT},
    [SP_TRACEQL_NOT_CHILD] = {CHILD, RIGHT_NOT},
    [SP_TRACEQL_NOT_PARENT] = {PARENT, RIGHT_NOT},
    [SP_TRACEQL_NOT_DESCENDANT] = {DESCENDANT, RIGHT_NOT},
    [SP_TRACEQL_NOT_ANCESTOR] = {ANCESTOR, RIGHT_NOT},
    [SP_TRACEQL_NOT_SIBLING] = {SIBLING, RIGHT_NOT},
    [SP_TRACEQL_UNION_CHILD] = {CHILD, BOTH},
    [SP_TRACEQL_UNION_PARENT] = {PARENT, BOTH},
    [SP_TRACEQL_UNION_DESCENDANT] = {DESCENDANT, BOTH},
    [SP_TRACEQL_UNION_ANCESTOR] = {ANCESTOR, BOTH},
    [SP_TRACEQL_UNION_SIBLING] = {SIBLING, BOTH},
    [SP_TRACEQL_WITHOUT] = {ANCESTOR, RIGHT_NOT}, /* with its sides exchanged */
};

static enum kinship inverse(enum kinship kinship)
{
    static const enum kinship table[] = {
        [CHILD] = PARENT,        [PARENT] = CHILD,    [DESCENDANT] = ANCESTOR,
        [ANCESTOR] = DESCENDANT, [SIBLING] = SIBLING, [NONE] = NONE,
    };
    return table[kinship];
}

/* The right rows that have, or do not have, the relation to a left row. */
static enum sp_status select_right(struct sp_spanset_run *run, enum kinship kinship, bool wanted,
                                   struct sp_rows left, struct sp_rows right, struct sp_rows *ret)
{
    bool *hits = sp_arena_alloc(run->arena, right.count * sizeof(*hits));
    enum sp_status status =
        hits ? sp_stop_ask(run->facts->stop, run->reterr) : sp_spanset_no_memory(run);
    if (status != SP_OK)
        return status;
    switch (kinship) {
    case CHILD:
        find_children(run, left, right, hits);
        break;
    case PARENT:
        find_parents(run, left, right, hits);
        break;
    case DESCENDANT:
        find_descendants(run, left, right, hits);
        break;
    case ANCESTOR:
        find_ancestors(run, left, right, hits);
        break;
    case SIBLING:
        status = find_siblings(run, left, right, hits);
        break;
    case NONE:
        break;
    }
    uint32_t count = 0;
    for (uint32_t j = 0; j < right.count && status == SP_OK; j++)
        if (hits[j] == wanted)
            run->scratch[count++] = right.rows[j];
    return status == SP_OK ? sp_rows_take(run, count, ret) : status;
}

enum sp_status sp_rows_relate(struct sp_spanset_run *run, const struct sp_traceql_node *node,
                              struct sp_rows left, struct sp_rows right, struct sp_rows *ret)
{
    enum sp_traceql_relation relation = node->relation;
    enum kinship kinship = relations[relation].kinship;
    enum outcome outcome = relations[relation].outcome;
    struct sp_rows from_left = {0}, from_right = {0};
    if (relation == SP_TRACEQL_AND && (left.count == 0 || right.count == 0)) {
        *ret = (struct sp_rows){0};
        return SP_OK;
    }
    if (kinship == NONE)
        return sp_rows_union(run, left, right, ret);
    if (sp_traceql_has_time(node))
        return sp_rows_without(run, node->value.integer, left, right, ret);
    if (relation == SP_TRACEQL_WITHOUT)
        return select_right(run, kinship, false, right, left, ret);
    enum sp_status status =
        select_right(run, kinship, outcome != RIGHT_NOT, left, right, &from_right);
    if (status == SP_OK && outcome == BOTH)
        status = select_right(run, inverse(kinship), true, right, left, &from_left);
    return status == SP_OK ? sp_rows_union(run, from_left, from_right, ret) : status;
}
