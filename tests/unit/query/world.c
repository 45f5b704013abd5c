/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/query/world.c: see world.h. */
#include "tests/unit/query/world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t world_unix_ns(void *cookie)
{
    return ((struct world *)cookie)->unix_ns;
}

static uint64_t world_monotonic_ns(void *cookie)
{
    return ((struct world *)cookie)->monotonic_ns;
}

void world_init_limits(struct world *world, const struct sp_query_limits *limits)
{
    *world = (struct world){.unix_ns = T0 + 3600000 * MS, .monotonic_ns = 1};
    world->clock = (struct sp_clock){world_unix_ns, world_monotonic_ns, world};
    world->limits = *limits;
    struct sp_error error;
    struct sp_store *store;
    struct sp_store_options options = {.limits = sp_limits_default(), .clock = &world->clock};
    ck_assert_int_eq(sp_store_reference_open(&options, &store, &error), SP_OK);
    world_over(world, store);
}

void world_over(struct world *world, struct sp_store *store)
{
    struct sp_error error;
    struct sp_query_options options = {
        .store = store, .limits = &world->limits, .clock = &world->clock, .version = "1.2.3"};
    world->store = store;
    ck_assert_int_eq(sp_query_api_new(&options, &world->api, &error), SP_OK);
}

void world_init(struct world *world)
{
    world_init_limits(world, sp_query_limits_default());
}

void world_fini(struct world *world)
{
    sp_query_api_free(world->api);
    sp_store_close(world->store);
}

static void on_done(void *cookie, enum sp_status status, const struct sp_error *error)
{
    (void)error;
    *(enum sp_status *)cookie = status;
}

void world_add(struct world *world, const struct sp_span *spans, size_t count)
{
    struct sp_append *append = sp_append_new(1, 1, (size_t)256 << 20);
    ck_assert_ptr_nonnull(append);
    const struct sp_span **pointers = calloc(count + 1, sizeof(struct sp_span *));
    for (size_t i = 0; i < count; i++)
        pointers[i] = &spans[i];
    ck_assert_int_eq(sp_batch_copy(&append->arena, pointers, count, &append->batch), SP_OK);
    free(pointers);
    append->format = SP_BODY_OTLP_PROTOBUF;
    append->encoding = SP_BODY_IDENTITY;
    enum sp_status status = SP_INTERNAL;
    append->done = on_done;
    append->cookie = &status;
    sp_store_append(world->store, append); /* the reference store answers before it returns */
    ck_assert_int_eq(status, SP_OK);
}

/* ---- spans ---- */

struct sp_value text_value(const char *text)
{
    return (struct sp_value){.kind = SP_VALUE_STRING, .string = sp_slice_cstr(text)};
}

struct sp_value int_value(int64_t number)
{
    return (struct sp_value){.kind = SP_VALUE_INT, .integer = number};
}

struct sp_value double_value(double number)
{
    return (struct sp_value){.kind = SP_VALUE_DOUBLE, .number = number};
}

struct sp_value bool_value(bool value)
{
    return (struct sp_value){.kind = SP_VALUE_BOOL, .boolean = value};
}

#define ATTRIBUTES_MAX 8

void add_attribute(struct sp_arena *arena, struct sp_span *span, const char *key,
                   struct sp_value value)
{
    struct sp_attribute *items = sp_arena_calloc(arena, ATTRIBUTES_MAX, sizeof(*items));
    ck_assert_ptr_nonnull(items);
    ck_assert_uint_lt(span->attributes.count, ATTRIBUTES_MAX);
    for (uint32_t i = 0; i < span->attributes.count; i++)
        items[i] = span->attributes.items[i];
    items[span->attributes.count++] = (struct sp_attribute){sp_slice_cstr(key), value};
    span->attributes.items = items;
}

struct sp_span make_span(struct sp_arena *arena, unsigned trace, unsigned id, unsigned parent,
                         const char *service, const char *name, uint64_t start_unix_ns,
                         uint64_t duration_ns)
{
    static const struct sp_scope no_scope;
    struct sp_span span = {
        .start_unix_ns = start_unix_ns,
        .end_unix_ns = start_unix_ns + duration_ns,
        .name = sp_slice_cstr(name),
        .kind = SP_KIND_SERVER,
        .scope = &no_scope,
    };
    for (int i = 0; i < 4; i++) {
        span.trace_id.bytes[15 - i] = (uint8_t)(trace >> 8 * i);
        span.span_id.bytes[7 - i] = (uint8_t)(id >> 8 * i);
        span.parent_span_id.bytes[7 - i] = (uint8_t)(parent >> 8 * i);
    }
    struct sp_resource *resource = sp_arena_calloc(arena, 1, sizeof(*resource));
    struct sp_attribute *attribute = sp_arena_calloc(arena, 1, sizeof(*attribute));
    ck_assert(resource && attribute);
    *attribute = (struct sp_attribute){SP_SLICE("service.name"), text_value(service)};
    resource->attributes = (struct sp_attributes){attribute, 1, 0};
    resource->present = true;
    span.resource = resource;
    return span;
}

