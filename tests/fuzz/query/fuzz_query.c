/* SPDX-License-Identifier: Apache-2.0
 *
 * Any request to the read API: "PATH?QUERY", then lines with the values of Accept and If-None-Match. Whatever it is, the
 * reply is whole: a success, or a problem document; what says that it is JSON is JSON. */
#include "lib/base/base.h"
#include "query/internal.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/span_gen.h"

#define MEMORY_BYTES ((size_t)64 * 1024 * 1024)

static void ignore(void *cookie, enum sp_status status, const struct sp_error *error)
{
    (void)cookie;
    (void)error;
    SP_ASSERT(status == SP_OK);
}

/* One store for all inputs: requests change nothing. */
static struct sp_query_api *make_api(void)
{
    static struct sp_query_limits limits;
    struct sp_store *store;
    struct sp_query_api *api;
    struct sp_error error;
    struct sp_gen_options gen = sp_gen_options_everything(60);
    struct sp_store_options store_options = {.limits = sp_limits_default(),
                                             .clock = sp_clock_system()};
    SP_ASSERT(sp_store_reference_open(&store_options, &store, &error) == SP_OK);
    struct sp_append *append = sp_append_new(1, 1, MEMORY_BYTES);
    SP_ASSERT(append);
    append->batch = sp_gen_batch(&append->arena, 1, &gen);
    SP_ASSERT(append->batch);
    append->done = ignore;
    sp_store_append(store, append);
    limits = *sp_query_limits_default();
    limits.memory_bytes_max = MEMORY_BYTES;
    struct sp_query_options options = {
        .store = store, .limits = &limits, .clock = sp_clock_system(), .version = "fuzz"};
    SP_ASSERT(sp_query_api_new(&options, &api, &error) == SP_OK);
    return api;
}

static void check_json(struct sp_slice body)
{
    struct sp_arena arena;
    struct sp_json_reader r;
    enum sp_json_event event;
    sp_arena_init(&arena, MEMORY_BYTES);
    sp_json_reader_init(&r, body, &arena, SP_JSON_DEPTH_MAX);
    do
        event = sp_json_next(&r);
    while (event != SP_JSON_END && event != SP_JSON_ERROR);
    SP_ASSERT(event == SP_JSON_END);
    sp_arena_fini(&arena);
}

static struct sp_slice take_line(struct sp_slice *rest)
{
    size_t end = sp_slice_find(*rest, '\n');
    struct sp_slice line = sp_slice_sub(*rest, 0, end);
    *rest = sp_slice_sub(*rest, end + 1, rest->len);
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sp_query_api *api;
    if (!api)
        api = make_api();
    struct sp_slice rest = sp_slice_make(data, size), url = take_line(&rest);
    size_t mark = sp_slice_find(url, '?');
    struct sp_query_call call = {.api = api, .begin_ns = sp_clock_monotonic_ns(api->clock)};
    call.request.method = SP_SLICE("GET");
    call.request.path = sp_slice_sub(url, 0, mark);
    call.request.query = sp_slice_sub(url, mark + 1, url.len);
    call.request.accept = take_line(&rest);
    call.request.if_none_match = take_line(&rest);
    call.endpoint = sp_query_route(call.request.method, call.request.path, &call.path_id);
    sp_query_call_run(&call);
    int status = call.reply.status;
    SP_ASSERT(status == 200 || status == 302 || (status >= 400 && status < 600));
    SP_ASSERT(call.reply.body.error == SP_OK);
    if (call.reply.content_type && strstr(call.reply.content_type, "json"))
        check_json(sp_buf_slice(&call.reply.body));
    sp_query_call_fini(&call);
    return 0;
}
