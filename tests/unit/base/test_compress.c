/* SPDX-License-Identifier: Apache-2.0
 *
 * Pieces of stored bytes: packed, unpacked, damaged; and the checksum that stands on disk. Whole bodies: tests/unit/wire. */
#include "lib/base/base.h"
#include "tests/support/check_main.h"

START_TEST(a_piece_comes_back)
{
    struct sp_zstd_packer *packer = sp_zstd_packer_new();
    struct sp_zstd_unpacker *unpacker = sp_zstd_unpacker_new();
    uint8_t in[5000], packed[6000], out[5000];
    ck_assert(packer && unpacker);
    for (size_t len = 1; len <= sizeof(in); len = len * 3 + 1) {
        for (size_t i = 0; i < len; i++) {
            in[i] = (uint8_t)(i % 7 * (i / 300));
        }
        for (int level = 1; level <= 3; level++) {
            size_t size =
                sp_zstd_pack(packer, level, sp_slice_make(in, len), packed, sizeof packed);
            ck_assert_uint_gt(size, 0);
            struct sp_slice frame = sp_slice_make(packed, size);
            ck_assert(sp_zstd_unpack(unpacker, frame, out, len));
            ck_assert_mem_eq(in, out, len);
        }
    }
    sp_zstd_packer_free(packer);
    sp_zstd_unpacker_free(unpacker);
}
END_TEST

START_TEST(a_piece_that_does_not_fit_has_no_length)
{
    struct sp_zstd_packer *packer = sp_zstd_packer_new();
    uint8_t in[256], out[256];
    for (size_t i = 0; i < sizeof(in); i++) {
        in[i] = (uint8_t)(i * 197);
    }
    ck_assert_uint_eq(sp_zstd_pack(packer, 1, sp_slice_make(in, sizeof in), out, 200), 0);
    memset(in, 0, sizeof in);
    ck_assert_uint_gt(sp_zstd_pack(packer, 1, sp_slice_make(in, sizeof in), out, 200), 0);
    sp_zstd_packer_free(packer);
}
END_TEST

START_TEST(a_piece_is_one_frame_of_its_length)
{
    struct sp_zstd_packer *packer = sp_zstd_packer_new();
    struct sp_zstd_unpacker *unpacker = sp_zstd_unpacker_new();
    uint8_t in[1000] = {1, 2, 3}, packed[2000], out[2000];
    size_t size = sp_zstd_pack(packer, 1, sp_slice_make(in, sizeof in), packed, 1000);
    ck_assert_uint_gt(size, 0);
    ck_assert(!sp_zstd_unpack(unpacker, sp_slice_make(packed, size), out, 999));
    ck_assert(!sp_zstd_unpack(unpacker, sp_slice_make(packed, size), out, 1001));
    ck_assert(!sp_zstd_unpack(unpacker, sp_slice_make(packed, size - 1), out, 1000));
    ck_assert(!sp_zstd_unpack(unpacker, sp_slice_make(packed, 0), out, 1000));
    memcpy(packed + size, packed, size);
    ck_assert(!sp_zstd_unpack(unpacker, sp_slice_make(packed, size + 1), out, 1000));
    ck_assert(!sp_zstd_unpack(unpacker, sp_slice_make(packed, 2 * size), out, 2000));
    ck_assert(sp_zstd_unpack(unpacker, sp_slice_make(packed, size), out, 1000));
    sp_zstd_packer_free(packer);
    sp_zstd_unpacker_free(unpacker);
}
END_TEST

START_TEST(the_checksum_is_xxh3)
{
    /* What is on a disk must be read by every later version. */
    ck_assert_uint_eq(sp_checksum(SP_SLICE(""), 0), 0x2d06800538d394c2ULL);
    ck_assert_uint_eq(sp_checksum(sp_slice_make(NULL, 0), 0), 0x2d06800538d394c2ULL);
    ck_assert_uint_eq(sp_checksum(SP_SLICE("spoor"), 0), 0x3bebf8c0a3a19959ULL);
    ck_assert_uint_ne(sp_checksum(SP_SLICE("spoor"), 1), sp_checksum(SP_SLICE("spoor"), 0));
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("compress");
    TCase *tests = tcase_create("compress");
    tcase_add_test(tests, a_piece_comes_back);
    tcase_add_test(tests, a_piece_that_does_not_fit_has_no_length);
    tcase_add_test(tests, a_piece_is_one_frame_of_its_length);
    tcase_add_test(tests, the_checksum_is_xxh3);
    suite_add_tcase(suite, tests);
    return suite;
}