/* ---- questions ---- */

struct sp_query_call *ask_with(struct world *world, const char *method, const char *url,
                               const char *accept, const char *accept_encoding,
                               const char *if_none_match)
{
    struct sp_query_call *call = calloc(1, sizeof(*call));
    ck_assert_ptr_nonnull(call);
    struct sp_slice whole = sp_slice_cstr(url);
    size_t mark = sp_slice_find(whole, '?');
    call->api = world->api;
    call->begin_ns = world->monotonic_ns;
    call->request.method = sp_slice_cstr(method);
    call->request.path = sp_slice_sub(whole, 0, mark);
    call->request.query = sp_slice_sub(whole, mark + 1, whole.len);
    call->request.accept = sp_slice_cstr(accept);
    call->request.accept_encoding = sp_slice_cstr(accept_encoding);
    call->request.if_none_match = sp_slice_cstr(if_none_match);
    call->endpoint = sp_query_route(call->request.method, call->request.path, &call->path_id);
    sp_query_call_run(call);
    return call;
}

struct sp_query_call *ask(struct world *world, const char *url)
{
    return ask_with(world, "GET", url, "", "", "");
}

void answer_fini(struct sp_query_call *call)
{
    sp_query_call_fini(call);
    free(call);
}

char *answer_text(const struct sp_query_call *call)
{
    struct sp_slice body =
        call->reply.body.len > 0 ? sp_buf_slice(&call->reply.body) : call->reply.fixed;
    char *text = malloc(body.len + 1);
    ck_assert_ptr_nonnull(text);
    memcpy(text, body.ptr ? body.ptr : (const uint8_t *)"", body.len);
    text[body.len] = 0;
    return text;
}

const char *answer_header(const struct sp_query_call *call, const char *name)
{
    for (size_t i = 0; i < call->reply.header_count; i++)
        if (strcmp(call->reply.headers[i].name, name) == 0)
            return call->reply.headers[i].value;
    return "";
}

void expect_answer(struct world *world, const char *url, int status, const char *contains)
{
    struct sp_query_call *call = ask(world, url);
    char *text = answer_text(call);
    ck_assert_msg(call->reply.status == status, "GET %s: status %d, not %d: %s", url,
                  call->reply.status, status, text);
    ck_assert_msg(strstr(text, contains) != NULL, "GET %s: no %s in %s", url, contains, text);
    free(text);
    answer_fini(call);
}

void json_member(const char *json, const char *key, char *out, size_t out_bytes)
{
    char pattern[64];
    snprintf(pattern, sizeof(pattern), "\"%s\":", key);
    out[0] = 0;
    const char *at = strstr(json, pattern);
    if (!at)
        return;
    at += strlen(pattern);
    bool quoted = *at == '"';
    at += quoted;
    size_t len = strcspn(at, quoted ? "\"" : ",}]");
    snprintf(out, out_bytes, "%.*s", (int)len, at);
}

void label_append_text(char *labels, size_t bytes, const char *type, struct sp_slice text)
{
    size_t len = strlen(labels);
    snprintf(labels + len, bytes - len, "%s=%.*s|", type, SP_SLICE_PRINTF(text));
}

void label_append_value(char *labels, size_t bytes, const struct sp_value *value)
{
    static const char *const types[] = {
        [SP_VALUE_EMPTY] = "other", [SP_VALUE_STRING] = "string", [SP_VALUE_BOOL] = "bool",
        [SP_VALUE_INT] = "int",     [SP_VALUE_DOUBLE] = "float",  [SP_VALUE_BYTES] = "other",
        [SP_VALUE_ARRAY] = "other", [SP_VALUE_KVLIST] = "other"};
    struct sp_buf text;
    if (!value) {
        label_append_text(labels, bytes, "nil", SP_SLICE("-"));
        return;
    }
    sp_buf_init(&text, 1 << 20);
    sp_value_text(value, &text);
    if (value->kind == SP_VALUE_DOUBLE && !isfinite(value->number)) {
        sp_buf_reset(&text);
        sp_buf_append_cstr(&text, isnan(value->number) ? "NaN"
                                  : value->number > 0  ? "Infinity"
                                                       : "-Infinity");
    }
    label_append_text(labels, bytes, types[value->kind], sp_buf_slice(&text));
    sp_buf_fini(&text);
}
