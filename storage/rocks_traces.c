/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_traces.c: every whole trace that has a span in a range: the source of brute force. Traces are found in
 * the time index and in the head, then read in the order of their ids, which is the order of their rows on disk. Knows
 * the database through kv.h only. */
#include "storage/rocks.h"

#include <stdlib.h>

/* ---- all traces of a range ---- */

struct id_list {
    struct sp_trace_id *ids; /* heap */
    size_t count, cap;
};

static int compare_ids(const void *a, const void *b)
{
    return sp_trace_id_compare(a, b);
}

static void id_list_sort(struct id_list *list)
{
    if (list->count < 2)
        return;
    qsort(list->ids, list->count, sizeof(*list->ids), compare_ids);
    size_t kept = 1;
    for (size_t i = 1; i < list->count; i++) {
        if (sp_trace_id_compare(&list->ids[i], &list->ids[kept - 1]) != 0)
            list->ids[kept++] = list->ids[i];
    }
    list->count = kept;
}

/* A trace has an index entry for each second: repetitions go whenever the list is full. */
static enum sp_status id_list_add(struct id_list *list, const struct sp_trace_id *id,
                                  struct sp_error *reterr)
{
    if (list->count == list->cap) {
        id_list_sort(list);
        if (list->count >= SP_SCAN_TRACES_MAX)
            return sp_error_set(reterr, SP_LIMIT, "more than %zu traces to look at",
                                SP_SCAN_TRACES_MAX);
    }
    if (list->count == list->cap) {
        size_t cap = list->cap > 0 ? list->cap * 2 : 1024;
        struct sp_trace_id *ids = realloc(list->ids, cap * sizeof(*ids));
        if (ids == NULL)
            return sp_error_set(reterr, SP_NO_MEMORY, "no memory to look at %zu traces", cap);
        list->ids = ids;
        list->cap = cap;
    }
    list->ids[list->count++] = *id;
    return SP_OK;
}

