/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/storage/block_fixture.c: random blocks, in memory and as if on disk. */
#include "tests/unit/storage/block_fixture.h"
#include "storage/catalogue.h"

#include <check.h>
#include <stdlib.h>

static int compare_spans(const void *a, const void *b)
{
    const struct sp_span *x = *(const struct sp_span *const *)a;
    const struct sp_span *y = *(const struct sp_span *const *)b;
    int order = sp_trace_id_compare(&x->trace_id, &y->trace_id);
    return order != 0 ? order : (x > y) - (x < y);
}

static void *take(struct block_fixture *f, size_t count, size_t size)
{
    void *memory = sp_arena_calloc(&f->arena, count + 1, size);
    ck_assert_ptr_nonnull(memory);
    return memory;
}

/* The same attributes again and again, and behind them others that occur nowhere else. */
static struct sp_attributes lengthened(struct block_fixture *f, struct sp_gen *gen,
                                       struct sp_attributes list)
{
    uint32_t count = SP_BLOCK_LIST_MAX - 2 + (uint32_t)sp_gen_below(gen, 8);
    struct sp_attribute *items = take(f, count, sizeof(*items));
    if (list.count == 0)
        return list;
    for (uint32_t i = 0; i < count; i++) {
        items[i] = list.items[i % list.count];
        if (i < SP_BLOCK_LIST_MAX)
            continue;
        if (sp_gen_chance(gen, 50))
            items[i].key = SP_SLICE("late");
        items[i].value =
            (struct sp_value){.kind = SP_VALUE_INT, .integer = (int64_t)sp_gen_below(gen, 1000)};
    }
    return (struct sp_attributes){.items = items, .count = count, .dropped = list.dropped};
}

/* Some spans say again what their resource, and their first event what the span says. */
static struct sp_attributes with_echo(struct block_fixture *f, struct sp_gen *gen,
                                      struct sp_attributes list, struct sp_attributes other)
{
    struct sp_attribute *items = take(f, (size_t)list.count + 1, sizeof(*items));
    if (other.count == 0)
        return list;
    memcpy(items, list.items, list.count * sizeof(*items));
    items[list.count] = other.items[sp_gen_below(gen, other.count)];
    return (struct sp_attributes){.items = items, .count = list.count + 1, .dropped = list.dropped};
}

static void echo_some(struct block_fixture *f, struct sp_gen *gen)
{
    for (uint32_t i = 0; i < f->count; i++) {
        if (!sp_gen_chance(gen, 20))
            continue;
        struct sp_span *span = take(f, 1, sizeof(*span));
        *span = *f->spans[i];
        if (span->event_count > 0) {
            struct sp_event *events = take(f, span->event_count, sizeof(*events));
            memcpy(events, span->events, span->event_count * sizeof(*events));
            events[0].attributes = with_echo(f, gen, events[0].attributes, span->attributes);
            span->events = events;
        } else {
            span->attributes = with_echo(f, gen, span->attributes, span->resource->attributes);
        }
        f->spans[i] = span;
    }
}

static void lengthen_some(struct block_fixture *f, struct sp_gen *gen)
{
    for (uint32_t i = 0; i < f->count; i++) {
        if (!sp_gen_chance(gen, 10))
            continue;
        struct sp_span *span = take(f, 1, sizeof(*span));
        *span = *f->spans[i];
        span->attributes = lengthened(f, gen, span->attributes);
        if (span->event_count > 0) {
            struct sp_event *events = take(f, span->event_count, sizeof(*events));
            memcpy(events, span->events, span->event_count * sizeof(*events));
            events[0].attributes = lengthened(f, gen, events[0].attributes);
            span->events = events;
        }
        f->spans[i] = span;
    }
}

void block_fixture_init(struct block_fixture *f, uint64_t seed, size_t span_count,
                        unsigned odd_percent, bool long_lists)
{
    struct sp_gen gen = {.state = seed};
    struct sp_gen_options options = {.span_count = span_count, .odd_percent = odd_percent};
    struct sp_error error;
    *f = (struct block_fixture){.count = (uint32_t)span_count};
    sp_arena_init(&f->arena, SIZE_MAX);
    const struct sp_batch *batch = sp_gen_batch(&f->arena, seed, &options);
    ck_assert_ptr_nonnull(batch);
    f->spans = take(f, span_count, sizeof(*f->spans));
    for (size_t i = 0; i < span_count; i++)
        f->spans[i] = &batch->spans[i];
    qsort(f->spans, span_count, sizeof(*f->spans), compare_spans);
    echo_some(f, &gen);
    if (long_lists)
        lengthen_some(f, &gen);
    size_t taken = 0;
    ck_assert_int_eq(sp_block_builder_new(&f->builder, &error), SP_OK);
    ck_assert_int_eq(sp_block_builder_add_spans(f->builder, f->spans, span_count, &taken, &error),
                     SP_OK);
    ck_assert_uint_eq(taken, span_count);
    ck_assert_int_eq(sp_block_builder_view(f->builder, &f->whole, &error), SP_OK);
    sp_block_loader_init(&f->disk, &f->whole);
    f->disk.without_durations = sp_gen_chance(&gen, 50);
}

void block_fixture_fini(struct block_fixture *f)
{
    sp_block_loader_fini(&f->disk);
    sp_block_builder_free(f->builder);
    sp_arena_fini(&f->arena);
}

struct sp_block_view block_fixture_memory(const struct block_fixture *f)
{
    return (struct sp_block_view){.block = &f->whole};
}

/* ---- drawing ---- */

struct sp_time_range block_fixture_range(const struct block_fixture *f, struct sp_gen *gen)
{
    struct sp_time_range range = SP_TIME_RANGE_ALL;
    if (sp_gen_chance(gen, 40))
        return range;
    if (sp_gen_chance(gen, 70))
        range.from_unix_ns =
            f->spans[sp_gen_below(gen, f->count)]->start_unix_ns + sp_gen_below(gen, 2);
    if (sp_gen_chance(gen, 70))
        range.to_unix_ns =
            f->spans[sp_gen_below(gen, f->count)]->start_unix_ns + sp_gen_below(gen, 2);
    return range;
}
