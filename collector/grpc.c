/* SPDX-License-Identifier: Apache-2.0
 *
 * collector/grpc.c: OTLP/gRPC and grpc.health.v1. A table of methods; what is not in it is UNIMPLEMENTED, with a sentence
 * that says what this server does take. */
#include <stdio.h>

#include "collector/internal.h"

#define SP_TRACE_SERVICE "opentelemetry.proto.collector.trace.v1.TraceService"

/* Health requests are a service name. */
#define SP_HEALTH_ARENA_BYTES ((size_t)64 * 1024)

struct method {
    const char *path;
    void (*call)(struct sp_collector *collector, struct sp_exchange *exchange,
                 enum sp_encoding encoding);
    const char *sentence; /* for methods that are known and not offered */
};

static void reply_error(struct sp_exchange *exchange, const struct sp_error *error)
{
    struct sp_buf details;
    sp_buf_init(&details, SP_COLLECTOR_REPLY_BYTES_MAX);
    if (sp_rpc_status_encode(SP_WIRE_PROTOBUF, error, SP_COLLECTOR_RETRY_AFTER_NS, &details) !=
        SP_OK)
        sp_buf_reset(&details); /* code and message still go out in the trailers */
    sp_exchange_reply_grpc(exchange, sp_status_grpc(error->status), sp_slice_cstr(error->message),
                           sp_buf_slice(&details), NULL);
    sp_buf_fini(&details);
}

static void reply_export(const struct sp_receipt *receipt, enum sp_status status,
                         const struct sp_error *error)
{
    struct sp_error encode_error;
    struct sp_buf body;
    sp_buf_init(&body, SP_COLLECTOR_REPLY_BYTES_MAX);
    if (status == SP_OK) {
        sp_counter_add(&receipt->collector->counters.spans_acked_grpc, receipt->spans);
        status = sp_export_response_encode(SP_WIRE_PROTOBUF, receipt->rejected_count,
                                           sp_slice_cstr(receipt->reason), &body);
        if (status != SP_OK) {
            sp_error_set(&encode_error, status,
                         "the spans are stored, but the reply could not be made");
            error = &encode_error;
        }
    }
    if (status == SP_OK)
        sp_exchange_reply_grpc(receipt->exchange, 0, SP_SLICE(""), SP_SLICE(""), &body);
    else
        reply_error(receipt->exchange, error);
    sp_buf_fini(&body);
}

static void call_export(struct sp_collector *collector, struct sp_exchange *exchange,
                        enum sp_encoding encoding)
{
    sp_counter_add(&collector->counters.grpc_requests, 1);
    sp_collector_admit(collector, exchange, SP_WIRE_PROTOBUF, encoding, reply_export);
}

/* The health request's service name, decompressed and decoded into arena. */
static enum sp_status read_health_request(struct sp_exchange *exchange, enum sp_encoding encoding,
                                          struct sp_arena *arena, struct sp_slice *ret_service,
                                          struct sp_error *error)
{
    struct sp_buf plain;
    sp_buf_init(&plain, SP_HEALTH_ARENA_BYTES);
    enum sp_status status = sp_decompress(encoding, sp_exchange_body(exchange), &plain, error);
    if (status == SP_OK)
        status = sp_health_request_decode(arena, sp_buf_slice(&plain), ret_service, error);
    sp_buf_fini(&plain);
    return status;
}

/* Exports would be taken: it neither stops, nor is its journal still being read. */
static enum sp_status is_serving(const struct sp_collector *collector, bool *ret,
                                 struct sp_error *reterr)
{
    struct sp_store_stats stats;
    enum sp_status status = sp_store_stats(collector->options.store, &stats, reterr);
    if (status == SP_OK)
        *ret = !stats.opening && !atomic_load(&collector->draining);
    return status;
}

