/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/storage/test_rollup.c: what rollups say of blocks is what counting their spans one by one says. */
#include "storage/edge_rollup.h"
#include "storage/rollup.h"
#include "storage/rollup_format.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/check_main.h"
#include "tests/support/old_formats.h"
#include "tests/support/span_gen.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define ALL_SCOPES                                                                                 \
    (SP_SCOPE_SPAN | SP_SCOPE_RESOURCE | SP_SCOPE_INSTRUMENTATION | SP_SCOPE_EVENT | SP_SCOPE_LINK)

static const struct sp_operation_filter all_operations = {.kind = SP_KIND_ANY};

static int compare_spans(const void *a, const void *b)
{
    const struct sp_span *x = *(const struct sp_span *const *)a;
    const struct sp_span *y = *(const struct sp_span *const *)b;
    int order = sp_trace_id_compare(&x->trace_id, &y->trace_id);
    return order != 0 ? order : (x > y) - (x < y);
}

/* Adds a batch, in blocks of at most rows_max spans. */
static void add_batch(struct sp_rollup *rollup, const struct sp_batch *batch, size_t rows_max)
{
    struct sp_error error;
    struct sp_block_builder *builder;
    const struct sp_span **spans = calloc(batch->span_count + 1, sizeof(*spans));
    for (size_t i = 0; i < batch->span_count; i++)
        spans[i] = &batch->spans[i];
    qsort(spans, batch->span_count, sizeof(*spans), compare_spans);
    ck_assert_int_eq(sp_block_builder_new(&builder, &error), SP_OK);
    for (size_t at = 0; at < batch->span_count;) {
        struct sp_block block;
        size_t taken;
        size_t count = batch->span_count - at < rows_max ? batch->span_count - at : rows_max;
        ck_assert_int_eq(sp_block_builder_add_spans(builder, spans + at, count, &taken, &error),
                         SP_OK);
        ck_assert_int_eq(sp_block_builder_view(builder, &block, &error), SP_OK);
        ck_assert_int_eq(sp_rollup_add_block(rollup, &block, &error), SP_OK);
        sp_block_builder_reset(builder);
        at += taken;
    }
    sp_block_builder_free(builder);
    free(spans);
}

/* ---- answers as text ---- */

static void put_exemplar(const struct sp_span_exemplar *exemplar, struct sp_buf *out)
{
    char trace_id[SP_TRACE_ID_TEXT], span_id[SP_SPAN_ID_TEXT];
    sp_trace_id_format(&exemplar->trace_id, trace_id);
    sp_span_id_format(&exemplar->span_id, span_id);
    sp_buf_printf(out, "; %s %s %llu", trace_id, span_id,
                  (unsigned long long)exemplar->duration_ns);
}

static void put_tally(struct sp_tally *tally, struct sp_buf *out)
{
    sp_tally_sort(tally, sp_tally_compare);
    for (size_t i = 0; i < tally->count; i++) {
        const struct sp_tally_row *row = tally->rows[i];
        const struct sp_histogram *h = &row->latency;
        sp_buf_printf(
            out, "%.*s|%.*s|%d: %llu %llu; %llu %llu %llu %llu %llu:", SP_SLICE_PRINTF(row->first),
            SP_SLICE_PRINTF(row->second), row->number, (unsigned long long)row->count,
            (unsigned long long)row->errors, (unsigned long long)h->count,
            (unsigned long long)h->zero_count, (unsigned long long)h->sum_ns,
            (unsigned long long)h->min_ns, (unsigned long long)h->max_ns);
        for (uint32_t b = 0; b < h->bucket_count; b++)
            sp_buf_printf(out, " %u:%llu", h->buckets[b].index,
                          (unsigned long long)h->buckets[b].count);
        if (row->exemplars != NULL) {
            put_exemplar(&row->exemplars->slowest, out);
            put_exemplar(&row->exemplars->failed, out);
        }
        sp_buf_append_cstr(out, "\n");
    }
    ck_assert_int_eq(out->error, SP_OK);
}

enum form { BRUTE, MEMORY, ENCODED };

struct question {
    struct sp_time_range range;
    struct sp_operation_filter filter;
    bool with_latency;
    uint32_t scopes;
    struct sp_slice prefix;
};

