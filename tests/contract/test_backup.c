/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_backup.c: copies of a store that is in use, and of one that is not: what is in them, and when there are none.
 * With real servers and full disks: tests/e2e/data/test_backup.py. */
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 512
#define APPENDS    40

static void path_beside(const struct fixture *fixture, const char *name, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s-%s", fixture->data_dir, name);
    remove_folder(out);
}

static const struct sp_batch *some(struct fixture *fixture, uint64_t seed)
{
    struct sp_gen_options options = sp_gen_options_everything(40);
    options.trace_seed = 3;
    options.trace_count = 9;
    return sp_gen_batch(&fixture->arena, seed, &options);
}

/* Makes a backup, copies it to a place and removes it. */
static void take_backup(struct fixture *fixture, const char *to, bool link_tables)
{
    struct sp_error error = {0};
    struct sp_backup backup;
    struct sp_store_copied copied;
    char path[PATH_BYTES];
    enum sp_status status = sp_store_backup_make(fixture->store, &fixture->arena, &backup, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    ck_assert(backup.complete && backup.path.ptr[0] == '/');
    snprintf(path, sizeof(path), "%.*s", SP_SLICE_PRINTF(backup.path));
    status = sp_store_copy(path, to, link_tables, &copied, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    ck_assert_uint_gt(copied.file_count, copied.linked_count);
    ck_assert(link_tables || copied.linked_count == 0);
    ck_assert_int_eq(sp_store_backup_remove(fixture->store, backup.name, NULL), SP_OK);
    ck_assert_int_ne(access(path, F_OK), 0);
}

static void open_copy(struct fixture *copy, const char *path)
{
    *copy = (struct fixture){.engine = ENGINE_ROCKSDB};
    snprintf(copy->data_dir, sizeof(copy->data_dir), "%s", path);
    fixture_options(copy);
    ck_assert_int_eq(sp_store_rocksdb_open(&copy->options, &copy->store, NULL), SP_OK);
}

START_TEST(copy_gives_the_same_answers_as_the_store)
{
    struct fixture fixture;
    struct fixture copy;
    char path[PATH_BYTES];
    fixture_init(&fixture, ENGINE_ROCKSDB);
    for (int link_tables = 0; link_tables <= 1; link_tables++) {
        fixture.options.sizes = small_sizes();
        fixture_reopen(&fixture);
        for (uint64_t i = 0; i < 12; i++) /* merged segments */
            append(&fixture, some(&fixture, 10 * (uint64_t)link_tables + i));
        wait_for_merges(fixture.store);
        fixture.options.sizes = (struct sp_store_sizes){0};
        fixture_reopen(&fixture);
        append(&fixture, some(&fixture, 90)); /* a journal */
        path_beside(&fixture, "copy", path);
        take_backup(&fixture, path, link_tables);
        assert_sound(path);
        open_copy(&copy, path);
        assert_same_answers(fixture.store, copy.store, SP_TIME_RANGE_ALL);
        append(&copy, some(&copy, 91)); /* its own from now on */
        fixture_fini(&copy);
        append(&fixture, some(&fixture, 92));
        fixture_close_sound(&fixture);
    }
    fixture_fini(&fixture);
}
END_TEST

/* ---- under load ---- */

struct load {
    struct fixture *fixture;
    const struct sp_batch *batches[APPENDS];
    _Atomic uint32_t acked;
};

static void *append_all(void *cookie)
{
    struct load *load = cookie;
    for (uint32_t i = 0; i < APPENDS; i++) {
        append(load->fixture, load->batches[i]);
        atomic_store(&load->acked, i + 1);
    }
    return NULL;
}

static uint64_t spans_in(struct sp_store *store)
{
    struct sp_store_stats stats;
    ck_assert_int_eq(sp_store_stats(store, &stats, NULL), SP_OK);
    return stats.span_count;
}

/* Whole appends from the first on, and all that were acked before. */
START_TEST(copy_under_load_has_every_append_that_was_acked_before_and_no_part_of_one)
{
    struct fixture fixture;
    struct load load = {.fixture = &fixture};
    char path[PATH_BYTES];
    pthread_t thread;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    fixture.options.sizes = small_sizes();
    fixture_reopen(&fixture);
    for (uint32_t i = 0; i < APPENDS; i++)
        load.batches[i] = some(&fixture, i);
    ck_assert_int_eq(pthread_create(&thread, NULL, append_all, &load), 0);
    for (uint32_t wanted = 5; wanted < APPENDS; wanted += 10) {
        while (atomic_load(&load.acked) < wanted)
            usleep(1000);
        struct fixture copy;
        struct sp_arena arena;
        struct sp_backup backup;
        struct sp_store_copied copied;
        uint32_t acked = atomic_load(&load.acked);
        sp_arena_init(&arena, SIZE_MAX);
        ck_assert_int_eq(sp_store_backup_make(fixture.store, &arena, &backup, NULL), SP_OK);
        uint32_t acked_after = atomic_load(&load.acked);
        char from[PATH_BYTES];
        snprintf(from, sizeof(from), "%.*s", SP_SLICE_PRINTF(backup.path));
        path_beside(&fixture, "copy", path);
        ck_assert_int_eq(sp_store_copy(from, path, false, &copied, NULL), SP_OK);
        ck_assert_int_eq(sp_store_backup_remove(fixture.store, backup.name, NULL), SP_OK);
        sp_arena_fini(&arena);
        assert_sound(path);
        open_copy(&copy, path);
        uint64_t spans = spans_in(copy.store);
        ck_assert_uint_eq(spans % 40, 0);
        ck_assert_uint_ge(spans, 40 * (uint64_t)acked);
        ck_assert_uint_le(spans, 40 * ((uint64_t)acked_after + 1));
        struct span_list all = span_list_make(&copy.arena, load.batches, spans / 40);
        assert_all_traces(copy.store, &all);
        fixture_fini(&copy);
    }
    pthread_join(thread, NULL);
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
}
END_TEST

/* ---- none ---- */

START_TEST(store_in_memory_has_no_backups)
{
    struct fixture fixture;
    struct sp_backup backup;
    const struct sp_backup *rows;
    size_t count;
    fixture_init(&fixture, ENGINE_REFERENCE);
    ck_assert_int_eq(sp_store_backup_make(fixture.store, &fixture.arena, &backup, NULL),
                     SP_UNIMPLEMENTED);
    ck_assert_int_eq(sp_store_backup_list(fixture.store, &fixture.arena, &rows, &count, NULL),
                     SP_UNIMPLEMENTED);
    ck_assert_int_eq(sp_store_backup_remove(fixture.store, SP_SLICE("x"), NULL), SP_UNIMPLEMENTED);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(names_that_lead_elsewhere_are_refused)
{
    static const char *const names[] = {"", ".", "..", "../x", "a/b", "a.b", "a_b", "\xc3\xa4"};
    char longest[66];
    struct fixture fixture;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    for (size_t i = 0; i < SP_ARRAY_LEN(names); i++)
        ck_assert_int_eq(sp_store_backup_remove(fixture.store, sp_slice_cstr(names[i]), NULL),
                         SP_INVALID_ARGUMENT);
    memset(longest, 'a', sizeof(longest));
    ck_assert_int_eq(sp_store_backup_remove(fixture.store, sp_slice_make(longest, 65), NULL),
                     SP_INVALID_ARGUMENT);
    ck_assert_int_eq(sp_store_backup_remove(fixture.store, sp_slice_make(longest, 64), NULL),
                     SP_NOT_FOUND);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(directories_in_use_and_full_targets_are_not_copied)
{
    struct fixture fixture;
    struct sp_store_copied copied;
    char path[PATH_BYTES];
    fixture_init(&fixture, ENGINE_ROCKSDB);
    append(&fixture, some(&fixture, 1));
    path_beside(&fixture, "copy", path);
    ck_assert_int_eq(sp_store_copy(fixture.data_dir, path, false, &copied, NULL), SP_BUSY);
    ck_assert_int_ne(access(path, F_OK), 0);
    sp_store_close(fixture.store);
    fixture.store = NULL;
    ck_assert_int_eq(sp_store_copy("/nowhere", path, false, &copied, NULL), SP_NOT_FOUND);
    ck_assert_int_eq(sp_store_copy(fixture.data_dir, path, false, &copied, NULL), SP_OK);
    ck_assert_int_eq(sp_store_copy(fixture.data_dir, path, false, &copied, NULL),
                     SP_INVALID_ARGUMENT);
    assert_sound(path);
    remove_folder(path);
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("backup");
    TCase *tests = tcase_create("backup");
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, copy_gives_the_same_answers_as_the_store);
    tcase_add_test(tests,
                   copy_under_load_has_every_append_that_was_acked_before_and_no_part_of_one);
    tcase_add_test(tests, store_in_memory_has_no_backups);
    tcase_add_test(tests, names_that_lead_elsewhere_are_refused);
    tcase_add_test(tests, directories_in_use_and_full_targets_are_not_copied);
    suite_add_tcase(suite, tests);
    return suite;
}
