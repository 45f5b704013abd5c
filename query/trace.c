/* SPDX-License-Identifier: Apache-2.0
 *
 * query/trace.c: GET /v1/traces/{id} and /v1/traces/{id}/spans: a whole trace as OTLP, as columns for the waterfall, and
 * single rows of it in full. How columns are written: query/trace_columns.c. */
#include "query/trace.h"

#include "lib/wire/wire.h"

/* ---- reading ---- */

enum sp_status sp_query_trace_too_large(const struct sp_query_call *call, struct sp_error *reterr)
{
    return sp_arena_failed(&call->arena, reterr,
                           "the trace is larger than the %zu bytes of memory a query may take",
                           call->api->limits.memory_bytes_max);
}

/* The spans of the trace that start in the range, in the order of the store. */
static enum sp_status keep_range(struct sp_query_call *call, struct sp_time_range range,
                                 const struct sp_batch **batch, struct sp_error *reterr)
{
    if (range.from_unix_ns == 0 && range.to_unix_ns == UINT64_MAX)
        return SP_OK;
    const struct sp_batch *all = *batch;
    struct sp_batch *kept = sp_arena_calloc(&call->arena, 1, sizeof(*kept));
    struct sp_span *spans = sp_arena_calloc(&call->arena, all->span_count, sizeof(*spans));
    if (!kept || !spans)
        return sp_query_trace_too_large(call, reterr);
    kept->spans = spans;
    for (size_t i = 0; i < all->span_count; i++)
        if (sp_time_range_contains(range, all->spans[i].start_unix_ns))
            spans[kept->span_count++] = all->spans[i];
    *batch = kept;
    return SP_OK;
}

enum sp_status sp_query_trace_read(struct sp_query_call *call, struct sp_trace_id *ret_id,
                                   const struct sp_batch **ret_batch, struct sp_error *reterr)
{
    struct sp_time_range range;
    enum sp_status status = sp_query_path_trace(call, ret_id, reterr);
    if (status == SP_OK)
        status = sp_query_range(call, &range, reterr);
    if (status == SP_OK)
        status = sp_store_trace_read(call->api->store, ret_id, &call->arena, ret_batch, reterr);
    if (status == SP_LIMIT)
        return sp_query_trace_too_large(call, reterr);
    if (status == SP_OK)
        status = keep_range(call, range, ret_batch, reterr);
    if (status == SP_NOT_FOUND || (status == SP_OK && (*ret_batch)->span_count == 0)) {
        char text[SP_TRACE_ID_TEXT];
        sp_trace_id_format(ret_id, text);
        return sp_error_set(reterr, SP_NOT_FOUND, "no span of trace %s is stored%s", text,
                            status == SP_OK ? " in this time range" : "");
    }
    return status;
}

/* ---- whole traces ---- */

/* The spans by pointer, as encoders take them. */
static const struct sp_span **span_pointers(struct sp_query_call *call,
                                            const struct sp_batch *batch)
{
    const struct sp_span **pointers =
        sp_arena_calloc(&call->arena, batch->span_count, sizeof(const struct sp_span *));
    for (size_t i = 0; pointers && i < batch->span_count; i++)
        pointers[i] = &batch->spans[i];
    return pointers;
}

static enum sp_status answer_otlp(struct sp_query_call *call, const struct sp_batch *batch,
                                  struct sp_error *reterr)
{
    static const char *const types[] = {"application/json", "application/x-protobuf",
                                        "application/protobuf"};
    const struct sp_span **spans = span_pointers(call, batch);
    if (!spans)
        return sp_query_trace_too_large(call, reterr);
    int type = sp_accept_choose(call->request.accept, types, SP_ARRAY_LEN(types));
    if (type <= 0) { /* JSON also for whoever accepts nothing that there is */
        struct sp_json_writer w;
        sp_query_reply_json(call, &w);
        sp_otlp_json_encode(spans, batch->span_count, &w);
        return SP_OK;
    }
    call->reply.status = 200;
    call->reply.content_type = types[type];
    if (sp_otlp_encode(spans, batch->span_count, &call->reply.body) != SP_OK)
        return sp_query_reply_end(call, reterr);
    return SP_OK;
}

