/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/history.h"

#include "tests/contract/fixture.h"
#include "tests/contract/record.h"
#include "tests/support/disk_fault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OPERATIONS_MIN 3
#define OPERATIONS_MAX 8
#define KEPT_BATCHES   8
#define SPANS_MAX      30

static const uint64_t second_ns = 1000000000;
static const uint64_t base_unix_ns =
    1767225600ULL * 1000000000; /* where the generator of spans begins */

/* ---- one history ---- */

struct history {
    struct fixture stores[ENGINE_COUNT];
    struct sp_gen gen;
    uint64_t trace_seed;
    bool tangled;                                 /* a few traces with many calls */
    const struct sp_batch *batches[KEPT_BATCHES]; /* the newest */
    size_t batch_count;
    struct sp_trace_id ids[2048]; /* traces that were appended */
    size_t id_count;
    const struct sp_batch *unknown; /* after a crash it may be there */
    enum sp_body_format unknown_format;
};

static struct sp_store *rocks_of(const struct history *history)
{
    return history->stores[ENGINE_ROCKSDB].store;
}

static struct sp_store *reference_of(const struct history *history)
{
    return history->stores[ENGINE_REFERENCE].store;
}

/* ---- reads ---- */

static uint64_t random_time(struct history *history)
{
    switch (sp_gen_below(&history->gen, 8)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2: /* at a minute's edge, or just beside it */
        return base_unix_ns + sp_gen_below(&history->gen, 70) * 60 * second_ns +
               sp_gen_below(&history->gen, 3) - 1;
    default:
        return base_unix_ns + sp_gen_below(&history->gen, 4000 * second_ns);
    }
}

static struct sp_time_range random_range(struct history *history)
{
    uint64_t from = random_time(history);
    return (struct sp_time_range){from, random_time(history)};
}

static void do_read(struct history *history)
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
    ck_assert_int_eq(sp_store_trace_read(reference_of(history), &id, &arena, &batch, &error),
                     SP_OK);
    struct span_list want = span_list_make(&arena, &batch, 1);
    assert_trace(rocks_of(history), &id, &want);
    sp_arena_fini(&arena);
}

static void do_compare(struct history *history, struct sp_time_range range)
{
    record_note("compare answers from %llu to %llu\n", (unsigned long long)range.from_unix_ns,
                (unsigned long long)range.to_unix_ns);
    assert_same_answers(reference_of(history), rocks_of(history), range);
}

/* ---- spans ---- */

#define TANGLED_TRACES 6
#define TANGLED_IDS    9

static struct sp_span tangled_span(struct sp_gen *gen)
{
    static const char *const services[] = {"web", "cart", "orders", "queue"};
    static const char *const names[] = {"call", "serve"};
    uint64_t start =
        base_unix_ns + sp_gen_below(gen, 4) * 60 * second_ns + sp_gen_below(gen, 3) * second_ns;
    uint64_t trace = 1 + sp_gen_below(gen, TANGLED_TRACES);
    uint64_t id = 1 + sp_gen_below(gen, TANGLED_IDS);
    const char *service = services[sp_gen_below(gen, SP_ARRAY_LEN(services))];
    const char *name = names[sp_gen_below(gen, SP_ARRAY_LEN(names))];
    struct sp_span span = simple_span(trace, id, start, sp_gen_below(gen, 5) * 1000, service, name);
    span.kind = (int32_t)sp_gen_below(gen, 6);
    /* Parents that come later, or never; ids that are there twice, as client and server or by mistake. */
    if (sp_gen_chance(gen, 80))
        span.parent_span_id =
            simple_span(1, 1 + sp_gen_below(gen, TANGLED_IDS), 0, 0, "", "").span_id;
    if (sp_gen_chance(gen, 20)) {
        span.status_present = true;
        span.status_code = SP_SPAN_STATUS_ERROR;
    }
    return span;
}

static const struct sp_batch *tangled_batch(struct history *history)
{
    struct sp_span spans[8];
    size_t count = 1 + sp_gen_below(&history->gen, SP_ARRAY_LEN(spans));
    for (size_t i = 0; i < count; i++)
        spans[i] = tangled_span(&history->gen);
    record_note("append %zu tangled spans", count);
    return batch_of(&history->stores[0].arena, spans, count);
}

/* Of any kind, the last hour's or some days late. */
static const struct sp_batch *mixed_batch(struct history *history, bool *ret_odd)
{
    struct sp_gen *gen = &history->gen;
    struct sp_gen_options options = sp_gen_options_everything(1 + sp_gen_below(gen, SPANS_MAX));
    options.trace_seed = history->trace_seed;
    options.trace_count = 1 + sp_gen_below(gen, 12);
    options.odd_percent = sp_gen_chance(gen, 50) ? 20 : 0;
    options.window_ns = sp_gen_chance(gen, 50) ? 0 : 90 * second_ns;
    options.no_residue = true;
    uint64_t days_late = sp_gen_chance(gen, 20) ? 1 + sp_gen_below(gen, 3) : 0;
    options.start_unix_ns = base_unix_ns - days_late * 86400 * second_ns;
    uint64_t seed = sp_gen_u64(gen);
    record_note("append %zu spans, generator seed %llu, %llu days late", options.span_count,
                (unsigned long long)seed, (unsigned long long)days_late);
    *ret_odd = options.odd_percent > 0;
    return sp_gen_batch(&history->stores[0].arena, seed, &options);
}

