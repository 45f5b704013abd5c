/* SPDX-License-Identifier: Apache-2.0
 *
 * query/intrinsics.c: completion for the fields that are no attributes: which there are, and what values of them are stored. Counts
 * come from the catalogue, so they are exact; what it does not know, and what a query restricts, is counted among spans (complete.h). */
#include <stdio.h>
#include <stdlib.h>

#include "query/complete.h"

/* Rows of the table in query/routes.c. */
enum { KEY = 3, PREFIX, LIMIT, Q };

typedef enum sp_status (*collect)(struct sp_query_call *call, struct sp_time_range range,
                                  struct sp_completion_values *ret, struct sp_error *reterr);

static enum sp_status make_room(struct sp_query_call *call, size_t count,
                                struct sp_completion_values *ret, struct sp_error *reterr)
{
    ret->items = sp_arena_calloc(&call->arena, count + 1, sizeof(*ret->items));
    return ret->items ? SP_OK
                      : sp_arena_failed(&call->arena, reterr,
                                        "the values are larger than the query's memory");
}

static void add(struct sp_completion_values *values, struct sp_slice text, uint64_t count)
{
    values->items[values->count++] =
        (struct sp_completion_value){.text = text, .span_count = count};
}

static enum sp_status collect_services(struct sp_query_call *call, struct sp_time_range range,
                                       struct sp_completion_values *ret, struct sp_error *reterr)
{
    const struct sp_service_row *rows;
    size_t count;
    enum sp_status status = sp_store_services(call->api->store, range, &call->stop, &call->arena,
                                              &rows, &count, reterr);
    if (status == SP_OK)
        status = make_room(call, count, ret, reterr);
    for (size_t i = 0; status == SP_OK && i < count; i++)
        add(ret, rows[i].name, rows[i].span_count);
    return status;
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
                                         struct sp_completion_values *ret, struct sp_error *reterr)
{
    const struct sp_operation_row *rows;
    size_t count;
    enum sp_status status = sp_store_operations(call->api->store, SP_SLICE(""), range, &call->stop,
                                                &call->arena, &rows, &count, reterr);
    if (status == SP_OK)
        status = make_room(call, count, ret, reterr);
    for (size_t i = 0; status == SP_OK && i < count; i++)
        add(ret, text(&rows[i]), rows[i].span_count);
    return status;
}

static enum sp_status collect_names(struct sp_query_call *call, struct sp_time_range range,
                                    struct sp_completion_values *ret, struct sp_error *reterr)
{
    return collect_operations(call, range, operation_name, ret, reterr);
}

static enum sp_status collect_kinds(struct sp_query_call *call, struct sp_time_range range,
                                    struct sp_completion_values *ret, struct sp_error *reterr)
{
    return collect_operations(call, range, operation_kind, ret, reterr);
}

/* The catalogue counts errors; ok, which few spans have, is looked for. Without time for that the others are not counted. */
static enum sp_status collect_statuses(struct sp_query_call *call, struct sp_time_range range,
                                       struct sp_completion_values *ret, struct sp_error *reterr)
{
    const struct sp_service_row *rows;
    size_t count;
    struct sp_completion_values found;
    enum sp_status status = sp_store_services(call->api->store, range, &call->stop, &call->arena,
                                              &rows, &count, reterr);
    if (status == SP_OK)
        status = make_room(call, 3, ret, reterr);
    if (status == SP_OK)
        status = sp_complete_intrinsic(call, SP_SLICE("{ status = ok }"), SP_TRACEQL_STATUS,
                                       "status", SP_SLICE(""), &found, reterr);
    if (status != SP_OK)
        return status;
    uint64_t errors = 0, spans = 0;
    for (size_t i = 0; i < count; i++) {
        errors += rows[i].error_count;
        spans += rows[i].span_count;
    }
    ret->looked = true;
    ret->scanned = found.scanned;
    uint64_t ok = found.count > 0 ? found.items[0].span_count : 0;
    ok = ok < spans - errors ? ok : spans - errors; /* spans came in between */
    add(ret, SP_SLICE("error"), errors);
    add(ret, SP_SLICE("ok"), found.complete ? ok : SP_COMPLETION_NOT_COUNTED);
    add(ret, SP_SLICE("unset"), found.complete ? spans - errors - ok : SP_COMPLETION_NOT_COUNTED);
    return SP_OK;
}

