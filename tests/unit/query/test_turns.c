/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns of query threads: no limit while nothing comes in; while spans do, one processor is left to them, and nobody waits for ever. */
#include <sched.h>

#include "query/turns.h"
#include "tests/support/check_main.h"
#include "tests/unit/query/world.h"

#define STEP_NS UINT64_C(5000000)

struct other {
    struct sp_turns *turns;
    _Atomic bool had_turn;
    bool insists;
    _Atomic uint64_t waited_ns;
};

/* Asks for a turn: once, or until it has had one. */
static void *ask_for_turn(void *cookie)
{
    struct other *other = cookie;
    do {
        struct sp_turn turn;
        sp_turn_begin(&turn, other->turns, &other->waited_ns);
        other->had_turn = turn.taken;
        sp_turn_end(&turn);
    } while (other->insists && !other->had_turn);
    return NULL;
}

static void let_span_in(struct world *world)
{
    struct sp_arena arena;
    sp_arena_init(&arena, SIZE_MAX);
    struct sp_span span = make_span(&arena, 1, 1, 0, "shop", "GET", 0, 1);
    world_add(world, &span, 1);
    sp_arena_fini(&arena);
    world->monotonic_ns += STEP_NS;
}

START_TEST(turns_have_no_limit_while_nothing_comes_in)
{
    struct world world;
    struct sp_turns turns;
    struct sp_turn a, b;
    _Atomic uint64_t waited_ns = 0;
    world_init(&world);
    sp_turns_init(&turns, world.store, &world.clock, 2);
    ck_assert_uint_eq(sp_turns_limit(&turns), UINT32_MAX);
    sp_turn_begin(&a, &turns, &waited_ns);
    sp_turn_begin(&b, &turns, &waited_ns);
    ck_assert(!a.taken && !b.taken);
    sp_turn_end(&a);
    sp_turn_end(&b);
    let_span_in(&world);
    ck_assert_uint_eq(sp_turns_limit(&turns), 1);
    world.monotonic_ns += UINT64_C(1000000000);
    ck_assert_uint_eq(sp_turns_limit(&turns), UINT32_MAX);
    sp_turns_fini(&turns);
    world_fini(&world);
}
END_TEST

static uint64_t going_ns(void *cookie)
{
    struct world *w = cookie;
    return w->monotonic_ns += 1000;
}

START_TEST(time_without_a_turn_is_told)
{
    struct world world;
    struct sp_turns turns;
    struct sp_turn own;
    _Atomic uint64_t waited_ns = 0;
    pthread_t thread;
    world_init(&world);
    world.clock.monotonic_ns = going_ns;
    sp_turns_init(&turns, world.store, &world.clock, 2);
    let_span_in(&world);
    sp_turn_begin(&own, &turns, &waited_ns);
    ck_assert(own.taken);
    struct other once = {.turns = &turns};
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_for_turn, &once), 0);
    pthread_join(thread, NULL);
    ck_assert_uint_ge(once.waited_ns, 1000); /* in vain */
    ck_assert_uint_eq(waited_ns, 0);
    sp_turn_end(&own);
    sp_turns_fini(&turns);
    world_fini(&world);
}
END_TEST

START_TEST(turns_go_from_thread_to_thread_while_spans_come_in)
{
    struct world world;
    struct sp_turns turns;
    struct sp_turn own;
    _Atomic uint64_t waited_ns = 0;
    pthread_t thread;
    world_init(&world);
    sp_turns_init(&turns, world.store, &world.clock, 2);
    let_span_in(&world);
    sp_turn_begin(&own, &turns, &waited_ns);
    ck_assert(own.taken);
    /* Who gets none goes on without. */
    struct other once = {.turns = &turns};
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_for_turn, &once), 0);
    pthread_join(thread, NULL);
    ck_assert(!once.had_turn);
    /* A turn that lasted long enough goes to whoever waits. */
    struct other insisting = {.turns = &turns, .insists = true};
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_for_turn, &insisting), 0);
    while (!insisting.had_turn) {
        sp_turn_step(&own, own.since_ns + STEP_NS);
        sched_yield();
    }
    pthread_join(thread, NULL);
    sp_turn_end(&own);
    sp_turns_fini(&turns);
    world_fini(&world);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query turns");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, turns_have_no_limit_while_nothing_comes_in);
    tcase_add_test(tcase, time_without_a_turn_is_told);
    tcase_add_test(tcase, turns_go_from_thread_to_thread_while_spans_come_in);
    suite_add_tcase(suite, tcase);
    return suite;
}