static enum sp_status assemble(struct sp_query_call *call, const struct sp_batch *batch,
                               struct sp_trace *ret, struct sp_error *reterr)
{
    enum sp_status status = sp_query_check(call, reterr);
    if (status == SP_OK && sp_trace_assemble(&call->arena, batch, ret) != SP_OK)
        status = sp_query_trace_too_large(call, reterr);
    return status;
}

enum sp_status sp_query_trace_assemble(struct sp_query_call *call, const struct sp_batch *batch,
                                       bool adjust, struct sp_trace *ret,
                                       struct sp_trace_clocks *ret_clocks, struct sp_error *reterr)
{
    struct sp_trace raw;
    struct sp_batch moved = {0};
    struct sp_trace_clocks clocks = {.is_adjusted = adjust};
    enum sp_status status = assemble(call, batch, &raw, reterr);
    if (status != SP_OK)
        return status;
    if (sp_skew_find(&call->arena, &raw, &clocks.skew) != SP_OK)
        return sp_query_trace_too_large(call, reterr);
    clocks.row_of_raw = sp_arena_calloc(&call->arena, raw.row_count, sizeof(*clocks.row_of_raw));
    clocks.sent = sp_arena_calloc(&call->arena, raw.row_count, sizeof(const struct sp_span *));
    if (!clocks.row_of_raw || !clocks.sent)
        return sp_query_trace_too_large(call, reterr);
    *ret = raw;
    bool moves = adjust && clocks.skew.skewed_count > 0;
    if (moves && sp_skew_adjust(&call->arena, &raw, &clocks.skew, &moved) != SP_OK)
        return sp_query_trace_too_large(call, reterr);
    if (moves)
        status = assemble(call, &moved, ret, reterr);
    for (uint32_t row = 0; row < raw.row_count && status == SP_OK; row++) {
        uint32_t from = moves ? (uint32_t)(ret->rows[row].span - moved.spans) : row;
        clocks.row_of_raw[from] = row;
        clocks.sent[row] = raw.rows[from].span;
        ret->rows[row].flags |= raw.rows[from].flags & SP_ROW_SKEWED;
    }
    *ret_clocks = clocks;
    return status;
}

/* What a page needs to head a trace that it is still reading, or to see that it has grown. */
static enum sp_status answer_summary(struct sp_query_call *call, const struct sp_trace_id *id,
                                     const struct sp_batch *batch, struct sp_error *reterr)
{
    struct sp_trace trace;
    enum sp_status status = assemble(call, batch, &trace, reterr);
    if (status != SP_OK)
        return status;
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_trace_write_summary(id, &trace, &w);
    return SP_OK;
}

static enum sp_status answer_columns(struct sp_query_call *call, const struct sp_trace_id *id,
                                     const struct sp_batch *batch, struct sp_error *reterr)
{
    struct sp_trace trace;
    struct sp_trace_clocks clocks;
    struct sp_critical_path path;
    const struct sp_service_row *services;
    size_t service_count;
    enum sp_status status =
        sp_query_trace_assemble(call, batch, call->values[3].number == 1, &trace, &clocks, reterr);
    if (status == SP_OK)
        status = sp_store_services(call->api->store, SP_TIME_RANGE_ALL, &call->stop, &call->arena,
                                   &services, &service_count, reterr);
    if (status != SP_OK)
        return status;
    if (sp_critical_path(&call->arena, &trace, &path) != SP_OK)
        return sp_query_trace_too_large(call, reterr);
    status = sp_query_check(call, reterr);
    if (status != SP_OK)
        return status;
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    if (!sp_trace_write_columns(&call->arena, id, &trace, &path, &clocks, services, service_count,
                                &w))
        return sp_query_trace_too_large(call, reterr);
    return SP_OK;
}

enum sp_status sp_query_answer_trace(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_trace_id id;
    const struct sp_batch *batch;
    if (call->values[2].number != 1 && call->values[3].number == 1)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "skew",
                                      "OTLP is what was sent: only view=columns is adjusted");
    enum sp_status status = sp_query_trace_read(call, &id, &batch, reterr);
    if (status != SP_OK)
        return status;
    sp_query_reply_header(&call->reply, "vary", "accept");
    if (call->values[2].number == 2)
        return answer_summary(call, &id, batch, reterr);
    return call->values[2].number == 0 ? answer_otlp(call, batch, reterr)
                                       : answer_columns(call, &id, batch, reterr);
}

