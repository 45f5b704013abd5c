/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_retention.c: what takes room on the disk, and for how long. */
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"

#include <unistd.h>

#define MIB ((uint64_t)1024 * 1024)

static const uint64_t noon_unix_ns = 1767268800ULL * 1000000000;

static struct sp_store_stats stats_of(const struct fixture *fixture)
{
    struct sp_store_stats stats;
    ck_assert_int_eq(sp_store_stats(fixture->store, &stats, NULL), SP_OK);
    return stats;
}

/* ---- the journal ---- */

/* A request that cannot be compressed. All of them have the same value, so that a segment has it once. */
static void append_long(struct fixture *fixture, uint64_t number, size_t bytes)
{
    struct sp_span span = simple_span(number, 1, noon_unix_ns, 5, "cart", "x");
    uint8_t *noise = sp_arena_calloc(&fixture->arena, bytes, 1);
    ck_assert_ptr_nonnull(noise);
    uint64_t state = 1;
    for (size_t i = 0; i < bytes; i++) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        noise[i] = (uint8_t)(state >> 56);
    }
    struct sp_attribute attribute = {
        .key = SP_SLICE("long"),
        .value = {.kind = SP_VALUE_BYTES, .string = sp_slice_make(noise, bytes)}};
    span.attributes = (struct sp_attributes){.items = &attribute, .count = 1};
    append(fixture, batch_of(&fixture->arena, &span, 1));
}

START_TEST(journal_of_sealed_spans_takes_no_room)
{
    enum { REQUESTS = 16 };
    struct fixture fixture;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    fixture.options.sizes.seal_spans = REQUESTS;
    fixture_reopen(&fixture);
    for (uint64_t i = 1; i < REQUESTS; i++)
        append_long(&fixture, i, 5 * MIB);
    ck_assert_uint_eq(stats_of(&fixture).segment_count, 0);
    ck_assert_uint_gt(stats_of(&fixture).disk_bytes, (REQUESTS - 1) * 5 * MIB);
    append_long(&fixture, REQUESTS, 5 * MIB);
    wait_for_merges(fixture.store);
    ck_assert_uint_eq(stats_of(&fixture).segment_count, 1);
    /* The seal ends a little later than it can be seen. */
    while (stats_of(&fixture).disk_bytes > 6 * MIB)
        usleep(1000);
    ck_assert_uint_eq(stats_of(&fixture).span_count, REQUESTS);
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("retention");
    TCase *tcase = tcase_create("journal");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, journal_of_sealed_spans_takes_no_room);
    suite_add_tcase(suite, tcase);
    return suite;
}
