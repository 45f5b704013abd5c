/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/grpc_call.h: one gRPC call of a stream: header fields and body bytes, split anyhow, become an exchange with the one
 * message, or a refusal. Must not know HTTP/2 frames. Spec: gRPC's PROTOCOL-HTTP2.md. */
#pragma once

#include "lib/net/exchange.h"

#define SP_GRPC_PREFIX_LEN 5 /* compressed flag, 32-bit length */

struct sp_grpc_call {
    struct sp_exchange *exchange;
    const struct sp_handler *handler;
    bool head_too_large;
    uint8_t prefix[SP_GRPC_PREFIX_LEN];
    size_t prefix_len;
    uint32_t message_len; /* with the whole prefix */
};

/* exchange and handler are borrowed. */
void sp_grpc_call_init(struct sp_grpc_call *call, struct sp_exchange *exchange,
                       const struct sp_handler *handler);

/* One field of the request's header block, pseudo fields included. */
void sp_grpc_call_field(struct sp_grpc_call *call, struct sp_slice name, struct sp_slice value);

/* The header block is complete. Afterwards, and after each of the functions below: exchange->replied says that the
 * exchange was refused. */
void sp_grpc_call_head(struct sp_grpc_call *call, uint64_t now_ns);

/* Body bytes, whose budget was taken. */
void sp_grpc_call_data(struct sp_grpc_call *call, struct sp_slice bytes);

/* The stream's end: hands the exchange over, unless it is refused. */
void sp_grpc_call_end(struct sp_grpc_call *call);

/* Refuses from outside: no budget, too slow. */
SP_PRINTF(3, 4)
void sp_grpc_call_refuse(struct sp_grpc_call *call, enum sp_status status, const char *format, ...);

/* "100m" and the like to nanoseconds; false: not a grpc-timeout. */
bool sp_grpc_timeout_parse(struct sp_slice text, uint64_t *ret_ns);
