/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_history.c: thousands of random histories (history.h). One that fails is printed, with its seed:
 * SPOOR_HISTORY_SEED=N runs it alone, SPOOR_HISTORY_SEEDS=N so many of them. `./dev fuzz SECONDS fuzz_history` runs others for as long as
 * one likes. */
#include "tests/contract/history.h"
#include "tests/contract/history_parts.h"
#include "tests/contract/record.h"
#include "tests/support/check_main.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUPS      20
#define GROUP_SEEDS 30

/* ---- RocksDB's assertions ----
 * Debian builds RocksDB with its assertions, and on a failing disk three of them end the process now and then, which nothing outside
 * RocksDB can keep away for certain (docs/decisions/0054-faults.md). Such an end says nothing about what is stored: the history is told of,
 * and the next one goes on in a new process. More than a few would be something new, and fail. */

#define ENDED_BY_ROCKSDB 86
#define ENDS_MAX         4

static struct {
    uint64_t seed;
    uint32_t ends; /* of all groups */
    char function[128];
} * shared; /* with the processes of the groups */

static const char *const known[] = {"AssertFalseAndGetStatusForPrevError", "ResumeImpl",
                                    "ExtractUserKey"};

/* The dynamic linker finds this one before that of the C library. Nothing of ours calls it. */
_Noreturn void __assert_fail(const char *assertion, const char *file, unsigned line,
                             const char *function)
{
    fprintf(stderr, "%s:%u: %s: %s\n", file, line, function, assertion);
    for (size_t i = 0; i < SP_ARRAY_LEN(known); i++) {
        if (strstr(function, known[i]) == NULL)
            continue;
        snprintf(shared->function, sizeof(shared->function), "%s", known[i]);
        _exit(ENDED_BY_ROCKSDB);
    }
    abort();
}

static uint64_t number_in(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void run_group(uint64_t first, uint64_t last)
{
    for (uint64_t seed = first; seed <= last; seed += GROUPS) {
        shared->seed = seed;
        history_run(seed);
    }
}

/* In another process; true: it is to go on behind shared->seed. */
static bool ended_by_rocksdb(uint64_t first, uint64_t last)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        run_group(first, last);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == ENDED_BY_ROCKSDB) {
        record_end();
        printf("# seed %llu: RocksDB's assertion in %s ended the process (decision 0054)\n",
               (unsigned long long)shared->seed, shared->function);
        fflush(stdout);
        ck_assert_uint_le(++shared->ends, ENDS_MAX);
        return true;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        _exit(WEXITSTATUS(status)); /* what failed is told already */
    ck_assert_msg(WIFEXITED(status), "a history was ended by signal %d", WTERMSIG(status));
    return false;
}

START_TEST(both_engines_answer_the_same_after_any_history)
{
    record_print(); /* of the group before, if it failed */
    uint64_t alone = number_in("SPOOR_HISTORY_SEED", 0);
    uint64_t first = alone != 0 ? alone : 1 + (uint64_t)_i;
    uint64_t last = alone != 0 ? alone : number_in("SPOOR_HISTORY_SEEDS", GROUPS * GROUP_SEEDS);
    const char *fork_mode = getenv("CK_FORK");
    if (alone != 0 && _i > 0)
        return;
    if (fork_mode != NULL && strcmp(fork_mode, "no") == 0) /* a sanitizer looks at one process */
        run_group(first, last);
    else
        while (ended_by_rocksdb(first, last))
            first = shared->seed + GROUPS;
}
END_TEST

/* Appends 1 and 3 are the same batch, and so are 2 and 5. After a crash 1 and 2 were taken for gone. */
static struct history *history_with_guesses(void)
{
    static const struct sp_batch small = {.span_count = 2};
    static const struct sp_batch large = {.span_count = 7};
    struct history *history = calloc(1, sizeof(*history));
    ck_assert_ptr_nonnull(history);
    static const struct history_append appends[] = {
        {.batch = &small, .number = 1, .kept = 1, .is_removed = true, .is_guess = true},
        {.batch = &large, .number = 2, .kept = 2, .is_removed = true, .is_guess = true},
        {.batch = &small, .number = 3, .kept = 3, .is_guess = true},
        {.batch = &large, .number = 4, .kept = 4},
        {.batch = &large, .number = 5, .kept = 5, .is_guess = true},
        {.batch = &small, .number = 6, .kept = 6},
    };
    memcpy(history->appends, appends, sizeof(appends));
    history->append_count = SP_ARRAY_LEN(appends);
    record_begin();
    return history;
}

static void expect_gone(struct history *history, uint64_t one, uint64_t other)
{
    for (size_t i = 0; i < history->append_count; i++) {
        const struct history_append *append = &history->appends[i];
        ck_assert_msg(append->is_removed == (append->number == one || append->number == other),
                      "append %llu", (unsigned long long)append->number);
        ck_assert_msg(append->is_removed == (append->kept <= 2),
                      "append %llu has taken the wrong one", (unsigned long long)append->number);
    }
    record_end();
    free(history);
}

START_TEST(removal_that_does_not_add_up_corrects_what_was_guessed)
{
    static const struct {
        uint64_t first, last, spans, gone[2];
    } cases[] = {
        {3, 4, 9, {1, 2}},                      /* it does */
        {1, 1, 2, {3, 2}},                      /* the first and the last are there */
        {1, 2, 9, {3, 5}},  {1, 4, 9, {3, 2}},  /* the other one is between them */
        {1, 4, 16, {3, 5}},                     /* and there is one more than was known */
        {4, 6, 9, {1, 5}},                      /* one less */
        {4, 6, 16, {1, 2}}, {4, 6, 10, {1, 2}}, /* nothing explains that */
    };
    struct history *history = history_with_guesses();
    history_correct_guesses(history, cases[_i].first, cases[_i].last, cases[_i].spans);
    expect_gone(history, cases[_i].gone[0], cases[_i].gone[1]);
}
END_TEST

Suite *sp_test_suite(void)
{
    record_init();
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    SP_ASSERT(shared != MAP_FAILED);
    Suite *suite = suite_create("history");
    TCase *tcase = tcase_create("reference and rocksdb");
    tcase_set_timeout(tcase, 120);
    tcase_add_unchecked_fixture(tcase, NULL, record_print);
    tcase_add_loop_test(tcase, both_engines_answer_the_same_after_any_history, 0, GROUPS);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("the comparison itself");
    tcase_add_loop_test(tcase, removal_that_does_not_add_up_corrects_what_was_guessed, 0, 8);
    suite_add_tcase(suite, tcase);
    return suite;
}