struct counted {
    const struct sp_batch *batches;
    size_t batch_count;
    const struct sp_rollup *rollup;
    const struct sp_rollup_reader *reader;
};

static void count_brute(const struct counted *counted, const struct question *question,
                        struct sp_tally *operations, struct sp_tally *keys)
{
    uint64_t mark = 0;
    struct sp_error error;
    struct sp_time_range range = sp_time_range_full_minutes(question->range);
    for (size_t b = 0; b < counted->batch_count; b++) {
        for (size_t i = 0; i < counted->batches[b].span_count; i++) {
            const struct sp_span *span = &counted->batches[b].spans[i];
            if (!sp_time_range_contains(range, span->start_unix_ns))
                continue;
            if (sp_operation_matches(&question->filter, sp_span_service(span), span->name,
                                     span->kind))
                ck_assert_int_eq(
                    sp_count_operation(operations, span, question->with_latency, &error), SP_OK);
            ck_assert_int_eq(
                sp_count_keys(keys, span, question->scopes, question->prefix, ++mark, &error),
                SP_OK);
        }
    }
}

static void answer(enum form form, const struct counted *counted, const struct question *question,
                   struct sp_buf *out)
{
    struct sp_arena arena;
    struct sp_tally operations, keys;
    struct sp_error error;
    sp_arena_init(&arena, SIZE_MAX);
    sp_tally_init(&operations, &arena);
    sp_tally_init(&keys, &arena);
    if (form == BRUTE) {
        count_brute(counted, question, &operations, &keys);
    } else if (form == MEMORY) {
        ck_assert_int_eq(sp_rollup_count_operations(counted->rollup, question->range,
                                                    &question->filter, question->with_latency,
                                                    &operations, &error),
                         SP_OK);
        ck_assert_int_eq(sp_rollup_count_keys(counted->rollup, question->range, question->scopes,
                                              question->prefix, &keys, &error),
                         SP_OK);
    } else {
        ck_assert_int_eq(sp_rollup_read_operations(counted->reader, question->range,
                                                   &question->filter, question->with_latency,
                                                   &operations, &error),
                         SP_OK);
        ck_assert_int_eq(sp_rollup_read_keys(counted->reader, question->range, question->scopes,
                                             question->prefix, &keys, &error),
                         SP_OK);
    }
    put_tally(&operations, out);
    sp_buf_append_cstr(out, "--\n");
    put_tally(&keys, out);
    sp_tally_fini(&operations);
    sp_tally_fini(&keys);
    sp_arena_fini(&arena);
}

static void assert_answers(const struct counted *counted, const struct question *question)
{
    struct sp_buf texts[3];
    for (int form = BRUTE; form <= ENCODED; form++) {
        sp_buf_init(&texts[form], SIZE_MAX);
        answer((enum form)form, counted, question, &texts[form]);
        ck_assert_msg(sp_slice_equal(sp_buf_slice(&texts[BRUTE]), sp_buf_slice(&texts[form])),
                      "form %d of range %llu to %llu: expected\n%.*sgot\n%.*s", form,
                      (unsigned long long)question->range.from_unix_ns,
                      (unsigned long long)question->range.to_unix_ns,
                      SP_SLICE_PRINTF(sp_buf_slice(&texts[BRUTE])),
                      SP_SLICE_PRINTF(sp_buf_slice(&texts[form])));
    }
    for (int form = BRUTE; form <= ENCODED; form++)
        sp_buf_fini(&texts[form]);
}

static void encode(const struct sp_rollup *rollup, struct sp_buf *out)
{
    struct sp_error error;
    sp_buf_init(out, SIZE_MAX);
    ck_assert_int_eq(sp_rollup_encode(rollup, out, &error), SP_OK);
}

