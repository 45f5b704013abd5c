/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_repair.c: a store that has to be opened again after a write has failed, and those who read it meanwhile. Full disks: test_full.c. */
#include "tests/contract/broken.h"
#include "tests/support/check_main.h"
#include "tests/support/disk_fault.h"

#include <pthread.h>
#include <unistd.h>

#define READERS     2
#define TRACES      3
#define A_MOMENT_US 5000
#define FOR_EVER    (3600 * 1000000000ULL)
#define AT_ONCE     1000000ULL

static const uint64_t noon_unix_ns = 1767268800ULL * 1000000000;

static void append_trace(struct fixture *fixture, uint64_t trace)
{
    struct sp_span span = simple_span(trace, trace, noon_unix_ns + trace, 1, "cart", "x");
    append(fixture, batch_of(&fixture->arena, &span, 1));
}

/* seals: what was appended, at once. */
static void begin(struct fixture *fixture, uint64_t read_wait_ns, bool seals)
{
    fixture_make(fixture, ENGINE_ROCKSDB, true);
    if (seals)
        fixture->options.sizes = small_sizes();
    fixture->options.sizes.read_wait_ns = read_wait_ns;
    disk_fault_watch(fixture->data_dir);
    fixture_open(fixture);
    for (uint64_t trace = 1; trace <= TRACES; trace++)
        append_trace(fixture, trace);
    if (seals)
        wait_for_merges(fixture->store);
}

static void end(struct fixture *fixture)
{
    struct sp_store_stats stats;
    ck_assert_int_eq(sp_store_stats(fixture->store, &stats, NULL), SP_OK);
    ck_assert_uint_eq(stats.span_count, TRACES + 1); /* what was refused is not there */
    fixture_close_sound(fixture);
    fixture_fini(fixture);
}

/* ---- readers that overlap for ever: none leaves before the next one is there, or was told that it cannot be ---- */

struct relay {
    struct sp_store *store;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changes;
    uint64_t entries[READERS];
    bool is_refused[READERS];
    bool ended;
    uint64_t failures, refusals;
};

struct reader {
    struct relay *relay;
    int number;
};

static enum sp_visit stay(void *cookie, const struct sp_candidate *candidate)
{
    struct reader *reader = cookie;
    struct relay *relay = reader->relay;
    int next = (reader->number + 1) % READERS;
    (void)candidate;
    pthread_mutex_lock(&relay->lock);
    relay->entries[reader->number]++;
    relay->is_refused[reader->number] = false;
    pthread_cond_broadcast(&relay->changes);
    uint64_t entries = relay->entries[next];
    while (!relay->ended && relay->entries[next] == entries && !relay->is_refused[next])
        pthread_cond_wait(&relay->changes, &relay->lock);
    pthread_mutex_unlock(&relay->lock);
    return SP_VISIT_STOP;
}

static void *overlap(void *cookie)
{
    struct reader *reader = cookie;
    struct relay *relay = reader->relay;
    const struct sp_scan scan = {.range = SP_TIME_RANGE_ALL};
    bool ended = false;
    while (!ended) {
        struct sp_scanned scanned;
        enum sp_status status =
            sp_store_scan(relay->store, &scan, NULL, stay, reader, &scanned, NULL);
        pthread_mutex_lock(&relay->lock);
        relay->failures += status != SP_OK && status != SP_UNAVAILABLE;
        relay->refusals += status == SP_UNAVAILABLE;
        relay->is_refused[reader->number] = status != SP_OK;
        pthread_cond_broadcast(&relay->changes);
        ended = relay->ended;
        pthread_mutex_unlock(&relay->lock);
    }
    return NULL;
}

START_TEST(store_is_opened_again_however_many_reads_overlap)
{
    struct fixture fixture;
    pthread_t threads[READERS];
    struct reader readers[READERS];
    begin(&fixture, AT_ONCE, true);
    struct relay relay = {.store = fixture.store};
    pthread_mutex_init(&relay.lock, NULL);
    pthread_cond_init(&relay.changes, NULL);
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){&relay, i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, overlap, &readers[i]), 0);
    }
    pthread_mutex_lock(&relay.lock);
    while (relay.entries[0] < READERS)
        pthread_cond_wait(&relay.changes, &relay.lock);
    pthread_mutex_unlock(&relay.lock);

    break_store(&fixture);
    append_again(&fixture);

    pthread_mutex_lock(&relay.lock);
    uint64_t entries = relay.entries[0];
    while (relay.entries[0] == entries) /* and they read again */
        pthread_cond_wait(&relay.changes, &relay.lock);
    relay.ended = true;
    pthread_cond_broadcast(&relay.changes);
    pthread_mutex_unlock(&relay.lock);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(relay.failures, 0);
    ck_assert_uint_gt(relay.refusals, 0);
    pthread_cond_destroy(&relay.changes);
    pthread_mutex_destroy(&relay.lock);
    end(&fixture);
}
END_TEST

