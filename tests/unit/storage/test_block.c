/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/storage/test_block.c: spans become blocks and come back equal, from spans, from shared copies and from rows of
 * other blocks. */
#include "storage/block.h"
#include "tests/support/check_main.h"
#include "tests/support/span_gen.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static int compare_spans(const void *a, const void *b)
{
    const struct sp_span *x = *(const struct sp_span *const *)a;
    const struct sp_span *y = *(const struct sp_span *const *)b;
    int order = sp_trace_id_compare(&x->trace_id, &y->trace_id);
    return order != 0 ? order : (x > y) - (x < y);
}

/* The spans of a batch by trace, within one as they came. */
static const struct sp_span **sorted(struct sp_arena *arena, const struct sp_batch *batch)
{
    const struct sp_span **spans = sp_arena_calloc(arena, batch->span_count + 1, sizeof(*spans));
    ck_assert_ptr_nonnull(spans);
    for (size_t i = 0; i < batch->span_count; i++)
        spans[i] = &batch->spans[i];
    qsort(spans, batch->span_count, sizeof(*spans), compare_spans);
    return spans;
}

static struct sp_block_builder *new_builder(void)
{
    struct sp_block_builder *builder;
    struct sp_error error;
    ck_assert_int_eq(sp_block_builder_new(&builder, &error), SP_OK);
    return builder;
}

static struct sp_block view(struct sp_block_builder *builder)
{
    struct sp_block block;
    struct sp_error error;
    ck_assert_int_eq(sp_block_builder_view(builder, &block, &error), SP_OK);
    return block;
}

static size_t add(struct sp_block_builder *builder, const struct sp_span *const *spans,
                  size_t count)
{
    size_t taken;
    struct sp_error error;
    ck_assert_int_eq(sp_block_builder_add_spans(builder, spans, count, &taken, &error), SP_OK);
    return taken;
}

static void assert_rows(const struct sp_block *block, uint32_t first,
                        const struct sp_span *const *want, uint32_t count, bool copy)
{
    struct sp_arena arena;
    struct sp_error error = {0};
    sp_arena_init(&arena, SIZE_MAX);
    struct sp_span *spans = calloc((size_t)count + 1, sizeof(*spans));
    ck_assert_int_eq(sp_block_spans(block, first, count, copy, &arena, spans, &error), SP_OK);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_msg(sp_span_equal(&spans[i], want[i]), "row %u is another span", first + i);
    free(spans);
    sp_arena_fini(&arena);
}

static const struct sp_batch *gen(struct sp_arena *arena, uint64_t seed, size_t span_count,
                                  unsigned odd_percent)
{
    struct sp_gen_options options = sp_gen_options_everything(span_count);
    options.odd_percent = odd_percent;
    options.trace_seed = 7;
    options.trace_count = 40;
    const struct sp_batch *batch = sp_gen_batch(arena, seed, &options);
    ck_assert_ptr_nonnull(batch);
    return batch;
}

