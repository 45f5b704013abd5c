/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_check_files.c: sp_store_check on data directories that are sound, on tables that are damaged on the disk, and
 * on directories that it may not or cannot check. Only for the engine on disk. */
#include "tests/contract/check_report.h"
#include "tests/support/check_main.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct sum {
    uint64_t checksum, files;
};

static void add_to_sum(const char *path, const char *name, void *cookie)
{
    struct sum *sum = cookie;
    struct stat info;
    static uint8_t bytes[16 * 1024 * 1024];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert(fd >= 0 && fstat(fd, &info) == 0);
    ssize_t len = read(fd, bytes, sizeof(bytes));
    close(fd);
    uint64_t one = sp_checksum(sp_slice_cstr(name), (uint64_t)info.st_mtim.tv_nsec);
    sum->checksum += sp_checksum(sp_slice_make(bytes, (size_t)len), one);
    sum->files++;
}

/* Of names, contents and times of change. */
static struct sum sum_of(const char *folder)
{
    struct sum sum = {0};
    char db[FOLDER_BYTES];
    snprintf(db, sizeof(db), "%.*s/db", 400, folder);
    each_file(folder, add_to_sum, &sum);
    each_file(db, add_to_sum, &sum);
    return sum;
}

/* ---- sound ---- */

START_TEST(sound_directories_have_no_findings_and_are_left_alone)
{
    struct fixture fixture;
    char copy[FOLDER_BYTES];
    fixture_init(&fixture, ENGINE_ROCKSDB);
    close_store(&fixture);
    assert_sound(fixture.data_dir); /* empty */

    fixture.options.sizes = without_merges();
    fixture.options.sizes.seal_spans = 1000000;
    fixture_reopen(&fixture);
    struct sp_gen_options some = sp_gen_options_everything(60);
    append(&fixture, sp_gen_batch(&fixture.arena, 1, &some));
    copy_folder(fixture.data_dir, copy); /* a journal */
    struct report report;
    struct sum before = sum_of(copy);
    ck_assert_int_eq(check_folder(copy, &report), SP_OK);
    struct sum after = sum_of(copy);
    ck_assert(before.checksum == after.checksum && before.files == after.files);
    ck_assert_msg(report.damage_count == 0, "%s", text_of(&report));
    ck_assert_uint_eq(report.summary.journal_record_count, 1);
    ck_assert_uint_eq(report.summary.journal_span_count, 60);
    ck_assert_uint_eq(report.summary.span_count, 0);
    sp_buf_fini(&report.text);

    fixture.options.sizes = without_merges();
    for (uint64_t i = 0; i < SEGMENTS; i++) {
        fixture_reopen(&fixture); /* a close seals */
        append_some(&fixture, 2 + i, 10);
    }
    close_store(&fixture);
    before = sum_of(fixture.data_dir);
    ck_assert_int_eq(check_folder(fixture.data_dir, &report), SP_OK);
    ck_assert_msg(report.damage_count == 0, "%s", text_of(&report));
    ck_assert_uint_eq(report.summary.segment_count, SEGMENTS + 1);
    ck_assert_uint_eq(report.summary.span_count, 60 * (SEGMENTS + 1));
    ck_assert_uint_eq(report.summary.journal_record_count, 0);
    sp_buf_fini(&report.text);
    after = sum_of(fixture.data_dir);
    ck_assert(before.checksum == after.checksum && before.files == after.files);

    fixture.options.sizes = small_sizes();
    fixture_reopen(&fixture);
    append_some(&fixture, 20, 0);
    close_store(&fixture); /* merged */
    ck_assert_int_eq(check_folder(fixture.data_dir, &report), SP_OK);
    ck_assert_msg(report.damage_count == 0, "%s", text_of(&report));
    ck_assert_uint_lt(report.summary.segment_count, SEGMENTS + 2);
    sp_buf_fini(&report.text);
    remove_folder(copy);
    fixture_fini(&fixture);
}
END_TEST

/* ---- files ---- */

struct tables {
    char paths[32][FOLDER_BYTES];
    size_t count;
};

static void add_table(const char *path, const char *name, void *cookie)
{
    struct tables *tables = cookie;
    if (strstr(name, ".sst") != NULL && tables->count < SP_ARRAY_LEN(tables->paths))
        snprintf(tables->paths[tables->count++], FOLDER_BYTES, "%.*s", FOLDER_BYTES - 1, path);
}

