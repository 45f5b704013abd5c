/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/wire/messages.c: the small messages around OTLP, in protobuf and JSON. They are off the hot path, so protobuf-c does
 * the work: this is the only file that knows it. None of them contains itself, so its recursion is bounded by their
 * declarations (proto/messages.proto). */
#include <inttypes.h>
#include <stdio.h>

#include "lib/wire/messages.pb-c.h"
#include "lib/wire/wire.h"

#define TYPE_RETRY_INFO  "type.googleapis.com/google.rpc.RetryInfo"
#define TYPE_BAD_REQUEST "type.googleapis.com/google.rpc.BadRequest"

#define NS_PER_S ((uint64_t)1000 * 1000 * 1000)

static void append_packed(struct sp_buf *out, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *to = sp_buf_reserve(out, len);
    if (to) {
        protobuf_c_message_pack(message, to);
        out->len += len;
    }
}

static void *arena_allocate(void *cookie, size_t bytes)
{
    return sp_arena_alloc(cookie, bytes);
}

static void arena_keep(void *cookie, void *memory)
{
    (void)cookie;
    (void)memory;
}

/* The message, in arena's memory; NULL: not such a message, or the arena is full. */
static ProtobufCMessage *unpack(struct sp_arena *arena, struct sp_slice in,
                                const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCAllocator allocator = {arena_allocate, arena_keep, arena};
    return protobuf_c_message_unpack(descriptor, &allocator, in.len, in.ptr);
}

/* protobuf-c wants terminated, writable strings. NULL: no memory. */
static char *terminated(struct sp_arena *arena, struct sp_slice s)
{
    char *copy = sp_arena_alloc(arena, s.len + 1);
    if (copy) {
        memcpy(copy, s.ptr ? s.ptr : (const uint8_t *)"", s.len);
        copy[s.len] = '\0';
    }
    return copy;
}

/* ---- ExportTraceServiceResponse ---- */

static void export_response_json(uint64_t rejected_spans, struct sp_slice reason,
                                 struct sp_buf *out)
{
    struct sp_json_writer w;
    sp_json_writer_init(&w, out);
    sp_json_object_begin(&w);
    if (rejected_spans > 0 || reason.len > 0) {
        sp_json_key(&w, "partialSuccess");
        sp_json_object_begin(&w);
        sp_json_key(&w, "rejectedSpans");
        sp_json_u64_string(&w, rejected_spans);
        sp_json_key(&w, "errorMessage");
        sp_json_string(&w, reason);
        sp_json_object_end(&w);
    }
    sp_json_object_end(&w);
}

enum sp_status sp_export_response_encode(enum sp_wire_format format, uint64_t rejected_spans,
                                         struct sp_slice reason, struct sp_buf *out)
{
    if (format == SP_WIRE_JSON) {
        export_response_json(rejected_spans, reason, out);
        return out->error;
    }
    struct sp_arena arena;
    sp_arena_init(&arena, reason.len + 64 * 1024);
    Spoor__Wire__ExportPartialSuccess partial;
    spoor__wire__export_partial_success__init(&partial);
    Spoor__Wire__ExportResponse response;
    spoor__wire__export_response__init(&response);
    partial.rejected_spans = (int64_t)rejected_spans;
    partial.error_message = terminated(&arena, reason);
    if (!partial.error_message) {
        sp_arena_fini(&arena);
        return SP_NO_MEMORY;
    }
    if (rejected_spans > 0 || reason.len > 0)
        response.partial_success = &partial;
    append_packed(out, &response.base);
    sp_arena_fini(&arena);
    return out->error;
}

enum sp_status sp_export_response_decode(struct sp_arena *arena, struct sp_slice in,
                                         uint64_t *ret_rejected_spans, struct sp_slice *ret_reason,
                                         struct sp_error *reterr)
{
    const Spoor__Wire__ExportResponse *response = (const Spoor__Wire__ExportResponse *)unpack(
        arena, in, &spoor__wire__export_response__descriptor);
    if (!response)
        return sp_error_set(reterr, SP_MALFORMED, "not an ExportTraceServiceResponse");
    const Spoor__Wire__ExportPartialSuccess *partial = response->partial_success;
    *ret_rejected_spans =
        partial && partial->rejected_spans > 0 ? (uint64_t)partial->rejected_spans : 0;
    *ret_reason = sp_slice_cstr(partial ? partial->error_message : "");
    return SP_OK;
}

/* ---- google.rpc.Status ---- */

/* What an error tells beside code and message. */
struct details {
    bool retry, bad_request;
    uint64_t retry_after_ns;
    char field[96]; /* of the bad request */
};

static struct details details_of(const struct sp_error *error, uint64_t retry_after_ns)
{
    struct details details = {
        .retry = sp_status_retryable(error->status) && retry_after_ns > 0,
        .bad_request = error->status == SP_MALFORMED || error->status == SP_INVALID_ARGUMENT,
        .retry_after_ns = retry_after_ns,
    };
    if (error->parameter[0])
        snprintf(details.field, sizeof(details.field), "%s", error->parameter);
    else if (error->offset != SP_ERROR_NO_OFFSET)
        snprintf(details.field, sizeof(details.field), "body, byte %" PRIu64, error->offset);
    else
        snprintf(details.field, sizeof(details.field), "body");
    return details;
}

