/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters over many segments: what they cover, and that none says no of a trace that is there. */
#include "storage/known.h"
#include "tests/support/check_main.h"

#define TRACES 1000u /* of each segment */

static struct sp_trace_id id_of(uint64_t number)
{
    struct sp_trace_id id = {{0}};
    memcpy(id.bytes, &number, sizeof(number));
    return id;
}

/* A segment of the sequences [10 * number, 10 * number + 9]; its traces are of that number, too. */
struct segment {
    struct sp_sequences sequences;
    struct sp_trace_id ids[TRACES];
    uint64_t hashes[TRACES];
    struct sp_filter filter;
};

static struct sp_arena arena;

static void make_segment(struct segment *segment, uint64_t number)
{
    segment->sequences = (struct sp_sequences){10 * number, 10 * number + 9};
    for (uint32_t i = 0; i < TRACES; i++) {
        segment->ids[i] = id_of(number * TRACES + i);
        segment->hashes[i] = sp_filter_hash(&segment->ids[i]);
    }
    ck_assert(sp_filter_make(segment->hashes, TRACES, &arena, &segment->filter));
}

static void add(struct sp_known *known, const struct segment *segment)
{
    ck_assert(sp_known_add(known, segment->sequences, segment->hashes, TRACES));
}

static size_t count_of(struct sp_known_question *question, struct sp_sequences sequences,
                       const struct sp_filter *filter, const uint32_t **ret)
{
    size_t count;
    *ret = sp_known_numbers(question, sequences, filter, &count);
    for (size_t i = 1; i < count; i++)
        ck_assert_uint_lt((*ret)[i - 1], (*ret)[i]);
    return count;
}

/* All of the traces, of those that are asked about from first on, are among the numbers. */
static void check_has_all(struct sp_known_question *question, const struct segment *segment,
                          uint32_t first)
{
    const uint32_t *numbers;
    size_t found = 0;
    size_t count = count_of(question, segment->sequences, &segment->filter, &numbers);
    for (size_t i = 0; i < count; i++)
        found += numbers[i] >= first && numbers[i] < first + TRACES;
    ck_assert_uint_eq(found, TRACES);
    ck_assert_uint_lt(count, TRACES + 20); /* and hardly any other */
}

static void setup(void)
{
    sp_arena_init(&arena, 1 << 24);
}

static void teardown(void)
{
    sp_arena_fini(&arena);
}

START_TEST(known_finds_every_trace_of_segments_that_came_before_and_behind)
{
    static const uint64_t order[] = {5, 6, 4, 7, 3, 8};
    static struct segment segments[SP_ARRAY_LEN(order)];
    static struct sp_trace_id ids[SP_ARRAY_LEN(order) * TRACES];
    struct sp_known known = {0};
    struct sp_known_question question;
    for (size_t s = 0; s < SP_ARRAY_LEN(order); s++) {
        make_segment(&segments[s], order[s]);
        ck_assert(!sp_known_covers(&known, segments[s].sequences));
        add(&known, &segments[s]);
        memcpy(ids + s * TRACES, segments[s].ids, sizeof(segments[s].ids));
    }
    for (size_t s = 0; s < SP_ARRAY_LEN(order); s++)
        ck_assert(sp_known_covers(&known, segments[s].sequences));
    ck_assert(sp_known_ask(&known, ids, SP_ARRAY_LEN(ids), &question));
    for (size_t s = 0; s < SP_ARRAY_LEN(order); s++)
        check_has_all(&question, &segments[s], (uint32_t)(s * TRACES));
    sp_known_question_fini(&question);
    sp_known_fini(&known);
}
END_TEST

