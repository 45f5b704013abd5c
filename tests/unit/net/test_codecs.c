/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/net/test_codecs.c: query strings, media types, Accept, grpc-timeout, floods, problem documents. */
#include "lib/net/flood.h"
#include "lib/net/grpc_call.h"
#include "tests/support/check_main.h"

#define NS_PER_MS UINT64_C(1000000)

static enum sp_status decode(const char *query, struct sp_params *params, struct sp_error *error)
{
    static struct sp_arena arena; /* of the test's process: tests fork */
    sp_arena_fini(&arena);
    sp_arena_init(&arena, 65536);
    return sp_params_decode(&arena, sp_slice_cstr(query), params, error);
}

static void check_param(const struct sp_params *params, size_t i, const char *name,
                        const char *value)
{
    ck_assert_uint_lt(i, params->count);
    ck_assert(sp_slice_equal_cstr(params->items[i].name, name));
    ck_assert(sp_slice_equal_cstr(params->items[i].value, value));
}

START_TEST(params_decode_escapes_plus_and_empty_parts)
{
    struct sp_params params;
    struct sp_error error;
    ck_assert_int_eq(decode("&a=1&&b+c=x%20y%2B%c3%a4&d&e=&=f&a=2&q==", &params, &error), SP_OK);
    ck_assert_uint_eq(params.count, 7);
    check_param(&params, 0, "a", "1");
    check_param(&params, 1, "b c", "x y+\xc3\xa4");
    check_param(&params, 2, "d", "");
    check_param(&params, 3, "e", "");
    check_param(&params, 4, "", "f");
    check_param(&params, 5, "a", "2");
    check_param(&params, 6, "q", "=");
    struct sp_slice value;
    ck_assert(sp_params_get(&params, "a", &value));
    ck_assert(sp_slice_equal_cstr(value, "1"));
    ck_assert(!sp_params_get(&params, "z", &value));
}
END_TEST

START_TEST(params_decode_names_the_parameter_of_a_bad_escape)
{
    static const char *const queries[] = {"q=%",   "q=%2",  "q=%zz", "q=a%0",
                                          "q=%ff", "q=%00", "q=%c3"};
    for (size_t i = 0; i < SP_ARRAY_LEN(queries); i++) {
        struct sp_params params;
        struct sp_error error;
        ck_assert_int_eq(decode(queries[i], &params, &error), SP_INVALID_ARGUMENT);
        ck_assert_str_eq(error.parameter, "q");
    }
}
END_TEST

START_TEST(params_decode_limits_their_number)
{
    struct sp_params params;
    struct sp_error error;
    char query[2 * SP_PARAMS_MAX + 3];
    for (size_t i = 0; i < sizeof(query) - 1; i++)
        query[i] = i % 2 ? '&' : 'a';
    query[2 * SP_PARAMS_MAX] = '\0';
    ck_assert_int_eq(decode(query, &params, &error), SP_OK);
    ck_assert_uint_eq(params.count, SP_PARAMS_MAX);
    query[2 * SP_PARAMS_MAX] = 'a';
    query[2 * SP_PARAMS_MAX + 1] = '\0';
    ck_assert_int_eq(decode(query, &params, &error), SP_LIMIT);
}
END_TEST

START_TEST(params_decode_survives_a_full_arena)
{
    struct sp_params params;
    struct sp_error error;
    struct sp_arena arena;
    size_t cap = 0;
    for (;; cap += 16) {
        sp_arena_init(&arena, cap);
        enum sp_status status = sp_params_decode(&arena, SP_SLICE("a=%20&b=%21"), &params, &error);
        sp_arena_fini(&arena);
        if (status == SP_OK)
            break;
        ck_assert_int_eq(status, SP_LIMIT);
        ck_assert_uint_lt(cap, 1000000);
    }
    ck_assert_uint_gt(cap, 0);
}
END_TEST

