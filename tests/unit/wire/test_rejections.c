/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of lib/wire: each refused span is counted under one reason, the same in protobuf and in JSON. Every combination of faults
 * that a span can have is a span of one request, written in both. */
#include "lib/wire/wire.h"
#include "tests/support/check_main.h"
#include "tests/support/proto_build.h"

#define NOT_UTF8 SP_SLICE("caf\xe9")

enum id_fault { ID_GOOD, ID_SHORT, ID_ABSENT, ID_ZERO, ID_FAULT_COUNT };

struct faults {
    enum id_fault trace_id, span_id;
    bool parent, link, text;
};

#define COMBINATIONS (ID_FAULT_COUNT * ID_FAULT_COUNT * 2 * 2 * 2)

static struct faults faults_of(unsigned number)
{
    return (struct faults){.trace_id = number % ID_FAULT_COUNT,
                           .span_id = number / ID_FAULT_COUNT % ID_FAULT_COUNT,
                           .parent = number / 16 % 2,
                           .link = number / 32 % 2,
                           .text = number / 64};
}

static enum sp_rejection id_rejection(enum id_fault fault, enum sp_rejection invalid,
                                      enum sp_rejection missing)
{
    return fault == ID_GOOD ? SP_REJECTION_COUNT : fault == ID_SHORT ? invalid : missing;
}

/* By the order of SP_REJECTIONS; SP_REJECTION_COUNT: it is taken. */
static enum sp_rejection rejection_of(struct faults faults)
{
    const enum sp_rejection found[] = {
        id_rejection(faults.trace_id, SP_REJECTED_TRACE_ID_INVALID, SP_REJECTED_TRACE_ID_MISSING),
        id_rejection(faults.span_id, SP_REJECTED_SPAN_ID_INVALID, SP_REJECTED_SPAN_ID_MISSING),
        faults.parent ? SP_REJECTED_PARENT_SPAN_ID_INVALID : SP_REJECTION_COUNT,
        faults.link ? SP_REJECTED_LINK_ID_INVALID : SP_REJECTION_COUNT,
        faults.text ? SP_REJECTED_SPAN_NOT_UTF8 : SP_REJECTION_COUNT,
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(found); i++)
        if (found[i] != SP_REJECTION_COUNT)
            return found[i];
    return SP_REJECTION_COUNT;
}

static struct sp_slice id_bytes(enum id_fault fault, size_t len)
{
    static const uint8_t good[16] = "0123456789abcdef", zero[16];
    return sp_slice_make(fault == ID_ZERO ? zero : good, fault == ID_SHORT    ? len - 1
                                                         : fault == ID_ABSENT ? 0
                                                                              : len);
}

/* ---- one span in both encodings ---- */

static void protobuf_id(struct sp_buf *out, uint32_t field, struct sp_slice id)
{
    if (id.len > 0)
        pb_bytes(out, field, id);
}

static void protobuf_span(struct sp_buf *out, struct faults faults)
{
    struct sp_buf span, link;
    sp_buf_init(&span, 4096);
    sp_buf_init(&link, 4096);
    if (faults.link) /* in front of the ids: the order of fields means nothing */
        pb_bytes(&link, 2, SP_SLICE("short"));
    pb_message(&span, 13, &link);
    pb_bytes(&span, 5, faults.text ? NOT_UTF8 : SP_SLICE("name"));
    protobuf_id(&span, 1, id_bytes(faults.trace_id, SP_TRACE_ID_BYTES));
    protobuf_id(&span, 2, id_bytes(faults.span_id, SP_SPAN_ID_BYTES));
    protobuf_id(&span, 4, id_bytes(faults.parent ? ID_SHORT : ID_ABSENT, SP_SPAN_ID_BYTES));
    pb_message(out, 2, &span);
    sp_buf_fini(&span);
    sp_buf_fini(&link);
}

static void json_id(struct sp_json_writer *w, const char *key, struct sp_slice id)
{
    char text[2 * SP_TRACE_ID_BYTES + 1];
    if (id.len == 0)
        return;
    sp_hex_encode(id, text);
    sp_json_key(w, key);
    sp_json_string(w, sp_slice_make((const uint8_t *)text, 2 * id.len));
}

static void json_span(struct sp_json_writer *w, struct faults faults)
{
    sp_json_object_begin(w);
    sp_json_key(w, "links");
    sp_json_array_begin(w);
    sp_json_object_begin(w);
    json_id(w, "spanId", id_bytes(faults.link ? ID_SHORT : ID_ABSENT, SP_SPAN_ID_BYTES));
    sp_json_object_end(w);
    sp_json_array_end(w);
    json_id(w, "parentSpanId", id_bytes(faults.parent ? ID_SHORT : ID_ABSENT, SP_SPAN_ID_BYTES));
    json_id(w, "spanId", id_bytes(faults.span_id, SP_SPAN_ID_BYTES));
    json_id(w, "traceId", id_bytes(faults.trace_id, SP_TRACE_ID_BYTES));
    sp_json_object_end(w);
}

/* ---- requests ---- */

static struct sp_arena arena;
static struct sp_buf request;

static void setup(void)
{
    sp_arena_init(&arena, (size_t)64 << 20);
    sp_buf_init(&request, (size_t)1 << 20);
}

static void teardown(void)
{
    sp_buf_fini(&request);
    sp_arena_fini(&arena);
}

