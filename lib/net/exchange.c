/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/exchange.c: one request and its one reply, whatever the protocol. Must not know a socket or a protocol
 * library: what a reply does on the wire is the transport's. */
#include "lib/net/exchange.h"

#include <stdlib.h>

#define FIELD_OVERHEAD_BYTES 32    /* what RFC 9113 6.5.2 adds for each field */
#define REPLY_HEAD_BYTES_MAX 32768 /* arena room for reply headers, gRPC message and details */
#define FIELDS_FIRST         16
#define DETAILS_BYTES_MAX    8192 /* of base64: what clients take as one header */
#define PROBLEM_BYTES_MAX    8192

struct sp_exchange *sp_exchange_new(const struct sp_exchange_transport *transport, void *cookie,
                                    const struct sp_server_options *options)
{
    const struct sp_net_limits *limits = &options->limits;
    struct sp_exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange)
        return NULL;
    atomic_init(&exchange->references, 2);
    atomic_init(&exchange->cancelled, false);
    exchange->transport = transport;
    exchange->transport_cookie = cookie;
    exchange->budget = options->budget;
    exchange->reply_budget = options->reply_budget;
    exchange->deadline_ns = UINT64_MAX;
    exchange->head_bytes_max = limits->head_bytes_max;
    /* Four times the head: joined fields and grown arrays leave holes behind. */
    sp_arena_init(&exchange->arena, 4 * limits->head_bytes_max + REPLY_HEAD_BYTES_MAX);
    sp_buf_init(&exchange->body.bytes, limits->body_bytes_max);
    exchange->body.budget = options->budget;
    sp_buf_init(&exchange->reply.owned, 0);
    return exchange;
}

void sp_exchange_release(struct sp_exchange *exchange)
{
    if (atomic_fetch_sub_explicit(&exchange->references, 1, memory_order_acq_rel) != 1)
        return;
    sp_body_fini(&exchange->body);
    sp_buf_fini(&exchange->reply.owned);
    sp_reply_stream_free(exchange->stream);
    sp_arena_fini(&exchange->arena);
    if (exchange->head_budget_bytes > 0)
        sp_budget_give(exchange->budget, exchange->head_budget_bytes);
    if (exchange->reply_budget_bytes > 0)
        sp_budget_give(exchange->reply_budget, exchange->reply_budget_bytes);
    exchange->transport->freed(exchange->transport_cookie);
    free(exchange);
}

void sp_exchange_abandon(struct sp_exchange *exchange)
{
    sp_exchange_release(exchange);
    sp_exchange_release(exchange);
}

/* ---- the request ---- */

static enum sp_status copy(struct sp_exchange *exchange, struct sp_slice s, struct sp_slice *ret)
{
    return sp_arena_copy(&exchange->arena, s, ret) ? SP_OK : SP_NO_MEMORY;
}

static enum sp_status grow_head(struct sp_exchange *exchange, size_t bytes)
{
    if (bytes > exchange->head_bytes_max - exchange->head_bytes)
        return SP_LIMIT;
    exchange->head_bytes += bytes;
    return SP_OK;
}

enum sp_status sp_exchange_set_method(struct sp_exchange *exchange, struct sp_slice method)
{
    enum sp_status status = grow_head(exchange, method.len);
    return status == SP_OK ? copy(exchange, method, &exchange->method) : status;
}

enum sp_status sp_exchange_set_target(struct sp_exchange *exchange, struct sp_slice target)
{
    enum sp_status status = grow_head(exchange, target.len);
    if (status == SP_OK)
        status = copy(exchange, target, &exchange->path);
    if (status != SP_OK)
        return status;
    size_t question = sp_slice_find(exchange->path, '?');
    exchange->query = sp_slice_sub(exchange->path, question + 1, exchange->path.len);
    exchange->path.len = question;
    return SP_OK;
}

enum sp_status sp_exchange_set_peer(struct sp_exchange *exchange, struct sp_slice peer)
{
    return copy(exchange, peer, &exchange->peer);
}

static struct sp_header *find_field(const struct sp_exchange *exchange, struct sp_slice name)
{
    for (size_t i = 0; i < exchange->field_count; i++) {
        if (sp_slice_equal_nocase(exchange->fields[i].name, name))
            return &exchange->fields[i];
    }
    return NULL;
}