static void rpc_status_json(const struct sp_error *error, const struct details *details,
                            struct sp_buf *out)
{
    struct sp_json_writer w;
    sp_json_writer_init(&w, out);
    sp_json_object_begin(&w);
    sp_json_key(&w, "code");
    sp_json_i64(&w, sp_status_grpc(error->status));
    sp_json_key(&w, "message");
    sp_json_cstr(&w, error->message);
    sp_json_key(&w, "details");
    sp_json_array_begin(&w);
    if (details->retry) {
        char delay[48];
        snprintf(delay, sizeof(delay), "%" PRIu64 ".%09" PRIu64 "s",
                 details->retry_after_ns / NS_PER_S, details->retry_after_ns % NS_PER_S);
        sp_json_object_begin(&w);
        sp_json_key(&w, "@type");
        sp_json_cstr(&w, TYPE_RETRY_INFO);
        sp_json_key(&w, "retryDelay");
        sp_json_cstr(&w, delay);
        sp_json_object_end(&w);
    }
    if (details->bad_request) {
        sp_json_object_begin(&w);
        sp_json_key(&w, "@type");
        sp_json_cstr(&w, TYPE_BAD_REQUEST);
        sp_json_key(&w, "fieldViolations");
        sp_json_array_begin(&w);
        sp_json_object_begin(&w);
        sp_json_key(&w, "field");
        sp_json_cstr(&w, details->field);
        sp_json_key(&w, "description");
        sp_json_cstr(&w, error->message);
        sp_json_object_end(&w);
        sp_json_array_end(&w);
        sp_json_object_end(&w);
    }
    sp_json_array_end(&w);
    sp_json_object_end(&w);
}

/* An Any around a message that was packed into buf. */
static Spoor__Wire__Any any_of(char *type_url, const struct sp_buf *buf)
{
    Spoor__Wire__Any any;
    spoor__wire__any__init(&any);
    any.type_url = type_url;
    any.value = (ProtobufCBinaryData){buf->len, buf->ptr};
    return any;
}

static void rpc_status_protobuf(const struct sp_error *error, struct details *details,
                                struct sp_buf *out)
{
    static char retry_type[] = TYPE_RETRY_INFO, bad_type[] = TYPE_BAD_REQUEST;
    struct sp_buf retry, bad;
    sp_buf_init(&retry, 64);
    sp_buf_init(&bad, (size_t)2 * SP_ERROR_MESSAGE_MAX);
    Spoor__Wire__Any anys[2], *pointers[2] = {&anys[0], &anys[1]};
    Spoor__Wire__RpcStatus status;
    spoor__wire__rpc_status__init(&status);
    char message[SP_ERROR_MESSAGE_MAX];
    snprintf(message, sizeof(message), "%s", error->message);
    status.code = sp_status_grpc(error->status);
    status.message = message;
    status.details = pointers;
    if (details->retry) {
        Spoor__Wire__Duration delay;
        spoor__wire__duration__init(&delay);
        Spoor__Wire__RetryInfo info;
        spoor__wire__retry_info__init(&info);
        delay.seconds = (int64_t)(details->retry_after_ns / NS_PER_S);
        delay.nanos = (int32_t)(details->retry_after_ns % NS_PER_S);
        info.retry_delay = &delay;
        append_packed(&retry, &info.base);
        anys[status.n_details++] = any_of(retry_type, &retry);
    }
    if (details->bad_request) {
        Spoor__Wire__FieldViolation violation;
        spoor__wire__field_violation__init(&violation);
        Spoor__Wire__FieldViolation *violations = &violation;
        Spoor__Wire__BadRequest request;
        spoor__wire__bad_request__init(&request);
        violation.field = details->field;
        violation.description = message;
        request.field_violations = &violations;
        request.n_field_violations = 1;
        append_packed(&bad, &request.base);
        anys[status.n_details++] = any_of(bad_type, &bad);
    }
    append_packed(out, &status.base);
    if (out->error == SP_OK && (retry.error != SP_OK || bad.error != SP_OK))
        out->error = SP_NO_MEMORY;
    sp_buf_fini(&retry);
    sp_buf_fini(&bad);
}

enum sp_status sp_rpc_status_encode(enum sp_wire_format format, const struct sp_error *error,
                                    uint64_t retry_after_ns, struct sp_buf *out)
{
    struct details details = details_of(error, retry_after_ns);
    if (format == SP_WIRE_JSON)
        rpc_status_json(error, &details, out);
    else
        rpc_status_protobuf(error, &details, out);
    return out->error;
}

enum sp_status sp_rpc_status_decode(struct sp_arena *arena, struct sp_slice in, int32_t *ret_code,
                                    struct sp_slice *ret_message, struct sp_error *reterr)
{
    const Spoor__Wire__RpcStatus *status =
        (const Spoor__Wire__RpcStatus *)unpack(arena, in, &spoor__wire__rpc_status__descriptor);
    if (!status)
        return sp_error_set(reterr, SP_MALFORMED, "not a google.rpc.Status");
    *ret_code = status->code;
    *ret_message = sp_slice_cstr(status->message);
    return SP_OK;
}

/* ---- grpc.health.v1 ---- */

enum sp_status sp_health_request_decode(struct sp_arena *arena, struct sp_slice in,
                                        struct sp_slice *ret_service, struct sp_error *reterr)
{
    const Spoor__Wire__HealthRequest *request = (const Spoor__Wire__HealthRequest *)unpack(
        arena, in, &spoor__wire__health_request__descriptor);
    if (!request)
        return sp_error_set(reterr, SP_MALFORMED, "not a grpc.health.v1.HealthCheckRequest");
    *ret_service = sp_slice_cstr(request->service);
    return SP_OK;
}

enum sp_status sp_health_response_encode(enum sp_health health, struct sp_buf *out)
{
    Spoor__Wire__HealthResponse response;
    spoor__wire__health_response__init(&response);
    response.status = (int32_t)health;
    append_packed(out, &response.base);
    return out->error;
}