/* Spans of the first count combinations, in one scope of one resource, each with a name that may be no UTF-8. */
static void protobuf_group(unsigned count, struct sp_slice resource, struct sp_slice scope)
{
    struct sp_buf group, spans, inner;
    sp_buf_init(&group, (size_t)1 << 20);
    sp_buf_init(&spans, (size_t)1 << 20);
    sp_buf_init(&inner, 4096);
    for (unsigned i = 0; i < count; i++)
        protobuf_span(&spans, faults_of(i));
    pb_bytes(&inner, 1, scope);
    pb_message(&spans, 1, &inner);
    pb_message(&group, 2, &spans);
    pb_bytes(&group, 3, resource); /* its schema_url */
    pb_message(&request, 1, &group);
    sp_buf_fini(&group);
    sp_buf_fini(&spans);
    sp_buf_fini(&inner);
}

static void json_request(unsigned count)
{
    struct sp_json_writer w;
    sp_json_writer_init(&w, &request);
    sp_buf_append_cstr(&request, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":");
    sp_json_array_begin(&w);
    for (unsigned i = 0; i < count; i++)
        json_span(&w, faults_of(i));
    sp_json_array_end(&w);
    sp_buf_append_cstr(&request, "}]}]}");
}

static const struct sp_batch *decode(enum sp_wire_format format)
{
    const struct sp_batch *batch = NULL;
    struct sp_error error;
    enum sp_status status = (format == SP_WIRE_JSON ? sp_otlp_json_decode : sp_otlp_decode)(
        &arena, sp_buf_slice(&request), sp_limits_default(), &batch, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    return batch;
}

static void assert_counts(const struct sp_batch *batch, const uint64_t *expected, uint64_t taken)
{
    uint64_t sum = 0;
    for (int i = 0; i < SP_REJECTION_COUNT; i++) {
        ck_assert_msg(batch->rejected[i] == expected[i], "%s: %llu, not %llu",
                      sp_rejection_name((enum sp_rejection)i),
                      (unsigned long long)batch->rejected[i], (unsigned long long)expected[i]);
        sum += batch->rejected[i];
    }
    ck_assert_uint_eq(sum, batch->rejected_count);
    ck_assert_uint_eq(batch->span_count, taken);
}

/* Of the first count combinations. */
static uint64_t expect(unsigned count, uint64_t expected[SP_REJECTION_COUNT + 1])
{
    for (unsigned i = 0; i < count; i++)
        expected[rejection_of(faults_of(i))]++;
    return expected[SP_REJECTION_COUNT];
}

START_TEST(every_rejected_span_of_protobuf_has_one_reason)
{
    uint64_t expected[SP_REJECTION_COUNT + 1] = {0};
    protobuf_group(COMBINATIONS, NOT_UTF8, NOT_UTF8);
    protobuf_group(COMBINATIONS, SP_SLICE("r"), NOT_UTF8);
    protobuf_group(COMBINATIONS, SP_SLICE("r"), SP_SLICE("s"));
    expected[SP_REJECTED_RESOURCE_NOT_UTF8] = expected[SP_REJECTED_SCOPE_NOT_UTF8] = COMBINATIONS;
    uint64_t taken = expect(COMBINATIONS, expected);
    ck_assert_uint_eq(taken, 1);
    for (int i = 0; i < SP_REJECTION_COUNT; i++)
        ck_assert_msg(expected[i] > 0, "%s", sp_rejection_name((enum sp_rejection)i));
    assert_counts(decode(SP_WIRE_PROTOBUF), expected, taken);
}
END_TEST

/* A text that is not UTF-8 makes it no JSON at all, so that is not among them. */
START_TEST(every_rejected_span_of_json_has_the_reason_it_has_in_protobuf)
{
    uint64_t expected[SP_REJECTION_COUNT + 1] = {0};
    unsigned count = COMBINATIONS / 2;
    uint64_t taken = expect(count, expected);
    json_request(count);
    assert_counts(decode(SP_WIRE_JSON), expected, taken);
    sp_buf_reset(&request);
    protobuf_group(count, SP_SLICE("r"), SP_SLICE("s"));
    assert_counts(decode(SP_WIRE_PROTOBUF), expected, taken);
}
END_TEST

START_TEST(an_id_that_is_no_hex_is_invalid_and_an_empty_one_missing)
{
    static const struct {
        const char *members;
        enum sp_rejection rejection;
    } cases[] = {
        {"\"traceId\":\"0123456789abcdeffedcba987654321x\",\"spanId\":\"0123456789abcdef\"",
         SP_REJECTED_TRACE_ID_INVALID},
        {"\"traceId\":\"\",\"spanId\":\"x\"", SP_REJECTED_TRACE_ID_MISSING},
        {"\"traceId\":\"0123456789abcdeffedcba9876543210\",\"spanId\":null",
         SP_REJECTED_SPAN_ID_MISSING},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        uint64_t expected[SP_REJECTION_COUNT] = {0};
        sp_buf_reset(&request);
        sp_buf_printf(&request, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{%s}]}]}]}",
                      cases[i].members);
        expected[cases[i].rejection] = 1;
        assert_counts(decode(SP_WIRE_JSON), expected, 0);
    }
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("rejections");
    TCase *tc = tcase_create("rejections");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_rejected_span_of_protobuf_has_one_reason);
    tcase_add_test(tc, every_rejected_span_of_json_has_the_reason_it_has_in_protobuf);
    tcase_add_test(tc, an_id_that_is_no_hex_is_invalid_and_an_empty_one_missing);
    suite_add_tcase(suite, tc);
    return suite;
}
