/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_crash.c: kill -9 right behind acks, within seals and merges, and before calls to the disk. A child process
 * appends and reports each ack through a pipe; its parent kills it, or it kills itself before some call. The parent opens the store itself
 * and looks for what was acked: all of it must be there, nothing twice, and of what was not acked either all or nothing; the other
 * answers are those of the reference store. SPOOR_CRASH_SEED=N begins with another seed. */
#include "tests/contract/fixture.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/check_main.h"
#include "tests/support/disk_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS        14
#define ROUND_NUMBERS 100 /* more than a round can send: no number is used twice */
#define NUMBERS_MAX   (ROUNDS * ROUND_NUMBERS)
#define CALLS_MAX     400 /* to the disk, before one of which some children are killed */
#define IN_FLIGHT     8   /* appends the child has under way, so that commits are groups */
#define SPANS_MAX     12
#define SHARED_TRACE  1
#define FIRST_OWN     1000

static const uint64_t noon_unix_ns = 1767268800ULL * 1000000000;

/* Append number n: some spans of a trace of its own, and one of the trace shared by all. */
static size_t spans_of(uint64_t number)
{
    return 1 + number % SPANS_MAX;
}

static const struct sp_batch *batch_number(struct sp_arena *arena, uint64_t number)
{
    struct sp_span spans[SPANS_MAX + 1];
    size_t count = spans_of(number);
    for (size_t i = 0; i < count; i++)
        spans[i] =
            simple_span(FIRST_OWN + number, i + 1, noon_unix_ns + number * 1000000, i, "cart", "x");
    spans[count] = simple_span(SHARED_TRACE, FIRST_OWN + number, noon_unix_ns, 5, "cart", "shared");
    return batch_of(arena, spans, count + 1);
}

static struct sp_append *append_of(struct sp_arena *arena, uint64_t number)
{
    enum sp_body_format format = number % 3 == 2 ? SP_BODY_OTLP_JSON : SP_BODY_OTLP_PROTOBUF;
    enum sp_body_encoding encoding = (enum sp_body_encoding)(1 + number % 3);
    return make_append(batch_number(arena, number), format, encoding);
}

/* ---- the child ---- */

struct sent {
    uint64_t number;
    int acks; /* pipe */
};

static void report(void *cookie, enum sp_status status, const struct sp_error *error)
{
    struct sent *sent = cookie;
    (void)error;
    uint64_t line[2] = {sent->number, (uint64_t)status};
    if (write(sent->acks, line, sizeof(line)) != sizeof(line))
        _exit(3);
}

/* Appends until it is killed. The parent sends one token for each ack, which bounds what is in flight.
 * argument: "first-number ack-fd token-fd durability small-sizes kill-before-call folder". */
static void child_main(const char *argument)
{
    struct fixture fixture = {.engine = ENGINE_ROCKSDB};
    struct sp_store *store;
    unsigned long long number;
    int acks;
    int tokens;
    int durability;
    int small;
    unsigned long long call;
    if (sscanf(argument, "%llu %d %d %d %d %llu %127s", &number, &acks, &tokens, &durability,
               &small, &call, fixture.data_dir) != 7)
        _exit(6);
    const struct disk_fault kill = {.calls = DISK_ALL_CALLS,
                                    .first = call,
                                    .count = UINT64_MAX,
                                    .outcome = DISK_KILLS,
                                    .by_half = call % 3 == 0};
    disk_fault_watch(fixture.data_dir);
    disk_fault_set(call > 0 ? &kill : NULL);
    fixture_options(&fixture);
    fixture.options.durability = (enum sp_durability)durability;
    if (small)
        fixture.options.sizes = small_sizes();
    if (sp_store_rocksdb_open(&fixture.options, &store, NULL) != SP_OK)
        _exit(4);
    for (size_t in_flight = 0; number < NUMBERS_MAX; number++) {
        struct sp_arena arena;
        struct sent *sent = malloc(sizeof(*sent));
        char token;
        if (in_flight < IN_FLIGHT)
            in_flight++;
        else if (read(tokens, &token, 1) != 1)
            _exit(5);
        sp_arena_init(&arena, SIZE_MAX);
        struct sp_append *made = append_of(&arena, number);
        *sent = (struct sent){number, acks};
        made->done = report;
        made->cookie = sent;
        sp_store_append(store, made);
        sp_arena_fini(&arena);
    }
    pause();
}

