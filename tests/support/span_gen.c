/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/span_gen.c: random batches. A failed allocation sticks in the generator's context, so that the code below
 * reads as a description of spans; every choice comes from one small generator. */
#include "tests/support/span_gen.h"

#include <math.h>
#include <stdio.h>

uint64_t sp_gen_u64(struct sp_gen *gen)
{
    uint64_t z = (gen->state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

uint64_t sp_gen_below(struct sp_gen *gen, uint64_t bound)
{
    return bound == 0 ? 0 : sp_gen_u64(gen) % bound;
}

bool sp_gen_chance(struct sp_gen *gen, unsigned percent)
{
    return sp_gen_below(gen, 100) < percent;
}

struct sp_gen_options sp_gen_options_everything(size_t span_count)
{
    return (struct sp_gen_options){.span_count = span_count, .odd_percent = 20};
}

struct context {
    struct sp_gen gen;
    struct sp_arena *arena;
    struct sp_gen_options options;
    bool failed;
};

static bool odd(struct context *c)
{
    return sp_gen_chance(&c->gen, c->options.odd_percent);
}

static void *take(struct context *c, size_t count, size_t size)
{
    void *memory = c->failed ? NULL : sp_arena_calloc(c->arena, count, size);
    if (!memory) {
        c->failed = true;
    }
    return memory;
}

static struct sp_slice text(struct context *c, const char *prefix, uint64_t number)
{
    char buffer[64];
    int len = snprintf(buffer, sizeof(buffer), "%s%llu", prefix, (unsigned long long)number);
    struct sp_slice s = {NULL, 0};
    if (c->failed || !sp_arena_copy(c->arena, sp_slice_make(buffer, (size_t)len), &s)) {
        c->failed = true;
    }
    return s;
}

/* Text that trips careless code: empty, with controls and quotes, of two, three and four bytes a character, long. */
static struct sp_slice odd_text(struct context *c)
{
    static const char *const texts[] = {
        "",
        "\"quoted\\ and\x01 controlled\n\t",
        "ümläut",
        "日本語のサービス",
        "🦔🦔🦔",
        "</script><b>&amp;",
        " ",
        "null",
    };
    if (sp_gen_chance(&c->gen, 10)) {
        uint8_t *memory = take(c, 5000, 1);
        return memory ? sp_slice_make(memset(memory, 'x', 5000), 5000) : sp_slice_cstr("");
    }
    return sp_slice_cstr(texts[sp_gen_below(&c->gen, SP_ARRAY_LEN(texts))]);
}

/* Unknown fields as they would come from a newer sender: numbers that no version of OTLP uses. */
static struct sp_slice residue(struct context *c)
{
    static const uint8_t varint[] = {0xf8, 0x3f, 0x96, 0x01};                 /* 1023: 150 */
    static const uint8_t bytes[] = {0xfa, 0x3f, 0x03, 'a', 'b', 'c'};         /* 1023: "abc" */
    static const uint8_t both[] = {0xfd, 0x3f, 1, 2, 3, 4, 0xf2, 0x3f, 0x00}; /* 1023, 1022 */
    static const uint8_t fixed[] = {0xf9, 0x3f, 1, 2, 3, 4, 5, 6, 7, 8};      /* 1023: fixed64 */
    const struct sp_slice choices[] = {
        sp_slice_make(varint, sizeof(varint)),
        sp_slice_make(bytes, sizeof(bytes)),
        sp_slice_make(both, sizeof(both)),
        sp_slice_make(fixed, sizeof(fixed)),
    };
    if (c->options.no_residue || !odd(c)) {
        return (struct sp_slice){NULL, 0};
    }
    return choices[sp_gen_below(&c->gen, SP_ARRAY_LEN(choices))];
}

static double odd_double(struct context *c)
{
    const double choices[] = {NAN, INFINITY, -INFINITY, -0.0, 5e-324, 1.7976931348623157e308, 0.1};
    return choices[sp_gen_below(&c->gen, SP_ARRAY_LEN(choices))];
}

static int64_t odd_integer(struct context *c)
{
    static const int64_t choices[] = {INT64_MIN,        INT64_MAX,         -1,
                                      9007199254740993, -9007199254740993, 0};
    return choices[sp_gen_below(&c->gen, SP_ARRAY_LEN(choices))];
}

static struct sp_slice random_bytes(struct context *c)
{
    size_t len = (size_t)sp_gen_below(&c->gen, 20);
    uint8_t *memory = take(c, len, 1);
    for (size_t i = 0; memory && i < len; i++) {
        memory[i] = (uint8_t)sp_gen_u64(&c->gen);
    }
    return sp_slice_make(memory, memory ? len : 0);
}

static struct sp_value scalar(struct context *c)
{
    struct sp_value value = {.kind = SP_VALUE_EMPTY};
    switch (sp_gen_below(&c->gen, odd(c) ? 6 : 4)) {
    case 0:
        value.kind = SP_VALUE_STRING;
        value.string = odd(c) ? odd_text(c) : text(c, "value-", sp_gen_below(&c->gen, 50));
        break;
    case 1:
        value.kind = SP_VALUE_INT;
        value.integer = odd(c) ? odd_integer(c) : (int64_t)sp_gen_below(&c->gen, 600);
        break;
    case 2:
        value.kind = SP_VALUE_BOOL;
        value.boolean = sp_gen_chance(&c->gen, 50);
        break;
    case 3:
        value.kind = SP_VALUE_DOUBLE;
        value.number = odd(c) ? odd_double(c) : (double)sp_gen_below(&c->gen, 1000) / 8;
        break;
    case 4:
        value.kind = SP_VALUE_BYTES;
        value.string = random_bytes(c);
        break;
    default:
        break;
    }
    return value;
}

/* A container of scalars whose last child may be a container again, and so on down. */
static struct sp_value nested(struct context *c)
{
    struct sp_value root = {.kind = SP_VALUE_EMPTY};
    struct sp_value *at = &root;
    uint32_t levels = 1 + (uint32_t)sp_gen_below(&c->gen, c->options.nesting);
    for (uint32_t level = 0; level < levels && !c->failed; level++) {
        uint32_t count = (uint32_t)sp_gen_below(&c->gen, 4);
        struct sp_value *last = NULL;
        if (sp_gen_chance(&c->gen, 50)) {
            struct sp_value *items = take(c, count, sizeof(*items));
            for (uint32_t i = 0; items && i < count; i++) {
                items[i] = scalar(c);
                last = &items[i];
            }
            *at = (struct sp_value){.kind = SP_VALUE_ARRAY, .count = count, .items = items};
        } else {
            struct sp_attribute *entries = take(c, count, sizeof(*entries));
            for (uint32_t i = 0; entries && i < count; i++) {
                entries[i].key = text(c, "k", sp_gen_below(&c->gen, 3));
                entries[i].value = scalar(c);
                last = &entries[i].value;
            }
            *at = (struct sp_value){.kind = SP_VALUE_KVLIST, .count = count, .entries = entries};
        }
        if (!last) {
            break;
        }
        at = last;
    }
    return root;
}

static struct sp_attributes attributes(struct context *c, uint32_t at_most)
{
    static const char *const keys[] = {"http.request.method", "http.route",   "db.system.name",
                                       "server.address",      "peer.service", "retry.count"};
    uint32_t count = (uint32_t)sp_gen_below(&c->gen, at_most + 1);
    struct sp_attribute *items = take(c, count, sizeof(*items));
    for (uint32_t i = 0; items && i < count; i++) {
        items[i].key =
            odd(c) ? odd_text(c) : sp_slice_cstr(keys[sp_gen_below(&c->gen, SP_ARRAY_LEN(keys))]);
        items[i].value = odd(c) ? nested(c) : scalar(c);
    }
    return (struct sp_attributes){
        .items = items,
        .count = items ? count : 0,
        .dropped = odd(c) ? (uint32_t)sp_gen_u64(&c->gen) : 0,
    };
}

/* service.name first, so that spans have services; an odd resource may be absent altogether. */
static const struct sp_resource *resource(struct context *c)
{
    struct sp_resource *r = take(c, 1, sizeof(*r));
    if (!r) {
        return NULL;
    }
    if (odd(c)) {
        r->schema_url = text(c, "https://example.org/schema/", sp_gen_below(&c->gen, 3));
    }
    r->group_residue = residue(c);
    if (odd(c) && odd(c)) {
        return r;
    }
    struct sp_attributes more = attributes(c, 3);
    struct sp_attribute *items = take(c, more.count + 1, sizeof(*items));
    if (!items) {
        return NULL;
    }
    items[0].key = SP_SLICE("service.name");
    items[0].value.kind = SP_VALUE_STRING;
    items[0].value.string = text(c, "service-", sp_gen_below(&c->gen, c->options.service_count));
    for (uint32_t i = 0; i < more.count; i++) {
        items[i + 1] = more.items[i];
    }
    r->attributes = (struct sp_attributes){items, more.count + 1, more.dropped};
    r->residue = residue(c);
    r->present = true;
    return r;
}

static const struct sp_scope *scope(struct context *c)
{
    struct sp_scope *s = take(c, 1, sizeof(*s));
    if (!s) {
        return NULL;
    }
    s->group_residue = residue(c);
    if (odd(c)) {
        s->schema_url = odd_text(c);
    }
    if (odd(c)) {
        return s;
    }
    s->present = true;
    s->name = odd(c) ? odd_text(c) : text(c, "instrumentation-", sp_gen_below(&c->gen, 4));
    s->version = odd(c) ? odd_text(c) : text(c, "1.", sp_gen_below(&c->gen, 4));
    s->attributes = odd(c) ? attributes(c, 2) : (struct sp_attributes){0};
    s->residue = residue(c);
    return s;
}

static void random_id(struct context *c, uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)sp_gen_u64(&c->gen);
    }
    bytes[len - 1] |= 1; /* never zero */
}

