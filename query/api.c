/* SPDX-License-Identifier: Apache-2.0
 *
 * query/api.c: the api's life, and the translation between exchanges of lib/net and calls. The only file of this room
 * that replies to an exchange. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/wire/wire.h"
#include "query/internal.h"
#include "query/live.h"

/* Bodies smaller than this are sent as they are: below it gzip saves less than it costs. */
#define GZIP_BYTES_MIN ((size_t)16 * 1024)

/* A call that waits for, or runs on, a query thread. */
struct pooled_call {
    struct sp_query_job job; /* first: the pool hands this pointer back */
    struct sp_query_call call;
    struct sp_query_stream stream;
    struct sp_exchange *exchange;
};

const struct sp_query_limits *sp_query_limits_default(void)
{
    static const struct sp_query_limits limits = {
        .threads = SP_QUERY_THREADS,
        .waiting_max = SP_QUERY_WAITING,
        .time_ns_max = SP_QUERY_TIME_NS,
        .memory_bytes_max = SP_QUERY_MEMORY_BYTES,
        .response_bytes_max = SP_QUERY_RESPONSE_BYTES,
        .count_traces_max = SP_QUERY_COUNT_TRACES,
        .count_spans_max = SP_QUERY_COUNT_SPANS,
        .explain_traces_max = SP_EXPLAIN_TRACES_MAX,
    };
    return &limits;
}

enum sp_status sp_query_api_new(const struct sp_query_options *options, struct sp_query_api **ret,
                                struct sp_error *reterr)
{
    struct sp_query_api *api = calloc(1, sizeof(*api));
    if (!api)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for the query api");
    api->store = options->store;
    api->limits = options->limits ? *options->limits : *sp_query_limits_default();
    api->clock = options->clock;
    api->log = options->log;
    api->version = options->version;
    api->ui_files = options->ui_files;
    api->ui_file_count = options->ui_file_count;
    enum sp_status status = sp_ui_policy_make(api->ui_policy, options->frame_ancestors,
                                              options->frame_ancestor_count, reterr);
    if (status == SP_OK)
        status = sp_ui_opener_policy(options->perfetto_url, &api->ui_opener_policy, reterr);
    if (status != SP_OK) {
        free(api);
        return status;
    }
    api->limits_shown = options->limits_shown;
    api->limit_shown_count = options->limit_shown_count;
    api->settings = options->settings;
    api->setting_count = options->setting_count;
    api->libraries = options->libraries;
    api->library_count = options->library_count;
    api->data_dir = options->data_dir;
    api->retention = options->retention;
    api->may_cancel = options->may_cancel;
    sp_running_init(&api->running);
    sp_history_init(&api->history);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    sp_turns_init(&api->turns, api->store, api->clock, processors > 0 ? (uint32_t)processors : 1);
    api->started_unix_ns = sp_clock_unix_ns(api->clock);
    api->started_ns = sp_clock_monotonic_ns(api->clock);
    api->live = sp_live_thread_new(api);
    api->pool = api->live ? sp_query_pool_new(api->limits.threads, api->limits.waiting_max) : NULL;
    if (!api->pool) {
        sp_live_thread_free(api->live);
        sp_turns_fini(&api->turns);
        sp_history_fini(&api->history);
        sp_running_fini(&api->running);
        free(api);
        return sp_error_set(reterr, SP_INTERNAL, "the query threads could not be started");
    }
    *ret = api;
    return SP_OK;
}

void sp_query_api_free(struct sp_query_api *api)
{
    if (!api)
        return;
    api->stopping = true;
    sp_query_pool_free(api->pool);
    sp_live_thread_free(api->live);
    sp_turns_fini(&api->turns);
    sp_history_fini(&api->history);
    sp_running_fini(&api->running);
    free(api);
}

void sp_query_api_set_ready(struct sp_query_api *api, const struct sp_query_addresses *addresses)
{
    SP_ASSERT(!api->ready);
    const char *texts[] = {addresses->otlp_grpc, addresses->otlp_http, addresses->http};
    for (size_t i = 0; i < SP_ARRAY_LEN(texts); i++)
        snprintf(api->listen[i], sizeof(api->listen[i]), "%s", texts[i] ? texts[i] : "");
    api->ready = true;
}

