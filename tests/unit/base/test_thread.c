/* SPDX-License-Identifier: Apache-2.0
 *
 * Names and niceness of threads. Turns are a request that older systems ignore; nothing here depends on them. */
#include <pthread.h>
#include <sys/resource.h>

#include "lib/base/base.h"
#include "tests/support/check_main.h"

struct seen {
    int before, after, lower;
    char name[16];
};

static void *begin_and_look(void *cookie)
{
    struct seen *seen = cookie;
    seen->before = getpriority(PRIO_PROCESS, 0);
    sp_thread_begin("spoor:test", seen->before + 2);
    seen->after = getpriority(PRIO_PROCESS, 0);
    pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
    sp_thread_begin("spoor:test", 0);
    seen->lower = getpriority(PRIO_PROCESS, 0);
    return NULL;
}

START_TEST(thread_is_named_and_nicer_and_never_less_nice_again)
{
    struct seen seen;
    pthread_t thread;
    int before = getpriority(PRIO_PROCESS, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, begin_and_look, &seen), 0);
    pthread_join(thread, NULL);
    ck_assert_str_eq(seen.name, "spoor:test");
    ck_assert_int_eq(seen.after, seen.before + 2 < 19 ? seen.before + 2 : 19);
    ck_assert_int_eq(seen.lower,
                     seen.after > 0 ? seen.after : 0);      /* the program may have less than 0 */
    ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), before); /* the others keep theirs */
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("base_thread");
    TCase *tests = tcase_create("thread");
    tcase_add_test(tests, thread_is_named_and_nicer_and_never_less_nice_again);
    suite_add_tcase(suite, tests);
    return suite;
}
