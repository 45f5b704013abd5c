/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/wire/wire.h: bytes become spans, spans become bytes. OTLP in protobuf and JSON, compressed request bodies, and the
 * small messages around them (export response, google.rpc.Status, gRPC health). Uses base and model. No I/O, no globals,
 * no logging; knows nothing of sockets, HTTP or storage. Every function is thread-safe.
 *
 * Spec: opentelemetry-proto 1.x: collector/trace/v1/trace_service.proto, trace/v1/trace.proto, common/v1/common.proto,
 * resource/v1/resource.proto, docs/specification.md (OTLP/HTTP, JSON mapping). */
#pragma once

#include "lib/base/base.h"
#include "lib/model/model.h"

/* ---- a whole request body ---- */

enum sp_wire_format { SP_WIRE_PROTOBUF = 1, SP_WIRE_JSON = 2 };

enum sp_encoding { SP_ENCODING_IDENTITY = 1, SP_ENCODING_GZIP = 2, SP_ENCODING_ZSTD = 3 };

/* The names of Content-Encoding and grpc-encoding, in any case; "" is identity. False for others. */
bool sp_encoding_parse(struct sp_slice name, enum sp_encoding *ret);
const char *sp_encoding_name(enum sp_encoding encoding);

/* Decompresses and decodes one export request: what the collector does with a request and the store with a journalled
 * one, so that both refuse the same spans.
 *
 * body     borrowed; the batch keeps slices into it if encoding is identity, otherwise into plain.
 * plain    takes the decompressed body; it must be empty, and its ceiling is lowered to limits->body_bytes_max for the
 *          call. Untouched if encoding is identity.
 * The rest as sp_otlp_decode; a body that is not of this encoding is SP_MALFORMED. */
SP_MUST_USE enum sp_status sp_otlp_decode_body(struct sp_arena *arena, enum sp_wire_format format,
                                               enum sp_encoding encoding, struct sp_slice body,
                                               struct sp_buf *plain, const struct sp_limits *limits,
                                               const struct sp_batch **ret_batch,
                                               struct sp_error *reterr);

/* Appends the decompressed bytes to out, whose ceiling bounds them. Identity copies. gzip: all members (RFC 1952,
 * section 2.2); zstd: all frames, windows up to SP_ZSTD_WINDOW_LOG_MAX.
 * SP_MALFORMED  not this encoding, truncated, checksum wrong, or bytes behind the end.
 * SP_LIMIT      more than the ceiling, or a larger window.   SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_decompress(enum sp_encoding encoding, struct sp_slice in,
                                         struct sp_buf *out, struct sp_error *reterr);

/* 8 MiB: what RFC 8878 asks every decoder to take. */
#define SP_ZSTD_WINDOW_LOG_MAX 23

/* Appends in as one gzip member or zstd frame, or as it is. level: 1 (fast) to 9. SP_LIMIT, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_compress(enum sp_encoding encoding, struct sp_slice in, int level,
                                       struct sp_buf *out);

/* ---- OTLP protobuf ---- */

/* Decodes an ExportTraceServiceRequest; TracesData has the same shape on the wire.
 *
 * arena   owns everything of the result but strings and bytes; its cap bounds memory.
 * in      borrowed; the batch keeps slices into it, so it must outlive the batch.
 * limits  body_bytes_max, spans_max, attributes_max and nesting_max (at most SP_NESTING_MAX) are obeyed here; never NULL.
 *
 * A span is refused alone (rejected_count, rejected by reason, rejected_reason) when its trace id is not 16 bytes or its span id not 8, or
 * one of them is zero; when its parent is neither 8 bytes nor empty (a zero parent is no parent); when an id of a link
 * has another length (links may carry zero ids, the OpenTelemetry specification allows them); and when a string of it is
 * not valid UTF-8. If that is a string of a resource or scope, all spans below are refused.
 * SP_MALFORMED  not this message, or truncated: broken framing anywhere refuses the whole.
 * SP_LIMIT      a limit or the arena's cap was reached.
 * SP_NO_MEMORY, SP_OVERLOADED  of the arena: try again.
 * On error *ret_batch is untouched, and *reterr has the offset and the place ("resource_spans[0].scope_spans[2]..."). */