START_TEST(play_appender)
{
    child_main(played_argument());
}
END_TEST

/* ---- the parent ---- */

struct expectation {
    bool acked[NUMBERS_MAX];
};

/* Reads acks until there are enough, kills, and reads what was still in the pipe: it was acked, too. */
static void run_child(const struct sp_store_options *options, struct sp_gen *gen, uint64_t number,
                      struct expectation *expectation)
{
    int acks[2];
    int tokens[2];
    ck_assert(pipe(acks) == 0 && pipe(tokens) == 0);
    char argument[256];
    uint64_t call = sp_gen_chance(gen, 50) ? 1 + sp_gen_below(gen, CALLS_MAX) : 0;
    snprintf(argument, sizeof(argument), "%llu %d %d %d %d %llu %s", (unsigned long long)number,
             acks[1], tokens[0], (int)options->durability, options->sizes.seal_spans > 0,
             (unsigned long long)call, options->data_dir);
    ck_assert(fcntl(acks[0], F_SETFD, FD_CLOEXEC) == 0 &&
              fcntl(tokens[1], F_SETFD, FD_CLOEXEC) == 0);
    pid_t child = spawn_role("appender", argument);
    close(acks[1]);
    close(tokens[0]);
    uint64_t wanted = sp_gen_below(gen, 70);
    uint64_t line[2];
    bool killed = false;
    for (uint64_t got = 0;; got++) {
        if (!killed && got >= wanted) {
            usleep((useconds_t)sp_gen_below(gen, got == 0 ? 60000 : 3000));
            kill(child, SIGKILL);
            killed = true;
        }
        if (read(acks[0], line, sizeof(line)) != sizeof(line))
            break;
        ck_assert_uint_lt(line[0], NUMBERS_MAX);
        ck_assert_uint_eq(line[1], SP_OK);
        expectation->acked[line[0]] = true;
        if (!killed && write(tokens[1], "t", 1) != 1)
            ck_assert_int_eq(errno, EPIPE); /* it has killed itself */
    }
    int state;
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert_msg(WIFSIGNALED(state) && WTERMSIG(state) == SIGKILL, "the child ended by itself: %d",
                  state);
    close(acks[0]);
    close(tokens[1]);
}

/* What is there is there in all answers. */
static void check_answers(struct sp_store *store, const uint8_t *is_there)
{
    struct fixture reference;
    fixture_init(&reference, ENGINE_REFERENCE);
    for (uint64_t n = 0; n < NUMBERS_MAX; n++) {
        if (is_there[n] > 0)
            append(&reference, batch_number(&reference.arena, n));
    }
    assert_same_answers(reference.store, store, SP_TIME_RANGE_ALL);
    fixture_fini(&reference);
}

static void check_content(struct sp_store *store, const struct expectation *expectation,
                          uint64_t seed)
{
    struct sp_arena arena;
    const struct sp_batch *shared = NULL;
    static uint8_t times_shared[NUMBERS_MAX];
    uint64_t span_count = 0;
    sp_arena_init(&arena, SIZE_MAX);
    memset(times_shared, 0, sizeof(times_shared));
    struct sp_trace_id id = trace_id_of(SHARED_TRACE);
    enum sp_status status = sp_store_trace_read(store, &id, &arena, &shared, NULL);
    ck_assert(status == SP_OK || status == SP_NOT_FOUND);
    for (size_t i = 0; shared != NULL && i < shared->span_count; i++) {
        uint64_t number = 0;
        for (int b = 0; b < 8; b++)
            number = number << 8 | shared->spans[i].span_id.bytes[b];
        times_shared[number - FIRST_OWN]++;
    }
    for (uint64_t n = 0; n < NUMBERS_MAX; n++) {
        struct sp_arena one;
        const struct sp_batch *own = NULL;
        sp_arena_init(&one, SIZE_MAX);
        id = trace_id_of(FIRST_OWN + n);
        status = sp_store_trace_read(store, &id, &one, &own, NULL);
        ck_assert(status == SP_OK || status == SP_NOT_FOUND);
        size_t found = own != NULL ? own->span_count : 0;
        ck_assert_msg(found > 0 || !expectation->acked[n],
                      "seed %llu: append %llu was acked and lost", (unsigned long long)seed,
                      (unsigned long long)n);
        ck_assert_msg(found == 0 || found == spans_of(n), "seed %llu: %zu spans of append %llu",
                      (unsigned long long)seed, found, (unsigned long long)n);
        ck_assert_msg(times_shared[n] == (found > 0), "seed %llu: append %llu is half there",
                      (unsigned long long)seed, (unsigned long long)n);
        span_count += found > 0 ? found + 1 : 0;
        sp_arena_fini(&one);
    }
    check_answers(store, times_shared);
    /* The counts agree with the rows. */
    struct sp_store_stats stats;
    const struct sp_service_row *rows;
    size_t count;
    ck_assert_int_eq(sp_store_stats(store, &stats, NULL), SP_OK);
    ck_assert_uint_eq(stats.span_count, span_count);
    ck_assert_int_eq(sp_store_services(store, SP_TIME_RANGE_ALL, NULL, &arena, &rows, &count, NULL),
                     SP_OK);
    ck_assert_uint_eq(count > 0 ? rows[0].span_count : 0, span_count);
    sp_arena_fini(&arena);
}

