/* SPDX-License-Identifier: Apache-2.0
 *
 * collector/http.c: OTLP/HTTP: POST /v1/traces in protobuf and JSON, and CORS for browsers that send spans themselves.
 * Every refusal is a google.rpc.Status in the request's own encoding (JSON where the request names none, so that a person
 * with curl can read it). */
#include "collector/internal.h"

#define SP_TRACES_PATH "/v1/traces"

/* How long a browser may remember the answer to a preflight request. */
#define SP_CORS_MAX_AGE_SECONDS "7200"

/* Most headers one reply carries. */
#define SP_REPLY_HEADERS_MAX 8

struct reply_headers {
    struct sp_header items[SP_REPLY_HEADERS_MAX];
    size_t count;
};

static void add_header(struct reply_headers *headers, const char *name, struct sp_slice value)
{
    SP_ASSERT(headers->count < SP_REPLY_HEADERS_MAX);
    headers->items[headers->count++] = (struct sp_header){sp_slice_cstr(name), value};
}

/* ---- CORS ---- */

/* The request's Origin if this server answers it. */
static bool allowed_origin(const struct sp_collector *collector, const struct sp_exchange *exchange,
                           struct sp_slice *ret)
{
    if (!sp_exchange_header(exchange, "origin", ret))
        return false;
    for (size_t i = 0; i < collector->options.cors_origin_count; i++) {
        struct sp_slice allowed = collector->options.cors_origins[i];
        if (sp_slice_equal_cstr(allowed, "*") || sp_slice_equal_nocase(allowed, *ret))
            return true;
    }
    return false;
}

/* Without an allowed origin nothing is added: the browser then refuses the answer, which is the point. */
static void add_cors_headers(const struct sp_collector *collector,
                             const struct sp_exchange *exchange, struct reply_headers *headers)
{
    struct sp_slice origin;
    if (collector->options.cors_origin_count > 0)
        add_header(headers, "vary", SP_SLICE("origin"));
    if (allowed_origin(collector, exchange, &origin))
        add_header(headers, "access-control-allow-origin", origin);
}

static void reply_preflight(const struct sp_collector *collector, struct sp_exchange *exchange)
{
    struct reply_headers headers = {.count = 0};
    struct sp_slice asked_headers;
    add_cors_headers(collector, exchange, &headers);
    add_header(&headers, "access-control-allow-methods", SP_SLICE("POST"));
    add_header(&headers, "access-control-max-age", SP_SLICE(SP_CORS_MAX_AGE_SECONDS));
    /* Exporters may be configured to send any header; this server acts on none of them, so all are harmless. */
    if (sp_exchange_header(exchange, "access-control-request-headers", &asked_headers))
        add_header(&headers, "access-control-allow-headers", asked_headers);
    sp_exchange_reply(exchange, 204, headers.items, headers.count, NULL);
}

/* ---- replies ---- */

static const char *media_type(enum sp_wire_format format)
{
    return format == SP_WIRE_JSON ? "application/json" : "application/x-protobuf";
}

static void reply_body(const struct sp_collector *collector, struct sp_exchange *exchange,
                       int http_status, enum sp_wire_format format, struct reply_headers *headers,
                       struct sp_buf *body)
{
    add_header(headers, "content-type", sp_slice_cstr(media_type(format)));
    add_cors_headers(collector, exchange, headers);
    sp_exchange_reply(exchange, http_status, headers->items, headers->count, body);
    sp_buf_fini(body);
}

static void reply_error(const struct sp_collector *collector, struct sp_exchange *exchange,
                        int http_status, enum sp_wire_format format, const struct sp_error *error)
{
    struct reply_headers headers = {.count = 0};
    struct sp_buf body;
    sp_buf_init(&body, SP_COLLECTOR_REPLY_BYTES_MAX);
    if (sp_rpc_status_encode(format, error, SP_COLLECTOR_RETRY_AFTER_NS, &body) != SP_OK)
        sp_buf_reset(&body); /* the status line still says what kind of error it is */
    if (sp_status_retryable(error->status))
        add_header(&headers, "retry-after", SP_SLICE("1"));
    if (error->status == SP_METHOD)
        add_header(&headers, "allow", SP_SLICE("POST"));
    if (error->status == SP_UNSUPPORTED)
        add_header(&headers, "accept-encoding", SP_SLICE("gzip, zstd, identity"));
    reply_body(collector, exchange, http_status, format, &headers, &body);
}

