/* SPDX-License-Identifier: Apache-2.0
 *
 * query/call.c: one call from request to reply: route, check parameters, answer, turn failures into problem documents,
 * count. It knows no sockets and none of the answers. */
#include <stdio.h>

#include "query/internal.h"

const double sp_query_duration_bounds[SP_QUERY_DURATION_BUCKETS] = {0.001, 0.005, 0.025, 0.1, 0.5,
                                                                    1,     2.5,   10,    30};

void sp_query_reply_header(struct sp_query_reply *reply, const char *name, const char *value)
{
    SP_ASSERT(reply->header_count < SP_QUERY_HEADERS_MAX);
    reply->headers[reply->header_count].name = name;
    reply->headers[reply->header_count++].value = value;
}

void sp_query_reply_json(struct sp_query_call *call, struct sp_json_writer *w)
{
    call->reply.status = 200;
    call->reply.content_type = "application/json";
    sp_json_writer_init(w, &call->reply.body);
}

enum sp_status sp_query_reply_end(struct sp_query_call *call, struct sp_error *reterr)
{
    if (call->reply.body.error == SP_OK)
        return SP_OK;
    if (call->reply.body.error == SP_LIMIT)
        return sp_error_set(reterr, SP_LIMIT, "the answer is larger than %zu bytes",
                            call->api->limits.response_bytes_max);
    return sp_error_set(reterr, call->reply.body.error, "no memory for the answer");
}

/* Where a query waited for much of the time, others are what to look at. */
static enum sp_status too_late(const struct sp_query_call *call, struct sp_error *reterr)
{
    double limit = (double)call->api->limits.time_ns_max / 1e9;
    double waited = (double)call->running.waited_ns / 1e9;
    if (waited < limit / 10)
        return sp_error_set(reterr, SP_DEADLINE, "the query took longer than %.3g s", limit);
    return sp_error_set(reterr, SP_DEADLINE,
                        "the query took longer than %.3g s, %.3g s of which it waited because "
                        "others ran or spans came in",
                        limit, waited);
}

enum sp_status sp_query_check(const struct sp_query_call *call, struct sp_error *reterr)
{
    if (call->running.given_up)
        return sp_error_set(reterr, SP_CANCELLED, "the query was ended by DELETE /v1/queries");
    if (call->api->stopping ||
        (call->request.cancelled && call->request.cancelled(call->request.cookie)))
        return sp_error_set(reterr, SP_CANCELLED,
                            "the query was given up: the client went, or the server stops");
    uint64_t now_ns = sp_clock_monotonic_ns(call->api->clock);
    if (call->turn)
        sp_turn_step(call->turn, now_ns);
    return now_ns < call->deadline_ns ? SP_OK : too_late(call, reterr);
}

enum sp_status sp_query_path_trace(const struct sp_query_call *call, struct sp_trace_id *ret,
                                   struct sp_error *reterr)
{
    return sp_trace_id_parse(call->path_id, ret)
               ? SP_OK
               : sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "id",
                                        "a trace id is 32 hex digits (or 16, of older systems), "
                                        "not all zero");
}

enum sp_status sp_query_range(const struct sp_query_call *call, struct sp_time_range *ret,
                              struct sp_error *reterr)
{
    struct sp_time_range range = {call->values[0].number, call->values[1].number};
    if (range.from_unix_ns > range.to_unix_ns)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "to",
                                      "\"to\" must not lie before \"from\"");
    *ret = range;
    return SP_OK;
}

void sp_query_json_bound(struct sp_json_writer *w, uint64_t unix_ns)
{
    if (unix_ns == 0 || unix_ns == UINT64_MAX)
        sp_json_null(w);
    else
        sp_json_u64_string(w, unix_ns);
}

void sp_query_json_moment(struct sp_json_writer *w, bool known, uint64_t unix_ns)
{
    if (known)
        sp_json_u64_string(w, unix_ns);
    else
        sp_json_null(w);
}

uint32_t sp_query_slot(const struct sp_service_row *rows, size_t count, struct sp_slice name)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = sp_slice_compare(rows[middle].name, name);
        if (order == 0)
            return rows[middle].slot % SP_QUERY_SLOTS;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

/* ---- problem documents ---- */

