/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of lib/model: equality, copies, walks, ids and names. */
#include "lib/model/model.h"
#include "tests/support/check_main.h"
#include "tests/support/span_gen.h"

static struct sp_arena arena;

static void setup(void)
{
    sp_arena_init(&arena, (size_t)64 * 1024 * 1024);
}

static void teardown(void)
{
    sp_arena_fini(&arena);
}

START_TEST(generated_batches_repeat_for_the_same_seed)
{
    struct sp_gen_options options = sp_gen_options_everything(200);
    const struct sp_batch *a = sp_gen_batch(&arena, 7, &options);
    const struct sp_batch *b = sp_gen_batch(&arena, 7, &options);
    ck_assert(a && b);
    for (size_t i = 0; i < a->span_count; i++) {
        ck_assert(sp_span_equal(&a->spans[i], &b->spans[i]));
    }
}
END_TEST

START_TEST(batch_copy_is_equal_and_shares_nothing_but_static_memory)
{
    struct sp_arena source;
    sp_arena_init(&source, (size_t)64 * 1024 * 1024);
    struct sp_gen_options options = sp_gen_options_everything(300);
    const struct sp_batch *a = sp_gen_batch(&source, 11, &options);
    const struct sp_batch *b = NULL;
    ck_assert_int_eq(sp_batch_copy(&arena, sp_batch_pointers(&source, a), a->span_count, &b),
                     SP_OK);
    ck_assert_uint_eq(b->span_count, a->span_count);
    for (size_t i = 0; i < a->span_count; i++) {
        ck_assert(sp_span_equal(&a->spans[i], &b->spans[i]));
    }
    /* The copy must survive its source: a sanitizer or valgrind sees it otherwise. */
    struct sp_gen_options same = options;
    sp_arena_fini(&source);
    const struct sp_batch *again = sp_gen_batch(&arena, 11, &same);
    for (size_t i = 0; i < again->span_count; i++) {
        ck_assert(sp_span_equal(&again->spans[i], &b->spans[i]));
    }
}
END_TEST

START_TEST(batch_copy_shares_neighbouring_resources)
{
    struct sp_gen_options options = {.span_count = 50, .group_spans = 1000};
    const struct sp_batch *a = sp_gen_batch(&arena, 1, &options);
    const struct sp_batch *b = NULL;
    ck_assert_int_eq(sp_batch_copy(&arena, sp_batch_pointers(&arena, a), a->span_count, &b), SP_OK);
    size_t distinct = 1;
    for (size_t i = 1; i < b->span_count; i++) {
        distinct += b->spans[i].resource != b->spans[i - 1].resource;
    }
    ck_assert_uint_lt(distinct, 3);
}
END_TEST

START_TEST(batch_copy_says_limit_until_the_arena_is_large_enough)
{
    struct sp_gen_options options = sp_gen_options_everything(20);
    const struct sp_batch *a = sp_gen_batch(&arena, 3, &options);
    const struct sp_span *const *pointers = sp_batch_pointers(&arena, a);
    const struct sp_batch *b = NULL;
    enum sp_status status = SP_LIMIT;
    for (size_t cap = 0; status != SP_OK; cap += 512) {
        ck_assert_uint_lt(cap, 10000000);
        struct sp_arena small;
        sp_arena_init(&small, cap);
        status = sp_batch_copy(&small, pointers, a->span_count, &b);
        ck_assert(status == SP_OK ? b != NULL : (status == SP_LIMIT && b == NULL));
        sp_arena_fini(&small);
    }
}
END_TEST

/* 1 level of arrays around nothing at all for each count of levels. */
static struct sp_value nest(struct sp_value *storage, uint32_t levels)
{
    storage[0] = (struct sp_value){.kind = SP_VALUE_INT, .integer = 5};
    for (uint32_t i = 1; i <= levels; i++) {
        storage[i] =
            (struct sp_value){.kind = SP_VALUE_ARRAY, .count = 1, .items = &storage[i - 1]};
    }
    return storage[levels];
}

START_TEST(values_nest_to_the_ceiling)
{
    struct sp_value a[SP_NESTING_MAX + 1], b[SP_NESTING_MAX + 1];
    struct sp_value root = nest(a, SP_NESTING_MAX), other = nest(b, SP_NESTING_MAX);
    ck_assert(sp_value_equal(&root, &other));
    b[0].integer = 6;
    ck_assert(!sp_value_equal(&root, &other));

    static const struct sp_resource resource;
    static const struct sp_scope scope;
    struct sp_attribute attribute = {.key = SP_SLICE("k"), .value = root};
    struct sp_span span = {.resource = &resource, .scope = &scope};
    span.attributes = (struct sp_attributes){&attribute, 1, 0};
    const struct sp_span *pointer = &span;
    const struct sp_batch *copy = NULL;
    ck_assert_int_eq(sp_batch_copy(&arena, &pointer, 1, &copy), SP_OK);
    ck_assert(sp_span_equal(&span, &copy->spans[0]));
}
END_TEST

