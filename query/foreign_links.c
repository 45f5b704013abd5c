/* SPDX-License-Identifier: Apache-2.0
 *
 * query/foreign_links.c: addresses as other tools write them, and where our pages are for them: Jaeger's and Zipkin's links to
 * traces, Jaeger's search and its comparison. So bookmarks, dashboards and log viewers need not be changed. */
#include "query/foreign_links.h"

#include "lib/model/model.h"
#include "lib/net/net.h"

#define TRACEQL_BYTES_MAX ((size_t)2048)

/* ---- traces ---- */

/* Jaeger leaves out zeros at the beginning. */
static bool parse_trace(struct sp_slice text, struct sp_trace_id *ret)
{
    char digits[SP_TRACE_ID_TEXT];
    size_t zeros = SP_TRACE_ID_TEXT - 1 - text.len;
    if (text.len == 0 || text.len >= SP_TRACE_ID_TEXT)
        return false;
    memset(digits, '0', zeros);
    memcpy(digits + zeros, text.ptr, text.len);
    return sp_trace_id_parse(sp_slice_make(digits, sizeof(digits) - 1), ret);
}

static bool append_trace(struct sp_buf *out, const char *before, struct sp_slice id)
{
    struct sp_trace_id trace_id;
    char text[SP_TRACE_ID_TEXT];
    if (!parse_trace(id, &trace_id))
        return false;
    sp_trace_id_format(&trace_id, text);
    sp_buf_printf(out, "%s%s", before, text);
    return true;
}

static void append_parameter(struct sp_buf *out, const char *name, struct sp_slice value)
{
    sp_buf_append_cstr(out, name);
    sp_percent_encode(value, out);
}

/* What Jaeger's page finds in a trace: a span, or words. */
static void append_found(struct sp_arena *arena, struct sp_slice query, struct sp_buf *out)
{
    struct sp_params *params = sp_arena_calloc(arena, 1, sizeof(*params));
    struct sp_error error = {.offset = SP_ERROR_NO_OFFSET};
    struct sp_slice find;
    struct sp_span_id span;
    if (!params || sp_params_decode(arena, query, params, &error) != SP_OK)
        return;
    if (sp_params_get(params, "uiFind", &find) && find.len > 0)
        append_parameter(out, sp_span_id_parse(find, &span) ? "&span=" : "&find=", find);
}

/* ID, or two with "..." between them, which is how Jaeger compares. */
static bool trace_page(struct sp_arena *arena, struct sp_slice ids, struct sp_slice query,
                       struct sp_buf *out)
{
    size_t first = sp_slice_find(ids, '.');
    struct sp_slice rest = sp_slice_sub(ids, first, ids.len);
    struct sp_slice id = sp_slice_sub(ids, 0, first);
    if (sp_slice_starts_with(rest, SP_SLICE("...")))
        return append_trace(out, "/compare/?a=", id) &&
               append_trace(out, "&b=", sp_slice_sub(rest, 3, rest.len));
    if (rest.len > 0 || !append_trace(out, "/trace/?id=", id))
        return false;
    append_found(arena, query, out);
    return true;
}

/* ---- Jaeger's search ---- */

/* A query grows behind "{": each condition but the first has && before it. */
static void next_condition(struct sp_buf *q)
{
    sp_buf_append_cstr(q, q->len > 1 ? " && " : " ");
}

/* A TraceQL string with its quotes. */
static void append_quoted(struct sp_buf *q, struct sp_slice text)
{
    sp_buf_append_byte(q, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\')
            sp_buf_append_byte(q, '\\');
        if (text.ptr[i] == '\n')
            sp_buf_append_cstr(q, "\\n");
        else
            sp_buf_append_byte(q, text.ptr[i]);
    }
    sp_buf_append_byte(q, '"');
}

static void append_text(struct sp_buf *q, const char *field, struct sp_slice value)
{
    if (value.len == 0)
        return;
    next_condition(q);
    sp_buf_append_cstr(q, field);
    append_quoted(q, value);
}

static void append_duration(struct sp_buf *q, const char *comparison, struct sp_slice value)
{
    uint64_t ns;
    if (!sp_parse_duration_ns(value, &ns))
        return;
    next_condition(q);
    sp_buf_printf(q, "duration %s %lluns", comparison, (unsigned long long)ns);
}

/* Jaeger's tags are texts, whatever type the attribute has: a number is looked for as both. */
static void append_tag(struct sp_buf *q, struct sp_slice key, struct sp_slice value)
{
    uint64_t number;
    bool is_number = sp_parse_u64(value, &number);
    bool is_bool = sp_slice_equal_cstr(value, "true") || sp_slice_equal_cstr(value, "false");
    next_condition(q);
    if (sp_slice_equal_cstr(key, "error") && is_bool) {
        sp_buf_append_cstr(q, value.len == 4 ? "status = error" : "status != error");
        return;
    }
    if (is_number || is_bool) {
        sp_buf_append_cstr(q, "(.");
        append_quoted(q, key);
        sp_buf_append_cstr(q, " = ");
        sp_buf_append_slice(q, value);
        sp_buf_append_cstr(q, " || ");
    }
    sp_buf_append_byte(q, '.');
    append_quoted(q, key);
    sp_buf_append_cstr(q, " = ");
    append_quoted(q, value);
    if (is_number || is_bool)
        sp_buf_append_byte(q, ')');
}

