/* SPDX-License-Identifier: Apache-2.0
 *
 * query/catalogue.c: what there is: services, operations, attribute keys and values, latencies, status. The store counts;
 * these answers only show it. */
#include "query/internal.h"

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

enum sp_status sp_query_answer_services(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_time_range range;
    const struct sp_service_row *rows;
    size_t count;
    enum sp_status status = sp_query_range(call, &range, reterr);
    if (status == SP_OK)
        status = sp_store_services(call->api->store, range, &call->stop, &call->arena, &rows,
                                   &count, reterr);
    if (status != SP_OK)
        return status;
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "services");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < count; i++) {
        sp_json_object_begin(&w);
        text_member(&w, "name", rows[i].name);
        count_member(&w, "spanCount", rows[i].span_count);
        count_member(&w, "errorCount", rows[i].error_count);
        sp_json_key(&w, "slot");
        sp_json_u64(&w, rows[i].slot % SP_QUERY_SLOTS);
        sp_json_object_end(&w);
    }
    sp_json_array_end(&w);
    sp_json_object_end(&w);
    return SP_OK;
}

enum sp_status sp_query_answer_operations(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_time_range range;
    const struct sp_operation_row *rows;
    size_t count;
    enum sp_status status = sp_query_range(call, &range, reterr);
    if (status == SP_OK)
        status = sp_store_operations(call->api->store, call->values[2].text, range, &call->stop,
                                     &call->arena, &rows, &count, reterr);
    if (status != SP_OK)
        return status;
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "operations");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < count; i++) {
        sp_json_object_begin(&w);
        text_member(&w, "service", rows[i].service);
        text_member(&w, "name", rows[i].name);
        text_member(&w, "kind", sp_slice_cstr(sp_span_kind_name(rows[i].kind)));
        count_member(&w, "spanCount", rows[i].span_count);
        count_member(&w, "errorCount", rows[i].error_count);
        sp_json_object_end(&w);
    }
    sp_json_array_end(&w);
    sp_json_object_end(&w);
    return SP_OK;
}

/* ---- attributes ---- */

static const struct {
    uint32_t bits;
    const char *name;
} attribute_scopes[] = {
    {SP_SCOPE_SPAN | SP_SCOPE_RESOURCE | SP_SCOPE_INSTRUMENTATION | SP_SCOPE_EVENT | SP_SCOPE_LINK,
     "any"},
    {SP_SCOPE_SPAN, "span"},
    {SP_SCOPE_RESOURCE, "resource"},
    {SP_SCOPE_EVENT, "event"},
    {SP_SCOPE_LINK, "link"},
    {SP_SCOPE_INSTRUMENTATION, "instrumentation"},
    {0, "intrinsic"},
};

static const char *scope_name(enum sp_attribute_scope scope)
{
    for (size_t i = 1; i < SP_ARRAY_LEN(attribute_scopes); i++)
        if (attribute_scopes[i].bits == (uint32_t)scope)
            return attribute_scopes[i].name;
    return "span";
}

static enum sp_status answer_keys(struct sp_query_call *call, uint32_t scopes,
                                  struct sp_time_range range, struct sp_error *reterr)
{
    const struct sp_key_row *rows;
    size_t count;
    bool complete;
    enum sp_status status = sp_store_attribute_keys(call->api->store, scopes, call->values[4].text,
                                                    range, &call->stop, call->values[5].number,
                                                    &call->arena, &rows, &count, &complete, reterr);
    if (status != SP_OK)
        return status;
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "attributes");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < count; i++) {
        sp_json_object_begin(&w);
        text_member(&w, "scope", sp_slice_cstr(scope_name(rows[i].scope)));
        text_member(&w, "key", rows[i].key);
        text_member(&w, "type", sp_slice_cstr(sp_value_kind_name(rows[i].kind)));
        count_member(&w, "spanCount", rows[i].span_count);
        sp_json_object_end(&w);
    }
    sp_json_array_end(&w);
    sp_json_key(&w, "complete");
    sp_json_bool(&w, complete);
    sp_json_object_end(&w);
    return SP_OK;
}

static void value_row(struct sp_json_writer *w, struct sp_slice value, const char *type,
                      uint64_t count)
{
    sp_json_object_begin(w);
    text_member(w, "value", value);
    text_member(w, "type", sp_slice_cstr(type));
    count_member(w, "count", count);
    sp_json_object_end(w);
}

static enum sp_status answer_values(struct sp_query_call *call, uint32_t scopes,
                                    struct sp_time_range range, struct sp_error *reterr)
{
    const struct sp_value_row *rows;
    size_t count;
    bool complete;
    enum sp_status status = sp_store_attribute_values(
        call->api->store, scopes, call->values[3].text, call->values[4].text, range, &call->stop,
        call->values[5].number, &call->arena, &rows, &count, &complete, reterr);
    if (status != SP_OK)
        return status;
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "values");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < count; i++)
        value_row(&w, rows[i].text, sp_value_kind_name(rows[i].kind), rows[i].span_count);
    sp_json_array_end(&w);
    sp_json_key(&w, "complete");
    sp_json_bool(&w, complete);
    sp_json_object_end(&w);
    return SP_OK;
}

enum sp_status sp_query_answer_attributes(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_time_range range;
    enum sp_status status = sp_query_range(call, &range, reterr);
    if (status != SP_OK)
        return status;
    uint32_t scopes = attribute_scopes[call->values[2].number].bits;
    if (scopes == 0)
        return sp_query_answer_intrinsics(call, range, reterr);
    return call->values[3].set ? answer_values(call, scopes, range, reterr)
                               : answer_keys(call, scopes, range, reterr);
}

/* ---- latency ---- */

#define QUANTILES_MAX 32

struct quantile {
    char text[24]; /* as asked for: the key in the answer */
    double q;
};

static enum sp_status parse_quantiles(struct sp_slice text, struct quantile *quantiles,
                                      size_t *ret_count, struct sp_error *reterr)
{
    size_t count = 0;
    if (text.len == 0)
        text = SP_SLICE("0.5,0.9,0.95,0.99");
    while (text.len > 0) {
        size_t end = sp_slice_find(text, ',');
        struct sp_slice item = sp_slice_trim(sp_slice_sub(text, 0, end));
        text = sp_slice_sub(text, end + 1, text.len);
        if (count == QUANTILES_MAX)
            return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "q",
                                          "\"q\" takes at most %d quantiles", QUANTILES_MAX);
        struct quantile *quantile = &quantiles[count++];
        if (item.len >= sizeof(quantile->text) || !sp_parse_double(item, &quantile->q) ||
            quantile->q < 0 || quantile->q > 1)
            return sp_error_set_parameter(
                reterr, SP_INVALID_ARGUMENT, "q",
                "\"q\" must be numbers between 0 and 1 with commas between them, as 0.5,0.95");
        memcpy(quantile->text, item.ptr, item.len);
        quantile->text[item.len] = 0;
        for (size_t i = 0; i + 1 < count; i++)
            if (strcmp(quantiles[i].text, quantile->text) == 0)
                return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "q",
                                              "\"q\" names %s twice", quantile->text);
    }
    *ret_count = count;
    return SP_OK;
}

static void write_series(struct sp_json_writer *w, const struct sp_latency_series *row,
                         const struct quantile *quantiles, size_t quantile_count)
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
    struct quantile quantiles[QUANTILES_MAX];
    size_t quantile_count = 0, count = 0;
    enum sp_status status = sp_query_range(call, &range, reterr);
    if (status == SP_OK)
        status = parse_quantiles(call->values[5].text, quantiles, &quantile_count, reterr);
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
