/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/backup.c: makes, lists and removes the folders of backups (storage/backup.h). Knows neither spans nor RocksDB. */
#include "storage/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLDER "backups"
/* Further tries for a name in one second. */
#define SAME_SECOND_MAX 100

static bool is_name_byte(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || byte == '-';
}

bool sp_backup_name_is_valid(struct sp_slice name)
{
    bool valid = name.len > 0 && name.len <= SP_BACKUP_NAME_BYTES_MAX;
    for (size_t i = 0; i < name.len && valid; i++)
        valid = is_name_byte(name.ptr[i]);
    return valid;
}

/* "ROOT/backups/NAME/LAST"; heap; NULL: no memory. name may be empty, and last. */
static char *path_of(const struct sp_datadir *dir, struct sp_slice name, const char *last)
{
    char *path;
    if (asprintf(&path, "%s/" FOLDER "%s%.*s%s%s", dir->root, name.len > 0 ? "/" : "",
                 SP_SLICE_PRINTF(name), last[0] != '\0' ? "/" : "", last) < 0)
        return NULL;
    return path;
}

static enum sp_status no_memory(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory for a backup");
}

/* ---- making ---- */

static enum sp_status make_folder(const struct sp_datadir *dir, const char *stem, char **ret_path,
                                  struct sp_error *reterr)
{
    for (int i = 1; i <= SAME_SECOND_MAX; i++) {
        char name[SP_BACKUP_NAME_BYTES_MAX];
        if (i == 1)
            snprintf(name, sizeof(name), "%s", stem);
        else
            snprintf(name, sizeof(name), "%s-%d", stem, i);
        char *path = path_of(dir, sp_slice_cstr(name), "");
        if (path == NULL)
            return no_memory(reterr);
        if (mkdir(path, 0777) == 0) {
            *ret_path = path;
            return SP_OK;
        }
        int error = errno;
        enum sp_status status =
            error != EEXIST ? sp_datadir_failed(error, "make", path, reterr) : SP_OK;
        free(path);
        if (status != SP_OK)
            return status;
    }
    return sp_error_set(reterr, SP_UNAVAILABLE, "%d backups were made in this second",
                        SAME_SECOND_MAX);
}

enum sp_status sp_backup_begin(const struct sp_datadir *dir, uint64_t now_unix_ns, char **ret_path,
                               struct sp_error *reterr)
{
    struct sp_arena arena;
    const struct sp_backup *rows;
    size_t count;
    sp_arena_init(&arena, SIZE_MAX);
    enum sp_status status = sp_backup_list(dir, &arena, &rows, &count, reterr);
    sp_arena_fini(&arena);
    if (status != SP_OK)
        return status;
    if (count >= SP_BACKUPS_MAX)
        return sp_error_set(reterr, SP_UNAVAILABLE,
                            "%zu backups stand in %s/" FOLDER ": remove those that were taken "
                            "elsewhere",
                            count, dir->root);
    char stem[32];
    struct tm parts;
    time_t seconds = (time_t)(now_unix_ns / 1000000000);
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(stem, sizeof(stem), "%Y%m%d-%H%M%S", &parts) == 0)
        snprintf(stem, sizeof(stem), "%llu", (unsigned long long)now_unix_ns);
    char *folder = path_of(dir, (struct sp_slice){0}, "");
    if (folder == NULL)
        return no_memory(reterr);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        status = sp_datadir_failed(errno, "make", folder, reterr);
    free(folder);
    return status == SP_OK ? make_folder(dir, stem, ret_path, reterr) : status;
}

enum sp_status sp_backup_end(const struct sp_datadir *dir, const char *path,
                             struct sp_error *reterr)
{
    char *folder = path_of(dir, (struct sp_slice){0}, "");
    if (folder == NULL)
        return no_memory(reterr);
    enum sp_status status = sp_datadir_write_format(path, reterr);
    if (status == SP_OK)
        status = sp_datadir_sync(path, reterr);
    if (status == SP_OK)
        status = sp_datadir_sync(folder, reterr);
    if (status == SP_OK)
        status = sp_datadir_sync(dir->root, reterr);
    free(folder);
    return status;
}

/* ---- listing ---- */

/* False: it is no backup, or went away. */
static bool describe(const struct sp_datadir *dir, const char *name, struct sp_backup *ret)
{
    struct stat folder;
    struct stat format;
    char *path = path_of(dir, sp_slice_cstr(name), "");
    char *format_path = path_of(dir, sp_slice_cstr(name), "FORMAT");
    bool found =
        path != NULL && format_path != NULL && lstat(path, &folder) == 0 && S_ISDIR(folder.st_mode);
    if (found)
        *ret = (struct sp_backup){.complete = lstat(format_path, &format) == 0,
                                  .made_unix_ns = (uint64_t)folder.st_mtim.tv_sec * 1000000000 +
                                                  (uint64_t)folder.st_mtim.tv_nsec};
    free(path);
    free(format_path);
    return found;
}

