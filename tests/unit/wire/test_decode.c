/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of lib/wire: what sp_otlp_decode takes, refuses span by span, and refuses as a whole, and with which words. */
#include <stdio.h>

#include "lib/wire/wire.h"
#include "tests/support/check_main.h"
#include "tests/support/proto_build.h"

#define TRACE_ID SP_SLICE("0123456789abcdef")
#define SPAN_ID  SP_SLICE("01234567")

static struct sp_arena arena;
static struct sp_buf request, group, scope, span, inner, value;
static struct sp_buf *const bufs[] = {&request, &group, &scope, &span, &inner, &value};
static struct sp_error error;
static const struct sp_batch *batch;

static void setup(void)
{
    sp_arena_init(&arena, (size_t)1024 * 1024 * 1024);
    for (size_t i = 0; i < SP_ARRAY_LEN(bufs); i++) {
        sp_buf_init(bufs[i], (size_t)256 * 1024 * 1024);
    }
    batch = NULL;
}

static void teardown(void)
{
    sp_arena_fini(&arena);
    for (size_t i = 0; i < SP_ARRAY_LEN(bufs); i++) {
        sp_buf_fini(bufs[i]);
    }
}

static enum sp_status decode(void)
{
    return sp_otlp_decode(&arena, sp_buf_slice(&request), sp_limits_default(), &batch, &error);
}

static void ids(void)
{
    pb_bytes(&span, 1, TRACE_ID);
    pb_bytes(&span, 2, SPAN_ID);
}

/* The span in `span`, alone in a request. */
static enum sp_status decode_span(void)
{
    sp_buf_reset(&request);
    pb_message(&scope, 2, &span);
    pb_message(&group, 2, &scope);
    pb_message(&request, 1, &group);
    return decode();
}

static const struct sp_span *decoded_span(void)
{
    enum sp_status status = decode_span();
    ck_assert_msg(status == SP_OK, "%s", error.message);
    ck_assert_msg(batch->span_count == 1, "%.*s", SP_SLICE_PRINTF(batch->rejected_reason));
    return &batch->spans[0];
}

static void assert_refused(const char *reason)
{
    enum sp_status status = decode_span();
    ck_assert_msg(status == SP_OK, "%s", error.message);
    ck_assert_uint_eq(batch->span_count, 0);
    ck_assert_uint_eq(batch->rejected_count, 1);
    ck_assert_msg(sp_slice_equal_cstr(batch->rejected_reason, reason), "got: %.*s",
                  SP_SLICE_PRINTF(batch->rejected_reason));
}

static void assert_malformed(const char *message)
{
    ck_assert_int_eq(decode_span(), SP_MALFORMED);
    ck_assert_msg(strcmp(error.message, message) == 0, "got: %s", error.message);
    ck_assert_ptr_null(batch);
}

/* ---- ids ---- */

START_TEST(empty_request_has_no_spans)
{
    ck_assert_int_eq(decode(), SP_OK);
    ck_assert_uint_eq(batch->span_count, 0);
    ck_assert_uint_eq(batch->rejected_count, 0);
}
END_TEST

START_TEST(otlp_decode_rejects_short_trace_id)
{
    pb_bytes(&span, 1, SP_SLICE("0123456789abcde"));
    pb_bytes(&span, 2, SPAN_ID);
    assert_refused("resource_spans[0].scope_spans[0].spans[0]: trace_id has 15 bytes, not 16");
}
END_TEST