static void ask_everything(struct sp_gen *gen, const struct counted *counted)
{
    struct question all = {SP_TIME_RANGE_ALL, all_operations, true, ALL_SCOPES, SP_SLICE("")};
    assert_answers(counted, &all);
    for (int i = 0; i < 12; i++) {
        const struct sp_batch *batch = &counted->batches[sp_gen_below(gen, counted->batch_count)];
        const struct sp_span *span = &batch->spans[sp_gen_below(gen, batch->span_count)];
        uint64_t from = span->start_unix_ns - sp_gen_below(gen, 2) * sp_gen_below(gen, 90000000000);
        struct question some = all;
        some.range = (struct sp_time_range){from, from + sp_gen_below(gen, 600000000000)};
        if (sp_gen_chance(gen, 20))
            some.range.to_unix_ns = UINT64_MAX;
        if (sp_gen_chance(gen, 50))
            some.filter.service = sp_span_service(span);
        if (sp_gen_chance(gen, 30))
            some.filter.name = span->name;
        if (sp_gen_chance(gen, 30))
            some.filter.kind = span->kind;
        some.with_latency = sp_gen_chance(gen, 70);
        some.scopes = (uint32_t)sp_gen_below(gen, ALL_SCOPES + 1);
        if (span->attributes.count > 0 && sp_gen_chance(gen, 50))
            some.prefix = sp_slice_sub(span->attributes.items[0].key, 0, sp_gen_below(gen, 4));
        assert_answers(counted, &some);
    }
}

#define BATCHES 3

START_TEST(rollup_counts_what_its_spans_say)
{
    struct sp_arena arena;
    struct sp_error error;
    struct sp_gen random = {(uint64_t)_i};
    sp_arena_init(&arena, SIZE_MAX);
    struct sp_batch batches[BATCHES];
    struct sp_rollup whole, part;
    sp_rollup_init(&whole);
    for (size_t b = 0; b < BATCHES; b++) {
        struct sp_gen_options options = sp_gen_options_everything(1 + sp_gen_below(&random, 700));
        options.odd_percent = (unsigned)(_i % 4) * 15;
        options.window_ns = 1 + sp_gen_below(&random, 8 * 60000000000);
        batches[b] = *sp_gen_batch(&arena, (uint64_t)_i * BATCHES + b, &options);
        /* One into the whole, one by way of another rollup, one by way of its bytes. */
        if (b == 0) {
            add_batch(&whole, &batches[b], 1 + sp_gen_below(&random, 1000));
            continue;
        }
        sp_rollup_init(&part);
        add_batch(&part, &batches[b], 1 + sp_gen_below(&random, 1000));
        if (b == 1) {
            ck_assert_int_eq(sp_rollup_merge(&whole, &part, &error), SP_OK);
        } else {
            struct sp_buf bytes;
            encode(&part, &bytes);
            ck_assert_int_eq(sp_rollup_decode(sp_buf_slice(&bytes), &whole, &error), SP_OK);
            sp_buf_fini(&bytes);
        }
        sp_rollup_fini(&part);
    }
    struct sp_buf bytes;
    struct sp_rollup_reader reader;
    encode(&whole, &bytes);
    ck_assert_int_eq(sp_rollup_open(sp_buf_slice(&bytes), &arena, &reader, &error), SP_OK);
    struct counted counted = {batches, BATCHES, &whole, &reader};
    ask_everything(&random, &counted);
    sp_buf_fini(&bytes);
    sp_rollup_fini(&whole);
    sp_arena_fini(&arena);
}
END_TEST