void sp_query_api_set_draining(struct sp_query_api *api)
{
    api->ready = false;
}

void sp_query_api_add_metrics(struct sp_query_api *api, const struct sp_metric *metrics,
                              size_t count)
{
    SP_ASSERT(api->metric_set_count < SP_QUERY_METRIC_SETS_MAX);
    api->metric_sets[api->metric_set_count].metrics = metrics;
    api->metric_sets[api->metric_set_count++].count = count;
}

void sp_query_api_remember(struct sp_query_api *api, const struct sp_metric *metrics, size_t count)
{
    sp_history_add_series(&api->history, metrics, count);
}

void sp_query_api_sample(struct sp_query_api *api)
{
    sp_history_sample(&api->history, sp_clock_unix_ns(api->clock));
}

/* ---- exchanges ---- */

static bool exchange_cancelled(void *cookie)
{
    return sp_exchange_cancelled(cookie);
}

/* Bodies whose length is not said are longer than any that is taken. */
static uint64_t said_body_bytes(const struct sp_exchange *exchange)
{
    struct sp_slice text;
    uint64_t bytes;
    if (sp_exchange_header(exchange, "content-length", &text))
        return sp_parse_u64(text, &bytes) ? bytes : UINT64_MAX;
    return sp_exchange_header(exchange, "transfer-encoding", &text) ? UINT64_MAX : 0;
}

static void call_init(struct sp_query_call *call, struct sp_query_api *api,
                      struct sp_exchange *exchange)
{
    call->api = api;
    call->id = ++api->next_id;
    call->begin_ns = sp_clock_monotonic_ns(api->clock);
    struct sp_query_request *request = &call->request;
    request->method = sp_exchange_method(exchange);
    request->path = sp_exchange_path(exchange);
    request->query = sp_exchange_query(exchange);
    request->client = sp_exchange_peer(exchange);
    request->cancelled = exchange_cancelled;
    request->cookie = exchange;
    sp_exchange_header(exchange, "accept", &request->accept);
    sp_exchange_header(exchange, "accept-encoding", &request->accept_encoding);
    sp_exchange_header(exchange, "if-none-match", &request->if_none_match);
    sp_exchange_header(exchange, "content-type", &request->content_type);
    request->body = sp_exchange_body(exchange);
    request->body_bytes = request->body.len > 0 ? request->body.len : said_body_bytes(exchange);
    call->endpoint = sp_query_route(request->method, request->path, &call->path_id);
}

/* Large answers shrink about fourfold. How long they were is said in a header, since clients are told the packed length only, and count
 * what they unpack. An encoding that fails for want of memory leaves the body as it is. */
static void compress_body(struct sp_query_call *call)
{
    static const char *const offers[] = {"gzip"};
    struct sp_query_reply *reply = &call->reply;
    if (reply->body.len < GZIP_BYTES_MIN)
        return;
    sp_query_reply_header(reply, "vary", "accept, accept-encoding");
    if (call->request.accept_encoding.len == 0 ||
        sp_accept_encoding_choose(call->request.accept_encoding, offers, 1) != 0)
        return;
    struct sp_buf packed;
    sp_buf_init(&packed, reply->body.len);
    snprintf(reply->body_bytes, sizeof reply->body_bytes, "%zu", reply->body.len);
    if (sp_compress(SP_ENCODING_GZIP, sp_buf_slice(&reply->body), 1, &packed) == SP_OK) {
        sp_buf_fini(&reply->body);
        sp_buf_move(&reply->body, &packed);
        sp_query_reply_header(reply, "content-encoding", "gzip");
        sp_query_reply_header(reply, "spoor-body-bytes", reply->body_bytes);
    }
    sp_buf_fini(&packed);
}

