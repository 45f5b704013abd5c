/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of lib/wire: the rules of OTLP JSON, one by one, and the words when they are broken. */
#include <math.h>
#include <stdio.h>

#include "lib/wire/wire.h"
#include "tests/support/check_main.h"

#define IDS "\"traceId\":\"0123456789abcdeffedcba9876543210\",\"spanId\":\"0123456789abcdef\""

static struct sp_arena arena;
static struct sp_error error;
static const struct sp_batch *batch;

static void setup(void)
{
    sp_arena_init(&arena, (size_t)64 * 1024 * 1024);
    batch = NULL;
}

static void teardown(void)
{
    sp_arena_fini(&arena);
}

static enum sp_status decode(const char *json)
{
    return sp_otlp_json_decode(&arena, sp_slice_cstr(json), sp_limits_default(), &batch, &error);
}

/* A request with one span of these members. */
static enum sp_status decode_members(const char *members)
{
    static char json[4096]; /* the batch points into it until the next call */
    snprintf(json, sizeof(json), "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{%s}]}]}]}",
             members);
    batch = NULL;
    return decode(json);
}

static const struct sp_span *span_of(const char *members)
{
    enum sp_status status = decode_members(members);
    ck_assert_msg(status == SP_OK, "%s: %s", members, error.message);
    ck_assert_msg(batch->span_count == 1, "%s: %.*s", members,
                  SP_SLICE_PRINTF(batch->rejected_reason));
    return &batch->spans[0];
}

static const struct sp_value *value_of(const char *value)
{
    char members[1000];
    snprintf(members, sizeof(members), IDS ",\"attributes\":[{\"key\":\"k\",\"value\":%s}]", value);
    return &span_of(members)->attributes.items[0].value;
}

static void assert_malformed(const char *members, const char *message)
{
    ck_assert_msg(decode_members(members) == SP_MALFORMED, "%s was taken", members);
    ck_assert_msg(strcmp(error.message, message) == 0, "%s: got: %s", members, error.message);
    ck_assert_ptr_null(batch);
    ck_assert_uint_ne(error.offset, SP_ERROR_NO_OFFSET);
}

START_TEST(ids_are_hex_in_either_case)
{
    const struct sp_span *span = span_of("\"traceId\":\"0123456789ABCDEFfedcba9876543210\","
                                         "\"spanId\":\"0123456789ABCDEF\",\"parentSpanId\":\"\"");
    ck_assert_uint_eq(span->trace_id.bytes[7], 0xef);
    ck_assert_uint_eq(span->span_id.bytes[0], 0x01);
    ck_assert(sp_span_id_is_zero(&span->parent_span_id));
}
END_TEST

START_TEST(bad_ids_refuse_the_span_alone)
{
    static const char *const cases[][2] = {
        {"\"spanId\":\"0123456789abcdef\"", ": traceId is missing or zero"},
        {"\"traceId\":\"1234\",\"spanId\":\"0123456789abcdef\"",
         ".traceId: traceId is not 32 hex digits"},
        {"\"traceId\":\"ASNFZ4mrze/+3LqYdlQyEA==\",\"spanId\":\"0123456789abcdef\"",
         ".traceId: traceId is not 32 hex digits"}, /* base64, as protobuf's own mapping has it */
        {"\"traceId\":\"0123456789abcdeffedcba9876543210\",\"spanId\":\"0000000000000000\"",
         ": spanId is missing or zero"},
        {IDS ",\"parentSpanId\":\"xyz\"", ".parentSpanId: parentSpanId is not 16 hex digits"},
        {IDS ",\"links\":[{\"traceId\":\"12\"}]", ".links: traceId of a link is not 32 hex digits"},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        char expected[200];
        snprintf(expected, sizeof(expected), "resourceSpans[0].scopeSpans[0].spans[0]%s",
                 cases[i][1]);
        ck_assert_int_eq(decode_members(cases[i][0]), SP_OK);
        ck_assert_uint_eq(batch->span_count, 0);
        ck_assert_uint_eq(batch->rejected_count, 1);
        ck_assert_msg(sp_slice_equal_cstr(batch->rejected_reason, expected), "got: %.*s",
                      SP_SLICE_PRINTF(batch->rejected_reason));
    }
}
END_TEST

