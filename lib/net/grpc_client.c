/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/grpc_client.c: gRPC calls, many at once, on few HTTP/2 connections without TLS. Must not know frames. Replies are
 * delivered from sp_grpc_client_step only, never from inside a link, so that on_reply may submit again. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/net/client_parts.h"
#include "lib/net/grpc_call.h"
#include "lib/net/h2_link.h"

#define AUTHORITY_MAX    280 /* a host name of 255, a port */
#define PATH_MAX_BYTES   512
#define HEADERS_MAX      16   /* of the caller, for one request */
#define TEXT_BYTES_MAX   1024 /* of grpc-message and content-type */
#define INPUT_BYTES      ((size_t)64 << 10)
#define OUTPUT_BYTES     ((size_t)256 << 10) /* gathered for one write */
#define OUTPUT_BYTES_MAX ((size_t)4 << 20)
#define CONNECT_WAIT_MS  10000
#define GRPC_TIMEOUT_MAX 99999999 /* eight digits */
#define NS_PER_MS        UINT64_C(1000000)
#define GRPC_STATUS_LAST 16
#define GRPC_UNKNOWN     2

struct call {
    struct call *previous, *next; /* of its connection, or of the list of done calls */
    struct connection *connection;
    int32_t id;
    struct sp_slice body; /* borrowed */
    uint8_t prefix[SP_GRPC_PREFIX_LEN];
    size_t sent_bytes; /* of prefix and body */
    struct sp_buf received, message, content_type;
    int http_status, grpc_status;
    uint64_t started_ns, deadline_ns, ended_ns;
    enum sp_status status;
    struct sp_error error;
    void (*on_reply)(void *cookie, const struct sp_client_reply *reply);
    void *cookie;
};

struct connection {
    struct connection *next;
    struct sp_grpc_client *grpc;
    char authority[AUTHORITY_MAX];
    struct addrinfo *addresses;     /* that the name has */
    const struct addrinfo *address; /* that is tried */
    int fd;
    bool connected, dead;
    uint64_t connect_until_ns;
    struct sp_h2_link *link;
    struct sp_buf out;
    size_t out_sent;
    struct call *calls;
    uint32_t call_count;
};

struct sp_grpc_client {
    const struct sp_client_options *options;
    struct sp_net_limits limits; /* of the links */
    struct connection *connections;
    uint32_t connection_count, in_flight;
    struct call *done;
    uint8_t input[INPUT_BYTES];
};

static uint64_t now_ns(const struct sp_grpc_client *grpc)
{
    return sp_clock_monotonic_ns(grpc->options->clock);
}

/* ---- calls ---- */

static void call_free(struct call *call)
{
    sp_buf_fini(&call->received);
    sp_buf_fini(&call->message);
    sp_buf_fini(&call->content_type);
    free(call);
}

static void call_unlink(struct call *call)
{
    struct connection *connection = call->connection;
    if (call->previous)
        call->previous->next = call->next;
    else
        connection->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
    call->previous = call->next = NULL;
    connection->call_count--;
}

/* Puts the call among those whose replies are delivered. */
static void call_end(struct call *call)
{
    struct sp_grpc_client *grpc = call->connection->grpc;
    call_unlink(call);
    call->ended_ns = now_ns(grpc);
    call->next = grpc->done;
    grpc->done = call;
}

static void call_fail(struct call *call, enum sp_status status, const char *why)
{
    call->status = sp_error_set(&call->error, status, "%s", why);
    call_end(call);
}

/* The one message of a reply, without its prefix; no bytes at all (trailers only) are an empty message. */
static struct sp_slice unwrap(struct call *call)
{
    struct sp_slice all = sp_buf_slice(&call->received);
    struct sp_slice message = sp_slice_sub(all, SP_GRPC_PREFIX_LEN, all.len);
    if (all.len == 0 || call->status != SP_OK)
        return message;
    uint64_t len = 0;
    for (size_t i = 1; i < SP_GRPC_PREFIX_LEN && all.len >= SP_GRPC_PREFIX_LEN; i++)
        len = len << 8 | all.ptr[i];
    if (all.len < SP_GRPC_PREFIX_LEN || all.ptr[0] != 0 || len != message.len)
        call->status =
            sp_error_set(&call->error, SP_MALFORMED, "the reply is not one plain gRPC message");
    return message;
}