START_TEST(percent_encoding_reads_back)
{
    uint8_t all[256];
    struct sp_buf encoded, decoded;
    sp_buf_init(&encoded, 4096);
    sp_buf_init(&decoded, 4096);
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (uint8_t)i;
    sp_percent_encode(sp_slice_make(all, sizeof(all)), &encoded);
    ck_assert(sp_percent_decode(sp_buf_slice(&encoded), &decoded));
    ck_assert(sp_slice_equal(sp_buf_slice(&decoded), sp_slice_make(all, sizeof(all))));
    sp_buf_reset(&encoded);
    sp_percent_encode(SP_SLICE("a-Z_0.~ /"), &encoded);
    ck_assert(sp_slice_equal_cstr(sp_buf_slice(&encoded), "a-Z_0.~%20%2F"));
    ck_assert(!sp_percent_decode(SP_SLICE("%4"), &decoded));
    sp_buf_fini(&encoded);
    sp_buf_fini(&decoded);
}
END_TEST

START_TEST(media_type_is_compared_without_parameters_and_case)
{
    ck_assert(sp_media_type_is(SP_SLICE("application/json"), "application/json"));
    ck_assert(
        sp_media_type_is(SP_SLICE(" Application/JSON ; charset=\"a;b\""), "application/json"));
    ck_assert(!sp_media_type_is(SP_SLICE("application/jsonp"), "application/json"));
    ck_assert(!sp_media_type_is(SP_SLICE(""), "application/json"));
}
END_TEST

START_TEST(accept_chooses_by_quality_and_specificity)
{
    static const char *const offers[] = {"application/json", "application/x-protobuf"};
    static const struct {
        const char *accept;
        int choice;
    } rows[] = {
        {"", 0},
        {"*/*", 0},
        {"application/x-protobuf", 1},
        {"APPLICATION/X-PROTOBUF", 1},
        {"application/json;q=0.5, application/x-protobuf", 1},
        {"application/json;q=0.5, */*;q=0.4", 0},
        {"application/*;q=0.2, application/x-protobuf;q=0.3", 1},
        {"application/json;q=0, */*", 1},
        {"application/json; q=0.001", 0},
        {"text/html", -1},
        {"text/html, */*;q=0.1", 0},
        {"application/json;q=0, application/x-protobuf;q=0", -1},
        {"application/json;q=2", -1},
        {"application/json;q=abc, application/x-protobuf;q=0.1", 1},
        {"application/json;version=2", -1},
        {",,;,", -1},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++)
        ck_assert_msg(sp_accept_choose(sp_slice_cstr(rows[i].accept), offers, 2) == rows[i].choice,
                      "%s", rows[i].accept);
}
END_TEST

START_TEST(accept_encoding_chooses_or_falls_back_to_identity)
{
    static const char *const offers[] = {"zstd", "gzip"};
    ck_assert_int_eq(sp_accept_encoding_choose(SP_SLICE(""), offers, 2), -1);
    ck_assert_int_eq(sp_accept_encoding_choose(SP_SLICE("gzip, deflate, br"), offers, 2), 1);
    ck_assert_int_eq(sp_accept_encoding_choose(SP_SLICE("gzip, zstd"), offers, 2), 0);
    ck_assert_int_eq(sp_accept_encoding_choose(SP_SLICE("*"), offers, 2), 0);
    ck_assert_int_eq(sp_accept_encoding_choose(SP_SLICE("*, zstd;q=0"), offers, 2), 1);
    ck_assert_int_eq(sp_accept_encoding_choose(SP_SLICE("identity"), offers, 2), -1);
}
END_TEST

START_TEST(grpc_timeout_takes_eight_digits_and_a_unit)
{
    uint64_t ns;
    ck_assert(sp_grpc_timeout_parse(SP_SLICE("10S"), &ns) && ns == 10000 * NS_PER_MS);
    ck_assert(sp_grpc_timeout_parse(SP_SLICE("1m"), &ns) && ns == NS_PER_MS);
    ck_assert(sp_grpc_timeout_parse(SP_SLICE("2u"), &ns) && ns == 2000);
    ck_assert(sp_grpc_timeout_parse(SP_SLICE("3n"), &ns) && ns == 3);
    ck_assert(sp_grpc_timeout_parse(SP_SLICE("1M"), &ns) && ns == 60000 * NS_PER_MS);
    ck_assert(sp_grpc_timeout_parse(SP_SLICE("99999999H"), &ns) && ns == UINT64_MAX);
    static const char *const bad[] = {"", "S", "10", "123456789S", "-1S", "1.5S", "1s", " 1S"};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++)
        ck_assert_msg(!sp_grpc_timeout_parse(sp_slice_cstr(bad[i]), &ns), "%s", bad[i]);
}
END_TEST

