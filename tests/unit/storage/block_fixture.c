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

/* What an encoder says of the block. */
static void make_head(struct block_fixture *f)
{
    struct sp_block_encoder *encoder;
    struct sp_block_decoder *decoder;
    struct sp_error error;
    struct sp_test_chunks chunks = {0};
    struct sp_chunk_sink sink = sp_test_chunks_sink(&chunks);
    ck_assert_int_eq(sp_block_encoder_new(&encoder, &error), SP_OK);
    ck_assert_int_eq(sp_block_decoder_new(&decoder, &error), SP_OK);
    ck_assert_int_eq(sp_block_encode(encoder, &f->whole, &sink, &error), SP_OK);
    const struct sp_test_chunk *chunk = sp_test_chunks_find(&chunks, SP_CHUNK_HEAD);
    ck_assert_int_eq(sp_block_decode_head(decoder, sp_slice_make(chunk->ptr, chunk->len), &f->arena,
                                          &f->head, &error),
                     SP_OK);
    ck_assert_uint_eq(f->head.block.column_count, f->whole.column_count);
    sp_test_chunks_fini(&chunks);
    sp_block_encoder_free(encoder);
    sp_block_decoder_free(decoder);
}

void block_fixture_init(struct block_fixture *f, uint64_t seed, size_t span_count,
                        unsigned odd_percent, bool long_lists)
{
    struct sp_gen gen = {.state = seed};
    struct sp_gen_options options = {.span_count = span_count, .odd_percent = odd_percent};
    struct sp_error error;
    *f = (struct block_fixture){.count = (uint32_t)span_count,
                                .loads_durations = sp_gen_chance(&gen, 50)};
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
    make_head(f);
    f->columns = take(f, f->whole.column_count, sizeof(*f->columns));
    block_fixture_unload(f);
}

void block_fixture_fini(struct block_fixture *f)
{
    sp_block_builder_free(f->builder);
    sp_arena_fini(&f->arena);
}

/* ---- a block on disk ---- */

/* A dictionary of its own, with only the texts that occur. */
static void load_texts(struct block_fixture *f, uint32_t number, bool codes_too)
{
    const struct sp_column *from = &f->whole.columns[number];
    uint32_t *number_of = take(f, from->dictionary->count, sizeof(*number_of));
    struct sp_slice *texts = take(f, from->count, sizeof(*texts));
    uint32_t *codes = take(f, from->count, sizeof(*codes));
    struct sp_dictionary *dictionary = take(f, 1, sizeof(*dictionary));
    for (uint32_t i = 0; i < from->count; i++) {
        uint32_t code = from->codes[i];
        if (number_of[code] == 0) {
            texts[dictionary->count] = from->dictionary->texts[code];
            number_of[code] = ++dictionary->count;
        }
        codes[i] = number_of[code] - 1;
    }
    dictionary->texts = texts;
    f->columns[number].dictionary = dictionary;
    if (codes_too)
        f->columns[number].codes = codes;
}

static void load_durations(struct block_fixture *f)
{
    if (!f->loads_durations) {
        f->block.starts = f->whole.starts;
        f->block.ends = f->whole.ends;
        return;
    }
    uint64_t *durations = take(f, f->count, sizeof(*durations));
    for (uint32_t i = 0; i < f->count; i++)
        durations[i] = f->whole.ends[i] - f->whole.starts[i];
    f->view.durations = durations;
}

static enum sp_status load(struct sp_block_view *view, enum sp_block_part part, uint32_t number,
                           struct sp_error *reterr)
{
    (void)reterr;
    struct block_fixture *f = view->cookie;
    f->loads++;
    switch (part) {
    case SP_PART_TRACES:
        f->block.trace_ids = f->whole.trace_ids;
        f->block.trace_rows = f->whole.trace_rows;
        break;
    case SP_PART_STARTS:
        f->block.starts = f->whole.starts;
        break;
    case SP_PART_DURATIONS:
        load_durations(f);
        break;
    case SP_PART_ROW_TEMPLATES:
        f->block.tables[number].templates = f->whole.tables[number].templates;
        break;
    case SP_PART_DICTIONARY:
        load_texts(f, number, false);
        break;
    case SP_PART_VALUES:
        if (f->whole.columns[number].codes != NULL)
            load_texts(f, number, true);
        else
            f->columns[number].numbers = f->whole.columns[number].numbers;
        break;
    }
    return SP_OK;
}

void block_fixture_unload(struct block_fixture *f)
{
    f->block = f->whole;
    f->block.trace_ids = NULL;
    f->block.trace_rows = NULL;
    f->block.span_ids = f->block.parent_ids = f->block.link_span_ids = NULL;
    f->block.link_trace_ids = NULL;
    f->block.starts = f->block.ends = f->block.event_times = NULL;
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT; t++)
        f->block.tables[t].templates = NULL;
    for (uint32_t c = 0; c < f->whole.column_count; c++) {
        f->columns[c] = f->whole.columns[c];
        f->columns[c].codes = NULL;
        f->columns[c].dictionary = NULL;
        f->columns[c].numbers = NULL;
    }
    f->block.columns = f->columns;
    f->view =
        (struct sp_block_view){.block = &f->block, .head = &f->head, .load = load, .cookie = f};
    f->loads = 0;
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

bool block_fixture_attribute(const struct block_fixture *f, struct sp_gen *gen,
                             struct sp_attribute *ret)
{
    const struct sp_span *span = f->spans[sp_gen_below(gen, f->count)];
    enum sp_attribute_scope scope;
    const struct sp_attributes *list = sp_attribute_list(
        span, sp_gen_below(gen, sp_attribute_list_count(span)), UINT32_MAX, &scope);
    if (list->count == 0)
        return false;
    uint32_t i = list->count > SP_BLOCK_LIST_MAX && sp_gen_chance(gen, 50)
                     ? list->count - 1
                     : (uint32_t)sp_gen_below(gen, list->count);
    *ret = list->items[i];
    return true;
}
