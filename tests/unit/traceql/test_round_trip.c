/* SPDX-License-Identifier: Apache-2.0
 *
 * Random trees of the whole language: printed and parsed they are the same tree, and their normal form is stable. The
 * generator builds text from the grammar with random brackets and blanks, so that the parser sees more than normal forms. */
#include "lib/traceql/traceql.h"
#include "tests/support/check_main.h"

#define ARENA_BYTES ((size_t)64 << 20)

static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) % bound);
}

static void put(struct sp_buf *out, const char *text)
{
    static const char *const blanks[] = {" ", " ", " ", "  ", "\n", "\t", " /* c */ "};
    sp_buf_append_cstr(out, text);
    sp_buf_append_cstr(out, blanks[random_below(7)]);
}

#define PICK(out, list) put((out), (list)[random_below(SP_ARRAY_LEN(list))])

static void number(struct sp_buf *out)
{
    static const char *const numbers[] = {"0",   "1",    "42",  "-7",    "1.5",    "-0.25", ".5",
                                          "1e9", "10s",  "5ms", "1h30m", "1.5us",  "-3s",   "-1",
                                          "007", "1e-7", "0s",  "-0.0",  "maxInt", "2y"};
    PICK(out, numbers);
}

static void numeric(struct sp_buf *out, int depth);
static void condition(struct sp_buf *out, int depth);

static void attribute(struct sp_buf *out)
{
    static const char *const attributes[] = {
        ".a",       "span.http.status",  "resource.x-y", "event.e",       "link.l",
        "parent.p", "parent.span.q",     ".\"b c\"",     "span.\"\\\"\"", "instrumentation.i",
        ".\"\"",    "parent.\"span.x\"", ".a/b:c",       "span.5",        ".\"5\"",
    };
    PICK(out, attributes);
}

static void numeric(struct sp_buf *out, int depth)
{
    static const char *const fields[] = {"duration", "span:childCount", "trace:duration",
                                         "nestedSetLeft", "event:timeSinceStart"};
    static const char *const operators[] = {"+", "-", "*", "/", "%", "^"};
    switch (random_below(depth > 0 ? 7 : 3)) {
    case 0:
        number(out);
        break;
    case 1:
        attribute(out);
        break;
    case 2:
        PICK(out, fields);
        break;
    case 3:
        put(out, "-");
        numeric(out, depth - 1);
        break;
    case 4:
        put(out, "(");
        numeric(out, depth - 1);
        put(out, ")");
        break;
    default:
        numeric(out, depth - 1);
        PICK(out, operators);
        numeric(out, depth - 1);
        break;
    }
}

static void comparison(struct sp_buf *out, int depth)
{
    static const char *const operators[] = {"=", "!=", "<", "<=", ">", ">="};
    static const char *const texts[] = {"name",           "service",          "statusMessage",
                                        "\"x\\n\\\"y\"",  "`raw\\`",          "\"\"",
                                        "trace:rootName", "\"\\xff\\u00e9\"", "link:spanID"};
    static const char *const patterns[] = {"=~ \"a|b\"", "!~ `.*`"};
    static const char *const whole[] = {
        ".a = nil", "nil != .b",   "status = error", "kind != server", "ok = status", ".a = true",
        ".b",       "name != nil", "parent = nil",   "nil = nil",      ".m = minInt", ".s = unset"};
    switch (random_below(4)) {
    case 0:
        numeric(out, depth);
        PICK(out, operators);
        numeric(out, depth);
        break;
    case 1:
        PICK(out, texts);
        PICK(out, operators);
        PICK(out, texts);
        break;
    case 2:
        PICK(out, texts);
        PICK(out, patterns);
        break;
    default:
        PICK(out, whole);
        break;
    }
}

static void condition(struct sp_buf *out, int depth)
{
    switch (random_below(depth > 0 ? 6 : 2)) {
    case 2:
    case 3:
        put(out, "(");
        condition(out, depth - 1);
        put(out, ")");
        put(out, random_below(2) ? "&&" : "||");
        condition(out, depth - 1);
        break;
    case 4:
        condition(out, depth - 1);
        put(out, random_below(2) ? "&&" : "||");
        condition(out, depth - 1);
        break;
    case 5:
        put(out, random_below(2) ? "!(" : "(");
        condition(out, depth - 1);
        put(out, ")");
        break;
    default:
        comparison(out, 2);
        break;
    }
}

