/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of lib/wire: what is written is read back, field for field. */
#include "lib/wire/wire.h"
#include "tests/support/check_main.h"
#include "tests/support/span_gen.h"

static struct sp_arena arena;
static struct sp_buf out;

static void setup(void)
{
    sp_arena_init(&arena, (size_t)256 * 1024 * 1024);
    sp_buf_init(&out, (size_t)256 * 1024 * 1024);
}

static void teardown(void)
{
    sp_arena_fini(&arena);
    sp_buf_fini(&out);
}

static void assert_equal(const struct sp_batch *a, const struct sp_batch *b)
{
    ck_assert_uint_eq(a->span_count, b->span_count);
    for (size_t i = 0; i < a->span_count; i++) {
        ck_assert_msg(sp_span_equal(&a->spans[i], &b->spans[i]), "span %zu differs", i);
    }
}

START_TEST(otlp_encode_then_decode_gives_equal_spans)
{
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct sp_gen_options options = sp_gen_options_everything(1 + (size_t)seed * 5);
        options.odd_percent = (unsigned)seed * 2;
        options.nesting = 1 + (uint32_t)seed % 10;
        const struct sp_batch *a = sp_gen_batch(&arena, seed, &options), *b = NULL;
        struct sp_error error = {0};
        sp_buf_reset(&out);
        ck_assert_int_eq(sp_otlp_encode(sp_batch_pointers(&arena, a), a->span_count, &out), SP_OK);
        enum sp_status status =
            sp_otlp_decode(&arena, sp_buf_slice(&out), sp_limits_default(), &b, &error);
        ck_assert_msg(status == SP_OK, "seed %d: %s", (int)seed, error.message);
        ck_assert_uint_eq(b->rejected_count, 0);
        assert_equal(a, b);
    }
}
END_TEST

START_TEST(otlp_json_encode_then_decode_gives_equal_spans)
{
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct sp_gen_options options = sp_gen_options_everything(1 + (size_t)seed * 5);
        options.odd_percent = (unsigned)seed * 2;
        options.nesting = 1 + (uint32_t)seed % 10;
        options.no_residue = true;
        const struct sp_batch *a = sp_gen_batch(&arena, seed, &options), *b = NULL;
        struct sp_error error = {0};
        struct sp_json_writer w;
        sp_buf_reset(&out);
        sp_json_writer_init(&w, &out);
        sp_otlp_json_encode(sp_batch_pointers(&arena, a), a->span_count, &w);
        ck_assert_int_eq(out.error, SP_OK);
        enum sp_status status =
            sp_otlp_json_decode(&arena, sp_buf_slice(&out), sp_limits_default(), &b, &error);
        ck_assert_msg(status == SP_OK, "seed %d: %s", (int)seed, error.message);
        ck_assert_uint_eq(b->rejected_count, 0);
        assert_equal(a, b);
    }
}
END_TEST

static const enum sp_encoding encodings[] = {SP_ENCODING_IDENTITY, SP_ENCODING_GZIP,
                                             SP_ENCODING_ZSTD};

START_TEST(compressed_bodies_decode_to_equal_spans)
{
    struct sp_gen_options options = sp_gen_options_everything(500);
    const struct sp_batch *a = sp_gen_batch(&arena, 1, &options), *b = NULL;
    ck_assert_int_eq(sp_otlp_encode(sp_batch_pointers(&arena, a), a->span_count, &out), SP_OK);
    struct sp_buf packed, plain;
    sp_buf_init(&packed, 10000000);
    sp_buf_init(&plain, 10000000);
    for (size_t i = 0; i < SP_ARRAY_LEN(encodings); i++) {
        struct sp_error error = {0};
        sp_buf_reset(&packed);
        sp_buf_reset(&plain);
        ck_assert_int_eq(sp_compress(encodings[i], sp_buf_slice(&out), 3, &packed), SP_OK);
        enum sp_status status =
            sp_otlp_decode_body(&arena, SP_WIRE_PROTOBUF, encodings[i], sp_buf_slice(&packed),
                                &plain, sp_limits_default(), &b, &error);
        ck_assert_msg(status == SP_OK, "%s: %s", sp_encoding_name(encodings[i]), error.message);
        assert_equal(a, b);
    }
    sp_buf_fini(&packed);
    sp_buf_fini(&plain);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("round_trip");
    TCase *tc = tcase_create("round_trip");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, otlp_encode_then_decode_gives_equal_spans);
    tcase_add_test(tc, otlp_json_encode_then_decode_gives_equal_spans);
    tcase_add_test(tc, compressed_bodies_decode_to_equal_spans);
    suite_add_tcase(suite, tc);
    return suite;
}
