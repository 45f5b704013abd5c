/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/h2_reply.c: replies as HTTP/2 and gRPC (PROTOCOL-HTTP2.md, Responses) want them. Must not know frames. */
#include "lib/net/h2_reply.h"

#include <stdio.h>

#include "lib/net/grpc_call.h"

#define FIELDS_FIXED 6 /* besides the handler's own: status, type or length, encodings, trailers */

static void add(struct sp_h2_reply *reply, struct sp_slice name, struct sp_slice value)
{
    reply->fields[reply->field_count++] = (struct sp_header){name, value};
}

/* A number as text in the exchange's arena; "" when that is full. */
static struct sp_slice number_text(struct sp_exchange *exchange, uint64_t number)
{
    char text[24];
    struct sp_slice copied = {NULL, 0};
    int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    (void)!sp_arena_copy(&exchange->arena, sp_slice_make(text, (size_t)len), &copied);
    return copied;
}

static void prepare_trailers(struct sp_h2_reply *reply, struct sp_exchange *exchange)
{
    const struct sp_exchange_reply *r = &exchange->reply;
    const struct sp_header all[] = {
        {SP_SLICE("grpc-status"), number_text(exchange, (uint64_t)r->grpc_status)},
        {SP_SLICE("grpc-message"), r->grpc_message},
        {SP_SLICE("grpc-status-details-bin"), r->grpc_details},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(all); i++) {
        if (all[i].value.len > 0)
            reply->trailers[reply->trailer_count++] = all[i];
    }
}

static void prepare_grpc(struct sp_h2_reply *reply, struct sp_exchange *exchange)
{
    struct sp_slice content_type = SP_SLICE("application/grpc");
    (void)sp_exchange_header(exchange, "content-type", &content_type);
    add(reply, SP_SLICE(":status"), SP_SLICE("200"));
    add(reply, SP_SLICE("content-type"), content_type);
    add(reply, SP_SLICE("grpc-accept-encoding"), SP_SLICE("identity,gzip"));
    prepare_trailers(reply, exchange);
    reply->has_body = exchange->reply.grpc_status == 0;
    if (reply->has_body)
        return;
    for (size_t i = 0; i < reply->trailer_count; i++)
        add(reply, reply->trailers[i].name, reply->trailers[i].value);
}

static void prepare_http(struct sp_h2_reply *reply, struct sp_exchange *exchange)
{
    const struct sp_exchange_reply *r = &exchange->reply;
    add(reply, SP_SLICE(":status"), number_text(exchange, (uint64_t)r->http_status));
    add(reply, SP_SLICE("content-length"),
        number_text(exchange, sp_exchange_reply_body(exchange).len));
    for (size_t i = 0; i < r->header_count; i++)
        add(reply, r->headers[i].name, r->headers[i].value);
    reply->has_body = true;
}

bool sp_h2_reply_prepare(struct sp_h2_reply *reply, struct sp_exchange *exchange)
{
    *reply = (struct sp_h2_reply){.fields = NULL};
    reply->fields = sp_arena_calloc(&exchange->arena, FIELDS_FIXED + exchange->reply.header_count,
                                    sizeof(*reply->fields));
    if (!reply->fields)
        return false;
    if (exchange->reply.grpc)
        prepare_grpc(reply, exchange);
    else
        prepare_http(reply, exchange);
    return true;
}

size_t sp_h2_reply_read(struct sp_h2_reply *reply, const struct sp_exchange *exchange, uint8_t *out,
                        size_t room, bool *ret_all)
{
    struct sp_slice body = sp_exchange_reply_body(exchange);
    const uint8_t prefix[SP_GRPC_PREFIX_LEN] = {0, (uint8_t)(body.len >> 24),
                                                (uint8_t)(body.len >> 16), (uint8_t)(body.len >> 8),
                                                (uint8_t)body.len};
    size_t prefix_len = exchange->reply.grpc ? SP_GRPC_PREFIX_LEN : 0, copied = 0;
    while (copied < room && reply->sent_bytes < prefix_len)
        out[copied++] = prefix[reply->sent_bytes++];
    struct sp_slice part = {NULL, 0};
    if (reply->sent_bytes >= prefix_len)
        part = sp_slice_sub(body, reply->sent_bytes - prefix_len, room - copied);
    if (part.len > 0)
        memcpy(out + copied, part.ptr, part.len);
    reply->sent_bytes += part.len;
    *ret_all = reply->sent_bytes == prefix_len + body.len;
    return copied + part.len;
}
