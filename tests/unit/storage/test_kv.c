/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/storage/test_kv.c: what the key-value store gives back to the file system. */
#include "storage/datadir.h"
#include "storage/kv.h"
#include "tests/support/check_main.h"
#include "tests/support/disk_fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE_BYTES ((size_t)1024 * 1024)
#define TRIES_MAX   2000 /* of TRY_US each */
#define TRY_US      5000

struct database {
    char root[128], path[160];
    struct sp_kv *kv;
    struct sp_buf value;
};

static void open_database(struct database *database, bool create)
{
    struct sp_error error = {0};
    enum sp_status status = sp_kv_open(database->path, create, &database->kv, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
}

static void database_init(struct database *database)
{
    const char *folder = getenv("TMPDIR");
    snprintf(database->root, sizeof(database->root), "%s/spoor-kv-XXXXXX",
             folder != NULL ? folder : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(database->root));
    snprintf(database->path, sizeof(database->path), "%s/db", database->root);
    sp_buf_init(&database->value, 2 * VALUE_BYTES);
    for (size_t i = 0; i < VALUE_BYTES; i++)
        sp_buf_append_byte(&database->value, (uint8_t)i);
    open_database(database, true);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static void database_fini(struct database *database)
{
    sp_kv_close(database->kv);
    sp_buf_fini(&database->value);
    nftw(database->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static uint64_t bytes_on_disk(struct database *database)
{
    const struct sp_datadir dir = {.root = database->root, .db = database->path};
    return sp_datadir_bytes(&dir);
}

/* RocksDB deletes the files that a flush has made useless after it says that the flush is done. */
static void wait_for_less_on_disk(struct database *database, uint64_t bytes)
{
    for (int tries = 0; bytes_on_disk(database) >= bytes; tries++) {
        ck_assert_msg(tries < TRIES_MAX, "%llu bytes stay",
                      (unsigned long long)bytes_on_disk(database));
        usleep(TRY_US);
    }
}

static struct sp_slice key_of(uint8_t number, uint8_t key[1])
{
    key[0] = number;
    return sp_slice_make(key, 1);
}

/* Records [from, to). */
static void put_records(struct database *database, uint8_t from, uint8_t to)
{
    uint8_t key[1];
    for (uint8_t i = from; i < to; i++) {
        struct sp_kv_batch *batch = sp_kv_batch_new();
        sp_kv_batch_put(batch, database->kv, SP_KV_JOURNAL, key_of(i, key),
                        sp_buf_slice(&database->value));
        ck_assert_int_eq(sp_kv_write(database->kv, batch, false, NULL), SP_OK);
        sp_kv_batch_free(batch);
    }
}

static void delete_before(struct database *database, uint8_t to)
{
    uint8_t from_key[1];
    uint8_t to_key[1];
    struct sp_kv_batch *batch = sp_kv_batch_new();
    sp_kv_batch_delete_range(batch, database->kv, SP_KV_JOURNAL, key_of(0, from_key),
                             key_of(to, to_key));
    ck_assert_int_eq(sp_kv_write(database->kv, batch, false, NULL), SP_OK);
    sp_kv_batch_free(batch);
}

static size_t count_records(struct database *database)
{
    size_t count = 0;
    struct sp_kv_iterator *rows = sp_kv_iterator_new(database->kv, SP_KV_JOURNAL);
    for (sp_kv_iterator_seek(rows, SP_SLICE("")); sp_kv_iterator_valid(rows);
         sp_kv_iterator_next(rows)) {
        count++;
        ck_assert(sp_slice_equal(sp_kv_iterator_value(rows), sp_buf_slice(&database->value)));
    }
    ck_assert_int_eq(sp_kv_iterator_status(rows, NULL), SP_OK);
    sp_kv_iterator_free(rows);
    return count;
}

START_TEST(log_takes_no_more_room_than_what_was_written)
{
    struct database database;
    database_init(&database);
    put_records(&database, 0, 1);
    wait_for_less_on_disk(&database, 2 * VALUE_BYTES);
    database_fini(&database);
}
END_TEST

START_TEST(records_deleted_before_a_flush_are_never_in_a_table)
{
    struct database database;
    database_init(&database);
    put_records(&database, 0, 40);
    ck_assert_uint_gt(bytes_on_disk(&database), 40 * VALUE_BYTES);
    delete_before(&database, 39);
    ck_assert_int_eq(sp_kv_flush(database.kv, NULL), SP_OK);
    wait_for_less_on_disk(&database, 2 * VALUE_BYTES);
    ck_assert_uint_eq(count_records(&database), 1);
    database_fini(&database);
}
END_TEST

START_TEST(tables_of_deleted_records_are_given_back)
{
    struct database database;
    uint8_t key[1];
    database_init(&database);
    for (uint8_t i = 0; i < 60;
         i += 10) { /* six tables: more than would be put together otherwise */
        put_records(&database, i, i + 10);
        ck_assert_int_eq(sp_kv_flush(database.kv, NULL), SP_OK);
    }
    ck_assert_uint_gt(bytes_on_disk(&database), 60 * VALUE_BYTES);
    delete_before(&database, 35); /* the fourth table is needed for the rest of it */
    ck_assert_int_eq(sp_kv_flush(database.kv, NULL), SP_OK);
    sp_kv_drop_before(database.kv, SP_KV_JOURNAL, key_of(35, key));
    wait_for_less_on_disk(&database, 31 * VALUE_BYTES);
    ck_assert_uint_eq(count_records(&database), 25);
    sp_kv_close(database.kv);
    open_database(&database, false);
    ck_assert_uint_eq(count_records(&database), 25);
    delete_before(&database, 60);
    ck_assert_int_eq(sp_kv_flush(database.kv, NULL), SP_OK);
    sp_kv_drop_before(database.kv, SP_KV_JOURNAL, key_of(60, key));
    wait_for_less_on_disk(&database, VALUE_BYTES);
    ck_assert_uint_eq(count_records(&database), 0);
    database_fini(&database);
}
END_TEST

/* ---- logs that leave ---- */

#define LOG_BYTES_MIN (20 * (off_t)VALUE_BYTES)

/* An open file of the one log that has so many bytes at least; its name. */
static int open_log(struct database *database, int flags, off_t least, char name[64])
{
    DIR *stream = opendir(database->path);
    struct dirent *entry;
    int found = -1;
    while (stream != NULL && (entry = readdir(stream)) != NULL) { // cppcheck-suppress readdirCalled
        struct stat info;
        if (strstr(entry->d_name, ".log") == NULL ||
            fstatat(dirfd(stream), entry->d_name, &info, 0) != 0 || info.st_size < least)
            continue;
        ck_assert_int_eq(found, -1);
        found = openat(dirfd(stream), entry->d_name, flags | O_CLOEXEC);
        snprintf(name, 64, "%.63s", entry->d_name);
    }
    closedir(stream);
    ck_assert_int_ge(found, 0);
    return found;
}

static struct stat wait_until_gone(int fd)
{
    struct stat info = {.st_nlink = 1};
    for (int tries = 0; info.st_nlink > 0; tries++) {
        ck_assert_msg(tries < TRIES_MAX, "the log still has %lu names and %lld bytes",
                      (unsigned long)info.st_nlink, (long long)info.st_size);
        usleep(TRY_US);
        ck_assert_int_eq(fstat(fd, &info), 0);
    }
    return info;
}

START_TEST(log_that_nobody_reads_is_made_shorter_before_it_goes)
{
    struct database database;
    char name[64];
    database_init(&database);
    put_records(&database, 0, 21);
    int fd = open_log(&database, O_PATH, LOG_BYTES_MIN,
                      name); /* which does not count as having it open */
    ck_assert_int_eq(sp_kv_flush(database.kv, NULL), SP_OK);
    ck_assert_int_le(wait_until_gone(fd).st_size, (off_t)VALUE_BYTES);
    close(fd);
    ck_assert_uint_eq(count_records(&database), 21);
    database_fini(&database);
}
END_TEST

START_TEST(log_that_somebody_reads_goes_as_it_is)
{
    struct database database;
    char name[64];
    database_init(&database);
    put_records(&database, 0, 21);
    int fd = open_log(&database, O_RDONLY, LOG_BYTES_MIN, name);
    ck_assert_int_eq(sp_kv_flush(database.kv, NULL), SP_OK);
    ck_assert_int_ge(wait_until_gone(fd).st_size, LOG_BYTES_MIN);
    close(fd);
    database_fini(&database);
}
END_TEST

START_TEST(log_of_a_few_records_goes_as_it_is)
{
    struct database database;
    char name[64];
    database_init(&database);
    put_records(&database, 0, 3);
    int fd = open_log(&database, O_PATH, 3 * (off_t)VALUE_BYTES, name);
    ck_assert_int_eq(sp_kv_flush(database.kv, NULL), SP_OK);
    ck_assert_int_ge(wait_until_gone(fd).st_size, 3 * (off_t)VALUE_BYTES);
    close(fd);
    database_fini(&database);
}
END_TEST

START_TEST(log_with_another_name_keeps_its_bytes)
{
    struct database database;
    char name[64];
    char from[256];
    char to[256];
    struct stat info = {.st_nlink = 3};
    database_init(&database);
    put_records(&database, 0, 21);
    int fd = open_log(&database, O_PATH, LOG_BYTES_MIN, name);
    snprintf(from, sizeof(from), "%s/%s", database.path, name);
    snprintf(to, sizeof(to), "%s/copy", database.root);
    ck_assert_int_eq(link(from, to), 0);
    ck_assert_int_eq(sp_kv_flush(database.kv, NULL), SP_OK);
    for (int tries = 0; info.st_nlink > 1; tries++) {
        ck_assert_int_lt(tries, TRIES_MAX);
        usleep(TRY_US);
        ck_assert_int_eq(fstat(fd, &info), 0);
    }
    ck_assert_int_ge(info.st_size, LOG_BYTES_MIN);
    close(fd);
    database_fini(&database);
}
END_TEST

START_TEST(logs_that_a_crash_left_half_way_go_when_the_database_is_opened)
{
    struct database database;
    char path[256];
    database_init(&database);
    put_records(&database, 0, 1);
    sp_kv_close(database.kv);
    snprintf(path, sizeof(path), "%s/leaving", database.path);
    ck_assert_int_eq(access(path, F_OK), -1); /* a close leaves none */
    ck_assert_int_eq(mkdir(path, 0777), 0);
    snprintf(path, sizeof(path), "%s/leaving/000001.log", database.path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    ck_assert_int_ge(fd, 0);
    close(fd);
    open_database(&database, false);
    ck_assert_int_eq(access(path, F_OK), -1);
    ck_assert_uint_eq(count_records(&database), 1);
    database_fini(&database);
}
END_TEST

/* ---- a full disk ---- */

/* A flush that fails half-way leaves a table in memory that RocksDB must not take up again: its assertion would end the process. */
START_TEST(flush_that_failed_is_not_tried_again_until_the_database_is_opened_anew)
{
    struct disk_fault full = {.calls = 1U << DISK_OPEN,
                              .files = 1U << DISK_LOG,
                              .first = 1,
                              .count = UINT64_MAX,
                              .outcome = DISK_FAILS,
                              .error = ENOSPC};
    struct database database;
    char backup[192];
    database_init(&database);
    snprintf(backup, sizeof(backup), "%s/backup", database.root);
    disk_fault_watch(database.path);
    put_records(&database, 0, 2);
    delete_before(&database, 1);
    disk_fault_set(&full);
    for (int tries = 0; tries < 2; tries++) {
        bool by_backup = (_i >> tries & 1) != 0;
        enum sp_status status = by_backup ? sp_kv_checkpoint(database.kv, backup, NULL)
                                          : sp_kv_flush(database.kv, NULL);
        ck_assert_int_ne(status, SP_OK);
        ck_assert(disk_fault_hit(NULL));
    }
    disk_fault_set(NULL);
    sp_kv_close(database.kv);
    open_database(&database, false);
    ck_assert_uint_eq(count_records(&database), 1);
    ck_assert_int_eq(sp_kv_flush(database.kv, NULL), SP_OK);
    disk_fault_watch(NULL);
    database_fini(&database);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("kv");
    TCase *tcase = tcase_create("room");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, log_takes_no_more_room_than_what_was_written);
    tcase_add_test(tcase, records_deleted_before_a_flush_are_never_in_a_table);
    tcase_add_test(tcase, tables_of_deleted_records_are_given_back);
    tcase_add_test(tcase, log_that_nobody_reads_is_made_shorter_before_it_goes);
    tcase_add_test(tcase, log_that_somebody_reads_goes_as_it_is);
    tcase_add_test(tcase, log_of_a_few_records_goes_as_it_is);
    tcase_add_test(tcase, log_with_another_name_keeps_its_bytes);
    tcase_add_test(tcase, logs_that_a_crash_left_half_way_go_when_the_database_is_opened);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("full disk");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(
        tcase, flush_that_failed_is_not_tried_again_until_the_database_is_opened_anew, 0, 4);
    suite_add_tcase(suite, tcase);
    return suite;
}