static void deliver(struct call *call)
{
    bool is_grpc = call->http_status == 200;
    struct sp_slice body = is_grpc ? unwrap(call) : sp_buf_slice(&call->received);
    const struct sp_client_reply reply = {
        .status = call->status,
        .error = call->error,
        .http_status = call->http_status,
        .grpc_status = call->grpc_status,
        .grpc_message = sp_buf_slice(&call->message),
        .content_type = sp_buf_slice(&call->content_type),
        .body = body,
        .started_ns = call->started_ns,
        .elapsed_ns = call->ended_ns - call->started_ns,
    };
    call->on_reply(call->cookie, &reply);
}

/* ---- events of the links ---- */

static void keep(struct sp_buf *buf, struct sp_slice value)
{
    sp_buf_reset(buf);
    sp_buf_append_slice(buf, value);
}

static void on_field(void *cookie, struct sp_slice name, struct sp_slice value)
{
    struct call *call = cookie;
    uint64_t number;
    if (sp_slice_equal_cstr(name, ":status")) {
        call->http_status = sp_parse_u64(value, &number) && number < 1000 ? (int)number : 0;
    } else if (sp_slice_equal_cstr(name, "content-type")) {
        keep(&call->content_type, value);
    } else if (sp_slice_equal_cstr(name, "grpc-status")) {
        bool known = sp_parse_u64(value, &number) && number <= GRPC_STATUS_LAST;
        call->grpc_status = known ? (int)number : GRPC_UNKNOWN;
    } else if (sp_slice_equal_cstr(name, "grpc-message")) {
        sp_buf_reset(&call->message);
        if (!sp_percent_decode(value, &call->message))
            keep(&call->message, value);
    }
}

static void on_data(void *cookie, void *stream, int32_t id, struct sp_slice bytes)
{
    struct connection *connection = cookie;
    struct call *call = stream;
    if (!call || call->status != SP_OK)
        return;
    sp_buf_append_slice(&call->received, bytes);
    if (call->received.error == SP_OK)
        return;
    call->status = sp_error_set(&call->error, call->received.error,
                                "the reply is larger than %zu bytes", call->received.max);
    sp_h2_link_reset(connection->link, id, SP_H2_CANCEL);
}

static void on_closed(void *stream, uint32_t error_code)
{
    struct call *call = stream;
    if (call->status != SP_OK || call->grpc_status >= 0 ||
        (error_code == SP_H2_NO_ERROR && call->http_status != 0)) {
        call_end(call);
    } else if (error_code == SP_H2_REFUSED_STREAM) {
        call_fail(call, SP_UNAVAILABLE, "the server refused the call: it is draining or full");
    } else {
        char text[80];
        snprintf(text, sizeof(text), "the server reset the stream (HTTP/2 error %u)", error_code);
        call_fail(call, SP_IO, text);
    }
}

static size_t on_read_body(void *stream, uint8_t *out, size_t room, bool *ret_all)
{
    struct call *call = stream;
    size_t copied = 0;
    while (copied < room && call->sent_bytes < SP_GRPC_PREFIX_LEN)
        out[copied++] = call->prefix[call->sent_bytes++];
    struct sp_slice part = {NULL, 0};
    if (call->sent_bytes >= SP_GRPC_PREFIX_LEN)
        part = sp_slice_sub(call->body, call->sent_bytes - SP_GRPC_PREFIX_LEN, room - copied);
    if (part.len > 0)
        memcpy(out + copied, part.ptr, part.len);
    call->sent_bytes += part.len;
    *ret_all = call->sent_bytes == SP_GRPC_PREFIX_LEN + call->body.len;
    return copied + part.len;
}

static const struct sp_h2_events client_events = {
    .field = on_field,
    .data = on_data,
    .closed = on_closed,
    .read_body = on_read_body,
};

/* ---- connections ---- */

static void connection_fail(struct connection *connection, enum sp_status status, const char *why)
{
    connection->dead = true;
    while (connection->calls)
        call_fail(connection->calls, status, why);
}

static void connection_free(struct connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    if (connection->addresses)
        freeaddrinfo(connection->addresses);
    sp_h2_link_free(connection->link);
    sp_buf_fini(&connection->out);
    free(connection);
}

/* Tries the next address of the name. */
static void connect_next(struct connection *connection)
{
    int number = ECONNREFUSED;
    for (; connection->address; connection->address = connection->address->ai_next) {
        const struct addrinfo *a = connection->address;
        int on = 1;
        if (connection->fd >= 0)
            close(connection->fd);
        connection->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connection->fd >= 0) {
            (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
            if (connect(connection->fd, a->ai_addr, a->ai_addrlen) == 0 || errno == EINPROGRESS)
                return;
        }
        number = errno;
    }
    char why[AUTHORITY_MAX + 100];
    snprintf(why, sizeof(why), "cannot connect to %s: %s", connection->authority, strerror(number));
    connection_fail(connection, SP_UNAVAILABLE, why);
}

