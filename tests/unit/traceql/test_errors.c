/* SPDX-License-Identifier: Apache-2.0
 *
 * What is no query: where it went wrong, and what the message says. */
#include "lib/traceql/traceql.h"
#include "tests/support/check_main.h"

#define ARENA_BYTES ((size_t)64 << 20)

static const struct refused {
    const char *text;
    uint64_t offset;
    const char *message;
} refused[] = {
    {"true", 0,
     "expected { }, ( ), an aggregate like count(), by(), select(), coalesce() or a metric like "
     "rate(), found true"},
    {"( true )", 2,
     "expected { }, ( ), an aggregate like count(), by(), select(), coalesce() or a metric like "
     "rate(), found true"},
    {"{", 1, "expected a field or a value, found the end of the query"},
    {"{ .a", 4, "expected an operator or }, found the end of the query"},
    {"{ .a = }", 7, "expected a field or a value, found }"},
    {"{ = 1 }", 2, "expected a field or a value, found ="},
    {"{ .a == 1 }", 6, "expected a field or a value, found ="},
    {"{ .a = 1 } }", 11, "expected | and a stage, an operator, or the end of the query, found }"},
    {"{ .a = 1 )", 9, "expected an operator or }, found )"},
    {"({ .a }", 7, "expected | and a stage, an operator, or ), found the end of the query"},
    {"{ . }", 3, "expected the name of an attribute"},
    {"{ span. = 1 }", 7, "expected the name of an attribute"},
    {"{ .a = \"x }", 7, "this text has no end: expected \""},
    {"{ .a = \"\\q\" }", 8,
     "not an escape: expected \\\" \\\\ \\n \\t \\r \\xhh \\uhhhh or \\Uhhhhhhhh"},
    {"{ .\"x = 1 }", 3, "this attribute name has no end: expected \""},
    {"{ .\"\\n\" = 1 }", 4, "not an escape: expected \\\" or \\\\"},
    {"{ .a = `x }", 7, "this text has no end: expected `"},
    {"{ cart = 1 }", 2,
     "cart is not known: expected .cart for an attribute, \"cart\" for text, or a field like name, "
     "duration, status, kind, service"},
    {"{ service = cart }", 12,
     "cart is not known: expected .cart for an attribute, \"cart\" for text, or a field like name, "
     "duration, status, kind, service"},
    {"{ service.name = `cart` }", 2,
     "service.name is not known: expected .service.name for an attribute, \"service.name\" for "
     "text, or a field like name, duration, status, kind, service"},
    {"{ .a = 1 && http.\xc3\xa9tat-1>=500 }", 12,
     "http.\xc3\xa9tat-1 is not known: expected .http.\xc3\xa9tat-1 for an attribute, "
     "\"http.\xc3\xa9tat-1\" for text, or a field like name, duration, status, kind, service"},
    {"{ name. }", 2,
     "name. is not known: expected .name. for an attribute, \"name.\" for text, or a field like "
     "name, duration, status, kind, service"},
    {"{ } within 5s", 4, "expected A without B in front of within"},
    {"{ } without { } > { } within 5s", 22, "expected A without B in front of within"},
    {"{ } without { } within 5", 23, "expected a duration like 5s behind within, found 5"},
    {"{ } without", 11,
     "expected { }, ( ), a number or an aggregate like count(), found the end of the query"},
    {"{ } without count() > 1", 4,
     "without cannot be applied to set of spans and integer: expected { } or a pipeline in ( ) on "
     "each side"},
    {"{ } repeated 1", 13, "expected a whole number of at least 2 behind repeated, found 1"},
    {"{ } repeated", 12,
     "expected a whole number of at least 2 behind repeated, found the end of the query"},
    {"count() repeated 2 > 1", 8, "expected { } or a pipeline in ( ) in front of repeated"},
    {"{ } | by(name) repeated 2", 15, "expected { } or a pipeline in ( ) in front of repeated"},
    {"{ .a = 'x' }", 7, "this character has no meaning here: expected \" or ` around text"},
    {"{ .a = 12x }", 9, "expected the end of the number, or a unit: ns us ms s m h d w y"},
    {"{ duration > 5parsecs }", 14,
     "expected the end of the number, or a unit: ns us ms s m h d w y"},
    {"{ duration > 1h5 }", 16, "expected a unit: ns us ms s m h d w y"},
    {"{ .a = 99999999999999999999 }", 7, "this number is out of range: expected a 64-bit integer"},
    {"{ .a = 1e999 }", 7, "this number is out of range: expected a 64-bit float"},
    {"{ duration > 300y }", 13, "this duration is too long: expected less than 292 years"},
    {"{ span:status = nil }", 14, "status is never nil"},
    {"{ name = nil }", 7, "name is never nil: expected \"\" for what is empty"},
    {"{ nil = statusMessage }", 6, "statusMessage is never nil: expected \"\" for what is empty"},
    {"{ instrumentation:name = nil }", 23,
     "instrumentation:name is never nil: expected \"\" for what is empty"},
    {"{ instrumentation:version = nil }", 26,
     "instrumentation:version is never nil: expected \"\" for what is empty"},
    {"{ 1 = nil }", 2, "only a field can be nil: expected one, as .key = nil"},
    {"{ nil }", 2, "nil can only be compared: expected = or !="},
    {"{ .a > nil }", 7, "nil can only be compared: expected = or !="},
    {"{ !nil }", 3, "nil can only be compared: expected = or !="},
    {"{ status }", 2, "expected a condition between { and }, found status: compare it"},
    {"{ \"text\" }", 2, "expected a condition between { and }, found string: compare it"},
    {"{ 1 + 1 }", 4, "expected a condition between { and }, found integer: compare it"},
    {"{ parent }", 2, "expected a condition between { and }, found span: compare it"},
    {"{ parent = 1 }", 9, "= cannot be applied to span and integer: expected nil"},
    {"{ 1 = \"x\" }", 4,
     "= cannot be applied to integer and string: expected a number or a duration"},
    {"{ name = 1 }", 7, "= cannot be applied to string and integer: expected text in quotes"},
    {"{ name > 1 }", 7, "> cannot be applied to string and integer: expected text in quotes"},
    {"{ status > ok }", 9, "> cannot be applied to status and status: expected = or !="},
    {"{ kind = ok }", 7,
     "= cannot be applied to kind and status: expected server, client, producer, consumer, "
     "internal or unspecified"},
    {"{ duration = \"1s\" }", 11,
     "= cannot be applied to duration and string: expected a duration, as 10ms, or a number of "
     "nanoseconds"},
    {"{ 1 + \"x\" = 1 }", 4,
     "+ cannot be applied to integer and string: expected numbers or durations on both sides"},
    {"{ -\"x\" = 1 }", 2, "- cannot be applied to string: expected a number or a duration"},
    {"{ !1 }", 2, "! cannot be applied to integer: expected a condition"},
    {"{ !name = \"x\" }", 2, "! cannot be applied to string: expected a condition"},
    {"{ .a && 1 }", 5,
     "&& cannot be applied to attribute and integer: expected conditions on both sides"},
    {"{ name =~ 1 }", 10, "expected a regular expression in quotes behind =~"},
    {"{ name =~ .b }", 10, "expected a regular expression in quotes behind =~"},
    {"{ name =~ \"[\" }", 10, "the regular expression is not valid: this [ has no ]"},
    {"{ name =~ \"a(?=b)\" }", 10,
     "the regular expression is not valid: this kind of group is not supported: expected (?:...), "
     "(?P<name>...) or flags i m s U like (?i)"},
    {"{ name =~ \"(a)\\\\1\" }", 10,
     "the regular expression is not valid: back references are not supported"},
    {"{ duration =~ \"1\" }", 11,
     "=~ cannot be applied to duration and string: expected text or an attribute in front of it"},
    {"{ trace.foo = 1 }", 2,
     "a trace has no attributes: expected trace:duration, trace:rootName, trace:rootService or "
     "trace:id"},
    {"{ span:nope = 1 }", 2,
     "\"span:nope\" is not known: expected span:duration, trace:rootName, event:name, link:traceID "
     "or another intrinsic field"},
    {"{ trace:name = 1 }", 2,
     "\"trace:name\" is not known: expected span:duration, trace:rootName, event:name, "
     "link:traceID or another intrinsic field"},
    {"{ .a >> .b }", 5,
     "expected an operator on values, found one on sets of spans: it stands between { } and { }"},
    {"{ .a /* }", 5, "this comment has no end: expected */"},
    {"{ .a } + { .b }", 7,
     "+ cannot be applied to set of spans and set of spans: expected numbers or durations on both "
     "sides"},
    {"{ .a } = { .b }", 7,
     "= cannot be applied to set of spans and set of spans: expected numbers made of spans, as "
     "count(), on both sides"},
    {"{ .a } >= { .b }", 7,
     ">= cannot be applied to set of spans and set of spans: expected numbers made of spans, as "
     "count(), on both sides"},
    {"{ .a } && count() > 1", 7, "expected { } or a pipeline in ( ) on each side of &&"},
    {"{ .a } | count()", 16, "expected a comparison behind count()"},
    {"{ .a } | count() | { .b }", 19, "expected a comparison in front of this stage"},
    {"{ .a } | 2 > 1", 11,
     "expected count(), max() or another aggregate on one side, found constants only"},
    {"{ .a } | nope() > 1", 9,
     "expected { }, ( ), an aggregate like count(), by(), select(), coalesce() or a metric like "
     "rate(), found nope"},
    {"{ .a } | count", 14,
     "expected ( behind the name of an aggregate, found the end of the query"},
    {"{ .a } | count( > 1", 16, "expected ) behind count(, found >"},
    {"{ .a } | max() > 1", 13, "expected a field or a value, found )"},
    {"{ .a } | max(name) > 1", 13, "expected numbers or durations in max(), found string"},
    {"{ .a } | max(3) > 1", 13, "max() needs a field of the span, found a constant"},
    {"{ .a } | max(.x) > \"a\"", 19,
     "expected { }, ( ), a number or an aggregate like count(), found \"a\""},
    {"{ .a } | max(.x) =~ \"a\"", 20,
     "expected { }, ( ), a number or an aggregate like count(), found \"a\""},
    {"{ .a } | by(1)", 12, "by() needs a field of the span, found a constant"},
    {"{ .a } | by()", 12, "expected a field or a value, found )"},
    {"{ .a } | select()", 16,
     "expected a field (duration, span.name, resource.name, ...), found )"},
    {"{ .a } | select(1)", 16,
     "expected a field (duration, span.name, resource.name, ...), found 1"},
    {"{ .a } | select(.a .b)", 19, "expected , or ), found .b"},
    {"coalesce()", 0, "expected a stage in front of coalesce()"},
    {"rate()", 0, "expected spans in front of rate(): { } | rate()"},
    {"{ } | topk(3)", 6, "topk() needs a metric in front of it: { } | rate()"},
    {"{ } | rate() | topk(0)", 20, "expected a whole number of at least 1, found 0"},
    {"{ } | rate() | topk(x)", 20, "expected a whole number of at least 1, found x"},
    {"{ } | rate() | { .a }", 15,
     "expected topk(), bottomk() or a comparison behind a metric, found { }"},
    {"{ } | rate() | rate()", 15,
     "expected topk(), bottomk() or a comparison behind a metric, found rate()"},
    {"{ } | rate() + 5", 13,
     "expected | , a comparison, ( ) around the metric, or the end, found +"},
    {"{ } | rate() > \"x\"", 15,
     "expected a number or a duration to compare the metric with, found \"x\""},
    {"{ } | rate() == 5", 14,
     "expected a number or a duration to compare the metric with, found ="},
    {"{ } | rate() > ", 15,
     "expected a number or a duration to compare the metric with, found the end of the query"},
    {"{ } | rate() = nil", 15,
     "expected a number or a duration to compare the metric with, found nil"},
    {"({ } | rate()) < -", 18,
     "expected a number or a duration to compare the metric with, found the end of the query"},
    {"{ } | rate() by (name, .a, span:name)", 27,
     "expected each field once: this one stands here already"},
    {"{ } | rate() by (parent.a, .a, parent.a)", 31,
     "expected each field once: this one stands here already"},
    {"{ } | max_over_time()", 20,
     "expected a field (duration, span.name, resource.name, ...), found )"},
    {"{ } | max_over_time(name)", 20,
     "expected numbers or durations in max_over_time(), found string"},
    {"{ } | quantile_over_time(duration)", 33, "expected , and quantiles between 0 and 1, found )"},
    {"{ } | quantile_over_time(duration, .9, .5, 0.90)", 43,
     "expected each quantile once, found 0.90"},
    {"{ } | quantile_over_time(duration, 2)", 33, "expected quantiles between 0 and 1"},
    {"{ } | compare()", 14, "expected { behind compare(, found )"},
    {"{ } | compare({ }, 1, 2)", 23,
     "expected compare({ }), compare({ }, n) or compare({ }, n, start, end), found )"},
    {"{ } | compare({ }) | topk(3)", 21,
     "topk() cannot be applied to compare(): expected a metric of one number, as rate()"},
    {"{ } | compare({ }) > 3", 19,
     "> cannot be applied to compare(): expected a metric of one number, as rate()"},
    {"({ } | rate()) % 2", 15, "expected + - * or / between metrics, found %"},
    {"({ } | rate()) + 10s", 15,
     "+ cannot be applied to metric and duration: expected a metric in ( ) or a number on each "
     "side"},
    {"({ } | rate()) > 10s * 2", 21, "durations cannot be combined here: write the result"},
    {"({ } | rate()) + { }", 15,
     "+ cannot be applied to metric and set of spans: expected a metric in ( ) or a number on each "
     "side"},
    {"5 + { } | rate()", 2,
     "+ cannot be applied to integer and set of spans: expected numbers or durations on both "
     "sides"},
    {"({ } | compare({ })) + 1", 21,
     "+ cannot be applied to compare(): expected a metric of one number, as rate()"},
    {"{ } with", 8, "expected ( behind with, found the end of the query"},
    {"{ } with ()", 10, "expected the name of a hint, found )"},
    {"{ } with (a)", 11, "expected = behind the name of a hint, found )"},
    {"{ } with (a = )", 14, "expected a value, found )"},
    {"{ } with (a = 1", 15, "expected , or ), found the end of the query"},
    {"{ } with (a = 1) x", 17, "expected the end of the query, found x"},
    {"{ } | by(.a) > 2", 13, "expected | and a stage, or the end, found >"},
    {"{ .a } { .b }", 7, "expected | and a stage, an operator, or the end of the query, found {"},
    {"{ .a } |", 8,
     "expected { }, ( ), a number or an aggregate like count(), found the end of the query"},
    {"| { .a }", 0, "expected { }, ( ), a number or an aggregate like count(), found |"},
    {"{ .a } $ { .b }", 7,
     "this character has no meaning here: expected a value, a field, an operator or a bracket"},
    {"\"text\"", 0, "expected { }, ( ), a number or an aggregate like count(), found \"text\""},
    {"2 * 3", 5, "expected a comparison behind the number"},
    {"{ .a = 1 } garbage", 11,
     "expected | and a stage, an operator, or the end of the query, found garbage"},
};