static void events(struct context *c, struct sp_span *span)
{
    uint32_t count = odd(c) ? (uint32_t)sp_gen_below(&c->gen, 4) : 0;
    struct sp_event *items = take(c, count, sizeof(*items));
    for (uint32_t i = 0; items && i < count; i++) {
        items[i].time_unix_ns = odd(c) ? sp_gen_u64(&c->gen) : span->start_unix_ns + i;
        items[i].name = odd(c) ? odd_text(c) : SP_SLICE("exception");
        items[i].attributes = attributes(c, 3);
        items[i].residue = residue(c);
    }
    span->events = items;
    span->event_count = items ? count : 0;
    span->dropped_events = odd(c) ? (uint32_t)sp_gen_u64(&c->gen) : 0;
}

static void links(struct context *c, struct sp_span *span)
{
    uint32_t count = odd(c) ? (uint32_t)sp_gen_below(&c->gen, 3) : 0;
    struct sp_link *items = take(c, count, sizeof(*items));
    for (uint32_t i = 0; items && i < count; i++) {
        if (!odd(c)) {
            random_id(c, items[i].trace_id.bytes, sizeof(items[i].trace_id.bytes));
            random_id(c, items[i].span_id.bytes, sizeof(items[i].span_id.bytes));
        }
        items[i].flags = odd(c) ? (uint32_t)sp_gen_u64(&c->gen) : 0;
        items[i].trace_state = odd(c) ? SP_SLICE("a=1,b=2") : SP_SLICE("");
        items[i].attributes = attributes(c, 2);
        items[i].residue = residue(c);
    }
    span->links = items;
    span->link_count = items ? count : 0;
    span->dropped_links = odd(c) ? (uint32_t)sp_gen_u64(&c->gen) : 0;
}

