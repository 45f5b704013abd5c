/* SPDX-License-Identifier: Apache-2.0
 *
 * Assembly of traces against a brute-force oracle that knows only definitions, and against hand-made cases. */
#include "tests/support/check_main.h"
#include "tests/unit/analysis/traces.h"

#define ARENA_BYTES ((size_t)1 << 30)

/* ---- the oracle: quadratic and obvious ---- */

struct oracle {
    const struct sp_span *spans;
    uint32_t count;
    uint32_t *order;  /* spans by start, id, ... */
    uint32_t *parent; /* index into spans, or SP_ROW_NONE */
    uint32_t *flags;
    uint32_t *rows; /* spans depth first */
    uint32_t row_count;
};

static bool comes_before(const struct sp_span *a, const struct sp_span *b)
{
    if (a->start_unix_ns != b->start_unix_ns)
        return a->start_unix_ns < b->start_unix_ns;
    int ids = sp_span_id_compare(&a->span_id, &b->span_id);
    if (ids != 0)
        return ids < 0;
    if (a->end_unix_ns != b->end_unix_ns)
        return a->end_unix_ns < b->end_unix_ns;
    if (a->kind != b->kind)
        return a->kind < b->kind;
    if (a->status_code != b->status_code)
        return a->status_code < b->status_code;
    int services = sp_slice_compare(sp_span_service(a), sp_span_service(b));
    return services != 0 ? services < 0 : a < b;
}

static bool halves(const struct sp_span *a, const struct sp_span *b)
{
    return a->kind + b->kind == SP_KIND_CLIENT + SP_KIND_SERVER &&
           (a->kind == SP_KIND_CLIENT || b->kind == SP_KIND_CLIENT);
}

/* The first span with an id, and the first that is its other half. */
static void find_group(const struct oracle *o, const struct sp_span_id *id, uint32_t *first,
                       uint32_t *other)
{
    *first = *other = SP_ROW_NONE;
    for (uint32_t i = 0; i < o->count; i++) {
        uint32_t at = o->order[i];
        if (sp_span_id_compare(&o->spans[at].span_id, id) != 0)
            continue;
        if (*first == SP_ROW_NONE)
            *first = at;
        else if (*other == SP_ROW_NONE && halves(&o->spans[*first], &o->spans[at]))
            *other = at;
    }
}

static void oracle_parents(struct oracle *o)
{
    for (uint32_t i = 0; i < o->count; i++) {
        const struct sp_span *span = &o->spans[i];
        uint32_t first, other;
        o->parent[i] = SP_ROW_NONE;
        find_group(o, &span->span_id, &first, &other);
        if (i != first && i != other)
            o->flags[i] |= SP_ROW_DUPLICATE;
        if (other != SP_ROW_NONE && (i == first || i == other) && span->kind == SP_KIND_SERVER) {
            o->parent[i] = i == first ? other : first;
            continue;
        }
        if (sp_span_id_is_zero(&span->parent_span_id))
            continue;
        find_group(o, &span->parent_span_id, &first, &other);
        if (first == SP_ROW_NONE)
            o->flags[i] |= SP_ROW_ORPHAN;
        else if (other != SP_ROW_NONE && o->spans[first].kind == SP_KIND_CLIENT)
            o->parent[i] = other;
        else
            o->parent[i] = first;
    }
}

static void oracle_cut_cycles(struct oracle *o)
{
    for (uint32_t i = 0; i < o->count; i++) {
        uint32_t at = o->order[i]; /* the first of its cycle, because in order */
        uint32_t up = o->parent[at];
        for (uint32_t n = 0; n < o->count && up != SP_ROW_NONE && up != at; n++)
            up = o->parent[up];
        if (up != at)
            continue;
        o->parent[at] = SP_ROW_NONE;
        o->flags[at] |= SP_ROW_CYCLE;
    }
}

static void oracle_visit(struct oracle *o, uint32_t at)
{
    o->rows[o->row_count++] = at;
    for (uint32_t i = 0; i < o->count; i++)
        if (o->parent[o->order[i]] == at)
            oracle_visit(o, o->order[i]);
}

