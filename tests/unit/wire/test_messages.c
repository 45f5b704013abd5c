/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of lib/wire: the small messages around OTLP, byte for byte where the bytes are few. */
#include "lib/wire/wire.h"
#include "tests/support/check_main.h"

static struct sp_arena arena;
static struct sp_buf out;

static void setup(void)
{
    sp_arena_init(&arena, 1000000);
    sp_buf_init(&out, 1000000);
}

static void teardown(void)
{
    sp_arena_fini(&arena);
    sp_buf_fini(&out);
}

static void assert_text(const char *expected)
{
    ck_assert_msg(sp_slice_equal_cstr(sp_buf_slice(&out), expected), "got %.*s",
                  SP_SLICE_PRINTF(sp_buf_slice(&out)));
}

static struct sp_error error_of(enum sp_status status, const char *message)
{
    struct sp_error error;
    (void)sp_error_set(&error, status, "%s", message);
    return error;
}

START_TEST(full_success_is_the_empty_message)
{
    ck_assert_int_eq(sp_export_response_encode(SP_WIRE_PROTOBUF, 0, SP_SLICE(""), &out), SP_OK);
    ck_assert_uint_eq(out.len, 0);
    ck_assert_int_eq(sp_export_response_encode(SP_WIRE_JSON, 0, SP_SLICE(""), &out), SP_OK);
    assert_text("{}");
}
END_TEST

START_TEST(partial_success_has_count_and_reason)
{
    ck_assert_int_eq(sp_export_response_encode(SP_WIRE_PROTOBUF, 3, SP_SLICE("why"), &out), SP_OK);
    assert_text("\x0a\x07\x08\x03\x12\x03why");
    uint64_t rejected = 0;
    struct sp_slice reason;
    struct sp_error error;
    ck_assert_int_eq(
        sp_export_response_decode(&arena, sp_buf_slice(&out), &rejected, &reason, &error), SP_OK);
    ck_assert_uint_eq(rejected, 3);
    ck_assert(sp_slice_equal_cstr(reason, "why"));
    sp_buf_reset(&out);
    ck_assert_int_eq(sp_export_response_encode(SP_WIRE_JSON, 3, SP_SLICE("why"), &out), SP_OK);
    assert_text("{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"why\"}}");
}
END_TEST

START_TEST(export_response_decode_rejects_garbage)
{
    uint64_t rejected;
    struct sp_slice reason;
    struct sp_error error;
    ck_assert_int_eq(
        sp_export_response_decode(&arena, SP_SLICE("\x0a\x05x"), &rejected, &reason, &error),
        SP_MALFORMED);
}
END_TEST

START_TEST(a_response_that_does_not_fit_is_a_limit)
{
    struct sp_buf small;
    sp_buf_init(&small, 4);
    ck_assert_int_eq(sp_export_response_encode(SP_WIRE_PROTOBUF, 3, SP_SLICE("why"), &small),
                     SP_LIMIT);
    sp_buf_fini(&small);
}
END_TEST

START_TEST(retryable_error_carries_retry_info)
{
    struct sp_error error = error_of(SP_OVERLOADED, "later");
    ck_assert_int_eq(sp_rpc_status_encode(SP_WIRE_JSON, &error, 1500000000, &out), SP_OK);
    assert_text("{\"code\":14,\"message\":\"later\",\"details\":[{\"@type\":\"type.googleapis.com/"
                "google.rpc.RetryInfo\",\"retryDelay\":\"1.500000000s\"}]}");
    sp_buf_reset(&out);
    ck_assert_int_eq(sp_rpc_status_encode(SP_WIRE_PROTOBUF, &error, 1500000000, &out), SP_OK);
    assert_text("\x08\x0e\x12\x05later\x1a\x36\x0a\x28type.googleapis.com/google.rpc.RetryInfo"
                "\x12\x0a\x0a\x08\x08\x01\x10\x80\xca\xb5\xee\x01");
}
END_TEST

START_TEST(limit_never_carries_retry_info)
{
    struct sp_error error = error_of(SP_LIMIT, "too much");
    ck_assert_int_eq(sp_rpc_status_encode(SP_WIRE_JSON, &error, 1000000000, &out), SP_OK);
    assert_text("{\"code\":8,\"message\":\"too much\",\"details\":[]}");
}
END_TEST

START_TEST(bad_request_names_the_place)
{
    struct sp_error error;
    (void)sp_error_set_at(&error, SP_MALFORMED, 17, "cut off");
    ck_assert_int_eq(sp_rpc_status_encode(SP_WIRE_JSON, &error, 0, &out), SP_OK);
    assert_text("{\"code\":3,\"message\":\"cut off\",\"details\":[{\"@type\":\"type.googleapis.com/"
                "google.rpc.BadRequest\",\"fieldViolations\":[{\"field\":\"body, byte 17\","
                "\"description\":\"cut off\"}]}]}");
    sp_buf_reset(&out);
    (void)sp_error_set_parameter(&error, SP_INVALID_ARGUMENT, "limit", "too large");
    ck_assert_int_eq(sp_rpc_status_encode(SP_WIRE_PROTOBUF, &error, 0, &out), SP_OK);
    int32_t code = 0;
    struct sp_slice message;
    ck_assert_int_eq(sp_rpc_status_decode(&arena, sp_buf_slice(&out), &code, &message, &error),
                     SP_OK);
    ck_assert_int_eq(code, 3);
    ck_assert(sp_slice_equal_cstr(message, "too large"));
}
END_TEST

START_TEST(the_longest_error_message_fits)
{
    struct sp_error error = error_of(SP_INVALID_ARGUMENT, "");
    memset(error.message, 'm', sizeof(error.message) - 1);
    error.message[sizeof(error.message) - 1] = '\0';
    memset(error.parameter, 'p', sizeof(error.parameter) - 1);
    error.parameter[sizeof(error.parameter) - 1] = '\0';
    ck_assert_int_eq(sp_rpc_status_encode(SP_WIRE_PROTOBUF, &error, 0, &out), SP_OK);
    ck_assert_uint_gt(out.len, 2 * (SP_ERROR_MESSAGE_MAX - 1));
}
END_TEST

START_TEST(health_request_and_response)
{
    struct sp_slice service;
    struct sp_error error;
    ck_assert_int_eq(sp_health_request_decode(&arena,
                                              SP_SLICE("\x0a\x02"
                                                       "ab"),
                                              &service, &error),
                     SP_OK);
    ck_assert(sp_slice_equal_cstr(service, "ab"));
    ck_assert_int_eq(sp_health_request_decode(&arena, SP_SLICE(""), &service, &error), SP_OK);
    ck_assert_uint_eq(service.len, 0);
    ck_assert_int_eq(sp_health_request_decode(&arena, SP_SLICE("\xff"), &service, &error),
                     SP_MALFORMED);
    ck_assert_int_eq(sp_health_response_encode(SP_HEALTH_SERVING, &out), SP_OK);
    assert_text("\x08\x01");
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("messages");
    TCase *tc = tcase_create("messages");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, full_success_is_the_empty_message);
    tcase_add_test(tc, partial_success_has_count_and_reason);
    tcase_add_test(tc, export_response_decode_rejects_garbage);
    tcase_add_test(tc, a_response_that_does_not_fit_is_a_limit);
    tcase_add_test(tc, retryable_error_carries_retry_info);
    tcase_add_test(tc, limit_never_carries_retry_info);
    tcase_add_test(tc, bad_request_names_the_place);
    tcase_add_test(tc, the_longest_error_message_fits);
    tcase_add_test(tc, health_request_and_response);
    suite_add_tcase(suite, tc);
    return suite;
}
