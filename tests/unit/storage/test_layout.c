/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies of requests as the journal keeps them. Whole records: tests/contract. */
#include "storage/layout.h"
#include "tests/support/check_main.h"

#define BODY_BYTES 100000

static struct sp_slice repetitive(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i % 11);
    return sp_slice_make(bytes, len);
}

START_TEST(packed_body_comes_back)
{
    static uint8_t bytes[BODY_BYTES];
    struct sp_slice body = repetitive(bytes, sizeof(bytes));
    struct sp_buf packed, plain;
    struct sp_error error;
    sp_buf_init(&packed, 2 * BODY_BYTES);
    sp_buf_init(&plain, 2 * BODY_BYTES);
    for (int round = 0; round < 2; round++) { /* what stood in the buffer before does not matter */
        ck_assert(sp_layout_body_pack(body, &packed));
        ck_assert_uint_lt(packed.len, body.len - body.len / 8);
    }
    ck_assert_int_eq(sp_layout_body_unpack(sp_buf_slice(&packed), &plain, &error), SP_OK);
    ck_assert(sp_slice_equal(sp_buf_slice(&plain), body));
    sp_buf_fini(&packed);
    sp_buf_fini(&plain);
}
END_TEST

START_TEST(body_that_does_not_shrink_is_not_packed)
{
    uint8_t bytes[2000];
    struct sp_buf packed;
    uint32_t random = 1;
    sp_buf_init(&packed, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        random = random * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(random >> 24);
    }
    for (size_t len = 0; len <= sizeof(bytes); len += len < 8 ? 1 : 100)
        ck_assert(!sp_layout_body_pack(sp_slice_make(bytes, len), &packed));
    sp_buf_fini(&packed);
}
END_TEST

START_TEST(damaged_packed_body_is_an_error)
{
    static uint8_t bytes[BODY_BYTES];
    struct sp_slice body = repetitive(bytes, sizeof(bytes));
    struct sp_buf packed, plain, small;
    struct sp_error error;
    sp_buf_init(&packed, 2 * BODY_BYTES);
    sp_buf_init(&plain, 2 * BODY_BYTES);
    sp_buf_init(&small, BODY_BYTES - 1);
    ck_assert(sp_layout_body_pack(body, &packed));
    struct sp_slice whole = sp_buf_slice(&packed);
    for (size_t len = 0; len < whole.len; len++) {
        ck_assert_int_eq(sp_layout_body_unpack(sp_slice_sub(whole, 0, len), &plain, &error),
                         SP_MALFORMED);
        ck_assert_uint_eq(plain.len, 0);
    }
    packed.ptr[0] ^= 1; /* another length than the block has */
    ck_assert_int_eq(sp_layout_body_unpack(whole, &plain, &error), SP_MALFORMED);
    packed.ptr[0] ^= 1;
    ck_assert_int_eq(sp_layout_body_unpack(whole, &small, &error), SP_LIMIT);
    sp_buf_fini(&packed);
    sp_buf_fini(&plain);
    sp_buf_fini(&small);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("layout");
    TCase *tests = tcase_create("layout");
    tcase_add_test(tests, packed_body_comes_back);
    tcase_add_test(tests, body_that_does_not_shrink_is_not_packed);
    tcase_add_test(tests, damaged_packed_body_is_an_error);
    suite_add_tcase(suite, tests);
    return suite;
}
