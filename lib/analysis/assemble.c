/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/assemble.c: the spans of a trace become a tree in flat arrays. Works on positions: the place of a span in
 * the order by start and span id, which does not depend on the order of arrival. Only at the end positions become rows.
 *
 *     position   0    1    2    3          parent   none 0    0    1       parent[1] == 0: span 1 hangs from span 0
 *     span       A    B    C    D          first    1    3    none none    the first child
 *     (by start) |    +B-D      |          next     none 2    none none    the next child of the same parent
 *                +C                        rows     A B D C                depth first
 */
#include "lib/analysis/analysis.h"

#include <stdlib.h>

#define NONE SP_ROW_NONE

struct key {
    uint64_t start;
    uint64_t id; /* span id, read as a big-endian number: same order as its bytes */
    const struct sp_span *span;
};

struct assembly {
    uint32_t count;
    struct key *keys; /* by position */
    /* hash table of span ids: position of the first span that has the id, plus 1 */
    uint32_t *slots;
    uint32_t slot_mask;
    uint64_t seed; /* of the table */
    uint32_t *parent, *first, *next;
    uint32_t *other; /* of the first span with an id: the other half of a shared span, or NONE */
    uint32_t *mark;  /* walk in which a position was passed on the way up, plus 1; then its row */
    uint32_t *flags;
    uint32_t top; /* the first position without a parent */
};