START_TEST(block_gives_back_every_field_of_its_spans)
{
    struct sp_arena arena;
    sp_arena_init(&arena, SIZE_MAX);
    struct sp_block_builder *builder = new_builder();
    for (uint64_t seed = 0; seed < 60; seed++) {
        const struct sp_batch *batch = gen(&arena, seed, 1 + seed * 7, (unsigned)(seed % 4) * 20);
        const struct sp_span **spans = sorted(&arena, batch);
        ck_assert_uint_eq(add(builder, spans, batch->span_count), batch->span_count);
        struct sp_block block = view(builder);
        assert_rows(&block, 0, spans, (uint32_t)batch->span_count, seed % 2 == 0);
        for (uint32_t i = 0; i < batch->span_count; i += 13)
            assert_rows(&block, i, spans + i, 1, true);
        sp_block_builder_reset(builder);
    }
    sp_block_builder_free(builder);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(block_finds_the_rows_of_a_trace)
{
    struct sp_arena arena;
    sp_arena_init(&arena, SIZE_MAX);
    struct sp_block_builder *builder = new_builder();
    const struct sp_batch *batch = gen(&arena, 3, 500, 10);
    const struct sp_span **spans = sorted(&arena, batch);
    add(builder, spans, batch->span_count);
    struct sp_block block = view(builder);
    for (size_t i = 0; i < batch->span_count; i++) {
        uint32_t first;
        uint32_t count = sp_block_find(&block, &spans[i]->trace_id, &first);
        ck_assert(first <= i && i < first + count);
        ck_assert(first == 0 ||
                  sp_trace_id_compare(&spans[first - 1]->trace_id, &spans[i]->trace_id) != 0);
    }
    uint32_t first;
    ck_assert_uint_eq(sp_block_find(&block, &(struct sp_trace_id){.bytes = {0xff}}, &first), 0);
    ck_assert_uint_eq(sp_block_find(&block, &(struct sp_trace_id){.bytes = {0}}, &first), 0);
    sp_block_builder_free(builder);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(shared_block_does_not_need_its_builder)
{
    struct sp_arena arena;
    struct sp_error error;
    sp_arena_init(&arena, SIZE_MAX);
    struct sp_block_builder *builder = new_builder();
    const struct sp_batch *batch = gen(&arena, 5, 800, 30);
    const struct sp_span **spans = sorted(&arena, batch);
    add(builder, spans, batch->span_count);
    struct sp_block block = view(builder);
    struct sp_block_shared *shared;
    ck_assert_int_eq(sp_block_share(&block, &shared, &error), SP_OK);
    sp_block_builder_free(builder);
    assert_rows(&shared->block, 0, spans, (uint32_t)batch->span_count, false);
    sp_block_ref(shared);
    sp_block_unref(shared);
    assert_rows(&shared->block, 10, spans + 10, 20, true);
    sp_block_unref(shared);
    sp_arena_fini(&arena);
}
END_TEST

/* What a merge does: the next trace of all sources, its rows from each source that has it, in the order of the sources. */
static bool smallest(const struct sp_block *blocks, const uint32_t *at, size_t count,
                     struct sp_trace_id *ret)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (at[i] < blocks[i].trace_count &&
            (!any || sp_trace_id_compare(&blocks[i].trace_ids[at[i]], ret) < 0)) {
            *ret = blocks[i].trace_ids[at[i]];
            any = true;
        }
    }
    return any;
}

#define MERGED 5

