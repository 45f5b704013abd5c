/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/history_copies.c: what else can be read of a random history: backups, as they were when they were made, and a store that
 * follows the one that writes, which has to know as much. */
#include "tests/contract/history_parts.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* ---- backups ---- */

static struct history_backup *find_backup(struct history *history, struct sp_slice name)
{
    for (size_t i = 0; i < HISTORY_BACKUPS; i++) {
        struct history_backup *backup = &history->backups[i];
        if (sp_slice_equal_cstr(name, backup->name))
            return backup;
    }
    return NULL;
}

static void forget(struct history_backup *backup)
{
    if (backup->name[0] != '\0')
        sp_buf_fini(&backup->answers);
    *backup = (struct history_backup){.name = ""};
}

void history_forget_backups(struct history *history)
{
    for (size_t i = 0; i < HISTORY_BACKUPS; i++)
        forget(&history->backups[i]);
}

static void list_backups(struct history *history, struct sp_arena *arena,
                         const struct sp_backup **ret_rows, size_t *ret_count)
{
    struct sp_error error = {0};
    enum sp_status status =
        sp_store_backup_list(history_rocks(history), arena, ret_rows, ret_count, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
}

/* Those that are known are there, and whole. */
static void check_listed(struct history *history, const struct sp_backup *rows, size_t count)
{
    size_t known = 0;
    size_t found = 0;
    for (size_t i = 0; i < HISTORY_BACKUPS; i++)
        known += history->backups[i].name[0] != '\0';
    for (size_t i = 0; i < count; i++) {
        bool is_known = find_backup(history, rows[i].name) != NULL;
        ck_assert_msg(!is_known || rows[i].complete, "backup %.*s is incomplete",
                      SP_SLICE_PRINTF(rows[i].name));
        found += is_known;
    }
    ck_assert_uint_eq(found, known);
}

static void remove_backup(struct history *history, struct sp_slice name)
{
    struct sp_error error = {0};
    enum sp_status status = sp_store_backup_remove(history_rocks(history), name, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    ck_assert_int_eq(sp_store_backup_remove(history_rocks(history), name, NULL), SP_NOT_FOUND);
}

void history_check_backups(struct history *history)
{
    struct sp_arena arena;
    const struct sp_backup *rows;
    size_t count;
    sp_arena_init(&arena, SIZE_MAX);
    list_backups(history, &arena, &rows, &count);
    check_listed(history, rows, count);
    for (size_t i = 0; i < count; i++) {
        if (find_backup(history, rows[i].name) != NULL)
            continue;
        record_note("  backup %.*s is %s\n", SP_SLICE_PRINTF(rows[i].name),
                    rows[i].complete ? "there all the same" : "not finished");
        remove_backup(history, rows[i].name);
    }
    sp_arena_fini(&arena);
}

static void keep_backup(struct history *history, struct history_backup *place,
                        const struct sp_backup *made)
{
    ck_assert(made->complete && made->name.len > 0);
    ck_assert_ptr_null(find_backup(history, made->name));
    snprintf(place->name, sizeof(place->name), "%.*s", SP_SLICE_PRINTF(made->name));
    snprintf(place->path, sizeof(place->path), "%.*s", SP_SLICE_PRINTF(made->path));
    sp_buf_init(&place->answers, SIZE_MAX / 2);
    describe_answers(history_reference(history), SP_TIME_RANGE_ALL, &place->answers);
    record_note("  it is %s\n", place->name);
}

/* Another one takes the place of the oldest. */
void history_back_up(struct history *history, enum disk disk)
{
    struct sp_arena arena;
    struct sp_backup made;
    struct sp_error error = {0};
    struct history_backup *place = find_backup(history, SP_SLICE(""));
    record_note("back up\n");
    if (place == NULL) {
        if (disk != DISK_IS_WELL)
            return;
        place = &history->backups[sp_gen_below(&history->gen, HISTORY_BACKUPS)];
        remove_backup(history, sp_slice_cstr(place->name));
        forget(place);
    }
    sp_arena_init(&arena, SIZE_MAX);
    enum sp_status status = sp_store_backup_make(history_rocks(history), &arena, &made, &error);
    ck_assert_msg(status == SP_OK || disk != DISK_IS_WELL, "%s", error.message);
    if (status != SP_OK)
        record_note("  it fails: %s\n", error.message);
    else if (disk != DISK_GOES || !disk_fault_hit(NULL))
        keep_backup(history, place, &made);
    sp_arena_fini(&arena);
}

static struct history_backup *choose_backup(struct history *history)
{
    struct history_backup *backup = &history->backups[sp_gen_below(&history->gen, HISTORY_BACKUPS)];
    return backup->name[0] != '\0' ? backup : NULL;
}

void history_remove_backup(struct history *history)
{
    struct history_backup *backup = choose_backup(history);
    if (backup == NULL)
        return;
    record_note("remove backup %s\n", backup->name);
    remove_backup(history, sp_slice_cstr(backup->name));
    forget(backup);
    history_check_backups(history);
}

/* However much was appended, merged and removed since, a copy answers as the store did then. */
void history_restore(struct history *history)
{
    struct fixture copy = {.engine = ENGINE_ROCKSDB};
    struct sp_store_copied copied;
    struct sp_buf answers;
    struct sp_error error = {0};
    struct history_backup *backup = choose_backup(history);
    if (backup == NULL)
        return;
    bool link_tables = sp_gen_chance(&history->gen, 50);
    record_note("restore backup %s%s\n", backup->name, link_tables ? " with links" : "");
    snprintf(copy.data_dir, sizeof(copy.data_dir), "%.100s-copy",
             history->stores[ENGINE_ROCKSDB].data_dir);
    remove_folder(copy.data_dir);
    enum sp_status status =
        sp_store_copy(backup->path, copy.data_dir, link_tables, &copied, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    if (sp_gen_chance(&history->gen, 50))
        assert_sound(copy.data_dir);
    fixture_options(&copy);
    copy.options.sizes = history->stores[ENGINE_ROCKSDB].options.sizes;
    fixture_open(&copy);
    sp_buf_init(&answers, SIZE_MAX / 2);
    describe_answers(copy.store, SP_TIME_RANGE_ALL, &answers);
    assert_equal_answers("reference at the time of the backup", &backup->answers, "restored",
                         &answers);
    sp_buf_fini(&answers);
    fixture_fini(&copy);
}

/* ---- a store that follows ---- */

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#define CATCH_UP_TRIES 20000
#define CATCH_UP_US    500

void history_catch_up(struct history *history)
{
    uint64_t wanted_ns = monotonic_ns();
    struct sp_store_stats stats;
    struct sp_error error = {0};
    for (int tries = 0; tries < CATCH_UP_TRIES; tries++) {
        uint64_t asked_ns =
            monotonic_ns(); /* before the age is told: this thread may wait for its turn then */
        enum sp_status status = sp_store_stats(history->follower, &stats, &error);
        ck_assert_msg(status == SP_OK, "%s", error.message);
        ck_assert(stats.follows);
        if (asked_ns > wanted_ns + stats.catch_up_age_ns)
            return;
        usleep(CATCH_UP_US);
    }
    ck_abort_msg("the follower does not catch up: %llu looks went well, %llu did not",
                 (unsigned long long)stats.catch_up_count,
                 (unsigned long long)stats.catch_up_failure_count);
}

void history_follow(struct history *history)
{
    struct sp_error error = {0};
    if (history->follower != NULL && sp_gen_chance(&history->gen, 30)) {
        record_note("no longer follow\n");
        sp_store_close(history->follower);
        history->follower = NULL;
        return;
    }
    if (history->follower == NULL) {
        record_note("follow\n");
        enum sp_status status = sp_store_rocksdb_follow(&history->stores[ENGINE_ROCKSDB].options,
                                                        &history->follower, &error);
        ck_assert_msg(status == SP_OK, "%s", error.message);
    }
    history_compare(history, SP_TIME_RANGE_ALL);
}
