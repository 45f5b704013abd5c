/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_damage.c: data directories that cannot be used as they are: in use, of another version, not
 * writable, damaged. The answer is an error that names the place, or the right data; never a crash, never
 * wrong data. Only for the engine on disk. */
#include "storage/kv.h"
#include "storage/segment.h"
#include "storage/segment_layout.h"
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t noon_unix_ns = 1767268800ULL * 1000000000;

static void close_store(struct fixture *fixture)
{
    sp_store_close(fixture->store);
    fixture->store = NULL;
}

static enum sp_status try_open(struct fixture *fixture, struct sp_error *reterr)
{
    *reterr = (struct sp_error){0};
    return sp_store_rocksdb_open(&fixture->options, &fixture->store, reterr);
}

/* ---- files ---- */

static void path_in(const struct fixture *fixture, const char *name, char ret[512])
{
    snprintf(ret, 512, "%s/%s", fixture->data_dir, name);
}

static void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
}

static struct sp_slice read_file(struct sp_arena *arena, const char *path)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fstat(fileno(file), &info), 0);
    uint8_t *bytes = sp_arena_alloc(arena, (size_t)info.st_size);
    ck_assert_ptr_nonnull(bytes);
    size_t len = fread(bytes, 1, (size_t)info.st_size, file);
    fclose(file);
    return sp_slice_make(bytes, len);
}

/* All files of a data directory, to put them back. */
struct saved_file {
    char name[300];
    struct sp_slice content;
};
struct saved {
    struct saved_file files[64];
    size_t count;
};

static void save_folder(struct fixture *fixture, const char *folder, struct saved *saved)
{
    char path[512];
    path_in(fixture, folder, path);
    DIR *stream = opendir(path);
    ck_assert_ptr_nonnull(stream);
    struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) { // cppcheck-suppress readdirCalled
        char name[300];
        struct stat info;
        snprintf(name, sizeof(name), "%s%s%s", folder, folder[0] != '\0' ? "/" : "", entry->d_name);
        path_in(fixture, name, path);
        if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
            continue;
        ck_assert_uint_lt(saved->count, SP_ARRAY_LEN(saved->files));
        struct saved_file *file = &saved->files[saved->count++];
        memcpy(file->name, name, sizeof(name));
        file->content = read_file(&fixture->arena, path);
    }
    closedir(stream);
}

static void save_all(struct fixture *fixture, struct saved *saved)
{
    saved->count = 0;
    save_folder(fixture, "", saved);
    save_folder(fixture, "db", saved);
}

static void restore_all(const struct fixture *fixture, const struct saved *saved)
{
    char path[512];
    path_in(fixture, "db", path);
    remove_folder(path);
    ck_assert_int_eq(mkdir(path, 0777), 0);
    for (size_t i = 0; i < saved->count; i++) {
        path_in(fixture, saved->files[i].name, path);
        write_file(path, saved->files[i].content.ptr, saved->files[i].content.len);
    }
}

/* ---- in use, another version ---- */

