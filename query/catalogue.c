/* SPDX-License-Identifier: Apache-2.0
 *
 * query/catalogue.c: what there is: services, operations, attribute keys and values, status. The store counts;
 * these answers only show it. */
#include "query/answer.h"
#include "query/complete.h"

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

/* Rows of the table in query/routes.c. */
enum { SCOPE = 2, KEY, PREFIX, LIMIT, Q };

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
                                  struct sp_time_range range, bool restricted,
                                  struct sp_error *reterr)
{
    struct sp_slice prefix = call->values[PREFIX].text;
    size_t limit = call->values[LIMIT].number;
    struct sp_completion_keys keys = {0};
    enum sp_status status =
        restricted ? sp_complete_keys(call, call->values[Q].text, scopes, prefix, &keys, reterr)
                   : sp_store_attribute_keys(call->api->store, scopes, prefix, range, &call->stop,
                                             limit, &call->arena, &keys.rows, &keys.count,
                                             &keys.complete, reterr);
    if (status != SP_OK)
        return status;
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "attributes");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < keys.count && i < limit; i++) {
        const struct sp_key_row *row = &keys.rows[i];
        sp_json_object_begin(&w);
        text_member(&w, "scope", sp_slice_cstr(scope_name(row->scope)));
        text_member(&w, "key", row->key);
        text_member(&w, "type", sp_slice_cstr(sp_value_kind_name(row->kind)));
        count_member(&w, "spanCount", row->span_count);
        sp_json_object_end(&w);
    }
    sp_json_array_end(&w);
    sp_json_key(&w, "complete");
    sp_json_bool(&w, keys.complete && keys.count <= limit);
    if (keys.looked)
        sp_answer_scanned(call, &keys.scanned, &w);
    sp_json_object_end(&w);
    return SP_OK;
}

/* As of the store, which leaves out what goes beyond limit. */
static enum sp_status stored_values(struct sp_query_call *call, uint32_t scopes,
                                    struct sp_time_range range, struct sp_completion_values *ret,
                                    struct sp_error *reterr)
{
    const struct sp_value_row *rows;
    enum sp_status status = sp_store_attribute_values(
        call->api->store, scopes, call->values[KEY].text, call->values[PREFIX].text, range,
        &call->stop, call->values[LIMIT].number, &call->arena, &rows, &ret->count, &ret->complete,
        reterr);
    if (status != SP_OK)
        return status;
    ret->items = sp_arena_calloc(&call->arena, ret->count + 1, sizeof(*ret->items));
    if (!ret->items)
        return sp_arena_failed(&call->arena, reterr, "the values do not fit into memory");
    for (size_t i = 0; i < ret->count; i++)
        ret->items[i] = (struct sp_completion_value){
            rows[i].text, sp_slice_cstr(sp_value_kind_name(rows[i].kind)), rows[i].span_count};
    return SP_OK;
}

void sp_query_write_values(struct sp_query_call *call, const struct sp_completion_values *values)
{
    size_t limit = call->values[LIMIT].number;
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "values");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < values->count && i < limit; i++) {
        const struct sp_completion_value *value = &values->items[i];
        sp_json_object_begin(&w);
        text_member(&w, "value", value->text);
        text_member(&w, "type", value->type);
        sp_json_key(&w, "count");
        if (value->span_count == SP_COMPLETION_NOT_COUNTED)
            sp_json_null(&w);
        else
            sp_json_u64_string(&w, value->span_count);
        sp_json_object_end(&w);
    }
    sp_json_array_end(&w);
    sp_json_key(&w, "complete");
    sp_json_bool(&w, values->complete && values->count <= limit);
    if (values->looked)
        sp_answer_scanned(call, &values->scanned, &w);
    sp_json_object_end(&w);
}

static enum sp_status answer_values(struct sp_query_call *call, uint32_t scopes,
                                    struct sp_time_range range, bool restricted,
                                    struct sp_error *reterr)
{
    struct sp_completion_values values = {0};
    enum sp_status status =
        restricted
            ? sp_complete_attribute(call, call->values[Q].text, scopes, call->values[KEY].text,
                                    call->values[PREFIX].text, &values, reterr)
            : stored_values(call, scopes, range, &values, reterr);
    if (status == SP_OK)
        sp_query_write_values(call, &values);
    return status;
}

/* { } finds every span: then the catalogue knows the answer. */
static enum sp_status is_restricted(struct sp_query_call *call, bool *ret, struct sp_error *reterr)
{
    struct sp_pass pass;
    *ret = false;
    if (!call->values[Q].set)
        return SP_OK;
    enum sp_status status = sp_answer_pass(call, "q", call->values[Q].text, &pass, reterr);
    if (status != SP_OK)
        return status;
    const struct sp_traceql_node *filter = sp_pass_single_filter(pass.pipeline, pass.stage_count);
    *ret = !filter || filter->left;
    return SP_OK;
}

enum sp_status sp_query_answer_attributes(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_time_range range;
    bool restricted;
    enum sp_status status = sp_query_range(call, &range, reterr);
    if (status == SP_OK)
        status = is_restricted(call, &restricted, reterr);
    if (status != SP_OK)
        return status;
    uint32_t scopes = attribute_scopes[call->values[SCOPE].number].bits;
    if (scopes == 0)
        return sp_query_answer_intrinsics(call, range, restricted, reterr);
    return call->values[KEY].set ? answer_values(call, scopes, range, restricted, reterr)
                                 : answer_keys(call, scopes, range, restricted, reterr);
}