START_TEST(walk_visits_children_in_order_and_leaves_containers)
{
    struct sp_value items[] = {{.kind = SP_VALUE_INT, .integer = 1}, {.kind = SP_VALUE_ARRAY}};
    struct sp_attribute entries[] = {
        {.key = SP_SLICE("a"), .value = {.kind = SP_VALUE_ARRAY, .count = 2, .items = items}},
        {.key = SP_SLICE("b"), .value = {.kind = SP_VALUE_EMPTY}},
    };
    struct sp_value root = {.kind = SP_VALUE_KVLIST, .count = 2, .entries = entries};
    const struct {
        enum sp_walk_event event;
        const struct sp_value *value;
        const struct sp_attribute *entry;
    } expected[] = {
        {SP_WALK_ENTER, &root, NULL},
        {SP_WALK_ENTER, &entries[0].value, &entries[0]},
        {SP_WALK_SCALAR, &items[0], NULL},
        {SP_WALK_ENTER, &items[1], NULL},
        {SP_WALK_LEAVE, &items[1], NULL},
        {SP_WALK_LEAVE, &entries[0].value, &entries[0]},
        {SP_WALK_SCALAR, &entries[1].value, &entries[1]},
        {SP_WALK_LEAVE, &root, NULL},
    };
    struct sp_value_walk walk;
    sp_value_walk_init(&walk, &root);
    for (size_t i = 0; i < SP_ARRAY_LEN(expected); i++) {
        ck_assert_int_eq(sp_value_walk_next(&walk), expected[i].event);
        ck_assert_ptr_eq(walk.value, expected[i].value);
        ck_assert_ptr_eq(walk.entry, expected[i].entry);
    }
    ck_assert_int_eq(sp_value_walk_next(&walk), SP_WALK_END);
    ck_assert_int_eq(sp_value_walk_next(&walk), SP_WALK_END);
}
END_TEST

START_TEST(equality_sees_every_field)
{
    struct sp_gen_options options = sp_gen_options_everything(40);
    const struct sp_batch *a = sp_gen_batch(&arena, 5, &options);
    for (size_t i = 0; i < a->span_count; i++) {
        struct sp_span b = a->spans[i];
        ck_assert(sp_span_equal(&a->spans[i], &b));
#define DIFFERS(change)                                                                            \
    do {                                                                                           \
        b = a->spans[i];                                                                           \
        change;                                                                                    \
        ck_assert(!sp_span_equal(&a->spans[i], &b));                                               \
    } while (0)
        struct sp_slice other = SP_SLICE("something else");
        struct sp_resource resource = *b.resource;
        struct sp_scope scope = *b.scope;
        resource.group_residue = other;
        scope.schema_url = other;
        DIFFERS(b.trace_id.bytes[15] ^= 1);
        DIFFERS(b.span_id.bytes[7] ^= 1);
        DIFFERS(b.parent_span_id.bytes[0] ^= 1);
        DIFFERS(b.start_unix_ns++);
        DIFFERS(b.end_unix_ns++);
        DIFFERS(b.name = other);
        DIFFERS(b.trace_state = other);
        DIFFERS(b.kind ^= 1);
        DIFFERS(b.status_code ^= 1);
        DIFFERS(b.status_message = other);
        DIFFERS(b.status_residue = other);
        DIFFERS(b.status_present = !b.status_present);
        DIFFERS(b.flags ^= 0x80000000);
        DIFFERS(b.attributes.dropped++);
        DIFFERS(b.dropped_events++);
        DIFFERS(b.dropped_links++);
        DIFFERS(b.residue = other);
        DIFFERS(b.resource = &resource);
        DIFFERS(b.scope = &scope);
#undef DIFFERS
    }
}
END_TEST

START_TEST(doubles_are_equal_by_their_bits)
{
    struct sp_value nan = {.kind = SP_VALUE_DOUBLE, .number = 0.0 / 0.0};
    struct sp_value zero = {.kind = SP_VALUE_DOUBLE, .number = 0.0};
    struct sp_value minus_zero = {.kind = SP_VALUE_DOUBLE, .number = -0.0};
    ck_assert(sp_value_equal(&nan, &nan));
    ck_assert(!sp_value_equal(&zero, &minus_zero));
}
END_TEST

