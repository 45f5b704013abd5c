/* SPDX-License-Identifier: Apache-2.0
 *
 * query/answer.c: see answer.h. */
#include "query/answer.h"
#include "query/question.h"

#include <stdio.h>

/* At its open end; that of time stays where it is. */
static void widen(struct sp_time_range *range, uint64_t by_ns, bool to_is_open)
{
    uint64_t room = to_is_open ? UINT64_MAX - 1 - range->to_unix_ns : range->from_unix_ns;
    if (range->to_unix_ns == UINT64_MAX)
        return;
    if (to_is_open)
        range->to_unix_ns += by_ns < room ? by_ns : room;
    else
        range->from_unix_ns -= by_ns < room ? by_ns : room;
}

enum sp_status sp_answer_bounds(const struct sp_query_call *call, struct sp_time_range *range,
                                struct sp_error *reterr)
{
    struct sp_store_stats stats;
    if (range->from_unix_ns != 0 && range->to_unix_ns != UINT64_MAX)
        return SP_OK;
    enum sp_status status = sp_store_stats(call->api->store, &stats, reterr);
    if (status != SP_OK)
        return status;
    bool empty = stats.span_count == 0;
    uint64_t end = stats.newest_unix_ns == UINT64_MAX ? UINT64_MAX : stats.newest_unix_ns + 1;
    bool from_is_open = range->from_unix_ns == 0;
    bool to_is_open = range->to_unix_ns == UINT64_MAX;
    if (to_is_open) {
        range->to_unix_ns = empty ? call->now_unix_ns : end;
        if (range->from_unix_ns > range->to_unix_ns) /* nothing started since: until now */
            range->to_unix_ns =
                range->from_unix_ns > call->now_unix_ns ? range->from_unix_ns : call->now_unix_ns;
    }
    if (from_is_open)
        range->from_unix_ns = empty ? call->now_unix_ns : stats.oldest_unix_ns;
    if (range->from_unix_ns > range->to_unix_ns)
        range->from_unix_ns = range->to_unix_ns;
    uint64_t length = range->to_unix_ns - range->from_unix_ns;
    if (length > 0 && length < SP_ANSWER_BOUNDS_NS_MIN)
        widen(range, SP_ANSWER_BOUNDS_NS_MIN - length, to_is_open);
    return SP_OK;
}

void sp_answer_write_text(struct sp_buf *text, struct sp_json_writer *w)
{
    if (text->error != SP_OK && w->out->error == SP_OK)
        w->out->error = text->error;
    sp_json_string(w, sp_buf_slice(text));
    sp_buf_fini(text);
}

void sp_answer_label(const struct sp_label *label, struct sp_json_writer *w)
{
    sp_json_key(w, "value");
    if (label->type == SP_LABEL_NIL)
        sp_json_null(w);
    else
        sp_json_string(w, label->text);
    sp_json_key(w, "type");
    sp_json_cstr(w, sp_label_type_name(label->type));
}

uint64_t sp_answer_seed(const struct sp_query_call *call)
{
    return (call->id + 1) * 0x9e3779b97f4a7c15ULL ^ call->begin_ns ^ (uintptr_t)call;
}

void sp_answer_json_scanned(struct sp_json_writer *w, const struct sp_scanned *scanned,
                            uint64_t traces)
{
    sp_json_key(w, "scanned");
    sp_json_object_begin(w);
    sp_json_key(w, "segments");
    sp_json_u64(w, scanned->segments);
    sp_json_key(w, "rows");
    sp_json_u64_string(w, scanned->rows);
    sp_json_key(w, "bytes");
    sp_json_u64_string(w, scanned->bytes);
    sp_json_key(w, "traces");
    sp_json_u64_string(w, traces);
    sp_json_object_end(w);
}

void sp_answer_scanned(struct sp_query_call *call, const struct sp_scanned *scanned,
                       struct sp_json_writer *w)
{
    call->running.bytes_scanned = scanned->bytes;
    sp_answer_json_scanned(w, scanned, scanned->traces);
    sp_json_key(w, "tookMs");
    sp_json_u64(w, (sp_clock_monotonic_ns(call->api->clock) - call->begin_ns) / 1000000);
}