static void reply_export(const struct sp_receipt *receipt, enum sp_status status,
                         const struct sp_error *error)
{
    struct sp_error encode_error;
    struct reply_headers headers = {.count = 0};
    struct sp_buf body;
    sp_buf_init(&body, SP_COLLECTOR_REPLY_BYTES_MAX);
    if (status == SP_OK) {
        sp_counter_add(&receipt->collector->counters.spans_acked_http, receipt->spans);
        status = sp_export_response_encode(receipt->format, receipt->rejected_count,
                                           sp_slice_cstr(receipt->reason), &body);
        if (status != SP_OK) {
            sp_error_set(&encode_error, status,
                         "the spans are stored, but the reply could not be made");
            error = &encode_error;
        }
    }
    if (status == SP_OK) {
        reply_body(receipt->collector, receipt->exchange, 200, receipt->format, &headers, &body);
    } else {
        sp_buf_fini(&body);
        reply_error(receipt->collector, receipt->exchange, sp_status_http(error->status),
                    receipt->format, error);
    }
}

/* ---- admission by the head ---- */

static enum sp_status parse_content_type(const struct sp_exchange *exchange,
                                         enum sp_wire_format *ret, struct sp_error *reterr)
{
    struct sp_slice value = SP_SLICE("");
    *ret = SP_WIRE_JSON;
    if (!sp_exchange_header(exchange, "content-type", &value))
        return sp_error_set_parameter(
            reterr, SP_UNSUPPORTED, "content-type",
            "there is no Content-Type; application/x-protobuf and application/json are supported");
    if (sp_media_type_is(value, "application/json"))
        return SP_OK;
    *ret = SP_WIRE_PROTOBUF;
    if (sp_media_type_is(value, "application/x-protobuf") ||
        sp_media_type_is(value, "application/protobuf"))
        return SP_OK;
    *ret = SP_WIRE_JSON;
    return sp_error_set_parameter(
        reterr, SP_UNSUPPORTED, "content-type",
        "Content-Type \"%.*s\" is not supported; application/x-protobuf and application/json are",
        SP_SLICE_PRINTF(sp_slice_sub(value, 0, 128)));
}

static enum sp_status parse_content_encoding(const struct sp_exchange *exchange,
                                             enum sp_encoding *ret, struct sp_error *reterr)
{
    struct sp_slice value = SP_SLICE("");
    *ret = SP_ENCODING_IDENTITY;
    if (!sp_exchange_header(exchange, "content-encoding", &value) ||
        sp_encoding_parse(sp_slice_trim(value), ret))
        return SP_OK;
    return sp_error_set_parameter(
        reterr, SP_UNSUPPORTED, "content-encoding",
        "Content-Encoding \"%.*s\" is not supported; gzip, zstd and identity are",
        SP_SLICE_PRINTF(sp_slice_sub(value, 0, 128)));
}

static enum sp_status check_path(struct sp_slice path, struct sp_error *reterr)
{
    static const char *const other_signals[] = {"/v1/logs", "/v1/metrics",
                                                "/v1development/profiles"};
    if (sp_slice_equal_cstr(path, SP_TRACES_PATH))
        return SP_OK;
    for (size_t i = 0; i < SP_ARRAY_LEN(other_signals); i++) {
        if (sp_slice_equal_cstr(path, other_signals[i]))
            return sp_error_set(reterr, SP_NOT_FOUND,
                                "Spoor takes traces only (POST " SP_TRACES_PATH
                                "); nothing is stored for %s: turn "
                                "off this exporter or send it elsewhere",
                                other_signals[i]);
    }
    return sp_error_set(reterr, SP_NOT_FOUND,
                        "there is nothing at %.*s; this port takes OTLP/HTTP: POST " SP_TRACES_PATH,
                        SP_SLICE_PRINTF(sp_slice_sub(path, 0, 200)));
}