START_TEST(rows_of_several_blocks_become_equal_rows)
{
    struct sp_arena arena;
    struct sp_error error;
    sp_arena_init(&arena, SIZE_MAX);
    struct sp_block_builder *builders[MERGED];
    struct sp_block blocks[MERGED];
    struct sp_block_source *sources[MERGED];
    struct sp_block_pool *pool;
    uint32_t at[MERGED] = {0};
    const struct sp_span *want[MERGED * 900];
    size_t want_count = 0;
    ck_assert_int_eq(sp_block_pool_new(&pool, &error), SP_OK);
    for (size_t i = 0; i < MERGED; i++) {
        const struct sp_batch *batch = gen(&arena, 70 + i, 300 + i * 100, 25);
        const struct sp_span **spans = sorted(&arena, batch);
        builders[i] = new_builder();
        add(builders[i], spans, batch->span_count);
        blocks[i] = view(builders[i]);
        ck_assert_int_eq(sp_block_source_new(pool, &blocks[i], &sources[i], &error), SP_OK);
        memcpy(want + want_count, spans, batch->span_count * sizeof(*spans));
        want_count += batch->span_count;
    }
    /* Stable by trace: sources one behind the other, each in its order. */
    for (size_t i = 1; i < want_count; i++) {
        const struct sp_span *span = want[i];
        size_t j = i;
        for (; j > 0 && sp_trace_id_compare(&want[j - 1]->trace_id, &span->trace_id) > 0; j--)
            want[j] = want[j - 1];
        want[j] = span;
    }

    struct sp_block_builder *builder = new_builder();
    struct sp_trace_id id;
    size_t done = 0;
    while (smallest(blocks, at, MERGED, &id)) {
        for (size_t i = 0; i < MERGED; i++) {
            uint32_t first;
            uint32_t count = sp_block_find(&blocks[i], &id, &first);
            at[i] += count > 0;
            while (count > 0) {
                uint32_t taken;
                ck_assert_int_eq(
                    sp_block_builder_add_rows(builder, sources[i], &id, count, &taken, &error),
                    SP_OK);
                count -= taken;
            }
        }
        if (sp_block_builder_rows(builder) > 400) { /* several blocks, so that maps are forgotten */
            struct sp_block block = view(builder);
            uint32_t rows = sp_block_builder_rows(builder);
            assert_rows(&block, 0, want + done, rows, false);
            done += rows;
            sp_block_builder_reset(builder);
        }
    }
    struct sp_block block = view(builder);
    assert_rows(&block, 0, want + done, sp_block_builder_rows(builder), false);
    ck_assert_uint_eq(done + sp_block_builder_rows(builder), want_count);
    sp_block_builder_free(builder);
    for (size_t i = 0; i < MERGED; i++) {
        sp_block_source_free(sources[i]);
        sp_block_builder_free(builders[i]);
    }
    sp_block_pool_free(pool);
    sp_arena_fini(&arena);
}
END_TEST

/* Columns whose texts are looked up once for all sources, and those for which that does not pay: because hardly any text is there twice, or because all
 * sources together have more of them than the pool takes; and one that changes from the first kind to the second. */
#define POOLED          10
#define POOLED_ROWS     16000
#define POOLED_DISTINCT 7900 /* texts of a source that no other has, each about twice */

static void name_value(struct sp_arena *arena, struct sp_attribute *item, const char *key,
                       uint64_t number)
{
    char *text = sp_arena_alloc(arena, 24);
    int len = snprintf(text, 24, "value %llu", (unsigned long long)number);
    *item = (struct sp_attribute){
        .key = sp_slice_cstr(key),
        .value = {.kind = SP_VALUE_STRING, .string = sp_slice_make(text, (size_t)len)}};
}

static struct sp_span *pooled_spans(struct sp_arena *arena, uint32_t source)
{
    static const struct sp_resource resource = {.present = true};
    static const struct sp_scope scope = {0};
    struct sp_span *spans = sp_arena_calloc(arena, POOLED_ROWS, sizeof(*spans));
    for (uint32_t i = 0; i < POOLED_ROWS; i++) {
        struct sp_attribute *items = sp_arena_calloc(arena, 4, sizeof(*items));
        uint64_t own = (uint64_t)source * POOLED_ROWS;
        name_value(arena, &items[0], "few", i % 7 + source);
        name_value(arena, &items[1], "own", own + i);
        name_value(arena, &items[2], "many", own + i % POOLED_DISTINCT);
        name_value(arena, &items[3], "changes", source < POOLED / 2 ? i % 9 : own + i);
        spans[i] = (struct sp_span){
            .trace_id = {.bytes = {1, (uint8_t)(i / 20 >> 8), (uint8_t)(i / 20)}},
            .span_id = {.bytes = {(uint8_t)source, (uint8_t)(i >> 8), (uint8_t)i, 1}},
            .resource = &resource,
            .scope = &scope,
            .attributes = {.items = items, .count = 4}};
    }
    return spans;
}

