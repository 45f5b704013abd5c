/* SPDX-License-Identifier: Apache-2.0
 *
 * Every construct of the language, and the normal form it has. */
#include "lib/traceql/traceql.h"
#include "tests/support/check_main.h"

#define ARENA_BYTES ((size_t)64 << 20)

static const struct accepted {
    const char *text, *printed;
} accepted[] = {
    {"", "{ }"},
    {"{}", "{ }"},
    {"{ }", "{ }"},
    {"   { \t}   ", "{ }"},
    {"{ true }", "{ true }"},
    {"{ .a }", "{ .a }"},
    {"{ !.a }", "{ !.a }"},
    {"{ span.http.method = \"GET\" }", "{ span.http.method = \"GET\" }"},
    {"{ resource.service.name = \"checkout\" }", "{ resource.service.name = \"checkout\" }"},
    {"{ event.exception.type = \"IOError\" }", "{ event.exception.type = \"IOError\" }"},
    {"{ link.reason != nil }", "{ link.reason != nil }"},
    {"{ instrumentation.language = \"c\" }", "{ instrumentation.language = \"c\" }"},
    {"{ parent.region = \"eu\" }", "{ parent.region = \"eu\" }"},
    {"{ parent.span.region = \"eu\" }", "{ parent.span.region = \"eu\" }"},
    {"{ parent.resource.region = \"eu\" }", "{ parent.resource.region = \"eu\" }"},
    {"{ parent.\"span.region\" = \"eu\" }", "{ parent.\"span.region\" = \"eu\" }"},
    {"{ .a-b/c:d+e*f%g@h#i = 1 }", "{ .\"a-b/c:d+e*f%g@h#i\" = 1 }"},
    {"{ span.\"with space\" = 1 }", "{ span.\"with space\" = 1 }"},
    {"{ span.a.\"b c\".d = 1 }", "{ span.\"a.b c.d\" = 1 }"},
    {"{ .\"q\\\"u\\\\o\" = 1 }", "{ .\"q\\\"u\\\\o\" = 1 }"},
    {"{ .\"\" = 1 }", "{ .\"\" = 1 }"},
    {"{ .\"5th\" = 1 }", "{ .\"5th\" = 1 }"},
    {"{ span.5th = 1 }", "{ span.\"5th\" = 1 }"},
    {"{ .gr\303\266\303\237e = 1 }", "{ .\"gr\303\266\303\237e\" = 1 }"},
    {"{ service = \"cart\" }", "{ service = \"cart\" }"},
    {"{ name = \"op\" && span:name = \"op\" }", "{ name = \"op\" && name = \"op\" }"},
    {"{ status = error }", "{ status = error }"},
    {"{ span:status != ok || status = unset }", "{ status != ok || status = unset }"},
    {"{ kind = server }", "{ kind = server }"},
    {"{.a}without{.b}", "{ .a } without { .b }"},
    {"{ .a } without { .b } within 1500ms", "{ .a } without { .b } within 1500ms"},
    {"{ .a } without { .b } within 5s without { .c }",
     "{ .a } without { .b } within 5s without { .c }"},
    {"{ .a } without ({ .b } without { .c } within 5s) within 1s",
     "{ .a } without ({ .b } without { .c } within 5s) within 1s"},
    {"{ .a } > { .b } repeated 10 | count() > 1", "{ .a } > { .b } repeated 10 | count() > 1"},
    {"({ .a } > { .b }) repeated 10", "({ .a } > { .b }) repeated 10"},
    {"({ .a } | by(name)) repeated 2 repeated 3", "({ .a } | by(name)) repeated 2 repeated 3"},
    {"{ span:kind = unspecified || kind = internal || kind = client || kind = producer || kind = "
     "consumer }",
     "{ kind = unspecified || kind = internal || kind = client || kind = producer || kind = "
     "consumer }"},
    {"{ statusMessage =~ \".*timeout.*\" }", "{ statusMessage =~ \".*timeout.*\" }"},
    {"{ duration > 100ms && span:duration <= 1h }", "{ duration > 100ms && duration <= 1h }"},
    {"{ traceDuration > 1s && trace:duration > 1s }",
     "{ trace:duration > 1s && trace:duration > 1s }"},
    {"{ rootName = \"a\" && trace:rootName = \"a\" }",
     "{ trace:rootName = \"a\" && trace:rootName = \"a\" }"},
    {"{ rootServiceName = \"a\" && trace:rootService = \"a\" }",
     "{ trace:rootService = \"a\" && trace:rootService = \"a\" }"},
    {"{ trace:id = \"0af7651916cd43dd8448eb211c80319c\" }",
     "{ trace:id = \"0af7651916cd43dd8448eb211c80319c\" }"},
    {"{ trace:id = \"1234567890ABCDE\" && \"f1\" != span:parentID }",
     "{ trace:id = \"000000000000000001234567890abcde\" && \"00000000000000f1\" != span:parentID "
     "}"},
    {"{ link:spanID = \"\" && link:traceID = \"xyz\" && span:id = \"0123456789abcdef0\" && .a = "
     "\"F1\" }",
     "{ link:spanID = \"\" && link:traceID = \"xyz\" && span:id = \"0123456789abcdef0\" && .a = "
     "\"F1\" }"},
    {"{ span:id =~ \"F1\" && span:id > \"F1\" }", "{ span:id =~ \"F1\" && span:id > \"F1\" }"},
    {"{ span:id = \"b7ad6b7169203331\" && span:parentID = nil }",
     "{ span:id = \"b7ad6b7169203331\" && span:parentID = nil }"},
    {"{ childCount = 0 || span:childCount > 10 }",
     "{ span:childCount = 0 || span:childCount > 10 }"},
    {"{ event:name = \"exception\" && event:timeSinceStart > -5s }",
     "{ event:name = \"exception\" && event:timeSinceStart > -5s }"},
    {"{ link:traceID = \"a\" && link:spanID = \"b\" }",
     "{ link:traceID = \"0000000000000000000000000000000a\" && link:spanID = \"000000000000000b\" "
     "}"},
    {"{ instrumentation:name = \"grpc\" && instrumentation:version = \"1.0\" }",
     "{ instrumentation:name = \"grpc\" && instrumentation:version = \"1.0\" }"},
    {"{ nestedSetLeft > 1 && nestedSetRight < 9 && nestedSetParent = -1 }",
     "{ nestedSetLeft > 1 && nestedSetRight < 9 && nestedSetParent = -1 }"},
    {"{ parent = nil }", "{ parent = nil }"},
    {"{ .a = nil }", "{ .a = nil }"},
    {"{ nil != .a }", "{ .a != nil }"},
    {"{ nil = nil }", "{ false }"},
    {"{ name != nil }", "{ name != nil }"},
    {"{ .a = 1.5 || .a = .5 || .a = 5. || .a = 1e3 || .a = 1.5E-7 }",
     "{ .a = 1.5 || .a = 0.5 || .a = 5.0 || .a = 1000.0 || .a = 1.5e-7 }"},
    {"{ .a = -1 }", "{ .a = -1 }"},
    {"{ .a = - 1.5 }", "{ .a = -1.5 }"},
    {"{ .a = minInt || .a = maxInt }", "{ .a = minInt || .a = 9223372036854775807 }"},
    {"{ .a = -9223372036854775808 }", "{ .a = minInt }"},
    {"{ .a > 5 + -9223372036854775808 }", "{ .a > 5 + minInt }"},
    {"{ .a = (-9223372036854775808) }", "{ .a = minInt }"},
    {"{ } | count() > -9223372036854775808", "{ } | count() > minInt"},
    {"{ .a = 9223372036854775807 }", "{ .a = 9223372036854775807 }"},
    {"{ .a = 007 }", "{ .a = 7 }"},
    {"{ duration = 1h30m || duration = 1.5h || duration = 90m }",
     "{ duration = 90m || duration = 90m || duration = 90m }"},
    {"{ duration > 1ns && duration > 1us && duration > 1\302\265s && duration > 1ms && duration > "
     "1s && duration > 1m && duration > 1h && duration > 1d && duration > 1w && duration > 1y }",
     "{ duration > 1ns && duration > 1us && duration > 1us && duration > 1ms && duration > 1s && "
     "duration > 1m && duration > 1h && duration > 24h && duration > 168h && duration > 8760h }"},
    {"{ duration > 0s }", "{ duration > 0s }"},
    {"{ duration > 1.0000000015s }", "{ duration > 1000000001ns }"},
    {"{ name = \"a\\\"b\\\\c\\n\\t\\x41\\u00e9\\U0001F600\\101\" }",
     "{ name = \"a\\\"b\\\\c\\n\\tA\303\251\360\237\230\200A\" }"},
    {"{ name = `raw \\n \"text\"` }", "{ name = \"raw \\\\n \\\"text\\\"\" }"},
    {"{ name = \"gr\303\266\303\237e\" }", "{ name = \"gr\303\266\303\237e\" }"},
    {"{ name = \"\\xff\" }", "{ name = \"\\xff\" }"},
    {"{ .a = true && .b = false }", "{ .a = true && .b = false }"},
    {"{ .a = 1 && .b = 2 && .c = 3 }", "{ .a = 1 && .b = 2 && .c = 3 }"},
    {"{ .a = 1 || .b = 2 || .c = 3 }", "{ .a = 1 || .b = 2 || .c = 3 }"},
    {"{ .a || .b && .c }", "{ (.a || .b) && .c }"},
    {"{ .a && .b || .c }", "{ (.a && .b) || .c }"},
    {"{ .a && (.b || .c) }", "{ .a && (.b || .c) }"},
    {"{ (.a && .b) && (.c && .d) }", "{ .a && .b && .c && .d }"},
    {"{ ((.a)) }", "{ .a }"},
    {"{ !(.a && .b) }", "{ !(.a && .b) }"},
    {"{ !.a && !.b }", "{ !.a && !.b }"},
    {"{ !!.a }", "{ !(!.a) }"},
    {"{ (.a = .b) = .c }", "{ (.a = .b) = .c }"},
    {"{ .a = .b = .c }", "{ (.a = .b) = .c }"},
    {"{ 1 + 2 * 3 = 7 }", "{ 1 + 2 * 3 = 7 }"},
    {"{ (1 + 2) * 3 = 9 }", "{ (1 + 2) * 3 = 9 }"},
    {"{ 1 - 2 - 3 = 0 }", "{ 1 - 2 - 3 = 0 }"},
    {"{ 1 - (2 - 3) = 0 }", "{ 1 - (2 - 3) = 0 }"},
    {"{ 2 ^ 3 ^ 2 = 0 }", "{ 2 ^ 3 ^ 2 = 0 }"},
    {"{ (2 ^ 3) ^ 2 = 0 }", "{ (2 ^ 3) ^ 2 = 0 }"},
    {"{ -2 ^ 2 = 0 }", "{ -(2 ^ 2) = 0 }"},
    {"{ (-2) ^ 2 = 0 }", "{ (-2) ^ 2 = 0 }"},
    {"{ -.a * 2 = 0 }", "{ -(.a * 2) = 0 }"},
    {"{ 2 * -.a + 1 = 0 }", "{ 2 * (-.a) + 1 = 0 }"},
    {"{ 10 % 3 = 1 && .a / 2 > 1 }", "{ 10 % 3 = 1 && .a / 2 > 1 }"},
    {"{ .a > .b + 1 }", "{ .a > .b + 1 }"},
    {"{ .b >= \"200\" }", "{ .b >= \"200\" }"},
    {"{ duration > 2 * trace:duration / 10 }", "{ duration > 2 * trace:duration / 10 }"},
    {"{ .a != \"x\" && .a !~ \"y|z\" }", "{ .a != \"x\" && .a !~ \"y|z\" }"},
    {"{ .a /* comment */ = 1 } // the end", "{ .a = 1 }"},
    {"{ true } && { true }", "{ true } && { true }"},
    {"{ .a } || { .b } && { .c }", "({ .a } || { .b }) && { .c }"},
    {"({ .a } || { .b }) && { .c }", "({ .a } || { .b }) && { .c }"},
    {"{ .a } || ({ .b } && { .c })", "{ .a } || ({ .b } && { .c })"},
    {"{ .a } > { .b } > { .c }", "{ .a } > { .b } > { .c }"},
    {"{ .a } > ({ .b } > { .c })", "{ .a } > ({ .b } > { .c })"},
    {"{ .a } && { .b } >> { .c }", "{ .a } && { .b } >> { .c }"},
    {"{ .a } < { .b }", "{ .a } < { .b }"},
    {"{ .a } << { .b }", "{ .a } << { .b }"},
    {"{ .a } ~ { .b }", "{ .a } ~ { .b }"},
    {"{ .a } !> { .b }", "{ .a } !> { .b }"},
    {"{ .a } !< { .b }", "{ .a } !< { .b }"},
    {"{ .a } !>> { .b }", "{ .a } !>> { .b }"},
    {"{ .a } !<< { .b }", "{ .a } !<< { .b }"},
    {"{ .a } !~ { .b }", "{ .a } !~ { .b }"},
    {"{ .a } &> { .b }", "{ .a } &> { .b }"},
    {"{ .a } &< { .b }", "{ .a } &< { .b }"},
    {"{ .a } &>> { .b }", "{ .a } &>> { .b }"},
    {"{ .a } &<< { .b }", "{ .a } &<< { .b }"},
    {"{ .a } &~ { .b }", "{ .a } &~ { .b }"},
    {"{.a}>>{.b}", "{ .a } >> { .b }"},
    {"({ .a } | count() > 1) >> ({ .b } | { .c })", "({ .a } | count() > 1) >> ({ .b } | { .c })"},
    {"(count() > 1) && { .b }", "(count() > 1) && { .b }"},
    {"(by(.a)) && { .b }", "(by(.a)) && { .b }"},
    {"({ .a })", "{ .a }"},
    {"({ .a } | { .b })", "({ .a } | { .b })"},
    {"count() > 2", "count() > 2"},
    {"{ .a } | count() > 2", "{ .a } | count() > 2"},
    {"{ .a } | avg(duration) > 1s", "{ .a } | avg(duration) > 1s"},
    {"{ .a } | min(.x) = 1 | max(.x) != 2 | sum(.x) < 3 | avg(.x) <= 4 | count() >= 5",
     "{ .a } | min(.x) = 1 | max(.x) != 2 | sum(.x) < 3 | avg(.x) <= 4 | count() >= 5"},
    {"{ .a } | max(.x) - min(.x) > 3", "{ .a } | max(.x) - min(.x) > 3"},
    {"{ .a } | (count() + 1) * 2 > 3", "{ .a } | (count() + 1) * 2 > 3"},
    {"{ .a } | 2 < count()", "{ .a } | 2 < count()"},
    {"{ .a } | max(duration) > -5", "{ .a } | max(duration) > -5"},
    {"{ .a } | -count() < 1", "{ .a } | -count() < 1"},
    {"({ .a } | count()) > ({ .b } | count())", "({ .a } | count()) > ({ .b } | count())"},
    {"2 < ({ .a } | count())", "2 < ({ .a } | count())"},
    {"by(resource.service.name) | count() > 1", "by(resource.service.name) | count() > 1"},
    {"{ } | by(name) | coalesce()", "{ } | by(name) | coalesce()"},
    {"{ } | by(1 + .a) | select(.b)", "{ } | by(1 + .a) | select(.b)"},
    {"{ } | select(.a, span.b, resource.c, name, span:id)",
     "{ } | select(.a, span.b, resource.c, name, span:id)"},
    {"{ } | rate()", "{ } | rate()"},
    {"{ } | rate() by (resource.service.name)", "{ } | rate() by (resource.service.name)"},
    {"{ } | count_over_time() by (name, span.a)", "{ } | count_over_time() by (name, span.a)"},
    {"{ } | max_over_time(span.bytes) by (service)",
     "{ } | max_over_time(span.bytes) by (service)"},
    {"{ } | avg_over_time(duration)", "{ } | avg_over_time(duration)"},
    {"{ } | sum_over_time(.a)", "{ } | sum_over_time(.a)"},
    {"{ } | histogram_over_time(duration) by (.a)", "{ } | histogram_over_time(duration) by (.a)"},
    {"{ } | quantile_over_time(duration, 0, 0.5, .99, 1) by (.a)",
     "{ } | quantile_over_time(duration, 0.0, 0.5, 0.99, 1.0) by (.a)"},
    {"{ } | quantile_over_time(duration, 0.5)", "{ } | quantile_over_time(duration, 0.5)"},
    {"{ } | compare({ status = error })", "{ } | compare({ status = error })"},
    {"{ } | compare({ status = error }, 5)", "{ } | compare({ status = error }, 5)"},
    {"{ } | compare({ }, 5, 1700000000000000001, 1700000060000000001)",
     "{ } | compare({ }, 5, 1700000000000000001, 1700000060000000001)"},
    {"{ } | rate() | topk(5)", "{ } | rate() | topk(5)"},
    {"{ } | rate() by (.a) | bottomk(2)", "{ } | rate() by (.a) | bottomk(2)"},
    {"{ } | rate() > 10", "{ } | rate() > 10"},
    {"{ } | rate() > 10 <= 20.5 | topk(3) != 2s", "{ } | rate() > 10 <= 20.5 | topk(3) != 2s"},
    {"{ } | rate() > 1 + 2 * 3", "{ } | rate() > 7"},
    {"{ } | rate() > 7 / 2", "{ } | rate() > 3"},
    {"{ } | rate() > 7 / 2.0", "{ } | rate() > 3.5"},
    {"({ } | rate()) / ({ } | count_over_time())", "({ } | rate()) / ({ } | count_over_time())"},
    {"({ } | rate()) * 100 > 5 | topk(3)", "({ } | rate()) * 100 > 5 | topk(3)"},
    {"100 * (({ } | rate()) + ({ } | rate()))", "100 * (({ } | rate()) + ({ } | rate()))"},
    {"-100 * ({ } | rate())", "(-100) * ({ } | rate())"},
    {"(({ } | rate()) > 5) * 2", "(({ } | rate()) > 5) * 2"},
    {"({ } | rate())", "({ } | rate())"},
    {"{ } with (most_recent=true)", "{ } with (most_recent = true)"},
    {"{ } | rate() with(sample = 0.1, exemplars = true, text = \"x\", n = -3, d = 1s, s = error)",
     "{ } | rate() with (sample = 0.1, exemplars = true, text = \"x\", n = -3, d = 1s, s = error)"},
    {"{ } with (a = 1) with (b = 2)", "{ } with (a = 1, b = 2)"},
    {"{ } | min_over_time(duration)", "{ } | min_over_time(duration)"},
};