static int compare_names(const void *a, const void *b)
{
    return sp_slice_compare(((const struct sp_backup *)a)->name,
                            ((const struct sp_backup *)b)->name);
}

/* Where others find it, whatever their working directory is. */
static bool add_path(const struct sp_datadir *dir, const char *name, struct sp_arena *arena,
                     struct sp_slice *ret)
{
    char *path = path_of(dir, sp_slice_cstr(name), "");
    char *absolute = path != NULL ? realpath(path, NULL) : NULL;
    bool fits = absolute != NULL && sp_arena_copy(arena, sp_slice_cstr(absolute), ret);
    free(absolute);
    free(path);
    return fits;
}

enum sp_status sp_backup_list(const struct sp_datadir *dir, struct sp_arena *arena,
                              const struct sp_backup **ret_rows, size_t *ret_count,
                              struct sp_error *reterr)
{
    char *folder = path_of(dir, (struct sp_slice){0}, "");
    if (folder == NULL)
        return no_memory(reterr);
    DIR *stream = opendir(folder);
    enum sp_status status = SP_OK;
    if (stream == NULL && errno != ENOENT)
        status = sp_datadir_failed(errno, "read", folder, reterr);
    free(folder);
    struct sp_backup *rows = sp_arena_calloc(arena, SP_BACKUPS_LISTED_MAX, sizeof(*rows));
    size_t count = 0;
    struct dirent *entry;
    if (status == SP_OK && rows == NULL)
        status = sp_error_set(reterr, SP_LIMIT, "no memory for a list of backups");
    while (status == SP_OK && stream != NULL && count < SP_BACKUPS_LISTED_MAX &&
           (entry = readdir(stream)) != NULL) { // cppcheck-suppress readdirCalled
        if (!sp_backup_name_is_valid(sp_slice_cstr(entry->d_name)) ||
            !describe(dir, entry->d_name, &rows[count]))
            continue;
        if (!sp_arena_copy(arena, sp_slice_cstr(entry->d_name), &rows[count].name) ||
            !add_path(dir, entry->d_name, arena, &rows[count].path))
            status = sp_error_set(reterr, SP_LIMIT, "no memory for a list of backups");
        count++;
    }
    if (stream != NULL)
        closedir(stream);
    if (status != SP_OK)
        return status;
    if (count > 1)
        qsort(rows, count, sizeof(*rows), compare_names);
    *ret_rows = rows;
    *ret_count = count;
    return SP_OK;
}

/* ---- removing ---- */

/* A folder and the files in it; folders in it stay, and keep it. A folder that is not there is fine. */
static enum sp_status remove_flat(const char *path, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? SP_OK : sp_datadir_failed(errno, "remove", path, reterr);
    DIR *stream = fdopendir(fd);
    struct dirent *entry;
    while (stream != NULL && status == SP_OK &&
           (entry = readdir(stream)) != NULL) { // cppcheck-suppress readdirCalled
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd(stream), entry->d_name, 0) != 0 && errno != ENOENT)
            status = sp_datadir_failed(errno, "remove files in", path, reterr);
    }
    if (stream != NULL)
        closedir(stream);
    else
        close(fd);
    if (status == SP_OK && rmdir(path) != 0 && errno != ENOENT)
        status = sp_datadir_failed(errno, "remove", path, reterr);
    return status;
}

enum sp_status sp_backup_remove(const struct sp_datadir *dir, struct sp_slice name,
                                struct sp_error *reterr)
{
    /* FORMAT first: what is removed in part is not finished. "db.tmp" is what a checkpoint that was cut short leaves. */
    static const char *const folders[] = {"db", "db.tmp", ""};
    struct sp_backup found;
    if (!sp_backup_name_is_valid(name))
        return sp_error_set_parameter(
            reterr, SP_INVALID_ARGUMENT, "name",
            "a backup's name has letters, digits and '-' only, at most %zu",
            SP_BACKUP_NAME_BYTES_MAX);
    char *format = path_of(dir, name, "FORMAT");
    char text[SP_BACKUP_NAME_BYTES_MAX + 1];
    snprintf(text, sizeof(text), "%.*s", SP_SLICE_PRINTF(name));
    enum sp_status status = SP_OK;
    if (format == NULL)
        status = no_memory(reterr);
    else if (!describe(dir, text, &found))
        status = sp_error_set(reterr, SP_NOT_FOUND, "there is no backup \"%s\"", text);
    else if (unlink(format) != 0 && errno != ENOENT)
        status = sp_datadir_failed(errno, "remove", format, reterr);
    free(format);
    for (size_t i = 0; i < SP_ARRAY_LEN(folders) && status == SP_OK; i++) {
        char *path = path_of(dir, name, folders[i]);
        status = path != NULL ? remove_flat(path, reterr) : no_memory(reterr);
        free(path);
    }
    return status;
}