/* ---- rows in full ---- */

static enum sp_status bad_rows(struct sp_error *reterr)
{
    return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "rows",
                                  "\"rows\" must be row numbers and ranges of them with commas "
                                  "between, as 0,5-9, at most %d rows",
                                  SP_TRACE_ANSWER_ROWS_MAX);
}

enum sp_status sp_query_trace_rows(struct sp_slice text, uint32_t rows[SP_TRACE_ANSWER_ROWS_MAX],
                                   size_t *ret_count, struct sp_error *reterr)
{
    size_t count = 0;
    while (text.len > 0) {
        size_t comma = sp_slice_find(text, ',');
        struct sp_slice item = sp_slice_sub(text, 0, comma);
        size_t dash = sp_slice_find(item, '-');
        uint64_t first, last;
        if (!sp_parse_u64(sp_slice_sub(item, 0, dash), &first) || first > UINT32_MAX - 1)
            return bad_rows(reterr);
        last = first;
        if (dash < item.len && (!sp_parse_u64(sp_slice_sub(item, dash + 1, item.len), &last) ||
                                last < first || last - first >= SP_TRACE_ANSWER_ROWS_MAX))
            return bad_rows(reterr);
        for (uint64_t row = first; row <= last; row++) {
            if (count == SP_TRACE_ANSWER_ROWS_MAX)
                return bad_rows(reterr);
            rows[count++] = (uint32_t)row;
        }
        if (comma + 1 == text.len)
            return bad_rows(reterr); /* a comma at the end */
        text = sp_slice_sub(text, comma + 1, text.len);
    }
    if (count == 0)
        return bad_rows(reterr);
    *ret_count = count;
    return SP_OK;
}

enum sp_status sp_query_trace_rows_of(const struct sp_trace *trace, const uint32_t *rows,
                                      size_t count, struct sp_error *reterr)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i] >= trace->row_count)
            return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "rows",
                                          "the trace has rows 0 to %u; row %u is asked for",
                                          trace->row_count - 1, rows[i]);
    return SP_OK;
}

static void write_row(uint32_t row, const struct sp_span *span, struct sp_json_writer *w)
{
    sp_json_object_begin(w);
    sp_json_key(w, "row");
    sp_json_u64(w, row);
    sp_json_key(w, "span");
    sp_otlp_json_span(span, w);
    sp_json_key(w, "resource");
    sp_otlp_json_resource(span->resource, w);
    sp_json_key(w, "resourceSchemaUrl");
    sp_json_string(w, span->resource->schema_url);
    sp_json_key(w, "scope");
    sp_otlp_json_scope(span->scope, w);
    sp_json_key(w, "scopeSchemaUrl");
    sp_json_string(w, span->scope->schema_url);
    sp_json_object_end(w);
}

enum sp_status sp_query_answer_spans(struct sp_query_call *call, struct sp_error *reterr)
{
    uint32_t rows[SP_TRACE_ANSWER_ROWS_MAX];
    size_t count = 0;
    struct sp_trace_id id;
    const struct sp_batch *batch;
    struct sp_trace trace;
    struct sp_trace_clocks clocks;
    enum sp_status status = sp_query_trace_rows(call->values[2].text, rows, &count, reterr);
    if (status == SP_OK)
        status = sp_query_trace_read(call, &id, &batch, reterr);
    if (status == SP_OK)
        status = sp_query_trace_assemble(call, batch, call->values[3].number == 1, &trace, &clocks,
                                         reterr);
    if (status == SP_OK)
        status = sp_query_trace_rows_of(&trace, rows, count, reterr);
    if (status != SP_OK)
        return status;
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "spans");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < count; i++)
        write_row(rows[i], clocks.sent[rows[i]], &w);
    sp_json_array_end(&w);
    sp_json_object_end(&w);
    return SP_OK;
}
