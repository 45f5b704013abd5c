/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/check_report.c: see check_report.h. */
#include "tests/contract/check_report.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- running it ---- */

static void take_finding(void *cookie, const struct sp_finding *finding)
{
    struct report *report = cookie;
    sp_buf_printf(&report->text, "%s: %s: %s\n", sp_finding_kind_name(finding->kind),
                  finding->place, finding->detail);
    if (sp_finding_is_damage(finding->kind)) {
        report->damage_count++;
        report->span_count += finding->span_count;
    }
}

enum sp_status check_folder(const char *path, struct report *ret)
{
    *ret = (struct report){0};
    sp_buf_init(&ret->text, 16 * 1024 * 1024);
    const struct sp_check_options options = {
        .data_dir = path, .codec = test_codec(), .found = take_finding, .cookie = ret};
    enum sp_status status = sp_store_check(&options, &ret->summary, &ret->error);
    sp_buf_append_byte(&ret->text, 0);
    return status;
}

const char *text_of(const struct report *report)
{
    return (const char *)report->text.ptr;
}

/* Exactly this kind of damage, so often, and the place is named. */
void assert_damage(const char *path, const char *kind, const char *place, uint64_t count)
{
    struct report report;
    char line[256];
    enum sp_status status = check_folder(path, &report);
    ck_assert_msg(status == SP_OK, "%s", report.error.message);
    snprintf(line, sizeof(line), "%s: %s", kind, place);
    ck_assert_msg(strstr(text_of(&report), line) != NULL, "no \"%s\" in:\n%s", line,
                  text_of(&report));
    ck_assert_msg(report.damage_count == count, "%llu findings instead of %llu:\n%s",
                  (unsigned long long)report.damage_count, (unsigned long long)count,
                  text_of(&report));
    sp_buf_fini(&report.text);
}

/* ---- folders ---- */

static void copy_file(const char *from, const char *to)
{
    char bytes[65536];
    ssize_t len;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    ck_assert(in >= 0 && out >= 0);
    while ((len = read(in, bytes, sizeof(bytes))) > 0)
        ck_assert_int_eq(write(out, bytes, (size_t)len), len);
    close(in);
    close(out);
}

/* Calls visit with each file in the folder. */
void each_file(const char *folder, void (*visit)(const char *path, const char *name, void *),
               void *cookie)
{
    char path[FOLDER_BYTES + 300];
    DIR *stream = opendir(folder);
    struct dirent *entry;
    ck_assert_ptr_nonnull(stream);
    while ((entry = readdir(stream)) != NULL) { // cppcheck-suppress readdirCalled
        struct stat info;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (stat(path, &info) == 0 && S_ISREG(info.st_mode))
            visit(path, entry->d_name, cookie);
    }
    closedir(stream);
}

static void copy_one(const char *path, const char *name, void *cookie)
{
    char to[FOLDER_BYTES + 300];
    if (strcmp(name, "LOCK") == 0)
        return;
    snprintf(to, sizeof(to), "%s/%s", (const char *)cookie, name);
    copy_file(path, to);
}

/* Also of a store that is open and idle: what a kill would leave behind. */
void copy_folder(const char *from, char to[FOLDER_BYTES])
{
    char path[FOLDER_BYTES];
    char db[FOLDER_BYTES];
    snprintf(to, FOLDER_BYTES, "%s-copy", from);
    remove_folder(to);
    ck_assert_int_eq(mkdir(to, 0777), 0);
    each_file(from, copy_one, to);
    snprintf(path, sizeof(path), "%.*s/db", 400, from);
    snprintf(db, sizeof(db), "%.*s/db", 400, to);
    ck_assert_int_eq(mkdir(db, 0777), 0);
    each_file(path, copy_one, db);
}

/* ---- a store with something of everything ---- */

struct sp_store_sizes without_merges(void)
{
    struct sp_store_sizes sizes = small_sizes();
    sizes.merge_segments = 1000;
    return sizes;
}

void append_some(struct fixture *fixture, uint64_t seed, unsigned odd_percent)
{
    struct sp_gen_options options = sp_gen_options_everything(60);
    options.trace_seed = 5; /* each batch has spans of the same traces */
    options.trace_count = 9;
    options.odd_percent = odd_percent;
    append(fixture, sp_gen_batch(&fixture->arena, seed, &options));
    wait_for_merges(fixture->store);
}

/* Segments that share traces. */
void make_store(struct fixture *fixture, struct sp_store_sizes sizes)
{
    fixture_init(fixture, ENGINE_ROCKSDB);
    fixture->options.sizes = sizes;
    fixture_reopen(fixture);
    for (uint64_t i = 0; i < SEGMENTS; i++)
        append_some(fixture, 70 + i, 10);
}

void close_store(struct fixture *fixture)
{
    sp_store_close(fixture->store);
    fixture->store = NULL;
}