START_TEST(texts_of_many_blocks_are_copied_however_often_they_occur)
{
    struct sp_arena arena;
    struct sp_error error;
    struct sp_block_builder *builders[POOLED], *to = new_builder();
    struct sp_block blocks[POOLED];
    struct sp_block_source *sources[POOLED];
    struct sp_block_pool *pool;
    struct sp_span *spans[POOLED];
    const struct sp_span **pointers = calloc(POOLED_ROWS, sizeof(*pointers));
    const struct sp_span **want =
        calloc((size_t)POOLED_ROWS * POOLED, sizeof(const struct sp_span *));
    uint32_t done = 0, count = 0;
    sp_arena_init(&arena, SIZE_MAX);
    ck_assert_int_eq(sp_block_pool_new(&pool, &error), SP_OK);
    for (uint32_t s = 0; s < POOLED; s++) {
        spans[s] = pooled_spans(&arena, s);
        for (uint32_t i = 0; i < POOLED_ROWS; i++)
            pointers[i] = &spans[s][i];
        builders[s] = new_builder();
        ck_assert_uint_eq(add(builders[s], pointers, POOLED_ROWS), POOLED_ROWS);
        blocks[s] = view(builders[s]);
        ck_assert_int_eq(sp_block_source_new(pool, &blocks[s], &sources[s], &error), SP_OK);
    }
    for (uint32_t i = 0; i < POOLED_ROWS; i += 20) {
        for (uint32_t s = 0; s < POOLED; s++) {
            for (uint32_t rows = 20; rows > 0;) {
                uint32_t taken;
                ck_assert_int_eq(sp_block_builder_add_rows(to, sources[s], &spans[s][i].trace_id,
                                                           rows, &taken, &error),
                                 SP_OK);
                for (uint32_t k = 0; k < taken; k++)
                    want[count++] = &spans[s][i + 20 - rows + k];
                rows -= taken;
                if (!sp_block_builder_is_full(to))
                    continue;
                struct sp_block block = view(to);
                assert_rows(&block, 0, want + done, count - done, false);
                done = count;
                sp_block_builder_reset(to);
            }
        }
    }
    struct sp_block block = view(to);
    assert_rows(&block, 0, want + done, count - done, false);
    ck_assert_uint_eq(count, POOLED_ROWS * POOLED);
    sp_block_builder_free(to);
    for (uint32_t s = 0; s < POOLED; s++) {
        sp_block_source_free(sources[s]);
        sp_block_builder_free(builders[s]);
    }
    sp_block_pool_free(pool);
    free(pointers);
    free(want);
    sp_arena_fini(&arena);
}
END_TEST

