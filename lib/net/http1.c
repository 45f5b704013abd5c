/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/http1.c: the HTTP/1.1 server, and the only file that knows libmicrohttpd.
 *
 * The library's threads read heads and bodies and write replies. A handler that does not reply at once leaves the connection
 * suspended, and the reply resumes it; so does a stream that has nothing to send for now. One thread of our own closes what takes too
 * long: http1_time.c. Who owns what: http1_parts.h. */
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/net/http1_parts.h"
#include "lib/net/http1_rules.h"

#define UPLOAD_BYTES       ((size_t)128 << 10) /* read at once, of each connection, above the head */
#define STREAM_BLOCK_BYTES ((size_t)32 << 10)  /* asked for at once */
#define TIMEOUT_SLACK      30 /* seconds the library's own idle timer comes after ours */

static void set_deadline(struct connection *connection, uint32_t timeout_ms)
{
    struct http1_server *server = connection->server;
    pthread_mutex_lock(&server->lock);
    connection->deadline_ns =
        timeout_ms == 0 ? UINT64_MAX : sp_http1_now_ns(server) + timeout_ms * SP_NS_PER_MS;
    pthread_mutex_unlock(&server->lock);
}

/* ---- the exchange's side ---- */

static void on_woken(struct sp_exchange *exchange)
{
    struct request *request = exchange->transport_cookie;
    pthread_mutex_lock(&request->lock);
    request->replied = true;
    if (request->state == REQUEST_SUSPENDED) {
        request->state = REQUEST_RUNNING;
        MHD_resume_connection(request->library_connection);
    }
    pthread_mutex_unlock(&request->lock);
}

static void on_replied(struct sp_exchange *exchange)
{
    if (exchange->handed_over)
        on_woken(exchange);
    else
        exchange->replied = true;
    sp_exchange_release(exchange);
}

static void on_freed(void *cookie)
{
    struct request *request = cookie;
    pthread_mutex_destroy(&request->lock);
    free(request);
}

static const struct sp_exchange_transport http1_transport = {
    .replied = on_replied, .woken = on_woken, .freed = on_freed};

/* ---- replies ---- */

static void begin_large_reply(struct connection *connection)
{
    pthread_mutex_lock(&connection->server->lock);
    (void)sp_http1_look_at_reply(connection); /* then the first look allows too much */
    pthread_mutex_unlock(&connection->server->lock);
}

/* The library asks for more of a stream. */
static ssize_t read_stream(void *cookie, uint64_t position, char *out, size_t max)
{
    struct request *request = cookie;
    bool ended = false;
    (void)position;
    pthread_mutex_lock(&request->lock);
    size_t len = sp_reply_stream_take(request->exchange->stream, out, max, &ended);
    ssize_t result = (ssize_t)len;
    if (len == 0 && ended) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else if (len == 0 && atomic_load(&request->server->stopping)) {
        result = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (len == 0) {
        request->state = REQUEST_SUSPENDED;
        MHD_suspend_connection(request->library_connection);
    }
    pthread_mutex_unlock(&request->lock);
    return result;
}

/* Chunks; HTTP/1.0 has none, and gets a body that the end of the connection ends. */
static struct MHD_Response *make_stream(struct request *request)
{
    pthread_mutex_lock(&request->lock);
    request->may_ask = false; /* an interim reply inside of a reply is a part of it */
    pthread_mutex_unlock(&request->lock);
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, read_stream,
                                             request, NULL);
}

