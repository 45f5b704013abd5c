/* SPDX-License-Identifier: Apache-2.0
 *
 * query/latency.c: GET /v1/latency: quantiles by service, operation and kind, from what the store keeps by minute. */
#include "query/quantiles.h"

static void count_member(struct sp_json_writer *w, const char *key, uint64_t value)
{
    sp_json_key(w, key);
    sp_json_u64_string(w, value);
}

static void text_member(struct sp_json_writer *w, const char *key, struct sp_slice value)
{
    sp_json_key(w, key);
    sp_json_string(w, value);
}

static void write_series(struct sp_json_writer *w, const struct sp_latency_series *row,
                         const struct sp_query_quantile *quantiles, size_t quantile_count)
{
    sp_json_object_begin(w);
    text_member(w, "service", row->service);
    text_member(w, "operation", row->operation);
    text_member(w, "kind", sp_slice_cstr(sp_span_kind_name(row->kind)));
    count_member(w, "calls", row->calls);
    count_member(w, "errors", row->errors);
    sp_json_key(w, "quantiles");
    sp_json_object_begin(w);
    for (size_t i = 0; i < quantile_count; i++)
        count_member(w, quantiles[i].text, sp_histogram_quantile(&row->latency, quantiles[i].q));
    sp_json_object_end(w);
    sp_json_object_end(w);
}

enum sp_status sp_query_answer_latency(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_time_range range;
    struct sp_query_quantile quantiles[SP_QUERY_QUANTILES_MAX];
    size_t quantile_count = 0, count = 0;
    enum sp_status status = sp_query_range(call, &range, reterr);
    if (status == SP_OK)
        status = sp_query_quantiles_parse("q", call->values[5].text, "0.5,0.9,0.95,0.99", quantiles,
                                          &quantile_count, reterr);
    if (status != SP_OK)
        return status;
    int32_t kind = call->values[4].number == 6 ? -1 : (int32_t)call->values[4].number;
    struct sp_latency_series *rows;
    status = sp_store_latency(call->api->store, call->values[2].text, call->values[3].text, kind,
                              range, &call->stop, &call->arena, &rows, &count, reterr);
    if (status != SP_OK)
        return status;
    range = sp_time_range_minutes(range);
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "series");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < count; i++)
        write_series(&w, &rows[i], quantiles, quantile_count);
    sp_json_array_end(&w);
    sp_json_key(&w, "from");
    sp_query_json_bound(&w, range.from_unix_ns);
    sp_json_key(&w, "to");
    sp_query_json_bound(&w, range.to_unix_ns);
    sp_json_key(&w, "relativeError");
    sp_json_double(&w, SP_HISTOGRAM_RELATIVE_ERROR);
    sp_json_object_end(&w);
    sp_latency_rows_fini(rows, count);
    return SP_OK;
}