static enum sp_status join_field(struct sp_exchange *exchange, struct sp_header *field,
                                 struct sp_slice value)
{
    struct sp_slice old = field->value;
    uint8_t *joined = sp_arena_alloc(&exchange->arena, old.len + 2 + value.len);
    if (!joined)
        return SP_LIMIT;
    if (old.len > 0)
        memcpy(joined, old.ptr, old.len);
    joined[old.len] = ',';
    joined[old.len + 1] = ' ';
    if (value.len > 0)
        memcpy(joined + old.len + 2, value.ptr, value.len);
    field->value = sp_slice_make(joined, old.len + 2 + value.len);
    return SP_OK;
}

enum sp_status sp_exchange_add_field(struct sp_exchange *exchange, struct sp_slice name,
                                     struct sp_slice value)
{
    enum sp_status status = grow_head(exchange, name.len + value.len + FIELD_OVERHEAD_BYTES);
    if (status != SP_OK)
        return status;
    struct sp_header *field = find_field(exchange, name);
    if (field)
        return join_field(exchange, field, value);
    if (exchange->field_count == exchange->field_cap) {
        size_t cap = exchange->field_cap > 0 ? 2 * exchange->field_cap : FIELDS_FIRST;
        void *grown = sp_arena_grow(&exchange->arena, exchange->fields,
                                    exchange->field_cap * sizeof(*field), cap * sizeof(*field));
        if (!grown)
            return SP_LIMIT;
        exchange->fields = grown;
        exchange->field_cap = cap;
    }
    field = &exchange->fields[exchange->field_count];
    if (!sp_arena_copy(&exchange->arena, name, &field->name) ||
        !sp_arena_copy(&exchange->arena, value, &field->value))
        return SP_LIMIT;
    exchange->field_count++;
    return SP_OK;
}

bool sp_exchange_charge_head(struct sp_exchange *exchange)
{
    size_t bytes = sizeof(*exchange) + exchange->arena.used_bytes;
    if (!sp_budget_take(exchange->budget, bytes))
        return false;
    exchange->head_budget_bytes = bytes;
    return true;
}

bool sp_exchange_charge_body(struct sp_exchange *exchange, size_t bytes)
{
    if (!sp_budget_take(exchange->budget, bytes))
        return false;
    exchange->body.budget_bytes += bytes;
    return true;
}

struct sp_slice sp_exchange_method(const struct sp_exchange *exchange)
{
    return exchange->method;
}

struct sp_slice sp_exchange_path(const struct sp_exchange *exchange)
{
    return exchange->path;
}

struct sp_slice sp_exchange_query(const struct sp_exchange *exchange)
{
    return exchange->query;
}

bool sp_exchange_header(const struct sp_exchange *exchange, const char *name,
                        struct sp_slice *ret_value)
{
    const struct sp_header *field = find_field(exchange, sp_slice_cstr(name));
    if (!field)
        return false;
    *ret_value = field->value;
    return true;
}

struct sp_slice sp_exchange_peer(const struct sp_exchange *exchange)
{
    return exchange->peer;
}

bool sp_exchange_is_grpc(const struct sp_exchange *exchange)
{
    return exchange->grpc;
}

bool sp_exchange_grpc_compressed(const struct sp_exchange *exchange)
{
    return exchange->grpc_compressed;
}

uint64_t sp_exchange_deadline_ns(const struct sp_exchange *exchange)
{
    return exchange->deadline_ns;
}

bool sp_exchange_cancelled(const struct sp_exchange *exchange)
{
    return atomic_load_explicit(&exchange->cancelled, memory_order_relaxed);
}

void sp_exchange_set_route(struct sp_exchange *exchange, const void *route)
{
    exchange->route = route;
}

const void *sp_exchange_route(const struct sp_exchange *exchange)
{
    return exchange->route;
}

struct sp_slice sp_exchange_body(const struct sp_exchange *exchange)
{
    return sp_buf_slice(&exchange->body.bytes);
}

void sp_exchange_take_body(struct sp_exchange *exchange, struct sp_body *ret_body)
{
    ret_body->budget = exchange->body.budget;
    ret_body->budget_bytes = exchange->body.budget_bytes;
    exchange->body.budget_bytes = 0;
    sp_buf_init(&ret_body->bytes, exchange->body.bytes.max);
    sp_buf_move(&ret_body->bytes, &exchange->body.bytes);
}

void sp_body_fini(struct sp_body *body)
{
    if (!body)
        return;
    sp_buf_fini(&body->bytes);
    if (body->budget_bytes > 0)
        sp_budget_give(body->budget, body->budget_bytes);
    body->budget_bytes = 0;
}

void sp_exchange_drop_body(struct sp_exchange *exchange)
{
    size_t max = exchange->body.bytes.max;
    sp_body_fini(&exchange->body);
    sp_buf_init(&exchange->body.bytes, max);
}

/* ---- the reply ---- */