/* authority is HOST:PORT, [IPv6]:PORT or HOST. */
static enum sp_status resolve(struct connection *connection, struct sp_error *reterr)
{
    char host[AUTHORITY_MAX];
    snprintf(host, sizeof(host), "%s", connection->authority);
    char *name = host, *colon = strrchr(host, ':');
    const char *port = "80";
    if (host[0] == '[' && strchr(host, ']')) {
        name = host + 1;
        colon = strchr(host, ']');
        if (colon[1] == ':')
            port = colon + 2;
    } else if (colon) {
        port = colon + 1;
    }
    if (colon)
        *colon = '\0';
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    int failed = getaddrinfo(name, port, &hints, &connection->addresses);
    if (failed != 0)
        return sp_error_set(reterr, SP_UNAVAILABLE, "%s does not resolve: %s",
                            connection->authority, gai_strerror(failed));
    connection->address = connection->addresses;
    return SP_OK;
}

static enum sp_status connection_open(struct sp_grpc_client *grpc, const char *authority,
                                      struct connection **ret, struct sp_error *reterr)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection)
        return sp_error_set(reterr, SP_NO_MEMORY, "out of memory");
    connection->grpc = grpc;
    connection->fd = -1;
    connection->connect_until_ns = now_ns(grpc) + CONNECT_WAIT_MS * NS_PER_MS;
    snprintf(connection->authority, sizeof(connection->authority), "%s", authority);
    sp_buf_init(&connection->out, OUTPUT_BYTES_MAX);
    enum sp_status status = resolve(connection, reterr);
    connection->link = sp_h2_link_new(SP_H2_CLIENT, &grpc->limits, &client_events, connection);
    if (status == SP_OK && !connection->link)
        status = sp_error_set(reterr, SP_NO_MEMORY, "out of memory");
    if (status != SP_OK) {
        connection_free(connection);
        return status;
    }
    connection->next = grpc->connections;
    grpc->connections = connection;
    grpc->connection_count++;
    *ret = connection;
    return SP_OK;
}

static void check_connected(struct connection *connection)
{
    int number = 0;
    socklen_t len = sizeof(number);
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &number, &len) == 0 && number == 0) {
        connection->connected = true;
        return;
    }
    if (connection->address->ai_next) {
        connection->address = connection->address->ai_next;
        connect_next(connection);
        return;
    }
    char why[AUTHORITY_MAX + 100];
    snprintf(why, sizeof(why), "cannot connect to %s: %s", connection->authority, strerror(number));
    connection_fail(connection, SP_UNAVAILABLE, why);
}

static void connection_read(struct connection *connection)
{
    struct sp_grpc_client *grpc = connection->grpc;
    for (;;) {
        ssize_t len = recv(connection->fd, grpc->input, sizeof(grpc->input), 0);
        if (len > 0)
            sp_h2_link_receive(connection->link, sp_slice_make(grpc->input, (size_t)len));
        else if (len == 0 || (errno != EAGAIN && errno != EINTR))
            connection_fail(connection, SP_UNAVAILABLE, "the server closed the connection");
        if (len < (ssize_t)sizeof(grpc->input))
            return;
    }
}