/* A declared length over the limit is refused before a byte is read. */
static enum sp_status check_length(const struct sp_collector *collector,
                                   const struct sp_exchange *exchange, struct sp_error *reterr)
{
    struct sp_slice value;
    uint64_t length;
    if (sp_exchange_header(exchange, "content-length", &value) &&
        sp_parse_u64(sp_slice_trim(value), &length) &&
        length > collector->options.limits->body_bytes_max)
        return sp_error_set_parameter(
            reterr, SP_LIMIT, "content-length",
            "the body has %llu bytes, more than the limit of %zu; send smaller batches",
            (unsigned long long)length, collector->options.limits->body_bytes_max);
    return SP_OK;
}

static bool is_preflight(const struct sp_exchange *exchange)
{
    struct sp_slice unused;
    return sp_slice_equal_cstr(sp_exchange_method(exchange), "OPTIONS") &&
           sp_exchange_header(exchange, "access-control-request-method", &unused);
}

static void on_head(void *cookie, struct sp_exchange *exchange)
{
    struct sp_collector *collector = cookie;
    struct sp_error error, ignored;
    struct sp_slice method = sp_exchange_method(exchange);
    enum sp_wire_format format;
    enum sp_encoding encoding;
    bool typed = parse_content_type(exchange, &format, &ignored) == SP_OK;
    enum sp_status status = check_path(sp_exchange_path(exchange), &error);
    if (status == SP_OK && collector->options.cors_origin_count > 0 && is_preflight(exchange)) {
        reply_preflight(collector, exchange);
        return;
    }
    if (status == SP_OK && !sp_slice_equal_cstr(method, "POST"))
        status = sp_error_set(&error, SP_METHOD, "send spans with POST, not %.*s",
                              SP_SLICE_PRINTF(sp_slice_sub(method, 0, 32)));
    if (status == SP_OK && !typed)
        status = parse_content_type(exchange, &format, &error);
    if (status == SP_OK)
        status = parse_content_encoding(exchange, &encoding, &error);
    if (status == SP_OK)
        status = check_length(collector, exchange, &error);
    if (status == SP_OK)
        return;
    sp_counter_add(&collector->counters.http_requests, 1);
    sp_collector_count_refused(collector, status);
    reply_error(collector, exchange, sp_status_http(status), format, &error);
}

static void on_request(void *cookie, struct sp_exchange *exchange)
{
    struct sp_collector *collector = cookie;
    enum sp_wire_format format;
    enum sp_encoding encoding;
    sp_counter_add(&collector->counters.http_requests, 1);
    /* on_head let only these through. */
    SP_ASSERT(parse_content_type(exchange, &format, NULL) == SP_OK);
    SP_ASSERT(parse_content_encoding(exchange, &encoding, NULL) == SP_OK);
    sp_collector_admit(collector, exchange, format, encoding, reply_export);
}

/* The transport's own refusals (too large, too slow, no memory), in the form that OTLP asks for. */
static void on_refused(void *cookie, struct sp_exchange *exchange, int http_status,
                       const struct sp_error *error)
{
    struct sp_collector *collector = cookie;
    enum sp_wire_format format;
    if (parse_content_type(exchange, &format, NULL) != SP_OK)
        format = SP_WIRE_JSON;
    sp_counter_add(&collector->counters.http_requests, 1);
    sp_collector_count_refused(collector, error->status);
    reply_error(collector, exchange, http_status, format, error);
}

struct sp_handler sp_collector_http_handler(struct sp_collector *collector)
{
    return (struct sp_handler){.cookie = collector,
                               .on_head = on_head,
                               .on_request = on_request,
                               .on_refused = on_refused};
}