struct sp_slice sp_exchange_reply_body(const struct sp_exchange *exchange)
{
    return exchange->reply.static_body.len > 0 ? exchange->reply.static_body
                                               : sp_buf_slice(&exchange->reply.owned);
}

/* A copy whose control characters are spaces (no value can begin another header) and that ends in a zero byte. An empty
 * slice when there is no memory. */
static struct sp_slice copy_clean(struct sp_exchange *exchange, struct sp_slice s)
{
    uint8_t *clean = sp_arena_alloc(&exchange->arena, s.len + 1);
    if (!clean)
        return sp_slice_make(NULL, 0);
    clean[s.len] = '\0';
    for (size_t i = 0; i < s.len; i++)
        clean[i] = (s.ptr[i] < 0x20 && s.ptr[i] != '\t') || s.ptr[i] == 0x7f ? ' ' : s.ptr[i];
    return sp_slice_make(clean, s.len);
}

static void set_headers(struct sp_exchange *exchange, const struct sp_header *headers, size_t count)
{
    struct sp_exchange_reply *reply = &exchange->reply;
    reply->headers = sp_arena_calloc(&exchange->arena, count, sizeof(*headers));
    for (size_t i = 0; reply->headers && i < count; i++) {
        struct sp_header header = {copy_clean(exchange, headers[i].name),
                                   copy_clean(exchange, headers[i].value)};
        if (header.name.len > 0 && header.value.ptr)
            reply->headers[reply->header_count++] = header;
    }
}

static void publish(struct sp_exchange *exchange)
{
    exchange->transport->replied(exchange);
}

/* Counts a reply that may have to wait for its reader, and takes it. Small ones always go: acks of what is stored already,
 * and refusals; connections and heads in flight bound their number. Refused: body is untouched. */
static enum sp_status take_reply(struct sp_exchange *exchange, struct sp_buf *body,
                                 struct sp_error *error)
{
    struct sp_budget *budget = exchange->reply_budget;
    if (!body)
        return SP_OK;
    if (budget && body->len > SP_REPLY_SMALL_BYTES_MAX) {
        if (body->len > budget->max_bytes)
            return sp_error_set(error, SP_LIMIT,
                                "the answer has %zu bytes, and all answers together may have %zu",
                                body->len, budget->max_bytes);
        if (!sp_budget_take(budget, body->len))
            return sp_error_set(error, SP_OVERLOADED,
                                "too many answers wait for clients that read slowly, try again");
        exchange->reply_budget_bytes += body->len;
    }
    if (body->cap > SP_REPLY_SMALL_BYTES_MAX)
        sp_buf_trim(body);
    sp_buf_move(&exchange->reply.owned, body);
    return SP_OK;
}

static void set_problem(struct sp_exchange *exchange, int http_status, const struct sp_error *error)
{
    const struct sp_header headers[] = {
        {SP_SLICE("content-type"), SP_SLICE(SP_PROBLEM_MEDIA_TYPE)},
        {SP_SLICE("retry-after"), SP_SLICE("1")},
    };
    exchange->reply.http_status = http_status == 0 ? sp_status_http(error->status) : http_status;
    set_headers(exchange, headers, sp_status_retryable(error->status) ? 2 : 1);
    sp_buf_init(&exchange->reply.owned, PROBLEM_BYTES_MAX);
    sp_problem_write(&exchange->reply.owned, exchange->reply.http_status, error);
}

void sp_exchange_reply(struct sp_exchange *exchange, int http_status,
                       const struct sp_header *headers, size_t header_count, struct sp_buf *body)
{
    struct sp_error error = {.offset = SP_ERROR_NO_OFFSET};
    if (take_reply(exchange, body, &error) == SP_OK) {
        exchange->reply.http_status = http_status;
        set_headers(exchange, headers, header_count);
    } else {
        sp_buf_fini(body);
        set_problem(exchange, 0, &error);
    }
    publish(exchange);
}

void sp_exchange_reply_static(struct sp_exchange *exchange, int http_status,
                              const struct sp_header *headers, size_t header_count,
                              struct sp_slice body)
{
    exchange->reply.http_status = http_status;
    exchange->reply.static_body = body;
    set_headers(exchange, headers, header_count);
    publish(exchange);
}

/* ---- the reply, over time ---- */

