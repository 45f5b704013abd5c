/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/store.c: the public functions of the contract: each hands over to the engine that opened the store. Also the
 * life of an append, and of rows that own heap memory. Knows no engine. */
#include "storage/engine.h"
#include "storage/sheet.h"
#include "storage/short_link_list.h"

#include <inttypes.h>
#include <stdlib.h>

struct sp_append *sp_append_new(size_t body_bytes_max, size_t plain_bytes_max,
                                size_t arena_bytes_max)
{
    struct sp_append *append = calloc(1, sizeof(*append));
    if (append == NULL)
        return NULL;
    sp_buf_init(&append->body, body_bytes_max);
    sp_buf_init(&append->plain, plain_bytes_max);
    sp_arena_init(&append->arena, arena_bytes_max);
    append->plain.account = append->arena.account = &append->account;
    return append;
}

void sp_append_free(struct sp_append *append)
{
    if (append == NULL)
        return;
    sp_buf_fini(&append->body);
    sp_buf_fini(&append->plain);
    sp_arena_fini(&append->arena);
    sp_account_fini(&append->account);
    free(append);
}

void sp_append_finish(struct sp_append *append, enum sp_status status, const struct sp_error *error)
{
    if (append->done != NULL)
        append->done(append->cookie, status, error);
    sp_append_free(append);
}

struct sp_time_range sp_time_range_minutes(struct sp_time_range range)
{
    if (sp_time_range_is_empty(range))
        return range;
    uint64_t from = sp_minute_of(range.from_unix_ns) * SP_ROLLUP_NS;
    uint64_t last = sp_minute_of(range.to_unix_ns);
    if (last * SP_ROLLUP_NS == range.to_unix_ns)
        return (struct sp_time_range){from, range.to_unix_ns};
    /* The last minute that fits into 64 bits has no end that does. */
    uint64_t to = last >= sp_minute_of(UINT64_MAX) ? UINT64_MAX : (last + 1) * SP_ROLLUP_NS;
    return (struct sp_time_range){from, to};
}

void sp_latency_rows_fini(struct sp_latency_series *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sp_histogram_fini(&rows[i].latency);
}

void sp_graph_edges_fini(struct sp_graph_edge *edges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sp_histogram_fini(&edges[i].client_latency);
        sp_histogram_fini(&edges[i].server_latency);
    }
}

uint64_t sp_store_appends_begun(const struct sp_store *store)
{
    return atomic_load(&store->appends_begun);
}

void sp_store_append(struct sp_store *store, struct sp_append *append)
{
    atomic_fetch_add(&store->appends_begun, 1);
    SP_ASSERT(append->batch != NULL);
    store->ops->append(store, append);
}

void sp_store_drain(struct sp_store *store)
{
    store->ops->drain(store);
}

void sp_store_close(struct sp_store *store)
{
    if (store != NULL)
        store->ops->close(store);
}

enum sp_status sp_store_trace_read(struct sp_store *store, const struct sp_trace_id *id,
                                   struct sp_arena *arena, const struct sp_batch **ret_batch,
                                   struct sp_error *reterr)
{
    return store->ops->trace_read(store, id, arena, ret_batch, reterr);
}

enum sp_status sp_store_traces_read(struct sp_store *store, const struct sp_trace_id *ids,
                                    size_t count, const struct sp_traces_reader *reader,
                                    struct sp_error *reterr)
{
    return count == 0 ? SP_OK : store->ops->traces_read(store, ids, count, reader, reterr);
}

enum sp_status sp_store_traces_measure(struct sp_store *store, const struct sp_trace_id *ids,
                                       size_t count, const struct sp_stop *stop,
                                       struct sp_trace_measure *ret, struct sp_error *reterr)
{
    return count == 0 ? SP_OK : store->ops->traces_measure(store, ids, count, stop, ret, reterr);
}

enum sp_status
sp_store_scan(struct sp_store *store, const struct sp_scan *scan, const struct sp_stop *stop,
              enum sp_visit (*visit)(void *cookie, const struct sp_candidate *candidate),
              void *cookie, struct sp_scanned *ret_scanned, struct sp_error *reterr)
{
    *ret_scanned = (struct sp_scanned){0};
    if (sp_time_range_is_empty(scan->range))
        return SP_OK;
    return store->ops->scan(store, scan, stop, visit, cookie, ret_scanned, reterr);
}

void sp_store_help(struct sp_store *store, struct sp_store_helper *helper, pthread_t host)
{
    if (store->ops->help != NULL)
        store->ops->help(store, helper, host);
}

void sp_store_help_end(struct sp_store *store, struct sp_store_helper *helper)
{
    if (store->ops->help_end != NULL)
        store->ops->help_end(store, helper);
}

enum sp_status sp_store_arrivals_begin(struct sp_store *store, struct sp_arrivals_cursor *ret,
                                       struct sp_error *reterr)
{
    return store->ops->arrivals_begin(store, ret, reterr);
}