/* The methods of all rows of the path. */
static void say_allowed(struct sp_query_call *call)
{
    struct sp_query_reply *reply = &call->reply;
    size_t len = 0;
    for (size_t i = 0; i < sp_query_endpoint_count && call->endpoint != NULL; i++) {
        const struct sp_query_endpoint *row = &sp_query_endpoints[i];
        if (strcmp(row->path, call->endpoint->path) == 0)
            len += (size_t)snprintf(reply->location + len, sizeof(reply->location) - len, "%s%s",
                                    len > 0 ? ", " : "",
                                    row->method != NULL ? row->method : "GET, HEAD");
    }
    sp_query_reply_header(reply, "allow", len > 0 ? reply->location : "GET, HEAD");
}

/* The document becomes {"problem":document}. It has a dozen members: there is room. */
static void make_line(struct sp_buf *document)
{
    struct sp_buf line;
    sp_buf_init(&line, document->max);
    sp_buf_append_cstr(&line, "{\"problem\":");
    sp_buf_append_slice(&line, sp_buf_slice(document));
    sp_buf_append_cstr(&line, "}\n");
    sp_buf_fini(document);
    sp_buf_init(document, line.max);
    sp_buf_move(document, &line);
}

void sp_query_problem(struct sp_query_call *call, const struct sp_error *error)
{
    struct sp_query_reply *reply = &call->reply;
    int http = sp_status_http(error->status);
    sp_buf_fini(&reply->body);
    sp_buf_init(&reply->body, 16 * 1024);
    reply->fixed = (struct sp_slice){0};
    reply->header_count = 0;
    reply->status = http;
    reply->content_type = SP_PROBLEM_MEDIA_TYPE;
    struct sp_json_writer w;
    sp_json_writer_init(&w, &reply->body);
    sp_json_object_begin(&w);
    sp_json_key(&w, "type");
    sp_json_cstr(&w, "about:blank");
    sp_json_key(&w, "title");
    sp_json_cstr(&w, call->error_title ? call->error_title : sp_status_text(error->status));
    sp_json_key(&w, "status");
    sp_json_i64(&w, http);
    sp_json_key(&w, "detail");
    sp_json_cstr(&w, error->message);
    if (error->parameter[0]) {
        sp_json_key(&w, "parameter");
        sp_json_cstr(&w, error->parameter);
    }
    if (error->offset != SP_ERROR_NO_OFFSET) {
        sp_json_key(&w, "offset");
        sp_json_u64(&w, error->offset);
    }
    if (call->error_expected[0]) {
        sp_json_key(&w, "expected");
        sp_json_cstr(&w, call->error_expected);
    }
    char id[32];
    snprintf(id, sizeof(id), "%llx-%llx",
             (unsigned long long)(call->api->started_unix_ns / 1000000),
             (unsigned long long)call->id);
    sp_json_key(&w, "requestId");
    sp_json_cstr(&w, id);
    sp_json_object_end(&w);
    if (call->streaming)
        make_line(&reply->body);
    if (error->status == SP_METHOD)
        say_allowed(call);
    if (sp_status_retryable(error->status))
        sp_query_reply_header(reply, "retry-after", "1");
    if (http >= 500 && error->status != SP_DEADLINE && error->status != SP_OVERLOADED)
        sp_log_event(call->api->log, SP_LOG_WARN, "query_failed", error->message,
                     sp_log_slice("path", call->request.path), sp_log_cstr("request_id", id),
                     sp_log_cstr("status", sp_status_name(error->status)));
}

/* ---- from request to reply ---- */

/* The types that a page of another origin may send without asking are none of these. */
static bool is_json(struct sp_slice content_type)
{
    struct sp_slice type =
        sp_slice_trim(sp_slice_sub(content_type, 0, sp_slice_find(content_type, ';')));
    return sp_slice_equal_nocase(type, SP_SLICE("application/json"));
}

enum sp_status sp_query_check_head(const struct sp_query_endpoint *endpoint, struct sp_slice method,
                                   struct sp_slice content_type, uint64_t body_bytes,
                                   struct sp_error *reterr)
{
    if (!sp_query_takes_method(endpoint, method))
        return sp_error_set(reterr, SP_METHOD, "only what the header Allow names is answered here");
    if (!sp_slice_equal_cstr(method, "POST"))
        return SP_OK;
    if (!is_json(content_type))
        return sp_error_set(reterr, SP_UNSUPPORTED, "the content type must be application/json");
    if (body_bytes > SP_QUERY_BODY_BYTES_MAX)
        return sp_error_set(reterr, SP_LIMIT, "the body is larger than %zu bytes",
                            SP_QUERY_BODY_BYTES_MAX);
    return SP_OK;
}

