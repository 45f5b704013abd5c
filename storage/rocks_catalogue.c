/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_catalogue.c: services, operations, attributes, latency, graph. Counts of whole minutes come from the
 * catalogue rows the applier wrote, the two cut minutes at the ends of a range from the spans themselves, and what is not
 * applied yet from the head: added up, they are exact. Knows the database through kv.h only. */
#include "storage/rocks.h"

#include <stdlib.h>

/* ---- a range in three parts ---- */

struct parts {
    struct sp_time_range before, after; /* parts of minutes; empty if there is none */
    uint64_t first_minute, end_minute;  /* whole minutes, half open */
};

static struct parts parts_of(struct sp_time_range range)
{
    const struct sp_time_range none = {0, 0};
    if (sp_time_range_is_empty(range))
        return (struct parts){none, none, 0, 0};
    uint64_t first = sp_minute_of(range.from_unix_ns);
    first += first * SP_ROLLUP_NS != range.from_unix_ns;
    /* Without an upper end the minute that 64 bits cut short is whole: nothing comes behind it. */
    bool open_end = range.to_unix_ns == UINT64_MAX;
    uint64_t end = sp_minute_of(range.to_unix_ns) + open_end;
    if (first >= end)
        return (struct parts){range, none, 0, 0};
    struct parts parts = {none, none, first, end};
    if (first * SP_ROLLUP_NS != range.from_unix_ns)
        parts.before = (struct sp_time_range){range.from_unix_ns, first * SP_ROLLUP_NS};
    if (!open_end && end * SP_ROLLUP_NS != range.to_unix_ns)
        parts.after = (struct sp_time_range){end * SP_ROLLUP_NS, range.to_unix_ns};
    return parts;
}

/* ---- what is counted: one of operations and keys ---- */

struct question {
    struct sp_time_range range;
    const struct sp_stop *stop;
    struct sp_tally *tally;
    char family; /* of the catalogue: 'o' or 'k' */

    struct sp_operation_filter operations;
    bool with_latency;

    uint32_t scopes;
    struct sp_slice prefix;
    uint64_t next_mark;
};

static enum sp_status count_stored_row(struct question *question, struct sp_slice value,
                                       struct sp_error *reterr)
{
    if (question->family == 'o')
        return sp_layout_operations_add(value, &question->operations, question->with_latency,
                                        question->tally, reterr);
    return sp_layout_keys_add(value, question->scopes, question->prefix, question->tally, reterr);
}

