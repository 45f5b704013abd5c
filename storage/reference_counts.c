/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/reference_counts.c: what the store in memory counts, by brute force. */
#include <stdlib.h>

#include "storage/reference.h"
#include "storage/slots.h"

/* ---- catalogue ---- */

/* Slots by a second pass: services in the order their first span was acked. */
static enum sp_status fill_slots(struct sp_reference *reference, struct sp_service_row *rows,
                                 size_t row_count, struct sp_error *reterr)
{
    struct sp_arena arena;
    struct sp_tally seen;
    enum sp_status status = SP_OK;
    sp_arena_init(&arena, SIZE_MAX);
    sp_tally_init(&seen, &arena);
    pthread_mutex_lock(&reference->lock);
    for (size_t b = 0; b < reference->batch_count && status == SP_OK; b++) {
        const struct sp_batch *batch = reference->batches[b]->batch;
        struct sp_tally_row *row;
        for (size_t s = 0; s < batch->span_count && status == SP_OK; s++)
            if (sp_slot_fits(sp_span_service(&batch->spans[s])))
                status = sp_tally_row(&seen, sp_span_service(&batch->spans[s]), SP_SLICE(""), 0,
                                      &row, reterr);
    }
    pthread_mutex_unlock(&reference->lock);
    for (size_t i = 0; i < row_count && status == SP_OK; i++) {
        struct sp_tally_row *row;
        rows[i].slot = SP_SLOTS_MAX;
        if (!sp_slot_fits(rows[i].name))
            continue;
        status = sp_tally_row(&seen, rows[i].name, SP_SLICE(""), 0, &row, reterr);
        if (status == SP_OK && row->index < SP_SLOTS_MAX)
            rows[i].slot = (uint32_t)row->index;
    }
    sp_tally_fini(&seen);
    sp_arena_fini(&arena);
    return status;
}

enum sp_status sp_reference_services(struct sp_store *store, struct sp_time_range range,
                                     const struct sp_stop *stop, struct sp_arena *arena,
                                     const struct sp_service_row **ret_rows, size_t *ret_count,
                                     struct sp_error *reterr)
{
    struct sp_trace_source source = sp_reference_source(store, stop);
    struct sp_tally tally;
    struct sp_service_row *rows = NULL;
    size_t count = 0;
    sp_tally_init(&tally, arena);
    enum sp_status status = sp_brute_operations(
        &source, &(struct sp_operation_filter){.kind = SP_KIND_ANY}, range, false, &tally, reterr);
    if (status == SP_OK)
        status = sp_rows_services(&tally, arena, &rows, &count, reterr);
    sp_tally_fini(&tally);
    if (status == SP_OK)
        status = fill_slots(sp_reference_of(store), rows, count, reterr);
    if (status == SP_OK) {
        *ret_rows = rows;
        *ret_count = count;
    }
    return status;
}

enum sp_status sp_reference_operations(struct sp_store *store, struct sp_slice service,
                                       struct sp_time_range range, const struct sp_stop *stop,
                                       struct sp_arena *arena,
                                       const struct sp_operation_row **ret_rows, size_t *ret_count,
                                       struct sp_error *reterr)
{
    struct sp_trace_source source = sp_reference_source(store, stop);
    struct sp_operation_filter filter = {.service = service, .kind = SP_KIND_ANY};
    struct sp_tally tally;
    sp_tally_init(&tally, arena);
    enum sp_status status = sp_brute_operations(&source, &filter, range, false, &tally, reterr);
    if (status == SP_OK)
        status = sp_rows_operations(&tally, arena, ret_rows, ret_count, reterr);
    sp_tally_fini(&tally);
    return status;
}