static void times(struct context *c, struct sp_span *span)
{
    static const uint64_t edges[] = {0, 1, UINT64_MAX, (uint64_t)INT64_MAX + 1};
    span->start_unix_ns = c->options.start_unix_ns + sp_gen_below(&c->gen, c->options.window_ns);
    span->end_unix_ns =
        span->start_unix_ns + sp_gen_below(&c->gen, (uint64_t)2 * 1000 * 1000 * 1000);
    if (odd(c) && odd(c)) {
        span->end_unix_ns = span->start_unix_ns - sp_gen_below(&c->gen, 1000);
    }
    if (odd(c) && odd(c)) {
        span->start_unix_ns = edges[sp_gen_below(&c->gen, SP_ARRAY_LEN(edges))];
    }
}

static void status(struct context *c, struct sp_span *span)
{
    if (sp_gen_chance(&c->gen, 40)) {
        return;
    }
    span->status_present = true;
    span->status_code = odd(c) ? (int32_t)sp_gen_u64(&c->gen) : (int32_t)sp_gen_below(&c->gen, 3);
    span->status_message = odd(c) ? odd_text(c) : SP_SLICE("");
    span->status_residue = residue(c);
}

/* Everything but ids, parent, resource and scope. */
static void content(struct context *c, struct sp_span *span)
{
    times(c, span);
    span->name = odd(c) ? odd_text(c) : text(c, "operation-", sp_gen_below(&c->gen, 10));
    span->trace_state = odd(c) ? SP_SLICE("ot=th:c;rv:abcdef") : SP_SLICE("");
    span->kind = odd(c) ? (int32_t)sp_gen_u64(&c->gen) : (int32_t)sp_gen_below(&c->gen, 6);
    span->flags = odd(c) ? (uint32_t)sp_gen_u64(&c->gen) : 0x101;
    status(c, span);
    span->attributes = attributes(c, 6);
    events(c, span);
    links(c, span);
    span->residue = residue(c);
}