START_TEST(open_store_cannot_be_opened_again)
{
    struct fixture fixture;
    struct sp_error error = {0};
    struct sp_store *second = NULL;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    ck_assert_int_eq(sp_store_rocksdb_open(&fixture.options, &second, &error), SP_BUSY);
    ck_assert_ptr_null(second);
    ck_assert_ptr_nonnull(strstr(error.message, fixture.data_dir));
    ck_assert_ptr_nonnull(strstr(error.message, "in use"));
    /* The first goes on. */
    struct sp_span span = simple_span(1, 1, noon_unix_ns, 5, "cart", "x");
    append(&fixture, batch_of(&fixture.arena, &span, 1));
    fixture_reopen(&fixture);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(directory_of_another_version_is_refused_and_left_alone)
{
    static const struct {
        const char *format;
        enum sp_status status;
    } cases[] = {{"spoor data, format 1\n", SP_VERSION},
                 {"spoor data, format 999999\n", SP_VERSION},
                 {"spoor data, format 0\n", SP_VERSION},
                 {"spoor data, format one\n", SP_CORRUPT},
                 {"", SP_CORRUPT},
                 {"\x00\xff\xfe", SP_CORRUPT}};
    struct fixture fixture;
    struct saved before;
    struct saved after;
    struct sp_error error;
    char path[512];
    fixture_init(&fixture, ENGINE_ROCKSDB);
    struct sp_span span = simple_span(1, 1, noon_unix_ns, 5, "cart", "x");
    append(&fixture, batch_of(&fixture.arena, &span, 1));
    close_store(&fixture);
    path_in(&fixture, "FORMAT", path);
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        write_file(path, cases[i].format, strlen(cases[i].format));
        save_all(&fixture, &before);
        ck_assert_int_eq(try_open(&fixture, &error), cases[i].status);
        ck_assert_ptr_nonnull(strstr(error.message, "FORMAT"));
        save_all(&fixture, &after);
        ck_assert_uint_eq(before.count, after.count);
        for (size_t f = 0; f < before.count; f++) {
            ck_assert_str_eq(before.files[f].name, after.files[f].name);
            ck_assert(sp_slice_equal(before.files[f].content, after.files[f].content));
        }
    }
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(try_open(&fixture, &error), SP_VERSION);
    write_file(path, "spoor data, format 2\n", 21);
    ck_assert_int_eq(try_open(&fixture, &error), SP_OK);
    struct sp_store_stats stats;
    ck_assert_int_eq(sp_store_stats(fixture.store, &stats, NULL), SP_OK);
    ck_assert_uint_eq(stats.span_count, 1);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(data_directory_is_made_with_its_parents)
{
    struct fixture fixture;
    struct sp_error error;
    char path[512];
    fixture_init(&fixture, ENGINE_ROCKSDB);
    close_store(&fixture);
    path_in(&fixture, "some/where/deep/", path);
    fixture.options.data_dir = path;
    ck_assert_int_eq(try_open(&fixture, &error), SP_OK);
    close_store(&fixture);
    /* A file where a folder should be. */
    char below[512];
    path_in(&fixture, "FORMAT/data", below);
    fixture.options.data_dir = below;
    ck_assert_int_eq(try_open(&fixture, &error), SP_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "FORMAT"));
    fixture.options.data_dir = "";
    ck_assert_int_eq(try_open(&fixture, &error), SP_INVALID_ARGUMENT);
    fixture_fini(&fixture);
}
END_TEST

#define ROLE_SKIPPED 77

/* A child: opens the folder as a user whom permissions bind. */
static void nobody_main(const char *folder)
{
    struct fixture fixture = {.engine = ENGINE_ROCKSDB};
    struct sp_error error;
    snprintf(fixture.data_dir, sizeof(fixture.data_dir), "%s", folder);
    fixture_options(&fixture);
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        _exit(ROLE_SKIPPED);
    enum sp_status status = try_open(&fixture, &error);
    _exit(status == SP_PERMISSION && strstr(error.message, folder) != NULL ? 0 : 1 + (int)status);
}

START_TEST(play_nobody)
{
    nobody_main(played_argument());
}
END_TEST

static int open_as_nobody(const struct fixture *fixture)
{
    int state;
    pid_t child = spawn_role("nobody", fixture->data_dir);
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert(WIFEXITED(state));
    return WEXITSTATUS(state);
}

START_TEST(directory_that_is_not_writable_is_refused)
{
    struct fixture fixture;
    char path[512];
    fixture_init(&fixture, ENGINE_ROCKSDB);
    close_store(&fixture);
    ck_assert_int_eq(chmod(fixture.data_dir, 0777), 0);
    path_in(&fixture, "db", path);
    ck_assert_int_eq(chmod(path, 0555), 0);
    char lock[512];
    path_in(&fixture, "LOCK", lock);
    ck_assert_int_eq(chmod(lock, 0666), 0);
    int outcome = open_as_nobody(&fixture); /* db/ */
    if (outcome == ROLE_SKIPPED) {
        printf("# skipped: this process may not become another user\n");
    } else {
        ck_assert_int_eq(outcome, 0);
        ck_assert_int_eq(chmod(path, 0777), 0);
        ck_assert_int_eq(chmod(lock, 0444), 0);
        ck_assert_int_eq(open_as_nobody(&fixture), 0); /* LOCK */
        ck_assert_int_eq(chmod(lock, 0666), 0);
        path_in(&fixture, "db/CURRENT", path);
        ck_assert_int_eq(chmod(path, 0), 0);
        ck_assert_int_eq(open_as_nobody(&fixture), 0); /* a file of the database */
        ck_assert_int_eq(chmod(path, 0666), 0);
        ck_assert_int_eq(chmod(fixture.data_dir, 0), 0);
        ck_assert_int_eq(open_as_nobody(&fixture), 0);
        ck_assert_int_eq(chmod(fixture.data_dir, 0700), 0);
    }
    fixture_fini(&fixture);
}
END_TEST