START_TEST(known_says_no_of_traces_that_no_segment_has)
{
    static struct segment segments[2];
    static struct sp_trace_id ids[TRACES];
    struct sp_known known = {0};
    struct sp_known_question question;
    const uint32_t *numbers;
    /* A filter that lets everything through, so that only what is known of all segments says no. */
    static uint32_t ones[8] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u};
    const struct sp_filter anything = {.words = ones, .block_count = 1};
    for (uint32_t s = 0; s < 2; s++) {
        make_segment(&segments[s], s);
        add(&known, &segments[s]);
    }
    for (uint32_t i = 0; i < TRACES; i++)
        ids[i] = id_of(1000000 + i);
    ck_assert(sp_known_ask(&known, ids, TRACES, &question));
    ck_assert_uint_lt(count_of(&question, segments[0].sequences, &anything, &numbers), 20);
    /* Nothing is known of the next one: all are to be asked. */
    ck_assert_uint_eq(count_of(&question, (struct sp_sequences){20, 29}, &anything, &numbers),
                      TRACES);
    sp_known_question_fini(&question);
    sp_known_fini(&known);
}
END_TEST

/* More traces than fit into the first part; a segment over both parts; one that was merged of what is known and what is not. */
START_TEST(known_covers_segments_that_were_merged)
{
    static struct segment segments[2];
    static uint64_t many[SP_KNOWN_TRACES_MIN];
    struct sp_known known = {0};
    struct sp_known_question question;
    make_segment(&segments[0], 1);
    make_segment(&segments[1], 2);
    for (size_t i = 0; i < SP_ARRAY_LEN(many); i++) {
        struct sp_trace_id id = id_of(1000000 + i);
        many[i] = sp_filter_hash(&id);
    }
    add(&known, &segments[1]);
    ck_assert(sp_known_add(&known, (struct sp_sequences){30, 39}, many, SP_ARRAY_LEN(many)));
    ck_assert_uint_eq(known.parts.count, 2);
    ck_assert_uint_eq(known.parts.items[1].trace_max, 2 * SP_KNOWN_TRACES_MIN);

    segments[1].sequences.last = 39;
    ck_assert(sp_known_covers(&known, segments[1].sequences));
    ck_assert(sp_known_ask(&known, segments[1].ids, TRACES, &question));
    check_has_all(&question, &segments[1], 0);
    sp_known_question_fini(&question);

    segments[0].sequences.last = 29;
    ck_assert(!sp_known_covers(&known, segments[0].sequences));
    add(&known, &segments[0]);
    ck_assert(sp_known_covers(&known, segments[0].sequences));
    ck_assert(sp_known_ask(&known, segments[0].ids, TRACES, &question));
    check_has_all(&question, &segments[0], 0);
    sp_known_question_fini(&question);
    sp_known_fini(&known);
}
END_TEST

START_TEST(known_forgets_what_is_not_stored_any_more)
{
    static struct segment segment;
    static uint64_t many[SP_KNOWN_TRACES_MIN];
    struct sp_known known = {0};
    sp_known_forget(&known, 9);
    make_segment(&segment, 0);
    add(&known, &segment);
    ck_assert(sp_known_add(&known, (struct sp_sequences){10, 19}, many, SP_ARRAY_LEN(many)));
    sp_known_forget(&known, 9);
    ck_assert(sp_known_covers(&known, segment.sequences));
    sp_known_forget(&known, 10);
    ck_assert(!sp_known_covers(&known, segment.sequences));
    ck_assert(sp_known_covers(&known, (struct sp_sequences){10, 19}));
    sp_known_forget(&known, 20);
    ck_assert(!sp_known_covers(&known, (struct sp_sequences){10, 19}));
    add(&known, &segment);
    ck_assert(sp_known_covers(&known, segment.sequences));
    sp_known_fini(&known);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("known");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, known_finds_every_trace_of_segments_that_came_before_and_behind);
    tcase_add_test(tcase, known_says_no_of_traces_that_no_segment_has);
    tcase_add_test(tcase, known_covers_segments_that_were_merged);
    tcase_add_test(tcase, known_forgets_what_is_not_stored_any_more);
    suite_add_tcase(suite, tcase);
    return suite;
}
