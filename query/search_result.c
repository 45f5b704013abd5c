/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search_result.c: a trace summed up for the list of results. */
#include "query/search_result.h"

#include <stdlib.h>

#include "query/internal.h"

void sp_search_result_init(struct sp_search_result *result, const struct sp_batch *batch)
{
    *result = (struct sp_search_result){0};
    sp_trace_facts_make(batch, &result->facts);
    for (size_t i = 0; i < batch->span_count; i++)
        result->error_count += batch->spans[i].status_code == SP_SPAN_STATUS_ERROR;
}

static void take(struct sp_search_result *result, const struct sp_spanset_list *sets,
                 struct sp_time_range range)
{
    result->sets = sets->sets;
    for (uint32_t i = 0; i < sets->count; i++) {
        struct sp_first_spans none = {.limit = 0};
        uint64_t count = sp_first_spans_find(result, &sets->sets[i], range, &none);
        result->matched_count += count;
        if (count > 0)
            result->sets[result->set_count++] = sets->sets[i];
    }
}

enum sp_status sp_search_result_find(struct sp_search_result *result, struct sp_pipeline *pipeline,
                                     bool needs_tree, struct sp_time_range range,
                                     struct sp_arena *arena, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    struct sp_spanset_list sets;
    if (needs_tree || sp_pipeline_needs_tree(pipeline))
        status = sp_trace_facts_assemble(&result->facts, arena, &result->tree, reterr);
    if (status == SP_OK)
        status = sp_pipeline_run(pipeline, &result->facts, arena, &sets, reterr);
    if (status == SP_OK)
        take(result, &sets, range);
    return status;
}

/* ---- services of the trace ---- */

struct service {
    struct sp_slice name;
    uint64_t span_count, error_count;
};

static int by_name(const void *a, const void *b)
{
    const struct service *x = a, *y = b;
    return sp_slice_compare(x->name, y->name);
}

static int by_span_count(const void *a, const void *b)
{
    const struct service *x = a, *y = b;
    if (x->span_count != y->span_count)
        return x->span_count > y->span_count ? -1 : 1;
    return sp_slice_compare(x->name, y->name);
}

/* One row for each run of spans with the same resource, sorted by name and added up. */
static struct service *collect_services(const struct sp_batch *batch, struct sp_arena *arena,
                                        size_t *ret_count)
{
    struct service *rows = sp_arena_calloc(arena, batch->span_count, sizeof(*rows));
    if (!rows)
        return NULL;
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < batch->span_count; i++) {
        const struct sp_span *span = &batch->spans[i];
        if (i == 0 || span->resource != batch->spans[i - 1].resource)
            rows[count++].name = sp_span_service(span);
        rows[count - 1].span_count++;
        rows[count - 1].error_count += span->status_code == SP_SPAN_STATUS_ERROR;
    }
    qsort(rows, count, sizeof(*rows), by_name);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && sp_slice_equal(rows[kept - 1].name, rows[i].name)) {
            rows[kept - 1].span_count += rows[i].span_count;
            rows[kept - 1].error_count += rows[i].error_count;
        } else {
            rows[kept++] = rows[i];
        }
    }
    qsort(rows, kept, sizeof(*rows), by_span_count);
    *ret_count = kept;
    return rows;
}

static void write_services(const struct service *rows, size_t count,
                           const struct sp_service_row *services, size_t service_count,
                           struct sp_json_writer *w)
{
    sp_json_key(w, "serviceCount");
    sp_json_u64(w, count);
    sp_json_key(w, "services");
    sp_json_array_begin(w);
    for (size_t i = 0; i < count && i < SP_RESULT_SERVICES; i++) {
        sp_json_object_begin(w);
        sp_json_key(w, "name");
        sp_json_string(w, rows[i].name);
        sp_json_key(w, "spanCount");
        sp_json_u64(w, rows[i].span_count);
        sp_json_key(w, "errorCount");
        sp_json_u64(w, rows[i].error_count);
        sp_json_key(w, "slot");
        sp_json_u64(w, sp_query_slot(services, service_count, rows[i].name));
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
}

/* ---- matched spans ---- */

static void write_matches(const struct sp_search_result *result, struct sp_time_range range,
                          struct sp_json_writer *w)
{
    struct sp_first_spans first = {.limit = SP_RESULT_SPAN_IDS};
    const struct sp_first_spans *matched = &first;
    for (uint32_t i = 0; i < result->set_count; i++)
        (void)sp_first_spans_find(result, &result->sets[i], range, &first);
    sp_json_key(w, "matchedSpanIds");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < matched->count; i++)
        sp_json_hex(w, sp_slice_make(sp_result_span(result, matched->rows[i])->span_id.bytes,
                                     SP_SPAN_ID_BYTES));
    sp_json_array_end(w);
    sp_json_key(w, "matchedSpanCount");
    sp_json_u64(w, result->matched_count);
    sp_json_key(w, "matchedSpans");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < matched->count && i < SP_RESULT_SPANS; i++) {
        sp_json_object_begin(w);
        sp_result_write_span(sp_result_span(result, matched->rows[i]), w);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
}

enum sp_status sp_search_result_write(const struct sp_search_result *result,
                                      const struct sp_result_view *view, struct sp_arena *arena,
                                      struct sp_buf *out, struct sp_error *reterr)
{
    const struct sp_trace_facts *facts = &result->facts;
    const struct sp_span *root = facts->root;
    size_t count;
    struct service *rows = collect_services(facts->batch, arena, &count);
    if (!rows)
        return sp_arena_failed(arena, reterr, "a trace is larger than the query's memory");
    struct sp_json_writer w;
    sp_buf_init(out, SP_RESULT_BYTES_MAX);
    sp_json_writer_init(&w, out);
    sp_json_object_begin(&w);
    sp_json_key(&w, "traceId");
    sp_json_hex(&w, sp_slice_make(facts->batch->spans[0].trace_id.bytes, SP_TRACE_ID_BYTES));
    sp_json_key(&w, "rootServiceName");
    sp_json_string(&w, root ? sp_span_service(root) : SP_SLICE(""));
    sp_json_key(&w, "rootTraceName");
    sp_json_string(&w, root ? root->name : SP_SLICE(""));
    sp_json_key(&w, "startTimeUnixNano");
    sp_json_u64_string(&w, facts->start_unix_ns);
    sp_json_key(&w, "durationNano");
    sp_json_u64_string(&w, facts->end_unix_ns - facts->start_unix_ns);
    sp_json_key(&w, "spanCount");
    sp_json_u64(&w, facts->batch->span_count);
    sp_json_key(&w, "errorCount");
    sp_json_u64(&w, result->error_count);
    write_matches(result, view->range, &w);
    if (result->order_value)
        sp_result_write_order_value(result->order_value, &w);
    write_services(rows, count, view->services, view->service_count, &w);
    sp_result_write_sets(result, view, &w);
    sp_json_object_end(&w);
    if (out->error == SP_OK)
        return SP_OK;
    enum sp_status status = out->error;
    sp_buf_fini(out);
    return sp_error_set(reterr, status, "one result is larger than %zu bytes", SP_RESULT_BYTES_MAX);
}