static size_t list_headers(const struct sp_query_reply *reply,
                           struct sp_header headers[SP_QUERY_HEADERS_MAX + 1])
{
    size_t count = 0;
    for (; count < reply->header_count; count++)
        headers[count] = (struct sp_header){sp_slice_cstr(reply->headers[count].name),
                                            sp_slice_cstr(reply->headers[count].value)};
    if (reply->content_type)
        headers[count++] =
            (struct sp_header){SP_SLICE("content-type"), sp_slice_cstr(reply->content_type)};
    return count;
}

static void call_reply(struct sp_query_call *call, struct sp_exchange *exchange)
{
    struct sp_query_reply *reply = &call->reply;
    struct sp_header headers[SP_QUERY_HEADERS_MAX + 1];
    size_t count = list_headers(reply, headers);
    if (reply->body.len > 0)
        sp_exchange_reply(exchange, reply->status, headers, count, &reply->body);
    else
        sp_exchange_reply_static(exchange, reply->status, headers, count, reply->fixed);
}

/* ---- replies in parts ---- */

static enum sp_status begin_stream(void *cookie, const struct sp_query_reply *reply,
                                   struct sp_error *reterr)
{
    struct sp_header headers[SP_QUERY_HEADERS_MAX + 1];
    size_t count = list_headers(reply, headers);
    return sp_exchange_stream_begin(cookie, reply->status, headers, count, reterr);
}

static bool write_stream(void *cookie, struct sp_slice bytes)
{
    return sp_exchange_stream_write(cookie, bytes);
}

/* What does not fit into the memory for replies becomes a line that says so, which always does. */
static void end_stream(struct sp_query_call *call, struct sp_exchange *exchange)
{
    struct sp_error error = {.offset = SP_ERROR_NO_OFFSET};
    if (sp_exchange_stream_end(exchange, &call->reply.body, &error) == SP_OK)
        return;
    sp_query_problem(call, &error);
    enum sp_status status = sp_exchange_stream_end(exchange, &call->reply.body, &error);
    SP_ASSERT(status == SP_OK);
}

/* A search that went on has come to its end. */
static void end_live(struct sp_live *live)
{
    struct pooled_call *pooled = live->cookie;
    end_stream(&pooled->call, pooled->exchange);
    sp_live_fini(live);
    sp_arena_fini(&pooled->call.arena);
    sp_query_call_fini(&pooled->call);
    free(pooled);
}

static void run_pooled(struct sp_query_job *job)
{
    struct pooled_call *pooled = (struct pooled_call *)(void *)job;
    struct sp_turn turn;
    sp_running_start(&pooled->call);
    sp_turn_begin(&turn, &pooled->call.api->turns, &pooled->call.running.waited_ns);
    pooled->call.turn = &turn;
    sp_query_call_run(&pooled->call);
    pooled->call.turn = NULL;
    sp_turn_end(&turn);
    struct sp_live *live = pooled->call.live;
    if (live) {
        live->end = end_live;
        live->cookie = pooled;
        sp_live_add(pooled->call.api->live, live);
        return;
    }
    if (pooled->call.streaming) {
        end_stream(&pooled->call, pooled->exchange);
    } else {
        compress_body(&pooled->call);
        call_reply(&pooled->call, pooled->exchange);
    }
    sp_query_call_fini(&pooled->call);
    free(pooled);
}

/* ---- what waits for a thread ---- */

static const struct pooled_call *pooled_of(const struct sp_query_job *job)
{
    return (const struct pooled_call *)(const void *)job;
}

static bool has_id(const struct sp_query_job *job, const void *cookie)
{
    return pooled_of(job)->call.id == *(const uint64_t *)cookie;
}

static bool client_has_gone(const struct sp_query_job *job, const void *cookie)
{
    (void)cookie;
    return sp_exchange_cancelled(pooled_of(job)->exchange);
}

