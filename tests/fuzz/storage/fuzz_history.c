/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/fuzz/storage/fuzz_history.c: random histories on both engines (tests/contract/history.h), for as long as one likes. An input
 * is a seed. The history that fails is printed; contract_history replays it with SPOOR_HISTORY_SEED. */
#include "tests/contract/history.h"
#include "tests/contract/record.h"
#include "tests/fuzz/fuzz.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed;
static struct sigaction fuzzer_alarm;

/* Asserts of check work within its tests only. It takes the alarm of libFuzzer, which comes every few seconds, for that of a test that
 * hangs, and kills the whole process group: so libFuzzer, which knows better, gets it back. */
START_TEST(play)
{
    sigaction(SIGALRM, &fuzzer_alarm, NULL);
    history_run(seed);
}
END_TEST

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_ready;
    if (!is_ready)
        record_init();
    is_ready = true;
    seed = 1;
    if (size > 0)
        memcpy(&seed, data, size < sizeof(seed) ? size : sizeof(seed));
    Suite *suite = suite_create("history");
    TCase *tcase = tcase_create("one");
    tcase_add_test(tcase, play);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    sigaction(SIGALRM, NULL, &fuzzer_alarm);
    srunner_run_all(runner, CK_SILENT);
    if (srunner_ntests_failed(runner) > 0) {
        srunner_print(runner, CK_NORMAL);
        record_print();
        abort();
    }
    srunner_free(runner);
    return 0;
}
