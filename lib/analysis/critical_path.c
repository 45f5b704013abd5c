/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/critical_path.c: which span the end of the root waited for, at each moment.
 *
 * Seen from the end of a span, the child that finished last was waited for; before that child began, the child that had
 * finished last by then; and so on. What no such child covers is the span's own. Inside each of these children the same
 * holds, between the moments where it is on the path:
 *
 *     root    |--------------------------------|        path, backwards: root 27-33, c 16-27, root 13-16, a 2-13, root 0-2
 *     a         |----------|                            b is not on it: it still ran when c began, so c cannot have
 *     b              |---------|                        waited for b
 *     c                       |----------|
 */
#include "lib/analysis/analysis.h"

#include <stdlib.h>

#define NONE SP_ROW_NONE

/* A span whose interval is being walked back. The spans above it wait on the stack, which is chained through rows of
 * the tree: no memory is needed that grows with depth beyond this one array. */
struct visit {
    uint32_t row;
    /* children still to be looked at: candidates[candidate_begin .. candidate_end) */
    uint32_t candidate_end;
    uint32_t candidate_begin;
    uint64_t start;  /* where its part of the path begins */
    uint64_t cursor; /* the present moment: what lies behind it is already explained */
};

struct candidate {
    uint32_t row;
    uint64_t start, end; /* cut to the interval of its parent's visit */
};

struct walk {
    struct sp_arena *arena;
    struct sp_trace *trace;
    struct candidate *candidates; /* a stack of lists: those of the visits that are under way */
    uint32_t candidate_count;
    struct visit *visits;
    uint32_t visit_count, visit_cap;
    struct sp_path_segment *segments; /* newest first until the end */
    size_t segment_count, segment_cap;
};

/* The walk takes from the back: the latest end; of equal ends the earliest start, which explains most; then the first
 * row. */
static int compare_candidates(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    int order = (a->end > b->end) - (a->end < b->end);
    if (order == 0)
        order = (a->start < b->start) - (a->start > b->start);
    return order != 0 ? order : (a->row < b->row) - (a->row > b->row);
}

/* Both were timed by one process: only there ends can be compared. A server and a consumer are the other end of something; of
 * spans that name no resource nothing is known. */
static bool share_a_clock(const struct sp_span *child, const struct sp_span *parent)
{
    return child->kind != SP_KIND_SERVER && child->kind != SP_KIND_CONSUMER &&
           child->resource->attributes.count > 0 &&
           (child->resource == parent->resource ||
            sp_resource_equal(child->resource, parent->resource));
}

/* What outlives its parent cannot have been waited for: if its kind says so, or if the ends are of one clock and lie further apart
 * than what SDKs get wrong. Of other clocks it says nothing. */
static bool is_asynchronous(const struct sp_span *child, const struct sp_span *parent)
{
    if (child->end_unix_ns <= parent->end_unix_ns)
        return false;
    if (child->kind == SP_KIND_CONSUMER)
        return true;
    return child->end_unix_ns - parent->end_unix_ns > SP_PATH_LATE_END_NS &&
           share_a_clock(child, parent);
}

static bool push_visit(struct walk *w, uint32_t row, uint64_t start, uint64_t end)
{
    if (w->visit_count == w->visit_cap) {
        uint32_t cap = w->visit_cap ? 2 * w->visit_cap : 64;
        struct visit *grown =
            sp_arena_grow(w->arena, w->visits, w->visit_cap * sizeof *grown, cap * sizeof *grown);
        if (!grown)
            return false;
        w->visits = grown;
        w->visit_cap = cap;
    }
    const struct sp_trace_row *rows = w->trace->rows;
    struct visit *visit = &w->visits[w->visit_count++];
    *visit = (struct visit){
        .row = row, .candidate_begin = w->candidate_count, .start = start, .cursor = end};
    for (uint32_t child = rows[row].first_child; child != NONE; child = rows[child].next_sibling) {
        uint64_t from = rows[child].span->start_unix_ns;
        uint64_t to = from + rows[child].duration_ns;
        from = from > start ? from : start;
        to = to < end ? to : end;
        if (to > from && !is_asynchronous(rows[child].span, rows[row].span))
            w->candidates[w->candidate_count++] = (struct candidate){child, from, to};
    }
    visit->candidate_end = w->candidate_count;
    if (visit->candidate_end - visit->candidate_begin > 1)
        qsort(w->candidates + visit->candidate_begin, visit->candidate_end - visit->candidate_begin,
              sizeof *w->candidates, compare_candidates);
    return true;
}