/* ---- a read within a read, while the store waits for the outer one ---- */

struct helped {
    struct sp_store *store;
    pthread_t host;
    enum sp_status status;
};

static void *help(void *cookie)
{
    struct helped *helped = cookie;
    struct sp_store_helper helper;
    sp_store_help(helped->store, &helper, helped->host);
    helped->status = read_trace(helped->store);
    sp_store_help_end(helped->store, &helper);
    return NULL;
}

static enum sp_status read_by_helper(struct sp_store *store)
{
    struct helped helped = {.store = store, .host = pthread_self()};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, help, &helped), 0);
    pthread_join(thread, NULL);
    return helped.status;
}

static void read_within(struct fixture *fixture)
{
    struct sp_store *store = fixture->store;
    struct sp_store_stats stats;
    const struct sp_service_row *rows;
    size_t count;
    break_store(fixture);
    wait_until_shut(fixture);
    ck_assert_int_eq(read_trace(store), SP_OK);
    ck_assert_int_eq(
        sp_store_services(store, SP_TIME_RANGE_ALL, NULL, &fixture->arena, &rows, &count, NULL),
        SP_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(read_by_helper(store), SP_OK);
    ck_assert_int_eq(sp_store_stats(store, &stats, NULL), SP_OK);
    ck_assert_int_eq(try_append(fixture), SP_UNAVAILABLE); /* at once */
    ck_assert_int_eq(read_trace_elsewhere(store), SP_UNAVAILABLE);
}

START_TEST(read_that_is_under_way_reads_on_and_state_is_told)
{
    struct fixture fixture;
    begin(&fixture, AT_ONCE, true);
    ck_assert_uint_eq(within_scan(&fixture, read_within), TRACES); /* it was not cut short */
    append_again(&fixture);
    ck_assert_int_eq(read_trace(fixture.store), SP_OK);
    end(&fixture);
}
END_TEST

static void drain_within(struct fixture *fixture)
{
    break_store(fixture);
    wait_until_shut(fixture);
    sp_store_drain(fixture->store);
}

START_TEST(drain_does_not_wait_for_a_read_that_a_repair_waits_for)
{
    struct fixture fixture;
    begin(&fixture, AT_ONCE, false);
    ck_assert_uint_eq(within_scan(&fixture, drain_within), TRACES); /* it was not cut short */
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
}
END_TEST

struct waiting {
    pthread_t thread;
    struct sp_store *store;
    enum sp_status status;
};

static struct waiting somebody;

static void *read_once(void *cookie)
{
    (void)cookie;
    somebody.status = read_trace(somebody.store);
    return NULL;
}

static void leave_somebody_waiting(struct fixture *fixture)
{
    somebody.store = fixture->store;
    break_store(fixture);
    ck_assert_int_eq(pthread_create(&somebody.thread, NULL, read_once, NULL), 0);
    usleep(A_MOMENT_US); /* he waits by now, as a rule */
}

START_TEST(read_that_waits_is_answered_when_the_store_is_open_again)
{
    struct fixture fixture;
    begin(&fixture, FOR_EVER, true);
    ck_assert_uint_eq(within_scan(&fixture, leave_somebody_waiting),
                      TRACES); /* it was not cut short */
    pthread_join(somebody.thread, NULL);
    ck_assert_int_eq(somebody.status, SP_OK);
    append_again(&fixture);
    end(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("repair");
    TCase *tcase = tcase_create("rocksdb");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, store_is_opened_again_however_many_reads_overlap);
    tcase_add_test(tcase, read_that_is_under_way_reads_on_and_state_is_told);
    tcase_add_test(tcase, drain_does_not_wait_for_a_read_that_a_repair_waits_for);
    tcase_add_test(tcase, read_that_waits_is_answered_when_the_store_is_open_again);
    suite_add_tcase(suite, tcase);
    return suite;
}
