/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/broken.c: see tests/contract/broken.h. */
#include "tests/contract/broken.h"
#include "tests/support/disk_fault.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#define TRIES_MAX 2000
#define TRY_US    5000

static const uint64_t noon_unix_ns = 1767268800ULL * 1000000000;

enum sp_status try_append(struct fixture *fixture)
{
    struct sp_span span = simple_span(9, 9, noon_unix_ns + 9, 1, "cart", "x");
    return append_as(fixture->store, batch_of(&fixture->arena, &span, 1), SP_BODY_OTLP_PROTOBUF,
                     SP_BODY_IDENTITY);
}

void break_store(struct fixture *fixture)
{
    const struct disk_fault fault = {.calls = 1U << DISK_WRITE,
                                     .files = 1U << DISK_LOG,
                                     .thread = "spoor:commit",
                                     .first = 1,
                                     .count = 1,
                                     .error = EIO};
    disk_fault_set(&fault);
    ck_assert_int_eq(try_append(fixture), SP_UNAVAILABLE);
    ck_assert(disk_fault_hit(NULL));
    disk_fault_set(NULL);
}

void append_again(struct fixture *fixture)
{
    enum sp_status status;
    int tries = 0;
    while ((status = try_append(fixture)) != SP_OK) {
        ck_assert_int_eq(status, SP_UNAVAILABLE);
        ck_assert_msg(++tries < TRIES_MAX, "the store is not opened again");
        usleep(TRY_US);
    }
}

enum sp_status read_trace(struct sp_store *store)
{
    struct sp_arena arena;
    const struct sp_batch *batch;
    struct sp_trace_id id = trace_id_of(1);
    sp_arena_init(&arena, SIZE_MAX);
    enum sp_status status = sp_store_trace_read(store, &id, &arena, &batch, NULL);
    sp_arena_fini(&arena);
    return status;
}

struct elsewhere {
    struct sp_store *store;
    enum sp_status status;
};

static void *read_there(void *cookie)
{
    struct elsewhere *elsewhere = cookie;
    elsewhere->status = read_trace(elsewhere->store);
    return NULL;
}

enum sp_status read_trace_elsewhere(struct sp_store *store)
{
    struct elsewhere elsewhere = {.store = store};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, read_there, &elsewhere), 0);
    pthread_join(thread, NULL);
    return elsewhere.status;
}

void wait_until_shut(struct fixture *fixture)
{
    enum sp_status status;
    int tries = 0;
    while ((status = read_trace_elsewhere(fixture->store)) == SP_OK) {
        ck_assert_msg(++tries < TRIES_MAX, "the store does not wait to be opened again");
        usleep(TRY_US);
    }
    ck_assert_int_eq(status, SP_UNAVAILABLE);
    ck_assert(sp_status_retryable(status));
}

struct scanning {
    struct fixture *fixture;
    void (*within)(struct fixture *fixture);
    uint64_t visits;
};

static enum sp_visit visit(void *cookie, const struct sp_candidate *candidate)
{
    struct scanning *scanning = cookie;
    (void)candidate;
    if (scanning->visits++ == 0)
        scanning->within(scanning->fixture);
    return SP_VISIT_CONTINUE;
}

uint64_t within_scan(struct fixture *fixture, void (*within)(struct fixture *fixture))
{
    struct scanning scanning = {.fixture = fixture, .within = within};
    struct sp_scanned scanned;
    const struct sp_scan scan = {.range = SP_TIME_RANGE_ALL};
    ck_assert_int_eq(sp_store_scan(fixture->store, &scan, NULL, visit, &scanning, &scanned, NULL),
                     SP_OK);
    return scanning.visits;
}