static void call_health_check(struct sp_collector *collector, struct sp_exchange *exchange,
                              enum sp_encoding encoding)
{
    struct sp_error error;
    struct sp_slice service;
    struct sp_arena arena;
    struct sp_buf body;
    sp_arena_init(&arena, SP_HEALTH_ARENA_BYTES);
    sp_buf_init(&body, SP_COLLECTOR_REPLY_BYTES_MAX);
    enum sp_status status = read_health_request(exchange, encoding, &arena, &service, &error);
    if (status == SP_OK && service.len > 0 && !sp_slice_equal_cstr(service, SP_TRACE_SERVICE))
        status = sp_error_set(&error, SP_NOT_FOUND,
                              "there is no service \"%.*s\" here; \"\" and \"%s\" are known",
                              SP_SLICE_PRINTF(sp_slice_sub(service, 0, 200)), SP_TRACE_SERVICE);
    bool serving = false;
    if (status == SP_OK)
        status = is_serving(collector, &serving, &error);
    if (status == SP_OK) {
        status =
            sp_health_response_encode(serving ? SP_HEALTH_SERVING : SP_HEALTH_NOT_SERVING, &body);
        if (status != SP_OK)
            sp_error_set(&error, status, "the health reply could not be made");
    }
    if (status == SP_OK)
        sp_exchange_reply_grpc(exchange, 0, SP_SLICE(""), SP_SLICE(""), &body);
    else
        reply_error(exchange, &error);
    sp_buf_fini(&body);
    sp_arena_fini(&arena);
}

static const struct method methods[] = {
    {"/" SP_TRACE_SERVICE "/Export", call_export, NULL},
    {"/grpc.health.v1.Health/Check", call_health_check, NULL},
    {"/grpc.health.v1.Health/Watch", NULL, "health is answered by Check; Watch is not offered"},
    {"/opentelemetry.proto.collector.logs.v1.LogsService/Export", NULL,
     "Spoor takes traces only; logs are not stored here: turn off this exporter or send it "
     "elsewhere"},
    {"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", NULL,
     "Spoor takes traces only; metrics are not stored here: turn off this exporter or send it "
     "elsewhere"},
    {"/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export", NULL,
     "Spoor takes traces only; profiles are not stored here: turn off this exporter or send it "
     "elsewhere"},
};

static const struct method *find_method(struct sp_slice path)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(methods); i++) {
        if (sp_slice_equal_cstr(path, methods[i].path))
            return &methods[i];
    }
    return NULL;
}

/* The message's compression, from the flag before it and the grpc-encoding header. */
static enum sp_status message_encoding(const struct sp_exchange *exchange, enum sp_encoding *ret,
                                       struct sp_error *reterr)
{
    *ret = SP_ENCODING_IDENTITY;
    struct sp_slice name = SP_SLICE("");
    bool named = sp_exchange_header(exchange, "grpc-encoding", &name);
    if (named && !sp_encoding_parse(name, ret))
        return sp_error_set_parameter(
            reterr, SP_UNSUPPORTED, "grpc-encoding",
            "grpc-encoding \"%.*s\" is not supported; identity, gzip and zstd are",
            SP_SLICE_PRINTF(sp_slice_sub(name, 0, 64)));
    bool compressed = sp_exchange_grpc_compressed(exchange);
    if (compressed && *ret == SP_ENCODING_IDENTITY)
        return sp_error_set_parameter(
            reterr, SP_INTERNAL, "grpc-encoding",
            "the message is flagged as compressed, but grpc-encoding does not say how");
    if (!compressed)
        *ret = SP_ENCODING_IDENTITY;
    return SP_OK;
}

/* Refusals wait for the whole message, too: it is bounded and charged to the budget, and some clients lose a reply that
 * comes while they still send. */
static void on_request(void *cookie, struct sp_exchange *exchange)
{
    struct sp_slice path = sp_exchange_path(exchange);
    const struct method *method = find_method(path);
    struct sp_error error;
    enum sp_encoding encoding;
    enum sp_status status = SP_OK;
    if (!method)
        status = sp_error_set(
            &error, SP_UNIMPLEMENTED, "there is no method %.*s here; Spoor answers %s and %s",
            SP_SLICE_PRINTF(sp_slice_sub(path, 0, 200)), methods[0].path, methods[1].path);
    else if (!method->call)
        status = sp_error_set(&error, SP_UNIMPLEMENTED, "%s", method->sentence);
    else
        status = message_encoding(exchange, &encoding, &error);
    if (status != SP_OK)
        reply_error(exchange, &error);
    else
        method->call(cookie, exchange, encoding);
}

/* The transport's own refusals (too large, too slow, no memory, not one message), with their google.rpc.Status. */
static void on_refused(void *cookie, struct sp_exchange *exchange, int http_status,
                       const struct sp_error *error)
{
    struct sp_collector *collector = cookie;
    (void)http_status;
    sp_counter_add(&collector->counters.grpc_requests, 1);
    sp_collector_count_refused(collector, error->status);
    reply_error(exchange, error);
}

struct sp_handler sp_collector_grpc_handler(struct sp_collector *collector)
{
    return (struct sp_handler){
        .cookie = collector, .on_request = on_request, .on_refused = on_refused};
}
