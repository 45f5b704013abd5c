/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/grpc_call.c: gRPC's rules for a unary call, apart from HTTP/2's. Must not know frames. */
#include "lib/net/grpc_call.h"

#include <stdarg.h>
#include <stdio.h>

#define TIMEOUT_DIGITS_MAX 8
#define RESERVE_MAX        ((size_t)4 << 20) /* memory asked for at once on the word of a prefix */

void sp_grpc_call_init(struct sp_grpc_call *call, struct sp_exchange *exchange,
                       const struct sp_handler *handler)
{
    *call = (struct sp_grpc_call){.exchange = exchange, .handler = handler};
}

void sp_grpc_call_refuse(struct sp_grpc_call *call, enum sp_status status, const char *format, ...)
{
    struct sp_error error;
    char message[SP_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    (void)sp_error_set(&error, status, "%s", message);
    sp_exchange_drop_body(call->exchange);
    sp_exchange_refuse(call->exchange, call->handler, sp_status_http(status), &error);
}

static bool is_grpc(struct sp_slice content_type)
{
    return sp_media_type_is(content_type, "application/grpc") ||
           sp_media_type_is(content_type, "application/grpc+proto");
}

void sp_grpc_call_field(struct sp_grpc_call *call, struct sp_slice name, struct sp_slice value)
{
    struct sp_exchange *exchange = call->exchange;
    enum sp_status status = SP_OK;
    /* Looked at before the size, so that a refusal has the right form. */
    if (sp_slice_equal_cstr(name, "content-type"))
        exchange->grpc = is_grpc(value);
    if (call->head_too_large)
        return;
    if (sp_slice_equal_cstr(name, ":path"))
        status = sp_exchange_set_target(exchange, value);
    else if (sp_slice_equal_cstr(name, ":method"))
        status = sp_exchange_set_method(exchange, value);
    else if (sp_slice_equal_cstr(name, ":authority"))
        status = sp_exchange_add_field(exchange, SP_SLICE("host"), value);
    else if (name.len > 0 && name.ptr[0] != ':')
        status = sp_exchange_add_field(exchange, name, value);
    if (status != SP_OK)
        call->head_too_large = true;
}

bool sp_grpc_timeout_parse(struct sp_slice text, uint64_t *ret_ns)
{
    static const struct {
        uint8_t unit;
        uint64_t ns;
    } units[] = {
        {'H', UINT64_C(3600000000000)},
        {'M', UINT64_C(60000000000)},
        {'S', 1000000000},
        {'m', 1000000},
        {'u', 1000},
        {'n', 1},
    };
    uint64_t number;
    if (text.len < 2 || text.len > TIMEOUT_DIGITS_MAX + 1 ||
        !sp_parse_u64(sp_slice_sub(text, 0, text.len - 1), &number))
        return false;
    for (size_t i = 0; i < SP_ARRAY_LEN(units); i++) {
        if (text.ptr[text.len - 1] == units[i].unit) {
            *ret_ns = number * units[i].ns; /* 99999999 hours are 3.6e20: cut below */
            if (number > UINT64_MAX / units[i].ns)
                *ret_ns = UINT64_MAX;
            return true;
        }
    }
    return false;
}

static void reply_text(struct sp_exchange *exchange, int http_status, const struct sp_header *more,
                       const char *text)
{
    struct sp_header headers[2] = {
        {SP_SLICE("content-type"), SP_SLICE("text/plain; charset=utf-8")}};
    if (more)
        headers[1] = *more;
    sp_exchange_reply_static(exchange, http_status, headers, more ? 2 : 1, sp_slice_cstr(text));
}

static void check_deadline(struct sp_grpc_call *call, uint64_t now_ns)
{
    struct sp_slice text;
    uint64_t timeout_ns;
    if (!sp_exchange_header(call->exchange, "grpc-timeout", &text))
        return;
    if (!sp_grpc_timeout_parse(text, &timeout_ns))
        sp_grpc_call_refuse(call, SP_MALFORMED,
                            "grpc-timeout must be up to 8 digits and one of H M S m u n");
    else if (timeout_ns < UINT64_MAX - now_ns)
        call->exchange->deadline_ns = now_ns + timeout_ns;
}

void sp_grpc_call_head(struct sp_grpc_call *call, uint64_t now_ns)
{
    static const struct sp_header allow = {{(const uint8_t *)"allow", 5},
                                           {(const uint8_t *)"POST", 4}};
    struct sp_exchange *exchange = call->exchange;
    if (!exchange->grpc) {
        reply_text(exchange, call->head_too_large ? 431 : 415, NULL,
                   call->head_too_large
                       ? "The request's head is too large.\n"
                       : "This port takes gRPC on HTTP/2: content-type must be application/grpc or "
                         "application/grpc+proto.\n");
    } else if (call->head_too_large) {
        sp_grpc_call_refuse(call, SP_LIMIT, "the request's head is larger than %zu bytes",
                            exchange->head_bytes_max);
    } else if (!sp_slice_equal_cstr(exchange->method, "POST")) {
        reply_text(exchange, 405, &allow, "gRPC calls are POST requests.\n");
    } else if (!sp_exchange_charge_head(exchange)) {
        sp_grpc_call_refuse(call, SP_OVERLOADED, "too much is in flight, try again");
    } else {
        check_deadline(call, now_ns);
        if (!exchange->replied && call->handler->on_head)
            call->handler->on_head(call->handler->cookie, exchange);
    }
}

static void read_prefix(struct sp_grpc_call *call)
{
    const uint8_t *p = call->prefix;
    struct sp_exchange *exchange = call->exchange;
    struct sp_slice encoding;
    call->message_len =
        (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | (uint32_t)p[4];
    exchange->grpc_compressed = p[0] == 1;
    if (p[0] > 1)
        sp_grpc_call_refuse(call, SP_MALFORMED,
                            "a gRPC message begins with 0 or 1 (compressed), not with %u", p[0]);
    else if (p[0] == 1 && !sp_exchange_header(exchange, "grpc-encoding", &encoding))
        sp_grpc_call_refuse(call, SP_INTERNAL, /* so says gRPC's compression.md */
                            "the message is marked as compressed, but grpc-encoding is missing");
    else if (call->message_len > exchange->body.bytes.max)
        sp_grpc_call_refuse(call, SP_LIMIT, "the message of %u bytes is larger than %zu bytes",
                            call->message_len, exchange->body.bytes.max);
    else if (call->message_len > 0)
        /* A failure sticks to the buffer and is seen at the first append. */
        (void)sp_buf_reserve(&exchange->body.bytes,
                             call->message_len < RESERVE_MAX ? call->message_len : RESERVE_MAX);
}

void sp_grpc_call_data(struct sp_grpc_call *call, struct sp_slice bytes)
{
    struct sp_buf *body = &call->exchange->body.bytes;
    while (call->prefix_len < SP_GRPC_PREFIX_LEN && bytes.len > 0) {
        call->prefix[call->prefix_len++] = bytes.ptr[0];
        bytes = sp_slice_sub(bytes, 1, bytes.len);
        if (call->prefix_len == SP_GRPC_PREFIX_LEN)
            read_prefix(call);
    }
    if (bytes.len == 0 || call->exchange->replied)
        return;
    if (bytes.len > call->message_len - body->len) {
        sp_grpc_call_refuse(call, SP_MALFORMED,
                            "bytes follow the message of %u bytes: a unary call has one message",
                            call->message_len);
        return;
    }
    sp_buf_append_slice(body, bytes);
    if (body->error != SP_OK)
        sp_grpc_call_refuse(call, SP_NO_MEMORY, "out of memory, try again");
}

void sp_grpc_call_end(struct sp_grpc_call *call)
{
    struct sp_exchange *exchange = call->exchange;
    if (exchange->replied)
        return;
    if (call->prefix_len == 0) {
        sp_grpc_call_refuse(call, SP_MALFORMED, "the call holds no message");
    } else if (call->prefix_len < SP_GRPC_PREFIX_LEN ||
               exchange->body.bytes.len < call->message_len) {
        sp_grpc_call_refuse(call, SP_MALFORMED,
                            "the message is truncated: %zu of %u bytes came before the end",
                            exchange->body.bytes.len, call->message_len);
    } else {
        exchange->handed_over = true;
        call->handler->on_request(call->handler->cookie, exchange);
    }
}
