/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/storage/test_datadir.c: what has to be on disk before the first span can be promised to be: the data
 * directory, its FORMAT, and every folder above that was made for it. fsync is replaced by one that remembers. */
#include "storage/datadir.h"
#include "tests/support/check_main.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYNCED_MAX 64

static struct {
    char paths[SYNCED_MAX][PATH_MAX];
    bool saw_format[SYNCED_MAX]; /* of the data directory, at that moment */
    size_t count;
    const char *fails_at; /* a path whose sync fails */
    char format[2 * PATH_MAX];
} synced;

int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
    char link[64];
    ck_assert_uint_lt(synced.count, SYNCED_MAX);
    char *path = synced.paths[synced.count];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, PATH_MAX - 1);
    ck_assert_int_gt(len, 0);
    path[len] = '\0';
    synced.saw_format[synced.count] = access(synced.format, F_OK) == 0;
    synced.count++;
    if (synced.fails_at != NULL && strcmp(path, synced.fails_at) == 0) {
        errno = EIO;
        return -1;
    }
    return __real_fsync(fd);
}

/* A new folder to work in, as the kernel names it. */
static char folder[PATH_MAX];

static void setup(void)
{
    char template[PATH_MAX];
    const char *tmp = getenv("TMPDIR");
    snprintf(template, sizeof(template), "%s/spoor-datadir-XXXXXX", tmp != NULL ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(template));
    ck_assert_ptr_nonnull(realpath(template, folder));
    memset(&synced, 0, sizeof(synced));
}

static void teardown(void)
{
    static const char *const files[] = {"a/b/c/FORMAT", "a/b/c/FORMAT.new", "a/b/c/LOCK"};
    static const char *const folders[] = {"a/b/c/db", "a/b/c", "a/b", "a", "."};
    char path[2 * PATH_MAX];
    for (size_t i = 0; i < SP_ARRAY_LEN(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        unlink(path);
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(folders); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, folders[i]);
        rmdir(path);
    }
    rmdir(folder);
}

static const char *below(const char *name)
{
    static char path[2 * PATH_MAX];
    snprintf(path, sizeof(path), "%s%s%s", folder, name[0] != '\0' ? "/" : "", name);
    return path;
}

/* The last time this path was synced; SYNCED_MAX: never. */
static size_t last_sync(const char *name)
{
    const char *path = below(name);
    for (size_t i = synced.count; i > 0; i--) {
        if (strcmp(synced.paths[i - 1], path) == 0)
            return i - 1;
    }
    return SYNCED_MAX;
}

static enum sp_status open_and_close(const char *path, struct sp_error *reterr)
{
    struct sp_datadir dir;
    ck_assert_int_lt(snprintf(synced.format, sizeof(synced.format), "%s/FORMAT", path),
                     (int)sizeof(synced.format));
    enum sp_status status = sp_datadir_open(path, &dir, reterr);
    if (status == SP_OK)
        sp_datadir_close(&dir);
    return status;
}

START_TEST(datadir_syncs_itself_and_every_folder_made_for_it)
{
    struct sp_error error = {0};
    ck_assert_msg(open_and_close(below("a/b/c"), &error) == SP_OK, "%s", error.message);
    /* Its own entry list holds FORMAT and db: synced when both are there. */
    ck_assert_uint_ne(last_sync("a/b/c"), SYNCED_MAX);
    ck_assert(synced.saw_format[last_sync("a/b/c")]);
    ck_assert_uint_ne(last_sync("a/b/c/FORMAT.new"), SYNCED_MAX);
    /* The folders that hold the entries of a/b/c, a/b and a. */
    static const char *const parents[] = {"a/b", "a", ""};
    for (size_t i = 0; i < SP_ARRAY_LEN(parents); i++) {
        ck_assert_msg(last_sync(parents[i]) != SYNCED_MAX, "\"%s\" was not synced", parents[i]);
        /* A FORMAT says that the directory is complete, so it comes after. */
        ck_assert(!synced.saw_format[last_sync(parents[i])]);
    }
}
END_TEST

/* Only itself: the start before may have been cut short behind the rename of FORMAT. */
START_TEST(datadir_that_stands_leaves_the_folders_above_alone)
{
    ck_assert_int_eq(open_and_close(below("a/b/c"), NULL), SP_OK);
    synced.count = 0;
    ck_assert_int_eq(open_and_close(below("a/b/c"), NULL), SP_OK);
    ck_assert_uint_eq(synced.count, 1);
    ck_assert_uint_eq(last_sync("a/b/c"), 0);
}
END_TEST

/* Killed between mkdir and the sync: who comes next finds the folders, but they may still be in memory only. */
START_TEST(datadir_finishes_what_an_interrupted_start_has_begun)
{
    ck_assert_int_eq(mkdir(below("a"), 0777), 0);
    ck_assert_int_eq(mkdir(below("a/b"), 0777), 0);
    ck_assert_int_eq(mkdir(below("a/b/c"), 0777), 0);
    ck_assert_int_eq(open_and_close(below("a/b/c"), NULL), SP_OK);
    ck_assert_uint_ne(last_sync(""), SYNCED_MAX);
    ck_assert_uint_ne(last_sync("a"), SYNCED_MAX);
    ck_assert_uint_ne(last_sync("a/b"), SYNCED_MAX);
}
END_TEST

START_TEST(datadir_with_a_relative_path_syncs_the_working_directory)
{
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(open_and_close("a/b//c/", NULL), SP_OK);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_uint_ne(last_sync(""), SYNCED_MAX);
    ck_assert_uint_ne(last_sync("a"), SYNCED_MAX);
    ck_assert_uint_ne(last_sync("a/b"), SYNCED_MAX);
}
END_TEST

START_TEST(datadir_that_cannot_be_synced_is_an_error_and_is_tried_again)
{
    static const char *const places[] = {"", "a", "a/b", "a/b/c"};
    char failing[2 * PATH_MAX];
    struct sp_error error = {0};
    snprintf(failing, sizeof(failing), "%s", below(places[_i]));
    synced.fails_at = failing;
    ck_assert_int_eq(open_and_close(below("a/b/c"), &error), SP_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "cannot sync"));
    synced.fails_at = NULL;
    synced.count = 0;
    ck_assert_int_eq(open_and_close(below("a/b/c"), NULL), SP_OK);
    ck_assert_uint_ne(last_sync(places[_i]), SYNCED_MAX);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("storage_datadir");
    TCase *test = tcase_create("sync");
    tcase_add_checked_fixture(test, setup, teardown);
    tcase_add_test(test, datadir_syncs_itself_and_every_folder_made_for_it);
    tcase_add_test(test, datadir_that_stands_leaves_the_folders_above_alone);
    tcase_add_test(test, datadir_finishes_what_an_interrupted_start_has_begun);
    tcase_add_test(test, datadir_with_a_relative_path_syncs_the_working_directory);
    tcase_add_loop_test(test, datadir_that_cannot_be_synced_is_an_error_and_is_tried_again, 0, 4);
    suite_add_tcase(suite, test);
    return suite;
}