/* The newest earlier span of the same trace is the parent; some parents are missing, and some spans are roots. */
static void identity(struct context *c, struct sp_span *spans, size_t i)
{
    struct sp_gen ids = {.state = c->options.trace_seed * 1000003 +
                                  sp_gen_below(&c->gen, c->options.trace_count)};
    for (size_t b = 0; b < SP_TRACE_ID_BYTES; b++) {
        spans[i].trace_id.bytes[b] = (uint8_t)(sp_gen_u64(&ids) | (b == 0));
    }
    random_id(c, spans[i].span_id.bytes, sizeof(spans[i].span_id.bytes));
    if (odd(c) && odd(c)) {
        random_id(c, spans[i].parent_span_id.bytes, sizeof(spans[i].parent_span_id.bytes));
        return;
    }
    for (size_t back = 1; back <= i && back < 64; back++) {
        if (sp_trace_id_compare(&spans[i].trace_id, &spans[i - back].trace_id) == 0) {
            spans[i].parent_span_id = spans[i - back].span_id;
            return;
        }
    }
}

static void defaults(struct sp_gen_options *o)
{
    o->trace_count = o->trace_count ? o->trace_count : o->span_count / 8 + 1;
    o->start_unix_ns = o->start_unix_ns ? o->start_unix_ns : 1767225600000000000U;
    o->window_ns = o->window_ns ? o->window_ns : (uint64_t)3600 * 1000 * 1000 * 1000;
    o->service_count = o->service_count ? o->service_count : 5;
    o->group_spans = o->group_spans ? o->group_spans : 4;
    o->nesting = o->nesting ? o->nesting : 3;
}

const struct sp_batch *sp_gen_batch(struct sp_arena *arena, uint64_t seed,
                                    const struct sp_gen_options *options)
{
    struct context c = {.gen = {seed}, .arena = arena, .options = *options};
    defaults(&c.options);
    struct sp_batch *batch = take(&c, 1, sizeof(*batch));
    struct sp_span *spans = take(&c, options->span_count, sizeof(*spans));
    for (size_t i = 0; i < options->span_count && !c.failed; i++) {
        bool new_resource = i == 0 || sp_gen_below(&c.gen, 2 * c.options.group_spans) == 0;
        bool new_scope = new_resource || sp_gen_below(&c.gen, c.options.group_spans) == 0;
        spans[i].resource = new_resource ? resource(&c) : spans[i - 1].resource;
        spans[i].scope = new_scope ? scope(&c) : spans[i - 1].scope;
        identity(&c, spans, i);
        content(&c, &spans[i]);
        if (odd(&c) && odd(&c) && i > 0) { /* sent twice */
            spans[i] = spans[i - 1];
        }
    }
    if (c.failed) {
        return NULL;
    }
    batch->spans = spans;
    batch->span_count = options->span_count;
    return batch;
}

const struct sp_span *const *sp_batch_pointers(struct sp_arena *arena, const struct sp_batch *batch)
{
    const struct sp_span **pointers = sp_arena_calloc(arena, batch->span_count, sizeof(*pointers));
    for (size_t i = 0; pointers && i < batch->span_count; i++) {
        pointers[i] = &batch->spans[i];
    }
    return pointers;
}
