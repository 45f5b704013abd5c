/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/server.h: what both servers have in common: options, address, counters, and a table of what each does in its own
 * way. Must not know a protocol. */
#pragma once

#include <stdatomic.h>

#include "lib/net/net.h"

#define SP_ADDRESS_TEXT_MAX 64 /* "[ffff:...:255.255.255.255]:65535" and its zero fit */

struct sp_server_counters {
    _Atomic uint64_t connections_accepted, connections_open, connections_refused;
    _Atomic uint64_t requests, requests_open, body_bytes;
    _Atomic uint64_t budget_refusals, timeouts, protocol_errors;
};

struct sp_server_kind {
    bool (*drain)(struct sp_server *server, uint32_t timeout_ms);
    void (*stop)(struct sp_server *server);
};

/* The first member of each server. */
struct sp_server {
    const struct sp_server_kind *kind;
    struct sp_server_options options; /* options.address is not kept */
    int listen_fd;                    /* -1: not listening (any more) */
    char address[SP_ADDRESS_TEXT_MAX];
    uint16_t port;
    struct sp_server_counters counters;
};

/* Copies the options and opens the listening socket. On error nothing is left open. */
SP_MUST_USE enum sp_status sp_server_init(struct sp_server *server,
                                          const struct sp_server_kind *kind,
                                          const struct sp_server_options *options,
                                          struct sp_error *reterr);

/* Text of a socket address, "127.0.0.1:4318". */
struct sockaddr;
void sp_address_format(const struct sockaddr *address, char text[SP_ADDRESS_TEXT_MAX]);

static inline void sp_count(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static inline void sp_uncount(_Atomic uint64_t *counter, uint64_t less)
{
    atomic_fetch_sub_explicit(counter, less, memory_order_relaxed);
}

static inline uint64_t sp_counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}