static const struct sp_traceql_query *parse(struct sp_arena *arena, struct sp_slice text)
{
    const struct sp_traceql_query *query = NULL;
    struct sp_error error = {0};
    enum sp_status status = sp_traceql_parse(arena, text, &query, &error);
    ck_assert_msg(status == SP_OK, "%.*s: %s (at %lu)", SP_SLICE_PRINTF(text), error.message,
                  (unsigned long)error.offset);
    return query;
}

START_TEST(query_has_its_normal_form)
{
    const struct accepted *expected = &accepted[_i];
    struct sp_arena arena;
    struct sp_buf printed;
    sp_arena_init(&arena, ARENA_BYTES);
    sp_buf_init(&printed, 1 << 20);
    const struct sp_traceql_query *query = parse(&arena, sp_slice_cstr(expected->text));
    sp_traceql_print(query, &printed);
    ck_assert_msg(sp_slice_equal_cstr(sp_buf_slice(&printed), expected->printed),
                  "%s\nexpected %s\ngot      %.*s", expected->text, expected->printed,
                  SP_SLICE_PRINTF(sp_buf_slice(&printed)));
    const struct sp_traceql_query *again = parse(&arena, sp_buf_slice(&printed));
    ck_assert_msg(sp_traceql_equal(query, again), "%s: another tree", expected->text);
    sp_buf_fini(&printed);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(nodes_stand_behind_their_children_and_know_their_types)
{
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    const struct sp_traceql_query *query =
        parse(&arena, SP_SLICE("{ .a = 1 && duration > 2s } | count() > 3"));
    ck_assert_uint_eq(query->node_count, 12);
    for (uint32_t i = 0; i < query->node_count; i++) {
        const struct sp_traceql_node *node = query->nodes[i];
        ck_assert_uint_eq(node->index, i);
        if (node->left)
            ck_assert_uint_lt(node->left->index, i);
        if (node->right)
            ck_assert_uint_lt(node->right->index, i);
        for (uint32_t item = 0; item < node->item_count; item++)
            ck_assert_uint_lt(node->items[item]->index, i);
    }
    const struct sp_traceql_node *root = query->root;
    ck_assert_ptr_eq(query->nodes[query->node_count - 1], root);
    ck_assert_int_eq(root->kind, SP_TRACEQL_PIPELINE);
    ck_assert_uint_eq(root->item_count, 2);
    const struct sp_traceql_node *filter = root->items[0], *count = root->items[1];
    ck_assert_int_eq(filter->kind, SP_TRACEQL_FILTER);
    ck_assert_int_eq(filter->left->kind, SP_TRACEQL_ALL);
    ck_assert_uint_eq(filter->left->offset, 9);
    ck_assert_uint_eq(filter->left->items[0]->offset, 5);
    ck_assert_int_eq(filter->left->items[0]->left->type, SP_TRACEQL_TYPE_ANY);
    ck_assert_int_eq(filter->left->items[1]->left->type, SP_TRACEQL_TYPE_DURATION);
    ck_assert_int_eq(filter->left->items[1]->right->value.integer, 2000000000);
    ck_assert_int_eq(count->kind, SP_TRACEQL_COMPARE);
    ck_assert_int_eq(count->type, SP_TRACEQL_TYPE_SPANSET);
    ck_assert(count->left->reads_span && !count->right->reads_span);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(long_chains_of_conditions_stay_flat)
{
    struct sp_arena arena;
    struct sp_buf text;
    sp_arena_init(&arena, ARENA_BYTES);
    sp_buf_init(&text, SP_TRACEQL_QUERY_BYTES_MAX);
    sp_buf_append_cstr(&text, "{ .a = 0");
    for (int i = 1; i < 5000; i++)
        sp_buf_append_cstr(&text, " || .a = 1");
    sp_buf_append_cstr(&text, " }");
    const struct sp_traceql_query *query = parse(&arena, sp_buf_slice(&text));
    ck_assert_uint_eq(query->root->items[0]->left->item_count, 5000);
    ck_assert_uint_eq(query->root->depth, 5);
    sp_buf_fini(&text);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(the_stated_memory_is_enough)
{
    struct sp_arena arena;
    struct sp_buf text;
    sp_buf_init(&text, SP_TRACEQL_QUERY_BYTES_MAX);
    sp_buf_append_cstr(&text, "{.a");
    while (text.len + 6 <= SP_TRACEQL_QUERY_BYTES_MAX)
        sp_buf_append_cstr(&text, "||.a");
    sp_buf_append_cstr(&text, "}");
    sp_arena_init(&arena, SP_TRACEQL_ARENA_BYTES_FOR(text.len));
    parse(&arena, sp_buf_slice(&text));
    sp_buf_fini(&text);
    sp_arena_fini(&arena);
}
END_TEST

/* Each allocation fails once. */
START_TEST(a_full_arena_is_an_error)
{
    struct sp_slice text =
        SP_SLICE("{ .a = \"x\\n\" && .\"b c\" =~ \"y\" } | select(.a, .b, .c, .d, .e) | "
                 "quantile_over_time(duration, .1, .2) by (.a) > 1 with (a = 1)");
    bool done = false;
    for (size_t cap = 0; !done; cap += 64) {
        struct sp_arena arena;
        struct sp_error error = {0};
        const struct sp_traceql_query *query;
        sp_arena_init(&arena, cap);
        enum sp_status status = sp_traceql_parse(&arena, text, &query, &error);
        done = status == SP_OK;
        ck_assert(done || status == SP_LIMIT);
        ck_assert_uint_lt(cap, 1 << 20);
        sp_arena_fini(&arena);
    }
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("traceql_accept");
    TCase *tcase = tcase_create("accept");
    tcase_add_loop_test(tcase, query_has_its_normal_form, 0, (int)SP_ARRAY_LEN(accepted));
    tcase_add_test(tcase, nodes_stand_behind_their_children_and_know_their_types);
    tcase_add_test(tcase, long_chains_of_conditions_stay_flat);
    tcase_add_test(tcase, the_stated_memory_is_enough);
    tcase_add_test(tcase, a_full_arena_is_an_error);
    suite_add_tcase(suite, tcase);
    return suite;
}
