/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/storage/test_block_count.c: what is counted over a block is what is counted span by span, whatever is loaded. */
#include "storage/block_count.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/check_main.h"
#include "tests/support/condition_gen.h"
#include "tests/unit/storage/block_fixture.h"

enum question { OPERATIONS, LATENCY, KEYS, VALUES, QUESTION_COUNT };

/* One question; only the members of its kind are used. */
struct asked {
    enum question question;
    struct sp_time_range range;
    struct sp_operation_filter operations;
    uint32_t scopes;
    struct sp_slice key, prefix;
};

/* Marks go on from one block to the next: a second count of the same doubles everything. */
struct counted {
    struct sp_arena arena;
    struct sp_tally tally;
    uint64_t next_mark;
};

static void counted_init(struct counted *counted)
{
    sp_arena_init(&counted->arena, SIZE_MAX);
    sp_tally_init(&counted->tally, &counted->arena);
    counted->next_mark = 1;
}

static void counted_fini(struct counted *counted)
{
    sp_tally_fini(&counted->tally);
    sp_arena_fini(&counted->arena);
}

static struct asked random_question(const struct block_fixture *f, struct sp_gen *gen)
{
    struct sp_attribute attribute = {.key = SP_SLICE("http.route")};
    const struct sp_span *span = f->spans[sp_gen_below(gen, f->count)];
    struct asked asked = {.question = (enum question)sp_gen_below(gen, QUESTION_COUNT),
                          .range = block_fixture_range(f, gen),
                          .operations = {.kind = SP_KIND_ANY}};
    if (sp_gen_chance(gen, 50))
        asked.operations = (struct sp_operation_filter){
            .service = sp_gen_chance(gen, 50) ? sp_span_service(span) : SP_SLICE(""),
            .name = sp_gen_chance(gen, 50) ? span->name : SP_SLICE(""),
            .kind = sp_gen_chance(gen, 50) ? span->kind : SP_KIND_ANY};
    sp_gen_attribute_of(gen, f->spans, f->count, &attribute);
    asked.key = attribute.key;
    asked.scopes = sp_gen_chance(gen, 40) ? SP_SCOPE_SPAN : (uint32_t)sp_gen_below(gen, 32);
    if (sp_gen_chance(gen, 30))
        asked.prefix = asked.question == KEYS ? SP_SLICE("ser") : SP_SLICE("value-1");
    return asked;
}

static enum sp_status count_span(struct counted *counted, const struct asked *asked,
                                 const struct sp_span *span, struct sp_buf *text)
{
    const struct sp_value_filter values = {
        .scopes = asked->scopes, .key = asked->key, .prefix = asked->prefix};
    struct sp_error error;
    switch (asked->question) {
    case OPERATIONS:
    case LATENCY:
        if (!sp_operation_matches(&asked->operations, sp_span_service(span), span->name,
                                  span->kind))
            return SP_OK;
        return sp_count_operation(&counted->tally, span, asked->question == LATENCY, &error);
    case KEYS:
        return sp_count_keys(&counted->tally, span, asked->scopes, asked->prefix,
                             counted->next_mark++, &error);
    case VALUES:
        return sp_count_values(&counted->tally, span, &values, counted->next_mark++, text, &error);
    case QUESTION_COUNT:
        break;
    }
    return SP_NOT_FOUND;
}

static void count_spans(const struct block_fixture *f, const struct asked *asked,
                        struct counted *counted)
{
    struct sp_buf text;
    sp_buf_init(&text, SP_VALUE_TEXT_BYTES_MAX);
    for (uint32_t i = 0; i < f->count; i++) {
        if (sp_time_range_contains(asked->range, f->spans[i]->start_unix_ns))
            ck_assert_int_eq(count_span(counted, asked, f->spans[i], &text), SP_OK);
    }
    sp_buf_fini(&text);
}

static enum sp_status count_block(struct sp_block_view *view, const struct asked *asked,
                                  struct counted *counted)
{
    const struct sp_value_filter values = {
        .scopes = asked->scopes, .key = asked->key, .prefix = asked->prefix};
    struct sp_error error;
    switch (asked->question) {
    case OPERATIONS:
    case LATENCY:
        return sp_block_count_operations(view, asked->range, &asked->operations,
                                         asked->question == LATENCY, &counted->tally, &error);
    case KEYS:
        return sp_block_count_keys(view, asked->range, asked->scopes, asked->prefix,
                                   &counted->next_mark, &counted->tally, &error);
    case VALUES:
        return sp_block_count_values(view, asked->range, &values, &counted->next_mark,
                                     &counted->tally, &error);
    case QUESTION_COUNT:
        break;
    }
    return SP_NOT_FOUND;
}

static void assert_histograms(const struct sp_histogram *a, const struct sp_histogram *b)
{
    ck_assert_uint_eq(a->count, b->count);
    ck_assert_uint_eq(a->sum_ns, b->sum_ns);
    ck_assert_uint_eq(a->min_ns, b->min_ns);
    ck_assert_uint_eq(a->max_ns, b->max_ns);
    ck_assert_uint_eq(a->bucket_count, b->bucket_count);
    for (uint32_t i = 0; i < a->bucket_count; i++) {
        ck_assert_uint_eq(a->buckets[i].index, b->buckets[i].index);
        ck_assert_uint_eq(a->buckets[i].count, b->buckets[i].count);
    }
}

