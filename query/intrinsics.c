/* SPDX-License-Identifier: Apache-2.0
 *
 * query/intrinsics.c: completion for the fields that every span has: which there are, and what values of them are stored.
 * Counts come from the catalogue, so they are exact. */
#include <stdio.h>
#include <stdlib.h>

#include "query/internal.h"

/* One value and how many spans have it. */
struct value {
    struct sp_slice text;
    uint64_t count;
    bool counted; /* false: the catalogue does not tell; the count is null */
};

struct values {
    struct value *items;
    size_t count;
};

typedef enum sp_status (*collect)(struct sp_query_call *call, struct sp_time_range range,
                                  struct values *ret, struct sp_error *reterr);

static enum sp_status out_of_memory(const struct sp_query_call *call, struct sp_error *reterr)
{
    return sp_arena_failed(&call->arena, reterr, "the values are larger than the query's memory");
}

static enum sp_status collect_services(struct sp_query_call *call, struct sp_time_range range,
                                       struct values *ret, struct sp_error *reterr)
{
    const struct sp_service_row *rows;
    size_t count;
    enum sp_status status = sp_store_services(call->api->store, range, &call->stop, &call->arena,
                                              &rows, &count, reterr);
    if (status != SP_OK)
        return status;
    ret->items = sp_arena_calloc(&call->arena, count, sizeof(*ret->items));
    if (!ret->items)
        return out_of_memory(call, reterr);
    for (size_t i = 0; i < count; i++)
        ret->items[ret->count++] = (struct value){rows[i].name, rows[i].span_count, true};
    return SP_OK;
}

static struct sp_slice operation_name(const struct sp_operation_row *row)
{
    return row->name;
}

static struct sp_slice operation_kind(const struct sp_operation_row *row)
{
    return sp_slice_cstr(sp_span_kind_name(row->kind));
}

static enum sp_status collect_operations(struct sp_query_call *call, struct sp_time_range range,
                                         struct sp_slice (*text)(const struct sp_operation_row *),
                                         struct values *ret, struct sp_error *reterr)
{
    const struct sp_operation_row *rows;
    size_t count;
    enum sp_status status = sp_store_operations(call->api->store, SP_SLICE(""), range, &call->stop,
                                                &call->arena, &rows, &count, reterr);
    if (status != SP_OK)
        return status;
    ret->items = sp_arena_calloc(&call->arena, count, sizeof(*ret->items));
    if (!ret->items)
        return out_of_memory(call, reterr);
    for (size_t i = 0; i < count; i++)
        ret->items[ret->count++] = (struct value){text(&rows[i]), rows[i].span_count, true};
    return SP_OK;
}

static enum sp_status collect_names(struct sp_query_call *call, struct sp_time_range range,
                                    struct values *ret, struct sp_error *reterr)
{
    return collect_operations(call, range, operation_name, ret, reterr);
}

static enum sp_status collect_kinds(struct sp_query_call *call, struct sp_time_range range,
                                    struct values *ret, struct sp_error *reterr)
{
    return collect_operations(call, range, operation_kind, ret, reterr);
}

/* The catalogue counts errors; how the rest divides into ok and unset it does not say. */
static enum sp_status collect_statuses(struct sp_query_call *call, struct sp_time_range range,
                                       struct values *ret, struct sp_error *reterr)
{
    const struct sp_service_row *rows;
    size_t count;
    enum sp_status status = sp_store_services(call->api->store, range, &call->stop, &call->arena,
                                              &rows, &count, reterr);
    if (status != SP_OK)
        return status;
    ret->items = sp_arena_calloc(&call->arena, 3, sizeof(*ret->items));
    if (!ret->items)
        return out_of_memory(call, reterr);
    uint64_t errors = 0;
    for (size_t i = 0; i < count; i++)
        errors += rows[i].error_count;
    ret->items[0] = (struct value){SP_SLICE("error"), errors, true};
    ret->items[1] = (struct value){SP_SLICE("ok"), 0, false};
    ret->items[2] = (struct value){SP_SLICE("unset"), 0, false};
    ret->count = 3;
    return SP_OK;
}

static const struct {
    const char *key, *type;
    collect collect; /* NULL: any value, nothing to complete */
} intrinsics[] = {
    {"duration", "duration", NULL},
    {"kind", "kind", collect_kinds},
    {"name", "string", collect_names},
    {"rootName", "string", collect_names},
    {"rootServiceName", "string", collect_services},
    {"service", "string", collect_services},
    {"status", "status", collect_statuses},
    {"statusMessage", "string", NULL},
    {"traceDuration", "duration", NULL},
};

