/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 validation against an oracle of another kind: the set of all encodings, made by encoding every scalar value. */
#include <stdlib.h>

#include "lib/base/base.h"
#include "tests/support/check_main.h"

/* The one encoding of a scalar value; 0 for surrogates. */
static size_t encode(uint32_t code, uint8_t *out)
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code >= 0xd800 && code <= 0xdfff) {
        return 0;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

/* Whether the bytes are a chain of encodings: decoded without any check, and then encoded again to the same bytes. */
static bool oracle(const uint8_t *bytes, size_t len)
{
    for (size_t pos = 0; pos < len;) {
        uint8_t first = bytes[pos];
        size_t step = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        if (pos + step > len) {
            return false;
        }
        uint32_t code = step == 1 ? first : first & (0xffu >> (step + 1));
        for (size_t i = 1; i < step; i++) {
            code = code << 6 | (bytes[pos + i] & 0x3f);
        }
        uint8_t again[4];
        if (code > 0x10ffff || encode(code, again) != step ||
            memcmp(again, bytes + pos, step) != 0) {
            return false;
        }
        pos += step;
    }
    return true;
}

START_TEST(utf8_agrees_with_the_oracle_on_all_sequences_to_three_bytes)
{
    uint8_t bytes[3];
    size_t wrong = 0;
    for (uint32_t code = 0; code < 1u << 24; code++) {
        bytes[0] = (uint8_t)(code >> 16);
        bytes[1] = (uint8_t)(code >> 8);
        bytes[2] = (uint8_t)code;
        wrong += sp_utf8_valid(sp_slice_make(bytes, 3)) != oracle(bytes, 3);
        if (bytes[2] == 0) {
            wrong += sp_utf8_valid(sp_slice_make(bytes, 2)) != oracle(bytes, 2);
            wrong += sp_utf8_valid(sp_slice_make(bytes, 1)) != oracle(bytes, 1);
        }
    }
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(utf8_agrees_with_the_oracle_on_four_byte_sequences)
{
    size_t wrong = 0, valid = 0;
    for (uint32_t first = 0xf0; first <= 0xff; first++) {
        for (uint32_t second = 0; second < 256; second++) {
            static const uint8_t tails[] = {0x00, 0x7f, 0x80, 0x81, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
            for (size_t i = 0; i < sizeof(tails) * sizeof(tails); i++) {
                uint8_t bytes[4] = {(uint8_t)first, (uint8_t)second, tails[i / sizeof(tails)],
                                    tails[i % sizeof(tails)]};
                bool expected = oracle(bytes, 4);
                valid += expected;
                wrong += sp_utf8_valid(sp_slice_make(bytes, 4)) != expected;
            }
        }
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_gt(valid, 1000);
}
END_TEST

START_TEST(utf8_takes_every_scalar_value)
{
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        uint8_t bytes[4];
        size_t len = encode(code, bytes);
        if (len && !sp_utf8_valid(sp_slice_make(bytes, len))) {
            ck_abort_msg("U+%04X", code);
        }
    }
}
END_TEST

START_TEST(utf8_prefix_ends_at_the_first_bad_byte_wherever_it_is)
{
    /* Each length and place crosses the sixteen-byte steps differently; the memory is exact, so that a read past the
     * end is seen by the sanitizer. */
    for (size_t len = 1; len < 70; len++) {
        for (size_t bad = 0; bad < len; bad++) {
            uint8_t *bytes = malloc(len);
            memset(bytes, 'a', len);
            ck_assert_uint_eq(sp_utf8_valid_prefix(sp_slice_make(bytes, len)), len);
            ck_assert(sp_utf8_valid(sp_slice_make(bytes, len)));
            bytes[bad] = 0xff;
            ck_assert(!sp_utf8_valid(sp_slice_make(bytes, len)));
            ck_assert_uint_eq(sp_utf8_valid_prefix(sp_slice_make(bytes, len)), bad);
            bytes[bad] = 0xe2; /* truncated by the end, or followed by ASCII */
            ck_assert_uint_eq(sp_utf8_valid_prefix(sp_slice_make(bytes, len)), bad);
            free(bytes);
        }
    }
    ck_assert(sp_utf8_valid(sp_slice_make(NULL, 0)));
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("base_utf8");
    TCase *tests = tcase_create("utf8");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, utf8_agrees_with_the_oracle_on_all_sequences_to_three_bytes);
    tcase_add_test(tests, utf8_agrees_with_the_oracle_on_four_byte_sequences);
    tcase_add_test(tests, utf8_takes_every_scalar_value);
    tcase_add_test(tests, utf8_prefix_ends_at_the_first_bad_byte_wherever_it_is);
    suite_add_tcase(suite, tests);
    return suite;
}
