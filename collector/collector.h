/* SPDX-License-Identifier: Apache-2.0
 *
 * collector/collector.h: receivers: export requests in, acks out. Decides what is taken (admission, limits,
 * back-pressure), hands it to the store and answers when the store says it is durable. Uses wire, net, model, base and
 * the writer half of storage; knows nothing of queries.
 *
 * Spec: opentelemetry-proto docs/specification.md (OTLP/gRPC, OTLP/HTTP), grpc/health/v1. */
#pragma once

#include "lib/net/net.h"
#include "storage/storage.h"

struct sp_collector;

struct sp_collector_options {
    struct sp_store *store;         /* borrowed; closed after sp_collector_free */
    const struct sp_limits *limits; /* borrowed; of one request */
    /* borrowed; memory of all requests from decoding until the store has applied them */
    struct sp_budget *budget;
    const struct sp_clock *clock; /* borrowed */
    const struct sp_log *log;     /* borrowed, may be NULL */
    /* borrowed; origins that browsers may send from, "*" for all; none: no CORS */
    const struct sp_slice *cors_origins;
    size_t cors_origin_count;
};

/* SP_NO_MEMORY only. */
SP_MUST_USE enum sp_status sp_collector_new(const struct sp_collector_options *options,
                                            struct sp_collector **ret, struct sp_error *reterr);

/* No transport may call it any more and every append must have been answered (servers stopped, store closed). NULL is
 * fine. */
void sp_collector_free(struct sp_collector *collector);

/* From now on exports get UNAVAILABLE and health says NOT_SERVING; what was taken is still answered. Any thread. */
void sp_collector_drain(struct sp_collector *collector);

/* Handlers for lib/net's servers: OTLP/HTTP, and OTLP/gRPC with grpc.health.v1. */
struct sp_handler sp_collector_http_handler(struct sp_collector *collector);
struct sp_handler sp_collector_grpc_handler(struct sp_collector *collector);

/* The store's way to read journalled bodies and to write rows: the same decoding as at the door, so that a replay
 * refuses the same spans. limits is borrowed. */
struct sp_store_codec sp_collector_codec(const struct sp_limits *limits);

/* Since start; each counter alone is exact. */
struct sp_collector_stats {
    uint64_t http_requests, grpc_requests; /* exports, refused ones included */
    uint64_t requests_acked, requests_refused_permanent, requests_refused_retryable;
    uint64_t spans_acked, spans_rejected;
    uint64_t spans_acked_grpc, spans_acked_http; /* spans_acked by how they came */
    uint64_t body_bytes;                         /* as received */
    uint64_t requests_open;                      /* waiting for the store now */
};

void sp_collector_stats(const struct sp_collector *collector, struct sp_collector_stats *ret);

/* Requests refused with this status since start: all statuses together are the refused ones of the stats. */
uint64_t sp_collector_refused(const struct sp_collector *collector, enum sp_status status);

/* Spans refused for this reason, in requests that were taken: all reasons together are the rejected ones of the stats. */
uint64_t sp_collector_rejected(const struct sp_collector *collector, enum sp_rejection rejection);