void sp_store_arrivals_end(struct sp_store *store)
{
    store->ops->arrivals_end(store);
}

enum sp_status sp_store_arrivals_read(struct sp_store *store, struct sp_arrivals_cursor *cursor,
                                      struct sp_arena *arena, struct sp_arrivals *ret,
                                      struct sp_error *reterr)
{
    return store->ops->arrivals_read(store, cursor, arena, ret, reterr);
}

enum sp_status sp_store_services(struct sp_store *store, struct sp_time_range range,
                                 const struct sp_stop *stop, struct sp_arena *arena,
                                 const struct sp_service_row **ret_rows, size_t *ret_count,
                                 struct sp_error *reterr)
{
    return store->ops->services(store, range, stop, arena, ret_rows, ret_count, reterr);
}

enum sp_status sp_store_operations(struct sp_store *store, struct sp_slice service,
                                   struct sp_time_range range, const struct sp_stop *stop,
                                   struct sp_arena *arena, const struct sp_operation_row **ret_rows,
                                   size_t *ret_count, struct sp_error *reterr)
{
    return store->ops->operations(store, service, range, stop, arena, ret_rows, ret_count, reterr);
}

enum sp_status sp_store_attribute_keys(struct sp_store *store, uint32_t scopes,
                                       struct sp_slice prefix, struct sp_time_range range,
                                       const struct sp_stop *stop, size_t limit,
                                       struct sp_arena *arena, const struct sp_key_row **ret_rows,
                                       size_t *ret_count, bool *ret_complete,
                                       struct sp_error *reterr)
{
    return store->ops->attribute_keys(store, scopes, prefix, range, stop, limit, arena, ret_rows,
                                      ret_count, ret_complete, reterr);
}

enum sp_status sp_store_attribute_values(struct sp_store *store, uint32_t scopes,
                                         struct sp_slice key, struct sp_slice prefix,
                                         struct sp_time_range range, const struct sp_stop *stop,
                                         size_t limit, struct sp_arena *arena,
                                         const struct sp_value_row **ret_rows, size_t *ret_count,
                                         bool *ret_complete, struct sp_error *reterr)
{
    return store->ops->attribute_values(store, scopes, key, prefix, range, stop, limit, arena,
                                        ret_rows, ret_count, ret_complete, reterr);
}

enum sp_status sp_store_latency(struct sp_store *store, struct sp_slice service,
                                struct sp_slice operation, int32_t kind, struct sp_time_range range,
                                const struct sp_stop *stop, struct sp_arena *arena,
                                struct sp_latency_series **ret_rows, size_t *ret_count,
                                struct sp_error *reterr)
{
    return store->ops->latency(store, service, operation, kind, sp_time_range_minutes(range), stop,
                               arena, ret_rows, ret_count, reterr);
}

enum sp_status sp_store_graph(struct sp_store *store, struct sp_time_range range,
                              const struct sp_stop *stop, struct sp_arena *arena,
                              struct sp_graph_edge **ret_edges, size_t *ret_count,
                              struct sp_error *reterr)
{
    return store->ops->graph(store, sp_time_range_minutes(range), stop, arena, ret_edges, ret_count,
                             reterr);
}

/* ---- surveys ---- */

enum sp_status sp_store_survey(struct sp_store *store, const struct sp_scan *scan,
                               const struct sp_surveyor *surveyors, uint32_t surveyor_count,
                               const struct sp_stop *stop, struct sp_scanned *ret_scanned,
                               struct sp_error *reterr)
{
    SP_ASSERT(surveyor_count > 0);
    *ret_scanned = (struct sp_scanned){0};
    if (sp_time_range_is_empty(scan->range))
        return SP_OK;
    return store->ops->survey(store, scan, surveyors, surveyor_count, stop, ret_scanned, reterr);
}

enum sp_status sp_sheet_templates(struct sp_sheet *sheet, const uint32_t **ret,
                                  struct sp_error *reterr)
{
    return sheet->ops->templates(sheet, ret, reterr);
}

enum sp_status sp_sheet_starts(struct sp_sheet *sheet, const uint64_t **ret_unix_ns,
                               struct sp_error *reterr)
{
    return sheet->ops->starts(sheet, ret_unix_ns, reterr);
}

enum sp_status sp_sheet_durations(struct sp_sheet *sheet, const uint64_t **ret_ns,
                                  struct sp_error *reterr)
{
    return sheet->ops->durations(sheet, ret_ns, reterr);
}

enum sp_status sp_sheet_spans(struct sp_sheet *sheet, const struct sp_span **ret,
                              struct sp_error *reterr)
{
    return sheet->ops->spans(sheet, ret, reterr);
}

enum sp_status sp_sheet_trace_id(struct sp_sheet *sheet, uint32_t row, struct sp_trace_id *ret,
                                 struct sp_error *reterr)
{
    return sheet->ops->trace_id(sheet, row, ret, reterr);
}