/* What comes is the same as before with some chance: a sender that tries again. */
static const struct sp_batch *next_batch(struct history *history, bool *ret_odd)
{
    *ret_odd = true;
    if (history->batch_count > 0 && sp_gen_chance(&history->gen, 15)) {
        size_t known =
            history->batch_count < KEPT_BATCHES ? history->batch_count : (size_t)KEPT_BATCHES;
        size_t which = sp_gen_below(&history->gen, known);
        record_note("append batch %zu again", which);
        return history->batches[which];
    }
    const struct sp_batch *batch =
        history->tangled ? tangled_batch(history) : mixed_batch(history, ret_odd);
    history->batches[history->batch_count++ % KEPT_BATCHES] = batch;
    return batch;
}

/* ---- appends ---- */

enum disk { DISK_IS_WELL, DISK_FAILS_NOW, DISK_COMES_BACK, DISK_GOES };

#define SEND_TRIES 2000

/* As a sender does: again until it is acked, if there is hope. */
static bool send(struct history *history, const struct sp_batch *batch, enum sp_body_format format,
                 enum sp_body_encoding encoding, enum disk disk)
{
    for (int tries = 0; tries < SEND_TRIES; tries++) {
        enum sp_status status = append_as(rocks_of(history), batch, format, encoding);
        if (status == SP_OK)
            return true;
        ck_assert_msg(disk != DISK_IS_WELL && status == SP_UNAVAILABLE, "append: %s",
                      sp_status_name(status));
        if (disk == DISK_FAILS_NOW)
            return false;
        usleep(2000);
    }
    ck_abort_msg("appends are refused although the disk is well again");
}

static void set_unknown(struct history *history, const struct sp_batch *batch,
                        enum sp_body_format format)
{
    history->unknown = batch;
    history->unknown_format = format;
}

static void do_append(struct history *history, enum disk disk)
{
    struct sp_gen *gen = &history->gen;
    bool odd;
    const struct sp_batch *batch = next_batch(history, &odd);
    bool json = sp_gen_chance(gen, 20) && !odd;
    enum sp_body_format format = json ? SP_BODY_OTLP_JSON : SP_BODY_OTLP_PROTOBUF;
    enum sp_body_encoding encoding = (enum sp_body_encoding)(1 + sp_gen_below(gen, 3));
    record_note(", format %d, encoding %d\n", (int)format, (int)encoding);
    bool was_gone = disk == DISK_GOES && disk_fault_hit(NULL);
    if (!send(history, batch, format, encoding, disk)) {
        record_note("  it is refused\n");
        set_unknown(history, batch, format);
        return;
    }
    if (disk == DISK_GOES &&
        disk_fault_hit(NULL)) { /* this ack came from a process that was killed */
        record_note("  it comes after the crash\n");
        if (!was_gone)
            set_unknown(history, batch, format);
        return;
    }
    ck_assert_int_eq(append_as(reference_of(history), batch, format, encoding), SP_OK);
    for (size_t i = 0; i < batch->span_count && history->id_count < SP_ARRAY_LEN(history->ids); i++)
        history->ids[history->id_count++] = batch->spans[i].trace_id;
}

/* ---- restarts, faults, crashes ---- */

static void do_restart(struct history *history)
{
    if (sp_gen_chance(&history->gen, 50)) {
        record_note("drain\n");
        sp_store_drain(rocks_of(history));
    }
    record_note("restart\n");
    fixture_reopen(&history->stores[ENGINE_ROCKSDB]);
    do_compare(history, SP_TIME_RANGE_ALL);
}

static void do_wait(struct history *history)
{
    if (history->stores[ENGINE_ROCKSDB].options.sizes.seal_spans != 1)
        return;
    record_note("wait for merges\n");
    wait_for_merges(rocks_of(history));
}

static void set_fault(const struct disk_fault *fault)
{
    record_note("disk: from call %llu of kinds 0x%x on %llu %s%s, errno %d\n",
                (unsigned long long)fault->first, fault->calls, (unsigned long long)fault->count,
                fault->outcome == DISK_LEAVES ? "are lost" : "fail",
                fault->by_half ? ", by half" : "", fault->error);
    disk_fault_set(fault);
}

static void note_hit(void)
{
    char step[DISK_STEP_TEXT];
    if (disk_fault_hit(step))
        record_note("  the first would have been %s\n", step);
    else
        record_note("  so far it did not come\n");
    disk_fault_set(NULL);
}