/* Attributes that have no columns, and times at both ends of what 64 bits hold. */
START_TEST(rollup_counts_attributes_beyond_the_columns_and_times_far_apart)
{
    enum { SPANS = 40, EACH = 600 };
    struct sp_arena arena;
    struct sp_error error;
    sp_arena_init(&arena, SIZE_MAX);
    static const struct sp_resource resource = {.present = true};
    static const struct sp_scope scope = {0};
    struct sp_span *spans = sp_arena_calloc(&arena, SPANS, sizeof(*spans));
    for (size_t s = 0; s < SPANS; s++) {
        struct sp_attribute *items = sp_arena_calloc(&arena, EACH, sizeof(*items));
        struct sp_event *event = sp_arena_calloc(&arena, 1, sizeof(*event));
        for (size_t i = 0; i < EACH; i++) {
            char *key = sp_arena_alloc(&arena, 32);
            int len = snprintf(key, 32, "key.%zu.%zu", s % 20, i % 450); /* some twice */
            items[i].key = sp_slice_make(key, (size_t)len);
            items[i].value = (struct sp_value){.kind = i % 7 == 0 ? SP_VALUE_BOOL : SP_VALUE_INT};
        }
        event->attributes = (struct sp_attributes){.items = items + 100, .count = 400};
        spans[s] = (struct sp_span){.trace_id = {.bytes = {1, (uint8_t)s}},
                                    .span_id = {.bytes = {9}},
                                    .resource = &resource,
                                    .scope = &scope,
                                    .start_unix_ns = s % 3 == 0 ? s : UINT64_MAX - s * (s % 2),
                                    .end_unix_ns = UINT64_MAX - s * 3,
                                    .events = event,
                                    .event_count = s % 2,
                                    .attributes = {.items = items, .count = EACH}};
    }
    struct sp_batch batch = {.spans = spans, .span_count = SPANS};
    struct sp_rollup rollup;
    struct sp_rollup_reader reader;
    struct sp_buf bytes;
    sp_rollup_init(&rollup);
    add_batch(&rollup, &batch, SPANS);
    encode(&rollup, &bytes);
    ck_assert_int_eq(sp_rollup_open(sp_buf_slice(&bytes), &arena, &reader, &error), SP_OK);
    ck_assert_uint_eq(reader.minute_count, 2);
    struct counted counted = {&batch, 1, &rollup, &reader};
    struct sp_gen random = {1};
    ask_everything(&random, &counted);
    sp_buf_fini(&bytes);
    sp_rollup_fini(&rollup);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(equal_rollups_have_equal_bytes)
{
    struct sp_arena arena;
    struct sp_error error;
    sp_arena_init(&arena, SIZE_MAX);
    struct sp_gen_options options = sp_gen_options_everything(900);
    struct sp_batch batches[2] = {*sp_gen_batch(&arena, 1, &options),
                                  *sp_gen_batch(&arena, 2, &options)};
    for (size_t b = 0; b < 2; b++) /* equally slow ones */
        for (size_t i = 0; i < batches[b].span_count; i++)
            ((struct sp_span *)(uintptr_t)&batches[b].spans[i])->end_unix_ns =
                batches[b].spans[i].start_unix_ns + i % 3;
    struct sp_buf bytes[3];
    for (size_t i = 0; i < 2; i++) {
        struct sp_rollup rollup;
        sp_rollup_init(&rollup);
        add_batch(&rollup, &batches[i], 1000);
        add_batch(&rollup, &batches[1 - i], 100);
        encode(&rollup, &bytes[i]);
        sp_rollup_fini(&rollup);
    }
    struct sp_rollup decoded;
    sp_rollup_init(&decoded);
    ck_assert_int_eq(sp_rollup_decode(sp_buf_slice(&bytes[0]), &decoded, &error), SP_OK);
    encode(&decoded, &bytes[2]);
    sp_rollup_fini(&decoded);
    for (size_t i = 1; i < 3; i++)
        ck_assert(sp_slice_equal(sp_buf_slice(&bytes[0]), sp_buf_slice(&bytes[i])));
    for (size_t i = 0; i < 3; i++)
        sp_buf_fini(&bytes[i]);
    struct sp_rollup empty;
    sp_rollup_init(&empty);
    encode(&empty, &bytes[0]);
    ck_assert_int_eq(sp_rollup_decode(sp_buf_slice(&bytes[0]), &empty, &error), SP_OK);
    sp_buf_fini(&bytes[0]);
    sp_rollup_fini(&empty);
    sp_arena_fini(&arena);
}
END_TEST

/* The slowest, whatever else: what the order of spans must not change. */
START_TEST(exemplars_are_the_slowest_of_all_and_of_errors)
{
    static const struct sp_resource resource = {.present = true};
    static const struct sp_scope scope = {0};
    static const struct {
        uint8_t trace, span, duration;
        bool is_error;
    } cases[] = {
        {5, 1, 90, false}, {4, 9, 90, false}, {4, 2, 90, false}, {9, 1, 10, true},
        {3, 7, 10, true},  {3, 8, 10, true},  {1, 1, 3, true},   {2, 1, 89, false},
    };
    enum { COUNT = SP_ARRAY_LEN(cases) };
    for (size_t shift = 0; shift < COUNT; shift++) {
        struct sp_span spans[COUNT];
        struct sp_rollup rollup;
        for (size_t i = 0; i < COUNT; i++) {
            size_t c = (i * 3 + shift) % COUNT;
            spans[i] = (struct sp_span){.trace_id = {.bytes = {cases[c].trace}},
                                        .span_id = {.bytes = {cases[c].span}},
                                        .resource = &resource,
                                        .scope = &scope,
                                        .status_code = cases[c].is_error ? SP_SPAN_STATUS_ERROR : 0,
                                        .end_unix_ns = cases[c].duration};
        }
        sp_rollup_init(&rollup);
        add_batch(&rollup, &(struct sp_batch){.spans = spans, .span_count = COUNT / 2}, 3);
        add_batch(&rollup, &(struct sp_batch){.spans = spans + COUNT / 2, .span_count = COUNT / 2},
                  COUNT);
        ck_assert_uint_eq(rollup.rows.count, 1);
        const struct sp_span_exemplars *found = &rollup.rows.items[0].exemplars;
        ck_assert_uint_eq(found->slowest.duration_ns, 90);
        ck_assert_uint_eq(found->slowest.trace_id.bytes[0], 4);
        ck_assert_uint_eq(found->slowest.span_id.bytes[0], 2);
        ck_assert_uint_eq(found->failed.duration_ns, 10);
        ck_assert_uint_eq(found->failed.trace_id.bytes[0], 3);
        ck_assert_uint_eq(found->failed.span_id.bytes[0], 7);
        sp_rollup_fini(&rollup);
    }
}
END_TEST

/* As it was written before rows had exemplars. */
START_TEST(rollup_without_exemplars_is_read_still)
{
    struct sp_arena arena;
    struct sp_error error;
    sp_arena_init(&arena, SIZE_MAX);
    struct sp_gen_options options = sp_gen_options_everything(500);
    const struct sp_batch *batch = sp_gen_batch(&arena, 11, &options);
    struct sp_rollup rollup, old;
    struct sp_buf bytes, old_bytes;
    sp_rollup_init(&rollup);
    sp_rollup_init(&old);
    add_batch(&rollup, batch, 1000);
    encode(&rollup, &bytes);
    sp_buf_init(&old_bytes, SIZE_MAX);
    sp_rollup_as_format_1(sp_buf_slice(&bytes), &old_bytes);
    ck_assert_uint_lt(old_bytes.len, bytes.len);
    ck_assert_int_eq(sp_rollup_decode(sp_buf_slice(&old_bytes), &old, &error), SP_OK);
    ck_assert(old.lacks_exemplars && !rollup.lacks_exemplars);
    ck_assert_uint_eq(old.rows.count, rollup.rows.count);
    ck_assert_uint_eq(old.cells.used, rollup.cells.used);
    for (uint32_t i = 0; i < old.rows.count; i++)
        ck_assert(sp_trace_id_is_zero(&old.rows.items[i].exemplars.slowest.trace_id));

    /* Its answers are the same but for the exemplars. */
    struct sp_rollup_reader reader;
    struct sp_tally tally, want;
    sp_tally_init(&tally, &arena);
    sp_tally_init(&want, &arena);
    ck_assert_int_eq(sp_rollup_open(sp_buf_slice(&old_bytes), &arena, &reader, &error), SP_OK);
    ck_assert_int_eq(sp_rollup_read_operations(&reader, SP_TIME_RANGE_ALL, &all_operations, true,
                                               &tally, &error),
                     SP_OK);
    ck_assert_int_eq(sp_rollup_count_operations(&rollup, SP_TIME_RANGE_ALL, &all_operations, true,
                                                &want, &error),
                     SP_OK);
    for (size_t i = 0; i < want.count; i++)
        *want.rows[i]->exemplars = (struct sp_span_exemplars){0};
    struct sp_buf texts[2];
    sp_buf_init(&texts[0], SIZE_MAX);
    sp_buf_init(&texts[1], SIZE_MAX);
    put_tally(&want, &texts[0]);
    put_tally(&tally, &texts[1]);
    ck_assert(sp_slice_equal(sp_buf_slice(&texts[0]), sp_buf_slice(&texts[1])));

    /* Together with one that has exemplars, they say that they lack some; and so do hours, as bytes. */
    ck_assert_int_eq(sp_rollup_merge(&rollup, &old, &error), SP_OK);
    ck_assert(rollup.lacks_exemplars);
    sp_buf_reset(&bytes);
    ck_assert_int_eq(sp_rollup_encode(&old, &bytes, &error), SP_OK);
    ck_assert_int_eq(sp_rollup_open(sp_buf_slice(&bytes), &arena, &reader, &error), SP_OK);
    ck_assert(reader.has_exemplars);
    sp_buf_fini(&texts[0]);
    sp_buf_fini(&texts[1]);
    sp_tally_fini(&tally);
    sp_tally_fini(&want);
    sp_buf_fini(&old_bytes);
    sp_buf_fini(&bytes);
    sp_rollup_fini(&rollup);
    sp_rollup_fini(&old);
    sp_arena_fini(&arena);
}
END_TEST

static void sign(uint8_t *bytes, size_t len)
{
    uint64_t checksum = sp_checksum(
        sp_slice_make(bytes + SP_CHECKSUM_BYTES, len - SP_CHECKSUM_BYTES), SP_ROLLUP_CHECKSUM_SEED);
    for (size_t i = 0; i < SP_CHECKSUM_BYTES; i++)
        bytes[i] = (uint8_t)(checksum >> (8 * i));
}

START_TEST(damaged_rollup_is_told_and_does_no_harm)
{
    struct sp_arena arena;
    struct sp_error error;
    sp_arena_init(&arena, SIZE_MAX);
    struct sp_gen_options options = sp_gen_options_everything(120);
    struct sp_rollup rollup;
    struct sp_buf bytes;
    sp_rollup_init(&rollup);
    add_batch(&rollup, sp_gen_batch(&arena, 5, &options), 1000);
    encode(&rollup, &bytes);
    sp_rollup_fini(&rollup);
    size_t told = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t *damaged = malloc(bytes.len);
        memcpy(damaged, bytes.ptr, bytes.len);
        damaged[i] ^= (uint8_t)(1 << i % 8);
        sp_rollup_init(&rollup);
        ck_assert_int_eq(sp_rollup_decode(sp_slice_make(damaged, bytes.len), &rollup, &error),
                         SP_CORRUPT);
        ck_assert_int_eq(sp_rollup_decode(sp_slice_make(damaged, i), &rollup, &error), SP_CORRUPT);
        /* As somebody would write it who means harm: then it may be a rollup, of whatever. */
        size_t len = i % 3 == 0 && i > SP_CHECKSUM_BYTES ? i : bytes.len;
        sign(damaged, len);
        enum sp_status status = sp_rollup_decode(sp_slice_make(damaged, len), &rollup, &error);
        ck_assert(status == SP_OK || status == SP_CORRUPT);
        told += status == SP_CORRUPT;
        struct sp_rollup_reader reader;
        if (status == SP_OK) {
            ck_assert_int_eq(sp_rollup_open(sp_slice_make(damaged, len), &arena, &reader, &error),
                             SP_OK);
            struct sp_tally tally;
            sp_tally_init(&tally, &arena);
            ck_assert_int_eq(sp_rollup_read_operations(&reader, SP_TIME_RANGE_ALL, &all_operations,
                                                       true, &tally, &error),
                             SP_OK);
            sp_tally_fini(&tally);
        }
        sp_rollup_fini(&rollup);
        free(damaged);
    }
    ck_assert_uint_gt(told, bytes.len / 3);
    sp_buf_fini(&bytes);
    sp_arena_fini(&arena);
}
END_TEST