static void assert_exemplar(const struct sp_span_exemplar *a, const struct sp_span_exemplar *b)
{
    ck_assert_uint_eq(a->duration_ns, b->duration_ns);
    ck_assert_int_eq(sp_trace_id_compare(&a->trace_id, &b->trace_id), 0);
    ck_assert_int_eq(sp_span_id_compare(&a->span_id, &b->span_id), 0);
}

static void assert_same(struct counted *got, struct counted *want, uint64_t seed,
                        enum question question)
{
    ck_assert_msg(got->tally.count == want->tally.count,
                  "seed %llu, question %d: %zu rows, not %zu", (unsigned long long)seed,
                  (int)question, got->tally.count, want->tally.count);
    sp_tally_sort(&got->tally, sp_tally_compare);
    sp_tally_sort(&want->tally, sp_tally_compare);
    for (size_t i = 0; i < got->tally.count; i++) {
        const struct sp_tally_row *a = got->tally.rows[i];
        const struct sp_tally_row *b = want->tally.rows[i];
        ck_assert_int_eq(sp_tally_compare(a, b), 0);
        ck_assert_msg(a->count == b->count && a->errors == b->errors,
                      "seed %llu, question %d: '%.*s' %llu times, not %llu",
                      (unsigned long long)seed, (int)question, SP_SLICE_PRINTF(a->first),
                      (unsigned long long)a->count, (unsigned long long)b->count);
        assert_histograms(&a->latency, &b->latency);
        ck_assert((a->exemplars != NULL) == (question == LATENCY));
        ck_assert((b->exemplars != NULL) == (question == LATENCY));
        if (question == LATENCY) {
            assert_exemplar(&a->exemplars->slowest, &b->exemplars->slowest);
            assert_exemplar(&a->exemplars->failed, &b->exemplars->failed);
        }
    }
}

static void compare_one(struct block_fixture *f, const struct asked *asked, uint64_t seed)
{
    struct counted got;
    struct counted want;
    struct sp_block_view memory = block_fixture_memory(f);
    counted_init(&got);
    counted_init(&want);
    if (seed % 2 == 0)
        sp_block_loader_reset(&f->disk);
    ck_assert_int_eq(count_block(&memory, asked, &got), SP_OK);
    ck_assert_int_eq(count_block(&f->disk.view, asked, &got), SP_OK);
    count_spans(f, asked, &want);
    count_spans(f, asked, &want);
    assert_same(&got, &want, seed, asked->question);
    counted_fini(&got);
    counted_fini(&want);
}

static void compare_many(uint64_t first_seed, uint64_t seeds, size_t span_count, bool long_lists)
{
    for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
        struct block_fixture f;
        struct sp_gen gen = {.state = seed * 37};
        size_t count = 1 + sp_gen_below(&gen, span_count);
        block_fixture_init(&f, seed, count, (unsigned)sp_gen_below(&gen, 4) * 15, long_lists);
        for (uint64_t i = 0; i < 20; i++) {
            struct asked asked = random_question(&f, &gen);
            compare_one(&f, &asked, seed * 1000 + i);
        }
        block_fixture_fini(&f);
    }
}

START_TEST(blocks_count_as_their_spans_do)
{
    compare_many(1, 300, 40, false);
    compare_many(1000, 40, 500, false);
}
END_TEST

START_TEST(blocks_with_long_lists_count_as_their_spans_do)
{
    compare_many(5000, 40, 60, true);
}
END_TEST

START_TEST(operations_of_a_whole_block_need_the_templates_of_its_rows_alone)
{
    struct block_fixture f;
    struct counted counted;
    const struct asked asked = {
        .question = OPERATIONS, .range = SP_TIME_RANGE_ALL, .operations = {.kind = SP_KIND_ANY}};
    block_fixture_init(&f, 8, 100, 0, false);
    counted_init(&counted);
    ck_assert_int_eq(count_block(&f.disk.view, &asked, &counted), SP_OK);
    ck_assert_uint_eq(f.disk.loads, 1);
    counted_fini(&counted);
    block_fixture_fini(&f);
}
END_TEST

START_TEST(running_out_of_memory_is_an_error)
{
    struct block_fixture f;
    struct sp_gen gen = {.state = 5};
    block_fixture_init(&f, 5, 60, 20, true);
    struct sp_block_view memory = block_fixture_memory(&f);
    for (int i = 0; i < 60; i++) {
        struct asked asked = random_question(&f, &gen);
        bool failed = true;
        for (size_t after = 0; failed; after++) {
            struct counted counted;
            counted_init(&counted);
            alloc_fail_after(after);
            enum sp_status status = count_block(&memory, &asked, &counted);
            failed = alloc_fail_stop();
            ck_assert_int_eq(status, failed ? SP_NO_MEMORY : SP_OK);
            counted_fini(&counted);
        }
    }
    block_fixture_fini(&f);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("storage_block_count");
    TCase *tcase = tcase_create("block_count");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, blocks_count_as_their_spans_do);
    tcase_add_test(tcase, blocks_with_long_lists_count_as_their_spans_do);
    tcase_add_test(tcase, operations_of_a_whole_block_need_the_templates_of_its_rows_alone);
    tcase_add_test(tcase, running_out_of_memory_is_an_error);
    suite_add_tcase(suite, tcase);
    return suite;
}