enum sp_status sp_exchange_stream_begin(struct sp_exchange *exchange, int http_status,
                                        const struct sp_header *headers, size_t header_count,
                                        struct sp_error *reterr)
{
    SP_ASSERT(exchange->transport->woken && exchange->handed_over && !exchange->stream);
    struct sp_budget *budget = exchange->reply_budget;
    if (budget && !sp_budget_take(budget, SP_STREAM_BYTES_MAX))
        return sp_error_set(reterr, SP_OVERLOADED,
                            "too many answers wait for clients that read slowly, try again");
    exchange->reply_budget_bytes = budget ? SP_STREAM_BYTES_MAX : 0;
    struct sp_reply_stream *stream = sp_reply_stream_new();
    if (!stream) {
        if (budget)
            sp_budget_give(budget, SP_STREAM_BYTES_MAX);
        exchange->reply_budget_bytes = 0;
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for the answer, try again");
    }
    exchange->stream = stream;
    exchange->reply.http_status = http_status;
    set_headers(exchange, headers, header_count);
    exchange->transport->woken(exchange);
    return SP_OK;
}

bool sp_exchange_stream_write(struct sp_exchange *exchange, struct sp_slice bytes)
{
    bool taken = sp_reply_stream_put(exchange->stream, bytes);
    exchange->transport->woken(exchange);
    return taken;
}

enum sp_status sp_exchange_stream_end(struct sp_exchange *exchange, struct sp_buf *body,
                                      struct sp_error *reterr)
{
    enum sp_status status = take_reply(exchange, body, reterr);
    if (status != SP_OK)
        return status;
    sp_reply_stream_end(exchange->stream, sp_buf_slice(&exchange->reply.owned));
    publish(exchange);
    return SP_OK;
}

/* gRPC's Percent-Encoded (PROTOCOL-HTTP2.md): printable ASCII but '%' stays. Cut at a ceiling that any client's header
 * limit takes. */
static struct sp_slice encode_message(struct sp_exchange *exchange, struct sp_slice message)
{
    static const char digits[] = "0123456789ABCDEF";
    message = sp_slice_sub(message, 0, SP_ERROR_MESSAGE_MAX);
    message.len = sp_utf8_valid_prefix(message);
    uint8_t *out = sp_arena_alloc(&exchange->arena, 3 * message.len);
    if (!out)
        return sp_slice_make(NULL, 0);
    size_t len = 0;
    for (size_t i = 0; i < message.len; i++) {
        uint8_t byte = message.ptr[i];
        if (byte >= 0x20 && byte <= 0x7e && byte != '%') {
            out[len++] = byte;
        } else {
            out[len++] = '%';
            out[len++] = (uint8_t)digits[byte >> 4];
            out[len++] = (uint8_t)digits[byte & 15];
        }
    }
    return sp_slice_make(out, len);
}

/* Details that do not fit a header are left out: message and status say enough. */
static struct sp_slice encode_details(struct sp_exchange *exchange, struct sp_slice details)
{
    struct sp_slice copied = {NULL, 0};
    struct sp_buf base64;
    sp_buf_init(&base64, DETAILS_BYTES_MAX);
    if (details.len > 0)
        sp_base64_encode(details, &base64);
    if (base64.error != SP_OK || !sp_arena_copy(&exchange->arena, sp_buf_slice(&base64), &copied))
        copied = sp_slice_make(NULL, 0);
    sp_buf_fini(&base64);
    return copied;
}

void sp_exchange_reply_grpc(struct sp_exchange *exchange, int grpc_status, struct sp_slice message,
                            struct sp_slice details, struct sp_buf *message_body)
{
    SP_ASSERT(exchange->grpc);
    struct sp_exchange_reply *reply = &exchange->reply;
    reply->grpc = true;
    reply->http_status = 200;
    struct sp_error error;
    if (take_reply(exchange, message_body, &error) != SP_OK) {
        sp_buf_fini(message_body);
        grpc_status = sp_status_grpc(error.status);
        message = sp_slice_cstr(error.message);
        details.len = 0;
    }
    reply->grpc_status = grpc_status;
    reply->grpc_message = encode_message(exchange, message);
    reply->grpc_details = encode_details(exchange, details);
    publish(exchange);
}

void sp_exchange_reply_problem(struct sp_exchange *exchange, int http_status,
                               const struct sp_error *error)
{
    set_problem(exchange, http_status, error);
    publish(exchange);
}

void sp_exchange_refuse(struct sp_exchange *exchange, const struct sp_handler *handler,
                        int http_status, const struct sp_error *error)
{
    if (handler->on_refused)
        handler->on_refused(handler->cookie, exchange, http_status, error);
    else if (exchange->grpc)
        sp_exchange_reply_grpc(exchange, sp_status_grpc(error->status),
                               sp_slice_cstr(error->message), sp_slice_make(NULL, 0), NULL);
    else
        sp_exchange_reply_problem(exchange, http_status, error);
}