/* Ids of all traces that may have a span in range. The index is by second, so a few may not. */
static enum sp_status id_list_fill(struct id_list *list, const struct sp_rocks_view *view,
                                   struct sp_time_range range, const struct sp_stop *stop,
                                   struct sp_error *reterr)
{
    struct sp_kv_iterator *index = sp_kv_iterator_new(view->rocks->kv, view->snapshot, SP_KV_TIME);
    if (index == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to read the store");
    enum sp_status status = SP_OK;
    struct sp_layout_key newest =
        sp_layout_time_key(sp_time_range_last(range), &(struct sp_trace_id){{0}});
    sp_kv_iterator_seek(index, sp_layout_key_slice(&newest));
    for (size_t i = 1; sp_kv_iterator_valid(index) && status == SP_OK;
         sp_kv_iterator_next(index), i++) {
        uint64_t second;
        struct sp_trace_id id;
        if (!sp_layout_time_parse(sp_kv_iterator_key(index), &second, &id)) {
            status = sp_error_set(reterr, SP_CORRUPT, "an entry of the time index is damaged");
            break;
        }
        if (second < range.from_unix_ns / SP_LAYOUT_NS_PER_SECOND)
            break;
        status = id_list_add(list, &id, reterr);
        if (status == SP_OK && i % SP_ROCKS_STOP_ENTRIES == 0)
            status = sp_stop_ask(stop, reterr);
    }
    if (status == SP_OK)
        status = sp_kv_iterator_status(index, reterr);
    sp_kv_iterator_free(index);
    for (size_t e = 0; e < view->head_count && !view->without_head; e++) {
        const struct sp_batch *batch = view->head[e]->append->batch;
        for (size_t i = 0; i < batch->span_count && status == SP_OK; i++) {
            if (sp_time_range_contains(range, batch->spans[i].start_unix_ns))
                status = id_list_add(list, &batch->spans[i].trace_id, reterr);
        }
    }
    id_list_sort(list);
    return status;
}

/* All spans of the head by trace and, within one, in the order they were acked; the pass takes them from the front. */
struct head_order {
    struct head_span {
        const struct sp_span *span;
        size_t place;
    } * spans; /* heap */
    size_t count, at;
};

static int compare_head(const void *a, const void *b)
{
    const struct head_span *x = a;
    const struct head_span *y = b;
    int order = sp_trace_id_compare(&x->span->trace_id, &y->span->trace_id);
    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

static enum sp_status head_order_fill(struct head_order *order, const struct sp_rocks_view *view,
                                      struct sp_error *reterr)
{
    size_t count = 0;
    for (size_t e = 0; e < view->head_count && !view->without_head; e++)
        count += view->head[e]->append->batch->span_count;
    order->spans = calloc(count + 1, sizeof(*order->spans));
    if (order->spans == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to look at %zu spans", count);
    for (size_t e = 0; e < view->head_count && !view->without_head; e++) {
        const struct sp_batch *batch = view->head[e]->append->batch;
        for (size_t i = 0; i < batch->span_count; i++, order->count++)
            order->spans[order->count] = (struct head_span){&batch->spans[i], order->count};
    }
    if (order->count > 1)
        qsort(order->spans, order->count, sizeof(*order->spans), compare_head);
    return SP_OK;
}

static enum sp_status collect_head(struct sp_rocks_spans *collected, struct head_order *order,
                                   const struct sp_trace_id *id, struct sp_error *reterr)
{
    while (order->at < order->count) {
        const struct sp_span *span = order->spans[order->at].span;
        int compared = sp_trace_id_compare(&span->trace_id, id);
        if (compared > 0)
            break;
        order->at++;
        if (compared < 0)
            continue;
        /* Not copied: the view keeps the requests they point into. */
        enum sp_status status = sp_rocks_collect(collected, span, 1, reterr);
        if (status != SP_OK)
            return status;
    }
    return SP_OK;
}

static bool any_in_range(const struct sp_rocks_spans *collected, struct sp_time_range range)
{
    for (size_t i = 0; i < collected->count; i++) {
        if (sp_time_range_contains(range, collected->spans[i].start_unix_ns))
            return true;
    }
    return false;
}

enum sp_status sp_rocks_each_trace(
    void *cookie, struct sp_time_range range, const struct sp_stop *stop,
    enum sp_status (*visit)(void *visitor, const struct sp_batch *trace, struct sp_error *reterr),
    void *visitor, struct sp_error *reterr)
{
    const struct sp_rocks_view *view = cookie;
    struct id_list list = {0};
    struct head_order head = {0};
    struct sp_arena arena;
    sp_arena_init(&arena, SP_BRUTE_TRACE_BYTES_MAX);
    struct sp_kv_iterator *rows = sp_kv_iterator_new(view->rocks->kv, view->snapshot, SP_KV_SPANS);
    enum sp_status status =
        rows != NULL ? SP_OK : sp_error_set(reterr, SP_NO_MEMORY, "no memory to read the store");
    if (status == SP_OK)
        status = id_list_fill(&list, view, range, stop, reterr);
    if (status == SP_OK)
        status = head_order_fill(&head, view, reterr);
    for (size_t i = 0; i < list.count && status == SP_OK; i++) {
        struct sp_rocks_spans collected = {.arena = &arena};
        sp_arena_reset(&arena);
        status = sp_stop_ask(stop, reterr);
        if (status == SP_OK)
            status = sp_rocks_collect_rows(&collected, view->rocks, rows, &list.ids[i], reterr);
        if (status == SP_OK)
            status = collect_head(&collected, &head, &list.ids[i], reterr);
        struct sp_batch batch = {.spans = collected.spans, .span_count = collected.count};
        if (status == SP_OK && any_in_range(&collected, range))
            status = visit(visitor, &batch, reterr);
    }
    sp_kv_iterator_free(rows);
    free(list.ids);
    free(head.spans);
    sp_arena_fini(&arena);
    return status;
}
