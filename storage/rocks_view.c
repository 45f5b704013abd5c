/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_view.c: one state of the store to read from, and whole traces out of it: their rows in the database,
 * followed by their spans in the head. Knows the database through kv.h only. */
#include "storage/rocks.h"

#include <stdlib.h>

/* ---- views ---- */

enum sp_status sp_rocks_view_open(struct sp_rocks *rocks, struct sp_rocks_view *ret,
                                  struct sp_error *reterr)
{
    struct sp_rocks_view view = {.rocks = rocks};
    pthread_rwlock_rdlock(&rocks->kv_lock);
    if (rocks->kv == NULL) {
        pthread_rwlock_unlock(&rocks->kv_lock);
        return sp_error_set(reterr, SP_UNAVAILABLE, "the database is being opened again");
    }
    pthread_mutex_lock(&rocks->lock);
    view.snapshot = sp_kv_snapshot_new(rocks->kv);
    view.head = calloc(rocks->head.count + 1, sizeof(struct sp_rocks_entry *));
    for (struct sp_rocks_entry *entry = rocks->head.first; entry != NULL && view.head != NULL;
         entry = entry->next) {
        atomic_fetch_add(&entry->references, 1);
        view.head[view.head_count++] = entry;
    }
    pthread_mutex_unlock(&rocks->lock);

    struct sp_buf value;
    sp_buf_init(&value, 4096);
    enum sp_status status = SP_OK;
    if (view.snapshot == NULL || view.head == NULL)
        status = sp_error_set(reterr, SP_NO_MEMORY, "no memory to read the store");
    else
        status =
            sp_kv_get(rocks->kv, view.snapshot, SP_KV_META, SP_LAYOUT_TOTALS_KEY, &value, reterr);
    if (status == SP_NOT_FOUND) /* nothing was ever applied */
        status = SP_OK;
    else if (status == SP_OK && !sp_layout_totals_read(sp_buf_slice(&value), &view.totals))
        status = sp_error_set(reterr, SP_CORRUPT, "the totals of the database are damaged");
    sp_buf_fini(&value);

    /* The applier may have written rows whose entries it had not yet taken out of the head. */
    size_t kept = 0;
    for (size_t i = 0; i < view.head_count; i++) {
        if (view.head[i]->sequence > view.totals.applied_sequence)
            view.head[kept++] = view.head[i];
        else
            sp_rocks_entry_unref(view.head[i]);
    }
    view.head_count = kept;
    if (status == SP_OK)
        *ret = view;
    else
        sp_rocks_view_close(&view);
    return status;
}

void sp_rocks_view_close(struct sp_rocks_view *view)
{
    for (size_t i = 0; i < view->head_count; i++)
        sp_rocks_entry_unref(view->head[i]);
    free(view->head);
    sp_kv_snapshot_free(view->snapshot);
    pthread_rwlock_unlock(&view->rocks->kv_lock);
    *view = (struct sp_rocks_view){0};
}

/* ---- the spans of one trace ---- */

static enum sp_status too_large(const struct sp_arena *arena, struct sp_error *reterr)
{
    return sp_arena_failed(arena, reterr, "the trace does not fit into this query's memory");
}

enum sp_status sp_rocks_collect(struct sp_rocks_spans *collected, const struct sp_span *spans,
                                size_t count, struct sp_error *reterr)
{
    if (count > collected->cap - collected->count) {
        size_t cap = collected->cap * 2 > collected->count + count ? collected->cap * 2
                                                                   : collected->count + count;
        struct sp_span *grown =
            sp_arena_grow(collected->arena, collected->spans,
                          collected->cap * sizeof(*collected->spans), cap * sizeof(*grown));
        if (grown == NULL)
            return too_large(collected->arena, reterr);
        collected->spans = grown;
        collected->cap = cap;
    }
    if (count > 0)
        memcpy(collected->spans + collected->count, spans, count * sizeof(*spans));
    collected->count += count;
    return SP_OK;
}

static enum sp_status damaged_row(const struct sp_trace_id *id, const char *why,
                                  struct sp_error *reterr)
{
    char text[SP_TRACE_ID_TEXT];
    sp_trace_id_format(id, text);
    return sp_error_set(reterr, SP_CORRUPT, "a stored row of trace %s is damaged: %s", text, why);
}