static struct MHD_Response *make_whole(struct request *request)
{
    struct sp_slice body = sp_exchange_reply_body(request->exchange);
    /* The bytes stay the exchange's, which lives until the library says that the request is complete. */
    union {
        const void *ours;
        void *theirs; /* the library only reads it; its parameter forgot the const */
    } bytes = {.ours = body.ptr};
    return MHD_create_response_from_buffer(body.len, bytes.theirs, MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result queue_reply(struct request *request)
{
    struct http1_server *server = request->server;
    const struct sp_exchange_reply *reply = &request->exchange->reply;
    bool whole = !request->exchange->stream;
    struct MHD_Response *response = whole ? make_whole(request) : make_stream(request);
    if (!response)
        return MHD_NO;
    bool ok = true;
    for (size_t i = 0; i < reply->header_count; i++) {
        ok = ok && MHD_add_response_header(response, (const char *)reply->headers[i].name.ptr,
                                           (const char *)reply->headers[i].value.ptr) == MHD_YES;
    }
    if (request->close_after || atomic_load(&server->draining))
        ok =
            ok && MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES;
    enum MHD_Result result = ok ? MHD_queue_response(request->library_connection,
                                                     (unsigned int)reply->http_status, response)
                                : MHD_NO;
    MHD_destroy_response(response);
    request->queued = true;
    if (whole)
        sp_exchange_drop_body(request->exchange); /* of a stream, the handler may still read it */
    request->connection->waited = whole;
    if (request->exchange->reply_budget_bytes > 0 || !whole)
        begin_large_reply(request->connection);
    set_deadline(request->connection, server->base.options.limits.write_timeout_ms);
    return result;
}

static void refuse(struct request *request, int http_status, const struct sp_error *error)
{
    request->close_after = true;
    sp_exchange_refuse(request->exchange, &request->server->base.options.handler, http_status,
                       error);
}

/* ---- the head ---- */

static enum MHD_Result add_field(void *cookie, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    struct sp_exchange *exchange = cookie;
    enum sp_status status = sp_exchange_add_field(exchange, sp_slice_make(name, name_len),
                                                  sp_slice_make(value, value_len));
    if (status != SP_OK)
        exchange->head_bytes = SIZE_MAX; /* seen by read_head */
    return status == SP_OK ? MHD_YES : MHD_NO;
}

static enum sp_status read_head(struct request *request, const char *method, struct sp_error *error)
{
    struct sp_exchange *exchange = request->exchange;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->library_connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char peer[SP_ADDRESS_TEXT_MAX];
    sp_address_format(info ? info->client_addr : NULL, peer);
    if (sp_exchange_set_peer(exchange, sp_slice_cstr(peer)) != SP_OK)
        return sp_error_set(error, SP_NO_MEMORY, "out of memory");
    if (sp_exchange_set_method(exchange, sp_slice_cstr(method)) == SP_OK &&
        sp_exchange_set_target(exchange, sp_slice_make(request->target, request->target_len)) ==
            SP_OK)
        MHD_get_connection_values_n(request->library_connection, MHD_HEADER_KIND, add_field,
                                    exchange);
    else
        exchange->head_bytes = SIZE_MAX;
    if (exchange->head_bytes == SIZE_MAX)
        return sp_error_set(error, SP_LIMIT, "the request's head is larger than %zu bytes",
                            exchange->head_bytes_max);
    if (!sp_exchange_charge_head(exchange))
        return sp_error_set(error, SP_OVERLOADED, "too much is in flight, try again");
    return SP_OK;
}

static enum sp_status no_budget(struct request *request, struct sp_error *error)
{
    sp_count(&request->server->base.counters.budget_refusals, 1);
    return sp_error_set(error, SP_OVERLOADED, "too many request bodies are in flight, try again");
}

static enum sp_status too_large(const struct request *request, struct sp_error *error)
{
    return sp_error_set(error, SP_LIMIT, "the request body is larger than %zu bytes",
                        request->server->base.options.limits.body_bytes_max);
}

/* Takes the whole body's budget and memory when its length is known. */
static enum sp_status expect_body(struct request *request, struct sp_error *error)
{
    struct sp_exchange *exchange = request->exchange;
    struct sp_slice text;
    uint64_t length;
    if (!sp_exchange_header(exchange, "content-length", &text) || !sp_parse_u64(text, &length) ||
        length == 0)
        return SP_OK;
    if (length > exchange->body.bytes.max)
        return too_large(request, error);
    if (!sp_exchange_charge_body(exchange, (size_t)length))
        return no_budget(request, error);
    if (!sp_buf_reserve(&exchange->body.bytes, (size_t)length))
        return sp_error_set(error, SP_NO_MEMORY, "out of memory, try again");
    return SP_OK;
}

/* Where this request ends is not known: no byte behind its head is read. */
static enum MHD_Result refuse_framing(struct request *request, const struct sp_error *error)
{
    sp_count(&request->server->base.counters.protocol_errors, 1);
    refuse(request, sp_status_http(error->status), error);
    return queue_reply(request);
}

static enum MHD_Result begin(struct request *request, const char *method, const char *version)
{
    struct http1_server *server = request->server;
    const struct sp_server_options *options = &server->base.options;
    struct sp_error error;
    request->head_done = true;
    request->may_ask = strcmp(version, "HTTP/1.1") == 0;
    sp_count(&server->base.counters.requests, 1);
    enum sp_status status = read_head(request, method, &error);
    if (status == SP_OK && request->texts_after_zero > 0)
        status = sp_error_set(&error, SP_MALFORMED, "the request's target holds a zero byte");
    else if (status == SP_OK)
        status = sp_http1_check_head(request->exchange, version, &error);
    if (status == SP_MALFORMED)
        return refuse_framing(request, &error);
    if (status != SP_OK) {
        refuse(request, status == SP_LIMIT ? 431 : sp_status_http(status), &error);
    } else {
        if (options->handler.on_head)
            options->handler.on_head(options->handler.cookie, request->exchange);
        if (!request->exchange->replied && expect_body(request, &error) != SP_OK)
            refuse(request, sp_status_http(error.status), &error);
    }
    set_deadline(request->connection, options->limits.body_timeout_ms);
    if (request->exchange->replied && !sp_http1_body_follows(request->exchange)) {
        request->close_after = request->close_after || sp_http1_has_body(request->exchange);
        return queue_reply(request);
    }
    return MHD_YES;
}

/* ---- the body ---- */

/* MHD_NO closes the connection: a refused body that never ends. */
static enum MHD_Result discard(struct request *request, size_t len)
{
    request->discarded_bytes += len;
    return request->discarded_bytes <= request->server->base.options.limits.refused_body_bytes_max
               ? MHD_YES
               : MHD_NO;
}

static enum MHD_Result receive(struct request *request, const char *bytes, size_t len)
{
    struct sp_exchange *exchange = request->exchange;
    struct sp_buf *body = &exchange->body.bytes;
    if (exchange->replied)
        return discard(request, len);
    struct sp_error error;
    sp_count(&request->server->base.counters.body_bytes, len);
    size_t charged = exchange->body.budget_bytes;
    enum sp_status status = SP_OK;
    if (len > body->max - body->len)
        status = too_large(request, &error);
    else if (body->len + len > charged &&
             !sp_exchange_charge_body(exchange, body->len + len - charged))
        status = no_budget(request, &error);
    else
        sp_buf_append(body, bytes, len);
    if (status == SP_OK && body->error != SP_OK)
        status = sp_error_set(&error, SP_NO_MEMORY, "out of memory, try again");
    if (status == SP_OK)
        return MHD_YES;
    sp_exchange_drop_body(exchange);
    refuse(request, sp_status_http(status), &error);
    return discard(request, len);
}

static enum MHD_Result complete(struct request *request)
{
    struct sp_exchange *exchange = request->exchange;
    if (!exchange->handed_over) {
        const struct sp_handler *handler = &request->server->base.options.handler;
        set_deadline(request->connection, 0);
        exchange->handed_over = true;
        handler->on_request(handler->cookie, exchange);
    }
    enum MHD_Result result = MHD_YES;
    pthread_mutex_lock(&request->lock);
    bool replied = request->replied;
    if (!replied && atomic_load(&request->server->stopping)) {
        result = MHD_NO;
    } else if (!replied) {
        request->state = REQUEST_SUSPENDED;
        MHD_suspend_connection(request->library_connection);
    }
    pthread_mutex_unlock(&request->lock);
    return replied ? queue_reply(request) : result;
}

static enum MHD_Result on_access(void *cookie, struct MHD_Connection *library_connection,
                                 const char *url, const char *method, const char *version,
                                 const char *upload, size_t *upload_len, void **request_cookie)
{
    (void)cookie;
    (void)library_connection;
    (void)url;
    struct request *request = *request_cookie;
    if (!request)
        return MHD_NO; /* there was no memory for it */
    if (!request->head_done)
        return begin(request, method, version);
    if (*upload_len > 0) {
        enum MHD_Result result = receive(request, upload, *upload_len);
        *upload_len = 0;
        return result;
    }
    if (request->queued)
        return MHD_YES;
    return request->exchange->replied ? queue_reply(request) : complete(request);
}

/* ---- requests and connections come and go ---- */

static struct connection *connection_of(struct MHD_Connection *library_connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(library_connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* The request line was read. What this returns is the request_cookie of on_access. */
static void *on_target(void *cookie, const char *target, struct MHD_Connection *library_connection)
{
    struct http1_server *server = cookie;
    struct connection *connection = connection_of(library_connection);
    size_t len = strlen(target);
    struct request *request = connection ? calloc(1, sizeof(*request) + len) : NULL;
    if (!request)
        return NULL;
    for (size_t i = 0; i < len; i++)
        request->target[i] = target[i];
    request->library_target = target;
    sp_http1_hide_parameters(target, len);
    request->target_len = len;
    request->server = server;
    request->connection = connection;
    request->library_connection = library_connection;
    request->exchange = sp_exchange_new(&http1_transport, request, &server->base.options);
    if (!request->exchange) {
        free(request);
        return NULL;
    }
    pthread_mutex_init(&request->lock, NULL);
    sp_count(&server->base.counters.requests_open, 1);
    pthread_mutex_lock(&server->lock);
    connection->request = request;
    pthread_mutex_unlock(&server->lock);
    return request;
}

/* Nothing is unescaped for us: the exchange has the target as it was sent. Parameters reach this only from behind a zero byte,
 * where sp_http1_hide_parameters did not see them. The request is refused, and the second text is made the last: with its
 * zero byte it ends where the library goes on reading. */
static size_t on_unescape(void *cookie, struct MHD_Connection *library_connection, char *text)
{
    (void)cookie;
    struct connection *connection = connection_of(library_connection);
    struct request *request = connection ? connection->request : NULL;
    size_t len = strlen(text);
    if (request && text != request->library_target && ++request->texts_after_zero > 1)
        text[len + 1] = '\0';
    return len;
}

static void on_completed(void *cookie, struct MHD_Connection *library_connection,
                         void **request_cookie, enum MHD_RequestTerminationCode code)
{
    (void)library_connection;
    (void)code;
    struct http1_server *server = cookie;
    struct request *request = *request_cookie;
    if (!request)
        return;
    *request_cookie = NULL;
    struct sp_exchange *exchange = request->exchange;
    bool handed_over = exchange->handed_over;
    pthread_mutex_lock(&server->lock);
    request->connection->request = NULL;
    request->connection->deadline_ns =
        sp_http1_now_ns(server) + server->base.options.limits.idle_timeout_ms * SP_NS_PER_MS;
    pthread_mutex_unlock(&server->lock);
    pthread_mutex_lock(&request->lock);
    request->state = REQUEST_GONE;
    if (!request->queued || (exchange->stream && !sp_reply_stream_has_ended(exchange->stream)))
        atomic_store(&exchange->cancelled, true);
    pthread_mutex_unlock(&request->lock);
    if (!handed_over && !exchange->replied)
        sp_exchange_abandon(exchange);
    else
        sp_exchange_release(exchange);
    pthread_mutex_lock(&server->lock);
    sp_uncount(&server->base.counters.requests_open, 1);
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static void connection_add(struct http1_server *server, struct MHD_Connection *library_connection,
                           void **socket_context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(library_connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *connection = info ? calloc(1, sizeof(*connection)) : NULL;
    *socket_context = connection;
    if (!connection)
        return;
    connection->server = server;
    connection->fd = info->connect_fd;
    connection->deadline_ns =
        sp_http1_now_ns(server) + server->base.options.limits.head_timeout_ms * SP_NS_PER_MS;
    pthread_mutex_lock(&server->lock);
    connection->next = server->connections;
    if (server->connections)
        server->connections->previous = connection;
    server->connections = connection;
    pthread_mutex_unlock(&server->lock);
    sp_count(&server->base.counters.connections_accepted, 1);
    sp_count(&server->base.counters.connections_open, 1);
}

/* Runs before the socket is closed, so the ticker, which works under the lock, never meets a reused descriptor. */
static void connection_remove(struct http1_server *server, struct connection *connection)
{
    pthread_mutex_lock(&server->lock);
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    pthread_mutex_unlock(&server->lock);
    sp_uncount(&server->base.counters.connections_open, 1);
    free(connection);
}

static void on_connection(void *cookie, struct MHD_Connection *library_connection,
                          void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        connection_add(cookie, library_connection, socket_context);
    else if (*socket_context)
        connection_remove(cookie, *socket_context);
}

/* ---- the server ---- */

static bool http1_drain(struct sp_server *base, uint32_t timeout_ms)
{
    struct http1_server *server = (struct http1_server *)base;
    uint64_t until = sp_http1_now_ns(server) + timeout_ms * SP_NS_PER_MS;
    atomic_store(&server->draining, true); /* on_peer takes no more */
    pthread_mutex_lock(&server->lock);
    sp_http1_close_late(server);
    while (sp_counted(&base->counters.requests_open) > 0 && sp_http1_now_ns(server) < until)
        sp_http1_wait_ms(server, SP_HTTP1_TICK_MS_LEAST);
    pthread_mutex_unlock(&server->lock);
    return sp_counted(&base->counters.requests_open) == 0;
}

/* The library refuses to stop with suspended connections: they are resumed, and on_access closes them. */
static void resume_all(struct http1_server *server)
{
    pthread_mutex_lock(&server->lock);
    for (struct connection *c = server->connections; c; c = c->next) {
        struct request *request = c->request;
        if (!request)
            continue;
        pthread_mutex_lock(&request->lock);
        if (request->state == REQUEST_SUSPENDED) {
            request->state = REQUEST_RUNNING;
            MHD_resume_connection(request->library_connection);
        }
        pthread_mutex_unlock(&request->lock);
    }
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static void http1_stop(struct sp_server *base)
{
    struct http1_server *server = (struct http1_server *)base;
    atomic_store(&server->draining, true);
    atomic_store(&server->stopping, true);
    resume_all(server);
    if (server->ticker_runs)
        pthread_join(server->ticker, NULL);
    if (server->daemon)
        MHD_stop_daemon(server->daemon); /* closes the socket it listens on */
    else if (base->listen_fd >= 0)
        close(base->listen_fd);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

/* MHD_quiesce_daemon would do this for the library, but the one of 0.9.75 may meet a thread of its pool that takes the socket out
 * of the same epoll set, and then ends the process. */
static enum MHD_Result on_peer(void *cookie, const struct sockaddr *address, socklen_t len)
{
    struct http1_server *server = cookie;
    (void)address;
    (void)len;
    return atomic_load(&server->draining) ? MHD_NO : MHD_YES;
}

static struct MHD_Daemon *start_library(struct http1_server *server)
{
    const struct sp_server_options *options = &server->base.options;
    const struct sp_net_limits *limits = &options->limits;
    unsigned int idle_s = limits->idle_timeout_ms / 1000 + TIMEOUT_SLACK;
    unsigned int threads = options->threads;
    /* The library wants a thread pool of two or more, and each thread its share of the connections. */
    struct MHD_OptionItem pool[] = {
        {threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_SUSPEND_RESUME | MHD_USE_ITC, 0, on_peer, server,
        on_access, server, MHD_OPTION_LISTEN_SOCKET, server->base.listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned int)limits->connections_max,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, 2 * limits->head_bytes_max + UPLOAD_BYTES,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, UPLOAD_BYTES / 2, MHD_OPTION_CONNECTION_TIMEOUT,
        idle_s, MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_URI_LOG_CALLBACK, on_target, server,
        MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, server, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_ARRAY,
        pool, MHD_OPTION_END);
}

enum sp_status sp_http1_server_start(const struct sp_server_options *options,
                                     struct sp_server **ret_server, struct sp_error *reterr)
{
    static const struct sp_server_kind kind = {http1_drain, http1_stop};
    struct http1_server *server = calloc(1, sizeof(*server));
    if (!server)
        return sp_error_set(reterr, SP_NO_MEMORY, "out of memory");
    enum sp_status status = sp_server_init(&server->base, &kind, options, reterr);
    if (status != SP_OK) {
        free(server);
        return status;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&server->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&server->lock, NULL);
    server->daemon = start_library(server);
    server->ticker_runs =
        server->daemon && pthread_create(&server->ticker, NULL, sp_http1_run_ticker, server) == 0;
    if (!server->ticker_runs) {
        status = sp_error_set(reterr, SP_IO, "cannot start the HTTP/1.1 server on %s: %s",
                              server->base.address, strerror(errno));
        http1_stop(&server->base);
        return status;
    }
    *ret_server = &server->base;
    return SP_OK;
}
