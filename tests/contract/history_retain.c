/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/history_retain.c: retention within a random history. The engine on disk chooses what goes, within what its limits
 * allow; the reference loses the same appends, and from then on both must answer the same. */
#include "tests/contract/history_parts.h"

#define PINS_MAX 3

struct removal {
    struct history *history;
    uint64_t cutoff_unix_ns; /* 0: the oldest go, whatever their age */
    uint64_t last;           /* of the one before */
    enum disk disk;
    bool was_gone;                     /* the process, when that one went */
    struct sp_trace_id pins[PINS_MAX]; /* of traces that have to stay */
    size_t pin_count;
};

bool history_is_old(const struct history_append *append, uint64_t cutoff_unix_ns)
{
    /* make_append says that it came when the last of its spans began: so receipts say the same. */
    for (size_t i = 0; i < append->batch->span_count; i++) {
        if (append->batch->spans[i].start_unix_ns >= cutoff_unix_ns)
            return false;
    }
    return true;
}

/* Before the last one that went there is nothing left, when the oldest go. */
static void expect_oldest(const struct history *history, uint64_t last)
{
    for (size_t i = 0; i < history->append_count && history->appends[i].number <= last; i++)
        ck_assert_msg(history->appends[i].is_removed || history->appends[i].is_guess,
                      "append %llu stays, a later one went",
                      (unsigned long long)history->appends[i].number);
}

static void expect_there(const struct history *history, uint64_t number)
{
    for (size_t i = 0; i < history->append_count; i++) {
        if (history->appends[i].number == number && !history->appends[i].is_removed)
            return;
    }
    ck_abort_msg("append %llu goes, and was not there", (unsigned long long)number);
}

/* What a segment has, no more and no less: those from the first to the last that had not gone before. */
static void expect_segment(struct history *history, uint64_t first, uint64_t last,
                           uint64_t span_count)
{
    ck_assert_uint_le(first, last);
    history_correct_guesses(history, first, last, span_count);
    expect_there(history, first);
    expect_there(history, last);
    uint64_t spans = history_spans_between(history, first, last);
    ck_assert_msg(spans == span_count,
                  "appends %llu to %llu, that were not gone, have %llu spans, and %llu go",
                  (unsigned long long)first, (unsigned long long)last, (unsigned long long)spans,
                  (unsigned long long)span_count);
}

static void expect_no_pin(const struct removal *removal, const struct history_append *append)
{
    for (size_t i = 0; i < append->batch->span_count; i++) {
        for (size_t p = 0; p < removal->pin_count; p++)
            ck_assert_msg(
                sp_trace_id_compare(&append->batch->spans[i].trace_id, &removal->pins[p]) != 0,
                "append %llu goes with spans of a pinned trace",
                (unsigned long long)append->number);
    }
}

static void take_removal(void *cookie, uint64_t first, uint64_t last, uint64_t span_count)
{
    struct removal *removal = cookie;
    struct history *history = removal->history;
    bool is_gone = removal->disk == DISK_GOES && disk_fault_hit(NULL);
    bool is_in_doubt = is_gone && !removal->was_gone;
    record_note("  appends %llu to %llu go, %llu spans%s\n", (unsigned long long)first,
                (unsigned long long)last, (unsigned long long)span_count,
                is_gone ? ", after the crash" : "");
    removal->was_gone = is_gone;
    if (is_gone && !is_in_doubt)
        return; /* the process that did it never was */
    expect_segment(history, first, last, span_count);
    if (is_in_doubt) {
        history->doubt.removed_first = first;
        history->doubt.removed_last = last;
        history->doubt.removed_whole = true;
        history->doubt.cutoff_unix_ns = UINT64_MAX;
        return;
    }
    for (size_t i = 0; i < history->append_count; i++) {
        struct history_append *append = &history->appends[i];
        if (append->is_removed || !history_is_between(append, first, last))
            continue;
        ck_assert_msg(removal->cutoff_unix_ns == 0 ||
                          history_is_old(append, removal->cutoff_unix_ns),
                      "append %llu is too young to go", (unsigned long long)append->number);
        expect_no_pin(removal, append);
        history_remove(history, i);
        append->is_guess = false;
    }
    if (removal->cutoff_unix_ns == 0 && removal->pin_count == 0)
        expect_oldest(history, last);
}

