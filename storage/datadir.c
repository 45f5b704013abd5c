/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/datadir.c: makes, checks and locks the data directory. Knows neither spans nor RocksDB. */
#include "storage/datadir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT_PREFIX    "spoor data, format "
#define FORMAT_BYTES_MAX 64

/* readdir on a stream of one's own is safe with threads (POSIX.1-2024), and readdir_r is deprecated. */
static struct dirent *next_entry(DIR *stream)
{
    return stream != NULL ? readdir(stream) : NULL; // cppcheck-suppress readdirCalled
}

enum sp_status sp_datadir_failed(int error, const char *what, const char *path,
                                 struct sp_error *reterr)
{
    enum sp_status status = SP_IO;
    if (error == EACCES || error == EPERM || error == EROFS)
        status = SP_PERMISSION;
    else if (error == ENOMEM)
        status = SP_NO_MEMORY;
    else if (error == ENOSPC || error == EDQUOT)
        status = SP_UNAVAILABLE;
    return sp_error_set(reterr, status, "cannot %s %s: %s", what, path, strerror(error));
}

static char *join(const char *folder, const char *name)
{
    char *path;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

enum sp_status sp_datadir_sync(const char *path, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        status = sp_datadir_failed(errno, "sync", path, reterr);
    if (fd >= 0)
        close(fd);
    return status;
}

/* Calls visit with each leading part of a path: for "a/b/c" with a, a/b and a/b/c. */
static enum sp_status
each_folder(const char *path, enum sp_status (*visit)(const char *folder, struct sp_error *reterr),
            struct sp_error *reterr)
{
    char *partial = strdup(path);
    if (partial == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to open %s", path);
    enum sp_status status = SP_OK;
    for (char *at = partial + 1; status == SP_OK; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char end = *at;
        *at = '\0';
        status = visit(partial, reterr);
        if (end == '\0')
            break;
        *at = end;
    }
    free(partial);
    return status;
}

static enum sp_status make_folder(const char *folder, struct sp_error *reterr)
{
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return sp_datadir_failed(errno, "make the data directory", folder, reterr);
    return SP_OK;
}

/* Makes the entry of a folder durable: it stands in the folder above. Which of the folders were made by us nobody knows
 * after an interrupted start, so all are synced. What we may not read or the system cannot sync was not made by us. */
static enum sp_status sync_entry(const char *folder, struct sp_error *reterr)
{
    char *above = join(folder, "..");
    if (above == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to open %s", folder);
    enum sp_status status = SP_OK;
    int fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if ((fd < 0 && errno != EACCES) ||
        (fd >= 0 && fsync(fd) != 0 && errno != EINVAL && errno != EROFS))
        status = sp_datadir_failed(errno, "sync", above, reterr);
    if (fd >= 0)
        close(fd);
    free(above);
    return status;
}

/* SP_NOT_FOUND: no FORMAT file, and nothing that would need one. */
static enum sp_status check_format(const struct sp_datadir *dir, struct sp_error *reterr)
{
    enum sp_status status = SP_NO_MEMORY;
    char *path = join(dir->root, "FORMAT");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0 && path != NULL && errno == ENOENT)
        status = SP_NOT_FOUND;
    else if (fd < 0)
        status = sp_datadir_failed(errno, "read", path != NULL ? path : "FORMAT", reterr);
    if (fd >= 0) {
        char text[FORMAT_BYTES_MAX + 1];
        ssize_t len = read(fd, text, FORMAT_BYTES_MAX);
        struct sp_slice line = sp_slice_trim(sp_slice_make(text, len > 0 ? (size_t)len : 0));
        uint64_t format = 0;
        if (!sp_slice_starts_with(line, SP_SLICE(FORMAT_PREFIX)) ||
            !sp_parse_u64(sp_slice_sub(line, sizeof(FORMAT_PREFIX) - 1, SIZE_MAX), &format))
            status =
                sp_error_set(reterr, SP_CORRUPT, "%s is damaged: it does not name a format", path);
        else if (format != SP_DATADIR_FORMAT)
            status = sp_error_set(reterr, SP_VERSION,
                                  "%s says format %llu, and this version of Spoor knows format %d "
                                  "only; nothing was changed",
                                  path, (unsigned long long)format, SP_DATADIR_FORMAT);
        else
            status = SP_OK;
        close(fd);
    }
    free(path);
    return status;
}

/* operation: as of flock. */
static enum sp_status lock_file(const struct sp_datadir *dir, const char *path, int operation,
                                struct sp_error *reterr)
{
    if (flock(dir->lock_fd, operation | LOCK_NB) == 0)
        return SP_OK;
    if (errno != EWOULDBLOCK)
        return sp_datadir_failed(errno, "lock", path, reterr);
    char owner[32] = "";
    ssize_t len = read(dir->lock_fd, owner, sizeof(owner) - 1);
    struct sp_slice pid = sp_slice_trim(sp_slice_make(owner, len > 0 ? (size_t)len : 0));
    return sp_error_set(reterr, SP_BUSY,
                        "the data directory %s is in use by another process (pid %.*s)", dir->root,
                        SP_SLICE_PRINTF(pid));
}

static enum sp_status take_lock(struct sp_datadir *dir, struct sp_error *reterr)
{
    char *path = join(dir->root, "LOCK");
    if (path == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to open %s", dir->root);
    enum sp_status status = SP_OK;
    dir->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (dir->lock_fd < 0)
        status = sp_datadir_failed(errno, "write", path, reterr);
    else
        status = lock_file(dir, path, LOCK_EX, reterr);
    if (status == SP_OK) {
        /* Only for people; a short write does no harm. */
        if (ftruncate(dir->lock_fd, 0) == 0)
            dprintf(dir->lock_fd, "%ld\n", (long)getpid());
    }
    free(path);
    return status;
}

/* Complete or absent, whenever the machine stops: written beside, synced, renamed. The caller syncs the folder. */
enum sp_status sp_datadir_write_format(const char *root, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    char *path = join(root, "FORMAT");
    char *beside = join(root, "FORMAT.new");
    int fd = path != NULL && beside != NULL
                 ? open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)
                 : -1;
    bool written = fd >= 0 && dprintf(fd, FORMAT_PREFIX "%d\n", SP_DATADIR_FORMAT) > 0 &&
                   fsync(fd) == 0 && rename(beside, path) == 0;
    if (!written)
        status = sp_datadir_failed(errno, "write", path != NULL ? path : "FORMAT", reterr);
    if (fd >= 0)
        close(fd);
    free(path);
    free(beside);
    return status;
}

/* A database whose first open was cut short has no table and no log with content: it may be made anew. Anything else is
 * never overwritten, whatever is missing. */
static bool holds_data(const char *folder)
{
    DIR *stream = opendir(folder);
    bool found = false;
    struct dirent *entry;
    while (!found && (entry = next_entry(stream)) != NULL) {
        size_t len = strlen(entry->d_name);
        struct stat info;
        bool is_table = len > 4 && strcmp(entry->d_name + len - 4, ".sst") == 0;
        bool is_log = len > 4 && strcmp(entry->d_name + len - 4, ".log") == 0;
        found = is_table || (is_log && fstatat(dirfd(stream), entry->d_name, &info, 0) == 0 &&
                             info.st_size > 0);
    }
    if (stream != NULL)
        closedir(stream);
    return found;
}

static enum sp_status check_folder(struct sp_datadir *dir, struct sp_error *reterr)
{
    dir->db = join(dir->root, "db");
    if (dir->db == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to open %s", dir->root);
    enum sp_status status = check_format(dir, reterr);
    if (status != SP_OK && status != SP_NOT_FOUND)
        return status;
    bool known = status == SP_OK;
    if (!known && holds_data(dir->db))
        return sp_error_set(reterr, SP_VERSION,
                            "%s holds a database but no FORMAT file: not made by this version of "
                            "Spoor; nothing was changed",
                            dir->root);
    status = take_lock(dir, reterr);
    if (status == SP_OK && mkdir(dir->db, 0777) != 0 && errno != EEXIST)
        status = sp_datadir_failed(errno, "make", dir->db, reterr);
    /* FORMAT says that everything above it will be found again after a power loss. */
    if (status == SP_OK && !known)
        status = each_folder(dir->root, sync_entry, reterr);
    if (status == SP_OK && !known)
        status = sp_datadir_write_format(dir->root, reterr);
    if (status == SP_OK)
        status = sp_datadir_sync(dir->root, reterr);
    if (status == SP_OK && faccessat(AT_FDCWD, dir->db, R_OK | W_OK | X_OK, AT_EACCESS) != 0)
        status = sp_datadir_failed(errno, "write to", dir->db, reterr);
    if (status == SP_OK)
        dir->db_is_new = !holds_data(dir->db);
    return status;
}

enum sp_status sp_datadir_open(const char *path, struct sp_datadir *ret, struct sp_error *reterr)
{
    struct sp_datadir dir = {.lock_fd = -1};
    if (path == NULL || path[0] == '\0')
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "data-dir",
                                      "the data directory has no name");
    enum sp_status status = each_folder(path, make_folder, reterr);
    if (status != SP_OK)
        return status;
    dir.root = strdup(path);
    status = dir.root != NULL ? check_folder(&dir, reterr)
                              : sp_error_set(reterr, SP_NO_MEMORY, "no memory to open %s", path);
    if (status == SP_OK)
        *ret = dir;
    else
        sp_datadir_close(&dir);
    return status;
}

/* Others may read meanwhile, too. Where nobody has made the file, nobody has opened the directory. */
static enum sp_status take_shared_lock(struct sp_datadir *dir, struct sp_error *reterr)
{
    char *path = join(dir->root, "LOCK");
    if (path == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to open %s", dir->root);
    enum sp_status status = SP_OK;
    dir->lock_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (dir->lock_fd >= 0)
        status = lock_file(dir, path, LOCK_SH, reterr);
    else if (errno != ENOENT)
        status = sp_datadir_failed(errno, "read", path, reterr);
    free(path);
    return status;
}

static enum sp_status check_readable(struct sp_datadir *dir, struct sp_error *reterr)
{
    dir->db = join(dir->root, "db");
    if (dir->db == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to open %s", dir->root);
    enum sp_status status = check_format(dir, reterr);
    if (status == SP_NOT_FOUND)
        status = sp_error_set(reterr, SP_NOT_FOUND,
                              "%s is not a data directory: it has no FORMAT file", dir->root);
    if (status == SP_OK && faccessat(AT_FDCWD, dir->db, R_OK | X_OK, AT_EACCESS) != 0)
        status = errno == ENOENT ? sp_error_set(reterr, SP_CORRUPT, "%s is missing", dir->db)
                                 : sp_datadir_failed(errno, "read", dir->db, reterr);
    return status;
}

static enum sp_status open_readable(const char *path,
                                    enum sp_status (*more)(struct sp_datadir *dir,
                                                           struct sp_error *reterr),
                                    struct sp_datadir *ret, struct sp_error *reterr)
{
    struct sp_datadir dir = {.lock_fd = -1, .root = strdup(path)};
    enum sp_status status = dir.root != NULL
                                ? check_readable(&dir, reterr)
                                : sp_error_set(reterr, SP_NO_MEMORY, "no memory to open %s", path);
    if (status == SP_OK)
        status = more(&dir, reterr);
    if (status == SP_OK)
        *ret = dir;
    else
        sp_datadir_close(&dir);
    return status;
}

enum sp_status sp_datadir_open_read_only(const char *path, struct sp_datadir *ret,
                                         struct sp_error *reterr)
{
    return open_readable(path, take_shared_lock, ret, reterr);
}

/* It may be without spans yet. */
static enum sp_status check_database(struct sp_datadir *dir, struct sp_error *reterr)
{
    char *current = join(dir->db, "CURRENT");
    enum sp_status status = SP_OK;
    if (current == NULL)
        status = sp_error_set(reterr, SP_NO_MEMORY, "no memory to open %s", dir->root);
    else if (access(current, F_OK) != 0)
        status = sp_error_set(reterr, SP_UNAVAILABLE,
                              "%s holds no database yet: a collector has to be started on it first",
                              dir->root);
    free(current);
    return status;
}

enum sp_status sp_datadir_open_following(const char *path, struct sp_datadir *ret,
                                         struct sp_error *reterr)
{
    return open_readable(path, check_database, ret, reterr);
}

void sp_datadir_close(struct sp_datadir *dir)
{
    if (dir->lock_fd >= 0)
        close(dir->lock_fd);
    free(dir->root);
    free(dir->db);
    *dir = (struct sp_datadir){.lock_fd = -1};
}

#define STAT_BLOCK_BYTES 512 /* of st_blocks, by POSIX's rationale and everywhere */

static uint64_t folder_bytes(const char *folder)
{
    uint64_t bytes = 0;
    DIR *stream = opendir(folder);
    struct dirent *entry;
    while ((entry = next_entry(stream)) != NULL) {
        struct stat info;
        if (fstatat(dirfd(stream), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(info.st_mode))
            bytes += (uint64_t)info.st_blocks * STAT_BLOCK_BYTES;
    }
    if (stream != NULL)
        closedir(stream);
    return bytes;
}

uint64_t sp_datadir_bytes(const struct sp_datadir *dir)
{
    return folder_bytes(dir->root) + folder_bytes(dir->db);
}
