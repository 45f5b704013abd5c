/* SPDX-License-Identifier: Apache-2.0
 *
 * query/percentiles.c: /v1/traces/{id}/percentiles: how long each span of a trace took beside all spans of its service, operation
 * and kind. From what the store keeps by minute: exact counts of histogram buckets, so a rank is known between two bounds. */
#include <stdlib.h>

#include "query/answer.h"
#include "query/trace.h"

struct peers {
    const struct sp_latency_series *rows; /* sorted by service, operation, kind */
    size_t count;
};

static int compare_series(const struct sp_latency_series *a, const struct sp_latency_series *b)
{
    int order = sp_slice_compare(a->service, b->service);
    if (order == 0)
        order = sp_slice_compare(a->operation, b->operation);
    return order != 0 ? order : (a->kind > b->kind) - (a->kind < b->kind);
}

static const struct sp_latency_series *find_peers(const struct peers *peers,
                                                  const struct sp_span *span)
{
    struct sp_latency_series key = {
        .service = sp_span_service(span), .operation = span->name, .kind = span->kind};
    size_t from = 0, to = peers->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (compare_series(&peers->rows[middle], &key) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from < peers->count && compare_series(&peers->rows[from], &key) == 0 ? &peers->rows[from]
                                                                                : NULL;
}

/* How many took less than the span's bucket, and how many no more. */
static void rank_of(const struct sp_histogram *histogram, uint64_t duration_ns, uint64_t *ret_below,
                    uint64_t *ret_within)
{
    *ret_below = *ret_within = histogram->zero_count;
    if (duration_ns == 0) {
        *ret_below = 0;
        return;
    }
    uint16_t index = sp_histogram_index(duration_ns);
    for (uint32_t i = 0; i < histogram->bucket_count && histogram->buckets[i].index <= index; i++) {
        *ret_within += histogram->buckets[i].count;
        if (histogram->buckets[i].index < index)
            *ret_below += histogram->buckets[i].count;
    }
}

static void write_row(const struct peers *peers, const struct sp_trace *trace, uint32_t number,
                      struct sp_json_writer *w)
{
    const struct sp_trace_row *row = &trace->rows[number];
    const struct sp_latency_series *series = find_peers(peers, row->span);
    uint64_t below = 0, within = 0, calls = series ? series->latency.count : 0;
    if (series)
        rank_of(&series->latency, row->duration_ns, &below, &within);
    sp_json_object_begin(w);
    sp_json_key(w, "row");
    sp_json_u64(w, number);
    sp_json_key(w, "spanId");
    sp_json_hex(w, sp_slice_make(row->span->span_id.bytes, sizeof(row->span->span_id.bytes)));
    sp_json_key(w, "calls");
    sp_json_u64_string(w, calls);
    sp_json_key(w, "shorter");
    sp_json_double(w, calls > 0 ? (double)below / (double)calls : 0);
    sp_json_key(w, "notLonger");
    sp_json_double(w, calls > 0 ? (double)within / (double)calls : 0);
    sp_json_object_end(w);
}

/* The rows that were asked for; all of them if none were. */
struct wanted_rows {
    uint32_t rows[SP_TRACE_ANSWER_ROWS_MAX];
    size_t count;
};

/* All operations at once: a trace has spans of many. */
static void write_answer(struct sp_query_call *call, const struct sp_trace *trace,
                         const struct wanted_rows *wanted, const struct peers *peers,
                         struct sp_time_range range)
{
    struct sp_json_writer w;
    range = sp_time_range_minutes(range);
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "rows");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < wanted->count; i++)
        write_row(peers, trace, wanted->rows[i], &w);
    for (uint32_t row = 0; row < trace->row_count && wanted->count == 0; row++)
        write_row(peers, trace, row, &w);
    sp_json_array_end(&w);
    sp_json_key(&w, "from");
    sp_query_json_bound(&w, range.from_unix_ns);
    sp_json_key(&w, "to");
    sp_query_json_bound(&w, range.to_unix_ns);
    sp_json_key(&w, "relativeError");
    sp_json_double(&w, SP_HISTOGRAM_RELATIVE_ERROR);
    sp_json_object_end(&w);
}

/* from and to are about the spans beside which those of the trace are put, which are all its spans. */
static enum sp_status read_whole_trace(struct sp_query_call *call, struct sp_trace *ret,
                                       struct sp_error *reterr)
{
    struct sp_trace_id id;
    const struct sp_batch *batch;
    struct sp_trace_clocks clocks;
    struct sp_parameter_value from = call->values[0], to = call->values[1];
    call->values[0].number = 0;
    call->values[1].number = UINT64_MAX;
    enum sp_status status = sp_query_trace_read(call, &id, &batch, reterr);
    call->values[0] = from;
    call->values[1] = to;
    if (status == SP_OK)
        status =
            sp_query_trace_assemble(call, batch, call->values[3].number == 1, ret, &clocks, reterr);
    return status;
}

enum sp_status sp_query_answer_percentiles(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_time_range range;
    struct sp_trace trace;
    struct wanted_rows wanted = {.count = 0};
    struct sp_latency_series *rows;
    size_t count;
    enum sp_status status = sp_query_range(call, &range, reterr);
    if (status == SP_OK && call->values[2].set)
        status = sp_query_trace_rows(call->values[2].text, wanted.rows, &wanted.count, reterr);
    if (status == SP_OK)
        status = read_whole_trace(call, &trace, reterr);
    if (status == SP_OK)
        status = sp_query_trace_rows_of(&trace, wanted.rows, wanted.count, reterr);
    if (status == SP_OK)
        status = sp_store_latency(call->api->store, SP_SLICE(""), SP_SLICE(""), -1, range,
                                  &call->stop, &call->arena, &rows, &count, reterr);
    if (status != SP_OK)
        return status;
    write_answer(call, &trace, &wanted, &(struct peers){rows, count}, range);
    sp_latency_rows_fini(rows, count);
    return SP_OK;
}
