/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/storage/test_values.c: of the blocks of a segment those with a span that a scan matches are always among those that
 * it has to open; most of the others are not; and pages that are damaged are refused. */
#include "storage/catalogue.h"
#include "storage/value_ask.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/check_main.h"
#include "tests/support/condition_gen.h"
#include "tests/unit/storage/block_fixture.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCKS         70 /* more than a group has */
#define CONDITIONS_MAX 3

/* ---- a segment of some blocks ---- */

struct stored {
    char path[128];
    struct sp_kv *kv;
    struct block_fixture blocks[BLOCKS];
    uint32_t count;
    struct sp_segment *segment;
};

static void stored_init(struct stored *stored, uint32_t count, size_t span_count,
                        unsigned odd_percent)
{
    const char *folder = getenv("TMPDIR");
    struct sp_segment_writer writer;
    const struct sp_segment_origin origin = {.names = SP_PEER_NAMES_BY_DESTINATION};
    struct sp_kv_batch *batch = sp_kv_batch_new();
    snprintf(stored->path, sizeof(stored->path), "%s/spoor-values-XXXXXX",
             folder != NULL ? folder : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(stored->path));
    ck_assert_int_eq(sp_kv_open(stored->path, true, &stored->kv, NULL), SP_OK);
    ck_assert_int_eq(sp_segment_writer_init(&writer, stored->kv, batch, 9, NULL), SP_OK);
    stored->count = count;
    for (uint32_t b = 0; b < count; b++) {
        block_fixture_init(&stored->blocks[b], 1000 + b, span_count, odd_percent, b % 16 == 3);
        ck_assert_int_eq(sp_segment_writer_add(&writer, &stored->blocks[b].whole, NULL), SP_OK);
    }
    ck_assert_int_eq(sp_segment_writer_finish(&writer, &origin, &stored->segment, NULL), SP_OK);
    ck_assert_int_eq(sp_kv_write(stored->kv, batch, false, NULL), SP_OK);
    sp_segment_writer_fini(&writer);
    sp_kv_batch_free(batch);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static void stored_fini(struct stored *stored)
{
    sp_segment_unref(stored->segment);
    sp_kv_close(stored->kv);
    for (uint32_t b = 0; b < stored->count; b++)
        block_fixture_fini(&stored->blocks[b]);
    nftw(stored->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static bool block_matches(const struct block_fixture *block, const struct sp_scan *scan)
{
    for (uint32_t i = 0; i < block->count; i++) {
        if (sp_scan_matches(scan, block->spans[i]))
            return true;
    }
    return false;
}

/* Asks all groups; returns how many blocks need not be opened. */
static uint32_t assert_none_is_missing(const struct stored *stored, struct sp_value_reader *reader,
                                       const struct sp_scan *scan, uint64_t seed)
{
    uint32_t passed_over = 0;
    for (uint32_t g = 0; g < stored->segment->group_count; g++) {
        const struct sp_value_group *group = &stored->segment->groups[g];
        uint64_t blocks;
        ck_assert_int_eq(sp_value_ask(reader, stored->segment, g, scan, &blocks, NULL), SP_OK);
        for (uint32_t b = 0; b < group->block_count; b++) {
            bool may = (blocks >> b & 1) != 0;
            passed_over += !may;
            ck_assert_msg(may || !block_matches(&stored->blocks[group->first_block + b], scan),
                          "seed %llu: block %u is missing", (unsigned long long)seed,
                          group->first_block + b);
        }
    }
    return passed_over;
}

START_TEST(no_block_with_a_matching_span_is_left_out)
{
    struct stored *stored = calloc(1, sizeof(*stored));
    struct sp_value_reader reader;
    uint64_t passed_over = 0, asked = 0;
    stored_init(stored, BLOCKS, 12, 25);
    ck_assert_uint_eq(stored->segment->group_count, 2);
    ck_assert_int_eq(sp_value_reader_init(&reader, stored->kv, NULL), SP_OK);
    for (uint64_t seed = 1; seed <= 4000; seed++) {
        struct sp_gen gen = {.state = seed};
        struct sp_condition conditions[CONDITIONS_MAX];
        const struct block_fixture *of = &stored->blocks[sp_gen_below(&gen, BLOCKS)];
        struct sp_scan scan = {.range = SP_TIME_RANGE_ALL,
                               .conditions = conditions,
                               .condition_count = sp_gen_below(&gen, CONDITIONS_MAX + 1),
                               .match_any = sp_gen_chance(&gen, 40)};
        for (size_t i = 0; i < scan.condition_count; i++)
            conditions[i] = sp_gen_condition(&gen, of->spans, of->count);
        passed_over += assert_none_is_missing(stored, &reader, &scan, seed);
        asked += BLOCKS;
    }
    ck_assert_uint_gt(passed_over, asked / 5); /* it is worth it */
    sp_value_reader_fini(&reader);
    stored_fini(stored);
    free(stored);
}
END_TEST

static struct sp_value text(const char *string)
{
    return (struct sp_value){.kind = SP_VALUE_STRING, .string = sp_slice_cstr(string)};
}

static struct sp_condition on_attribute(uint32_t scopes, enum sp_condition_operator operation,
                                        struct sp_value value)
{
    return (struct sp_condition){.field = SP_FIELD_ATTRIBUTE,
                                 .scopes = scopes,
                                 .key = SP_SLICE("nobody"),
                                 .operation = operation,
                                 .value = value};
}

static struct sp_condition is(enum sp_field field, struct sp_value value)
{
    return (struct sp_condition){.field = field, .operation = SP_OP_EQ, .value = value};
}

START_TEST(absent_values_and_keys_open_no_block)
{
    const struct sp_condition conditions[] = {
        on_attribute(SP_SCOPE_SPAN | SP_SCOPE_RESOURCE, SP_OP_EXISTS, text("")),
        on_attribute(SP_SCOPE_SPAN, SP_OP_EQ, text("x")),
        on_attribute(SP_SCOPE_LINK, SP_OP_LT, text("x")),
        on_attribute(SP_SCOPE_SPAN, SP_OP_TEST, text("x")),
        is(SP_FIELD_SERVICE, text("nobody")),
        is(SP_FIELD_NAME, text("nothing")),
        is(SP_FIELD_STATUS_MESSAGE, text("never said")),
        is(SP_FIELD_KIND, (struct sp_value){.kind = SP_VALUE_INT, .integer = 77}),
        is(SP_FIELD_STATUS, (struct sp_value){.kind = SP_VALUE_INT, .integer = -9}),
    };
    struct stored *stored = calloc(1, sizeof(*stored));
    struct sp_value_reader reader;
    stored_init(stored, 3, 30, 0); /* of the fourth block lists would be too long for columns */
    ck_assert_int_eq(sp_value_reader_init(&reader, stored->kv, NULL), SP_OK);
    for (size_t i = 0; i < SP_ARRAY_LEN(conditions); i++) {
        const struct sp_scan scan = {
            .range = SP_TIME_RANGE_ALL, .conditions = &conditions[i], .condition_count = 1};
        uint64_t blocks;
        ck_assert_int_eq(sp_value_ask(&reader, stored->segment, 0, &scan, &blocks, NULL), SP_OK);
        ck_assert_msg(blocks == 0, "condition %zu: %llx", i, (unsigned long long)blocks);
    }
    ck_assert_uint_gt(reader.bytes, 0);
    sp_value_reader_fini(&reader);
    stored_fini(stored);
    free(stored);
}
END_TEST

START_TEST(equal_numbers_are_one_value)
{
    const struct {
        struct sp_value a, b;
        bool equal;
    } cases[] = {
        {{.kind = SP_VALUE_INT, .integer = 3}, {.kind = SP_VALUE_DOUBLE, .number = 3.0}, true},
        {{.kind = SP_VALUE_INT, .integer = 0}, {.kind = SP_VALUE_DOUBLE, .number = -0.0}, true},
        {{.kind = SP_VALUE_INT, .integer = INT64_MIN},
         {.kind = SP_VALUE_DOUBLE, .number = -9223372036854775808.0},
         true},
        {{.kind = SP_VALUE_INT, .integer = INT64_MAX},
         {.kind = SP_VALUE_DOUBLE, .number = 9223372036854775808.0},
         false},
        {{.kind = SP_VALUE_INT, .integer = 3}, {.kind = SP_VALUE_DOUBLE, .number = 3.5}, false},
        {{.kind = SP_VALUE_INT, .integer = 1}, {.kind = SP_VALUE_BOOL, .boolean = true}, false},
        {{.kind = SP_VALUE_STRING, .string = SP_SLICE("x")},
         {.kind = SP_VALUE_BYTES, .string = SP_SLICE("x")},
         false},
    };
    const uint64_t owner = sp_value_owner(SP_SCOPE_SPAN, SP_SLICE("n"));
    uint32_t a, b;
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        const struct sp_condition condition = {
            .field = SP_FIELD_ATTRIBUTE, .operation = SP_OP_EQ, .value = cases[i].b};
        ck_assert_int_eq(sp_condition_holds_value(&condition, &cases[i].a), cases[i].equal);
        ck_assert(sp_value_hash(owner, &cases[i].a, &a));
        ck_assert(sp_value_hash(owner, &cases[i].b, &b));
        ck_assert_msg((a == b) == cases[i].equal, "case %zu", i);
    }
    ck_assert(
        !sp_value_hash(owner, &(struct sp_value){.kind = SP_VALUE_DOUBLE, .number = NAN}, &a));
}
END_TEST

/* ---- pages ---- */

struct pages {
    struct sp_buf bytes[8];
    uint32_t count;
};

static enum sp_status keep_page(void *cookie, const struct sp_value_place *place,
                                struct sp_slice bytes, struct sp_error *reterr)
{
    struct pages *pages = cookie;
    (void)reterr;
    ck_assert_uint_eq(place->page, pages->count);
    ck_assert_uint_lt(pages->count, SP_ARRAY_LEN(pages->bytes));
    sp_buf_init(&pages->bytes[pages->count], SIZE_MAX / 2);
    sp_buf_append_slice(&pages->bytes[pages->count++], bytes);
    return SP_OK;
}

/* A column of different numbers, first to first + count - 1. */
static void add_numbers(struct sp_value_items *items, uint64_t first, uint32_t count)
{
    const struct sp_block empty = {0};
    uint64_t *numbers = calloc(count, sizeof(*numbers));
    const struct sp_column column = {
        .kind = SP_VALUE_INT, .key = SP_SLICE("n"), .count = count, .numbers = numbers};
    for (uint32_t i = 0; i < count; i++)
        numbers[i] = first + i;
    sp_value_items_begin(items, &empty);
    sp_value_items_column(items, &column, NULL, 0);
    ck_assert(sp_value_items_end(items));
    free(numbers);
}

static void write_pages(struct sp_value_items *items, struct pages *pages,
                        struct sp_value_group *ret)
{
    struct sp_zstd_packer *zstd = sp_zstd_packer_new();
    struct sp_numbers_writer writer = {.zstd = zstd};
    const struct sp_value_sink sink = {.take = keep_page, .cookie = pages};
    ck_assert_int_eq(sp_value_pages_write(items, 5, 2, &writer, &sink, ret, NULL), SP_OK);
    sp_numbers_writer_fini(&writer);
    sp_zstd_packer_free(zstd);
}

static void pages_fini(struct pages *pages)
{
    for (uint32_t i = 0; i < pages->count; i++)
        sp_buf_fini(&pages->bytes[i]);
}

START_TEST(pages_know_each_value_and_its_blocks)
{
    struct sp_value_items items;
    struct pages pages = {0};
    struct sp_value_group group;
    struct sp_zstd_unpacker *zstd = sp_zstd_unpacker_new();
    struct sp_numbers_reader reader = {.zstd = zstd};
    struct sp_arena arena;
    const uint64_t owner = sp_value_owner(SP_SCOPE_SPAN, SP_SLICE("n"));
    uint32_t wrong = 0;
    sp_arena_init(&arena, SIZE_MAX);
    sp_value_items_init(&items);
    add_numbers(&items, 0, 3000); /* block 0: 0 to 2999 */
    add_numbers(&items, 1000, 3000);
    add_numbers(&items, 2000, 500);
    write_pages(&items, &pages, &group);
    ck_assert_uint_eq(group.block_count, 3);
    ck_assert_uint_eq(group.page_bits, 2); /* 4,000 values */
    ck_assert_uint_eq(pages.count, sp_value_page_count(&group));
    for (int64_t i = -2000; i < 6000; i++) {
        uint64_t want = (uint64_t)(i >= 0 && i < 3000) | (uint64_t)(i >= 1000 && i < 4000) << 1 |
                        (uint64_t)(i >= 2000 && i < 2500) << 2;
        struct sp_value_page page;
        uint32_t hash;
        ck_assert(
            sp_value_hash(owner, &(struct sp_value){.kind = SP_VALUE_INT, .integer = i}, &hash));
        const struct sp_value_place place = {5, 2, sp_value_page_of(&group, hash)};
        sp_arena_reset(&arena);
        ck_assert_int_eq(sp_value_page_read(&reader, &place, sp_buf_slice(&pages.bytes[place.page]),
                                            &arena, &page, NULL),
                         SP_OK);
        uint64_t found = sp_value_page_find(&page, sp_value_fingerprint(&group, hash));
        ck_assert_uint_eq(found & want, want);
        wrong += found != want;
    }
    ck_assert_uint_lt(wrong, 20); /* 8,000 questions, one hash in 16,000 is taken */
    pages_fini(&pages);
    sp_value_items_fini(&items);
    sp_numbers_reader_fini(&reader);
    sp_zstd_unpacker_free(zstd);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(block_with_too_many_values_is_open_and_the_others_are_not)
{
    struct sp_value_items items;
    struct pages pages = {0};
    struct sp_value_group group;
    sp_value_items_init(&items);
    add_numbers(&items, 0, 10);
    uint32_t before = items.values.items.count;
    add_numbers(&items, 1000, SP_VALUE_BLOCK_ITEMS + 1000); /* some hashes are equal */
    ck_assert_uint_eq(items.values.items.count, before);
    add_numbers(&items, 20, 10);
    ck_assert_uint_gt(items.values.items.count, before);
    write_pages(&items, &pages, &group);
    ck_assert_uint_eq(group.open, 2);
    ck_assert_uint_eq(group.block_count, 3);
    ck_assert_uint_eq(group.page_bits, 0);
    pages_fini(&pages);
    sp_value_items_reset(&items);
    add_numbers(&items, 0, SP_VALUE_GROUP_ITEMS / 2 + 1000);
    ck_assert(!sp_value_items_are_full(&items));
    add_numbers(&items, 0, SP_VALUE_GROUP_ITEMS / 2 + 1000);
    ck_assert_uint_eq(items.open, 0);
    ck_assert(sp_value_items_are_full(&items));
    sp_value_items_fini(&items);
}
END_TEST

START_TEST(pages_that_are_not_what_was_written_are_refused)
{
    struct sp_value_items items;
    struct pages pages = {0};
    struct sp_value_group group;
    struct sp_value_page page;
    struct sp_error error;
    struct sp_zstd_unpacker *zstd = sp_zstd_unpacker_new();
    struct sp_numbers_reader reader = {.zstd = zstd};
    struct sp_value_place place = {5, 2, 1};
    struct sp_arena arena;
    sp_arena_init(&arena, SIZE_MAX);
    sp_value_items_init(&items);
    add_numbers(&items, 0, 50);
    write_pages(&items, &pages, &group);
    struct sp_buf *bytes = &pages.bytes[1];
    for (size_t i = 0; i < bytes->len; i++) {
        bytes->ptr[i] ^= 4;
        ck_assert_int_eq(
            sp_value_page_read(&reader, &place, sp_buf_slice(bytes), &arena, &page, &error),
            SP_CORRUPT);
        bytes->ptr[i] ^= 4;
        ck_assert_int_eq(sp_value_page_read(&reader, &place, sp_slice_make(bytes->ptr, i), &arena,
                                            &page, &error),
                         SP_CORRUPT);
    }
    place.group = 1; /* where another belongs */
    ck_assert_int_eq(
        sp_value_page_read(&reader, &place, sp_buf_slice(bytes), &arena, &page, &error),
        SP_CORRUPT);
    ck_assert_str_eq(error.message, "segment 5, values of group 1, page 1: its checksum is wrong");
    pages_fini(&pages);
    sp_value_items_fini(&items);
    sp_numbers_reader_fini(&reader);
    sp_zstd_unpacker_free(zstd);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(no_memory_is_an_error_at_every_step)
{
    struct stored *stored = calloc(1, sizeof(*stored));
    const struct sp_condition condition = is(SP_FIELD_NAME, text("x"));
    const struct sp_scan scan = {
        .range = SP_TIME_RANGE_ALL, .conditions = &condition, .condition_count = 1};
    size_t failures = 0;
    stored_init(stored, 2, 20, 20);
    for (size_t after = 0;; after++) {
        struct sp_value_reader reader;
        struct sp_error error;
        uint64_t blocks;
        alloc_fail_after(after);
        enum sp_status status = sp_value_reader_init(&reader, stored->kv, &error);
        if (status == SP_OK)
            status = sp_value_ask(&reader, stored->segment, 0, &scan, &blocks, &error);
        sp_value_reader_fini(&reader);
        if (!alloc_fail_stop())
            break;
        ck_assert_msg(status == SP_NO_MEMORY || status == SP_LIMIT, "%s", sp_status_name(status));
        failures++;
    }
    ck_assert_uint_gt(failures, 2);
    stored_fini(stored);
    free(stored);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("values");
    TCase *tests = tcase_create("values");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, no_block_with_a_matching_span_is_left_out);
    tcase_add_test(tests, absent_values_and_keys_open_no_block);
    tcase_add_test(tests, equal_numbers_are_one_value);
    tcase_add_test(tests, pages_know_each_value_and_its_blocks);
    tcase_add_test(tests, block_with_too_many_values_is_open_and_the_others_are_not);
    tcase_add_test(tests, pages_that_are_not_what_was_written_are_refused);
    tcase_add_test(tests, no_memory_is_an_error_at_every_step);
    suite_add_tcase(suite, tests);
    return suite;
}