static void filter(struct sp_buf *out)
{
    put(out, "{");
    if (random_below(4) > 0)
        condition(out, 3);
    put(out, "}");
}

static void pipeline(struct sp_buf *out, int depth);

static void spanset(struct sp_buf *out, int depth)
{
    static const char *const relations[] = {"&&", "||", ">",   "<",   ">>",  "<<",
                                            "~",  "!>", "!<",  "!>>", "!<<", "!~",
                                            "&>", "&<", "&>>", "&<<", "&~",  "without"};
    switch (random_below(depth > 0 ? 7 : 2)) {
    case 5: /* a time belongs to the nearest without */
        spanset(out, depth - 1);
        put(out, "without");
        filter(out);
        put(out, random_below(2) ? "within 5s" : "within 1m30s");
        break;
    case 6:
        filter(out);
        put(out, random_below(2) ? "repeated 2" : "repeated 100");
        break;
    case 2:
    case 3:
        spanset(out, depth - 1);
        PICK(out, relations);
        spanset(out, depth - 1);
        break;
    case 4:
        put(out, "(");
        if (random_below(2))
            pipeline(out, depth - 1);
        else
            spanset(out, depth - 1);
        put(out, ")");
        break;
    default:
        filter(out);
        break;
    }
}

static void scalar(struct sp_buf *out, int depth)
{
    static const char *const aggregates[] = {"max(", "min(", "avg(", "sum("};
    static const char *const operators[] = {"+", "-", "*", "/", "%", "^"};
    switch (random_below(depth > 0 ? 5 : 2)) {
    case 0:
        put(out, "count()");
        break;
    case 1:
        PICK(out, aggregates);
        numeric(out, 1);
        put(out, "+ .n )"); /* reads the span for certain */
        break;
    case 2:
        put(out, "(");
        pipeline(out, depth - 1);
        put(out, "| count() )");
        break;
    case 3:
        put(out, "(");
        scalar(out, depth - 1);
        put(out, ")");
        break;
    default:
        scalar(out, depth - 1);
        PICK(out, operators);
        if (random_below(2))
            scalar(out, depth - 1);
        else
            put(out, random_below(2) ? "2" : "1.5");
        break;
    }
}

static void stage(struct sp_buf *out, int depth, bool first)
{
    static const char *const operators[] = {"=", "!=", "<", "<=", ">", ">="};
    static const char *const plain[] = {"by(name)", "by(.a + 1)", "select(.a, name, span:id)",
                                        "coalesce()"};
    switch (random_below(4)) {
    case 0:
        scalar(out, depth);
        PICK(out, operators);
        put(out, random_below(2) ? "-5" : "10s");
        break;
    case 1:
        put(out, plain[random_below(first ? 3 : 4)]);
        break;
    default:
        spanset(out, depth);
        break;
    }
}

static void pipeline(struct sp_buf *out, int depth)
{
    uint32_t count = 1 + random_below(3);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            put(out, "|");
        stage(out, depth, i == 0);
    }
}

static void metric(struct sp_buf *out)
{
    static const char *const metrics[] = {"rate()",
                                          "count_over_time()",
                                          "rate() by (name, .a)",
                                          "quantile_over_time(duration, 0.5, 1)",
                                          "max_over_time(.x) by (service)",
                                          "histogram_over_time(duration)",
                                          "avg_over_time(.a)"};
    static const char *const seconds[] = {"| topk(3)", "| bottomk(1)", "> 5",
                                          "<= 1.5",    "!= 10s",       "= 1 + 2 * 3"};
    pipeline(out, 1);
    put(out, "|");
    PICK(out, metrics);
    for (uint32_t i = random_below(3); i > 0; i--)
        PICK(out, seconds);
}

static void series(struct sp_buf *out, int depth)
{
    static const char *const operators[] = {"+", "-", "*", "/"};
    if (depth == 0 || random_below(3) == 0) {
        put(out, "(");
        metric(out);
        put(out, ")");
        return;
    }
    put(out, "(");
    series(out, depth - 1);
    put(out, ")");
    PICK(out, operators);
    if (random_below(2))
        series(out, depth - 1);
    else
        put(out, random_below(2) ? "100" : "-1.5");
}

