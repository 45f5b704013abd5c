/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/history.c: the course of a random history: which step comes next, and what is compared after it. */
#include "tests/contract/history.h"

#include "tests/contract/history_parts.h"

#include <stdlib.h>

#define OPERATIONS_MIN  3
#define OPERATIONS_MAX  8
#define OPERATIONS_MORE 2 /* of a history with small batches */
/* One of so many is so many times as long: what takes a removal, a merge over the gap and another removal is in those. */
#define LONG_EACH  21
#define LONG_TIMES 4

/* ---- reads ---- */

static uint64_t random_time(struct history *history)
{
    switch (sp_gen_below(&history->gen, 8)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2: /* at a minute's edge, or just beside it */
        return history_base_unix_ns + sp_gen_below(&history->gen, 70) * 60 * history_second_ns +
               sp_gen_below(&history->gen, 3) - 1;
    default:
        return history_base_unix_ns + sp_gen_below(&history->gen, 4000 * history_second_ns);
    }
}

static struct sp_time_range random_range(struct history *history)
{
    uint64_t from = random_time(history);
    return (struct sp_time_range){from, random_time(history)};
}

void history_read(struct history *history)
{
    if (history->id_count == 0)
        return;
    struct sp_arena arena;
    struct sp_error error = {0};
    const struct sp_batch *batch;
    struct sp_trace_id id = history->ids[sp_gen_below(&history->gen, history->id_count)];
    char text[SP_TRACE_ID_TEXT];
    sp_trace_id_format(&id, text);
    record_note("read trace %s\n", text);
    sp_arena_init(&arena, SIZE_MAX);
    struct span_list want = {0};
    enum sp_status status =
        sp_store_trace_read(history_reference(history), &id, &arena, &batch, &error);
    ck_assert(status == SP_OK || status == SP_NOT_FOUND); /* all of it was removed */
    if (status == SP_OK)
        want = span_list_make(&arena, &batch, 1);
    assert_trace(history_rocks(history), &id, &want);
    sp_arena_fini(&arena);
}

static void compare_one(const struct sp_buf *want, const char *name, struct sp_store *store,
                        struct sp_time_range range)
{
    struct sp_buf got;
    sp_buf_init(&got, SIZE_MAX / 2);
    describe_answers(store, range, &got);
    assert_equal_answers("reference", want, name, &got);
    sp_buf_fini(&got);
}

void history_compare(struct history *history, struct sp_time_range range)
{
    struct sp_buf want;
    record_note("compare answers from %llu to %llu\n", (unsigned long long)range.from_unix_ns,
                (unsigned long long)range.to_unix_ns);
    sp_buf_init(&want, SIZE_MAX / 2);
    describe_answers(history_reference(history), range, &want);
    compare_one(&want, "rocksdb", history_rocks(history), range);
    if (history->follower != NULL) {
        history_catch_up(history);
        compare_one(&want, "follower", history->follower, range);
    }
    sp_buf_fini(&want);
}

/* ---- steps ---- */

static void restart(struct history *history)
{
    if (sp_gen_chance(&history->gen, 50)) {
        record_note("drain\n");
        sp_store_drain(history_rocks(history));
    }
    record_note("restart\n");
    fixture_reopen(&history->stores[ENGINE_ROCKSDB]);
    history_compare(history, SP_TIME_RANGE_ALL);
}

void history_wait_for_merges(struct history *history)
{
    if (history->stores[ENGINE_ROCKSDB].options.sizes.seal_spans != 1)
        return;
    record_note("wait for merges\n");
    wait_for_merges(history_rocks(history));
}

static void retain(struct history *history)
{
    history_retain(history, DISK_IS_WELL);
    history_compare(history, SP_TIME_RANGE_ALL);
}

static void append_one(struct history *history)
{
    history_append(history, DISK_IS_WELL);
}

static void back_up(struct history *history)
{
    history_back_up(history, DISK_IS_WELL);
}

static void compare_some(struct history *history)
{
    history_compare(history, random_range(history));
}

static void compare_all(struct history *history)
{
    history_compare(history, SP_TIME_RANGE_ALL);
}

static const struct {
    unsigned percent; /* 100 together */
    void (*take)(struct history *history);
} steps[] = {
    {40, append_one},    {9, history_read},    {7, compare_some},
    {2, compare_all},    {4, restart},         {8, history_wait_for_merges},
    {5, history_fault},  {6, history_crash},   {10, retain},
    {3, back_up},        {3, history_restore}, {1, history_remove_backup},
    {2, history_follow},
};

static void take_step(struct history *history)
{
    uint64_t which = sp_gen_below(&history->gen, 100);
    size_t i = 0;
    for (; which >= steps[i].percent; i++)
        which -= steps[i].percent;
    steps[i].take(history);
}

/* ---- all of it ---- */

/* Most are sealed at once, and merged soon, while the history goes on. */
static struct sp_store_sizes random_sizes(struct sp_gen *gen)
{
    struct sp_store_sizes sizes = small_sizes();
    if (sp_gen_chance(gen, 30)) /* some wait in memory for more, or for ever */
        sizes.seal_spans = sp_gen_chance(gen, 30) ? 0 : 1 + sp_gen_below(gen, 60);
    sizes.merge_spans = 1 + sp_gen_below(gen, 100);
    sizes.merge_segments = 2 + (uint32_t)sp_gen_below(gen, 2);
    record_note("seal %llu spans, merge %u segments below %llu\n",
                (unsigned long long)sizes.seal_spans, sizes.merge_segments,
                (unsigned long long)sizes.merge_spans);
    return sizes;
}

static void open_stores(struct history *history)
{
    struct sp_store_sizes sizes = random_sizes(&history->gen);
    for (int i = 0; i < ENGINE_COUNT; i++) {
        struct fixture *fixture = &history->stores[i];
        bool on_disk = i == ENGINE_ROCKSDB && sp_gen_chance(&history->gen, 5);
        fixture_make(fixture, (enum engine)i, !on_disk);
        fixture->options.sizes = sizes;
        fixture->options.durability =
            sp_gen_chance(&history->gen, 50) ? SP_DURABILITY_SYNC : SP_DURABILITY_OS;
        disk_fault_watch(fixture->data_dir);
        fixture_open(fixture);
    }
}

void history_run(uint64_t seed)
{
    struct history *history = calloc(1, sizeof(*history));
    record_begin();
    record_note("SPOOR_HISTORY_SEED=%llu\n", (unsigned long long)seed);
    history->gen.state = seed;
    history->trace_seed = seed;
    history->tangled = sp_gen_chance(&history->gen, 40);
    open_stores(history);
    uint64_t count =
        OPERATIONS_MIN + sp_gen_below(&history->gen, OPERATIONS_MAX - OPERATIONS_MIN + 1);
    if (history->tangled)
        count += OPERATIONS_MORE;
    if (seed % LONG_EACH == 0)
        count *= LONG_TIMES;
    for (uint64_t i = 0; i < count; i++)
        take_step(history);
    history_compare(history, SP_TIME_RANGE_ALL);
    history_compare(history, random_range(history));
    disk_fault_watch(NULL);
    sp_store_close(history->follower);
    history_forget_backups(history);
    fixture_close_sound(&history->stores[ENGINE_ROCKSDB]);
    for (int i = 0; i < ENGINE_COUNT; i++)
        fixture_fini(&history->stores[i]);
    free(history);
    record_end();
}