/* Where the values come from. */
enum source {
    NOWHERE, /* nobody completes numbers and ids */
    SPANS,   /* the catalogue does not know them */
    CATALOGUE
};

static const struct intrinsic {
    const char *key;
    const char *other; /* spelling; NULL: none */
    enum sp_traceql_intrinsic intrinsic;
    const char *type;
    enum source source;
    collect collect;   /* of the CATALOGUE */
    bool of_all_spans; /* every span has one */
} intrinsics[] = {
    {"duration", "span:duration", SP_TRACEQL_DURATION, "duration", NOWHERE, NULL, true},
    {"event:name", NULL, SP_TRACEQL_EVENT_NAME, "string", SPANS, NULL, false},
    {"event:timeSinceStart", NULL, SP_TRACEQL_EVENT_TIME_SINCE_START, "duration", NOWHERE, NULL,
     false},
    {"instrumentation:name", NULL, SP_TRACEQL_INSTRUMENTATION_NAME, "string", SPANS, NULL, true},
    {"instrumentation:version", NULL, SP_TRACEQL_INSTRUMENTATION_VERSION, "string", SPANS, NULL,
     true},
    {"kind", "span:kind", SP_TRACEQL_KIND, "kind", CATALOGUE, collect_kinds, true},
    {"link:spanID", NULL, SP_TRACEQL_LINK_SPAN_ID, "string", NOWHERE, NULL, false},
    {"link:traceID", NULL, SP_TRACEQL_LINK_TRACE_ID, "string", NOWHERE, NULL, false},
    {"name", "span:name", SP_TRACEQL_NAME, "string", CATALOGUE, collect_names, true},
    {"nestedSetLeft", NULL, SP_TRACEQL_NESTED_SET_LEFT, "int", NOWHERE, NULL, true},
    {"nestedSetParent", NULL, SP_TRACEQL_NESTED_SET_PARENT, "int", NOWHERE, NULL, true},
    {"nestedSetRight", NULL, SP_TRACEQL_NESTED_SET_RIGHT, "int", NOWHERE, NULL, true},
    {"parent", NULL, SP_TRACEQL_PARENT_SPAN, "span", NOWHERE, NULL, false},
    {"rootName", "trace:rootName", SP_TRACEQL_ROOT_NAME, "string", SPANS, NULL, false},
    {"rootServiceName", "trace:rootService", SP_TRACEQL_ROOT_SERVICE, "string", SPANS, NULL, false},
    {"service", NULL, SP_TRACEQL_SERVICE, "string", CATALOGUE, collect_services, true},
    {"span:childCount", "childCount", SP_TRACEQL_CHILD_COUNT, "int", SPANS, NULL, true},
    {"span:id", NULL, SP_TRACEQL_SPAN_ID, "string", NOWHERE, NULL, true},
    {"span:parentID", NULL, SP_TRACEQL_PARENT_ID, "string", NOWHERE, NULL, false},
    {"status", "span:status", SP_TRACEQL_STATUS, "status", CATALOGUE, collect_statuses, true},
    {"statusMessage", "span:statusMessage", SP_TRACEQL_STATUS_MESSAGE, "string", SPANS, NULL, true},
    {"trace:id", NULL, SP_TRACEQL_TRACE_ID, "string", NOWHERE, NULL, true},
    {"traceDuration", "trace:duration", SP_TRACEQL_TRACE_DURATION, "duration", NOWHERE, NULL, true},
};
_Static_assert(SP_ARRAY_LEN(intrinsics) == SP_TRACEQL_INTRINSIC_COUNT - 1, "one is not completed");

/* The spelling that begins with the prefix; NULL: none does. */
static const char *spelling_of(const struct intrinsic *row, struct sp_slice prefix)
{
    if (sp_slice_starts_with(sp_slice_cstr(row->key), prefix))
        return row->key;
    bool fits = row->other && sp_slice_starts_with(sp_slice_cstr(row->other), prefix);
    return fits ? row->other : NULL;
}

static int by_text(const void *a, const void *b)
{
    return sp_slice_compare(((const struct sp_completion_value *)a)->text,
                            ((const struct sp_completion_value *)b)->text);
}

