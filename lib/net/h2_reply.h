/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/h2_reply.h: the reply of an exchange as HTTP/2 sends it: fields, body bytes, trailers; for gRPC with prefix and
 * status. Must not know frames. */
#pragma once

#include "lib/net/exchange.h"

struct sp_h2_reply {
    struct sp_header *fields; /* of the exchange's arena; ":status" first */
    size_t field_count;
    bool has_body; /* false: the fields end the stream (gRPC: trailers only) */
    struct sp_header trailers[3];
    size_t trailer_count;
    size_t sent_bytes; /* of prefix and body */
};

/* False: no memory. */
SP_MUST_USE bool sp_h2_reply_prepare(struct sp_h2_reply *reply, struct sp_exchange *exchange);

/* Copies what comes next of prefix and body; returns how much, *ret_all: that was the end. */
size_t sp_h2_reply_read(struct sp_h2_reply *reply, const struct sp_exchange *exchange, uint8_t *out,
                        size_t room, bool *ret_all);
