/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/disk_fault.c: the calls that change files, in front of those of the C library: the dynamic linker finds what a program
 * defines first, for its libraries too. Knows files by their names only. */
#undef _FILE_OFFSET_BITS /* with it, open would be another name of open64: here both are defined */
#include "tests/support/disk_fault.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Files of higher numbers are not looked at. */
#define FDS_MAX 4096

static struct {
    pthread_mutex_t lock;
    char folder[256];
    struct disk_fault fault;
    bool armed, hit;
    uint64_t calls;
    enum disk_call hit_call;
    enum disk_file hit_file;
    char hit_thread[17];
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Atomic uint8_t files[FDS_MAX]; /* of an open file: 1 + enum disk_file; 0: not looked at */
static _Atomic bool
    is_written[FDS_MAX]; /* since its last sync: one that was not cannot fail to be synced */

static bool has_left(void);
static void remove_beside(void);

/* ---- what a test says ---- */

void disk_fault_watch(const char *folder)
{
    pthread_mutex_lock(&disk.lock);
    snprintf(disk.folder, sizeof(disk.folder), "%s", folder != NULL ? folder : "");
    pthread_mutex_unlock(&disk.lock);
}

void disk_fault_set(const struct disk_fault *fault)
{
    if (has_left())
        remove_beside();
    pthread_mutex_lock(&disk.lock);
    disk.armed = fault != NULL;
    disk.fault = fault != NULL ? *fault : (struct disk_fault){.calls = DISK_ALL_CALLS};
    disk.calls = 0;
    disk.hit = false;
    pthread_mutex_unlock(&disk.lock);
}

uint64_t disk_fault_calls(void)
{
    pthread_mutex_lock(&disk.lock);
    uint64_t calls = disk.calls;
    pthread_mutex_unlock(&disk.lock);
    return calls;
}

bool disk_fault_hit(char ret_step[DISK_STEP_TEXT])
{
    static const char *const calls[DISK_CALL_COUNT] = {"open",   "write",  "sync",
                                                       "rename", "unlink", "truncate"};
    static const char *const names[DISK_FILE_COUNT] = {
        "another file", "a log", "a table", "the manifest", "CURRENT", "the options", "a folder"};
    pthread_mutex_lock(&disk.lock);
    bool hit = disk.hit;
    if (hit && ret_step != NULL)
        snprintf(ret_step, DISK_STEP_TEXT, "%s: %s %s", disk.hit_thread, calls[disk.hit_call],
                 names[disk.hit_file]);
    pthread_mutex_unlock(&disk.lock);
    return hit;
}

/* ---- what becomes of a call ---- */

static enum disk_file file_of(const char *path)
{
    size_t len = strlen(path);
    if (len > 4 && strcmp(path + len - 4, ".log") == 0)
        return DISK_LOG;
    if (len > 4 && strcmp(path + len - 4, ".sst") == 0)
        return DISK_TABLE;
    if (strstr(path, "/MANIFEST") != NULL)
        return DISK_MANIFEST;
    if (strstr(path, "/CURRENT") != NULL || strstr(path, ".dbtmp") != NULL)
        return DISK_CURRENT;
    return strstr(path, "/OPTIONS") != NULL ? DISK_OPTIONS : DISK_OTHER;
}

static bool is_watched(const char *path)
{
    pthread_mutex_lock(&disk.lock);
    size_t len = strlen(disk.folder);
    bool watched =
        len > 0 && strncmp(path, disk.folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
    pthread_mutex_unlock(&disk.lock);
    return watched;
}

static bool fd_file(int fd, enum disk_file *ret)
{
    uint8_t file = fd >= 0 && fd < FDS_MAX ? files[fd] : 0;
    *ret = (enum disk_file)(file > 0 ? file - 1 : 0);
    return file > 0;
}

enum verdict { GOES_ON, FAILS, GOES_BESIDE };

/* Under the lock. RocksDB names its threads, too. */
static bool is_counted(enum disk_call call, enum disk_file file)
{
    char name[17] = "";
    prctl(PR_GET_NAME, name);
    return (disk.fault.calls & 1U << call) != 0 &&
           (disk.fault.files == 0 || (disk.fault.files & 1U << file) != 0) &&
           (disk.fault.thread == NULL || strcmp(disk.fault.thread, name) == 0) &&
           (disk.fault.outcome != DISK_FAILS || strcmp(name, "rocksdb:low") != 0);
}

/* *ret_by_half: the first half of a write is done as ever. */
static enum verdict judge(enum disk_call call, enum disk_file file, bool *ret_by_half)
{
    enum verdict verdict = GOES_ON;
    bool leaves = disk.fault.outcome == DISK_LEAVES;
    void (*before)(void) = NULL;
    *ret_by_half = false;
    pthread_mutex_lock(&disk.lock);
    bool counted = is_counted(call, file);
    disk.calls += counted;
    if (counted && disk.armed && disk.calls >= disk.fault.first &&
        disk.calls - disk.fault.first < disk.fault.count)
        verdict = leaves ? GOES_BESIDE : FAILS;
    if (verdict != GOES_ON && !disk.hit) {
        disk.hit_call = call;
        disk.hit_file = file;
        prctl(PR_GET_NAME, disk.hit_thread);
        *ret_by_half = disk.fault.by_half && call == DISK_WRITE;
        disk.hit = true;
        before = disk.fault.before;
    }
    if (disk.fault.outcome == DISK_GOES_ON)
        verdict = GOES_ON;
    if (leaves && disk.hit)
        verdict = GOES_BESIDE;
    int error = disk.fault.error;
    bool kills = verdict != GOES_ON && disk.fault.outcome == DISK_KILLS && !*ret_by_half;
    pthread_mutex_unlock(&disk.lock);
    if (kills)
        raise(SIGKILL);
    if (before != NULL)
        before();
    if (verdict == FAILS)
        errno = error;
    return verdict;
}

static bool is_full(const char *path)
{
    bool watched = is_watched(path);
    pthread_mutex_lock(&disk.lock);
    bool full = watched && disk.armed && disk.hit && disk.fault.outcome == DISK_FAILS &&
                disk.fault.error == ENOSPC;
    pthread_mutex_unlock(&disk.lock);
    return full;
}

/* ---- beside the folder ---- */

static bool has_left(void)
{
    pthread_mutex_lock(&disk.lock);
    bool left = disk.hit && disk.fault.outcome == DISK_LEAVES;
    pthread_mutex_unlock(&disk.lock);
    return left;
}

#define PATH_BYTES 512

/* The file that takes the place of this one. */
static void path_beside(const char *path, char ret[PATH_BYTES])
{
    size_t folder_len = strlen(disk.folder);
    snprintf(ret, PATH_BYTES, "%s-beside/", disk.folder);
    mkdir(ret, 0700); /* not below the folder */
    size_t len = strlen(ret);
    for (const char *at = path + folder_len; *at != '\0' && len + 1 < PATH_BYTES; at++)
        ret[len++] = *at == '/' ? '+' : *at;
    ret[len] = '\0';
}

/* A store that follows is another process: it sees what the one that was killed has left. */
static bool is_follower(void)
{
    char name[17] = "";
    prctl(PR_GET_NAME, name);
    return strcmp(name, "spoor:follow") == 0;
}

/* Where to read it. */
static const char *path_now(const char *path, char room[PATH_BYTES])
{
    if (!is_watched(path) || !has_left() || is_follower())
        return path;
    path_beside(path, room);
    return access(room, F_OK) == 0 ? room : path;
}

static void copy_beside(const char *path, const char *beside)
{
    char bytes[4096];
    ssize_t len;
    int from = open(path, O_RDONLY);
    int to = open(beside, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    while (from >= 0 && to >= 0 && (len = read(from, bytes, sizeof(bytes))) > 0) {
        if (write(to, bytes, (size_t)len) != len)
            abort();
    }
    close(from);
    close(to);
}

/* An open file goes on as its copy. */
static void move_beside(int fd)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    char link[64];
    char path[PATH_BYTES];
    char beside[PATH_BYTES];
    pthread_mutex_lock(&lock);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof(path) - 1);
    if (files[fd] != 0 && len > 0) {
        path[len] = '\0';
        files[fd] = 0;
        path_beside(path, beside);
        copy_beside(link, beside);
        int copy = open(beside, O_RDWR);
        lseek(copy, lseek(fd, 0, SEEK_CUR), SEEK_SET);
        dup2(copy, fd);
        close(copy);
    }
    pthread_mutex_unlock(&lock);
}

static void remove_beside(void)
{
    char folder[PATH_BYTES];
    struct dirent *entry;
    snprintf(folder, sizeof(folder), "%s-beside", disk.folder);
    DIR *stream = opendir(folder);
    while (stream != NULL && (entry = readdir(stream)) != NULL) // cppcheck-suppress readdirCalled
        unlinkat(dirfd(stream), entry->d_name, 0);
    if (stream != NULL)
        closedir(stream);
    rmdir(folder);
}

/* Of a call that names a file, which has no halves. */
static enum verdict judge_path(enum disk_call call, const char *path)
{
    bool by_half;
    return is_watched(path) ? judge(call, file_of(path), &by_half) : GOES_ON;
}

/* Of a call to an open file, which may not be that file any more afterwards. */
static bool fd_fails(enum disk_call call, int fd)
{
    enum disk_file file;
    bool by_half;
    enum verdict verdict = fd_file(fd, &file) ? judge(call, file, &by_half) : GOES_ON;
    if (verdict == GOES_BESIDE)
        move_beside(fd);
    return verdict == FAILS;
}

/* ---- the calls ---- */

/* The function that would have been called. */
#define NEXT(type, name) ((type)(uintptr_t)dlsym(RTLD_NEXT, name))

typedef int open_function(const char *path, int flags, ...);

static int open_watched(const char *name, const char *path, int flags, mode_t mode)
{
    char room[PATH_BYTES];
    bool watched = is_watched(path);
    bool changes = (flags & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR)) != 0;
    enum verdict verdict = changes ? judge_path(DISK_OPEN, path) : GOES_ON;
    if (verdict == FAILS)
        return -1;
    if (verdict == GOES_BESIDE) {
        path_beside(path, room);
        if ((flags & O_TRUNC) == 0 && access(room, F_OK) != 0 && access(path, F_OK) == 0)
            copy_beside(path, room);
        path = room;
    } else if (!changes) {
        path = path_now(path, room);
    }
    int fd = NEXT(open_function *, name)(path, flags, mode);
    struct stat info;
    if (fd >= 0 && fd < FDS_MAX) { /* the number may be that of a file that closedir has closed */
        is_written[fd] = false;
        files[fd] = watched && path != room && fstat(fd, &info) == 0
                        ? (uint8_t)(1 + (S_ISDIR(info.st_mode) ? DISK_FOLDER : file_of(path)))
                        : 0;
    }
    return fd;
}