START_TEST(trace_ids_are_parsed_from_32_or_16_hex_digits)
{
    struct sp_trace_id id;
    char text[SP_TRACE_ID_TEXT];
    ck_assert(sp_trace_id_parse(SP_SLICE("0123456789ABCDEFfedcba9876543210"), &id));
    sp_trace_id_format(&id, text);
    ck_assert_str_eq(text, "0123456789abcdeffedcba9876543210");
    ck_assert(sp_trace_id_parse(SP_SLICE("fedcba9876543210"), &id));
    sp_trace_id_format(&id, text);
    ck_assert_str_eq(text, "0000000000000000fedcba9876543210");
    static const char *const bad[] = {"",
                                      "00",
                                      "00000000000000000000000000000000",
                                      "0123456789abcdeffedcba987654321",
                                      "0123456789abcdeg",
                                      "0123456789abcdeffedcba98765432100",
                                      "0000000000000000"};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        ck_assert_msg(!sp_trace_id_parse(sp_slice_cstr(bad[i]), &id), "%s", bad[i]);
    }
}
END_TEST

START_TEST(span_ids_are_parsed_from_16_hex_digits)
{
    struct sp_span_id id;
    char text[SP_SPAN_ID_TEXT];
    ck_assert(sp_span_id_parse(SP_SLICE("0123456789ABCDEF"), &id));
    sp_span_id_format(&id, text);
    ck_assert_str_eq(text, "0123456789abcdef");
    ck_assert(!sp_span_id_parse(SP_SLICE("0000000000000000"), &id));
    ck_assert(!sp_span_id_parse(SP_SLICE("0123456789abcde"), &id));
    ck_assert(!sp_span_id_parse(SP_SLICE("0123456789abcdef0123456789abcdef"), &id));
}
END_TEST

START_TEST(service_is_a_non_empty_string_or_unknown)
{
    struct sp_attribute attribute = {.key = SP_SLICE("service.name")};
    struct sp_resource resource = {.attributes = {&attribute, 1, 0}};
    struct sp_span span = {.resource = &resource};
    ck_assert(sp_slice_equal_cstr(sp_span_service(&span), "unknown_service"));
    attribute.value = (struct sp_value){.kind = SP_VALUE_STRING, .string = SP_SLICE("")};
    ck_assert(sp_slice_equal_cstr(sp_span_service(&span), "unknown_service"));
    attribute.value = (struct sp_value){.kind = SP_VALUE_INT, .integer = 3};
    ck_assert(sp_slice_equal_cstr(sp_span_service(&span), "unknown_service"));
    attribute.value = (struct sp_value){.kind = SP_VALUE_STRING, .string = SP_SLICE("cart")};
    ck_assert(sp_slice_equal_cstr(sp_span_service(&span), "cart"));
}
END_TEST

START_TEST(duration_is_zero_when_the_end_lies_before_the_start)
{
    struct sp_span span = {.start_unix_ns = 100, .end_unix_ns = 350};
    ck_assert_uint_eq(sp_span_duration_ns(&span), 250);
    span.end_unix_ns = 99;
    ck_assert_uint_eq(sp_span_duration_ns(&span), 0);
}
END_TEST

START_TEST(kinds_and_statuses_have_names)
{
    for (int32_t kind = 0; kind <= SP_KIND_CONSUMER; kind++) {
        int32_t back = -1;
        ck_assert(sp_span_kind_parse(sp_slice_cstr(sp_span_kind_name(kind)), &back));
        ck_assert_int_eq(back, kind);
    }
    int32_t untouched = 77;
    ck_assert(!sp_span_kind_parse(SP_SLICE("SERVER"), &untouched));
    ck_assert_int_eq(untouched, 77);
    ck_assert_str_eq(sp_span_kind_name(99), "unspecified");
    ck_assert_str_eq(sp_span_kind_name(-1), "unspecified");
    ck_assert_str_eq(sp_span_status_name(2), "error");
    ck_assert_str_eq(sp_span_status_name(-5), "unset");
    ck_assert_str_eq(sp_value_kind_name(SP_VALUE_KVLIST), "kvlist");
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("model");
    TCase *tc = tcase_create("model");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, generated_batches_repeat_for_the_same_seed);
    tcase_add_test(tc, batch_copy_is_equal_and_shares_nothing_but_static_memory);
    tcase_add_test(tc, batch_copy_shares_neighbouring_resources);
    tcase_add_test(tc, batch_copy_says_limit_until_the_arena_is_large_enough);
    tcase_add_test(tc, values_nest_to_the_ceiling);
    tcase_add_test(tc, walk_visits_children_in_order_and_leaves_containers);
    tcase_add_test(tc, equality_sees_every_field);
    tcase_add_test(tc, doubles_are_equal_by_their_bits);
    tcase_add_test(tc, trace_ids_are_parsed_from_32_or_16_hex_digits);
    tcase_add_test(tc, span_ids_are_parsed_from_16_hex_digits);
    tcase_add_test(tc, service_is_a_non_empty_string_or_unknown);
    tcase_add_test(tc, duration_is_zero_when_the_end_lies_before_the_start);
    tcase_add_test(tc, kinds_and_statuses_have_names);
    suite_add_tcase(suite, tc);
    return suite;
}