/* A block into both kinds of rollups, to bytes and back. */
static enum sp_status make_all(const struct sp_block *block, struct sp_rollup *rollup,
                               struct sp_edge_rollup *edges, struct sp_edge_counter **counter,
                               struct sp_buf *bytes)
{
    struct sp_error error;
    enum sp_status status = sp_rollup_add_block(rollup, block, &error);
    if (status == SP_OK)
        status = sp_rollup_encode(rollup, bytes, &error);
    if (status == SP_OK)
        status = sp_rollup_decode(sp_buf_slice(bytes), rollup, &error);
    sp_buf_reset(bytes);
    if (status == SP_OK)
        status = sp_edge_counter_new(edges, SP_PEER_NAMES_BY_DESTINATION, counter, &error);
    if (status == SP_OK)
        status = sp_edge_counter_add(*counter, block, &error);
    if (status == SP_OK)
        status = sp_edge_counter_finish(*counter, &error);
    if (status == SP_OK)
        status = sp_edge_rollup_encode(edges, bytes, &error);
    if (status == SP_OK)
        status = sp_edge_rollup_read(sp_buf_slice(bytes), SP_TIME_RANGE_ALL, edges, &error);
    return status;
}

START_TEST(rollups_say_when_there_is_no_memory)
{
    struct sp_arena arena;
    struct sp_error error;
    struct sp_block_builder *builder;
    struct sp_block block;
    size_t taken;
    sp_arena_init(&arena, SIZE_MAX);
    struct sp_gen_options options = sp_gen_options_everything(60);
    const struct sp_batch *batch = sp_gen_batch(&arena, 8, &options);
    const struct sp_span *spans[60];
    for (size_t i = 0; i < batch->span_count; i++)
        spans[i] = &batch->spans[i];
    qsort(spans, batch->span_count, sizeof(*spans), compare_spans);
    ck_assert_int_eq(sp_block_builder_new(&builder, &error), SP_OK);
    ck_assert_int_eq(sp_block_builder_add_spans(builder, spans, batch->span_count, &taken, &error),
                     SP_OK);
    ck_assert_int_eq(sp_block_builder_view(builder, &block, &error), SP_OK);
    bool failed = true;
    for (size_t after = 0; failed; after++) {
        struct sp_rollup rollup;
        struct sp_edge_rollup edges;
        struct sp_edge_counter *counter = NULL;
        struct sp_buf bytes;
        sp_rollup_init(&rollup);
        sp_edge_rollup_init(&edges);
        sp_buf_init(&bytes, SIZE_MAX);
        alloc_fail_after(after);
        enum sp_status status = make_all(&block, &rollup, &edges, &counter, &bytes);
        failed = alloc_fail_stop();
        ck_assert_msg(status == (failed ? SP_NO_MEMORY : SP_OK), "after %zu: %s", after,
                      sp_status_name(status));
        sp_edge_counter_free(counter);
        sp_edge_rollup_fini(&edges);
        sp_rollup_fini(&rollup);
        sp_buf_fini(&bytes);
    }
    sp_block_builder_free(builder);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(full_minutes_are_those_within_a_range)
{
    static const uint64_t minute = 60000000000;
    static const struct {
        struct sp_time_range range, full;
    } cases[] = {
        {{0, UINT64_MAX}, {0, UINT64_MAX}},
        {{1, UINT64_MAX}, {60000000000, UINT64_MAX}},
        {{0, 60000000000}, {0, 60000000000}},
        {{0, 59999999999}, {0, 0}},
        {{1, 120000000000}, {60000000000, 120000000000}},
        {{1, 119999999999}, {0, 0}},
        {{UINT64_MAX, UINT64_MAX}, {0, 0}},
        {{5, 5}, {0, 0}},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        struct sp_time_range full = sp_time_range_full_minutes(cases[i].range);
        ck_assert_uint_eq(full.from_unix_ns, cases[i].full.from_unix_ns);
        ck_assert_uint_eq(full.to_unix_ns, cases[i].full.to_unix_ns);
    }
    uint64_t last = UINT64_MAX / minute * minute;
    struct sp_time_range full =
        sp_time_range_full_minutes((struct sp_time_range){last, UINT64_MAX});
    ck_assert(sp_time_range_contains(full, UINT64_MAX));
    ck_assert_uint_eq(full.from_unix_ns, last);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("rollup");
    TCase *tests = tcase_create("rollup");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, rollup_counts_what_its_spans_say, 0, 24);
    tcase_add_test(tests, rollup_counts_attributes_beyond_the_columns_and_times_far_apart);
    tcase_add_test(tests, equal_rollups_have_equal_bytes);
    tcase_add_test(tests, exemplars_are_the_slowest_of_all_and_of_errors);
    tcase_add_test(tests, rollup_without_exemplars_is_read_still);
    tcase_add_test(tests, damaged_rollup_is_told_and_does_no_harm);
    tcase_add_test(tests, rollups_say_when_there_is_no_memory);
    tcase_add_test(tests, full_minutes_are_those_within_a_range);
    suite_add_tcase(suite, tests);
    return suite;
}