START_TEST(error_names_the_place_and_what_was_expected)
{
    const struct refused *expected = &refused[_i];
    struct sp_arena arena;
    struct sp_error error = {0};
    const struct sp_traceql_query *query = NULL;
    sp_arena_init(&arena, ARENA_BYTES);
    enum sp_status status = sp_traceql_parse(&arena, sp_slice_cstr(expected->text), &query, &error);
    ck_assert_msg(status == SP_INVALID_ARGUMENT, "%s was taken", expected->text);
    ck_assert_msg(strcmp(error.message, expected->message) == 0, "%s\nexpected %s\ngot      %s",
                  expected->text, expected->message, error.message);
    ck_assert_msg(error.offset == expected->offset, "%s: expected %lu, got %lu", expected->text,
                  (unsigned long)expected->offset, (unsigned long)error.offset);
    ck_assert_ptr_null(query);
    sp_arena_fini(&arena);
}
END_TEST

static enum sp_status parse_built(struct sp_buf *text, struct sp_error *error)
{
    struct sp_arena arena;
    const struct sp_traceql_query *query;
    sp_arena_init(&arena, ARENA_BYTES);
    enum sp_status status = sp_traceql_parse(&arena, sp_buf_slice(text), &query, error);
    sp_arena_fini(&arena);
    return status;
}

