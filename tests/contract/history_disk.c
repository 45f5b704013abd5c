/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/history_disk.c: appends of a random history, disks that fail and come back, and crashes. What they leave in doubt:
 * history_doubt.c. */
#include "tests/contract/history_parts.h"

#include <errno.h>
#include <unistd.h>

/* ---- appends ---- */

#define SEND_TRIES 2000

/* As a sender does: again until it is acked, if there is hope. */
static bool send(struct history *history, struct history_append *append,
                 enum sp_body_encoding encoding, enum disk disk)
{
    for (int tries = 0; tries < SEND_TRIES; tries++) {
        enum sp_status status = append_numbered(history_rocks(history), append->batch,
                                                append->format, encoding, &append->number);
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

void history_keep(struct history *history, const struct history_append *append)
{
    const struct sp_batch *batch = append->batch;
    ck_assert_uint_lt(history->append_count, HISTORY_APPENDS_MAX);
    ck_assert_uint_gt(append->number, 0);
    ck_assert_msg(history->append_count == 0 ||
                      append->number > history->appends[history->append_count - 1].number,
                  "append %llu comes late", (unsigned long long)append->number);
    history->appends[history->append_count] = *append;
    history->append_count++;
    history->appends[history->append_count - 1].kept = history->append_count;
    ck_assert_int_eq(append_as(history_reference(history), batch, append->format, SP_BODY_IDENTITY),
                     SP_OK);
    for (size_t i = 0; i < batch->span_count && history->id_count < HISTORY_IDS_MAX; i++)
        history->ids[history->id_count++] = batch->spans[i].trace_id;
}

void history_remove(struct history *history, size_t index)
{
    struct history_append *append = &history->appends[index];
    append->is_removed = true;
    sp_store_reference_remove(history_reference(history), append->kept, append->kept);
}

void history_append(struct history *history, enum disk disk)
{
    struct sp_gen *gen = &history->gen;
    bool odd;
    struct history_append append = {.batch = history_next_batch(history, &odd)};
    bool json = sp_gen_chance(gen, 20) && !odd;
    append.format = json ? SP_BODY_OTLP_JSON : SP_BODY_OTLP_PROTOBUF;
    enum sp_body_encoding encoding = (enum sp_body_encoding)(1 + sp_gen_below(gen, 3));
    record_note(", format %d, encoding %d\n", (int)append.format, (int)encoding);
    bool was_gone = disk == DISK_GOES && disk_fault_hit(NULL);
    if (!send(history, &append, encoding, disk)) {
        record_note("  it is refused\n");
        history->doubt.append = append;
        return;
    }
    if (disk == DISK_GOES &&
        disk_fault_hit(NULL)) { /* this ack came from a process that was killed */
        record_note("  it comes after the crash\n");
        if (!was_gone)
            history->doubt.append = append;
        return;
    }
    history_keep(history, &append);
}

/* ---- crashes ---- */

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

/* What a process does that is going to be killed. */
static void do_until_crash(struct history *history)
{
    uint64_t which = sp_gen_below(&history->gen, 100);
    if (which < 70)
        history_append(history, DISK_GOES);
    else if (which < 90)
        history_retain(history, DISK_GOES);
    else
        history_back_up(history, DISK_GOES);
}

/* From some call on nothing reaches the disk: it is what a process leaves that is killed before that call. */
static void crash(struct history *history, uint64_t step_count)
{
    struct sp_gen *gen = &history->gen;
    struct disk_fault fault = {.calls = DISK_ALL_CALLS,
                               .first = 1 + sp_gen_below(gen, 150),
                               .count = UINT64_MAX,
                               .outcome = DISK_LEAVES};
    fault.by_half = sp_gen_chance(gen, 50);
    set_fault(&fault);
    for (uint64_t i = step_count; i > 0; i--)
        do_until_crash(history);
    usleep((useconds_t)sp_gen_below(gen, 2000)); /* the sealer and the merger go on */
    sp_store_close(history_rocks(history));
    note_hit();
    record_note("start after the crash\n");
    fixture_open(&history->stores[ENGINE_ROCKSDB]);
    history_settle(history);
    history_check_backups(history);
    history_compare(history, SP_TIME_RANGE_ALL);
}

void history_crash(struct history *history)
{
    crash(history, sp_gen_below(&history->gen, 5));
}

/* ---- disks that fail ---- */

static void wait_until_noticed(const struct history *history)
{
    struct sp_store_stats stats;
    do {
        usleep(1000);
        ck_assert_int_eq(sp_store_stats(history_rocks(history), &stats, NULL), SP_OK);
    } while (!stats.apply_fails);
}

static void do_on_bad_disk(struct history *history)
{
    uint64_t which = sp_gen_below(&history->gen, 100);
    if (which < 75)
        history_append(history, DISK_FAILS_NOW);
    else if (which < 90 && history->doubt.removed_last == 0)
        history_retain(history, DISK_FAILS_NOW);
    else
        history_back_up(history, DISK_FAILS_NOW);
}

/* Full until it is not, or some calls fail. */
static bool choose_fault(struct sp_gen *gen, struct disk_fault *fault)
{
    *fault = (struct disk_fault){.calls = DISK_ALL_CALLS, .outcome = DISK_FAILS};
    bool is_full = sp_gen_chance(gen, 50);
    if (is_full)
        fault->calls = 1U << DISK_OPEN | 1U << DISK_WRITE | 1U << DISK_TRUNCATE;
    else if (sp_gen_chance(gen, 50))
        fault->calls = 1U << sp_gen_below(gen, DISK_CALL_COUNT);
    fault->first = 1 + sp_gen_below(gen, sp_gen_chance(gen, 50) ? 80 : 15);
    fault->count = is_full ? UINT64_MAX : 1 + sp_gen_below(gen, 6);
    fault->by_half = sp_gen_chance(gen, 30);
    fault->error = is_full ? ENOSPC : EIO;
    return is_full;
}

/* What is refused is not sent again. */
void history_fault(struct history *history)
{
    struct sp_gen *gen = &history->gen;
    struct disk_fault fault;
    bool is_full = choose_fault(gen, &fault);
    set_fault(&fault);
    for (uint64_t i = 1 + sp_gen_below(gen, 5); i > 0 && history->doubt.append.batch == NULL; i--)
        do_on_bad_disk(history);
    if (is_full && history->doubt.removed_last == 0) { /* reads go on */
        if (history->doubt.append.batch != NULL)
            wait_until_noticed(history);
        history_read(history);
    }
    note_hit();
    if (sp_gen_chance(gen, 25)) { /* before it could be repaired */
        crash(history, 0);
        return;
    }
    history->doubt.append.batch = NULL; /* it must not come back */
    history_append(history, DISK_COMES_BACK);
    history_settle(history);
    if (sp_gen_chance(gen, 25)) {
        crash(history, 0);
        return;
    }
    history_check_backups(history);
    history_wait_for_merges(history);
    history_compare(history, SP_TIME_RANGE_ALL);
}