START_TEST(flood_has_a_burst_and_refills_with_time)
{
    struct sp_flood flood;
    uint64_t now = 1000 * NS_PER_MS;
    sp_flood_init(&flood, 3, 10, now);
    for (int i = 0; i < 3; i++)
        ck_assert(sp_flood_take(&flood, now));
    ck_assert(!sp_flood_take(&flood, now));
    ck_assert(!sp_flood_take(&flood, now + 99 * NS_PER_MS));
    ck_assert(sp_flood_take(&flood, now + 100 * NS_PER_MS));
    ck_assert(!sp_flood_take(&flood, now + 100 * NS_PER_MS));
    /* A clock that stands still or goes back gives nothing. */
    ck_assert(!sp_flood_take(&flood, now));
    /* However long the pause, the burst is the most. */
    now += UINT64_MAX / 2;
    for (int i = 0; i < 3; i++)
        ck_assert(sp_flood_take(&flood, now));
    ck_assert(!sp_flood_take(&flood, now));
}
END_TEST

START_TEST(flood_refills_with_useful_work)
{
    struct sp_flood flood;
    sp_flood_init(&flood, 2, 0, 0);
    ck_assert(sp_flood_take(&flood, 0));
    ck_assert(sp_flood_take(&flood, 0));
    ck_assert(!sp_flood_take(&flood, UINT64_MAX));
    sp_flood_earn(&flood, UINT32_MAX);
    ck_assert(sp_flood_take(&flood, UINT64_MAX));
    ck_assert(sp_flood_take(&flood, UINT64_MAX));
    ck_assert(!sp_flood_take(&flood, UINT64_MAX));
}
END_TEST

START_TEST(problem_has_parameter_and_offset_when_the_error_has)
{
    struct sp_error error;
    struct sp_buf out;
    sp_buf_init(&out, 4096);
    (void)sp_error_set(&error, SP_NOT_FOUND, "no trace \"1\"");
    sp_problem_write(&out, 404, &error);
    ck_assert(sp_slice_equal_cstr(
        sp_buf_slice(&out),
        "{\"title\":\"not found\",\"status\":404,\"detail\":\"no trace \\\"1\\\"\"}"));
    sp_buf_reset(&out);
    (void)sp_error_set_parameter(&error, SP_INVALID_ARGUMENT, "q", "bad");
    error.offset = 7;
    sp_problem_write(&out, 400, &error);
    ck_assert(sp_slice_equal_cstr(sp_buf_slice(&out),
                                  "{\"title\":\"a parameter is not valid\",\"status\":400,"
                                  "\"detail\":\"bad\",\"parameter\":\"q\",\"offset\":7}"));
    sp_buf_fini(&out);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("net/codecs");
    TCase *tcase = tcase_create("codecs");
    tcase_add_test(tcase, params_decode_escapes_plus_and_empty_parts);
    tcase_add_test(tcase, params_decode_names_the_parameter_of_a_bad_escape);
    tcase_add_test(tcase, params_decode_limits_their_number);
    tcase_add_test(tcase, params_decode_survives_a_full_arena);
    tcase_add_test(tcase, percent_encoding_reads_back);
    tcase_add_test(tcase, media_type_is_compared_without_parameters_and_case);
    tcase_add_test(tcase, accept_chooses_by_quality_and_specificity);
    tcase_add_test(tcase, accept_encoding_chooses_or_falls_back_to_identity);
    tcase_add_test(tcase, grpc_timeout_takes_eight_digits_and_a_unit);
    tcase_add_test(tcase, flood_has_a_burst_and_refills_with_time);
    tcase_add_test(tcase, flood_refills_with_useful_work);
    tcase_add_test(tcase, problem_has_parameter_and_offset_when_the_error_has);
    suite_add_tcase(suite, tcase);
    return suite;
}