START_TEST(integers_are_numbers_or_strings)
{
    const struct sp_span *span =
        span_of(IDS ",\"startTimeUnixNano\":\"18446744073709551615\",\"endTimeUnixNano\":5,"
                    "\"droppedLinksCount\":\"7\",\"flags\":1.0,\"droppedEventsCount\":1e2");
    ck_assert_uint_eq(span->start_unix_ns, UINT64_MAX);
    ck_assert_uint_eq(span->end_unix_ns, 5);
    ck_assert_uint_eq(span->dropped_links, 7);
    ck_assert_uint_eq(span->flags, 1);
    ck_assert_uint_eq(span->dropped_events, 100);
    ck_assert_int_eq(value_of("{\"intValue\":\"-9223372036854775808\"}")->integer, INT64_MIN);
    ck_assert_int_eq(value_of("{\"intValue\":9007199254740993}")->integer, 9007199254740993);
}
END_TEST

START_TEST(numbers_out_of_range_are_malformed)
{
    static const char u64[] = "a whole number of 64 bits, not negative was expected";
    char message[200];
    snprintf(message, sizeof(message), "resourceSpans[0].scopeSpans[0].spans[0].%s: %s",
             "startTimeUnixNano", u64);
    assert_malformed(IDS ",\"startTimeUnixNano\":\"18446744073709551616\"", message);
    assert_malformed(IDS ",\"startTimeUnixNano\":-1", message);
    assert_malformed(IDS ",\"startTimeUnixNano\":0.5", message);
    assert_malformed(IDS ",\"startTimeUnixNano\":true", message);
    assert_malformed(IDS ",\"flags\":4294967296",
                     "resourceSpans[0].scopeSpans[0].spans[0].flags: a whole number of 32 bits, "
                     "not negative was expected");
    assert_malformed(IDS ",\"attributes\":[{\"value\":{\"intValue\":\"\"}}]",
                     "resourceSpans[0].scopeSpans[0].spans[0].attributes: a whole number of 64 "
                     "bits was expected");
}
END_TEST

START_TEST(enums_are_numbers_and_unknown_ones_are_kept)
{
    const struct sp_span *span = span_of(IDS ",\"kind\":99,\"status\":{\"code\":-3}");
    ck_assert_int_eq(span->kind, 99);
    ck_assert_int_eq(span->status_code, -3);
    assert_malformed(IDS ",\"kind\":\"SPAN_KIND_SERVER\"",
                     "resourceSpans[0].scopeSpans[0].spans[0].kind: the number of an enum value, "
                     "not its name, was expected");
    assert_malformed(IDS ",\"status\":{\"code\":\"2\"}",
                     "resourceSpans[0].scopeSpans[0].spans[0].status: the number of an enum value, "
                     "not its name, was expected");
}
END_TEST

START_TEST(unknown_and_snake_case_members_are_ignored)
{
    const struct sp_span *span =
        span_of(IDS ",\"start_time_unix_nano\":\"5\",\"Name\":\"x\",\"new\":{\"a\":[1,{}]}");
    ck_assert_uint_eq(span->start_unix_ns, 0);
    ck_assert_uint_eq(span->name.len, 0);
}
END_TEST

/* Where it has room for all, as protobuf has; of texts and numbers the last counts there, too. */
START_TEST(members_that_stand_twice_lose_nothing)
{
    const struct sp_span *span = span_of(
        IDS ",\"name\":\"a\",\"name\":\"b\","
            "\"attributes\":[{\"key\":\"one\",\"value\":{\"intValue\":1}}],"
            "\"events\":[{\"name\":\"first\"}],\"links\":[{\"flags\":1},{\"flags\":2}],"
            "\"attributes\":[{\"key\":\"two\",\"value\":{\"intValue\":2}}],\"attributes\":[],"
            "\"events\":null,\"events\":[{\"name\":\"second\",\"attributes\":[{\"key\":\"x\"}],"
            "\"attributes\":[{\"key\":\"y\"}]}],\"links\":[{\"flags\":3}]");
    ck_assert(sp_slice_equal_cstr(span->name, "b"));
    ck_assert_uint_eq(span->attributes.count, 2);
    ck_assert(sp_slice_equal_cstr(span->attributes.items[0].key, "one"));
    ck_assert(sp_slice_equal_cstr(span->attributes.items[1].key, "two"));
    ck_assert_uint_eq(span->event_count, 2);
    ck_assert(sp_slice_equal_cstr(span->events[0].name, "first"));
    ck_assert(sp_slice_equal_cstr(span->events[1].name, "second"));
    ck_assert_uint_eq(span->events[1].attributes.count, 2);
    ck_assert_uint_eq(span->link_count, 3);
    ck_assert_uint_eq(span->links[2].flags, 3);
    ck_assert_int_eq(decode("{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"a\"}]},"
                            "\"scopeSpans\":[{\"spans\":[{" IDS "}]}],"
                            "\"resource\":{\"attributes\":[{\"key\":\"b\"}]}}]}"),
                     SP_OK);
    ck_assert_uint_eq(batch->spans[0].resource->attributes.count, 2);
}
END_TEST