static void query_text(struct sp_buf *out)
{
    static const char *const hints[] = {"with (a = 1)",
                                        "with (b = \"x\", c = -1.5) with (d = error)"};
    switch (random_below(6)) {
    case 0:
        metric(out);
        break;
    case 1:
        series(out, 3);
        break;
    case 2:
        put(out, "{ } | compare({ status = error }, 5, 1, 9223372036854775807)");
        break;
    default:
        pipeline(out, 3);
        break;
    }
    if (random_below(5) == 0)
        PICK(out, hints);
}

static const struct sp_traceql_query *parse(struct sp_arena *arena, struct sp_slice text)
{
    const struct sp_traceql_query *query = NULL;
    struct sp_error error = {0};
    enum sp_status status = sp_traceql_parse(arena, text, &query, &error);
    ck_assert_msg(status == SP_OK, "%.*s\n%s (at %lu)", SP_SLICE_PRINTF(text), error.message,
                  (unsigned long)error.offset);
    return query;
}

START_TEST(printed_and_parsed_again_it_is_the_same_query)
{
    struct sp_arena arena;
    struct sp_buf text, first, second;
    sp_arena_init(&arena, ARENA_BYTES);
    sp_buf_init(&text, SP_TRACEQL_QUERY_BYTES_MAX);
    sp_buf_init(&first, SP_TRACEQL_QUERY_BYTES_MAX);
    sp_buf_init(&second, SP_TRACEQL_QUERY_BYTES_MAX);
    for (uint64_t seed = 0; seed < 2000; seed++) {
        random_state = (uint64_t)_i * 1000003 + seed;
        sp_arena_reset(&arena);
        sp_buf_reset(&text);
        sp_buf_reset(&first);
        sp_buf_reset(&second);
        query_text(&text);
        ck_assert_int_eq(text.error, SP_OK);
        const struct sp_traceql_query *query = parse(&arena, sp_buf_slice(&text));
        sp_traceql_print(query, &first);
        const struct sp_traceql_query *again = parse(&arena, sp_buf_slice(&first));
        ck_assert_msg(sp_traceql_equal(query, again), "%.*s\nprinted %.*s",
                      SP_SLICE_PRINTF(sp_buf_slice(&text)), SP_SLICE_PRINTF(sp_buf_slice(&first)));
        sp_traceql_print(again, &second);
        ck_assert(sp_slice_equal(sp_buf_slice(&first), sp_buf_slice(&second)));
        for (uint32_t i = 0; i < query->node_count; i++)
            ck_assert_uint_eq(query->nodes[i]->depth, again->nodes[i]->depth);
    }
    sp_buf_fini(&text);
    sp_buf_fini(&first);
    sp_buf_fini(&second);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(different_queries_are_not_equal)
{
    static const char *const texts[] = {"{ }",
                                        "{ true }",
                                        "{ .a }",
                                        "{ .b }",
                                        "{ span.a }",
                                        "{ parent.a }",
                                        "{ .a = 1 }",
                                        "{ .a = 1.0 }",
                                        "{ .a = \"1\" }",
                                        "{ .a != 1 }",
                                        "{ .a + 1 = 1 }",
                                        "{ .a - 1 = 1 }",
                                        "{ .a } > { .a }",
                                        "{ .a } >> { .a }",
                                        "{ .a && .b }",
                                        "{ .a || .b }",
                                        "{ .a } | count() > 1",
                                        "{ .a } | max(.b) > 1",
                                        "{ } | rate()",
                                        "{ } | rate() by (.a)",
                                        "{ } | quantile_over_time(.a, 0.5)",
                                        "{ } | quantile_over_time(.a, 0.6)",
                                        "{ } | rate() | topk(1)",
                                        "{ } | rate() | topk(2)",
                                        "{ } | rate() | bottomk(1)",
                                        "{ } with (a = 1)",
                                        "{ } with (b = 1)",
                                        "{ } with (a = 2)"};
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    for (size_t i = 0; i < SP_ARRAY_LEN(texts); i++)
        for (size_t j = 0; j < SP_ARRAY_LEN(texts); j++)
            ck_assert_msg(sp_traceql_equal(parse(&arena, sp_slice_cstr(texts[i])),
                                           parse(&arena, sp_slice_cstr(texts[j]))) == (i == j),
                          "%s and %s", texts[i], texts[j]);
    sp_arena_fini(&arena);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("traceql_round_trip");
    TCase *tcase = tcase_create("round_trip");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, printed_and_parsed_again_it_is_the_same_query, 0, 4);
    tcase_add_test(tcase, different_queries_are_not_equal);
    suite_add_tcase(suite, tcase);
    return suite;
}
