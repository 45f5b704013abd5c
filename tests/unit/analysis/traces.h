/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/analysis/traces.h: traces for tests: from rows of a table, and random ones with every defect a trace can
 * have. Included by one .c file each. */
#pragma once

#include "lib/analysis/analysis.h"

#include <check.h>
#include <stdlib.h>

static uint64_t random_state;

static inline uint64_t random_u64(void) /* splitmix64 */
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint32_t random_below(uint32_t bound)
{
    return (uint32_t)(random_u64() % bound);
}

/* One span of a table. Ids are small numbers, 0 is none; service NULL: "s". */
struct span_row {
    uint32_t id, parent;
    const char *service;
    int32_t kind;
    uint64_t start, end;
    int32_t status;
    const char *attributes[4][2]; /* key, value */
    uint32_t links[3];            /* span ids in the same trace */
};

static inline struct sp_span_id small_id(uint32_t number)
{
    struct sp_span_id id = {{0}};
    for (int i = 0; i < 4; i++)
        id.bytes[7 - i] = (uint8_t)(number >> (8 * i));
    return id;
}

static inline uint32_t small_number(const struct sp_span_id *id)
{
    uint32_t number = 0;
    for (int i = 4; i < 8; i++)
        number = number << 8 | id->bytes[i];
    return number;
}

static inline void *must(void *memory)
{
    ck_assert_ptr_nonnull(memory);
    return memory;
}

static inline const struct sp_resource *make_resource(struct sp_arena *arena, const char *service)
{
    struct sp_attribute *name = must(sp_arena_calloc(arena, 1, sizeof *name));
    name->key = SP_SLICE("service.name");
    name->value = (struct sp_value){.kind = SP_VALUE_STRING,
                                    .string = sp_slice_cstr(service ? service : "s")};
    struct sp_resource *resource = must(sp_arena_calloc(arena, 1, sizeof *resource));
    resource->attributes = (struct sp_attributes){.items = name, .count = 1};
    return resource;
}

static inline void fill_span(struct sp_arena *arena, const struct span_row *row,
                             struct sp_span *span)
{
    static const struct sp_scope scope;
    *span = (struct sp_span){
        .trace_id = {{1}},
        .span_id = small_id(row->id),
        .parent_span_id = small_id(row->parent),
        .start_unix_ns = row->start,
        .end_unix_ns = row->end,
        .name = SP_SLICE("op"),
        .kind = row->kind,
        .status_code = row->status,
        .resource = make_resource(arena, row->service),
        .scope = &scope,
    };
    struct sp_attribute *attributes = must(sp_arena_calloc(arena, 4, sizeof *attributes));
    for (int i = 0; i < 4 && row->attributes[i][0]; i++)
        attributes[span->attributes.count++] = (struct sp_attribute){
            sp_slice_cstr(row->attributes[i][0]),
            {.kind = SP_VALUE_STRING, .string = sp_slice_cstr(row->attributes[i][1])}};
    span->attributes.items = attributes;
    struct sp_link *links = must(sp_arena_calloc(arena, 3, sizeof *links));
    for (int i = 0; i < 3 && row->links[i]; i++)
        links[span->link_count++] =
            (struct sp_link){.trace_id = span->trace_id, .span_id = small_id(row->links[i])};
    span->links = links;
}

static inline struct sp_batch make_batch(struct sp_arena *arena, const struct span_row *rows,
                                         size_t count)
{
    struct sp_span *spans = must(sp_arena_calloc(arena, count, sizeof *spans));
    for (size_t i = 0; i < count; i++)
        fill_span(arena, &rows[i], &spans[i]);
    return (struct sp_batch){.spans = spans, .span_count = count};
}

/* The same spans in another order. */
static inline struct sp_batch shuffle(struct sp_arena *arena, struct sp_batch batch)
{
    struct sp_span *spans = must(sp_arena_calloc(arena, batch.span_count, sizeof *spans));
    for (size_t i = 0; i < batch.span_count; i++) {
        size_t j = random_u64() % (i + 1);
        spans[i] = spans[j];
        spans[j] = batch.spans[i];
    }
    batch.spans = spans;
    return batch;
}

/* Up to span_max spans: mostly a tree; some parents are missing, some form cycles, some ids occur twice, some times are
 * odd. defects false: one clean tree with one root. */
static inline struct sp_batch random_trace(struct sp_arena *arena, uint32_t span_max, bool defects)
{
    static const char *const services[] = {"a", "b", "c", "d"};
    uint32_t count = 1 + random_below(span_max);
    struct span_row *rows = must(sp_arena_calloc(arena, count, sizeof *rows));
    uint64_t width = 1 + random_below(200);
    for (uint32_t i = 0; i < count; i++) {
        struct span_row *row = &rows[i];
        row->id = i + 1;
        row->parent = i == 0 ? 0 : 1 + random_below(random_below(2) ? i : (i < 3 ? i : 3));
        row->service = services[random_below(4)];
        row->kind = (int32_t)random_below(6);
        row->start = 1000 + random_below((uint32_t)width);
        row->end = row->start + random_below((uint32_t)width);
        row->status = (int32_t)random_below(8) == 0 ? SP_SPAN_STATUS_ERROR : SP_SPAN_STATUS_UNSET;
        if (random_below(6) == 0)
            row->links[0] = 1 + random_below(count);
        if (i == 0) {
            row->start = 1000;
            row->end = 1000 + width;
        }
        if (!defects)
            continue;
        switch (random_below(12)) {
        case 0:
            row->parent = 100000 + random_below(10); /* missing */
            break;
        case 1:
            row->parent = 1 + random_below(count); /* later, itself: cycles */
            break;
        case 2:
            if (i > 0)
                row->id = 1 + random_below(i); /* twice */
            break;
        case 3:
            row->end = row->start - random_below(50); /* end before start */
            break;
        case 4:
            row->parent = 0;
            break;
        default:
            break;
        }
    }
    return make_batch(arena, rows, count);
}
