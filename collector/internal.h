/* SPDX-License-Identifier: Apache-2.0
 *
 * collector/internal.h: what the files of this room share. Not for other rooms. */
#pragma once

#include <stdatomic.h>

#include "collector/collector.h"
#include "lib/wire/wire.h"

/* How long a client should wait after "try again": long enough for a backlog to shrink, short enough not to matter. */
#define SP_COLLECTOR_RETRY_AFTER_NS ((uint64_t)1000 * 1000 * 1000)

/* Refused requests are logged at most so often: an overload must not fill the disk with lines about itself. */
#define SP_COLLECTOR_LOG_EVERY_NS ((uint64_t)1000 * 1000 * 1000)

/* Longest reason for refused spans in a reply; OTLP recommends replies of at most 4 MiB, this needs no more. */
#define SP_COLLECTOR_REASON_MAX 512

/* Replies are small: an export response or a google.rpc.Status. */
#define SP_COLLECTOR_REPLY_BYTES_MAX ((size_t)64 * 1024)

struct sp_collector {
    struct sp_collector_options options;
    atomic_bool draining;
    _Atomic uint64_t next_log_ns; /* monotonic */
    _Atomic uint64_t unlogged_refusals;
    struct {
        _Atomic uint64_t http_requests, grpc_requests;
        _Atomic uint64_t requests_acked, requests_refused_permanent, requests_refused_retryable;
        _Atomic uint64_t spans_acked, spans_rejected;
        _Atomic uint64_t spans_acked_grpc, spans_acked_http;
        _Atomic uint64_t refused_by_status[SP_STATUS_COUNT];
        _Atomic uint64_t rejected[SP_REJECTION_COUNT];
        _Atomic uint64_t body_bytes;
        _Atomic uint64_t requests_open;
    } counters;
};

static inline void sp_counter_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* The answer to one export, whatever the transport: made before the store is asked, used when it has answered. */
struct sp_receipt {
    struct sp_collector *collector;
    struct sp_exchange *exchange;
    enum sp_wire_format format;
    uint64_t spans, rejected_count, rejected[SP_REJECTION_COUNT];
    char reason[SP_COLLECTOR_REASON_MAX];
    void (*reply)(const struct sp_receipt *receipt, enum sp_status status,
                  const struct sp_error *error);
};

/* Takes the exchange's body, decodes it and hands it to the store; replies through `reply`, now or later, exactly once. */
void sp_collector_admit(struct sp_collector *collector, struct sp_exchange *exchange,
                        enum sp_wire_format format, enum sp_encoding encoding,
                        void (*reply)(const struct sp_receipt *receipt, enum sp_status status,
                                      const struct sp_error *error));

/* Counts a refused export. */
void sp_collector_count_refused(struct sp_collector *collector, enum sp_status status);