/* A span with more attributes than a list of columns holds, and spans with more keys than a block has columns. */
START_TEST(attributes_beyond_the_columns_are_kept_as_one_value)
{
    enum { SPANS = 60, EACH = 400 };
    struct sp_arena arena;
    struct sp_error error;
    sp_arena_init(&arena, SIZE_MAX);
    static const struct sp_resource resource = {.present = true};
    static const struct sp_scope scope = {0};
    struct sp_span *spans = sp_arena_calloc(&arena, SPANS, sizeof(*spans));
    const struct sp_span *pointers[SPANS];
    for (size_t s = 0; s < SPANS; s++) {
        struct sp_attribute *items = sp_arena_calloc(&arena, EACH, sizeof(*items));
        for (size_t i = 0; i < EACH; i++) {
            char *key = sp_arena_alloc(&arena, 32);
            int len = snprintf(key, 32, "key.%zu.%zu", s, i);
            items[i].key = sp_slice_make(key, (size_t)len);
            items[i].value =
                (struct sp_value){.kind = SP_VALUE_INT, .integer = (int64_t)(s * i) - 100};
        }
        spans[s] = (struct sp_span){.trace_id = {.bytes = {1, (uint8_t)s}},
                                    .span_id = {.bytes = {9}},
                                    .resource = &resource,
                                    .scope = &scope,
                                    .attributes = {.items = items, .count = EACH}};
        pointers[s] = &spans[s];
    }
    struct sp_block_builder *builder = new_builder();
    ck_assert_uint_eq(add(builder, pointers, SPANS), SPANS);
    struct sp_block block = view(builder);
    ck_assert_uint_le(block.column_count, SP_BLOCK_COLUMNS_MAX);
    assert_rows(&block, 0, pointers, SPANS, false);

    /* Copied into a block that has other columns already, and so less room. */
    struct sp_block_builder *to = new_builder();
    struct sp_span other = {
        .trace_id = {.bytes = {0, 1}},
        .span_id = {.bytes = {9}},
        .resource = &resource,
        .scope = &scope,
        .attributes = {.items = &(struct sp_attribute){.key = SP_SLICE("x")}, .count = 1}};
    const struct sp_span *first = &other;
    add(to, &first, 1);
    struct sp_block_pool *pool;
    struct sp_block_source *source;
    ck_assert_int_eq(sp_block_pool_new(&pool, &error), SP_OK);
    ck_assert_int_eq(sp_block_source_new(pool, &block, &source, &error), SP_OK);
    uint32_t copied = 0;
    uint32_t blocks = 0;
    while (copied < SPANS) {
        uint32_t taken;
        ck_assert_int_eq(
            sp_block_builder_add_rows(to, source, &pointers[copied]->trace_id, 1, &taken, &error),
            SP_OK);
        copied += taken;
        if (taken == 0 || copied == SPANS) {
            struct sp_block view_of = view(to);
            uint32_t rows = sp_block_builder_rows(to);
            uint32_t own = blocks == 0;
            assert_rows(&view_of, own, pointers + copied - (rows - own), rows - own, false);
            sp_block_builder_reset(to);
            ck_assert_uint_lt(++blocks, 4);
        }
    }
    ck_assert_uint_ge(blocks, 2);
    sp_block_source_free(source);
    sp_block_pool_free(pool);
    sp_block_builder_free(to);
    sp_block_builder_free(builder);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(full_block_takes_no_more_and_an_empty_one_always_takes_one)
{
    struct sp_arena arena;
    sp_arena_init(&arena, SIZE_MAX);
    struct sp_block_builder *builder = new_builder();
    uint8_t *text = sp_arena_calloc(&arena, 1, 2 * SP_BLOCK_BYTES_MAX);
    static const struct sp_resource resource = {.present = true};
    static const struct sp_scope scope = {0};
    struct sp_span large = {.trace_id = {.bytes = {1}},
                            .span_id = {.bytes = {1}},
                            .name = sp_slice_make(text, 2 * SP_BLOCK_BYTES_MAX),
                            .resource = &resource,
                            .scope = &scope};
    const struct sp_span *spans[] = {&large, &large};
    ck_assert_uint_eq(add(builder, spans, 2), 1);
    ck_assert(sp_block_builder_is_full(builder));
    ck_assert_uint_eq(add(builder, spans, 1), 0);
    sp_block_builder_reset(builder);
    large.name = SP_SLICE("small");
    for (uint32_t i = 0; i < SP_BLOCK_ROWS_MAX; i++)
        ck_assert_uint_eq(add(builder, spans, 1), 1);
    ck_assert_uint_eq(add(builder, spans, 1), 0);
    sp_block_builder_free(builder);
    sp_arena_fini(&arena);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("block");
    TCase *tests = tcase_create("block");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, block_gives_back_every_field_of_its_spans);
    tcase_add_test(tests, block_finds_the_rows_of_a_trace);
    tcase_add_test(tests, shared_block_does_not_need_its_builder);
    tcase_add_test(tests, rows_of_several_blocks_become_equal_rows);
    tcase_add_test(tests, texts_of_many_blocks_are_copied_however_often_they_occur);
    tcase_add_test(tests, attributes_beyond_the_columns_are_kept_as_one_value);
    tcase_add_test(tests, full_block_takes_no_more_and_an_empty_one_always_takes_one);
    suite_add_tcase(suite, tests);
    return suite;
}