START_TEST(null_is_the_same_as_absent)
{
    const struct sp_span *span =
        span_of(IDS ",\"name\":null,\"kind\":null,\"startTimeUnixNano\":null,\"attributes\":null,"
                    "\"events\":null,\"links\":null,\"status\":null,\"parentSpanId\":null");
    ck_assert(!span->status_present);
    ck_assert_uint_eq(span->attributes.count + span->event_count + span->link_count, 0);
    ck_assert_int_eq(value_of("null")->kind, SP_VALUE_EMPTY);
    ck_assert_int_eq(value_of("{\"intValue\":null}")->kind, SP_VALUE_EMPTY);
    ck_assert_int_eq(value_of("{\"stringValue\":\"a\",\"intValue\":null}")->kind, SP_VALUE_STRING);
    ck_assert_int_eq(decode("{\"resourceSpans\":null}"), SP_OK);
    ck_assert_uint_eq(batch->span_count, 0);
}
END_TEST

START_TEST(doubles_have_names_for_what_json_lacks)
{
    ck_assert(isnan(value_of("{\"doubleValue\":\"NaN\"}")->number));
    ck_assert(value_of("{\"doubleValue\":\"Infinity\"}")->number == INFINITY);
    ck_assert(value_of("{\"doubleValue\":\"-Infinity\"}")->number == -INFINITY);
    ck_assert(value_of("{\"doubleValue\":\"2.5\"}")->number == 2.5);
    ck_assert(value_of("{\"doubleValue\":3}")->number == 3.0);
    assert_malformed(IDS ",\"attributes\":[{\"value\":{\"doubleValue\":\"nan\"}}]",
                     "resourceSpans[0].scopeSpans[0].spans[0].attributes: a number was expected");
}
END_TEST

START_TEST(bytes_are_base64_of_either_alphabet)
{
    ck_assert(sp_slice_equal(value_of("{\"bytesValue\":\"++//AA==\"}")->string,
                             SP_SLICE("\xfb\xef\xff\x00")));
    ck_assert(sp_slice_equal(value_of("{\"bytesValue\":\"--__AA\"}")->string,
                             SP_SLICE("\xfb\xef\xff\x00")));
    assert_malformed(IDS ",\"attributes\":[{\"value\":{\"bytesValue\":\"*\"}}]",
                     "resourceSpans[0].scopeSpans[0].spans[0].attributes: a string in base64 was "
                     "expected");
}
END_TEST

START_TEST(containers_may_be_empty_or_have_nulls)
{
    const struct sp_value *value = value_of("{\"arrayValue\":{}}");
    ck_assert(value->kind == SP_VALUE_ARRAY && value->count == 0);
    value = value_of("{\"kvlistValue\":{\"values\":null}}");
    ck_assert(value->kind == SP_VALUE_KVLIST && value->count == 0);
    value = value_of("{\"arrayValue\":{\"values\":[{},{\"stringValue\":\"\"},"
                     "{\"kvlistValue\":{\"values\":[{\"value\":{\"boolValue\":false}}]}}]}}");
    ck_assert_uint_eq(value->count, 3);
    ck_assert_int_eq(value->items[0].kind, SP_VALUE_EMPTY);
    ck_assert_int_eq(value->items[1].kind, SP_VALUE_STRING);
    ck_assert_int_eq(value->items[2].entries[0].value.kind, SP_VALUE_BOOL);
}
END_TEST

START_TEST(resource_and_scope_apply_whatever_the_order)
{
    ck_assert_int_eq(
        decode("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{" IDS "}],\"scope\":{\"name\":"
               "\"s\"},\"schemaUrl\":\"u1\"}],\"schemaUrl\":\"u2\",\"resource\":{\"attributes\":"
               "[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"cart\"}}],"
               "\"droppedAttributesCount\":4}}]}"),
        SP_OK);
    const struct sp_span *span = &batch->spans[0];
    ck_assert(sp_slice_equal_cstr(sp_span_service(span), "cart"));
    ck_assert_uint_eq(span->resource->attributes.dropped, 4);
    ck_assert(sp_slice_equal_cstr(span->resource->schema_url, "u2"));
    ck_assert(span->scope->present && sp_slice_equal_cstr(span->scope->name, "s"));
    ck_assert(sp_slice_equal_cstr(span->scope->schema_url, "u1"));
}
END_TEST

