/* SPDX-License-Identifier: Apache-2.0
 *
 * query/short_links.c: /v1/links: long addresses of pages under short names. */
#include "query/internal.h"

/* {"state": "..."} is one object. */
#define BODY_DEPTH 2

static const char body_text[] =
    "the body is {\"state\": \"...\"}: the parameters of a page, as its address has them";

/* 16 hex digits, as a span's id has. */
static void write_id(struct sp_json_writer *w, uint64_t id)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(id >> (56 - 8 * i));
    sp_json_key(w, "id");
    sp_json_hex(w, sp_slice_make(bytes, sizeof(bytes)));
}

static enum sp_status read_id(const struct sp_query_call *call, uint64_t *ret,
                              struct sp_error *reterr)
{
    uint8_t bytes[8];
    if (call->path_id.len != 2 * sizeof(bytes) ||
        !sp_hex_decode(call->path_id, bytes, sizeof(bytes)))
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "id",
                                      "the id of a link is 16 hex digits");
    *ret = 0;
    for (int i = 0; i < 8; i++)
        *ret = *ret << 8 | bytes[i];
    return SP_OK;
}

enum sp_status sp_query_answer_short_links(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_short_links links;
    struct sp_json_writer w;
    enum sp_status status = sp_store_short_links(call->api->store, &call->arena, &links, reterr);
    if (status != SP_OK)
        return status;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "links");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < links.count; i++) {
        sp_json_object_begin(&w);
        write_id(&w, links.rows[i].id);
        sp_json_key(&w, "madeUnixNano");
        sp_json_u64_string(&w, links.rows[i].made_unix_ns);
        sp_json_key(&w, "bytes");
        sp_json_u64_string(&w, links.rows[i].bytes);
        sp_json_object_end(&w);
    }
    sp_json_array_end(&w);
    sp_json_key(&w, "bytes");
    sp_json_u64_string(&w, links.bytes);
    sp_json_key(&w, "linksMax");
    sp_json_u64_string(&w, SP_SHORT_LINKS_MAX);
    sp_json_key(&w, "bytesMax");
    sp_json_u64_string(&w, SP_SHORT_LINKS_BYTES_MAX);
    sp_json_object_end(&w);
    return SP_OK;
}

/* Of an address, so that nothing in it needs an escape in JSON or HTML. */
static bool is_state(struct sp_slice state)
{
    for (size_t i = 0; i < state.len; i++) {
        if (state.ptr[i] <= ' ' || state.ptr[i] >= 0x7f || strchr("\"#<>\\^`{|}", state.ptr[i]))
            return false;
    }
    return true;
}

static enum sp_status read_state(struct sp_query_call *call, struct sp_slice *ret,
                                 struct sp_error *reterr)
{
    static const enum sp_json_event wanted[] = {SP_JSON_OBJECT_BEGIN, SP_JSON_KEY, SP_JSON_STRING,
                                                SP_JSON_OBJECT_END, SP_JSON_END};
    struct sp_json_reader r;
    bool is_one = true;
    sp_json_reader_init(&r, call->request.body, &call->arena, BODY_DEPTH);
    for (size_t i = 0; i < SP_ARRAY_LEN(wanted) && is_one; i++) {
        is_one = sp_json_next(&r) == wanted[i];
        if (wanted[i] == SP_JSON_KEY)
            is_one = is_one && sp_slice_equal_cstr(r.text, "state");
        else if (wanted[i] == SP_JSON_STRING)
            *ret = r.text;
    }
    if (!is_one)
        return sp_error_set(reterr, SP_INVALID_ARGUMENT, "%s", body_text);
    if (!is_state(*ret))
        return sp_error_set(reterr, SP_INVALID_ARGUMENT,
                            "a state has the characters of an address only, others as %%XX");
    return SP_OK;
}

enum sp_status sp_query_answer_short_link_make(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_slice state;
    struct sp_json_writer w;
    uint64_t id;
    enum sp_status status = read_state(call, &state, reterr);
    if (status == SP_OK)
        status = sp_store_short_link_add(call->api->store, state,
                                         sp_clock_unix_ns(call->api->clock), &id, reterr);
    if (status != SP_OK)
        return status;
    sp_query_reply_json(call, &w);
    call->reply.status = 201;
    sp_json_object_begin(&w);
    write_id(&w, id);
    sp_json_object_end(&w);
    return SP_OK;
}

enum sp_status sp_query_answer_short_link(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_slice state;
    struct sp_json_writer w;
    uint64_t id;
    enum sp_status status = read_id(call, &id, reterr);
    if (status == SP_OK)
        status = sp_store_short_link(call->api->store, id, &call->arena, &state, reterr);
    if (status != SP_OK)
        return status;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "state");
    sp_json_string(&w, state);
    sp_json_object_end(&w);
    return SP_OK;
}

enum sp_status sp_query_answer_short_link_remove(struct sp_query_call *call,
                                                 struct sp_error *reterr)
{
    uint64_t id;
    enum sp_status status = read_id(call, &id, reterr);
    if (status == SP_OK)
        status = sp_store_short_link_remove(call->api->store, id, reterr);
    if (status == SP_OK)
        call->reply.status = 204;
    return status;
}
