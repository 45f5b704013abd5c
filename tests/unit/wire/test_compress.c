/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of lib/wire: compressed bodies, whole, in several parts, damaged, cut off, too long, and made to explode. */
#include "lib/wire/wire.h"
#include "tests/support/check_main.h"

#define CEILING 100000

static struct sp_buf packed, plain;
static struct sp_error error;
static const enum sp_encoding encodings[] = {SP_ENCODING_GZIP, SP_ENCODING_ZSTD};

static void setup(void)
{
    sp_buf_init(&packed, (size_t)512 * 1024 * 1024);
    sp_buf_init(&plain, CEILING);
}

static void teardown(void)
{
    sp_buf_fini(&packed);
    sp_buf_fini(&plain);
}

static void pack(enum sp_encoding encoding, const char *text)
{
    ck_assert_int_eq(sp_compress(encoding, sp_slice_cstr(text), 3, &packed), SP_OK);
}

static enum sp_status unpack(enum sp_encoding encoding)
{
    sp_buf_reset(&plain);
    return sp_decompress(encoding, sp_buf_slice(&packed), &plain, &error);
}

static void assert_plain(const char *text)
{
    ck_assert_msg(sp_slice_equal_cstr(sp_buf_slice(&plain), text), "got %.*s",
                  SP_SLICE_PRINTF(sp_buf_slice(&plain)));
}

START_TEST(encodings_have_names)
{
    enum sp_encoding encoding;
    ck_assert(sp_encoding_parse(SP_SLICE(""), &encoding) && encoding == SP_ENCODING_IDENTITY);
    ck_assert(sp_encoding_parse(SP_SLICE("GZip"), &encoding) && encoding == SP_ENCODING_GZIP);
    ck_assert(sp_encoding_parse(SP_SLICE("zstd"), &encoding) && encoding == SP_ENCODING_ZSTD);
    ck_assert(!sp_encoding_parse(SP_SLICE("br"), &encoding));
    ck_assert_str_eq(sp_encoding_name(SP_ENCODING_IDENTITY), "identity");
}
END_TEST

START_TEST(several_members_are_one_body)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(encodings); i++) {
        sp_buf_reset(&packed);
        pack(encodings[i], "first, ");
        pack(encodings[i], "");
        pack(encodings[i], "second");
        ck_assert_int_eq(unpack(encodings[i]), SP_OK);
        assert_plain("first, second");
    }
}
END_TEST

START_TEST(bytes_behind_the_end_are_malformed)
{
    static const char *const messages[] = {"bytes behind the end of the gzip body",
                                           "bytes behind the end of the zstd body"};
    for (size_t i = 0; i < SP_ARRAY_LEN(encodings); i++) {
        sp_buf_reset(&packed);
        pack(encodings[i], "text");
        size_t end = packed.len;
        sp_buf_append_cstr(&packed, "garbage");
        ck_assert_int_eq(unpack(encodings[i]), SP_MALFORMED);
        ck_assert_str_eq(error.message, messages[i]);
        ck_assert_uint_eq(error.offset, end);
    }
}
END_TEST

START_TEST(another_format_is_named)
{
    sp_buf_append_cstr(&packed, "{\"resourceSpans\":[]}");
    ck_assert_int_eq(unpack(SP_ENCODING_GZIP), SP_MALFORMED);
    ck_assert_str_eq(error.message, "the body is not gzip");
    ck_assert_int_eq(unpack(SP_ENCODING_ZSTD), SP_MALFORMED);
    ck_assert_str_eq(error.message, "the body is not zstd");
}
END_TEST

START_TEST(a_body_cut_anywhere_is_malformed)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(encodings); i++) {
        sp_buf_reset(&packed);
        pack(encodings[i], "a text of some length, a text of some length, a text");
        for (size_t len = packed.len; len-- > 0;) {
            packed.len = len;
            ck_assert_int_eq(unpack(encodings[i]), SP_MALFORMED);
        }
    }
}
END_TEST