enum sp_status sp_answer_pass(struct sp_query_call *call, const char *parameter,
                              struct sp_slice text, struct sp_pass *ret, struct sp_error *reterr)
{
    struct sp_time_range range;
    const struct sp_traceql_query *query;
    enum sp_status status = sp_query_range(call, &range, reterr);
    if (status == SP_OK)
        status = sp_answer_bounds(call, &range, reterr);
    if (status != SP_OK)
        return status;
    status = sp_traceql_parse(&call->arena, text, &query, reterr);
    if (status == SP_OK && query->root->type != SP_TRACEQL_TYPE_SPANSET)
        status = sp_error_set_at(reterr, SP_INVALID_ARGUMENT, query->root->offset,
                                 "expected a query that finds spans, found one that makes series");
    if (status == SP_OK)
        status = sp_question_check_hints(query, reterr);
    if (status != SP_OK)
        return sp_question_error(call, parameter, "Not evaluated yet", status, reterr);
    *ret = (struct sp_pass){.call = call,
                            .query = query,
                            .pipeline = query->root,
                            .stage_count = query->root->item_count,
                            .range = range};
    return SP_OK;
}

/* A parser's error about a list that stands behind before_len bytes, and in front of one: told of the list alone. */
static enum sp_status list_error(struct sp_query_call *call, const char *parameter,
                                 struct sp_slice text, size_t before_len, struct sp_error *reterr)
{
    char found[SP_ERROR_MESSAGE_MAX];
    uint64_t offset = reterr->offset;
    snprintf(found, sizeof(found), "%s", reterr->message);
    if (offset == SP_ERROR_NO_OFFSET || offset < before_len)
        offset = before_len;
    offset -= before_len;
    if (offset >= text.len) { /* what was found is our bracket */
        char *at = strstr(found, ", found )");
        offset = text.len;
        if (at)
            snprintf(at, sizeof(found) - (size_t)(at - found), ", found the end");
    }
    (void)sp_error_set_at(reterr, SP_INVALID_ARGUMENT, offset,
                          "\"%s\" must be fields with commas between them, as "
                          "name,span.http.route: %s",
                          parameter, found);
    return sp_question_error(call, parameter, "Not evaluated yet", SP_INVALID_ARGUMENT, reterr);
}

enum sp_status sp_answer_fields(struct sp_query_call *call, const char *parameter,
                                struct sp_slice text, uint32_t max,
                                const struct sp_traceql_node *const **ret_fields,
                                uint32_t *ret_count, struct sp_error *reterr)
{
    /* What select() reads. */
    static const char before[] = "{} | select(";
    const struct sp_traceql_query *query;
    struct sp_buf whole;
    struct sp_slice copy;
    sp_buf_init(&whole, SP_TRACEQL_QUERY_BYTES_MAX);
    sp_buf_printf(&whole, "%s%.*s)", before, SP_SLICE_PRINTF(text));
    enum sp_status status = whole.error;
    if (status == SP_OK && !sp_arena_copy(&call->arena, sp_buf_slice(&whole), &copy))
        status = call->arena.error;
    sp_buf_fini(&whole);
    if (status != SP_OK)
        return sp_error_set_parameter(reterr, status, parameter, "\"%s\" does not fit into memory",
                                      parameter);
    status = sp_traceql_parse(&call->arena, copy, &query, reterr);
    if (status == SP_NO_MEMORY)
        return status;
    if (status != SP_OK)
        return list_error(call, parameter, text, strlen(before), reterr);
    if (query->root->item_count != 2 || query->hint_count > 0) {
        (void)sp_error_set_at(reterr, SP_INVALID_ARGUMENT,
                              strlen(before) + sp_slice_find(text, ')'),
                              "expected , or the end, found )");
        return list_error(call, parameter, text, strlen(before), reterr);
    }
    const struct sp_traceql_node *list = query->root->items[1];
    if (list->item_count > max)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, parameter,
                                      "\"%s\" takes at most %u fields", parameter, max);
    *ret_fields = list->items;
    *ret_count = list->item_count;
    return SP_OK;
}

enum sp_status sp_answer_key_names(const struct sp_traceql_node *const *keys, uint32_t count,
                                   struct sp_arena *arena, const struct sp_slice **ret)
{
    struct sp_slice *names = sp_arena_calloc(arena, (size_t)count + 1, sizeof(*names));
    enum sp_status status = names ? SP_OK : arena->error;
    for (uint32_t i = 0; i < count && status == SP_OK; i++) {
        struct sp_buf text;
        sp_buf_init(&text, SP_TRACEQL_QUERY_BYTES_MAX);
        sp_traceql_print_node(keys[i], &text);
        status = text.error;
        if (status == SP_OK && !sp_arena_copy(arena, sp_buf_slice(&text), &names[i]))
            status = arena->error;
        sp_buf_fini(&text);
    }
    *ret = names;
    return status;
}