static void oracle_run(struct sp_arena *arena, const struct sp_batch *batch, struct oracle *o)
{
    *o = (struct oracle){.spans = batch->spans, .count = (uint32_t)batch->span_count};
    o->order = must(sp_arena_calloc(arena, o->count, sizeof(uint32_t)));
    o->parent = must(sp_arena_calloc(arena, o->count, sizeof(uint32_t)));
    o->flags = must(sp_arena_calloc(arena, o->count, sizeof(uint32_t)));
    o->rows = must(sp_arena_calloc(arena, o->count, sizeof(uint32_t)));
    for (uint32_t i = 0; i < o->count; i++) {
        uint32_t place = 0;
        for (uint32_t j = 0; j < o->count; j++)
            place += j != i && comes_before(&o->spans[j], &o->spans[i]);
        o->order[place] = i;
    }
    oracle_parents(o);
    oracle_cut_cycles(o);
    for (int detached = 0; detached < 2; detached++)
        for (uint32_t i = 0; i < o->count; i++) {
            uint32_t at = o->order[i];
            bool is_detached = o->flags[at] & (SP_ROW_ORPHAN | SP_ROW_CYCLE);
            if (o->parent[at] == SP_ROW_NONE && is_detached == detached)
                oracle_visit(o, at);
        }
    ck_assert_uint_eq(o->row_count, o->count);
}

/* Nanoseconds of the span that no child covers, counted one by one. */
static uint64_t oracle_self(const struct oracle *o, uint32_t at)
{
    uint64_t self = 0;
    for (uint64_t t = o->spans[at].start_unix_ns; t < o->spans[at].end_unix_ns; t++) {
        bool covered = false;
        for (uint32_t i = 0; i < o->count; i++)
            covered |=
                o->parent[i] == at && o->spans[i].start_unix_ns <= t && t < o->spans[i].end_unix_ns;
        self += !covered;
    }
    return self;
}

static uint32_t oracle_row(const struct oracle *o, uint32_t span)
{
    for (uint32_t row = 0; row < o->row_count; row++)
        if (o->rows[row] == span)
            return row;
    return SP_ROW_NONE;
}

static void compare_with_oracle(const struct oracle *o, const struct sp_trace *trace)
{
    uint32_t errors = 0, cycles = 0, orphans = 0, duplicates = 0;
    ck_assert_uint_eq(trace->row_count, o->count);
    for (uint32_t row = 0; row < trace->row_count; row++) {
        const struct sp_trace_row *got = &trace->rows[row];
        uint32_t at = o->rows[row];
        ck_assert_ptr_eq(got->span, &o->spans[at]);
        uint32_t parent = o->parent[at];
        ck_assert_uint_eq(got->parent, parent == SP_ROW_NONE ? SP_ROW_NONE : oracle_row(o, parent));
        ck_assert_uint_eq(got->depth,
                          parent == SP_ROW_NONE ? 0 : trace->rows[got->parent].depth + 1);
        ck_assert_uint_eq(got->flags & (SP_ROW_ORPHAN | SP_ROW_CYCLE | SP_ROW_DUPLICATE),
                          o->flags[at]);
        ck_assert_uint_eq(got->self_ns, oracle_self(o, at));
        uint32_t size = 1;
        bool error_below = false;
        while (row + size < o->count && trace->rows[row + size].depth > got->depth) {
            error_below |= o->spans[o->rows[row + size]].status_code == SP_SPAN_STATUS_ERROR;
            size++;
        }
        ck_assert_uint_eq(got->subtree_size, size);
        ck_assert_int_eq(!!(got->flags & SP_ROW_ERROR_BELOW), error_below);
        ck_assert_uint_eq(got->first_child, size > 1 ? row + 1 : SP_ROW_NONE);
        if (got->next_sibling != SP_ROW_NONE) {
            ck_assert_uint_eq(got->next_sibling, row + size);
            ck_assert_uint_eq(trace->rows[row + size].parent, got->parent);
        }
        errors += o->spans[at].status_code == SP_SPAN_STATUS_ERROR;
        cycles += (o->flags[at] & SP_ROW_CYCLE) != 0;
        orphans += (o->flags[at] & SP_ROW_ORPHAN) != 0;
        duplicates += (o->flags[at] & SP_ROW_DUPLICATE) != 0;
    }
    ck_assert_uint_eq(trace->error_count, errors);
    ck_assert_uint_eq(trace->cycle_count, cycles);
    ck_assert_uint_eq(trace->orphan_count, orphans);
    ck_assert_uint_eq(trace->duplicate_count, duplicates);
}