/* ---- damage ---- */

struct truth {
    const struct sp_batch *batches[6];
    struct span_list all;
};

static void make_batches(struct sp_arena *arena, struct truth *truth)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(truth->batches); i++) {
        struct sp_gen_options options = {.span_count = 120, .trace_seed = 8, .trace_count = 12};
        truth->batches[i] = sp_gen_batch(arena, 40 + i, &options);
    }
}

/* A child: appends the last two batches and dies. */
static void victim_main(const char *folder)
{
    struct fixture fixture = {.engine = ENGINE_ROCKSDB};
    struct truth truth;
    struct sp_error error;
    snprintf(fixture.data_dir, sizeof(fixture.data_dir), "%s", folder);
    fixture_options(&fixture);
    make_batches(&fixture.arena, &truth);
    if (try_open(&fixture, &error) != SP_OK)
        _exit(1);
    for (size_t i = 4; i < 6; i++)
        append(&fixture, truth.batches[i]);
    raise(SIGKILL);
}

START_TEST(play_victim)
{
    victim_main(played_argument());
}
END_TEST

/* Tables from two closes, and a log with rows and journal records from a kill. */
static void make_truth(struct fixture *fixture, struct truth *truth)
{
    make_batches(&fixture->arena, truth);
    for (size_t i = 0; i < 4; i++) {
        append(fixture, truth->batches[i]);
        if (i % 2)
            fixture_reopen(fixture);
    }
    close_store(fixture);
    int state;
    pid_t child = spawn_role("victim", fixture->data_dir);
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert(WIFSIGNALED(state));
    truth->all = span_list_make(&fixture->arena, truth->batches, SP_ARRAY_LEN(truth->batches));
}

/* The end of the newest log is what a power loss takes: nothing tells it from a file that was cut. Then the store must
 * hold what it held at an earlier moment: the first appends, whole. */
static struct span_list expected(struct fixture *fixture, const struct truth *truth,
                                 bool may_lose_newest, const char *what)
{
    struct sp_store_stats stats;
    struct sp_error error;
    if (!may_lose_newest || sp_store_stats(fixture->store, &stats, &error) != SP_OK)
        return truth->all;
    size_t count = (size_t)stats.span_count / truth->batches[0]->span_count;
    ck_assert_msg(stats.span_count % truth->batches[0]->span_count == 0 &&
                      count <= SP_ARRAY_LEN(truth->batches) && count >= 4,
                  "%s: %llu spans", what, (unsigned long long)stats.span_count);
    return span_list_make(&fixture->arena, truth->batches, count);
}

/* Reads everything; whatever is answered must be right. Returns whether an error was met. */
static bool right_or_refused(struct fixture *fixture, const struct truth *truth,
                             bool may_lose_newest, const char *what)
{
    struct sp_error error;
    enum sp_status status = try_open(fixture, &error);
    if (status != SP_OK) {
        ck_assert_msg(status == SP_CORRUPT || status == SP_IO, "%s: open: %s", what,
                      sp_status_name(status));
        ck_assert_msg(error.message[0] != '\0', "%s: an error without a message", what);
        return true;
    }
    bool refused = false;
    struct span_list all = expected(fixture, truth, may_lose_newest, what);
    for (size_t t = 0; t < all.count; t++) {
        struct sp_arena arena;
        const struct sp_batch *batch = NULL;
        sp_arena_init(&arena, SIZE_MAX);
        const struct sp_trace_id *id = &all.spans[t]->trace_id;
        struct span_list want = span_list_of_trace(&arena, &all, id);
        bool first = want.spans[0] == all.spans[t];
        status = first ? sp_store_trace_read(fixture->store, id, &arena, &batch, &error)
                       : SP_UNIMPLEMENTED;
        if (status == SP_OK) {
            ck_assert_msg(batch->span_count == want.count, "%s: %zu of %zu spans", what,
                          batch->span_count, want.count);
            for (size_t i = 0; i < want.count; i++)
                ck_assert_msg(sp_span_equal(&batch->spans[i], want.spans[i]), "%s: a wrong span",
                              what);
        } else if (first) {
            ck_assert_msg(status == SP_CORRUPT || status == SP_IO, "%s: read: %s: %s", what,
                          sp_status_name(status), error.message);
            refused = true;
        }
        sp_arena_fini(&arena);
    }
    struct sp_arena arena;
    const struct sp_operation_row *rows;
    size_t count;
    sp_arena_init(&arena, SIZE_MAX);
    status = sp_store_operations(fixture->store, SP_SLICE(""), SP_TIME_RANGE_ALL, NULL, &arena,
                                 &rows, &count, &error);
    uint64_t counted = 0;
    for (size_t i = 0; status == SP_OK && i < count; i++)
        counted += rows[i].span_count;
    ck_assert_msg(status != SP_OK || counted == all.count, "%s: wrong counts", what);
    refused |= status != SP_OK;
    sp_arena_fini(&arena);
    close_store(fixture);
    return refused;
}