START_TEST(killed_store_keeps_what_it_acked_whole_and_once)
{
    struct fixture fixture;
    struct expectation *expectation = calloc(1, sizeof(*expectation));
    const char *other = getenv("SPOOR_CRASH_SEED");
    uint64_t seed = (other != NULL ? strtoull(other, NULL, 10) : 1) * 1000 + (uint64_t)_i;
    struct sp_gen gen = {.state = seed};
    signal(SIGPIPE, SIG_IGN); /* a child may be gone when it is told to go on */
    fixture_init(&fixture, ENGINE_ROCKSDB);
    sp_store_close(fixture.store);
    fixture.store = NULL;
    fixture.options.durability = _i % 2 ? SP_DURABILITY_SYNC : SP_DURABILITY_OS;
    if (_i >= 2) /* they are killed while they seal and merge */
        fixture.options.sizes = small_sizes();
    uint64_t number = 0;
    for (int round = 0; round < ROUNDS; round++) {
        run_child(&fixture.options, &gen, number, expectation);
        number += ROUND_NUMBERS;
        if (round % 3 == 2) { /* the other rounds crash again on what the crash has left */
            ck_assert_int_eq(sp_store_rocksdb_open(&fixture.options, &fixture.store, NULL), SP_OK);
            check_content(fixture.store, expectation, seed);
            sp_store_close(fixture.store);
            fixture.store = NULL;
        }
    }
    ck_assert_int_eq(sp_store_rocksdb_open(&fixture.options, &fixture.store, NULL), SP_OK);
    check_content(fixture.store, expectation, seed);
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
    free(expectation);
}
END_TEST

/* ---- a journal that is read under other limits ---- */

START_TEST(journal_is_replayed_although_the_limits_are_lower_now)
{
    struct fixture fixture;
    struct sp_limits low = *sp_limits_default();
    low.body_bytes_max = 1024;
    low.arena_bytes_max = 4096;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    struct sp_gen_options options = {.span_count = 200, .trace_seed = 1, .trace_count = 3};
    const struct sp_batch *batch = sp_gen_batch(&fixture.arena, 1, &options);
    ck_assert_int_eq(append_as(fixture.store, batch, SP_BODY_OTLP_PROTOBUF, SP_BODY_GZIP), SP_OK);
    alloc_fail_others(true); /* it cannot be sealed, and stays in the journal */
    sp_store_close(fixture.store);
    alloc_fail_others(false);

    struct sp_error error = {0};
    fixture.store = NULL;
    fixture.options.limits = &low;
    enum sp_status status = sp_store_rocksdb_open(&fixture.options, &fixture.store, &error);
    ck_assert_msg(status == SP_OK, "open: %s: %s", sp_status_name(status), error.message);
    struct span_list all = span_list_make(&fixture.arena, &batch, 1);
    assert_all_traces(fixture.store, &all);
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    if (played_role("appender"))
        return role_suite(play_appender);
    Suite *suite = suite_create("crash");
    TCase *tcase = tcase_create("rocksdb");
    tcase_set_timeout(tcase, 180);
    tcase_add_loop_test(tcase, killed_store_keeps_what_it_acked_whole_and_once, 0, 6);
    tcase_add_test(tcase, journal_is_replayed_although_the_limits_are_lower_now);
    suite_add_tcase(suite, tcase);
    return suite;
}