/* count times front, middle, count times back. */
static enum sp_status parse_nested(const char *front, const char *middle, const char *back,
                                   uint32_t count)
{
    struct sp_buf text;
    struct sp_error error = {0};
    sp_buf_init(&text, 1 << 20);
    for (uint32_t i = 0; i < count; i++)
        sp_buf_append_cstr(&text, front);
    sp_buf_append_cstr(&text, middle);
    for (uint32_t i = 0; i < count; i++)
        sp_buf_append_cstr(&text, back);
    enum sp_status status = parse_built(&text, &error);
    if (status != SP_OK)
        ck_assert_uint_le(error.offset, text.len);
    sp_buf_fini(&text);
    return status;
}

static const struct {
    const char *front, *middle, *back;
} nestings[] = {
    {"(", "{ }", ")"},
    {"({ } | ", "{ }", ")"},
    {"", "{ .a } > { .a }", " > { .a }"},
    {"", "1 < count()", " + count()"},
};

START_TEST(nesting_has_a_limit_and_is_no_recursion)
{
    ck_assert_int_eq(parse_nested(nestings[_i].front, nestings[_i].middle, nestings[_i].back, 20),
                     SP_OK);
    ck_assert_int_eq(parse_nested(nestings[_i].front, nestings[_i].middle, nestings[_i].back,
                                  SP_TRACEQL_DEPTH_MAX + 1),
                     SP_LIMIT);
    ck_assert_int_eq(parse_nested(nestings[_i].front, nestings[_i].middle, nestings[_i].back, 5000),
                     SP_LIMIT);
}
END_TEST