/* What is not counted comes last. */
static int by_count(const void *a, const void *b)
{
    const struct sp_completion_value *x = a, *y = b;
    uint64_t m = x->span_count + 1, n = y->span_count + 1; /* 0: not counted */
    if (m != n)
        return m > n ? -1 : 1;
    return sp_slice_compare(x->text, y->text);
}

/* Adds equal texts up, drops those without the prefix, most frequent first. */
static void tidy(struct sp_completion_values *values, const char *type, struct sp_slice prefix)
{
    if (values->count > 0)
        qsort(values->items, values->count, sizeof(*values->items), by_text);
    size_t kept = 0;
    for (size_t i = 0; i < values->count; i++) {
        struct sp_completion_value *value = &values->items[i];
        if (!sp_slice_starts_with(value->text, prefix))
            continue;
        value->type = sp_slice_cstr(type);
        if (kept > 0 && sp_slice_equal(values->items[kept - 1].text, value->text))
            values->items[kept - 1].span_count += value->span_count;
        else
            values->items[kept++] = *value;
    }
    values->count = kept;
    if (kept > 0)
        qsort(values->items, kept, sizeof(*values->items), by_count);
}

static enum sp_status answer_intrinsic_values(struct sp_query_call *call,
                                              const struct intrinsic *row,
                                              struct sp_time_range range, bool restricted,
                                              struct sp_error *reterr)
{
    struct sp_completion_values values = {.complete = true};
    struct sp_slice prefix = call->values[PREFIX].text;
    enum sp_status status = SP_OK;
    if (row->source == SPANS || (row->source == CATALOGUE && restricted)) {
        status = sp_complete_intrinsic(call, call->values[Q].text, row->intrinsic, row->type,
                                       prefix, &values, reterr);
    } else if (row->source == CATALOGUE) {
        status = row->collect(call, range, &values, reterr);
        tidy(&values, row->type, prefix);
    }
    if (status == SP_OK)
        sp_query_write_values(call, &values);
    return status;
}

/* The number of all spans is the count of each that every span has. */
static enum sp_status answer_intrinsic_keys(struct sp_query_call *call, struct sp_time_range range,
                                            struct sp_error *reterr)
{
    const struct sp_service_row *rows;
    size_t count, limit = call->values[LIMIT].number, matching = 0;
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
        const char *spelling = spelling_of(&intrinsics[i], call->values[PREFIX].text);
        if (!spelling || matching++ >= limit)
            continue;
        sp_json_object_begin(&w);
        sp_json_key(&w, "scope");
        sp_json_cstr(&w, "intrinsic");
        sp_json_key(&w, "key");
        sp_json_cstr(&w, spelling);
        sp_json_key(&w, "type");
        sp_json_cstr(&w, intrinsics[i].type);
        sp_json_key(&w, "spanCount");
        if (intrinsics[i].of_all_spans)
            sp_json_u64_string(&w, spans);
        else
            sp_json_null(&w);
        sp_json_object_end(&w);
    }
    sp_json_array_end(&w);
    sp_json_key(&w, "complete");
    sp_json_bool(&w, matching <= limit);
    sp_json_object_end(&w);
    return SP_OK;
}

enum sp_status sp_query_answer_intrinsics(struct sp_query_call *call, struct sp_time_range range,
                                          bool restricted, struct sp_error *reterr)
{
    if (!call->values[KEY].set)
        return answer_intrinsic_keys(call, range, reterr);
    enum sp_traceql_intrinsic asked = sp_traceql_find_intrinsic(call->values[KEY].text);
    for (size_t i = 0; i < SP_ARRAY_LEN(intrinsics); i++)
        if (intrinsics[i].intrinsic == asked)
            return answer_intrinsic_values(call, &intrinsics[i], range, restricted, reterr);
    char allowed[SP_ERROR_MESSAGE_MAX] = "";
    size_t used = 0;
    for (size_t i = 0; i < SP_ARRAY_LEN(intrinsics); i++)
        used += (size_t)snprintf(allowed + used, sizeof(allowed) - used, "%s%s", i ? ", " : "",
                                 intrinsics[i].key);
    return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "key",
                                  "with scope=intrinsic, \"key\" must be one of %s", allowed);
}