static void connection_write(struct connection *connection)
{
    struct sp_buf *out = &connection->out;
    while (connection->connected && !connection->dead) {
        if (out->len == 0)
            sp_h2_link_send(connection->link, out, OUTPUT_BYTES);
        if (out->len == 0)
            return;
        ssize_t len = send(connection->fd, out->ptr + connection->out_sent,
                           out->len - connection->out_sent, MSG_NOSIGNAL);
        if (len < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (len < 0) {
            connection_fail(connection, SP_UNAVAILABLE, "the server closed the connection");
            return;
        }
        connection->out_sent += (size_t)len;
        if (connection->out_sent == out->len) {
            sp_buf_reset(out);
            connection->out_sent = 0;
        }
    }
}

static void check_time(struct connection *connection, uint64_t now)
{
    if (!connection->connected && now >= connection->connect_until_ns)
        connection_fail(connection, SP_UNAVAILABLE, "the server does not answer");
    for (struct call *call = connection->calls, *next; call; call = next) {
        next = call->next;
        if (now < call->deadline_ns || call->status != SP_OK)
            continue;
        call->status = sp_error_set(&call->error, SP_DEADLINE, "no reply within the timeout");
        sp_h2_link_reset(connection->link, call->id, SP_H2_CANCEL);
    }
}

static void connection_step(struct connection *connection, int revents, uint64_t now)
{
    if (!connection->connected && (revents & (POLLOUT | POLLERR | POLLHUP)))
        check_connected(connection);
    if (connection->connected && (revents & (POLLIN | POLLERR | POLLHUP)))
        connection_read(connection);
    check_time(connection, now);
    connection_write(connection);
    if (sp_h2_link_done(connection->link))
        connection_fail(connection, SP_IO, "the HTTP/2 connection broke down");
}

static void remove_dead(struct sp_grpc_client *grpc)
{
    for (struct connection **link = &grpc->connections; *link;) {
        struct connection *connection = *link;
        bool idle_and_closing =
            connection->call_count == 0 && sp_h2_link_is_closing(connection->link);
        if (!connection->dead && !idle_and_closing) {
            link = &connection->next;
            continue;
        }
        *link = connection->next;
        grpc->connection_count--;
        connection_free(connection);
    }
}

/* ---- submitting ---- */

/* "http://AUTHORITY/PATH" to its parts. */
static bool split_url(const char *url, char authority[AUTHORITY_MAX], struct sp_slice *ret_path)
{
    struct sp_slice rest = sp_slice_cstr(url);
    if (!sp_slice_starts_with(rest, SP_SLICE("http://")))
        return false;
    rest = sp_slice_sub(rest, 7, rest.len);
    size_t slash = sp_slice_find(rest, '/');
    *ret_path = slash < rest.len ? sp_slice_sub(rest, slash, rest.len) : SP_SLICE("/");
    if (slash == 0 || slash >= AUTHORITY_MAX || ret_path->len > PATH_MAX_BYTES)
        return false;
    memcpy(authority, rest.ptr, slash);
    authority[slash] = '\0';
    return true;
}

/* The connection with the fewest calls; a new one while all are busy and there may be more. */
static enum sp_status choose_connection(struct sp_grpc_client *grpc, const char *authority,
                                        struct connection **ret, struct sp_error *reterr)
{
    struct connection *best = NULL, *unused = NULL;
    for (struct connection *c = grpc->connections; c; c = c->next) {
        if (c->dead || sp_h2_link_is_closing(c->link))
            continue;
        if (strcmp(c->authority, authority) != 0)
            unused = c->call_count == 0 ? c : unused;
        else if (!best || c->call_count < best->call_count)
            best = c;
    }
    *ret = best;
    if (best && (best->call_count == 0 || grpc->connection_count >= grpc->options->connections_max))
        return SP_OK;
    if (grpc->connection_count >= grpc->options->connections_max) {
        if (!unused)
            return sp_error_set(reterr, SP_OVERLOADED, "all %u connections are in use",
                                grpc->options->connections_max);
        unused->dead = true;
        remove_dead(grpc);
    }
    return connection_open(grpc, authority, ret, reterr);
}

static void send_request(struct call *call, const struct sp_client_request *request,
                         struct sp_slice path)
{
    struct connection *connection = call->connection;
    struct sp_header fields[HEADERS_MAX + 8] = {
        {SP_SLICE(":method"), SP_SLICE("POST")},
        {SP_SLICE(":scheme"), SP_SLICE("http")},
        {SP_SLICE(":path"), path},
        {SP_SLICE(":authority"), sp_slice_cstr(connection->authority)},
        {SP_SLICE("te"), SP_SLICE("trailers")},
        {SP_SLICE("content-type"), SP_SLICE("application/grpc")},
        {SP_SLICE("user-agent"), SP_SLICE("spoor/" SPOOR_VERSION)},
    };
    size_t count = 7;
    char timeout[16];
    if (request->timeout_ms > 0 && request->timeout_ms <= GRPC_TIMEOUT_MAX) {
        int len = snprintf(timeout, sizeof(timeout), "%um", request->timeout_ms);
        fields[count++] =
            (struct sp_header){SP_SLICE("grpc-timeout"), sp_slice_make(timeout, (size_t)len)};
    }
    for (size_t i = 0; i < request->header_count; i++)
        fields[count++] = request->headers[i];
    sp_h2_link_request(connection->link, fields, count, call, &call->id);
}

static struct call *call_new(struct sp_grpc_client *grpc, const struct sp_client_request *request)
{
    struct call *call = calloc(1, sizeof(*call));
    if (!call)
        return NULL;
    size_t len = request->body.len;
    const uint8_t prefix[SP_GRPC_PREFIX_LEN] = {request->grpc_compressed, (uint8_t)(len >> 24),
                                                (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                                                (uint8_t)len};
    memcpy(call->prefix, prefix, sizeof(prefix));
    call->body = request->body;
    call->grpc_status = -1;
    call->error.offset = SP_ERROR_NO_OFFSET;
    call->on_reply = request->on_reply;
    call->cookie = request->cookie;
    call->started_ns = now_ns(grpc);
    call->deadline_ns =
        request->timeout_ms > 0 ? call->started_ns + request->timeout_ms * NS_PER_MS : UINT64_MAX;
    sp_buf_init(&call->received, (size_t)grpc->options->reply_bytes_max + SP_GRPC_PREFIX_LEN);
    sp_buf_init(&call->message, TEXT_BYTES_MAX);
    sp_buf_init(&call->content_type, TEXT_BYTES_MAX);
    return call;
}

enum sp_status sp_grpc_client_submit(struct sp_grpc_client *grpc,
                                     const struct sp_client_request *request,
                                     struct sp_error *reterr)
{
    char authority[AUTHORITY_MAX];
    struct sp_slice path;
    if (!split_url(request->url, authority, &path))
        return sp_error_set(reterr, SP_INVALID_ARGUMENT,
                            "\"%s\" is not http://HOST:PORT/SERVICE/METHOD", request->url);
    if (request->header_count > HEADERS_MAX)
        return sp_error_set(reterr, SP_LIMIT, "more than %d headers", HEADERS_MAX);
    struct connection *connection = NULL;
    enum sp_status status = choose_connection(grpc, authority, &connection, reterr);
    if (status != SP_OK)
        return status;
    struct call *call = call_new(grpc, request);
    if (!call)
        return sp_error_set(reterr, SP_NO_MEMORY, "out of memory");
    call->connection = connection;
    call->next = connection->calls;
    if (connection->calls)
        connection->calls->previous = call;
    connection->calls = call;
    connection->call_count++;
    grpc->in_flight++;
    send_request(call, request, path);
    if (connection->fd < 0)
        connect_next(connection);
    return SP_OK;
}

/* ---- the half ---- */

struct sp_grpc_client *sp_grpc_client_new(const struct sp_client_options *options)
{
    struct sp_grpc_client *grpc = calloc(1, sizeof(*grpc));
    if (!grpc)
        return NULL;
    grpc->options = options;
    grpc->limits = sp_net_limits_default();
    return grpc;
}

void sp_grpc_client_free(struct sp_grpc_client *grpc)
{
    if (!grpc)
        return;
    for (struct connection *c = grpc->connections; c; c = c->next)
        connection_fail(c, SP_CANCELLED, "the client ends");
    remove_dead(grpc);
    while (grpc->done) {
        struct call *call = grpc->done;
        grpc->done = call->next;
        call_free(call);
    }
    free(grpc);
}

uint32_t sp_grpc_client_in_flight(const struct sp_grpc_client *grpc)
{
    return grpc->in_flight;
}

size_t sp_grpc_client_fds(const struct sp_grpc_client *grpc, struct pollfd *out,
                          uint64_t *ret_wait_ns)
{
    size_t count = 0;
    uint64_t now = now_ns(grpc), until = now + *ret_wait_ns;
    for (const struct connection *c = grpc->connections; c; c = c->next) {
        short events = !c->connected ? POLLOUT : c->out.len > 0 ? POLLIN | POLLOUT : POLLIN;
        out[count++] = (struct pollfd){.fd = c->fd, .events = events};
        for (const struct call *call = c->calls; call; call = call->next)
            until = call->deadline_ns < until ? call->deadline_ns : until;
    }
    *ret_wait_ns = until > now ? until - now : 0;
    return count;
}

uint32_t sp_grpc_client_step(struct sp_grpc_client *grpc)
{
    uint64_t now = now_ns(grpc);
    for (struct connection *c = grpc->connections; c; c = c->next) {
        struct pollfd fd = {.fd = c->fd, .events = c->connected ? POLLIN : POLLOUT};
        if (!c->dead)
            connection_step(c, poll(&fd, 1, 0) > 0 ? fd.revents : 0, now);
    }
    remove_dead(grpc);
    uint32_t delivered = 0;
    while (grpc->done) {
        struct call *call = grpc->done;
        grpc->done = call->next;
        grpc->in_flight--;
        deliver(call);
        call_free(call);
        delivered++;
    }
    return delivered;
}