START_TEST(damaged_files_give_an_error_or_the_right_data)
{
    struct fixture fixture;
    struct truth truth;
    struct saved saved;
    struct sp_gen gen = {.state = 21};
    size_t refused = 0;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    make_truth(&fixture, &truth);
    save_all(&fixture, &saved);
    ck_assert(!right_or_refused(&fixture, &truth, false, "no damage"));
    for (size_t f = 0; f < saved.count; f++) {
        struct sp_slice content = saved.files[f].content;
        size_t tries = strncmp(saved.files[f].name, "db/LOG", 6) == 0 ? 0 : 6;
        for (size_t i = 0; i < tries && content.len > 0; i++) {
            char what[400];
            char path[512];
            restore_all(&fixture, &saved);
            path_in(&fixture, saved.files[f].name, path);
            size_t at = sp_gen_below(&gen, content.len);
            if (i % 3 == 0) {
                snprintf(what, sizeof(what), "%s cut at %zu", saved.files[f].name, at);
                ck_assert_int_eq(truncate(path, (off_t)at), 0);
            } else if (i == 1) {
                snprintf(what, sizeof(what), "%s removed", saved.files[f].name);
                ck_assert_int_eq(unlink(path), 0);
            } else {
                uint8_t *changed = malloc(content.len);
                memcpy(changed, content.ptr, content.len);
                changed[at] ^= (uint8_t)(1 + sp_gen_below(&gen, 255));
                snprintf(what, sizeof(what), "%s byte %zu", saved.files[f].name, at);
                write_file(path, changed, content.len);
                free(changed);
            }
            bool was_refused = false;
            if (strcmp(saved.files[f].name, "FORMAT") == 0) {
                struct sp_error error; /* its own case above says which error */
                was_refused = try_open(&fixture, &error) != SP_OK;
                if (!was_refused)
                    close_store(&fixture);
            } else {
                bool is_log = strstr(saved.files[f].name, ".log") != NULL;
                was_refused = right_or_refused(&fixture, &truth, is_log, what);
            }
            refused += was_refused;
        }
    }
    ck_assert_uint_gt(refused, 10);
    fixture_fini(&fixture);
}
END_TEST

/* ---- damage that goes ---- */

#define GOING_SEGMENTS 4

/* A call between two services in each of a few traces, whose spans all segments share. */
static const struct sp_batch *part_number(struct sp_arena *arena, uint64_t number)
{
    struct sp_span spans[5];
    for (uint64_t i = 0; i < SP_ARRAY_LEN(spans); i++) {
        uint64_t id = number * SP_ARRAY_LEN(spans) + i + 1;
        spans[i] = simple_span(1 + i, id, noon_unix_ns + number * 1000000000 + i, 1000 + id,
                               number % 2 ? "web" : "cart", number % 2 ? "call" : "serve");
        spans[i].kind = number % 2 ? SP_KIND_CLIENT : SP_KIND_SERVER;
        if (number > 0)
            spans[i].parent_span_id =
                simple_span(1, id - SP_ARRAY_LEN(spans), 0, 0, "", "").span_id;
    }
    return batch_of(arena, spans, SP_ARRAY_LEN(spans));
}