START_TEST(otlp_decode_rejects_missing_and_zero_ids)
{
    pb_bytes(&span, 2, SPAN_ID);
    assert_refused("resource_spans[0].scope_spans[0].spans[0]: trace_id has 0 bytes, not 16");
    pb_bytes(&span, 1, SP_SLICE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    pb_bytes(&span, 2, SPAN_ID);
    assert_refused("resource_spans[0].scope_spans[0].spans[0]: trace_id is zero");
    pb_bytes(&span, 1, TRACE_ID);
    pb_bytes(&span, 2, SP_SLICE("\0\0\0\0\0\0\0\0"));
    assert_refused("resource_spans[0].scope_spans[0].spans[0]: span_id is zero");
    pb_bytes(&span, 1, TRACE_ID);
    pb_bytes(&span, 2, SP_SLICE("012345678"));
    assert_refused("resource_spans[0].scope_spans[0].spans[0]: span_id has 9 bytes, not 8");
}
END_TEST

START_TEST(otlp_decode_takes_a_zero_parent_for_none)
{
    ids();
    pb_bytes(&span, 4, SP_SLICE("\0\0\0\0\0\0\0\0"));
    ck_assert(sp_span_id_is_zero(&decoded_span()->parent_span_id));
    ids();
    pb_bytes(&span, 4, SP_SLICE("1234567"));
    assert_refused(
        "resource_spans[0].scope_spans[0].spans[0]: parent_span_id has 7 bytes, not 8 or none");
}
END_TEST

START_TEST(otlp_decode_takes_links_with_zero_ids_but_not_with_wrong_lengths)
{
    ids();
    pb_bytes(&inner, 3, SP_SLICE("state"));
    pb_message(&span, 13, &inner);
    pb_bytes(&inner, 1, SP_SLICE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    pb_message(&span, 13, &inner);
    ck_assert_uint_eq(decoded_span()->link_count, 2);
    ids();
    pb_bytes(&inner, 1, SP_SLICE("short"));
    pb_message(&span, 13, &inner);
    assert_refused("resource_spans[0].scope_spans[0].spans[0].links: trace_id of a link has 5 "
                   "bytes, not 16");
}
END_TEST

START_TEST(one_bad_span_does_not_take_its_neighbours_along)
{
    for (int i = 0; i < 5; i++) {
        pb_bytes(&span, 1, i == 2 || i == 3 ? SP_SLICE("bad") : TRACE_ID);
        pb_bytes(&span, 2, SPAN_ID);
        pb_number(&span, 6, (uint64_t)i);
        pb_message(&scope, 2, &span);
    }
    pb_message(&group, 2, &scope);
    pb_message(&request, 1, &group);
    ck_assert_int_eq(decode(), SP_OK);
    ck_assert_uint_eq(batch->span_count, 3);
    ck_assert_uint_eq(batch->rejected_count, 2);
    ck_assert(sp_slice_equal_cstr(batch->rejected_reason,
                                  "resource_spans[0].scope_spans[0].spans[2]: trace_id has 3 "
                                  "bytes, not 16"));
    ck_assert_int_eq(batch->spans[1].kind, 1);
    ck_assert_int_eq(batch->spans[2].kind, 4);
    ck_assert_ptr_eq(batch->spans[0].resource, batch->spans[2].resource);
}
END_TEST

/* ---- UTF-8 ---- */

#define BAD SP_SLICE("ok\xff")

/* Puts a key-value with these parts into out. */
static void key_value(struct sp_buf *out, uint32_t field, struct sp_slice key, struct sp_slice text)
{
    struct sp_buf any, entry;
    sp_buf_init(&any, 1000);
    sp_buf_init(&entry, 1000);
    pb_bytes(&any, 1, text);
    pb_bytes(&entry, 1, key);
    pb_message(&entry, 2, &any);
    pb_message(out, field, &entry);
    sp_buf_fini(&any);
    sp_buf_fini(&entry);
}

START_TEST(invalid_utf8_refuses_the_span_whatever_the_string)
{
    static const char place[] = "resource_spans[0].scope_spans[0].spans[0]";
    for (int which = 0; which < 8; which++) {
        static const char *const reasons[] = {
            ": name is not valid UTF-8",
            ": trace_state is not valid UTF-8",
            ".attributes: a key is not valid UTF-8",
            ".attributes: a string value is not valid UTF-8",
            ".events: the name of an event is not valid UTF-8",
            ".events: a key is not valid UTF-8",
            ".links: trace_state of a link is not valid UTF-8",
            ".status: the message of status is not valid UTF-8",
        };
        char expected[200];
        snprintf(expected, sizeof(expected), "%s%s", place, reasons[which]);
        ids();
        if (which == 0) {
            pb_bytes(&span, 5, BAD);
        } else if (which == 1) {
            pb_bytes(&span, 3, BAD);
        } else if (which == 2) {
            key_value(&span, 9, BAD, SP_SLICE("v"));
        } else if (which == 3) {
            key_value(&span, 9, SP_SLICE("k"), BAD);
        } else if (which == 4 || which == 5) {
            which == 4 ? pb_bytes(&inner, 2, BAD) : key_value(&inner, 3, BAD, SP_SLICE("v"));
            pb_message(&span, 11, &inner);
        } else if (which == 6) {
            pb_bytes(&inner, 3, BAD);
            pb_message(&span, 13, &inner);
        } else {
            pb_bytes(&inner, 2, BAD);
            pb_message(&span, 15, &inner);
        }
        assert_refused(expected);
    }
}
END_TEST

START_TEST(bytes_values_and_ids_need_not_be_utf8)
{
    pb_bytes(&span, 1,
             SP_SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
    pb_bytes(&span, 2, SPAN_ID);
    pb_bytes(&value, 7, BAD);
    pb_message(&inner, 2, &value);
    pb_message(&span, 9, &inner);
    const struct sp_span *s = decoded_span();
    ck_assert_int_eq(s->attributes.items[0].value.kind, SP_VALUE_BYTES);
}
END_TEST

START_TEST(invalid_utf8_in_a_resource_refuses_all_spans_below_and_no_others)
{
    for (int r = 0; r < 3; r++) {
        for (int i = 0; i < 2; i++) {
            ids();
            pb_message(&scope, 2, &span);
            pb_message(&group, 2, &scope);
        }
        if (r == 1) { /* behind its spans: the order of fields means nothing */
            key_value(&inner, 1, SP_SLICE("k"), BAD);
            pb_message(&group, 1, &inner);
        }
        pb_message(&request, 1, &group);
    }
    ck_assert_int_eq(decode(), SP_OK);
    ck_assert_uint_eq(batch->span_count, 4);
    ck_assert_uint_eq(batch->rejected_count, 2);
    ck_assert_msg(sp_slice_equal_cstr(batch->rejected_reason,
                                      "resource_spans[1].resource: a string value is not valid "
                                      "UTF-8"),
                  "%.*s", SP_SLICE_PRINTF(batch->rejected_reason));
}
END_TEST

/* ---- framing ---- */

START_TEST(broken_framing_refuses_the_whole_request)
{
    ids();
    sp_buf_append(&span, "\x2a\x05xx", 4);
    assert_malformed("resource_spans[0].scope_spans[0].spans[0]: the length of a field reaches "
                     "past the end");
    ck_assert_uint_eq(error.offset, 6 + 18 + 10);
    ids();
    sp_buf_append(&span, "\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12);
    assert_malformed("resource_spans[0].scope_spans[0].spans[0]: a number is cut off or longer "
                     "than ten bytes");
    ids();
    sp_buf_append(&span, "\x00\x01", 2);
    assert_malformed("resource_spans[0].scope_spans[0].spans[0]: a field has the number 0");
    ids();
    sp_buf_append(&span, "\x80\x00\x01", 3);
    assert_malformed("resource_spans[0].scope_spans[0].spans[0]: a field has the number 0");
    ids();
    sp_buf_append(&span, "\xfb\x3f\xfc\x3f", 4);
    assert_malformed("resource_spans[0].scope_spans[0].spans[0]: a field has a wire type that "
                     "OTLP does not use");
    ids();
    sp_buf_append(&span, "\x39\x01", 2);
    assert_malformed("resource_spans[0].scope_spans[0].spans[0]: a number of 64 bits is cut off");
    ids();
    sp_buf_append(&span, "\x85\x01\x01", 3);
    assert_malformed("resource_spans[0].scope_spans[0].spans[0]: a number of 32 bits is cut off");
    ids();
    sp_buf_append(&span, "\x2a\xff\xff\xff\xff\x0f", 6);
    assert_malformed("resource_spans[0].scope_spans[0].spans[0]: the length of a field is not a "
                     "number of 31 bits");
    ids();
    sp_buf_append(&span, "\xff\xff\xff\xff\xff\x01", 6);
    assert_malformed("resource_spans[0].scope_spans[0].spans[0]: the key of a field is not a "
                     "number of 32 bits");
}
END_TEST

START_TEST(known_fields_with_another_wire_type_refuse_the_whole_request)
{
    ids();
    pb_number(&span, 5, 7);
    assert_malformed("resource_spans[0].scope_spans[0].spans[0]: field 5 has the wire type 0");
    ids();
    pb_number(&span, 7, 7);
    assert_malformed("resource_spans[0].scope_spans[0].spans[0]: field 7 has the wire type 0");
    ids();
    pb_number(&value, 1, 7);
    pb_message(&inner, 2, &value);
    pb_message(&span, 9, &inner);
    assert_malformed(
        "resource_spans[0].scope_spans[0].spans[0].attributes: field 1 has the wire type 0");
}
END_TEST

START_TEST(broken_framing_in_a_value_that_is_replaced_is_seen)
{
    ids();
    pb_bytes(&value, 5, SP_SLICE("\x0a\x7f"));
    pb_bytes(&value, 1, SP_SLICE("replaced"));
    pb_message(&inner, 2, &value);
    pb_message(&span, 9, &inner);
    assert_malformed("resource_spans[0].scope_spans[0].spans[0].attributes: the length of a field "
                     "reaches past the end");
}
END_TEST

/* A request with a bit of everything, from the generator's small cousin by hand. */
static void full_request(void)
{
    ids();
    pb_bytes(&span, 5, SP_SLICE("name"));
    pb_fixed64(&span, 7, 1);
    key_value(&span, 9, SP_SLICE("k"), SP_SLICE("v"));
    pb_bytes(&value, 5, SP_SLICE("\x0a\x02\x18\x01\x0a\x00"));
    pb_message(&inner, 2, &value);
    pb_message(&span, 9, &inner);
    pb_fixed64(&inner, 1, 2);
    key_value(&inner, 3, SP_SLICE("k"), SP_SLICE("v"));
    pb_message(&span, 11, &inner);
    pb_bytes(&inner, 1, TRACE_ID);
    pb_message(&span, 13, &inner);
    pb_number(&inner, 3, 2);
    pb_message(&span, 15, &inner);
    pb_fixed32(&span, 16, 3);
    pb_bytes(&inner, 1, SP_SLICE("scope"));
    pb_message(&scope, 1, &inner);
    pb_message(&scope, 2, &span);
    key_value(&inner, 1, SP_SLICE("service.name"), SP_SLICE("s"));
    pb_message(&group, 1, &inner);
    pb_message(&group, 2, &scope);
    pb_bytes(&group, 3, SP_SLICE("url"));
    pb_message(&request, 1, &group);
}

START_TEST(a_request_cut_anywhere_is_malformed)
{
    full_request();
    size_t len = request.len;
    ck_assert_int_eq(decode(), SP_OK);
    for (size_t cut = 1; cut < len; cut++) {
        /* Its own memory, so that a sanitizer sees a read past the end. */
        struct sp_slice copy;
        struct sp_arena own;
        sp_arena_init(&own, 100000);
        ck_assert(sp_arena_copy(&own, sp_slice_make(request.ptr, cut), &copy));
        batch = NULL;
        ck_assert_int_eq(sp_otlp_decode(&own, copy, sp_limits_default(), &batch, &error),
                         SP_MALFORMED);
        ck_assert_ptr_null(batch);
        ck_assert_uint_le(error.offset, cut);
        sp_arena_fini(&own);
    }
}
END_TEST

/* ---- what protobuf says of repeated and unknown fields ---- */

START_TEST(the_last_of_a_repeated_scalar_wins)
{
    pb_bytes(&span, 1, SP_SLICE("bad"));
    ids();
    pb_bytes(&span, 5, SP_SLICE("first"));
    pb_bytes(&span, 5, SP_SLICE("second"));
    pb_number(&span, 6, 2);
    pb_number(&span, 6, 3);
    const struct sp_span *s = decoded_span();
    ck_assert(sp_slice_equal_cstr(s->name, "second"));
    ck_assert_int_eq(s->kind, 3);
}
END_TEST

START_TEST(repeated_singular_messages_are_merged)
{
    ids();
    pb_bytes(&inner, 2, SP_SLICE("first"));
    pb_number(&inner, 3, 2);
    pb_message(&span, 15, &inner);
    pb_bytes(&inner, 2, SP_SLICE("second"));
    pb_message(&span, 15, &inner);
    pb_bytes(&value, 1, SP_SLICE("text"));
    pb_message(&inner, 2, &value);
    pb_number(&value, 3, 42);
    pb_message(&inner, 2, &value);
    pb_message(&span, 9, &inner);
    pb_message(&scope, 2, &span);
    pb_message(&group, 2, &scope);
    for (int i = 0; i < 3; i++) {
        key_value(&inner, 1, SP_SLICE("k"), SP_SLICE("v"));
        pb_number(&inner, 2, (uint64_t)i);
        pb_message(&group, 1, &inner);
    }
    pb_message(&request, 1, &group);
    ck_assert_int_eq(decode(), SP_OK);
    const struct sp_span *s = &batch->spans[0];
    ck_assert(sp_slice_equal_cstr(s->status_message, "second"));
    ck_assert_int_eq(s->status_code, 2);
    ck_assert_int_eq(s->attributes.items[0].value.kind, SP_VALUE_INT);
    ck_assert_int_eq(s->attributes.items[0].value.integer, 42);
    ck_assert_uint_eq(s->resource->attributes.count, 3);
    ck_assert_uint_eq(s->resource->attributes.dropped, 2);
}
END_TEST

START_TEST(the_last_member_of_a_value_wins)
{
    ids();
    pb_bytes(&value, 5, SP_SLICE("\x0a\x02\x18\x01"));
    pb_bytes(&value, 6, SP_SLICE(""));
    pb_bytes(&value, 1, SP_SLICE(""));
    pb_message(&inner, 2, &value);
    pb_message(&span, 9, &inner);
    const struct sp_value *v = &decoded_span()->attributes.items[0].value;
    ck_assert_int_eq(v->kind, SP_VALUE_STRING);
    ck_assert_uint_eq(v->string.len, 0);
}
END_TEST

START_TEST(numbers_are_cut_to_their_width)
{
    ids();
    pb_number(&span, 6, UINT64_MAX);                         /* int32 -1, as ten bytes */
    pb_number(&span, 10, 0x100000007);                       /* uint32 */
    sp_buf_append(&span, "\x60\x87\x80\x80\x80\x80\x00", 7); /* longer than needed */
    const struct sp_span *s = decoded_span();
    ck_assert_int_eq(s->kind, -1);
    ck_assert_uint_eq(s->attributes.dropped, 7);
    ck_assert_uint_eq(s->dropped_events, 7);
}
END_TEST

START_TEST(unknown_fields_are_kept_in_order_where_they_stood)
{
    sp_buf_append(&span, "\xf8\x3f\x01", 3);
    ids();
    sp_buf_append(&span, "\xf8\x3f\x02", 3);
    pb_bytes(&span, 5, SP_SLICE("name"));
    sp_buf_append(&span, "\xf8\x3f\x03\xfa\x3f\x01z", 7);
    pb_number(&inner, 99, 1);
    pb_message(&span, 15, &inner);
    const struct sp_span *s = decoded_span();
    ck_assert(
        sp_slice_equal(s->residue, SP_SLICE("\xf8\x3f\x01\xf8\x3f\x02\xf8\x3f\x03\xfa\x3f\x01z")));
    ck_assert(sp_slice_equal(s->status_residue, SP_SLICE("\x98\x06\x01")));
}
END_TEST

START_TEST(every_kind_of_value_is_read)
{
    ids();
    pb_bytes(&value, 1, SP_SLICE("s"));
    pb_message(&inner, 2, &value);
    pb_message(&span, 9, &inner);
    pb_number(&value, 2, 1);
    pb_message(&inner, 2, &value);
    pb_message(&span, 9, &inner);
    pb_number(&value, 3, (uint64_t)-5);
    pb_message(&inner, 2, &value);
    pb_message(&span, 9, &inner);
    pb_fixed64(&value, 4, 0x4004000000000000);
    pb_message(&inner, 2, &value);
    pb_message(&span, 9, &inner);
    pb_bytes(&value, 5, SP_SLICE("\x0a\x02\x18\x01\x0a\x02\x2a\x00"));
    pb_message(&inner, 2, &value);
    pb_message(&span, 9, &inner);
    pb_bytes(&value, 6, SP_SLICE("\x0a\x03\x0a\x01k"));
    pb_message(&inner, 2, &value);
    pb_message(&span, 9, &inner);
    pb_bytes(&value, 7, SP_SLICE(""));
    pb_message(&inner, 2, &value);
    pb_message(&span, 9, &inner);
    pb_message(&span, 9, &inner); /* no key, no value */
    const struct sp_span *s = decoded_span();
    ck_assert_uint_eq(s->attributes.count, 8);
    const struct sp_attribute *a = s->attributes.items;
    ck_assert(a[1].value.kind == SP_VALUE_BOOL && a[1].value.boolean);
    ck_assert(a[2].value.kind == SP_VALUE_INT && a[2].value.integer == -5);
    ck_assert(a[3].value.kind == SP_VALUE_DOUBLE && a[3].value.number == 2.5);
    ck_assert(a[4].value.kind == SP_VALUE_ARRAY && a[4].value.count == 2);
    ck_assert(a[4].value.items[0].integer == 1 && a[4].value.items[1].kind == SP_VALUE_ARRAY);
    ck_assert(a[5].value.kind == SP_VALUE_KVLIST && a[5].value.count == 1);
    ck_assert(a[5].value.entries[0].value.kind == SP_VALUE_EMPTY);
    ck_assert(a[6].value.kind == SP_VALUE_BYTES && a[6].value.string.len == 0);
    ck_assert(a[7].value.kind == SP_VALUE_EMPTY && a[7].key.len == 0);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("decode");
    TCase *tc = tcase_create("decode");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, empty_request_has_no_spans);
    tcase_add_test(tc, otlp_decode_rejects_short_trace_id);
    tcase_add_test(tc, otlp_decode_rejects_missing_and_zero_ids);
    tcase_add_test(tc, otlp_decode_takes_a_zero_parent_for_none);
    tcase_add_test(tc, otlp_decode_takes_links_with_zero_ids_but_not_with_wrong_lengths);
    tcase_add_test(tc, one_bad_span_does_not_take_its_neighbours_along);
    tcase_add_test(tc, invalid_utf8_refuses_the_span_whatever_the_string);
    tcase_add_test(tc, bytes_values_and_ids_need_not_be_utf8);
    tcase_add_test(tc, invalid_utf8_in_a_resource_refuses_all_spans_below_and_no_others);
    tcase_add_test(tc, broken_framing_refuses_the_whole_request);
    tcase_add_test(tc, known_fields_with_another_wire_type_refuse_the_whole_request);
    tcase_add_test(tc, broken_framing_in_a_value_that_is_replaced_is_seen);
    tcase_add_test(tc, a_request_cut_anywhere_is_malformed);
    tcase_add_test(tc, the_last_of_a_repeated_scalar_wins);
    tcase_add_test(tc, repeated_singular_messages_are_merged);
    tcase_add_test(tc, the_last_member_of_a_value_wins);
    tcase_add_test(tc, numbers_are_cut_to_their_width);
    tcase_add_test(tc, unknown_fields_are_kept_in_order_where_they_stood);
    tcase_add_test(tc, every_kind_of_value_is_read);
    suite_add_tcase(suite, tc);
    return suite;
}
