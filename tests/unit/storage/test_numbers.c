/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/storage/test_numbers.c: lists of integers as byte planes come back, cost little where they should, and are refused
 * when they are not what was written. */
#include "storage/numbers.h"
#include "tests/support/check_main.h"
#include "tests/support/span_gen.h"

#include <stdlib.h>

#define COUNT_MAX 1000

struct fixture {
    struct sp_numbers_writer writer;
    struct sp_numbers_reader reader;
    struct sp_buf out;
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){0};
    f->writer.zstd = sp_zstd_packer_new();
    f->reader.zstd = sp_zstd_unpacker_new();
    ck_assert(f->writer.zstd && f->reader.zstd);
    sp_buf_init(&f->out, SIZE_MAX);
}

static void teardown(struct fixture *f)
{
    sp_zstd_packer_free(f->writer.zstd);
    sp_zstd_unpacker_free(f->reader.zstd);
    sp_numbers_writer_fini(&f->writer);
    sp_numbers_reader_fini(&f->reader);
    sp_buf_fini(&f->out);
}

/* How many bytes the numbers take; they come back. */
static size_t bytes_of(struct fixture *f, const uint64_t *numbers, uint32_t count, bool is_signed)
{
    uint64_t *back = calloc((size_t)count + 1, sizeof(*back));
    sp_buf_reset(&f->out);
    sp_numbers_write(&f->writer, numbers, count, is_signed, &f->out);
    ck_assert_int_eq(f->out.error, SP_OK);
    struct sp_slice in = sp_buf_slice(&f->out);
    ck_assert_int_eq(sp_numbers_read(&f->reader, &in, back, count), SP_OK);
    ck_assert_uint_eq(in.len, 0);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_uint_eq(back[i], numbers[i]);
    free(back);
    return f->out.len;
}

static size_t bytes_of_32(struct fixture *f, const uint32_t *numbers, uint32_t count)
{
    uint32_t *back = calloc((size_t)count + 1, sizeof(*back));
    sp_buf_reset(&f->out);
    sp_numbers_write_32(&f->writer, numbers, count, &f->out);
    struct sp_slice in = sp_buf_slice(&f->out);
    ck_assert_int_eq(sp_numbers_read_32(&f->reader, &in, back, count), SP_OK);
    ck_assert_uint_eq(in.len, 0);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_uint_eq(back[i], numbers[i]);
    free(back);
    return f->out.len;
}

START_TEST(numbers_of_every_width_and_count_come_back)
{
    struct fixture f;
    struct sp_gen gen = {1};
    uint64_t numbers[COUNT_MAX];
    uint32_t numbers_32[COUNT_MAX];
    setup(&f);
    for (uint32_t count = 0; count < COUNT_MAX; count += 1 + count / 3) {
        for (int bits = 0; bits <= 64; bits++) {
            uint64_t base = bits % 3 == 0 ? sp_gen_u64(&gen) : 0;
            uint64_t factor = bits % 5 == 0 ? 1000000 : 1;
            for (uint32_t i = 0; i < count; i++) {
                uint64_t number = bits == 0 ? 0 : sp_gen_u64(&gen) >> (64 - bits);
                numbers[i] = base + (sp_gen_chance(&gen, 20) ? 0 - number : number) * factor;
                numbers_32[i] = (uint32_t)numbers[i];
            }
            bytes_of(&f, numbers, count, false);
            bytes_of(&f, numbers, count, true);
            bytes_of_32(&f, numbers_32, count);
        }
    }
    teardown(&f);
}
END_TEST

START_TEST(numbers_at_the_edges_come_back)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     127,
                                     128,
                                     255,
                                     256,
                                     INT64_MAX,
                                     (uint64_t)INT64_MAX + 1,
                                     (uint64_t)INT64_MAX + 2,
                                     UINT64_MAX,
                                     UINT64_MAX - 127,
                                     UINT64_MAX - 128};
    struct fixture f;
    setup(&f);
    for (size_t a = 0; a < SP_ARRAY_LEN(edges); a++) {
        for (size_t b = 0; b < SP_ARRAY_LEN(edges); b++) {
            for (size_t c = 0; c < SP_ARRAY_LEN(edges); c++) {
                const uint64_t numbers[] = {edges[a], edges[b], edges[c]};
                bytes_of(&f, numbers, 3, false);
                bytes_of(&f, numbers, 3, true);
            }
        }
    }
    teardown(&f);
}
END_TEST

START_TEST(equal_numbers_cost_a_few_bytes)
{
    struct fixture f;
    uint64_t numbers[COUNT_MAX];
    setup(&f);
    for (uint32_t i = 0; i < COUNT_MAX; i++)
        numbers[i] = UINT64_MAX - 5;
    ck_assert_uint_le(bytes_of(&f, numbers, COUNT_MAX, true), 2);
    ck_assert_uint_le(bytes_of(&f, numbers, COUNT_MAX, false), 2);
    teardown(&f);
}
END_TEST