START_TEST(damage_to_the_content_is_seen_by_the_checksum)
{
    pack(SP_ENCODING_GZIP, "a text of some length, a text of some length, a text");
    packed.ptr[packed.len - 6] ^= 1;
    ck_assert_int_eq(unpack(SP_ENCODING_GZIP), SP_MALFORMED);
    ck_assert_str_eq(error.message, "the gzip body is damaged or cut off");
}
END_TEST

START_TEST(the_ceiling_is_exact)
{
    struct sp_buf text;
    sp_buf_init(&text, 2 * CEILING);
    for (int more = 0; more < 2; more++) {
        sp_buf_reset(&text);
        while (text.len < CEILING + (size_t)more) {
            sp_buf_append_byte(&text, (uint8_t)text.len);
        }
        for (size_t i = 0; i < SP_ARRAY_LEN(encodings); i++) {
            sp_buf_reset(&packed);
            ck_assert_int_eq(sp_compress(encodings[i], sp_buf_slice(&text), 1, &packed), SP_OK);
            ck_assert_int_eq(unpack(encodings[i]), more ? SP_LIMIT : SP_OK);
            ck_assert(more || plain.len == CEILING);
        }
    }
    sp_buf_fini(&text);
}
END_TEST

START_TEST(bombs_stop_at_the_ceiling)
{
    struct sp_buf zeros;
    sp_buf_init(&zeros, (size_t)100 * 1024 * 1024);
    memset(sp_buf_reserve(&zeros, zeros.max), 0, zeros.max);
    zeros.len = zeros.max;
    for (size_t i = 0; i < SP_ARRAY_LEN(encodings); i++) {
        sp_buf_reset(&packed);
        ck_assert_int_eq(sp_compress(encodings[i], sp_buf_slice(&zeros), 1, &packed), SP_OK);
        ck_assert_int_eq(unpack(encodings[i]), SP_LIMIT);
        ck_assert_str_eq(error.message, "the body has more than 100000 bytes when decompressed");
        ck_assert_uint_le(plain.cap, CEILING);
    }
    sp_buf_fini(&zeros);
}
END_TEST

START_TEST(a_length_that_lies_costs_no_more_than_the_ceiling)
{
    pack(SP_ENCODING_GZIP, "short");
    memset(packed.ptr + packed.len - 4, 0xff, 4); /* ISIZE: 4 GiB */
    ck_assert_int_eq(unpack(SP_ENCODING_GZIP), SP_MALFORMED);
    ck_assert_uint_le(plain.cap, CEILING);
}
END_TEST

START_TEST(a_window_above_the_limit_is_refused)
{
    /* Magic, no single segment, window descriptor 24 << 3: 2^(10 + 24) bytes. */
    sp_buf_append(&packed, "\x28\xb5\x2f\xfd\x00\xc0\x01\x00\x00", 9);
    ck_assert_int_eq(unpack(SP_ENCODING_ZSTD), SP_LIMIT);
    ck_assert_str_eq(error.message, "the zstd body needs a window above 8 MiB");
}
END_TEST

START_TEST(compression_stops_at_the_ceiling)
{
    struct sp_buf small;
    sp_buf_init(&small, 10);
    for (size_t i = 0; i < SP_ARRAY_LEN(encodings); i++) {
        sp_buf_reset(&small);
        ck_assert_int_eq(sp_compress(encodings[i], SP_SLICE("does not fit into ten"), 1, &small),
                         SP_LIMIT);
    }
    sp_buf_fini(&small);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("compress");
    TCase *tc = tcase_create("compress");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, encodings_have_names);
    tcase_add_test(tc, several_members_are_one_body);
    tcase_add_test(tc, bytes_behind_the_end_are_malformed);
    tcase_add_test(tc, another_format_is_named);
    tcase_add_test(tc, a_body_cut_anywhere_is_malformed);
    tcase_add_test(tc, damage_to_the_content_is_seen_by_the_checksum);
    tcase_add_test(tc, the_ceiling_is_exact);
    tcase_add_test(tc, bombs_stop_at_the_ceiling);
    tcase_add_test(tc, a_length_that_lies_costs_no_more_than_the_ceiling);
    tcase_add_test(tc, a_window_above_the_limit_is_refused);
    tcase_add_test(tc, compression_stops_at_the_ceiling);
    suite_add_tcase(suite, tc);
    return suite;
}