START_TEST(brackets_signs_and_comparisons_in_a_condition_have_a_limit)
{
    struct sp_buf text;
    struct sp_error error = {0};
    static const char *const pieces[] = {"(", "!", "-", "1 = (", "1 + "};
    sp_buf_init(&text, 1 << 20);
    for (size_t piece = 0; piece < SP_ARRAY_LEN(pieces); piece++) {
        sp_buf_reset(&text);
        sp_buf_append_cstr(&text, "{ ");
        for (int i = 0; i < 10000; i++)
            sp_buf_append_cstr(&text, pieces[piece]);
        sp_buf_append_cstr(&text, ".a");
        sp_buf_append_cstr(&text, " }");
        ck_assert_int_eq(parse_built(&text, &error), SP_LIMIT);
    }
    sp_buf_fini(&text);
}
END_TEST

START_TEST(a_query_that_is_too_long_is_refused)
{
    struct sp_buf text;
    struct sp_error error = {0};
    sp_buf_init(&text, 1 << 20);
    sp_buf_append_cstr(&text, "{ }");
    while (text.len < SP_TRACEQL_QUERY_BYTES_MAX)
        sp_buf_append_byte(&text, ' ');
    ck_assert_int_eq(parse_built(&text, &error), SP_OK);
    sp_buf_append_byte(&text, ' ');
    ck_assert_int_eq(parse_built(&text, &error), SP_LIMIT);
    ck_assert_uint_eq(error.offset, SP_TRACEQL_QUERY_BYTES_MAX);
    sp_buf_fini(&text);
}
END_TEST