/* Answers a call that no thread will see. Why it ends is what one that runs would be told. */
static void end_unseen(struct sp_query_job *job)
{
    struct pooled_call *pooled = (struct pooled_call *)(void *)job;
    struct sp_query_call *call = &pooled->call;
    struct sp_error error = {.offset = SP_ERROR_NO_OFFSET};
    enum sp_status status = sp_query_check(call, &error);
    SP_ASSERT(status == SP_CANCELLED);
    sp_query_call_refuse(call, &error);
    sp_running_remove(&call->api->running, call);
    call_reply(call, pooled->exchange);
    sp_query_call_fini(call);
    free(pooled);
}

bool sp_query_end_waiting(struct sp_query_api *api, uint64_t id)
{
    struct sp_query_job *job = sp_query_pool_withdraw(api->pool, has_id, &id);
    if (!job)
        return false;
    ((struct pooled_call *)(void *)job)->call.running.given_up = true;
    end_unseen(job);
    return true;
}

void sp_query_end_gone(struct sp_query_api *api)
{
    struct sp_query_job *job;
    while ((job = sp_query_pool_withdraw(api->pool, client_has_gone, NULL)))
        end_unseen(job);
}

/* Those whose clients have gone make room. */
static bool submit(struct sp_query_api *api, struct pooled_call *pooled)
{
    if (sp_query_pool_submit(api->pool, &pooled->job))
        return true;
    sp_query_end_gone(api);
    return sp_query_pool_submit(api->pool, &pooled->job);
}

/* A request that no thread can take: refused before it costs anything. */
static void refuse(struct sp_query_api *api, struct sp_exchange *exchange, enum sp_status status)
{
    struct sp_error error;
    (void)sp_error_set(&error, status, "%u queries run and %u wait already: try again in a moment",
                       api->limits.threads, api->limits.waiting_max);
    struct sp_query_call call = {0};
    call_init(&call, api, exchange);
    sp_query_call_refuse(&call, &error);
    call_reply(&call, exchange);
    sp_query_call_fini(&call);
}

static void answer_here(struct sp_query_api *api, struct sp_exchange *exchange)
{
    struct sp_query_call call = {0};
    call_init(&call, api, exchange);
    sp_query_call_run(&call);
    call_reply(&call, exchange);
    sp_query_call_fini(&call);
}

static void on_request(void *cookie, struct sp_exchange *exchange)
{
    struct sp_query_api *api = cookie;
    struct sp_slice id;
    const struct sp_query_endpoint *endpoint =
        sp_query_route(sp_exchange_method(exchange), sp_exchange_path(exchange), &id);
    if (endpoint && endpoint->room != SP_QUERY_HERE) {
        struct pooled_call *pooled = calloc(1, sizeof(*pooled));
        if (!pooled) {
            refuse(api, exchange, SP_NO_MEMORY);
            return;
        }
        pooled->job.run = run_pooled;
        pooled->job.is_short = sp_query_is_short(endpoint, sp_exchange_query(exchange));
        pooled->exchange = exchange;
        call_init(&pooled->call, api, exchange);
        pooled->stream = (struct sp_query_stream){begin_stream, write_stream, exchange};
        pooled->call.request.stream = &pooled->stream;
        sp_running_add(&api->running, &pooled->call);
        if (!submit(api, pooled)) {
            sp_running_remove(&api->running, &pooled->call);
            free(pooled);
            refuse(api, exchange, SP_OVERLOADED);
        }
        return;
    }
    answer_here(api, exchange);
}

/* What is refused is before its body is read. */
static void on_head(void *cookie, struct sp_exchange *exchange)
{
    struct sp_slice id;
    struct sp_slice type = {0};
    struct sp_slice method = sp_exchange_method(exchange);
    const struct sp_query_endpoint *endpoint =
        sp_query_route(method, sp_exchange_path(exchange), &id);
    sp_exchange_header(exchange, "content-type", &type);
    if (sp_query_check_head(endpoint, method, type, said_body_bytes(exchange), NULL) != SP_OK)
        answer_here(cookie, exchange);
}

struct sp_handler sp_query_api_handler(struct sp_query_api *api)
{
    return (struct sp_handler){.cookie = api, .on_head = on_head, .on_request = on_request};
}
