/* SPDX-License-Identifier: Apache-2.0
 *
 * collector/collector.c: the collector's life, its counters, and the codec it lends to the store. */
#include <stdlib.h>

#include "collector/internal.h"

enum sp_status sp_collector_new(const struct sp_collector_options *options,
                                struct sp_collector **ret, struct sp_error *reterr)
{
    SP_ASSERT(options->store && options->limits && options->budget && options->clock);
    struct sp_collector *collector = calloc(1, sizeof(*collector));
    if (!collector)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for the collector");
    collector->options = *options;
    *ret = collector;
    return SP_OK;
}

void sp_collector_free(struct sp_collector *collector)
{
    if (!collector)
        return;
    SP_ASSERT(atomic_load(&collector->counters.requests_open) == 0);
    free(collector);
}

void sp_collector_drain(struct sp_collector *collector)
{
    atomic_store(&collector->draining, true);
}

void sp_collector_stats(const struct sp_collector *collector, struct sp_collector_stats *ret)
{
    *ret = (struct sp_collector_stats){
        .http_requests = collector->counters.http_requests,
        .grpc_requests = collector->counters.grpc_requests,
        .requests_acked = collector->counters.requests_acked,
        .requests_refused_permanent = collector->counters.requests_refused_permanent,
        .requests_refused_retryable = collector->counters.requests_refused_retryable,
        .spans_acked = collector->counters.spans_acked,
        .spans_acked_grpc = collector->counters.spans_acked_grpc,
        .spans_acked_http = collector->counters.spans_acked_http,
        .spans_rejected = collector->counters.spans_rejected,
        .body_bytes = collector->counters.body_bytes,
        .requests_open = collector->counters.requests_open,
    };
}

uint64_t sp_collector_refused(const struct sp_collector *collector, enum sp_status status)
{
    return collector->counters.refused_by_status[status];
}

uint64_t sp_collector_rejected(const struct sp_collector *collector, enum sp_rejection rejection)
{
    return collector->counters.rejected[rejection];
}

/* ---- codec ---- */

static enum sp_encoding wire_encoding(enum sp_body_encoding encoding)
{
    switch (encoding) {
    case SP_BODY_IDENTITY:
        return SP_ENCODING_IDENTITY;
    case SP_BODY_GZIP:
        return SP_ENCODING_GZIP;
    case SP_BODY_ZSTD:
        return SP_ENCODING_ZSTD;
    }
    return SP_ENCODING_IDENTITY; /* from disk: decoding will say that it is not OTLP */
}

static enum sp_status codec_decode(void *cookie, enum sp_body_format format,
                                   enum sp_body_encoding encoding, struct sp_slice body,
                                   struct sp_buf *plain, struct sp_arena *arena,
                                   const struct sp_batch **ret_batch, struct sp_error *reterr)
{
    return sp_otlp_decode_body(arena, format == SP_BODY_OTLP_JSON ? SP_WIRE_JSON : SP_WIRE_PROTOBUF,
                               wire_encoding(encoding), body, plain, cookie, ret_batch, reterr);
}

struct sp_store_codec sp_collector_codec(const struct sp_limits *limits)
{
    /* The cookie is only ever read, as const limits, by codec_decode above. */
    return (struct sp_store_codec){.decode = codec_decode, .cookie = (void *)(uintptr_t)limits};
}