static bool add_segment(struct walk *w, uint32_t row, uint64_t start, uint64_t end)
{
    if (start == end)
        return true;
    if (w->segment_count == w->segment_cap) {
        size_t cap = w->segment_cap ? 2 * w->segment_cap : 64;
        struct sp_path_segment *grown = sp_arena_grow(
            w->arena, w->segments, w->segment_cap * sizeof *grown, cap * sizeof *grown);
        if (!grown)
            return false;
        w->segments = grown;
        w->segment_cap = cap;
    }
    w->segments[w->segment_count++] = (struct sp_path_segment){row, start, end};
    w->trace->rows[row].flags |= SP_ROW_CRITICAL;
    return true;
}

/* One step back in the span on top of the stack; false when the arena is full. */
static bool step(struct walk *w)
{
    struct visit *visit = &w->visits[w->visit_count - 1];
    while (visit->candidate_end > visit->candidate_begin &&
           w->candidates[visit->candidate_end - 1].end > visit->cursor)
        visit->candidate_end--; /* it still ran at the cursor: nothing waited for it */
    if (visit->candidate_end == visit->candidate_begin) {
        w->candidate_count = visit->candidate_begin;
        w->visit_count--;
        return add_segment(w, visit->row, visit->start, visit->cursor);
    }
    struct candidate waited_for = w->candidates[--visit->candidate_end];
    w->candidate_count = visit->candidate_end;
    if (!add_segment(w, visit->row, waited_for.end, visit->cursor))
        return false;
    visit->cursor = waited_for.start;
    return push_visit(w, waited_for.row, waited_for.start, waited_for.end);
}

static void reverse(struct sp_path_segment *segments, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct sp_path_segment other = segments[count - 1 - i];
        segments[count - 1 - i] = segments[i];
        segments[i] = other;
    }
}

/* Why there is no path, or NULL. The path belongs to row 0. */
static const char *why_not(const struct sp_trace *trace)
{
    if (trace->row_count == 0)
        return "there are no spans";
    if (trace->root_count > 1)
        return "the trace has more than one root span";
    if (trace->root_count == 0 && trace->rows[0].subtree_size < trace->row_count)
        return "the root span is missing and its parts are not connected";
    if (trace->rows[0].duration_ns == 0)
        return "the root span has no duration";
    return NULL;
}

static const char *what_is_missing(const struct sp_trace *trace)
{
    if (trace->root_count == 0)
        return "the root span is missing: the path is that of the topmost span";
    if (trace->rows[0].subtree_size < trace->row_count)
        return "spans whose parent is missing are not considered";
    return NULL;
}

enum sp_status sp_critical_path_of(struct sp_arena *arena, struct sp_trace *trace, uint32_t row,
                                   struct sp_critical_path *ret)
{
    if (trace->rows[row].duration_ns == 0) {
        *ret = (struct sp_critical_path){.note = "the span has no duration"};
        return SP_OK;
    }
    struct walk w = {.arena = arena, .trace = trace};
    w.candidates = sp_arena_calloc(arena, trace->rows[row].subtree_size, sizeof *w.candidates);
    if (!w.candidates)
        return arena->error;
    uint64_t start = trace->rows[row].span->start_unix_ns;
    bool room = push_visit(&w, row, start, start + trace->rows[row].duration_ns);
    while (room && w.visit_count > 0)
        room = step(&w);
    if (!room)
        return arena->error;
    reverse(w.segments, w.segment_count);
    *ret = (struct sp_critical_path){w.segments, w.segment_count, NULL};
    return SP_OK;
}

enum sp_status sp_critical_path(struct sp_arena *arena, struct sp_trace *trace,
                                struct sp_critical_path *ret)
{
    const char *note = why_not(trace);
    if (note) {
        *ret = (struct sp_critical_path){.note = note};
        return SP_OK;
    }
    enum sp_status status = sp_critical_path_of(arena, trace, 0, ret);
    if (status == SP_OK)
        ret->note = what_is_missing(trace);
    return status;
}
