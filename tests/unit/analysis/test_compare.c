/* SPDX-License-Identifier: Apache-2.0
 *
 * Two sides compared: tests of chance against values worked out by hand and against enumeration; merged call trees; planted
 * differences that must be found; and samples of one population, in which nothing may be found more often than is said. */
#include "tests/support/check_main.h"
#include "tests/unit/analysis/traces.h"

#include <math.h>
#include <stdio.h>

#define ARENA_BYTES ((size_t)256 << 20)

/* ---- two proportions ---- */

static double choose(unsigned n, unsigned k)
{
    double result = 1;
    for (unsigned i = 0; i < k; i++)
        result = result * (n - i) / (i + 1);
    return result;
}

START_TEST(fisher_gives_values_that_are_known)
{
    /* the lady tasting tea; a table of textbooks; all against none: 2 / C(10, 5) and 2 / C(20, 10) */
    ck_assert_double_eq_tol(sp_fisher_exact(3, 4, 1, 4), 34.0 / 70, 1e-12);
    ck_assert_double_eq_tol(sp_fisher_exact(1, 10, 11, 14), 0.0027594561852200836, 1e-12);
    ck_assert_double_eq_tol(sp_fisher_exact(0, 5, 5, 5), 2.0 / 252, 1e-12);
    ck_assert_double_eq_tol(sp_fisher_exact(10, 10, 0, 10), 2.0 / 184756, 1e-15);
    ck_assert_double_eq(sp_fisher_exact(0, 0, 5, 5), 1);
    ck_assert_double_eq(sp_fisher_exact(0, 7, 0, 5), 1);
    ck_assert_double_eq_tol(sp_fisher_exact(50000, 100000, 50000, 100000), 1, 1e-9);
    ck_assert_double_lt(sp_fisher_exact(90000, 100000, 10000, 100000), 1e-300);
}
END_TEST

START_TEST(fisher_agrees_with_enumeration)
{
    for (unsigned a = 1; a <= 12; a++)
        for (unsigned b = 1; b <= 9; b++)
            for (unsigned hits = 1; hits < a + b; hits++) {
                unsigned least = hits > b ? hits - b : 0, most = hits < a ? hits : a;
                double smallest = 1;
                for (unsigned x = least; x <= most; x++) {
                    double seen = choose(a, x) * choose(b, hits - x), sum = 0;
                    for (unsigned k = least; k <= most; k++) {
                        double other = choose(a, k) * choose(b, hits - k);
                        sum += other <= seen * (1 + 1e-9) ? other : 0;
                    }
                    double p = sum / choose(a + b, hits);
                    ck_assert_double_eq_tol(sp_fisher_exact(x, a, hits - x, b), p, 1e-9);
                    smallest = p < smallest ? p : smallest;
                }
                ck_assert_double_eq_tol(sp_fisher_least(hits, a, b), smallest, 1e-9);
            }
}
END_TEST

/* ---- ranks ---- */

static void fill(struct sp_histogram *histogram, const uint64_t *values, size_t count)
{
    *histogram = (struct sp_histogram){0};
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(sp_histogram_add(histogram, values[i], 1), SP_OK);
}

static double wins(const uint64_t *a, size_t m, const uint64_t *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            sum += b[j] > a[i] ? 1 : b[j] == a[i] ? 0.5 : 0;
    return sum;
}

/* The share of all ways to deal 14 values into 7 and 7 that lie at least as far out. */
static double exact_p(const uint64_t *all)
{
    uint64_t a[14], b[14];
    double seen = fabs(wins(all, 7, all + 7, 7) - 24.5);
    unsigned count = 0, out = 0;
    for (unsigned mask = 0; mask < 1u << 14; mask++) {
        size_t m = 0, n = 0;
        if (__builtin_popcount(mask) != 7)
            continue;
        for (unsigned i = 0; i < 14; i++)
            *(mask >> i & 1 ? &a[m++] : &b[n++]) = all[i];
        count++;
        out += fabs(wins(a, 7, b, 7) - 24.5) >= seen - 1e-9;
    }
    return (double)out / count;
}

