/* SPDX-License-Identifier: Apache-2.0
 *
 * query/match_test.c: a regular expression as a question that the store asks of each text of a dictionary once. It may say yes too often,
 * never too seldom: where a match reaches a limit the spans are looked at, and what that says is said of them. */
#include <sched.h>
#include <stdatomic.h>

#include "query/match_operand.h"

/* A regular expression is one thread's. As many as read for one question at a time, or a few more: they are compiled when they are used. */
#define MACHINES 4

struct machine {
    atomic_flag busy;
    struct sp_regex *regex;
    uint32_t tested;
};

struct match_test {
    struct sp_text_test test;
    struct sp_slice pattern;
    bool inverted; /* !~ */
    const struct sp_stop *stop;
    atomic_bool gave_up;
    struct machine machines[MACHINES];
};

static struct machine *take(struct match_test *test)
{
    for (uint32_t i = 0;; i = (i + 1) % MACHINES) {
        if (!atomic_flag_test_and_set(&test->machines[i].busy))
            return &test->machines[i];
        if (i == MACHINES - 1)
            (void)sched_yield();
    }
}

/* False: it is not known. */
static bool match(struct match_test *test, struct machine *machine, struct sp_slice text,
                  bool *ret_matched)
{
    struct sp_error error;
    if (!machine->regex && sp_regex_compile(test->pattern, &machine->regex, &error) != SP_OK)
        return false;
    /* The first time, too: of a query that has ended each of many conditions gives up before it tests. */
    if (machine->tested++ % SP_STOP_REGEX_PAIRS == 0 && sp_stop_ask(test->stop, &error) != SP_OK)
        return false;
    return sp_regex_match(machine->regex, text, ret_matched) == SP_OK;
}

/* Once something is not known no more is asked: what is behind it may take as long. */
static bool holds(void *cookie, struct sp_slice text)
{
    struct match_test *test = cookie;
    bool matched = false;
    if (atomic_load_explicit(&test->gave_up, memory_order_relaxed))
        return true;
    struct machine *machine = take(test);
    bool known = match(test, machine, text, &matched);
    atomic_flag_clear(&machine->busy);
    if (!known)
        atomic_store(&test->gave_up, true);
    return !known || matched != test->inverted;
}

static void fini(void *cookie)
{
    struct match_test *test = cookie;
    for (uint32_t i = 0; i < MACHINES; i++)
        sp_regex_free(test->machines[i].regex);
}

const struct sp_text_test *sp_match_test(const struct sp_hint_maker *maker,
                                         const struct sp_traceql_node *node)
{
    struct match_test *test = sp_arena_calloc(maker->arena, 1, sizeof(*test));
    if (!test || !sp_arena_defer(maker->arena, fini, test))
        return NULL;
    for (uint32_t i = 0; i < MACHINES; i++)
        atomic_flag_clear(&test->machines[i].busy);
    test->test = (struct sp_text_test){
        .holds = holds, .cookie = test, .name = sp_traceql_comparison_text(node->comparison)};
    test->pattern = node->right->value.string;
    test->inverted = node->comparison == SP_TRACEQL_NOT_MATCH;
    test->stop = maker->stop;
    return &test->test;
}
