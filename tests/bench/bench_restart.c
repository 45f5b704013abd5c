/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bench/bench_restart.c: how long a start takes that finds a journal of 256 MiB ($SPOOR_JOURNAL_MIB), as a server leaves that was killed. The
 * records are requests of what `spoor load` makes, or of a recording ($SPOOR_CORPUS, a file), and of spans that have no two values in common
 * ("random"), plain and as the store packs them; more of them than a server can have, which takes no more requests above its budget. At the
 * end with as many as that is, of each. */
#include "tests/bench/corpus.h"
#include "tests/contract/journal.h"
#include "tests/support/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define REQUEST_SPANS 500
#define PROBE_BYTES   ((uint64_t)8 << 20)

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* No two requests have a trace in common. */
static const struct sp_batch *random_batch(struct sp_arena *arena, uint64_t number)
{
    struct sp_gen_options options = {.span_count = REQUEST_SPANS, .trace_seed = number};
    return sp_gen_batch(arena, number, &options);
}

static uint64_t fill(const struct fixture *fixture, bool is_random, enum sp_body_encoding encoding,
                     uint64_t bytes_max)
{
    struct sp_kv *kv = journal_open(fixture);
    uint64_t bytes = 0;
    uint64_t sequence = 0;
    uint64_t spans = 0;
    while (bytes < bytes_max) {
        struct sp_arena arena;
        sp_arena_init(&arena, SIZE_MAX);
        sequence++;
        const struct sp_batch *batch =
            is_random ? random_batch(&arena, sequence) : corpus_next(&arena);
        struct sp_append *append = make_append(batch, SP_BODY_OTLP_PROTOBUF, encoding);
        spans += batch->span_count;
        journal_put(kv, sequence, append);
        bytes += append->body.len;
        sp_append_free(append);
        sp_arena_fini(&arena);
    }
    sp_kv_close(kv);
    return spans;
}

/* Returns how many bytes of memory one of the journal takes as columns; of one that is not sealed on the way. */
static double measure(const char *what, bool is_random, enum sp_body_encoding encoding,
                      uint64_t bytes)
{
    struct fixture fixture;
    struct sp_store_stats stats;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    sp_store_close(fixture.store);
    uint64_t spans = fill(&fixture, is_random, encoding, bytes);
    double begun = seconds(CLOCK_MONOTONIC);
    double begun_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    fixture_open(&fixture);
    double took = seconds(CLOCK_MONOTONIC) - begun;
    double took_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - begun_cpu;
    SP_ASSERT(sp_store_stats(fixture.store, &stats, NULL) == SP_OK && stats.span_count == spans);
    printf("# %s: %llu MiB, %llu spans: %.2f s, %.2f s of CPU; %llu segments on the way, %llu MiB "
           "in memory\n",
           what, (unsigned long long)(bytes >> 20), (unsigned long long)spans, took, took_cpu,
           (unsigned long long)stats.segment_count, (unsigned long long)stats.backlog_bytes >> 20);
    fflush(stdout);
    fixture_fini(&fixture);
    return (double)stats.backlog_bytes / (double)bytes;
}

/* Requests that are acked stay in memory until they are sealed, so a server leaves no more of them than its memory for that holds. */
static void measure_full_backlog(const char *what, bool is_random, enum sp_body_encoding encoding)
{
    double columns = measure("a few of them", is_random, encoding, PROBE_BYTES);
    measure(what, is_random, encoding,
            (uint64_t)((double)SP_STORE_BACKLOG_BYTES_DEFAULT / columns));
}

START_TEST(restart_with_a_full_journal)
{
    const char *mib = getenv("SPOOR_JOURNAL_MIB");
    uint64_t bytes = (mib != NULL ? strtoull(mib, NULL, 10) : 256) << 20;
    const char *corpus = getenv("SPOOR_CORPUS");
    bool is_random = corpus != NULL && strcmp(corpus, "random") == 0;
    if (!is_random)
        corpus_open(corpus != NULL ? corpus : "synthetic");
    measure("a journal of plain bodies", is_random, SP_BODY_IDENTITY, bytes);
    measure("a journal of zstd bodies", is_random, SP_BODY_ZSTD, bytes);
    measure_full_backlog("what a server with its backlog full leaves, plain", is_random,
                         SP_BODY_IDENTITY);
    measure_full_backlog("what a server with its backlog full leaves, zstd", is_random,
                         SP_BODY_ZSTD);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("restart");
    TCase *tcase = tcase_create("rocksdb");
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, restart_with_a_full_journal);
    suite_add_tcase(suite, tcase);
    return suite;
}
