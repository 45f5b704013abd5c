/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/load_generate.c: a synthetic shop for `spoor load`: traces as a tree of calls through ten services, with values
 * whose spread is like that of real ones (few routes, many ids, some errors). */
#include <stdio.h>

#include "cmd/load_source.h"
#include "lib/wire/wire.h"

#define REQUESTS          64
#define TRACES_A_REQUEST  32
#define SPANS_A_TRACE     12
#define ATTRIBUTES        11
#define SERVICES          10
#define MAX_REQUEST_BYTES ((size_t)16 * 1024 * 1024)
#define ARENA_BYTES       ((size_t)64 * 1024 * 1024)
#define ERROR_ONE_IN      50
#define MILLISECOND       ((uint64_t)1000 * 1000)

/* 2023-11-14T22:13:20Z; `spoor load` shifts times to the present anyway. */
#define EPOCH_NS ((uint64_t)1700000000 * 1000 * MILLISECOND)

static const char *const service_names[SERVICES] = {
    "frontend",       "checkout", "cart",     "catalog", "payment",
    "recommendation", "shipping", "currency", "email",   "inventory"};

/* The shape of a trace: which service a span is of, who called it, and as what. A call is a client span and the server span
 * that is its child; the last call goes to a database, which is not instrumented. */
static const struct {
    size_t service, parent;
    int32_t kind;
} shape[SPANS_A_TRACE] = {
    {0, 0, SP_KIND_SERVER},                          /* frontend */
    {0, 0, SP_KIND_CLIENT},  {1, 1, SP_KIND_SERVER}, /* frontend calls checkout */
    {1, 2, SP_KIND_CLIENT},  {2, 3, SP_KIND_SERVER}, /* checkout calls cart */
    {1, 2, SP_KIND_CLIENT},  {4, 5, SP_KIND_SERVER}, /* checkout calls payment */
    {4, 6, SP_KIND_CLIENT},  {7, 7, SP_KIND_SERVER}, /* payment calls currency */
    {1, 2, SP_KIND_CLIENT},  {6, 9, SP_KIND_SERVER}, /* checkout calls shipping */
    {6, 10, SP_KIND_CLIENT},                         /* shipping asks its database */
};

/* splitmix64. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static void fill_random(uint64_t *state, uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)next_random(state) | (i == 0); /* never all zero */
}

struct maker {
    struct sp_arena arena;
    uint64_t random;
    struct sp_resource resources[SERVICES];
    struct sp_scope scope;
};

static struct sp_value text_value(struct maker *m, const char *format, uint64_t n)
{
    char text[128];
    struct sp_slice copy = SP_SLICE("");
    int len = snprintf(text, sizeof(text), format, (unsigned long long)n);
    if (!sp_arena_copy(&m->arena, sp_slice_make(text, (size_t)len), &copy))
        return (struct sp_value){
            .kind = SP_VALUE_EMPTY}; /* ARENA_BYTES is far above what is made here */
    return (struct sp_value){.kind = SP_VALUE_STRING, .string = copy};
}

static struct sp_value int_value(int64_t n)
{
    return (struct sp_value){.kind = SP_VALUE_INT, .integer = n};
}

static bool make_attributes(struct maker *m, struct sp_span *span, bool error, bool database)
{
    struct sp_attribute *a = sp_arena_calloc(&m->arena, ATTRIBUTES, sizeof(*a));
    if (!a)
        return false;
    uint64_t r = next_random(&m->random);
    const struct sp_attribute items[ATTRIBUTES] = {
        {SP_SLICE("http.request.method"), text_value(m, r % 4 ? "GET" : "POST", 0)},
        {SP_SLICE("http.route"), text_value(m, "/api/v1/resource/%llu/{id}", r % 23)},
        {SP_SLICE("http.response.status_code"), int_value(error ? 500 : 200)},
        {SP_SLICE("url.full"),
         text_value(m, "https://shop.example.com/api/v1/resource/item-%llu?view=full", r % 5000)},
        {SP_SLICE("client.address"), text_value(m, "10.0.%llu.17", r % 40)},
        {SP_SLICE("client.port"), int_value((int64_t)(1024 + r % 60000))},
        {SP_SLICE("user.id"), text_value(m, "user-%08llu", r % 100000)},
        {SP_SLICE("session.id"), text_value(m, "%016llx", next_random(&m->random))},
        {SP_SLICE("app.cart.items"), int_value((int64_t)(r % 17))},
        {SP_SLICE("user_agent.original"),
         text_value(m, "Mozilla/5.0 (X11; Linux x86_64; rv:%llu.0) Gecko", 100 + r % 30)},
        database
            ? (struct sp_attribute){SP_SLICE("db.system.name"), text_value(m, "postgresql", 0)}
            : (struct sp_attribute){SP_SLICE("thread.name"), text_value(m, "worker-%llu", r % 16)},
    };
    memcpy(a, items, sizeof(items));
    span->attributes = (struct sp_attributes){.items = a, .count = ATTRIBUTES};
    return true;
}