static enum sp_status count_minutes(struct question *question, const struct sp_rocks_view *view,
                                    const struct parts *parts, struct sp_error *reterr)
{
    if (parts->first_minute >= parts->end_minute)
        return SP_OK;
    struct sp_kv_iterator *rows =
        sp_kv_iterator_new(view->rocks->kv, view->snapshot, SP_KV_CATALOGUE);
    if (rows == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to read the store");
    struct sp_layout_key from = sp_layout_catalogue_key(question->family, parts->first_minute, 0);
    enum sp_status status = SP_OK;
    sp_kv_iterator_seek(rows, sp_layout_key_slice(&from));
    for (; sp_kv_iterator_valid(rows) && status == SP_OK; sp_kv_iterator_next(rows)) {
        uint64_t minute;
        if (!sp_layout_catalogue_parse(sp_kv_iterator_key(rows), question->family, &minute) ||
            minute >= parts->end_minute)
            break;
        status = sp_stop_ask(question->stop, reterr);
        if (status == SP_OK)
            status = count_stored_row(question, sp_kv_iterator_value(rows), reterr);
    }
    if (status == SP_OK)
        status = sp_kv_iterator_status(rows, reterr);
    sp_kv_iterator_free(rows);
    return status;
}

/* Spans of the database only: the head is counted apart, over the whole range. */
static enum sp_status count_part(struct question *question, struct sp_rocks_view *view,
                                 struct sp_time_range range, struct sp_error *reterr)
{
    struct sp_trace_source source = {
        .each = sp_rocks_each_trace, .cookie = view, .stop = question->stop};
    enum sp_status status;
    view->without_head = true;
    if (question->family == 'o')
        status = sp_brute_operations(&source, &question->operations, range, question->with_latency,
                                     question->tally, reterr);
    else
        status = sp_brute_keys(&source, question->scopes, question->prefix, range,
                               &question->next_mark, question->tally, reterr);
    view->without_head = false;
    return status;
}

static enum sp_status count_head_span(struct question *question, const struct sp_span *span,
                                      struct sp_error *reterr)
{
    if (!sp_time_range_contains(question->range, span->start_unix_ns))
        return SP_OK;
    if (question->family == 'k')
        return sp_count_keys(question->tally, span, question->scopes, question->prefix,
                             question->next_mark++, reterr);
    if (!sp_operation_matches(&question->operations, sp_span_service(span), span->name, span->kind))
        return SP_OK;
    return sp_count_operation(question->tally, span, question->with_latency, reterr);
}

static enum sp_status count_head(struct question *question, const struct sp_rocks_view *view,
                                 struct sp_error *reterr)
{
    for (size_t e = 0; e < view->head_count; e++) {
        const struct sp_batch *batch = view->head[e]->append->batch;
        enum sp_status status = sp_stop_ask(question->stop, reterr);
        for (size_t i = 0; i < batch->span_count && status == SP_OK; i++)
            status = count_head_span(question, &batch->spans[i], reterr);
        if (status != SP_OK)
            return status;
    }
    return SP_OK;
}

static enum sp_status count_all(struct question *question, struct sp_rocks_view *view,
                                struct sp_error *reterr)
{
    struct parts parts = parts_of(question->range);
    question->next_mark = 1;
    enum sp_status status = count_minutes(question, view, &parts, reterr);
    if (status == SP_OK)
        status = count_part(question, view, parts.before, reterr);
    if (status == SP_OK)
        status = count_part(question, view, parts.after, reterr);
    if (status == SP_OK)
        status = count_head(question, view, reterr);
    return status;
}

/* ---- services ---- */

/* The stored slot of a service, into value unless that is NULL; key is scratch. SP_NOT_FOUND: it has none yet. */
static enum sp_status get_slot(const struct sp_rocks_view *view, struct sp_slice service,
                               struct sp_buf *key, struct sp_buf *value, struct sp_error *reterr)
{
    sp_buf_reset(key);
    sp_rocks_slot_key(service, key);
    if (key->error != SP_OK)
        return sp_error_set(reterr, key->error, "the name of a service takes too much memory");
    return sp_kv_get(view->rocks->kv, view->snapshot, SP_KV_META, sp_buf_slice(key), value, reterr);
}

/* Slots of services whose spans are all in the head: those the applier is going to give. */
static enum sp_status coming_slots(const struct sp_rocks_view *view, struct sp_tally *coming,
                                   struct sp_error *reterr)
{
    struct sp_buf key;
    enum sp_status status = SP_OK;
    sp_buf_init(&key, SP_ROCKS_SLOT_KEY_BYTES_MAX);
    for (size_t e = 0; e < view->head_count && status == SP_OK; e++) {
        const struct sp_batch *batch = view->head[e]->append->batch;
        const struct sp_resource *before = NULL;
        for (size_t i = 0; i < batch->span_count && status == SP_OK; i++) {
            if (batch->spans[i].resource == before)
                continue;
            before = batch->spans[i].resource;
            struct sp_slice service = sp_span_service(&batch->spans[i]);
            status = get_slot(view, service, &key, NULL, reterr);
            struct sp_tally_row *row;
            if (status == SP_NOT_FOUND)
                status = sp_tally_row(coming, service, SP_SLICE(""), 0, &row, reterr);
        }
    }
    sp_buf_fini(&key);
    return status;
}

static enum sp_status slot_of(const struct sp_rocks_view *view, struct sp_tally *coming,
                              struct sp_slice service, uint32_t *ret, struct sp_error *reterr)
{
    struct sp_buf key;
    struct sp_buf value;
    sp_buf_init(&key, SP_ROCKS_SLOT_KEY_BYTES_MAX);
    sp_buf_init(&value, 64);
    enum sp_status status = get_slot(view, service, &key, &value, reterr);
    if (status == SP_OK && value.len == 4)
        *ret = (uint32_t)value.ptr[0] | (uint32_t)value.ptr[1] << 8 | (uint32_t)value.ptr[2] << 16 |
               (uint32_t)value.ptr[3] << 24;
    else if (status == SP_OK)
        status = sp_error_set(reterr, SP_CORRUPT, "the colour slot of a service is damaged");
    if (status == SP_NOT_FOUND) {
        struct sp_tally_row *row;
        status = sp_tally_row(coming, service, SP_SLICE(""), 0, &row, reterr);
        if (status == SP_OK)
            *ret = (uint32_t)view->totals.service_count + row->index;
    }
    sp_buf_fini(&key);
    sp_buf_fini(&value);
    return status;
}

static enum sp_status fill_slots(const struct sp_rocks_view *view, struct sp_arena *arena,
                                 struct sp_service_row *rows, size_t count, struct sp_error *reterr)
{
    struct sp_tally coming;
    sp_tally_init(&coming, arena);
    enum sp_status status = coming_slots(view, &coming, reterr);
    for (size_t i = 0; i < count && status == SP_OK; i++)
        status = slot_of(view, &coming, rows[i].name, &rows[i].slot, reterr);
    sp_tally_fini(&coming);
    return status;
}

static enum sp_status rocks_services(struct sp_store *store, struct sp_time_range range,
                                     const struct sp_stop *stop, struct sp_arena *arena,
                                     const struct sp_service_row **ret_rows, size_t *ret_count,
                                     struct sp_error *reterr)
{
    struct sp_rocks_view view;
    struct sp_tally tally;
    struct sp_service_row *rows = NULL;
    size_t count = 0;
    enum sp_status status = sp_rocks_view_open(sp_rocks_of(store), &view, reterr);
    if (status != SP_OK)
        return status;
    sp_tally_init(&tally, arena);
    struct question question = {.range = range,
                                .stop = stop,
                                .tally = &tally,
                                .family = 'o',
                                .operations = {.kind = SP_KIND_ANY}};
    status = count_all(&question, &view, reterr);
    if (status == SP_OK)
        status = sp_rows_services(&tally, arena, &rows, &count, reterr);
    if (status == SP_OK)
        status = fill_slots(&view, arena, rows, count, reterr);
    if (status == SP_OK) {
        *ret_rows = rows;
        *ret_count = count;
    }
    sp_tally_fini(&tally);
    sp_rocks_view_close(&view);
    return status;
}

/* ---- operations, latency, attributes, graph ---- */

static enum sp_status rocks_operations(struct sp_store *store, struct sp_slice service,
                                       struct sp_time_range range, const struct sp_stop *stop,
                                       struct sp_arena *arena,
                                       const struct sp_operation_row **ret_rows, size_t *ret_count,
                                       struct sp_error *reterr)
{
    struct sp_rocks_view view;
    struct sp_tally tally;
    enum sp_status status = sp_rocks_view_open(sp_rocks_of(store), &view, reterr);
    if (status != SP_OK)
        return status;
    sp_tally_init(&tally, arena);
    struct question question = {.range = range,
                                .stop = stop,
                                .tally = &tally,
                                .family = 'o',
                                .operations = {.service = service, .kind = SP_KIND_ANY}};
    status = count_all(&question, &view, reterr);
    if (status == SP_OK)
        status = sp_rows_operations(&tally, arena, ret_rows, ret_count, reterr);
    sp_tally_fini(&tally);
    sp_rocks_view_close(&view);
    return status;
}

static enum sp_status rocks_latency(struct sp_store *store, struct sp_slice service,
                                    struct sp_slice operation, int32_t kind,
                                    struct sp_time_range range, const struct sp_stop *stop,
                                    struct sp_arena *arena, struct sp_latency_series **ret_rows,
                                    size_t *ret_count, struct sp_error *reterr)
{
    struct sp_rocks_view view;
    struct sp_tally tally;
    enum sp_status status = sp_rocks_view_open(sp_rocks_of(store), &view, reterr);
    if (status != SP_OK)
        return status;
    sp_tally_init(&tally, arena);
    struct question question = {.range = range,
                                .stop = stop,
                                .tally = &tally,
                                .family = 'o',
                                .operations = {.service = service, .name = operation, .kind = kind},
                                .with_latency = true};
    status = count_all(&question, &view, reterr);
    if (status == SP_OK)
        status = sp_rows_latency(&tally, arena, ret_rows, ret_count, reterr);
    sp_tally_fini(&tally);
    sp_rocks_view_close(&view);
    return status;
}

static enum sp_status rocks_keys(struct sp_store *store, uint32_t scopes, struct sp_slice prefix,
                                 struct sp_time_range range, const struct sp_stop *stop,
                                 size_t limit, struct sp_arena *arena,
                                 const struct sp_key_row **ret_rows, size_t *ret_count,
                                 bool *ret_complete, struct sp_error *reterr)
{
    struct sp_rocks_view view;
    struct sp_tally tally;
    enum sp_status status = sp_rocks_view_open(sp_rocks_of(store), &view, reterr);
    if (status != SP_OK)
        return status;
    sp_tally_init(&tally, arena);
    struct question question = {.range = range,
                                .stop = stop,
                                .tally = &tally,
                                .family = 'k',
                                .scopes = scopes,
                                .prefix = prefix};
    status = count_all(&question, &view, reterr);
    if (status == SP_OK)
        status = sp_rows_keys(&tally, limit, arena, ret_rows, ret_count, ret_complete, reterr);
    sp_tally_fini(&tally);
    sp_rocks_view_close(&view);
    return status;
}

static enum sp_status rocks_values(struct sp_store *store, uint32_t scopes, struct sp_slice key,
                                   struct sp_slice prefix, struct sp_time_range range,
                                   const struct sp_stop *stop, size_t limit, struct sp_arena *arena,
                                   const struct sp_value_row **ret_rows, size_t *ret_count,
                                   bool *ret_complete, struct sp_error *reterr)
{
    struct sp_rocks_view view;
    struct sp_tally tally;
    struct sp_value_filter filter = {.scopes = scopes, .key = key, .prefix = prefix};
    uint64_t mark = 1;
    enum sp_status status = sp_rocks_view_open(sp_rocks_of(store), &view, reterr);
    if (status != SP_OK)
        return status;
    struct sp_trace_source source = {.each = sp_rocks_each_trace, .cookie = &view, .stop = stop};
    sp_tally_init(&tally, arena);
    status = sp_brute_values(&source, &filter, range, &mark, &tally, reterr);
    if (status == SP_OK)
        status = sp_rows_values(&tally, limit, arena, ret_rows, ret_count, ret_complete, reterr);
    sp_tally_fini(&tally);
    sp_rocks_view_close(&view);
    return status;
}

static enum sp_status rocks_graph(struct sp_store *store, struct sp_time_range range,
                                  const struct sp_stop *stop, struct sp_arena *arena,
                                  struct sp_graph_edge **ret_edges, size_t *ret_count,
                                  struct sp_error *reterr)
{
    struct sp_rocks_view view;
    enum sp_status status = sp_rocks_view_open(sp_rocks_of(store), &view, reterr);
    if (status != SP_OK)
        return status;
    struct sp_trace_source source = {.each = sp_rocks_each_trace, .cookie = &view, .stop = stop};
    status = sp_brute_graph(&source, range, arena, ret_edges, ret_count, reterr);
    sp_rocks_view_close(&view);
    return status;
}

/* ---- state ---- */

static enum sp_status count_head_stats(const struct sp_rocks_view *view,
                                       struct sp_store_stats *stats, struct sp_error *reterr)
{
    struct sp_idset traces = {0};
    enum sp_status status = SP_OK;
    for (size_t e = 0; e < view->head_count && status == SP_OK; e++) {
        const struct sp_batch *batch = view->head[e]->append->batch;
        for (size_t i = 0; i < batch->span_count && status == SP_OK; i++) {
            const struct sp_span *span = &batch->spans[i];
            if (stats->span_count == 0 || span->start_unix_ns < stats->oldest_unix_ns)
                stats->oldest_unix_ns = span->start_unix_ns;
            if (stats->span_count == 0 || span->start_unix_ns > stats->newest_unix_ns)
                stats->newest_unix_ns = span->start_unix_ns;
            stats->span_count++;
            bool added;
            struct sp_layout_key key = sp_layout_trace_key(&span->trace_id);
            status = sp_idset_add(&traces, &span->trace_id, &added);
            if (status != SP_OK)
                sp_error_set(reterr, status, "no memory to count %zu traces", traces.count);
            if (status == SP_OK && added) {
                status = sp_kv_get(view->rocks->kv, view->snapshot, SP_KV_TRACES,
                                   sp_layout_key_slice(&key), NULL, reterr);
                stats->trace_count += status == SP_NOT_FOUND;
            }
            if (status == SP_NOT_FOUND)
                status = SP_OK;
        }
    }
    sp_idset_fini(&traces);
    return status;
}

static enum sp_status rocks_stats(struct sp_store *store, struct sp_store_stats *ret,
                                  struct sp_error *reterr)
{
    struct sp_rocks *rocks = sp_rocks_of(store);
    struct sp_rocks_view view;
    enum sp_status status = sp_rocks_view_open(rocks, &view, reterr);
    if (status != SP_OK)
        return status;
    struct sp_store_stats stats = {.span_count = view.totals.span_count,
                                   .trace_count = view.totals.trace_count,
                                   .oldest_unix_ns = view.totals.oldest_unix_ns,
                                   .newest_unix_ns = view.totals.newest_unix_ns,
                                   .disk_bytes = sp_datadir_bytes(&rocks->dir)};
    status = count_head_stats(&view, &stats, reterr);
    pthread_mutex_lock(&rocks->lock);
    stats.append_count = rocks->append_count;
    stats.commit_count = rocks->commit_count;
    stats.apply_failure_count = rocks->apply_failure_count;
    stats.apply_fails = rocks->applier_stuck;
    stats.backlog_appends = rocks->head.count;
    stats.backlog_bytes = rocks->head.bytes;
    pthread_mutex_unlock(&rocks->lock);
    if (status == SP_OK)
        *ret = stats;
    sp_rocks_view_close(&view);
    return status;
}

static void rocks_close(struct sp_store *store)
{
    sp_rocks_close(sp_rocks_of(store));
}

const struct sp_store_ops sp_rocks_ops = {
    .append = sp_rocks_append,
    .drain = sp_rocks_drain,
    .close = rocks_close,
    .trace_read = sp_rocks_trace_read,
    .scan = sp_rocks_scan,
    .services = rocks_services,
    .operations = rocks_operations,
    .attribute_keys = rocks_keys,
    .attribute_values = rocks_values,
    .latency = rocks_latency,
    .graph = rocks_graph,
    .stats = rocks_stats,
};