/* One row: its bytes are copied into the arena first, because the decoded spans point into them. */
static enum sp_status collect_row(struct sp_rocks_spans *collected, struct sp_rocks *rocks,
                                  const struct sp_trace_id *id, struct sp_slice value,
                                  struct sp_error *reterr)
{
    struct sp_row_head head;
    struct sp_slice body;
    struct sp_buf plain;
    const struct sp_batch *batch;
    struct sp_error error = {0};
    if (!sp_layout_row_read(value, &head, &body))
        return damaged_row(id, "its head is not known", reterr);
    if (!sp_arena_copy(collected->arena, body, &body))
        return too_large(collected->arena, reterr);
    sp_buf_init(&plain, 0);
    enum sp_status status =
        rocks->codec.decode(rocks->codec.cookie, SP_BODY_OTLP_PROTOBUF, SP_BODY_IDENTITY, body,
                            &plain, collected->arena, &batch, &error);
    sp_buf_fini(&plain);
    if (status == SP_LIMIT || status == SP_NO_MEMORY)
        return sp_error_set(reterr, status, "the trace cannot be read: %s", error.message);
    if (status != SP_OK)
        return damaged_row(id, error.message, reterr);
    if (batch->rejected_count > 0)
        return damaged_row(id, "it holds a span that is not valid", reterr);
    return sp_rocks_collect(collected, batch->spans, batch->span_count, reterr);
}

enum sp_status sp_rocks_collect_rows(struct sp_rocks_spans *collected, struct sp_rocks *rocks,
                                     struct sp_kv_iterator *rows, const struct sp_trace_id *id,
                                     struct sp_error *reterr)
{
    struct sp_layout_key prefix = sp_layout_trace_key(id);
    sp_kv_iterator_seek(rows, sp_layout_key_slice(&prefix));
    for (; sp_kv_iterator_valid(rows); sp_kv_iterator_next(rows)) {
        if (!sp_slice_starts_with(sp_kv_iterator_key(rows), sp_layout_key_slice(&prefix)))
            break;
        enum sp_status status =
            collect_row(collected, rocks, id, sp_kv_iterator_value(rows), reterr);
        if (status != SP_OK)
            return status;
    }
    return sp_kv_iterator_status(rows, reterr);
}

/* Pointers to the spans of a trace in the head, in order; heap. NULL for none, or no memory, which *ret_count tells. */
static const struct sp_span **head_spans(const struct sp_rocks_view *view,
                                         const struct sp_trace_id *id, size_t *ret_count)
{
    const struct sp_span **spans = NULL;
    size_t count = 0;
    for (int filling = 0; filling < 2; filling++) {
        count = 0;
        for (size_t e = 0; e < view->head_count; e++) {
            const struct sp_batch *batch = view->head[e]->append->batch;
            for (size_t i = 0; i < batch->span_count; i++) {
                if (sp_trace_id_compare(&batch->spans[i].trace_id, id) != 0)
                    continue;
                if (filling)
                    spans[count] = &batch->spans[i];
                count++;
            }
        }
        if (!filling && count > 0)
            spans = calloc(count, sizeof(struct sp_span *));
        if (spans == NULL)
            break;
    }
    *ret_count = count;
    return spans;
}

/* The head's spans of a trace point into requests that go away, so they are copied: all at once, because neighbours then
 * share the copies of their resource and scope. */
static enum sp_status collect_head(struct sp_rocks_spans *collected,
                                   const struct sp_rocks_view *view, const struct sp_trace_id *id,
                                   struct sp_error *reterr)
{
    size_t count;
    const struct sp_batch *copy;
    const struct sp_span **spans = head_spans(view, id, &count);
    if (count == 0)
        return SP_OK;
    if (spans == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to read the store");
    enum sp_status status = sp_batch_copy(collected->arena, spans, count, &copy);
    free(spans);
    if (status != SP_OK)
        return too_large(collected->arena, reterr);
    return sp_rocks_collect(collected, copy->spans, count, reterr);
}

enum sp_status sp_rocks_trace_read(struct sp_store *store, const struct sp_trace_id *id,
                                   struct sp_arena *arena, const struct sp_batch **ret_batch,
                                   struct sp_error *reterr)
{
    struct sp_rocks_view view;
    enum sp_status status = sp_rocks_view_open(sp_rocks_of(store), &view, reterr);
    if (status != SP_OK)
        return status;
    struct sp_rocks_spans collected = {.arena = arena};
    struct sp_kv_iterator *rows = sp_kv_iterator_new(view.rocks->kv, view.snapshot, SP_KV_SPANS);
    struct sp_batch *batch = sp_arena_calloc(arena, 1, sizeof(*batch));
    if (rows == NULL)
        status = sp_error_set(reterr, SP_NO_MEMORY, "no memory to read the store");
    else if (batch == NULL)
        status = too_large(arena, reterr);
    else
        status = sp_rocks_collect_rows(&collected, view.rocks, rows, id, reterr);
    if (status == SP_OK)
        status = collect_head(&collected, &view, id, reterr);
    if (status == SP_OK && collected.count == 0)
        status = sp_error_set(reterr, SP_NOT_FOUND, "no span of this trace is stored");
    if (status == SP_OK) {
        *batch = (struct sp_batch){.spans = collected.spans, .span_count = collected.count};
        *ret_batch = batch;
    }
    sp_kv_iterator_free(rows);
    sp_rocks_view_close(&view);
    return status;
}