START_TEST(rank_test_agrees_with_all_permutations)
{
    random_state = (uint64_t)_i;
    for (int round = 0; round < 10; round++) {
        uint64_t values[14];
        struct sp_histogram a, b;
        uint64_t range = _i % 2 ? 6 : 14; /* many ties, few ties */
        for (size_t i = 0; i < 14; i++)
            values[i] = random_u64() % range + (i >= 7 ? random_below(5) : 0);
        fill(&a, values, 7);
        fill(&b, values + 7, 7);
        struct sp_rank_test test = sp_rank_test(&a, 0, &b, 0);
        ck_assert_double_eq_tol(test.superiority, wins(values, 7, values + 7, 7) / 49, 1e-12);
        if (test.is_tested)
            ck_assert_double_eq_tol(test.p, exact_p(values), 0.02 + 0.06 * test.p);
        sp_histogram_fini(&a);
        sp_histogram_fini(&b);
    }
}
END_TEST

START_TEST(rank_test_by_hand)
{
    static const uint64_t low[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
                          high[] = {11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
    struct sp_histogram a, b;
    fill(&a, low, 10);
    fill(&b, high, 10);
    struct sp_rank_test test = sp_rank_test(&a, 0, &b, 0);
    /* U = 100, mean 50, variance 10 * 10 * 21 / 12 = 175: z = 49.5 / 13.2288 = 3.74185 */
    ck_assert(test.is_tested);
    ck_assert_double_eq(test.superiority, 1);
    ck_assert_double_eq_tol(test.p, erfc(49.5 / sqrt(175) / sqrt(2)), 1e-12);
    ck_assert_double_eq_tol(test.p, 0.000182672, 1e-9);
    /* zeros that stand beside: one value of 1,000 in 10 says nothing, however improbable a normal distribution finds it */
    test = sp_rank_test(&b, 0, &a, 1000);
    ck_assert_double_eq(test.superiority, 0);
    struct sp_histogram one = {0}, none = {0};
    ck_assert_int_eq(sp_histogram_add(&one, 5, 1), SP_OK);
    test = sp_rank_test(&one, 9, &none, 990);
    ck_assert(!test.is_tested);
    ck_assert_double_eq(test.p, 1);
    ck_assert(!sp_rank_test(&none, 0, &a, 0).is_tested);
    sp_histogram_fini(&one);
    sp_histogram_fini(&a);
    sp_histogram_fini(&b);
}
END_TEST

START_TEST(false_discovery_rates_by_hand)
{
    const double p[] = {0.01, 0.04, NAN, 0.03, 0.005, 0.9};
    double q[6];
    uint32_t scratch[6];
    sp_false_discovery_rates(p, 6, scratch, q);
    /* 0.005 * 5 / 1, 0.01 * 5 / 2, 0.03 * 5 / 3, 0.04 * 5 / 4, 0.9, each at most the next */
    const double expected[] = {0.025, 0.05, NAN, 0.05, 0.025, 0.9};
    for (int i = 0; i < 6; i++)
        if (i == 2)
            ck_assert(isnan(q[i]));
        else
            ck_assert_double_eq_tol(q[i], expected[i], 1e-12);
}
END_TEST

/* ---- samples ---- */

/* How a trace of a sample is made. */
struct recipe {
    double slow_share; /* traces that call "slow" */
    uint64_t work_ns;  /* mean self time of "cart" */
    uint32_t repeats;  /* calls of "db" under cart */
    double vip_share;  /* traces with tier=vip */
};

static double random_unit(void)
{
    return (double)(random_u64() >> 11) * 0x1p-53;
}

static struct sp_trace make_sample(struct sp_arena *arena, const struct recipe *recipe,
                                   uint32_t number)
{
    struct span_row rows[32];
    size_t count = 0;
    memset(rows, 0, sizeof rows);
    rows[count++] =
        (struct span_row){.id = 1, .service = "web", .kind = SP_KIND_SERVER, .end = 100000000};
    /* heavy tails, as latencies have */
    uint64_t work =
        (uint64_t)((double)recipe->work_ns * -log(1 - random_unit()) * -log(1 - random_unit()));
    rows[count++] = (struct span_row){.id = 2,
                                      .parent = 1,
                                      .service = "cart",
                                      .kind = SP_KIND_SERVER,
                                      .start = 1,
                                      .end = 1 + work};
    rows[0].end = work + 1000; /* cart's time is no one else's */
    uint32_t repeats = recipe->repeats + random_below(4);
    for (uint32_t i = 0; i < repeats && i < 20; i++)
        rows[count++] =
            (struct span_row){.id = 10 + i, .parent = 2, .service = "db", .kind = SP_KIND_SERVER};
    if (random_unit() < recipe->slow_share)
        rows[count++] = (struct span_row){
            .id = 3, .parent = 1, .service = "slow", .kind = SP_KIND_SERVER, .start = 5, .end = 90};
    static const char *const values[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    rows[0].attributes[0][0] = "region";
    rows[0].attributes[0][1] = values[random_below(8)];
    rows[0].attributes[1][0] = "version";
    rows[0].attributes[1][1] = values[random_below(3)];
    rows[0].attributes[2][0] = "tier";
    rows[0].attributes[2][1] = random_unit() < recipe->vip_share ? "vip" : "free";
    rows[0].attributes[3][0] = "rare";
    rows[0].attributes[3][1] = random_below(20) ? "no" : values[random_below(8)];
    struct sp_batch batch = make_batch(arena, rows, count);
    for (size_t i = 0; i < count; i++) {
        struct sp_span *span = (struct sp_span *)(uintptr_t)&batch.spans[i];
        span->trace_id.bytes[14] = (uint8_t)(number >> 8);
        span->trace_id.bytes[15] = (uint8_t)number;
    }
    struct sp_trace trace;
    ck_assert_int_eq(sp_trace_assemble(arena, &batch, &trace), SP_OK);
    return trace;
}

struct compared {
    struct sp_value_counts values;
    struct sp_call_tree tree;
    struct sp_findings by_value, presence, self_time, repeats;
};

static void compare(struct sp_arena *arena, const struct recipe recipes[2],
                    const uint32_t counts[2], struct compared *c)
{
    struct sp_arena scratch;
    sp_arena_init(&scratch, ARENA_BYTES);
    ck_assert_int_eq(sp_value_counts_init(&c->values, ARENA_BYTES), SP_OK);
    ck_assert_int_eq(sp_call_tree_init(&c->tree, true, ARENA_BYTES), SP_OK);
    for (int side = 0; side < 2; side++)
        for (uint32_t i = 0; i < counts[side]; i++) {
            sp_arena_reset(&scratch);
            struct sp_trace trace = make_sample(&scratch, &recipes[side], i + 1);
            ck_assert_int_eq(sp_value_counts_add(&c->values, side, &trace, NULL), SP_OK);
            ck_assert_int_eq(sp_call_tree_add(&c->tree, side, &trace, &scratch), SP_OK);
        }
    ck_assert_int_eq(sp_findings_values(&c->values, arena, &c->by_value), SP_OK);
    ck_assert_int_eq(sp_findings_calls(&c->tree, SP_CALL_PRESENCE, arena, &c->presence), SP_OK);
    ck_assert_int_eq(sp_findings_calls(&c->tree, SP_CALL_SELF_TIME, arena, &c->self_time), SP_OK);
    ck_assert_int_eq(sp_findings_calls(&c->tree, SP_CALL_REPEATS, arena, &c->repeats), SP_OK);
    sp_arena_fini(&scratch);
}

static void compared_fini(struct compared *c)
{
    sp_value_counts_fini(&c->values);
    sp_call_tree_fini(&c->tree);
}

static const struct sp_call_node *node_of(const struct compared *c,
                                          const struct sp_findings *findings, size_t i)
{
    return &c->tree.nodes[findings->rows[i].index];
}

START_TEST(planted_differences_are_found_and_come_first)
{
    static const struct recipe recipes[2] = {{0, 1000000, 1, 0.1}, {0.3, 3000000, 8, 0.6}};
    static const uint32_t counts[2] = {300, 200};
    struct sp_arena arena;
    struct compared c;
    sp_arena_init(&arena, ARENA_BYTES);
    random_state = 1000 + (uint64_t)_i;
    compare(&arena, recipes, counts, &c);

    /* tier=vip and tier=free, by 50 points each; then the name of the service that is new */
    ck_assert_uint_ge(c.by_value.found_count, 3);
    for (size_t i = 0; i < 2; i++) {
        const struct sp_value_count *value = &c.values.values[c.by_value.rows[i].index];
        ck_assert(sp_slice_equal_cstr(c.values.keys[value->key].key, "tier"));
        ck_assert_double_eq_tol(fabs(c.by_value.rows[i].difference), 0.5, 0.12);
        ck_assert_double_gt(c.by_value.rows[i].log_odds * c.by_value.rows[i].difference, 0);
        ck_assert(!sp_trace_id_is_zero(&value->exemplars[1]));
    }
    ck_assert_uint_eq(c.presence.found_count, 1);
    ck_assert(sp_slice_equal_cstr(node_of(&c, &c.presence, 0)->service, "slow"));
    ck_assert_double_eq(c.presence.rows[0].a, 0);
    ck_assert_double_eq_tol(c.presence.rows[0].b, 0.3, 0.12);
    ck_assert(sp_slice_equal_cstr(node_of(&c, &c.self_time, 0)->service, "cart"));
    ck_assert(c.self_time.rows[0].is_found);
    ck_assert_double_gt(c.self_time.rows[0].superiority, 0.6);
    ck_assert_double_gt(c.self_time.rows[0].difference, 500000);
    ck_assert(sp_slice_equal_cstr(node_of(&c, &c.repeats, 0)->service, "db"));
    ck_assert(c.repeats.rows[0].is_found);
    ck_assert_double_eq_tol(c.repeats.rows[0].difference, 7, 0.7);
    compared_fini(&c);
    sp_arena_fini(&arena);
}
END_TEST

/* Both samples from one population: of 300 comparisons of each kind at most 5 %, and what chance may add to that (the binomial
 * distribution stays below 27 of 300 with 99.9 %), find anything at all. */
START_TEST(nothing_is_found_where_nothing_is)
{
    static const uint32_t sizes[3][2] = {{40, 40}, {20, 120}, {150, 12}};
    struct sp_arena arena;
    unsigned found[4] = {0};
    sp_arena_init(&arena, ARENA_BYTES);
    random_state = 77 + (uint64_t)_i;
    for (int round = 0; round < 300; round++) {
        struct recipe recipe = {0.2, 1000000, 1 + random_below(4), 0.3};
        const struct recipe recipes[2] = {recipe, recipe};
        struct compared c;
        sp_arena_reset(&arena);
        compare(&arena, recipes, sizes[_i], &c);
        found[0] += c.by_value.found_count > 0;
        found[1] += c.presence.found_count > 0;
        found[2] += c.self_time.found_count > 0;
        found[3] += c.repeats.found_count > 0;
        compared_fini(&c);
    }
    for (int i = 0; i < 4; i++)
        ck_assert_msg(found[i] <= 27, "kind %d: %u of 300", i, found[i]);
    sp_arena_fini(&arena);
}
END_TEST

/* ---- trees ---- */

START_TEST(trees_of_two_traces_are_merged_by_path)
{
    static const struct span_row left[] = {
        {1, 0, "web", SP_KIND_SERVER, 0, 100}, {2, 1, "cart", SP_KIND_SERVER, 10, 40},
        {3, 2, "db", SP_KIND_CLIENT, 15, 20},  {4, 2, "db", SP_KIND_CLIENT, 25, 30},
        {5, 1, "old", SP_KIND_SERVER, 50, 60}, {4, 2, "db", SP_KIND_CLIENT, 26, 30}};
    static const struct span_row right[] = {
        {1, 0, "web", SP_KIND_SERVER, 0, 200},
        {2, 1, "cart", SP_KIND_SERVER, 10, 40},
        {3, 2, "db", SP_KIND_CLIENT, 15, 20, SP_SPAN_STATUS_ERROR},
        {4, 1, "new", SP_KIND_SERVER, 50, 60},
        {5, 1, "cart", SP_KIND_SERVER, 70, 90},
        {6, 5, "db", SP_KIND_SERVER, 75, 80}};
    struct sp_arena arena;
    struct sp_call_tree tree;
    uint32_t *order;
    char text[600] = "";
    sp_arena_init(&arena, ARENA_BYTES);
    ck_assert_int_eq(sp_call_tree_init(&tree, false, ARENA_BYTES), SP_OK);
    for (int side = 0; side < 2; side++) {
        struct sp_trace trace;
        struct sp_batch batch = make_batch(&arena, side ? right : left, 6);
        ck_assert_int_eq(sp_trace_assemble(&arena, &batch, &trace), SP_OK);
        ck_assert_int_eq(sp_call_tree_add(&tree, side, &trace, &arena), SP_OK);
    }
    ck_assert_int_eq(sp_call_tree_order(&tree, &arena, &order), SP_OK);
    for (uint32_t i = 0; i < tree.node_count; i++) {
        const struct sp_call_node *node = &tree.nodes[order[i]];
        snprintf(
            text + strlen(text), sizeof text - strlen(text),
            "%u %.*s/%d %lu:%lu:%lu:%lu %lu:%lu:%lu:%lu\n", node->depth,
            SP_SLICE_PRINTF(node->service), node->kind, (unsigned long)node->sides[0].call_count,
            (unsigned long)node->sides[0].error_count, (unsigned long)node->sides[0].duration_ns,
            (unsigned long)node->sides[0].self_ns, (unsigned long)node->sides[1].call_count,
            (unsigned long)node->sides[1].error_count, (unsigned long)node->sides[1].duration_ns,
            (unsigned long)node->sides[1].self_ns);
    }
    ck_assert_str_eq(text, "0 web/2 1:0:100:60 1:0:200:140\n"
                           "1 cart/2 1:0:30:20 2:0:50:40\n"
                           "2 db/3 2:0:10:10 1:1:5:5\n"
                           "2 db/2 0:0:0:0 1:0:5:5\n"
                           "1 old/2 1:0:10:10 0:0:0:0\n"
                           "1 new/2 0:0:0:0 1:0:10:10\n");
    ck_assert_uint_eq(tree.duplicate_count, 1);
    sp_call_tree_fini(&tree);
    sp_arena_fini(&arena);
}
END_TEST

/* Every span that is no duplicate is in exactly one node; sums are those of the rows, whatever the shape. */
START_TEST(trees_lose_nothing)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct sp_arena arena;
        struct sp_call_tree tree;
        uint64_t calls[2] = {0}, self[2] = {0}, duplicates = 0;
        sp_arena_init(&arena, ARENA_BYTES);
        random_state = seed;
        ck_assert_int_eq(sp_call_tree_init(&tree, seed % 2, ARENA_BYTES), SP_OK);
        for (int round = 0; round < 6; round++) {
            struct sp_trace trace;
            struct sp_batch batch = random_trace(&arena, 40, true);
            ck_assert_int_eq(sp_trace_assemble(&arena, &batch, &trace), SP_OK);
            ck_assert_int_eq(sp_call_tree_add(&tree, round % 2, &trace, &arena), SP_OK);
            for (uint32_t row = 0; row < trace.row_count; row++) {
                bool duplicate = trace.rows[row].flags & SP_ROW_DUPLICATE;
                duplicates += duplicate;
                calls[round % 2] += !duplicate;
                self[round % 2] += duplicate ? 0 : trace.rows[row].self_ns;
            }
        }
        for (uint32_t i = 0; i < tree.node_count; i++)
            for (int side = 0; side < 2; side++) {
                const struct sp_call_side *sums = &tree.nodes[i].sides[side];
                calls[side] -= sums->call_count;
                self[side] -= sums->self_ns;
                ck_assert_uint_le(sums->trace_count, tree.trace_counts[side]);
                if (tree.is_sample) {
                    ck_assert_uint_eq(sums->self_by_trace->count, sums->trace_count);
                    ck_assert_uint_eq(sums->self_by_trace->sum_ns, sums->self_ns);
                    ck_assert_uint_eq(sums->repeats_by_trace->count, sums->trace_count);
                }
            }
        ck_assert_uint_eq(calls[0] + calls[1], tree.left_out_calls);
        ck_assert_uint_eq(tree.left_out_calls + self[0] + self[1], 0);
        ck_assert_uint_eq(duplicates, tree.duplicate_count);
        sp_call_tree_fini(&tree);
        sp_arena_fini(&arena);
    }
}
END_TEST

START_TEST(values_beyond_their_limits_are_counted_as_left_out)
{
    struct sp_arena arena;
    struct sp_value_counts counts;
    struct sp_call_tree tree;
    sp_arena_init(&arena, ARENA_BYTES);
    ck_assert_int_eq(sp_value_counts_init(&counts, ARENA_BYTES), SP_OK);
    ck_assert_int_eq(sp_call_tree_init(&tree, true, ARENA_BYTES), SP_OK);
    static char names[SP_VALUE_COUNTS_KEY_VALUES_MAX + 5][16], text[SP_VALUE_COUNTS_BYTES_MAX + 2];
    memset(text, 'x', sizeof text - 1);
    for (uint32_t i = 0; i < SP_ARRAY_LEN(names); i++) {
        struct sp_trace trace;
        struct span_row row = {
            .id = 1, .service = "s", .attributes = {{"id", names[i]}, {"long", text}}};
        snprintf(names[i], sizeof names[i], "v%u", i);
        struct sp_batch batch = make_batch(&arena, &row, 1);
        ck_assert_int_eq(sp_trace_assemble(&arena, &batch, &trace), SP_OK);
        ck_assert_int_eq(sp_value_counts_add(&counts, i % 2, &trace, NULL), SP_OK);
    }
    ck_assert_uint_eq(counts.left_out_many, 5);
    ck_assert_uint_eq(counts.left_out_long, SP_ARRAY_LEN(names));
    bool is_cut = false;
    for (uint32_t i = 0; i < counts.key_count; i++)
        is_cut |= counts.keys[i].is_cut && sp_slice_equal_cstr(counts.keys[i].key, "id");
    ck_assert(is_cut);
    /* more different calls than a tree of samples takes */
    struct span_row *rows =
        must(sp_arena_calloc(&arena, SP_CALL_TREE_NODES_MAX + 10, sizeof *rows));
    for (uint32_t i = 0; i < SP_CALL_TREE_NODES_MAX + 10; i++)
        rows[i] = (struct span_row){.id = i + 1, .service = "s", .kind = (int32_t)i, .end = 1};
    struct sp_arena large;
    sp_arena_init(&large, (size_t)1 << 30);
    struct sp_batch batch = make_batch(&large, rows, SP_CALL_TREE_NODES_MAX + 10);
    struct sp_trace trace;
    ck_assert_int_eq(sp_trace_assemble(&large, &batch, &trace), SP_OK);
    ck_assert_int_eq(sp_call_tree_add(&tree, 0, &trace, &large), SP_OK);
    ck_assert_uint_eq(tree.node_count, SP_CALL_TREE_NODES_MAX);
    ck_assert_uint_eq(tree.left_out_calls, 10);
    sp_call_tree_fini(&tree);
    sp_value_counts_fini(&counts);
    sp_arena_fini(&large);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(sides_without_memory_say_so)
{
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    random_state = 5;
    static const struct recipe recipe = {1, 1000, 5, 0.5};
    struct sp_trace trace = make_sample(&arena, &recipe, 1);
    size_t refused = 0;
    for (size_t cap = 0;; cap += 200) {
        struct sp_value_counts counts;
        struct sp_call_tree tree;
        struct sp_arena small;
        struct sp_findings findings;
        sp_arena_init(&small, cap);
        enum sp_status status = sp_value_counts_init(&counts, cap);
        if (status == SP_OK)
            status = sp_value_counts_add(&counts, 0, &trace, NULL);
        if (status == SP_OK)
            status = sp_findings_values(&counts, &small, &findings);
        enum sp_status other = sp_call_tree_init(&tree, true, cap);
        if (other == SP_OK)
            other = sp_call_tree_add(&tree, 0, &trace, &small);
        if (other == SP_OK)
            other = sp_findings_calls(&tree, SP_CALL_PRESENCE, &small, &findings);
        sp_call_tree_fini(&tree);
        sp_value_counts_fini(&counts);
        sp_arena_fini(&small);
        if (status == SP_OK && other == SP_OK)
            break;
        ck_assert(status == SP_LIMIT || other == SP_LIMIT);
        refused++;
    }
    ck_assert_uint_gt(refused, 10);
    sp_arena_fini(&arena);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("analysis_compare");
    TCase *tcase = tcase_create("compare");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, fisher_gives_values_that_are_known);
    tcase_add_test(tcase, fisher_agrees_with_enumeration);
    tcase_add_loop_test(tcase, rank_test_agrees_with_all_permutations, 0, 6);
    tcase_add_test(tcase, rank_test_by_hand);
    tcase_add_test(tcase, false_discovery_rates_by_hand);
    tcase_add_loop_test(tcase, planted_differences_are_found_and_come_first, 0, 20);
    tcase_add_loop_test(tcase, nothing_is_found_where_nothing_is, 0, 3);
    tcase_add_test(tcase, trees_of_two_traces_are_merged_by_path);
    tcase_add_test(tcase, trees_lose_nothing);
    tcase_add_test(tcase, values_beyond_their_limits_are_counted_as_left_out);
    tcase_add_test(tcase, sides_without_memory_say_so);
    suite_add_tcase(suite, tcase);
    return suite;
}
