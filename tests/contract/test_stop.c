/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_stop.c: long reads end when their caller says so: wherever they are, with the caller's own status
 * and message; on both engines, from the head and from the database. */
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"

#include <stdio.h>

enum { TRACES = 12 };

/* Not a whole minute, so that counts have to read traces at both ends of a range. */
static const uint64_t begin_unix_ns = 1767268800ULL * 1000000000 + 7 * 1000000000ULL;
static const uint64_t minute_ns = 60ULL * 1000000000;

/* Says go on so many times, and then why not. */
struct patience {
    size_t asked, until;
    enum sp_status status;
};

static enum sp_status ask(void *cookie, struct sp_error *reterr)
{
    struct patience *patience = cookie;
    if (patience->asked++ < patience->until)
        return SP_OK;
    return sp_error_set(reterr, patience->status, "enough after %zu", patience->until);
}

static enum sp_status read_services(struct sp_store *store, struct sp_time_range range,
                                    const struct sp_stop *stop, struct sp_arena *arena,
                                    struct sp_error *reterr)
{
    const struct sp_service_row *rows;
    size_t count;
    return sp_store_services(store, range, stop, arena, &rows, &count, reterr);
}

static enum sp_status read_operations(struct sp_store *store, struct sp_time_range range,
                                      const struct sp_stop *stop, struct sp_arena *arena,
                                      struct sp_error *reterr)
{
    const struct sp_operation_row *rows;
    size_t count;
    return sp_store_operations(store, SP_SLICE(""), range, stop, arena, &rows, &count, reterr);
}

static enum sp_status read_keys(struct sp_store *store, struct sp_time_range range,
                                const struct sp_stop *stop, struct sp_arena *arena,
                                struct sp_error *reterr)
{
    const struct sp_key_row *rows;
    size_t count;
    bool complete;
    return sp_store_attribute_keys(store, SP_SCOPE_SPAN | SP_SCOPE_RESOURCE, SP_SLICE(""), range,
                                   stop, 100, arena, &rows, &count, &complete, reterr);
}

static enum sp_status read_values(struct sp_store *store, struct sp_time_range range,
                                  const struct sp_stop *stop, struct sp_arena *arena,
                                  struct sp_error *reterr)
{
    const struct sp_value_row *rows;
    size_t count;
    bool complete;
    return sp_store_attribute_values(store, SP_SCOPE_RESOURCE, SP_SLICE("service.name"),
                                     SP_SLICE(""), range, stop, 100, arena, &rows, &count,
                                     &complete, reterr);
}

static enum sp_status read_latency(struct sp_store *store, struct sp_time_range range,
                                   const struct sp_stop *stop, struct sp_arena *arena,
                                   struct sp_error *reterr)
{
    struct sp_latency_series *rows;
    size_t count;
    enum sp_status status = sp_store_latency(store, SP_SLICE(""), SP_SLICE(""), -1, range, stop,
                                             arena, &rows, &count, reterr);
    if (status == SP_OK)
        sp_latency_rows_fini(rows, count);
    return status;
}

static enum sp_status read_graph(struct sp_store *store, struct sp_time_range range,
                                 const struct sp_stop *stop, struct sp_arena *arena,
                                 struct sp_error *reterr)
{
    struct sp_graph_edge *edges;
    size_t count;
    enum sp_status status = sp_store_graph(store, range, stop, arena, &edges, &count, reterr);
    if (status == SP_OK)
        sp_graph_edges_fini(edges, count);
    return status;
}

static enum sp_status see_nothing(void *cookie, struct sp_sheet *sheet, struct sp_error *reterr)
{
    (void)cookie;
    (void)sheet;
    (void)reterr;
    return SP_OK;
}

static enum sp_status read_survey(struct sp_store *store, struct sp_time_range range,
                                  const struct sp_stop *stop, struct sp_arena *arena,
                                  struct sp_error *reterr)
{
    struct sp_scanned scanned;
    (void)arena;
    return sp_store_survey(store, &(struct sp_scan){.range = range},
                           &(struct sp_surveyor){.visit = see_nothing}, 1, stop, &scanned, reterr);
}

static enum sp_visit go_on(void *cookie, const struct sp_candidate *candidate)
{
    (void)cookie;
    (void)candidate;
    return SP_VISIT_CONTINUE;
}

static enum sp_status read_candidates(struct sp_store *store, struct sp_time_range range,
                                      const struct sp_stop *stop, struct sp_arena *arena,
                                      struct sp_error *reterr)
{
    struct sp_scanned scanned;
    (void)arena;
    return sp_store_scan(store, &(struct sp_scan){.range = range}, stop, go_on, NULL, &scanned,
                         reterr);
}

