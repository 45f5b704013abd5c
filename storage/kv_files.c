/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/kv_files.c: files around a database that another process writes. Calls no RocksDB. */
#include "storage/kv_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* readdir on a stream of one's own is safe with threads (POSIX.1-2024), and readdir_r is deprecated. */
static struct dirent *next_entry(DIR *stream)
{
    return stream != NULL ? readdir(stream) : NULL; // cppcheck-suppress readdirCalled
}

static enum sp_status cannot_read(const char *path, struct sp_error *reterr)
{
    return sp_error_set(reterr, errno == EACCES ? SP_PERMISSION : SP_IO, "cannot read %s: %s", path,
                        strerror(errno));
}

/* "MANIFEST-000123" and the end of the line. */
static enum sp_status read_current(int folder_fd, const char *folder, struct sp_kv_files_state *ret,
                                   struct sp_error *reterr)
{
    int fd = openat(folder_fd, "CURRENT", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, ret->current, SP_KV_CURRENT_BYTES_MAX) : -1;
    enum sp_status status = len < 0 ? cannot_read(folder, reterr) : SP_OK;
    if (fd >= 0)
        close(fd);
    ret->current[strcspn(ret->current, "\n")] = '\0';
    return status;
}

enum sp_status sp_kv_files_state(const char *folder, struct sp_kv_files_state *ret,
                                 struct sp_error *reterr)
{
    struct sp_kv_files_state state = {.manifest_bytes = 0};
    struct stat info;
    int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd < 0)
        return cannot_read(folder, reterr);
    enum sp_status status = read_current(folder_fd, folder, &state, reterr);
    if (status == SP_OK && fstatat(folder_fd, state.current, &info, 0) != 0)
        status = cannot_read(folder, reterr);
    close(folder_fd);
    if (status != SP_OK)
        return status;
    state.manifest_bytes = (uint64_t)info.st_size;
    *ret = state;
    return SP_OK;
}

char *sp_kv_files_folder_new(void)
{
    const char *base = getenv("TMPDIR");
    char *path;
    if (asprintf(&path, "%s/spoor-query-XXXXXX", base != NULL ? base : "/tmp") < 0)
        return NULL;
    if (mkdtemp(path) == NULL) {
        free(path);
        return NULL;
    }
    return path;
}

void sp_kv_files_folder_free(char *folder)
{
    if (folder == NULL)
        return;
    DIR *stream = opendir(folder);
    struct dirent *entry;
    while ((entry = next_entry(stream)) != NULL)
        unlinkat(dirfd(stream), entry->d_name, 0); /* fails for . and .. */
    if (stream != NULL)
        closedir(stream);
    rmdir(folder);
    free(folder);
}