START_TEST(text_that_is_not_utf8_is_refused_with_the_place)
{
    struct sp_arena arena;
    struct sp_error error = {0};
    const struct sp_traceql_query *query;
    sp_arena_init(&arena, ARENA_BYTES);
    ck_assert_int_eq(sp_traceql_parse(&arena, SP_SLICE("{ .a = \"\xff\" }"), &query, &error),
                     SP_INVALID_ARGUMENT);
    ck_assert_uint_eq(error.offset, 8);
    ck_assert_int_eq(sp_traceql_parse(&arena, SP_SLICE("{ \0 }"), &query, &error),
                     SP_INVALID_ARGUMENT);
    ck_assert_uint_eq(error.offset, 2);
    sp_arena_fini(&arena);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("traceql_errors");
    TCase *tcase = tcase_create("errors");
    tcase_add_loop_test(tcase, error_names_the_place_and_what_was_expected, 0,
                        (int)SP_ARRAY_LEN(refused));
    tcase_add_loop_test(tcase, nesting_has_a_limit_and_is_no_recursion, 0,
                        (int)SP_ARRAY_LEN(nestings));
    tcase_add_test(tcase, brackets_signs_and_comparisons_in_a_condition_have_a_limit);
    tcase_add_test(tcase, a_query_that_is_too_long_is_refused);
    tcase_add_test(tcase, text_that_is_not_utf8_is_refused_with_the_place);
    suite_add_tcase(suite, tcase);
    return suite;
}