static enum sp_status answer(struct sp_query_call *call, struct sp_error *reterr)
{
    const struct sp_query_request *request = &call->request;
    enum sp_status status = sp_query_check_head(call->endpoint, request->method,
                                                request->content_type, request->body_bytes, reterr);
    if (status != SP_OK)
        return status;
    if (!call->endpoint)
        return sp_query_answer_file(call, reterr);
    status = sp_parameters_parse(call->endpoint->parameters, call->endpoint->parameter_count,
                                 call->request.query, call->now_unix_ns, &call->arena, call->values,
                                 reterr);
    if (status == SP_OK && call->endpoint->room != SP_QUERY_HERE)
        status = sp_query_check(call, reterr); /* it may have waited too long already */
    if (status == SP_OK)
        status = call->endpoint->answer(call, reterr);
    if (status == SP_OK)
        status = sp_query_reply_end(call, reterr);
    return status;
}

static void count(struct sp_query_call *call)
{
    size_t index =
        call->endpoint ? (size_t)(call->endpoint - sp_query_endpoints) : SP_QUERY_ENDPOINTS_MAX;
    struct sp_query_counters *counters = &call->api->counters[index];
    uint64_t took = sp_clock_monotonic_ns(call->api->clock) - call->begin_ns;
    size_t bucket = 0;
    while (bucket < SP_QUERY_DURATION_BUCKETS &&
           (double)took / 1e9 > sp_query_duration_bounds[bucket])
        bucket++;
    counters->by_class[call->reply.status / 100 % 6]++;
    counters->buckets[bucket]++;
    counters->duration_ns += took;
}

/* What every reply says, whatever it is. Files bring their own policy for content and caches. */
static void common_headers(struct sp_query_call *call)
{
    struct sp_query_reply *reply = &call->reply;
    sp_query_reply_header(reply, "x-content-type-options", "nosniff");
    sp_query_reply_header(reply, "referrer-policy", "no-referrer");
    sp_query_reply_header(reply, "cross-origin-resource-policy", "same-origin");
    if (call->endpoint || reply->status >= 400) {
        sp_query_reply_header(reply, "content-security-policy",
                              "default-src 'none'; frame-ancestors 'none'");
        sp_query_reply_header(reply, "cache-control", "no-store");
    }
}

enum sp_status sp_query_stream_begin(struct sp_query_call *call, const char *content_type,
                                     struct sp_error *reterr)
{
    const struct sp_query_stream *stream = call->request.stream;
    struct sp_query_reply *reply = &call->reply;
    reply->status = 200;
    reply->content_type = content_type;
    size_t own_headers = reply->header_count;
    common_headers(call);
    enum sp_status status = stream->begin(stream->cookie, reply, reterr);
    reply->header_count = own_headers;
    call->streaming = status == SP_OK;
    return status;
}

bool sp_query_stream_write(struct sp_query_call *call, struct sp_slice lines)
{
    const struct sp_query_stream *stream = call->request.stream;
    if (call->turn)
        sp_turn_end(call->turn); /* a client that reads slowly holds up nobody else */
    return stream->write(stream->cookie, lines);
}

static enum sp_status ask_to_stop(void *cookie, struct sp_error *reterr)
{
    return sp_query_check(cookie, reterr);
}

void sp_query_call_begin(struct sp_query_call *call)
{
    sp_arena_init(&call->arena, call->api->limits.memory_bytes_max);
    sp_buf_init(&call->reply.body, call->api->limits.response_bytes_max);
    call->now_unix_ns = sp_clock_unix_ns(call->api->clock);
    call->deadline_ns = call->begin_ns + call->api->limits.time_ns_max;
    call->stop = (struct sp_stop){.ask = ask_to_stop, .cookie = call};
}

void sp_query_call_run(struct sp_query_call *call)
{
    struct sp_error error = {.offset = SP_ERROR_NO_OFFSET};
    sp_query_call_begin(call);
    bool is_listed = call->endpoint && call->endpoint->room != SP_QUERY_HERE;
    if (is_listed && !call->running.is_listed) { /* it did not wait */
        sp_running_add(&call->api->running, call);
        sp_running_start(call);
    }
    enum sp_status status = answer(call, &error);
    if (status != SP_OK) {
        SP_ASSERT(error.status == status);
        sp_query_problem(call, &error);
    }
    if (is_listed)
        sp_running_remove(&call->api->running, call);
    common_headers(call);
    count(call);
    if (!call->live)
        sp_arena_fini(&call->arena);
}

void sp_query_call_refuse(struct sp_query_call *call, const struct sp_error *error)
{
    sp_query_problem(call, error);
    common_headers(call);
    count(call);
}

void sp_query_call_fini(struct sp_query_call *call)
{
    sp_buf_fini(&call->reply.body);
}