static void flip_bit(const char *path, off_t at)
{
    uint8_t byte;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    ck_assert(fd >= 0);
    ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
    byte ^= 4;
    ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* Damage was found, and the file is named. */
static void assert_file_is_named(const char *folder, const char *path)
{
    struct report report;
    enum sp_status status = check_folder(folder, &report);
    ck_assert_msg(status == SP_OK, "%s", report.error.message);
    ck_assert_uint_ge(report.damage_count, 1);
    ck_assert_msg(strstr(text_of(&report), strrchr(path, '/') + 1) != NULL, "%s is not in:\n%s",
                  path, text_of(&report));
    sp_buf_fini(&report.text);
}

START_TEST(flipped_bits_in_tables_are_found_and_the_file_named)
{
    struct fixture fixture;
    struct tables tables = {0};
    char db[FOLDER_BYTES];
    make_store(&fixture, without_merges());
    close_store(&fixture);
    snprintf(db, sizeof(db), "%s/db", fixture.data_dir);
    each_file(db, add_table, &tables);
    ck_assert_uint_gt(tables.count, 3);
    for (size_t i = 0; i < tables.count; i++) {
        /* Rows of a table stand in its first part; what is behind are its properties. */
        for (off_t at = 10; at < 40; at += 20) {
            flip_bit(tables.paths[i], at);
            assert_file_is_named(fixture.data_dir, tables.paths[i]);
            flip_bit(tables.paths[i], at);
        }
    }
    assert_sound(fixture.data_dir);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(cut_and_missing_tables_are_named_and_the_others_read)
{
    struct fixture fixture;
    struct tables tables = {0};
    char path[FOLDER_BYTES];
    char copy[FOLDER_BYTES];
    make_store(&fixture, without_merges());
    close_store(&fixture);
    for (size_t i = 0; i == 0 || i < tables.count; i++) {
        for (int missing = 0; missing <= 1; missing++) {
            copy_folder(fixture.data_dir, copy);
            snprintf(path, sizeof(path), "%.*s/db", 400, copy);
            tables.count = 0;
            each_file(path, add_table, &tables);
            struct stat info;
            ck_assert_int_eq(stat(tables.paths[i], &info), 0);
            if (missing)
                unlink(tables.paths[i]);
            else
                ck_assert_int_eq(truncate(tables.paths[i], info.st_size / 2), 0);
            assert_file_is_named(copy, tables.paths[i]);
        }
    }
    remove_folder(copy);
    fixture_fini(&fixture);
}
END_TEST

/* ---- not checked at all ---- */

START_TEST(directories_that_cannot_be_checked_are_refused)
{
    struct fixture fixture;
    struct report report;
    char path[FOLDER_BYTES];
    fixture_init(&fixture, ENGINE_ROCKSDB);
    ck_assert_int_eq(check_folder(fixture.data_dir, &report), SP_BUSY);
    ck_assert_ptr_nonnull(strstr(report.error.message, "in use"));
    sp_buf_fini(&report.text);
    close_store(&fixture);
    ck_assert_int_eq(check_folder("/nowhere/at/all", &report), SP_NOT_FOUND);
    sp_buf_fini(&report.text);
    snprintf(path, sizeof(path), "%s/db", fixture.data_dir);
    ck_assert_int_eq(check_folder(path, &report), SP_NOT_FOUND);
    sp_buf_fini(&report.text);

    snprintf(path, sizeof(path), "%s/FORMAT", fixture.data_dir);
    FILE *file = fopen(path, "w");
    fputs("spoor data, format 999\n", file);
    fclose(file);
    ck_assert_int_eq(check_folder(fixture.data_dir, &report), SP_VERSION);
    ck_assert_ptr_nonnull(strstr(report.error.message, "format 999"));
    sp_buf_fini(&report.text);
    file = fopen(path, "w");
    fputs("spoor dat?, format 2\n", file);
    fclose(file);
    assert_damage(fixture.data_dir, "unreadable", "data directory", 1);
    fixture_fini(&fixture);
}
END_TEST

/* Root may read everything, so somebody else has to try. */
START_TEST(play_nobody)
{
    struct report report;
    ck_assert(geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0));
    ck_assert_int_eq(check_folder(played_argument(), &report), SP_PERMISSION);
    sp_buf_fini(&report.text);
}
END_TEST

START_TEST(directory_that_may_not_be_read_is_refused)
{
    static const char *const hidden[] = {"FORMAT", "LOCK", "db", "db/CURRENT"};
    struct fixture fixture;
    char path[FOLDER_BYTES];
    fixture_init(&fixture, ENGINE_ROCKSDB);
    close_store(&fixture);
    ck_assert_int_eq(chmod(fixture.data_dir, 0755), 0);
    for (size_t i = 0; i < SP_ARRAY_LEN(hidden); i++) {
        struct stat info;
        int status;
        snprintf(path, sizeof(path), "%s/%s", fixture.data_dir, hidden[i]);
        ck_assert_int_eq(stat(path, &info), 0);
        ck_assert_int_eq(chmod(path, 0), 0);
        pid_t child = spawn_role("nobody", fixture.data_dir);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(WEXITSTATUS(status), 0);
        ck_assert_int_eq(chmod(path, info.st_mode), 0);
    }
    fixture_fini(&fixture);
}
END_TEST

struct opener {
    struct fixture *fixture;
    int tries;
};

static void try_to_open(void *cookie, const char *what, uint64_t done, uint64_t all)
{
    struct opener *opener = cookie;
    (void)what;
    ck_assert_uint_le(done, all);
    ck_assert_int_eq(
        sp_store_rocksdb_open(&opener->fixture->options, &opener->fixture->store, NULL), SP_BUSY);
    opener->tries++;
}

START_TEST(directory_cannot_be_opened_while_it_is_checked)
{
    struct fixture fixture;
    struct sp_check_summary summary;
    make_store(&fixture, without_merges());
    close_store(&fixture);
    struct opener opener = {.fixture = &fixture};
    const struct sp_check_options options = {.data_dir = fixture.data_dir,
                                             .codec = test_codec(),
                                             .progress = try_to_open,
                                             .cookie = &opener};
    ck_assert_int_eq(sp_store_check(&options, &summary, NULL), SP_OK);
    ck_assert_int_gt(opener.tries, 0);
    ck_assert_int_eq(sp_store_rocksdb_open(&fixture.options, &fixture.store, NULL), SP_OK);
    fixture_fini(&fixture);
}
END_TEST

/* Where nearly all texts are new, a builder does not look each of them up: one may stand in a dictionary twice. */
START_TEST(columns_of_texts_that_are_nearly_all_new_are_sound)
{
    static struct sp_span spans[2000];
    static struct sp_attribute users[2000];
    static char names[2000][16];
    struct fixture fixture;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    fixture.options.sizes = without_merges();
    fixture_reopen(&fixture);
    for (uint64_t i = 0; i < SP_ARRAY_LEN(spans); i++) {
        uint64_t user = i < 1000 || i % 3 > 0 ? i : i - 1000;
        snprintf(names[i], sizeof(names[i]), "user-%llu", (unsigned long long)user);
        users[i] = (struct sp_attribute){
            SP_SLICE("user.id"), {.kind = SP_VALUE_STRING, .string = sp_slice_cstr(names[i])}};
        spans[i] = simple_span(1 + i / 10, 1 + i, 1767268800000000000ULL, 5, "shop", "call");
        spans[i].attributes = (struct sp_attributes){.items = &users[i], .count = 1};
    }
    append(&fixture, batch_of(&fixture.arena, spans, SP_ARRAY_LEN(spans)));
    wait_for_merges(fixture.store);
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    if (played_role("nobody"))
        return role_suite(play_nobody);
    Suite *suite = suite_create("check_files");
    TCase *tests = tcase_create("check_files");
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, sound_directories_have_no_findings_and_are_left_alone);
    tcase_add_test(tests, columns_of_texts_that_are_nearly_all_new_are_sound);
    tcase_add_test(tests, flipped_bits_in_tables_are_found_and_the_file_named);
    tcase_add_test(tests, cut_and_missing_tables_are_named_and_the_others_read);
    tcase_add_test(tests, directories_that_cannot_be_checked_are_refused);
    tcase_add_test(tests, directory_that_may_not_be_read_is_refused);
    tcase_add_test(tests, directory_cannot_be_opened_while_it_is_checked);
    suite_add_tcase(suite, tests);
    return suite;
}
