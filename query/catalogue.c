/* SPDX-License-Identifier: Apache-2.0
 *
 * query/catalogue.c: what there is: services, operations, attribute keys and values, status. The store counts;
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