static const struct {
    const char *name;
    enum sp_status (*read)(struct sp_store *store, struct sp_time_range range,
                           const struct sp_stop *stop, struct sp_arena *arena,
                           struct sp_error *reterr);
    bool every_trace; /* it reads all of them whole, whatever the engine, that are not applied */
    bool remembers;   /* what a read that was stopped has counted of a part is not counted again */
} reads[] = {
    {"services", read_services, false, false}, {"operations", read_operations, false, false},
    {"keys", read_keys, false, false},         {"values", read_values, false, true},
    {"latency", read_latency, false, false},   {"graph", read_graph, true, true},
    {"survey", read_survey, false, false},     {"candidates", read_candidates, false, false},
};

static void add_traces(struct fixture *fixture)
{
    for (uint64_t i = 0; i < TRACES; i++) {
        struct sp_span spans[] = {
            simple_span(i + 1, 2 * i + 1, begin_unix_ns + i * minute_ns / 4, 50, "web", "call"),
            simple_span(i + 1, 2 * i + 2, begin_unix_ns + i * minute_ns / 4, 40, "cart", "serve")};
        spans[0].kind = SP_KIND_CLIENT;
        spans[1].kind = SP_KIND_SERVER;
        spans[1].parent_span_id = spans[0].span_id;
        append(fixture, batch_of(&fixture->arena, spans, SP_ARRAY_LEN(spans)));
    }
}

/* On a slow machine the store may apply some before it is told to. */
static bool nothing_is_applied(const struct fixture *fixture)
{
    struct sp_store_stats stats;
    ck_assert_int_eq(sp_store_stats(fixture->store, &stats, NULL), SP_OK);
    return stats.backlog_appends == TRACES;
}

/* Stops one kind of read at every place where it asks. */
static void stop_everywhere(struct fixture *fixture, size_t read, struct sp_time_range range)
{
    static const enum sp_status reasons[] = {SP_DEADLINE, SP_CANCELLED};
    bool finished = false;
    for (size_t until = 0; !finished; until++) {
        struct patience patience = {.until = until, .status = reasons[until % 2]};
        struct sp_stop stop = {.ask = ask, .cookie = &patience};
        struct sp_error error = {0};
        char want[64];
        enum sp_status status =
            reads[read].read(fixture->store, range, &stop, &fixture->arena, &error);
        finished = status == SP_OK;
        if (finished) {
            ck_assert_msg(reads[read].remembers ? patience.asked <= until : patience.asked == until,
                          "%s asks %zu times, and was stopped after %zu", reads[read].name,
                          patience.asked, until);
            ck_assert_msg(until > 0, "%s never asks", reads[read].name);
            ck_assert_msg(until >= TRACES || !reads[read].every_trace ||
                              !nothing_is_applied(fixture),
                          "%s asks %zu times for %d traces", reads[read].name, until, TRACES);
            continue;
        }
        snprintf(want, sizeof(want), "enough after %zu", until);
        ck_assert_msg(status == patience.status, "%s: %s", reads[read].name, error.message);
        ck_assert_int_eq(error.status, patience.status);
        ck_assert_str_eq(error.message, want);
        ck_assert_uint_eq(patience.asked, until + 1); /* it does not ask again */
    }
}

START_TEST(reads_end_at_any_place_with_what_their_caller_says)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    add_traces(&fixture);
    struct sp_time_range part = {begin_unix_ns - 1000, begin_unix_ns + TRACES * minute_ns};
    for (int stage = 0; stage < 2; stage++) { /* fresh, and applied */
        for (size_t i = 0; i < SP_ARRAY_LEN(reads); i++) {
            stop_everywhere(&fixture, i, part);
            stop_everywhere(&fixture, i, SP_TIME_RANGE_ALL);
        }
        sp_store_drain(fixture.store);
    }
    fixture_fini(&fixture);
}
END_TEST

START_TEST(reads_that_were_stopped_leave_the_store_as_it_was)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    add_traces(&fixture);
    struct sp_buf before, after;
    sp_buf_init(&before, 1 << 20);
    sp_buf_init(&after, 1 << 20);
    describe_answers(fixture.store, SP_TIME_RANGE_ALL, &before);
    for (size_t i = 0; i < SP_ARRAY_LEN(reads); i++) {
        struct patience patience = {.until = 3, .status = SP_CANCELLED};
        struct sp_stop stop = {.ask = ask, .cookie = &patience};
        (void)reads[i].read(fixture.store, SP_TIME_RANGE_ALL, &stop, &fixture.arena, NULL);
    }
    describe_answers(fixture.store, SP_TIME_RANGE_ALL, &after);
    ck_assert(sp_slice_equal(sp_buf_slice(&before), sp_buf_slice(&after)));
    sp_buf_fini(&before);
    sp_buf_fini(&after);
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("stop");
    TCase *tcase = tcase_create("both engines");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, reads_end_at_any_place_with_what_their_caller_says, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, reads_that_were_stopped_leave_the_store_as_it_was, 0, ENGINE_COUNT);
    suite_add_tcase(suite, tcase);
    return suite;
}