static uint64_t id_number(const struct sp_span_id *id)
{
    uint64_t number = 0;
    for (int i = 0; i < SP_SPAN_ID_BYTES; i++)
        number = number << 8 | id->bytes[i];
    return number;
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Which of two spans with the same start and id comes first; equal ones stay in the order of arrival. */
static int compare_twins(const struct sp_span *a, const struct sp_span *b)
{
    int order = compare_u64(a->end_unix_ns, b->end_unix_ns);
    if (order == 0)
        order = (a->kind > b->kind) - (a->kind < b->kind);
    if (order == 0)
        order = (a->status_code > b->status_code) - (a->status_code < b->status_code);
    if (order == 0)
        order = sp_slice_compare(a->name, b->name);
    if (order == 0)
        order = sp_slice_compare(sp_span_service(a), sp_span_service(b));
    if (order == 0)
        order = (a > b) - (a < b);
    return order;
}

static int compare_keys(const void *left, const void *right)
{
    const struct key *a = left, *b = right;
    int order = compare_u64(a->start, b->start);
    if (order == 0)
        order = compare_u64(a->id, b->id);
    return order != 0 ? order : compare_twins(a->span, b->span);
}

static bool allocate(struct sp_arena *arena, struct assembly *a)
{
    uint32_t slot_count = 4;
    while (slot_count < 2 * (uint64_t)a->count)
        slot_count *= 2;
    a->slot_mask = slot_count - 1;
    a->seed = slot_count > SP_HASH_SMALL ? sp_hash_seed() : 0;
    a->keys = sp_arena_calloc(arena, a->count, sizeof *a->keys);
    a->slots = sp_arena_calloc(arena, slot_count, sizeof *a->slots);
    a->mark = sp_arena_calloc(arena, a->count, sizeof *a->mark);
    a->flags = sp_arena_calloc(arena, a->count, sizeof *a->flags);
    uint32_t *links = sp_arena_calloc(arena, a->count, 4 * sizeof *links);
    if (!a->keys || !a->slots || !a->mark || !a->flags || !links)
        return false;
    memset(links, 0xff, (size_t)a->count * 4 * sizeof *links); /* all NONE */
    a->parent = links;
    a->first = links + a->count;
    a->next = links + 2 * (size_t)a->count;
    a->other = links + 3 * (size_t)a->count;
    return true;
}

static uint32_t *find_slot(const struct assembly *a, uint64_t id)
{
    uint32_t slot = (uint32_t)sp_hash_id(a->seed, id) & a->slot_mask;
    while (a->slots[slot] != 0 && a->keys[a->slots[slot] - 1].id != id)
        slot = (slot + 1) & a->slot_mask;
    return &a->slots[slot];
}

static uint32_t find_position(const struct assembly *a, uint64_t id)
{
    return *find_slot(a, id) - 1; /* 0 - 1 is NONE */
}

static int32_t kind_at(const struct assembly *a, uint32_t position)
{
    return a->keys[position].span->kind;
}

/* A client span and a server span with one id are the two halves of one call, as Zipkin shares ids. */
static bool are_halves(const struct assembly *a, uint32_t x, uint32_t y)
{
    int32_t left = kind_at(a, x), right = kind_at(a, y);
    return (left == SP_KIND_CLIENT && right == SP_KIND_SERVER) ||
           (left == SP_KIND_SERVER && right == SP_KIND_CLIENT);
}

static void index_ids(struct assembly *a)
{
    for (uint32_t p = 0; p < a->count; p++) {
        uint32_t *slot = find_slot(a, a->keys[p].id);
        if (*slot == 0) {
            *slot = p + 1;
            continue;
        }
        uint32_t first = *slot - 1;
        if (a->other[first] == NONE && are_halves(a, first, p))
            a->other[first] = p;
        else
            a->flags[p] |= SP_ROW_DUPLICATE;
    }
}

/* The client half if position is the server half of a shared span, otherwise NONE. */
static uint32_t client_half(const struct assembly *a, uint32_t position)
{
    if (kind_at(a, position) != SP_KIND_SERVER)
        return NONE;
    uint32_t first = find_position(a, a->keys[position].id);
    if (first == position)
        return a->other[first];
    return a->other[first] == position ? first : NONE;
}

static void find_parents(struct assembly *a)
{
    for (uint32_t p = 0; p < a->count; p++) {
        const struct sp_span *span = a->keys[p].span;
        a->parent[p] = client_half(a, p);
        if (a->parent[p] != NONE || sp_span_id_is_zero(&span->parent_span_id))
            continue;
        uint32_t parent = find_position(a, id_number(&span->parent_span_id));
        if (parent == NONE) {
            a->flags[p] |= SP_ROW_ORPHAN;
            continue;
        }
        /* Work inside a shared span was done by the server. */
        if (a->other[parent] != NONE && kind_at(a, parent) == SP_KIND_CLIENT)
            parent = a->other[parent];
        a->parent[p] = parent;
    }
}

/* Each span has at most one parent, so a walk up either ends or meets itself: then it has found the one cycle there. */
static uint32_t cut_cycles(struct assembly *a)
{
    uint32_t cycle_count = 0;
    for (uint32_t p = 0; p < a->count; p++) {
        uint32_t at = p;
        while (at != NONE && a->mark[at] == 0) {
            a->mark[at] = p + 1;
            at = a->parent[at];
        }
        if (at == NONE || a->mark[at] != p + 1)
            continue;
        uint32_t cut = at;
        for (uint32_t member = a->parent[at]; member != at; member = a->parent[member])
            if (member < cut)
                cut = member;
        a->parent[cut] = NONE;
        a->flags[cut] |= SP_ROW_CYCLE;
        cycle_count++;
    }
    return cycle_count;
}

/* Pushes to the front from the last position on, so that every list ends up in ascending order. */
static void link_children(struct assembly *a)
{
    uint32_t root = NONE, last_root = NONE, detached = NONE;
    for (uint32_t p = a->count; p-- > 0;) {
        bool is_detached = a->flags[p] & (SP_ROW_ORPHAN | SP_ROW_CYCLE);
        uint32_t *head = a->parent[p] != NONE ? &a->first[a->parent[p]]
                         : is_detached        ? &detached
                                              : &root;
        if (head == &root && root == NONE)
            last_root = p;
        a->next[p] = *head;
        *head = p;
    }
    if (last_root != NONE)
        a->next[last_root] = detached;
    a->top = root != NONE ? root : detached;
}

/* Numbers positions depth first; mark becomes the row of each. */
static void number_rows(struct assembly *a)
{
    uint32_t row = 0, at = a->top;
    while (at != NONE) {
        a->mark[at] = row++;
        if (a->first[at] != NONE) {
            at = a->first[at];
            continue;
        }
        while (at != NONE && a->next[at] == NONE)
            at = a->parent[at];
        if (at != NONE)
            at = a->next[at];
    }
    SP_ASSERT(row == a->count);
}

static uint32_t row_of(const struct assembly *a, uint32_t position)
{
    return position == NONE ? NONE : a->mark[position];
}

static uint32_t span_flags(const struct sp_span *span)
{
    uint32_t flags = 0;
    if (span->status_code == SP_SPAN_STATUS_ERROR)
        flags |= SP_ROW_ERROR;
    if (span->event_count > 0)
        flags |= SP_ROW_EVENTS;
    if (span->link_count > 0)
        flags |= SP_ROW_LINKS;
    if (span->end_unix_ns < span->start_unix_ns)
        flags |= SP_ROW_END_BEFORE_START;
    return flags;
}

static void fill_rows(const struct assembly *a, struct sp_trace_row *rows)
{
    for (uint32_t p = 0; p < a->count; p++) {
        const struct sp_span *span = a->keys[p].span;
        rows[a->mark[p]] = (struct sp_trace_row){
            .span = span,
            .duration_ns = sp_span_duration_ns(span),
            .parent = row_of(a, a->parent[p]),
            .first_child = row_of(a, a->first[p]),
            .next_sibling = row_of(a, a->next[p]),
            .subtree_size = 1,
            .flags = a->flags[p] | span_flags(span),
        };
    }
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Children come in order of start, so their union is one sweep. */
static uint64_t self_time(const struct sp_trace_row *rows, const struct sp_trace_row *row)
{
    uint64_t start = row->span->start_unix_ns, end = start + row->duration_ns;
    uint64_t covered = 0, reached = start;
    for (uint32_t child = row->first_child; child != NONE; child = rows[child].next_sibling) {
        uint64_t child_start = rows[child].span->start_unix_ns;
        uint64_t from = max_u64(child_start, reached);
        uint64_t to = min_u64(child_start + rows[child].duration_ns, end);
        if (to <= from)
            continue;
        covered += to - from;
        reached = to;
    }
    return row->duration_ns - covered;
}

static void sum_up(struct sp_trace *trace)
{
    struct sp_trace_row *rows = trace->rows;
    trace->start_unix_ns = trace->row_count > 0 ? UINT64_MAX : 0;
    for (uint32_t i = 0; i < trace->row_count; i++) {
        struct sp_trace_row *row = &rows[i];
        uint64_t start = row->span->start_unix_ns;
        if (row->parent != NONE)
            row->depth = rows[row->parent].depth + 1;
        row->self_ns = self_time(rows, row);
        trace->depth_max = row->depth > trace->depth_max ? row->depth : trace->depth_max;
        trace->start_unix_ns = min_u64(trace->start_unix_ns, start);
        trace->end_unix_ns = max_u64(trace->end_unix_ns, start + row->duration_ns);
        trace->root_count += row->parent == NONE && !(row->flags & (SP_ROW_ORPHAN | SP_ROW_CYCLE));
        trace->orphan_count += (row->flags & SP_ROW_ORPHAN) != 0;
        trace->duplicate_count += (row->flags & SP_ROW_DUPLICATE) != 0;
        trace->error_count += (row->flags & SP_ROW_ERROR) != 0;
    }
    for (uint32_t i = trace->row_count; i-- > 0;) {
        if (rows[i].parent == NONE)
            continue;
        struct sp_trace_row *parent = &rows[rows[i].parent];
        parent->subtree_size += rows[i].subtree_size;
        if (rows[i].flags & (SP_ROW_ERROR | SP_ROW_ERROR_BELOW))
            parent->flags |= SP_ROW_ERROR_BELOW;
    }
}

enum sp_status sp_trace_assemble(struct sp_arena *arena, const struct sp_batch *batch,
                                 struct sp_trace *ret)
{
    if (batch->span_count > SP_TRACE_ROWS_MAX)
        return SP_LIMIT;
    struct assembly a = {.count = (uint32_t)batch->span_count};
    struct sp_trace trace = {.row_count = a.count};
    trace.rows = sp_arena_calloc(arena, a.count, sizeof *trace.rows);
    if (!trace.rows || !allocate(arena, &a))
        return arena->error;
    for (uint32_t i = 0; i < a.count; i++) {
        const struct sp_span *span = &batch->spans[i];
        a.keys[i] = (struct key){span->start_unix_ns, id_number(&span->span_id), span};
    }
    if (a.count > 0)
        qsort(a.keys, a.count, sizeof *a.keys, compare_keys);

    index_ids(&a);
    find_parents(&a);
    trace.cycle_count = cut_cycles(&a);
    link_children(&a);
    number_rows(&a);
    fill_rows(&a, trace.rows);
    sum_up(&trace);
    *ret = trace;
    return SP_OK;
}