/* Of the request that was under way at the crash, or was the last to be refused before, nobody knows whether it got to the disk. */
static void settle(struct history *history)
{
    struct sp_store_stats stats[ENGINE_COUNT];
    for (int i = 0; i < ENGINE_COUNT; i++)
        ck_assert_int_eq(sp_store_stats(history->stores[i].store, &stats[i], NULL), SP_OK);
    const struct sp_batch *batch = history->unknown;
    uint64_t more = stats[ENGINE_ROCKSDB].span_count - stats[ENGINE_REFERENCE].span_count;
    if (batch != NULL && more == batch->span_count) {
        record_note("  the last request that was not acked is there\n");
        ck_assert_int_eq(
            append_as(reference_of(history), batch, history->unknown_format, SP_BODY_IDENTITY),
            SP_OK);
    }
    history->unknown = NULL;
}

/* From some call on nothing reaches the disk: it is what a process leaves that is killed before that call. */
static void do_crash(struct history *history, uint64_t append_count)
{
    struct sp_gen *gen = &history->gen;
    struct disk_fault fault = {.calls = DISK_ALL_CALLS,
                               .first = 1 + sp_gen_below(gen, 150),
                               .count = UINT64_MAX,
                               .outcome = DISK_LEAVES};
    fault.by_half = sp_gen_chance(gen, 50);
    set_fault(&fault);
    for (uint64_t i = append_count; i > 0; i--)
        do_append(history, DISK_GOES);
    usleep((useconds_t)sp_gen_below(gen, 2000)); /* the sealer and the merger go on */
    sp_store_close(rocks_of(history));
    note_hit();
    record_note("start after the crash\n");
    fixture_open(&history->stores[ENGINE_ROCKSDB]);
    settle(history);
    do_compare(history, SP_TIME_RANGE_ALL);
}

static void wait_until_noticed(const struct history *history)
{
    struct sp_store_stats stats;
    do {
        usleep(1000);
        ck_assert_int_eq(sp_store_stats(rocks_of(history), &stats, NULL), SP_OK);
    } while (!stats.apply_fails);
}

/* A disk that is full until it is not, or on which some calls fail. What is refused is not sent again. */
static void do_fault(struct history *history)
{
    struct sp_gen *gen = &history->gen;
    struct disk_fault fault = {.calls = DISK_ALL_CALLS, .outcome = DISK_FAILS};
    bool is_full = sp_gen_chance(gen, 50);
    if (is_full)
        fault.calls = 1U << DISK_OPEN | 1U << DISK_WRITE | 1U << DISK_TRUNCATE;
    else if (sp_gen_chance(gen, 50))
        fault.calls = 1U << sp_gen_below(gen, DISK_CALL_COUNT);
    fault.first = 1 + sp_gen_below(gen, sp_gen_chance(gen, 50) ? 80 : 15);
    fault.count = is_full ? UINT64_MAX : 1 + sp_gen_below(gen, 6);
    fault.by_half = sp_gen_chance(gen, 30);
    fault.error = is_full ? ENOSPC : EIO;
    set_fault(&fault);
    history->unknown = NULL;
    for (uint64_t i = 1 + sp_gen_below(gen, 5); i > 0 && history->unknown == NULL; i--)
        do_append(history, DISK_FAILS_NOW);
    if (is_full) { /* reads go on */
        if (history->unknown != NULL)
            wait_until_noticed(history);
        do_read(history);
    }
    note_hit();
    if (sp_gen_chance(gen, 25)) { /* before it could be repaired */
        do_crash(history, 0);
        return;
    }
    do_append(history, DISK_COMES_BACK);
    history->unknown = NULL; /* it must not come back */
    if (sp_gen_chance(gen, 25)) {
        do_crash(history, 0);
        return;
    }
    do_wait(history);
    do_compare(history, SP_TIME_RANGE_ALL);
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

static void step(struct history *history)
{
    uint64_t which = sp_gen_below(&history->gen, 100);
    if (which < 15)
        do_read(history);
    else if (which < 25)
        do_compare(history, random_range(history));
    else if (which < 30)
        do_compare(history, SP_TIME_RANGE_ALL);
    else if (which < 35)
        do_restart(history);
    else if (which < 45)
        do_wait(history);
    else if (which < 50)
        do_fault(history);
    else if (which < 57)
        do_crash(history, sp_gen_below(&history->gen, 5));
    else
        do_append(history, DISK_IS_WELL);
}

void history_run(uint64_t seed)
{
    struct history *history = calloc(1, sizeof(*history));
    record_begin();
    record_note("SPOOR_HISTORY_SEED=%llu\n", (unsigned long long)seed);
    history->gen.state = seed;
    history->trace_seed = seed;
    history->tangled = sp_gen_chance(&history->gen, 40);
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
    uint64_t count =
        OPERATIONS_MIN + sp_gen_below(&history->gen, OPERATIONS_MAX - OPERATIONS_MIN + 1);
    for (uint64_t i = 0; i < count; i++)
        step(history);
    do_compare(history, SP_TIME_RANGE_ALL);
    do_compare(history, random_range(history));
    disk_fault_watch(NULL);
    fixture_close_sound(&history->stores[ENGINE_ROCKSDB]);
    for (int i = 0; i < ENGINE_COUNT; i++)
        fixture_fini(&history->stores[i]);
    free(history);
    record_end();
}