enum sp_status sp_reference_keys(struct sp_store *store, uint32_t scopes, struct sp_slice prefix,
                                 struct sp_time_range range, const struct sp_stop *stop,
                                 size_t limit, struct sp_arena *arena,
                                 const struct sp_key_row **ret_rows, size_t *ret_count,
                                 bool *ret_complete, struct sp_error *reterr)
{
    struct sp_trace_source source = sp_reference_source(store, stop);
    struct sp_tally tally;
    uint64_t mark = 1;
    sp_tally_init(&tally, arena);
    enum sp_status status = sp_brute_keys(&source, scopes, prefix, range, &mark, &tally, reterr);
    if (status == SP_OK)
        status = sp_rows_keys(&tally, limit, arena, ret_rows, ret_count, ret_complete, reterr);
    sp_tally_fini(&tally);
    return status;
}

enum sp_status sp_reference_values(struct sp_store *store, uint32_t scopes, struct sp_slice key,
                                   struct sp_slice prefix, struct sp_time_range range,
                                   const struct sp_stop *stop, size_t limit, struct sp_arena *arena,
                                   const struct sp_value_row **ret_rows, size_t *ret_count,
                                   bool *ret_complete, struct sp_error *reterr)
{
    struct sp_trace_source source = sp_reference_source(store, stop);
    struct sp_value_filter filter = {.scopes = scopes, .key = key, .prefix = prefix};
    struct sp_tally tally;
    uint64_t mark = 1;
    sp_tally_init(&tally, arena);
    enum sp_status status = sp_brute_values(&source, &filter, range, &mark, &tally, reterr);
    if (status == SP_OK)
        status = sp_rows_values(&tally, limit, arena, ret_rows, ret_count, ret_complete, reterr);
    sp_tally_fini(&tally);
    return status;
}

enum sp_status sp_reference_latency(struct sp_store *store, struct sp_slice service,
                                    struct sp_slice operation, int32_t kind,
                                    struct sp_time_range range, const struct sp_stop *stop,
                                    struct sp_arena *arena, struct sp_latency_series **ret_rows,
                                    size_t *ret_count, struct sp_error *reterr)
{
    struct sp_trace_source source = sp_reference_source(store, stop);
    struct sp_operation_filter filter = {.service = service, .name = operation, .kind = kind};
    struct sp_tally tally;
    sp_tally_init(&tally, arena);
    enum sp_status status = sp_brute_operations(&source, &filter, range, true, &tally, reterr);
    if (status == SP_OK)
        status = sp_rows_latency(&tally, arena, ret_rows, ret_count, reterr);
    sp_tally_fini(&tally);
    return status;
}

enum sp_status sp_reference_graph(struct sp_store *store, struct sp_time_range range,
                                  const struct sp_stop *stop, struct sp_arena *arena,
                                  struct sp_graph_edge **ret_edges, size_t *ret_count,
                                  struct sp_error *reterr)
{
    struct sp_trace_source source = sp_reference_source(store, stop);
    return sp_brute_graph(&source, range, arena, ret_edges, ret_count, reterr);
}

enum sp_status sp_reference_stats(struct sp_store *store, struct sp_store_stats *ret,
                                  struct sp_error *reterr)
{
    struct sp_reference_moment moment;
    enum sp_status status = sp_reference_moment_init(&moment, sp_reference_of(store), reterr);
    if (status != SP_OK)
        return status;
    *ret = (struct sp_store_stats){.span_count = moment.span_count,
                                   .append_count = moment.append_count,
                                   .commit_count = moment.append_count};
    for (size_t i = 0; i < moment.span_count; i = sp_reference_moment_trace_end(&moment, i))
        ret->trace_count++;
    for (size_t i = 0; i < moment.span_count; i++) {
        uint64_t start = moment.spans[i]->start_unix_ns;
        if (i == 0 || start < ret->oldest_unix_ns)
            ret->oldest_unix_ns = start;
        if (i == 0 || start > ret->newest_unix_ns)
            ret->newest_unix_ns = start;
    }
    sp_reference_moment_fini(&moment);
    return SP_OK;
}