/* ---- tests ---- */

static struct sp_trace assemble(struct sp_arena *arena, const struct sp_batch *batch)
{
    struct sp_trace trace;
    ck_assert_int_eq(sp_trace_assemble(arena, batch, &trace), SP_OK);
    return trace;
}

START_TEST(assemble_agrees_with_the_definitions_on_random_traces)
{
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    for (uint64_t seed = 0; seed < 400; seed++) {
        random_state = 1000 * (uint64_t)_i + seed;
        sp_arena_reset(&arena);
        struct sp_batch batch = random_trace(&arena, 1 + (uint32_t)seed % 40, seed % 5 != 0);
        struct oracle oracle;
        oracle_run(&arena, &batch, &oracle);
        struct sp_trace trace = assemble(&arena, &batch);
        compare_with_oracle(&oracle, &trace);
    }
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(assemble_does_not_depend_on_the_order_of_arrival)
{
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    for (uint64_t seed = 0; seed < 300; seed++) {
        random_state = seed;
        sp_arena_reset(&arena);
        struct sp_batch batch = random_trace(&arena, 60, true);
        struct sp_batch other = shuffle(&arena, batch);
        struct sp_trace a = assemble(&arena, &batch), b = assemble(&arena, &other);
        ck_assert_uint_eq(a.cycle_count, b.cycle_count);
        ck_assert_uint_eq(a.root_count, b.root_count);
        for (uint32_t row = 0; row < a.row_count; row++) {
            struct sp_trace_row left = a.rows[row], right = b.rows[row];
            ck_assert_int_eq(sp_span_id_compare(&left.span->span_id, &right.span->span_id), 0);
            ck_assert_uint_eq(left.span->start_unix_ns, right.span->start_unix_ns);
            left.span = right.span = NULL;
            ck_assert_mem_eq(&left, &right, sizeof left);
        }
    }
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(assemble_puts_roots_first_then_orphans)
{
    static const struct span_row rows[] = {
        {.id = 5, .parent = 99, .start = 1, .end = 2},
        {.id = 2, .start = 30, .end = 40},
        {.id = 1, .start = 20, .end = 50},
        {.id = 3, .parent = 1, .start = 21, .end = 22, .status = SP_SPAN_STATUS_ERROR},
    };
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    struct sp_batch batch = make_batch(&arena, rows, SP_ARRAY_LEN(rows));
    struct sp_trace trace = assemble(&arena, &batch);
    static const uint32_t ids[] = {1, 3, 2, 5};
    for (uint32_t row = 0; row < 4; row++)
        ck_assert_uint_eq(small_number(&trace.rows[row].span->span_id), ids[row]);
    ck_assert_uint_eq(trace.root_count, 2);
    ck_assert_uint_eq(trace.orphan_count, 1);
    ck_assert_uint_eq(trace.rows[3].flags, SP_ROW_ORPHAN);
    ck_assert_uint_eq(trace.rows[0].flags, SP_ROW_ERROR_BELOW);
    ck_assert_uint_eq(trace.rows[0].next_sibling, 2);
    ck_assert_uint_eq(trace.rows[2].next_sibling, 3);
    ck_assert_uint_eq(trace.start_unix_ns, 1);
    ck_assert_uint_eq(trace.end_unix_ns, 50);
    ck_assert_uint_eq(trace.depth_max, 1);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(assemble_cuts_a_cycle_at_its_first_span)
{
    static const struct span_row rows[] = {
        {.id = 1, .parent = 3, .start = 10, .end = 20},
        {.id = 2, .parent = 1, .start = 5, .end = 20},
        {.id = 3, .parent = 2, .start = 7, .end = 20},
        {.id = 4, .parent = 4, .start = 8, .end = 9},
        {.id = 5, .parent = 1, .start = 11, .end = 12},
    };
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    struct sp_batch batch = make_batch(&arena, rows, SP_ARRAY_LEN(rows));
    struct sp_trace trace = assemble(&arena, &batch);
    static const uint32_t ids[] = {2, 3, 1, 5, 4};
    for (uint32_t row = 0; row < 5; row++)
        ck_assert_uint_eq(small_number(&trace.rows[row].span->span_id), ids[row]);
    ck_assert_uint_eq(trace.cycle_count, 2);
    ck_assert_uint_eq(trace.root_count, 0);
    ck_assert_uint_eq(trace.rows[0].flags, SP_ROW_CYCLE);
    ck_assert_uint_eq(trace.rows[4].flags, SP_ROW_CYCLE);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(assemble_hangs_the_server_half_of_a_shared_span_from_the_client_half)
{
    static const struct span_row rows[] = {
        {.id = 1, .kind = SP_KIND_SERVER, .start = 0, .end = 100},
        {.id = 2, .parent = 1, .kind = SP_KIND_CLIENT, .start = 10, .end = 90},
        {.id = 2, .parent = 1, .kind = SP_KIND_SERVER, .start = 9, .end = 80},
        {.id = 3, .parent = 2, .kind = SP_KIND_INTERNAL, .start = 30, .end = 70},
    };
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    struct sp_batch batch = make_batch(&arena, rows, SP_ARRAY_LEN(rows));
    struct sp_trace trace = assemble(&arena, &batch);
    static const int32_t kinds[] = {SP_KIND_SERVER, SP_KIND_CLIENT, SP_KIND_SERVER,
                                    SP_KIND_INTERNAL};
    for (uint32_t row = 0; row < 4; row++) {
        ck_assert_int_eq(trace.rows[row].span->kind, kinds[row]);
        ck_assert_uint_eq(trace.rows[row].depth, row);
    }
    ck_assert_uint_eq(trace.duplicate_count, 0);
    sp_arena_fini(&arena);
}
END_TEST

/* A chain, or a fan, of count spans. */
static struct sp_batch big_trace(struct sp_arena *arena, uint32_t count, bool chain)
{
    struct sp_span *spans = must(sp_arena_calloc(arena, count, sizeof *spans));
    const struct sp_resource *resource = make_resource(arena, "s");
    static const struct sp_scope scope;
    for (uint32_t i = 0; i < count; i++)
        spans[i] = (struct sp_span){.trace_id = {{1}},
                                    .span_id = small_id(i + 1),
                                    .parent_span_id = small_id(chain ? i : i > 0),
                                    .start_unix_ns = 1000 + i,
                                    .end_unix_ns = 1000 + 2 * (uint64_t)count - i,
                                    .resource = resource,
                                    .scope = &scope};
    return (struct sp_batch){.spans = spans, .span_count = count};
}

START_TEST(assemble_takes_a_million_spans_in_one_chain_and_in_one_fan)
{
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    uint32_t count = 1000000;
    struct sp_batch batch = big_trace(&arena, count, _i == 0);
    struct sp_trace trace = assemble(&arena, &batch);
    ck_assert_uint_eq(trace.row_count, count);
    ck_assert_uint_eq(trace.depth_max, _i == 0 ? count - 1 : 1);
    ck_assert_uint_eq(trace.rows[0].subtree_size, count);
    ck_assert_uint_eq(trace.root_count, 1);
    struct sp_critical_path path;
    ck_assert_int_eq(sp_critical_path(&arena, &trace, &path), SP_OK);
    ck_assert_ptr_null(path.note);
    ck_assert_uint_gt(path.segment_count, 0);
    const struct sp_graph_call *calls;
    size_t call_count;
    ck_assert_int_eq(sp_graph_calls(&arena, &trace, &calls, &call_count), SP_OK);
    ck_assert_uint_eq(call_count, 0);
    sp_arena_fini(&arena);
}
END_TEST

/* Multiples of the inverse of a constant that tables are often placed by, without a seed: there they all have one place. It is the end of the
 * test's time that says so. */
START_TEST(assemble_takes_a_million_ids_that_were_chosen_to_fall_together)
{
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    uint32_t count = 1000000;
    struct sp_batch batch = big_trace(&arena, count, false);
    struct sp_span *spans = must(sp_arena_calloc(&arena, count, sizeof *spans));
    for (uint32_t i = 0; i < count; i++) {
        spans[i] = batch.spans[i];
        uint64_t id = (i + 1) * UINT64_C(0xf1de83e19937733d);
        for (int byte = SP_SPAN_ID_BYTES - 1; byte >= 0; byte--, id >>= 8)
            spans[i].span_id.bytes[byte] = (uint8_t)id;
        spans[i].parent_span_id = i > 0 ? spans[0].span_id : (struct sp_span_id){{0}};
    }
    batch.spans = spans;
    struct sp_trace trace = assemble(&arena, &batch);
    ck_assert_uint_eq(trace.row_count, count);
    ck_assert_uint_eq(trace.rows[0].subtree_size, count);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(assemble_of_nothing_is_empty)
{
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    struct sp_batch batch = {0};
    struct sp_trace trace = assemble(&arena, &batch);
    ck_assert_uint_eq(trace.row_count, 0);
    ck_assert_uint_eq(trace.start_unix_ns, 0);
    ck_assert_uint_eq(trace.end_unix_ns, 0);
    sp_arena_fini(&arena);
}
END_TEST

/* Every cap from nothing up to success: each allocation fails once. */
START_TEST(assemble_path_and_calls_say_limit_when_the_arena_is_full)
{
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    random_state = 4;
    struct sp_batch batch = random_trace(&arena, 200, false);
    bool done = false;
    for (size_t cap = 0; !done; cap += 512) {
        struct sp_arena small;
        sp_arena_init(&small, cap);
        struct sp_trace trace;
        struct sp_critical_path path;
        const struct sp_graph_call *calls;
        size_t call_count;
        enum sp_status status = sp_trace_assemble(&small, &batch, &trace);
        if (status == SP_OK)
            status = sp_critical_path(&small, &trace, &path);
        if (status == SP_OK)
            status = sp_graph_calls(&small, &trace, &calls, &call_count);
        done = status == SP_OK;
        ck_assert(done || status == SP_LIMIT);
        ck_assert_uint_lt(cap, 1 << 20);
        sp_arena_fini(&small);
    }
    sp_arena_fini(&arena);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("analysis_assemble");
    TCase *tcase = tcase_create("assemble");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, assemble_agrees_with_the_definitions_on_random_traces, 0, 4);
    tcase_add_test(tcase, assemble_does_not_depend_on_the_order_of_arrival);
    tcase_add_test(tcase, assemble_puts_roots_first_then_orphans);
    tcase_add_test(tcase, assemble_cuts_a_cycle_at_its_first_span);
    tcase_add_test(tcase, assemble_hangs_the_server_half_of_a_shared_span_from_the_client_half);
    tcase_add_loop_test(tcase, assemble_takes_a_million_spans_in_one_chain_and_in_one_fan, 0, 2);
    tcase_add_test(tcase, assemble_takes_a_million_ids_that_were_chosen_to_fall_together);
    tcase_add_test(tcase, assemble_of_nothing_is_empty);
    tcase_add_test(tcase, assemble_path_and_calls_say_limit_when_the_arena_is_full);
    suite_add_tcase(suite, tcase);
    return suite;
}