enum sp_status sp_sheet_span_id(struct sp_sheet *sheet, uint32_t row, struct sp_span_id *ret,
                                struct sp_error *reterr)
{
    return sheet->ops->span_id(sheet, row, ret, reterr);
}

enum sp_status sp_sheet_column(struct sp_sheet *sheet, const struct sp_sheet_field *field,
                               struct sp_sheet_column *ret, struct sp_error *reterr)
{
    return sheet->ops->column(sheet, field, ret, reterr);
}

/* ---- backups ---- */

static enum sp_status no_backups(struct sp_error *reterr)
{
    return sp_error_set(
        reterr, SP_UNIMPLEMENTED,
        "backups are made by the process that receives spans and keeps them on disk");
}

enum sp_status sp_store_backup_make(struct sp_store *store, struct sp_arena *arena,
                                    struct sp_backup *ret, struct sp_error *reterr)
{
    return store->ops->backup_make != NULL ? store->ops->backup_make(store, arena, ret, reterr)
                                           : no_backups(reterr);
}

enum sp_status sp_store_backup_list(struct sp_store *store, struct sp_arena *arena,
                                    const struct sp_backup **ret_rows, size_t *ret_count,
                                    struct sp_error *reterr)
{
    return store->ops->backup_list != NULL
               ? store->ops->backup_list(store, arena, ret_rows, ret_count, reterr)
               : no_backups(reterr);
}

enum sp_status sp_store_backup_remove(struct sp_store *store, struct sp_slice name,
                                      struct sp_error *reterr)
{
    return store->ops->backup_remove != NULL ? store->ops->backup_remove(store, name, reterr)
                                             : no_backups(reterr);
}

enum sp_status sp_store_stats(struct sp_store *store, struct sp_store_stats *ret,
                              struct sp_error *reterr)
{
    return store->ops->stats(store, ret, reterr);
}

enum sp_status sp_store_retain(struct sp_store *store, const struct sp_retain *retain,
                               struct sp_error *reterr)
{
    return store->ops->retain(store, retain, reterr);
}

/* ---- pinned traces ---- */

enum sp_status sp_store_pin(struct sp_store *store, const struct sp_trace_id *id,
                            uint64_t now_unix_ns, struct sp_error *reterr)
{
    return store->ops->pin(store, id, now_unix_ns, reterr);
}

enum sp_status sp_store_unpin(struct sp_store *store, const struct sp_trace_id *id,
                              struct sp_error *reterr)
{
    return store->ops->unpin(store, id, reterr);
}

static int compare_pins(const void *a, const void *b)
{
    const struct sp_pin *x = a;
    const struct sp_pin *y = b;
    if (x->pinned_unix_ns != y->pinned_unix_ns)
        return x->pinned_unix_ns < y->pinned_unix_ns ? -1 : 1;
    return sp_trace_id_compare(&x->trace_id, &y->trace_id);
}

enum sp_status sp_store_pins(struct sp_store *store, struct sp_arena *arena, struct sp_pins *ret,
                             struct sp_error *reterr)
{
    enum sp_status status = store->ops->pins(store, arena, ret, reterr);
    if (status == SP_OK && ret->count > 1)
        qsort(ret->rows, ret->count, sizeof(struct sp_pin), compare_pins);
    return status;
}

/* ---- links ---- */

enum sp_status sp_store_short_link_add(struct sp_store *store, struct sp_slice state,
                                       uint64_t now_unix_ns, uint64_t *ret_id,
                                       struct sp_error *reterr)
{
    enum sp_status status = sp_short_link_check(state, reterr);
    return status == SP_OK ? store->ops->short_link_add(store, state, now_unix_ns, ret_id, reterr)
                           : status;
}

enum sp_status sp_store_short_link(struct sp_store *store, uint64_t id, struct sp_arena *arena,
                                   struct sp_slice *ret_state, struct sp_error *reterr)
{
    return store->ops->short_link(store, id, arena, ret_state, reterr);
}

enum sp_status sp_store_short_link_remove(struct sp_store *store, uint64_t id,
                                          struct sp_error *reterr)
{
    return store->ops->short_link_remove(store, id, reterr);
}

enum sp_status sp_store_short_links(struct sp_store *store, struct sp_arena *arena,
                                    struct sp_short_links *ret, struct sp_error *reterr)
{
    return store->ops->short_links(store, arena, ret, reterr);
}

enum sp_status sp_store_opening_error(const struct sp_store_replay *replay, struct sp_error *reterr)
{
    if (replay->requests_all == 0)
        return sp_error_set(reterr, SP_UNAVAILABLE, "the store is being opened, try again");
    return sp_error_set(
        reterr, SP_UNAVAILABLE,
        "the store is being opened, try again: of %" PRIu64 " requests in the journal %" PRIu64
        " are read, %" PRIu64 " spans, %" PRIu64 " of %" PRIu64 " bytes",
        replay->requests_all, replay->requests, replay->spans, replay->bytes, replay->bytes_all);
}