/* One byte of the trace ids of a segment's block. */
static void damage_traces(const char *data_dir, uint8_t segment)
{
    char path[512];
    struct sp_kv *kv;
    snprintf(path, sizeof(path), "%.400s/db", data_dir);
    ck_assert_int_eq(sp_kv_open(path, false, &kv, NULL), SP_OK);
    struct sp_kv_iterator *rows = sp_kv_iterator_new(kv, SP_KV_CHUNKS);
    struct sp_kv_batch *batch = sp_kv_batch_new();
    size_t count = 0;
    sp_kv_iterator_seek(rows, SP_SLICE(""));
    for (; sp_kv_iterator_valid(rows); sp_kv_iterator_next(rows)) {
        struct sp_slice key = sp_kv_iterator_key(rows);
        struct sp_slice value = sp_kv_iterator_value(rows);
        if (key.len != SP_CHUNK_KEY_BYTES || key.ptr[7] != segment ||
            key.ptr[29] != SP_CHUNK_TRACES)
            continue;
        uint8_t *bytes = malloc(value.len);
        ck_assert_ptr_nonnull(bytes);
        memcpy(bytes, value.ptr, value.len);
        bytes[value.len / 2] ^= 0x10;
        sp_kv_batch_put(batch, kv, SP_KV_CHUNKS, key, sp_slice_make(bytes, value.len));
        free(bytes);
        count++;
    }
    sp_kv_iterator_free(rows);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(sp_kv_write(kv, batch, true, NULL), SP_OK);
    sp_kv_batch_free(batch);
    sp_kv_close(kv);
}

/* Nobody can read which traces it had; later segments have counted on top of them. */
START_TEST(damaged_segment_that_is_removed_leaves_answers_that_are_right)
{
    struct fixture fixture;
    struct fixture reference;
    struct sp_error error = {0};
    fixture_init(&reference, ENGINE_REFERENCE);
    fixture_init(&fixture, ENGINE_ROCKSDB);
    fixture.options.sizes = small_sizes();
    fixture.options.sizes.merge_segments = 1000;
    fixture_reopen(&fixture);
    for (uint64_t i = 0; i < GOING_SEGMENTS; i++) {
        append(&fixture, part_number(&fixture.arena, i));
        append(&reference, part_number(&reference.arena, i));
        wait_for_merges(fixture.store);
    }
    assert_same_answers(reference.store, fixture.store, SP_TIME_RANGE_ALL);
    close_store(&fixture);
    damage_traces(fixture.data_dir, (uint8_t)(1 + _i));
    ck_assert_int_eq(try_open(&fixture, &error), SP_OK);
    /* Up to and with the damaged one. */
    for (uint64_t i = 1; i <= (uint64_t)_i + 1; i++) {
        const struct sp_retain retain = {.keep = {.age_ns = 1},
                                         .now_unix_ns = noon_unix_ns + i * 1000000000};
        ck_assert_int_eq(sp_store_retain(fixture.store, &retain, &error), SP_OK);
        sp_store_reference_remove(reference.store, i, i);
    }
    assert_same_answers(reference.store, fixture.store, SP_TIME_RANGE_ALL);
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
    fixture_fini(&reference);
}
END_TEST

Suite *sp_test_suite(void)
{
    if (played_role("nobody"))
        return role_suite(play_nobody);
    if (played_role("victim"))
        return role_suite(play_victim);
    Suite *suite = suite_create("damage");
    TCase *tcase = tcase_create("rocksdb");
    tcase_set_timeout(tcase, 180);
    tcase_add_test(tcase, open_store_cannot_be_opened_again);
    tcase_add_test(tcase, directory_of_another_version_is_refused_and_left_alone);
    tcase_add_test(tcase, data_directory_is_made_with_its_parents);
    tcase_add_test(tcase, directory_that_is_not_writable_is_refused);
    tcase_add_test(tcase, damaged_files_give_an_error_or_the_right_data);
    tcase_add_loop_test(tcase, damaged_segment_that_is_removed_leaves_answers_that_are_right, 0,
                        GOING_SEGMENTS - 1);
    suite_add_tcase(suite, tcase);
    return suite;
}