START_TEST(coarse_clocks_cost_what_their_ticks_cost)
{
    struct fixture f;
    struct sp_gen gen = {2};
    uint64_t numbers[COUNT_MAX];
    setup(&f);
    for (uint32_t i = 0; i < COUNT_MAX; i++)
        numbers[i] = 1700000000000000123ULL + sp_gen_below(&gen, 256) * 1000000;
    ck_assert_uint_le(bytes_of(&f, numbers, COUNT_MAX, false), COUNT_MAX + 20);
    for (uint32_t i = 0; i < COUNT_MAX; i++)
        numbers[i] = (sp_gen_below(&gen, 256) - 128) * 1000000;
    ck_assert_uint_le(bytes_of(&f, numbers, COUNT_MAX, true), COUNT_MAX + 20);
    teardown(&f);
}
END_TEST

START_TEST(one_large_number_does_not_widen_the_others)
{
    struct fixture f;
    struct sp_gen gen = {3};
    uint64_t numbers[COUNT_MAX];
    setup(&f);
    for (uint32_t i = 0; i < COUNT_MAX; i++)
        numbers[i] = sp_gen_below(&gen, 256);
    size_t before = bytes_of(&f, numbers, COUNT_MAX, true);
    numbers[500] = (uint64_t)1 << 60;
    ck_assert_uint_le(bytes_of(&f, numbers, COUNT_MAX, true), before + 200);
    numbers[500] = 0 - numbers[500];
    ck_assert_uint_le(bytes_of(&f, numbers, COUNT_MAX, true), before + 200 + COUNT_MAX / 4);
    teardown(&f);
}
END_TEST

START_TEST(numbers_that_are_cut_off_are_refused)
{
    struct fixture f;
    struct sp_gen gen = {4};
    uint64_t numbers[100], back[100];
    setup(&f);
    for (uint32_t i = 0; i < 100; i++)
        numbers[i] = 3 + (i < 50 ? 7 : sp_gen_u64(&gen) >> 8) * 10;
    sp_numbers_write(&f.writer, numbers, 100, false, &f.out);
    for (size_t len = 0; len < f.out.len; len++) {
        uint8_t *copy = malloc(len + 1); /* its end is the end of its memory */
        memcpy(copy, f.out.ptr, len);
        struct sp_slice in = sp_slice_make(copy, len);
        ck_assert_int_eq(sp_numbers_read(&f.reader, &in, back, 100), SP_CORRUPT);
        free(copy);
    }
    teardown(&f);
}
END_TEST

START_TEST(numbers_above_32_bits_are_refused_where_32_are_asked_for)
{
    struct fixture f;
    static const uint64_t wide[] = {0, (uint64_t)1 << 32}, based[] = {UINT32_MAX, 1ULL << 32},
                          ticks[] = {0, 1000, 3000};
    uint32_t back[3];
    setup(&f);
    sp_numbers_write(&f.writer, wide, 2, false, &f.out);
    struct sp_slice in = sp_buf_slice(&f.out);
    ck_assert_int_eq(sp_numbers_read_32(&f.reader, &in, back, 2), SP_CORRUPT);
    sp_buf_reset(&f.out);
    sp_numbers_write(&f.writer, based, 2, false, &f.out);
    in = sp_buf_slice(&f.out);
    ck_assert_int_eq(sp_numbers_read_32(&f.reader, &in, back, 2), SP_CORRUPT);
    sp_buf_reset(&f.out);
    sp_numbers_write(&f.writer, ticks, 3, false, &f.out);
    in = sp_buf_slice(&f.out);
    ck_assert_int_eq(sp_numbers_read_32(&f.reader, &in, back, 3), SP_CORRUPT);
    teardown(&f);
}
END_TEST

START_TEST(bytes_come_back_and_know_what_is_plausible)
{
    struct fixture f;
    struct sp_gen gen = {6};
    uint8_t bytes[COUNT_MAX], back[COUNT_MAX];
    setup(&f);
    for (uint32_t len = 0; len < COUNT_MAX; len += 1 + len / 2) {
        for (uint64_t range = 1; range <= 256; range *= 4) {
            for (uint32_t i = 0; i < len; i++)
                bytes[i] = (uint8_t)sp_gen_below(&gen, range);
            sp_buf_reset(&f.out);
            sp_bytes_write(&f.writer, sp_slice_make(bytes, len), &f.out);
            ck_assert_uint_le(f.out.len, len + 1);
            struct sp_slice in = sp_buf_slice(&f.out);
            ck_assert(sp_bytes_plausible(in, len));
            ck_assert_int_eq(sp_bytes_read(&f.reader, &in, back, len), SP_OK);
            ck_assert(in.len == 0 && (len == 0 || memcmp(bytes, back, len) == 0));
        }
    }
    ck_assert(!sp_bytes_plausible(sp_buf_slice(&f.out), (size_t)1 << 40));
    teardown(&f);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("numbers");
    TCase *tests = tcase_create("numbers");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, numbers_of_every_width_and_count_come_back);
    tcase_add_test(tests, numbers_at_the_edges_come_back);
    tcase_add_test(tests, equal_numbers_cost_a_few_bytes);
    tcase_add_test(tests, coarse_clocks_cost_what_their_ticks_cost);
    tcase_add_test(tests, one_large_number_does_not_widen_the_others);
    tcase_add_test(tests, numbers_that_are_cut_off_are_refused);
    tcase_add_test(tests, numbers_above_32_bits_are_refused_where_32_are_asked_for);
    tcase_add_test(tests, bytes_come_back_and_know_what_is_plausible);
    suite_add_tcase(suite, tests);
    return suite;
}
