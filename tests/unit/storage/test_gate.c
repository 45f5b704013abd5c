/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/storage/test_gate.c: who gets in while somebody wants to be alone, and that he is. */
#include "storage/gate.h"
#include "tests/support/check_main.h"

#include <stdatomic.h>
#include <stdlib.h>

#define FOR_EVER  (3600 * 1000000000ULL)
#define AT_ONCE   1000ULL
#define COMERS    4
#define ROUNDS    200
#define TURNS_MIN 50

struct actor {
    struct sp_gate *gate;
    pthread_t host;
    bool has_host;
    bool entered;
    _Atomic bool *stop;
    _Atomic uint64_t *within; /* how many are */
    _Atomic uint64_t *turns;  /* of all, together */
};

static void *enter_once(void *cookie)
{
    struct actor *actor = cookie;
    struct sp_gate_pass pass;
    struct sp_gate_helper helper;
    if (actor->has_host)
        sp_gate_help(actor->gate, &helper, actor->host);
    actor->entered = sp_gate_enter(actor->gate, &pass, AT_ONCE);
    if (actor->entered)
        sp_gate_leave(actor->gate, &pass);
    if (actor->has_host)
        sp_gate_help_end(actor->gate, &helper);
    return NULL;
}

static bool enters(struct actor actor)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, enter_once, &actor), 0);
    pthread_join(thread, NULL);
    return actor.entered;
}

static void *shut_and_open(void *cookie)
{
    struct actor *actor = cookie;
    actor->entered = sp_gate_shut(actor->gate, FOR_EVER);
    sp_gate_open(actor->gate);
    return NULL;
}

START_TEST(gate_that_is_shut_lets_in_who_is_within_and_who_helps_him)
{
    struct sp_gate gate;
    struct sp_gate_pass outer, inner;
    sp_gate_init(&gate);
    ck_assert(sp_gate_enter(&gate, &outer, AT_ONCE));
    ck_assert(enters((struct actor){.gate = &gate}));
    ck_assert(!sp_gate_shut(&gate, AT_ONCE));
    ck_assert(!enters((struct actor){.gate = &gate}));
    ck_assert(enters((struct actor){.gate = &gate, .has_host = true, .host = pthread_self()}));
    ck_assert(sp_gate_enter(&gate, &inner, AT_ONCE));
    sp_gate_leave(&gate, &outer); /* in any order */
    ck_assert(!sp_gate_shut(&gate, AT_ONCE));
    ck_assert(sp_gate_enter(&gate, &outer, AT_ONCE));
    sp_gate_leave(&gate, &outer);
    sp_gate_leave(&gate, &inner);
    ck_assert(!enters((struct actor){.gate = &gate, .has_host = true, .host = pthread_self()}));
    ck_assert(!sp_gate_enter(&gate, &outer, AT_ONCE));
    sp_gate_enter_always(&gate, &outer); /* nobody is alone yet */
    sp_gate_leave(&gate, &outer);
    ck_assert(sp_gate_shut(&gate, AT_ONCE));
    ck_assert(!enters((struct actor){.gate = &gate}));
    sp_gate_open(&gate);
    ck_assert(enters((struct actor){.gate = &gate}));
    sp_gate_fini(&gate);
}
END_TEST

START_TEST(last_one_who_leaves_hands_the_gate_over)
{
    struct sp_gate gate;
    struct sp_gate_pass pass;
    pthread_t thread;
    sp_gate_init(&gate);
    struct actor actor = {.gate = &gate};
    ck_assert(sp_gate_enter(&gate, &pass, AT_ONCE));
    ck_assert_int_eq(pthread_create(&thread, NULL, shut_and_open, &actor), 0);
    while (enters((struct actor){.gate = &gate})) {
    }
    sp_gate_leave(&gate, &pass);
    ck_assert(sp_gate_enter(&gate, &pass, FOR_EVER)); /* behind him */
    sp_gate_leave(&gate, &pass);
    pthread_join(thread, NULL);
    ck_assert(actor.entered);
    sp_gate_fini(&gate);
}
END_TEST

/* Comes again and again; of these there is one only, as the committer. */
static void *always_come(void *cookie)
{
    struct actor *actor = cookie;
    struct sp_gate_pass pass;
    while (!atomic_load(actor->stop)) {
        sp_gate_enter_always(actor->gate, &pass);
        atomic_fetch_add(actor->within, 1);
        atomic_fetch_sub(actor->within, 1);
        sp_gate_leave(actor->gate, &pass);
        atomic_fetch_add(actor->turns, 1);
    }
    return NULL;
}

static void *come(void *cookie)
{
    struct actor *actor = cookie;
    struct sp_gate_pass outer, inner;
    while (!atomic_load(actor->stop)) {
        if (!sp_gate_enter(actor->gate, &outer, FOR_EVER))
            abort();
        atomic_fetch_add(actor->within, 1);
        if (!sp_gate_enter(actor->gate, &inner, FOR_EVER)) /* a hang, if it waited for itself */
            abort();
        sp_gate_leave(actor->gate, &inner);
        atomic_fetch_sub(actor->within, 1);
        sp_gate_leave(actor->gate, &outer);
        atomic_fetch_add(actor->turns, 1);
    }
    return NULL;
}

START_TEST(who_wants_to_be_alone_gets_his_turn_however_many_come)
{
    struct sp_gate gate;
    _Atomic bool stop = false;
    _Atomic uint64_t within = 0;
    _Atomic uint64_t turns = 0;
    pthread_t threads[COMERS];
    sp_gate_init(&gate);
    struct actor actor = {.gate = &gate, .stop = &stop, .within = &within, .turns = &turns};
    for (int i = 0; i < COMERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, i == 0 ? always_come : come, &actor), 0);
    for (int round = 0; round < ROUNDS || atomic_load(&turns) < TURNS_MIN; round++) {
        ck_assert(sp_gate_shut(&gate, FOR_EVER));
        ck_assert_uint_eq(atomic_load(&within), 0);
        sp_gate_open(&gate);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < COMERS; i++)
        pthread_join(threads[i], NULL);
    sp_gate_fini(&gate);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("gate");
    TCase *tcase = tcase_create("gate");
    tcase_add_test(tcase, gate_that_is_shut_lets_in_who_is_within_and_who_helps_him);
    tcase_add_test(tcase, last_one_who_leaves_hands_the_gate_over);
    tcase_add_test(tcase, who_wants_to_be_alone_gets_his_turn_however_many_come);
    suite_add_tcase(suite, tcase);
    return suite;
}