START_TEST(what_is_no_request_is_malformed)
{
    static const char *const cases[] = {
        "",
        "[]",
        "1",
        "{",
        "{}x",
        "{\"resourceSpans\":{}}",
        "{\"resourceSpans\":[1]}",
        "{\"resourceSpans\":[null]}",
        "{\"resourceSpans\":[{\"scopeSpans\":{}}]}",
        "{\"resourceSpans\":[{\"scopeSpans\":[[]]}]}",
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":{}}]}]}",
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[7]}]}]}",
        "{\"resourceSpans\":[{\"resource\":[]}]}",
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":5}]}}]}",
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"value\":\"text\"}]}}]}",
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"\xff\"}]}}]}",
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":{}}}]}",
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        ck_assert_msg(decode(cases[i]) == SP_MALFORMED, "%s was taken", cases[i]);
        ck_assert_ptr_null(batch);
    }
}
END_TEST

START_TEST(a_request_cut_anywhere_is_malformed)
{
    static const char json[] =
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{" IDS ",\"attributes\":[{\"key\":\"k\","
        "\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"}]}}}],\"events\":[{\"name\":"
        "\"\\u00e9\"}],\"links\":[{}],\"status\":{\"code\":2}}]}]}]}";
    ck_assert_int_eq(decode(json), SP_OK);
    for (size_t cut = 0; cut < sizeof(json) - 1; cut++) {
        struct sp_arena own;
        struct sp_slice copy;
        sp_arena_init(&own, 100000);
        ck_assert(sp_arena_copy(&own, sp_slice_make(json, cut), &copy));
        batch = NULL;
        ck_assert_int_eq(sp_otlp_json_decode(&own, copy, sp_limits_default(), &batch, &error),
                         SP_MALFORMED);
        sp_arena_fini(&own);
    }
}
END_TEST

START_TEST(value_text_is_what_people_search_for)
{
    static const char *const cases[][2] = {
        {"{\"stringValue\":\"as \\\"is\\\"\"}", "as \"is\""},
        {"{\"intValue\":\"-7\"}", "-7"},
        {"{\"boolValue\":true}", "true"},
        {"{\"doubleValue\":0.5}", "0.5"},
        {"{\"doubleValue\":\"-Infinity\"}", "-Infinity"},
        {"{\"bytesValue\":\"AAE=\"}", "AAE="},
        {"{}", ""},
        {"{\"arrayValue\":{\"values\":[{\"stringValue\":\"a\"},{\"intValue\":1},{}]}}",
         "[\"a\",1,null]"},
        {"{\"kvlistValue\":{\"values\":[{\"key\":\"x\",\"value\":{\"arrayValue\":{}}},{\"key\":"
         "\"y\",\"value\":{\"boolValue\":false}}]}}",
         "{\"x\":[],\"y\":false}"},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        struct sp_buf text;
        sp_buf_init(&text, 1000);
        sp_value_text(value_of(cases[i][0]), &text);
        ck_assert_msg(sp_slice_equal_cstr(sp_buf_slice(&text), cases[i][1]), "got %.*s",
                      SP_SLICE_PRINTF(sp_buf_slice(&text)));
        sp_buf_fini(&text);
    }
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("json");
    TCase *tc = tcase_create("json");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, ids_are_hex_in_either_case);
    tcase_add_test(tc, bad_ids_refuse_the_span_alone);
    tcase_add_test(tc, integers_are_numbers_or_strings);
    tcase_add_test(tc, numbers_out_of_range_are_malformed);
    tcase_add_test(tc, enums_are_numbers_and_unknown_ones_are_kept);
    tcase_add_test(tc, unknown_and_snake_case_members_are_ignored);
    tcase_add_test(tc, members_that_stand_twice_lose_nothing);
    tcase_add_test(tc, null_is_the_same_as_absent);
    tcase_add_test(tc, doubles_have_names_for_what_json_lacks);
    tcase_add_test(tc, bytes_are_base64_of_either_alphabet);
    tcase_add_test(tc, containers_may_be_empty_or_have_nulls);
    tcase_add_test(tc, resource_and_scope_apply_whatever_the_order);
    tcase_add_test(tc, what_is_no_request_is_malformed);
    tcase_add_test(tc, a_request_cut_anywhere_is_malformed);
    tcase_add_test(tc, value_text_is_what_people_search_for);
    suite_add_tcase(suite, tc);
    return suite;
}