/* One trace: children start a little after their parent and end before it. */
static bool make_trace(struct maker *m, struct sp_span *spans, uint64_t start_ns)
{
    struct sp_trace_id trace_id;
    fill_random(&m->random, trace_id.bytes, sizeof(trace_id.bytes));
    for (size_t i = 0; i < SPANS_A_TRACE; i++) {
        struct sp_span *span = &spans[i];
        const struct sp_span *parent = i > 0 ? &spans[shape[i].parent] : NULL;
        uint64_t r = next_random(&m->random);
        bool error = r % ERROR_ONE_IN == 0;
        *span = (struct sp_span){
            .trace_id = trace_id, .scope = &m->scope, .resource = &m->resources[shape[i].service]};
        fill_random(&m->random, span->span_id.bytes, sizeof(span->span_id.bytes));
        span->start_unix_ns = start_ns;
        span->end_unix_ns = start_ns + 20 * MILLISECOND + r % (200 * MILLISECOND);
        if (parent) {
            uint64_t room = parent->end_unix_ns - parent->start_unix_ns;
            span->parent_span_id = parent->span_id;
            span->start_unix_ns = parent->start_unix_ns + room / 20 + r % (room / 4 + 1);
            span->end_unix_ns = span->start_unix_ns + room / 8 + (r >> 20) % (room / 2 + 1);
        }
        span->kind = shape[i].kind;
        span->name = text_value(m, "GET /api/v1/resource/%llu", r % 23).string;
        span->status_present = error;
        span->status_code = error ? SP_SPAN_STATUS_ERROR : SP_SPAN_STATUS_UNSET;
        span->flags = 0x101; /* sampled; the parent's context is known not to be remote */
        if (!make_attributes(m, span, error, i == SPANS_A_TRACE - 1))
            return false;
    }
    return true;
}

static bool make_resources(struct maker *m)
{
    for (size_t i = 0; i < SERVICES; i++) {
        struct sp_attribute *a = sp_arena_calloc(&m->arena, 3, sizeof(*a));
        if (!a)
            return false;
        a[0] = (struct sp_attribute){
            SP_SLICE("service.name"),
            {.kind = SP_VALUE_STRING, .string = sp_slice_cstr(service_names[i])}};
        a[1] = (struct sp_attribute){SP_SLICE("service.instance.id"),
                                     text_value(m, "instance-%llu", i)};
        a[2] = (struct sp_attribute){SP_SLICE("deployment.environment.name"),
                                     text_value(m, "load", 0)};
        m->resources[i] =
            (struct sp_resource){.attributes = {.items = a, .count = 3}, .present = true};
    }
    m->scope = (struct sp_scope){
        .name = SP_SLICE("spoor-load"), .version = SP_SLICE("1"), .present = true};
    return true;
}

/* One request, its spans ordered by service as a collector's batches are. */
static enum sp_status make_request(struct maker *m, uint64_t start_ns, struct sp_buf *out)
{
    enum { SPANS = TRACES_A_REQUEST * SPANS_A_TRACE };
    struct sp_span *spans = sp_arena_calloc(&m->arena, SPANS, sizeof(*spans));
    const struct sp_span **order = sp_arena_alloc(&m->arena, sizeof(const struct sp_span *[SPANS]));
    if (!spans || !order)
        return SP_NO_MEMORY;
    for (size_t t = 0; t < TRACES_A_REQUEST; t++) {
        if (!make_trace(m, &spans[t * SPANS_A_TRACE], start_ns + t * MILLISECOND))
            return SP_NO_MEMORY;
    }
    size_t count = 0;
    for (size_t s = 0; s < SERVICES; s++) {
        for (size_t i = 0; i < SPANS; i++) {
            if (spans[i].resource == &m->resources[s])
                order[count++] = &spans[i];
        }
    }
    return sp_otlp_encode(order, count, out);
}

enum sp_status sp_load_source_generate(struct sp_load_source *source, uint64_t seed,
                                       struct sp_error *reterr)
{
    struct maker m = {.random = seed};
    sp_arena_init(&m.arena, ARENA_BYTES);
    enum sp_status status = make_resources(&m) ? SP_OK : SP_NO_MEMORY;
    for (size_t i = 0; i < REQUESTS && status == SP_OK; i++) {
        struct sp_buf request;
        sp_buf_init(&request, MAX_REQUEST_BYTES);
        status = make_request(&m, EPOCH_NS + i * 100 * MILLISECOND, &request);
        if (status == SP_OK)
            status = sp_load_source_add(source, &request, reterr);
        else
            sp_error_set(reterr, status, "no memory for generated spans");
        sp_buf_fini(&request);
    }
    sp_arena_fini(&m.arena);
    return status;
}
