/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/copy.c: `sp_store_copy`: a data directory that nobody has open, or a backup, to another place. Knows neither spans nor
 * RocksDB. */
#include "storage/datadir.h"
#include "storage/storage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES ((size_t)1024 * 1024)

struct copying {
    const struct sp_datadir *from;
    const char *to;
    char *db; /* heap: the folder of the database there */
    bool link_tables;
    bool made_root;  /* and takes it away again when this fails */
    uint8_t *buffer; /* heap */
    struct sp_store_copied copied;
};

/* ---- one file ---- */

/* Tables are never changed once they are written; everything else may be. */
static bool is_table(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, ".sst") == 0;
}

/* Files for people, and of whoever has the database open. */
static bool is_wanted(const char *name)
{
    return strcmp(name, "LOCK") != 0 && strcmp(name, "LOG") != 0 &&
           strncmp(name, "LOG.old", 7) != 0;
}

static enum sp_status copy_bytes(struct copying *copying, int in, int out, const char *from,
                                 const char *to, struct sp_error *reterr)
{
    for (;;) {
        ssize_t len = read(in, copying->buffer, COPY_BYTES);
        if (len < 0)
            return sp_datadir_failed(errno, "read", from, reterr);
        if (len == 0)
            break;
        for (ssize_t done = 0; done < len;) {
            ssize_t written = write(out, copying->buffer + done, (size_t)(len - done));
            if (written < 0)
                return sp_datadir_failed(errno, "write", to, reterr);
            done += written;
        }
        copying->copied.bytes += (uint64_t)len;
    }
    return fsync(out) == 0 ? SP_OK : sp_datadir_failed(errno, "sync", to, reterr);
}

static enum sp_status copy_file(struct copying *copying, const char *from, const char *to,
                                struct sp_error *reterr)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return sp_datadir_failed(errno, "read", from, reterr);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    enum sp_status status = out >= 0 ? copy_bytes(copying, in, out, from, to, reterr)
                                     : sp_datadir_failed(errno, "make", to, reterr);
    if (out >= 0 && close(out) != 0 && status == SP_OK)
        status = sp_datadir_failed(errno, "write", to, reterr);
    close(in);
    return status;
}

/* A link where that is asked for and can be. */
static enum sp_status take_file(struct copying *copying, const char *name, struct sp_error *reterr)
{
    char *from;
    char *to = NULL;
    enum sp_status status = SP_NO_MEMORY;
    if (asprintf(&from, "%s/%s", copying->from->db, name) < 0)
        from = NULL;
    if (from != NULL && asprintf(&to, "%s/%s", copying->db, name) < 0)
        to = NULL;
    if (to == NULL) {
        sp_error_set(reterr, status, "no memory to copy %s", name);
    } else if (copying->link_tables && is_table(name) && link(from, to) == 0) {
        copying->copied.linked_count++;
        status = SP_OK;
    } else {
        status = copy_file(copying, from, to, reterr);
    }
    copying->copied.file_count += status == SP_OK;
    free(from);
    free(to);
    return status;
}

static enum sp_status take_files(struct copying *copying, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    DIR *stream = opendir(copying->from->db);
    struct dirent *entry;
    if (stream == NULL)
        return sp_datadir_failed(errno, "read", copying->from->db, reterr);
    while (status == SP_OK &&
           (entry = readdir(stream)) != NULL) { // cppcheck-suppress readdirCalled
        struct stat info;
        if (is_wanted(entry->d_name) &&
            fstatat(dirfd(stream), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(info.st_mode))
            status = take_file(copying, entry->d_name, reterr);
    }
    closedir(stream);
    return status;
}

/* ---- the folder ---- */

static enum sp_status prepare(struct copying *copying, struct sp_error *reterr)
{
    if (mkdir(copying->to, 0777) == 0) {
        copying->made_root = true;
    } else if (errno != EEXIST) {
        return sp_datadir_failed(errno, "make", copying->to, reterr);
    } else {
        DIR *stream = opendir(copying->to);
        size_t count = 0;
        if (stream == NULL)
            return sp_datadir_failed(errno, "use", copying->to, reterr);
        while (readdir(stream) != NULL) // cppcheck-suppress readdirCalled
            count++;
        closedir(stream);
        if (count > 2) /* "." and ".." */
            return sp_error_set(
                reterr, SP_INVALID_ARGUMENT,
                "%s is not empty: a backup goes to a directory that is new or empty", copying->to);
    }
    if (mkdir(copying->db, 0777) != 0)
        return sp_datadir_failed(errno, "make", copying->db, reterr);
    return SP_OK;
}

static enum sp_status copy(struct copying *copying, struct sp_error *reterr)
{
    char *above;
    enum sp_status status = take_files(copying, reterr);
    if (status == SP_OK)
        status = sp_datadir_sync(copying->db, reterr);
    if (status == SP_OK) /* last: without it nobody takes the copy for a whole one */
        status = sp_datadir_write_format(copying->to, reterr);
    if (status == SP_OK)
        status = sp_datadir_sync(copying->to, reterr);
    if (status == SP_OK && asprintf(&above, "%s/..", copying->to) >= 0) {
        status = sp_datadir_sync(above, reterr);
        free(above);
    }
    return status;
}

/* What a copy that failed has made, so that the next one finds the place as this one did, and the disk its room. */
static void take_back(const struct copying *copying)
{
    DIR *stream = opendir(copying->db);
    struct dirent *entry;
    while (stream != NULL && (entry = readdir(stream)) != NULL) // cppcheck-suppress readdirCalled
        unlinkat(dirfd(stream), entry->d_name, 0);
    if (stream != NULL)
        closedir(stream);
    rmdir(copying->db);
    if (copying->made_root)
        rmdir(copying->to);
}

static enum sp_status copy_to(struct copying *copying, struct sp_error *reterr)
{
    copying->buffer = malloc(COPY_BYTES);
    if (asprintf(&copying->db, "%s/db", copying->to) < 0)
        copying->db = NULL;
    enum sp_status status = copying->buffer != NULL && copying->db != NULL
                                ? prepare(copying, reterr)
                                : sp_error_set(reterr, SP_NO_MEMORY, "no memory to copy");
    if (status == SP_OK) {
        status = copy(copying, reterr);
        if (status != SP_OK)
            take_back(copying);
    } else if (copying->made_root) {
        rmdir(copying->to);
    }
    free(copying->buffer);
    free(copying->db);
    return status;
}

enum sp_status sp_store_copy(const char *from, const char *to, bool link_tables,
                             struct sp_store_copied *ret, struct sp_error *reterr)
{
    struct sp_datadir dir;
    enum sp_status status = sp_datadir_open_read_only(from, &dir, reterr);
    if (status != SP_OK)
        return status;
    struct copying copying = {.from = &dir, .to = to, .link_tables = link_tables};
    status = copy_to(&copying, reterr);
    sp_datadir_close(&dir);
    if (status == SP_OK)
        *ret = copying.copied;
    return status;
}