static int by_text(const void *a, const void *b)
{
    return sp_slice_compare(((const struct value *)a)->text, ((const struct value *)b)->text);
}

static int by_count(const void *a, const void *b)
{
    const struct value *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return sp_slice_compare(x->text, y->text);
}

/* Adds equal texts up, drops those without the prefix, most frequent first. */
static void tidy(struct values *values, struct sp_slice prefix)
{
    if (values->count > 0)
        qsort(values->items, values->count, sizeof(*values->items), by_text);
    size_t kept = 0;
    for (size_t i = 0; i < values->count; i++) {
        struct value *value = &values->items[i];
        if (!sp_slice_starts_with(value->text, prefix))
            continue;
        if (kept > 0 && sp_slice_equal(values->items[kept - 1].text, value->text))
            values->items[kept - 1].count += value->count;
        else
            values->items[kept++] = *value;
    }
    values->count = kept;
    if (kept > 0)
        qsort(values->items, kept, sizeof(*values->items), by_count);
}

static enum sp_status answer_intrinsic_values(struct sp_query_call *call, size_t row,
                                              struct sp_time_range range, struct sp_error *reterr)
{
    struct values values = {0};
    enum sp_status status =
        intrinsics[row].collect ? intrinsics[row].collect(call, range, &values, reterr) : SP_OK;
    if (status != SP_OK)
        return status;
    tidy(&values, call->values[4].text);
    size_t limit = call->values[5].number;
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "values");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < values.count && i < limit; i++) {
        sp_json_object_begin(&w);
        sp_json_key(&w, "value");
        sp_json_string(&w, values.items[i].text);
        sp_json_key(&w, "type");
        sp_json_cstr(&w, intrinsics[row].type);
        sp_json_key(&w, "count");
        if (values.items[i].counted)
            sp_json_u64_string(&w, values.items[i].count);
        else
            sp_json_null(&w);
        sp_json_object_end(&w);
    }
    sp_json_array_end(&w);
    sp_json_key(&w, "complete");
    sp_json_bool(&w, values.count <= limit);
    sp_json_object_end(&w);
    return SP_OK;
}

/* Every span has every intrinsic, so the number of all spans is the count of each. */
static enum sp_status answer_intrinsic_keys(struct sp_query_call *call, struct sp_time_range range,
                                            struct sp_error *reterr)
{
    const struct sp_service_row *rows;
    size_t count, limit = call->values[5].number, matching = 0;
    enum sp_status status = sp_store_services(call->api->store, range, &call->stop, &call->arena,
                                              &rows, &count, reterr);
    if (status != SP_OK)
        return status;
    uint64_t spans = 0;
    for (size_t i = 0; i < count; i++)
        spans += rows[i].span_count;
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "attributes");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < SP_ARRAY_LEN(intrinsics); i++) {
        if (!sp_slice_starts_with(sp_slice_cstr(intrinsics[i].key), call->values[4].text) ||
            matching++ >= limit)
            continue;
        sp_json_object_begin(&w);
        sp_json_key(&w, "scope");
        sp_json_cstr(&w, "intrinsic");
        sp_json_key(&w, "key");
        sp_json_cstr(&w, intrinsics[i].key);
        sp_json_key(&w, "type");
        sp_json_cstr(&w, intrinsics[i].type);
        sp_json_key(&w, "spanCount");
        sp_json_u64_string(&w, spans);
        sp_json_object_end(&w);
    }
    sp_json_array_end(&w);
    sp_json_key(&w, "complete");
    sp_json_bool(&w, matching <= limit);
    sp_json_object_end(&w);
    return SP_OK;
}

enum sp_status sp_query_answer_intrinsics(struct sp_query_call *call, struct sp_time_range range,
                                          struct sp_error *reterr)
{
    if (!call->values[3].set)
        return answer_intrinsic_keys(call, range, reterr);
    for (size_t i = 0; i < SP_ARRAY_LEN(intrinsics); i++)
        if (sp_slice_equal_cstr(call->values[3].text, intrinsics[i].key))
            return answer_intrinsic_values(call, i, range, reterr);
    char allowed[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < SP_ARRAY_LEN(intrinsics); i++)
        used += (size_t)snprintf(allowed + used, sizeof(allowed) - used, "%s%s", i ? ", " : "",
                                 intrinsics[i].key);
    return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "key",
                                  "with scope=intrinsic, \"key\" must be one of %s", allowed);
}