static mode_t mode_argument(int flags, va_list arguments)
{
    return (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_argument(flags, arguments);
    va_end(arguments);
    return open_watched("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_argument(flags, arguments);
    va_end(arguments);
    return open_watched("open64", path, flags, mode);
}

int close(int fd)
{
    if (fd >= 0 && fd < FDS_MAX)
        files[fd] = 0;
    return NEXT(int (*)(int), "close")(fd);
}

typedef ssize_t write_function(int fd, const void *bytes, size_t len);
typedef ssize_t pwrite_function(int fd, const void *bytes, size_t len, off_t at);

/* A write that is done by half is one that the caller has to go on with. */
static bool write_fails(int fd, size_t *len)
{
    enum disk_file file;
    bool by_half = false;
    bool watched = fd_file(fd, &file);
    enum verdict verdict = watched ? judge(DISK_WRITE, file, &by_half) : GOES_ON;
    if (watched)
        is_written[fd] = true;
    if (by_half && *len > 1)
        *len /= 2;
    else if (verdict == GOES_BESIDE)
        move_beside(fd);
    return verdict == FAILS && !by_half;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    return write_fails(fd, &len) ? -1 : NEXT(write_function *, "write")(fd, bytes, len);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return write_fails(fd, &len) ? -1 : NEXT(pwrite_function *, "pwrite")(fd, bytes, len, at);
}

static int sync_watched(const char *name, int fd)
{
    enum disk_file file;
    bool has_work = fd_file(fd, &file) && (file == DISK_FOLDER || is_written[fd]);
    if (has_work && fd_fails(DISK_SYNC, fd))
        return -1;
    if (has_work)
        is_written[fd] = false;
    return NEXT(int (*)(int), name)(fd);
}

int fsync(int fd)
{
    return sync_watched("fsync", fd);
}

int fdatasync(int fd)
{
    return sync_watched("fdatasync", fd);
}

typedef int two_paths_function(const char *from, const char *to);

static int two_paths(const char *name, const char *from, const char *to)
{
    char from_beside[PATH_BYTES];
    char to_beside[PATH_BYTES];
    enum verdict verdict = judge_path(DISK_RENAME, to);
    if (verdict == FAILS)
        return -1;
    if (verdict == GOES_ON)
        return NEXT(two_paths_function *, name)(from, to);
    path_beside(from, from_beside);
    path_beside(to, to_beside);
    if (access(from_beside, F_OK) != 0)
        copy_beside(from, from_beside);
    return NEXT(two_paths_function *, name)(from_beside, to_beside);
}

int rename(const char *from, const char *to)
{
    return two_paths("rename", from, to);
}

int link(const char *from, const char *to)
{
    return two_paths("link", from, to);
}

int unlink(const char *path)
{
    char beside[PATH_BYTES];
    enum verdict verdict = judge_path(DISK_UNLINK, path);
    if (verdict == GOES_BESIDE) {
        path_beside(path, beside);
        NEXT(int (*)(const char *), "unlink")(beside); /* it may not be there */
        return 0;
    }
    return verdict == FAILS ? -1 : NEXT(int (*)(const char *), "unlink")(path);
}

int unlinkat(int folder, const char *name, int flags)
{
    char link[64];
    char path[PATH_BYTES];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", folder);
    ssize_t len = readlink(link, path, sizeof(path) - 1);
    enum verdict verdict = GOES_ON;
    if (len > 0 && (size_t)len < sizeof(path) - 1) {
        snprintf(path + len, sizeof(path) - (size_t)len, "/%s", name);
        verdict = judge_path(DISK_UNLINK, path);
    }
    if (verdict != GOES_ON)
        return verdict == GOES_BESIDE ? 0 : -1;
    return NEXT(int (*)(int, const char *, int), "unlinkat")(folder, name, flags);
}

int rmdir(const char *path)
{
    enum verdict verdict = judge_path(DISK_UNLINK, path);
    if (verdict != GOES_ON)
        return verdict == GOES_BESIDE ? 0 : -1;
    return NEXT(int (*)(const char *), "rmdir")(path);
}

int mkdir(const char *path, mode_t mode)
{
    enum verdict verdict = judge_path(DISK_OPEN, path);
    if (verdict != GOES_ON)
        return verdict == GOES_BESIDE ? 0 : -1;
    return NEXT(int (*)(const char *, mode_t), "mkdir")(path, mode);
}

/* Asks for the size. */
int stat(const char *path, struct stat *ret)
{
    char room[PATH_BYTES];
    return NEXT(int (*)(const char *, struct stat *), "stat")(path_now(path, room), ret);
}

int ftruncate(int fd, off_t len)
{
    return fd_fails(DISK_TRUNCATE, fd) ? -1 : NEXT(int (*)(int, off_t), "ftruncate")(fd, len);
}

int ftruncate64(int fd, off64_t len)
{
    return fd_fails(DISK_TRUNCATE, fd) ? -1 : NEXT(int (*)(int, off64_t), "ftruncate64")(fd, len);
}

int fallocate(int fd, int mode, off_t at, off_t len)
{
    return fd_fails(DISK_TRUNCATE, fd)
               ? -1
               : NEXT(int (*)(int, int, off_t, off_t), "fallocate")(fd, mode, at, len);
}

/* A full disk says so. */
int statvfs64(const char *path, struct statvfs64 *ret)
{
    int result = NEXT(int (*)(const char *, struct statvfs64 *), "statvfs64")(path, ret);
    if (result == 0 && is_full(path))
        ret->f_bfree = ret->f_bavail = 0;
    return result;
}

int statvfs(const char *path, struct statvfs *ret)
{
    int result = NEXT(int (*)(const char *, struct statvfs *), "statvfs")(path, ret);
    if (result == 0 && is_full(path))
        ret->f_bfree = ret->f_bavail = 0;
    return result;
}

/* RocksDB sleeps for a second after an error, and its close waits for that. */
int usleep(useconds_t us)
{
    return NEXT(int (*)(useconds_t), "usleep")(us >= 1000000 ? 1000 : us);
}