/* {"http.status_code":"500"}. False: something else. */
static bool append_tags(struct sp_arena *arena, struct sp_buf *q, struct sp_slice tags)
{
    struct sp_json_reader reader;
    enum sp_json_event event;
    struct sp_slice key = {0};
    sp_json_reader_init(&reader, tags, arena, 1);
    if (sp_json_next(&reader) != SP_JSON_OBJECT_BEGIN)
        return false;
    while ((event = sp_json_next(&reader)) != SP_JSON_END) {
        if (event == SP_JSON_KEY)
            key = reader.text;
        else if (event == SP_JSON_STRING || event == SP_JSON_NUMBER)
            append_tag(q, key, reader.text);
        else if (event == SP_JSON_TRUE || event == SP_JSON_FALSE)
            append_tag(q, key, event == SP_JSON_TRUE ? SP_SLICE("true") : SP_SLICE("false"));
        else if (event != SP_JSON_OBJECT_END)
            return false;
    }
    return true;
}

/* "http.method:GET", which is how Jaeger's page writes one. */
static void append_pair(struct sp_buf *q, struct sp_slice pair)
{
    size_t colon = sp_slice_find(pair, ':');
    if (colon > 0 && colon < pair.len)
        append_tag(q, sp_slice_sub(pair, 0, colon), sp_slice_sub(pair, colon + 1, pair.len));
}

static bool traceql_of(struct sp_arena *arena, const struct sp_params *params, struct sp_buf *q)
{
    struct sp_slice value;
    sp_buf_append_byte(q, '{');
    if (sp_params_get(params, "service", &value))
        append_text(q, "resource.service.name = ", value);
    if (sp_params_get(params, "operation", &value) && !sp_slice_equal_cstr(value, "all"))
        append_text(q, "name = ", value);
    if (sp_params_get(params, "minDuration", &value))
        append_duration(q, ">=", value);
    if (sp_params_get(params, "maxDuration", &value))
        append_duration(q, "<=", value);
    if (sp_params_get(params, "tags", &value) && value.len > 0 && !append_tags(arena, q, value))
        return false;
    for (size_t i = 0; i < params->count; i++) {
        if (sp_slice_equal_cstr(params->items[i].name, "tag"))
            append_pair(q, params->items[i].value);
    }
    sp_buf_append_cstr(q, " }");
    return q->error == SP_OK;
}

/* start and end are microseconds, which our times are told apart by their length from seconds and nanoseconds; a lookback of "1h" means from
 * then until now. */
static void append_range(struct sp_buf *out, const struct sp_params *params)
{
    struct sp_slice value;
    uint64_t ns;
    bool back = sp_params_get(params, "lookback", &value) && sp_parse_duration_ns(value, &ns);
    if (back) {
        append_parameter(out, "&from=now-", value);
        return;
    }
    if (sp_params_get(params, "start", &value) && value.len > 0)
        append_parameter(out, "&from=", value);
    if (sp_params_get(params, "end", &value) && value.len > 0)
        append_parameter(out, "&to=", value);
}

static bool search_page(struct sp_arena *arena, struct sp_slice query, struct sp_buf *out)
{
    struct sp_params *params = sp_arena_calloc(arena, 1, sizeof(*params));
    struct sp_error error = {.offset = SP_ERROR_NO_OFFSET};
    struct sp_slice value;
    uint64_t limit;
    struct sp_buf q;
    if (!params || sp_params_decode(arena, query, params, &error) != SP_OK)
        return false;
    sp_buf_init(&q, TRACEQL_BYTES_MAX);
    bool understood = traceql_of(arena, params, &q);
    if (understood) {
        append_parameter(out, "/?q=", sp_buf_slice(&q));
        append_range(out, params);
        if (sp_params_get(params, "limit", &value) && sp_parse_u64(value, &limit))
            append_parameter(out, "&limit=", value);
    }
    sp_buf_fini(&q);
    return understood;
}

bool sp_foreign_link(struct sp_arena *arena, struct sp_slice path, struct sp_slice query,
                     struct sp_buf *out)
{
    static const char *const of_traces[] = {"/trace/", "/zipkin/traces/"};
    bool found = false;
    for (size_t i = 0; i < SP_ARRAY_LEN(of_traces) && !found; i++) {
        struct sp_slice prefix = sp_slice_cstr(of_traces[i]);
        if (sp_slice_starts_with(path, prefix))
            found = trace_page(arena, sp_slice_sub(path, prefix.len, path.len), query, out);
    }
    if (!found && sp_slice_equal_cstr(path, "/search"))
        found = search_page(arena, query, out);
    return found && out->error == SP_OK;
}
