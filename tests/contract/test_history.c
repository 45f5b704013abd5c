/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_history.c: thousands of random histories (history.h). One that fails is printed, with its seed:
 * SPOOR_HISTORY_SEED=N runs it alone, SPOOR_HISTORY_SEEDS=N so many of them. `./dev fuzz SECONDS fuzz_history` runs others for as long as
 * one likes. */
#include "tests/contract/history.h"
#include "tests/contract/record.h"
#include "tests/support/check_main.h"

#include <stdlib.h>

#define GROUPS      20
#define GROUP_SEEDS 100

static uint64_t number_in(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

START_TEST(both_engines_answer_the_same_after_any_history)
{
    record_print(); /* of the group before, if it failed */
    uint64_t alone = number_in("SPOOR_HISTORY_SEED", 0);
    uint64_t seeds = number_in("SPOOR_HISTORY_SEEDS", GROUPS * GROUP_SEEDS);
    if (alone != 0 && _i == 0)
        history_run(alone);
    for (uint64_t seed = 1 + (uint64_t)_i; alone == 0 && seed <= seeds; seed += GROUPS)
        history_run(seed);
}
END_TEST

Suite *sp_test_suite(void)
{
    record_init();
    Suite *suite = suite_create("history");
    TCase *tcase = tcase_create("reference and rocksdb");
    tcase_set_timeout(tcase, 120);
    tcase_add_unchecked_fixture(tcase, NULL, record_print);
    tcase_add_loop_test(tcase, both_engines_answer_the_same_after_any_history, 0, GROUPS);
    suite_add_tcase(suite, tcase);
    return suite;
}