/* At the end of some append, which is then just old enough. */
static void choose_age(struct history *history, struct sp_retain *retain, struct removal *removal)
{
    struct sp_gen *gen = &history->gen;
    const struct sp_batch *batch = history->appends[sp_gen_below(gen, history->append_count)].batch;
    uint64_t cutoff = 1;
    for (size_t i = 0; i < batch->span_count; i++) {
        if (batch->spans[i].start_unix_ns >= cutoff)
            cutoff = batch->spans[i].start_unix_ns;
    }
    retain->keep.age_ns = 1 + sp_gen_below(gen, 90 * 86400 * history_second_ns);
    if (cutoff >= UINT64_MAX - retain->keep.age_ns)
        cutoff = UINT64_MAX - retain->keep.age_ns - 1;
    cutoff++;
    retain->now_unix_ns = cutoff + retain->keep.age_ns;
    removal->cutoff_unix_ns = cutoff;
    record_note("remove what began before %llu\n", (unsigned long long)cutoff);
}

static void choose_size(struct history *history, struct sp_retain *retain)
{
    struct sp_store_stats stats;
    struct sp_error error = {0};
    enum sp_status status = sp_store_stats(history_rocks(history), &stats, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    uint64_t percent = 60 + sp_gen_below(&history->gen, 60);
    retain->keep.disk_bytes = 1 + stats.disk_bytes / 100 * percent;
    retain->now_unix_ns = history_base_unix_ns;
    record_note("remove until the directory takes %llu %% of its bytes\n",
                (unsigned long long)percent);
}

/* Some traces, until the removal is over. On a disk that works: what a crash leaves of a pin is test_pins.c's. */
static void pin_some(struct history *history, struct removal *removal)
{
    struct sp_gen *gen = &history->gen;
    size_t wanted = sp_gen_chance(gen, 40) ? 1 + sp_gen_below(gen, PINS_MAX) : 0;
    for (size_t i = 0; i < wanted; i++) {
        const struct sp_batch *batch =
            history->appends[sp_gen_below(gen, history->append_count)].batch;
        if (batch->span_count == 0)
            continue;
        struct sp_trace_id id = batch->spans[sp_gen_below(gen, batch->span_count)].trace_id;
        struct sp_error error = {0};
        enum sp_status status = sp_store_pin(history_rocks(history), &id, 1, &error);
        ck_assert_msg(status == SP_OK || status == SP_NOT_FOUND, "pin: %s", error.message);
        if (status == SP_OK)
            removal->pins[removal->pin_count++] = id;
    }
    if (removal->pin_count > 0)
        record_note("%zu traces are pinned meanwhile\n", removal->pin_count);
}

static void unpin_all(struct history *history, const struct removal *removal)
{
    struct sp_arena arena;
    struct sp_pins pins;
    sp_arena_init(&arena, SIZE_MAX);
    ck_assert_int_eq(sp_store_pins(history_rocks(history), &arena, &pins, NULL), SP_OK);
    ck_assert_uint_le(pins.count, removal->pin_count); /* one may have been chosen twice */
    for (size_t i = 0; i < pins.count; i++)
        ck_assert_int_eq(sp_store_unpin(history_rocks(history), &pins.rows[i].trace_id, NULL),
                         SP_OK);
    sp_arena_fini(&arena);
}

void history_retain(struct history *history, enum disk disk)
{
    struct sp_error error = {0};
    struct removal removal = {
        .history = history, .disk = disk, .was_gone = disk == DISK_GOES && disk_fault_hit(NULL)};
    struct sp_retain retain = {.removed = take_removal, .cookie = &removal};
    if (history->append_count == 0)
        return;
    if (disk == DISK_IS_WELL)
        pin_some(history, &removal);
    bool by_age = sp_gen_chance(&history->gen, 70);
    if (by_age)
        choose_age(history, &retain, &removal);
    else
        choose_size(history, &retain);
    enum sp_status status = sp_store_retain(history_rocks(history), &retain, &error);
    if (removal.pin_count > 0)
        unpin_all(history, &removal);
    if (status == SP_OK || disk == DISK_GOES)
        return;
    ck_assert_msg(disk == DISK_FAILS_NOW, "retain: %s", error.message);
    record_note("  it fails: %s\n", error.message);
    /* One segment more than those that were told may be gone. */
    history->doubt.removed_first = 1;
    history->doubt.removed_last = history->appends[history->append_count - 1].number;
    history->doubt.cutoff_unix_ns = by_age ? removal.cutoff_unix_ns : UINT64_MAX;
}