SP_MUST_USE enum sp_status sp_otlp_decode(struct sp_arena *arena, struct sp_slice in,
                                          const struct sp_limits *limits,
                                          const struct sp_batch **ret_batch,
                                          struct sp_error *reterr);

/* Appends count spans, given by pointer, as one TracesData (or ExportTraceServiceRequest: the same bytes). Lossless:
 * decoding gives spans that are equal field for field, residues included. Neighbours whose resource and scope are equal
 * share one group. SP_LIMIT: out's ceiling.   SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_otlp_encode(const struct sp_span *const *spans, size_t count,
                                          struct sp_buf *out);

/* ---- OTLP JSON ---- */

/* The same for the JSON mapping of OTLP: hex ids in either case, 64-bit integers as string or number, enums as numbers,
 * bytes in base64, unknown fields ignored, lowerCamelCase only, null is the same as absent. Strings with escapes are
 * unescaped into arena. A value of the wrong type (an enum by its name, say) is SP_MALFORMED with its offset and place;
 * bad ids refuse the span alone. */
SP_MUST_USE enum sp_status sp_otlp_json_decode(struct sp_arena *arena, struct sp_slice in,
                                               const struct sp_limits *limits,
                                               const struct sp_batch **ret_batch,
                                               struct sp_error *reterr);

/* Writes count spans as one value {"resourceSpans":[...]}. Residues have no place in JSON and are left out; all else is
 * lossless, except that the payload of a NaN is lost. Errors are those of the writer's buffer and stick there. */
void sp_otlp_json_encode(const struct sp_span *const *spans, size_t count,
                         struct sp_json_writer *w);

/* One value each, as it stands inside the message above: a Span, a Resource, an InstrumentationScope, the array of
 * KeyValue, an AnyValue. */
void sp_otlp_json_span(const struct sp_span *span, struct sp_json_writer *w);
void sp_otlp_json_resource(const struct sp_resource *resource, struct sp_json_writer *w);
void sp_otlp_json_scope(const struct sp_scope *scope, struct sp_json_writer *w);
void sp_otlp_json_attributes(const struct sp_attributes *attributes, struct sp_json_writer *w);
void sp_otlp_json_value(const struct sp_value *value, struct sp_json_writer *w);

/* ---- the messages around ---- */

/* Appends an ExportTraceServiceResponse. rejected 0 and an empty reason: partial_success stays unset.
 * SP_LIMIT: out's ceiling.   SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_export_response_encode(enum sp_wire_format format,
                                                     uint64_t rejected_spans,
                                                     struct sp_slice reason, struct sp_buf *out);

/* Reads one, protobuf only (for clients). *ret_reason is memory of arena. */
SP_MUST_USE enum sp_status sp_export_response_decode(struct sp_arena *arena, struct sp_slice in,
                                                     uint64_t *ret_rejected_spans,
                                                     struct sp_slice *ret_reason,
                                                     struct sp_error *reterr);

/* Appends the google.rpc.Status of an error: its gRPC code and message; with google.rpc.RetryInfo if the status is
 * retryable and retry_after_ns is not 0; with google.rpc.BadRequest (field: the parameter, or the byte offset) if the
 * input was at fault (SP_MALFORMED, SP_INVALID_ARGUMENT). */
SP_MUST_USE enum sp_status sp_rpc_status_encode(enum sp_wire_format format,
                                                const struct sp_error *error,
                                                uint64_t retry_after_ns, struct sp_buf *out);

/* Reads code and message of one, protobuf only (for clients). *ret_message is memory of arena. */
SP_MUST_USE enum sp_status sp_rpc_status_decode(struct sp_arena *arena, struct sp_slice in,
                                                int32_t *ret_code, struct sp_slice *ret_message,
                                                struct sp_error *reterr);

/* grpc.health.v1: reads the service name of a HealthCheckRequest (memory of arena) and appends a HealthCheckResponse. */
enum sp_health { SP_HEALTH_UNKNOWN = 0, SP_HEALTH_SERVING = 1, SP_HEALTH_NOT_SERVING = 2 };
SP_MUST_USE enum sp_status sp_health_request_decode(struct sp_arena *arena, struct sp_slice in,
                                                    struct sp_slice *ret_service,
                                                    struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_health_response_encode(enum sp_health health, struct sp_buf *out);
