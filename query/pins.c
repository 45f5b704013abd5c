/* SPDX-License-Identifier: Apache-2.0
 *
 * query/pins.c: /v1/pins: traces that retention leaves alone. */
#include "query/internal.h"

static void write_pin(struct sp_json_writer *w, const struct sp_pin *pin)
{
    char text[SP_TRACE_ID_TEXT];
    sp_trace_id_format(&pin->trace_id, text);
    sp_json_object_begin(w);
    sp_json_key(w, "traceId");
    sp_json_cstr(w, text);
    sp_json_key(w, "pinnedUnixNano");
    sp_json_u64_string(w, pin->pinned_unix_ns);
    sp_json_object_end(w);
}

enum sp_status sp_query_answer_pins(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_pins pins;
    struct sp_json_writer w;
    enum sp_status status = sp_store_pins(call->api->store, &call->arena, &pins, reterr);
    if (status != SP_OK)
        return status;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "pins");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < pins.count; i++)
        write_pin(&w, &pins.rows[i]);
    sp_json_array_end(&w);
    sp_json_key(&w, "pinsMax");
    sp_json_u64_string(&w, SP_PINS_MAX);
    sp_json_key(&w, "segments");
    sp_json_u64_string(&w, pins.segment_count);
    sp_json_key(&w, "segmentBytes");
    sp_json_u64_string(&w, pins.segment_bytes);
    sp_json_object_end(&w);
    return SP_OK;
}

enum sp_status sp_query_answer_pin(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_trace_id id;
    enum sp_status status = sp_query_path_trace(call, &id, reterr);
    if (status == SP_OK && sp_slice_trim(call->request.body).len > 0)
        return sp_error_set(reterr, SP_INVALID_ARGUMENT, "a pin has no body");
    if (status == SP_OK)
        status = sp_store_pin(call->api->store, &id, sp_clock_unix_ns(call->api->clock), reterr);
    if (status == SP_OK)
        call->reply.status = 204;
    return status;
}

enum sp_status sp_query_answer_unpin(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_trace_id id;
    enum sp_status status = sp_query_path_trace(call, &id, reterr);
    if (status == SP_OK)
        status = sp_store_unpin(call->api->store, &id, reterr);
    if (status == SP_OK)
        call->reply.status = 204;
    return status;
}
