/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/kv_leaving.c: logs that go away step by step. A log of 60 MB that is removed at once is freed at once, and where the file system
 * tells the disk what is free (mount option discard), that is one request that a disk may take ten milliseconds for, in
 * which no sync ends: decision 0104. So each log gets a second name before RocksDB removes the first, and a thread makes it shorter by
 * a mebibyte at a time. Calls no RocksDB.
 *
 *   db/000123.log  -- link -->  db/leaving/000123.log       a flush begins
 *                               db/leaving/000123.log       it has ended: RocksDB has removed the first name
 *                               60, 59, 58 ... 0 MiB, gone  unless somebody else has it open: then it goes at once */
#include "storage/kv_leaving.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/base.h"

#define FOLDER "leaving"

#define NICE    10
#define STEP    ((off_t)1024 * 1024)
#define STEP_NS (8 * 1000 * 1000)
/* Smaller ones go at once. */
#define KEPT_BYTES_MIN (4 * STEP)
/* How often it is looked whether a log has lost its first name, and how often in all: a flush that takes longer has failed. */
#define LOOK_NS   (20 * 1000 * 1000)
#define LOOKS_MAX 1000
/* More than this is not kept back: the room is needed. */
#define KEPT_BYTES_MAX ((uint64_t)256 * 1024 * 1024)

struct sp_kv_leaving {
    int first_fd, fd; /* the folder of the database, and that of the second names */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wakes;
    uint32_t looks; /* still to do */
    bool stopping;
};

/* readdir on a stream of one's own is safe with threads (POSIX.1-2024), and readdir_r is deprecated. */
static struct dirent *next_entry(DIR *stream)
{
    return stream != NULL ? readdir(stream) : NULL; // cppcheck-suppress readdirCalled
}

/* A stream of its own on a folder that stays open. */
static DIR *open_stream(int folder_fd)
{
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (stream == NULL && fd >= 0)
        close(fd);
    return stream;
}

static bool is_log(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, ".log") == 0;
}

static void remove_all(int fd)
{
    DIR *stream = open_stream(fd);
    struct dirent *entry;
    while ((entry = next_entry(stream)) != NULL) {
        if (is_log(entry->d_name))
            unlinkat(fd, entry->d_name, 0);
    }
    if (stream != NULL)
        closedir(stream);
}

static uint64_t kept_bytes(int fd)
{
    uint64_t bytes = 0;
    DIR *stream = open_stream(fd);
    struct dirent *entry;
    while ((entry = next_entry(stream)) != NULL) {
        struct stat info;
        if (is_log(entry->d_name) && fstatat(fd, entry->d_name, &info, 0) == 0 &&
            info.st_nlink == 1)
            bytes += (uint64_t)info.st_size;
    }
    if (stream != NULL)
        closedir(stream);
    return bytes;
}

/* Does nobody else have it open, in this process or another, as one that follows? The kernel grants a lease only then. It is given back at
 * once: nobody looks for a log at its second name. A program that copies everything and opens it in between would have the kernel
 * send a signal, which is one that does nothing. */
static bool is_ours_alone(int fd)
{
    bool alone = fcntl(fd, F_SETSIG, SIGWINCH) == 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
    if (alone)
        fcntl(fd, F_SETLEASE, F_UNLCK);
    return alone;
}

/* Under the lock, which it leaves meanwhile. */
static void pause_for(struct sp_kv_leaving *leaving, long ns)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ns;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!leaving->stopping &&
           pthread_cond_timedwait(&leaving->wakes, &leaving->lock, &until) == 0)
        continue;
}

static bool is_stopping(struct sp_kv_leaving *leaving, long after_ns)
{
    pthread_mutex_lock(&leaving->lock);
    pause_for(leaving, after_ns);
    bool stopping = leaving->stopping;
    pthread_mutex_unlock(&leaving->lock);
    return stopping;
}

/* False: it still has its first name. */
static bool shorten(struct sp_kv_leaving *leaving, const char *name)
{
    struct stat info;
    int fd = openat(leaving->fd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return true;
    bool known = fstat(fd, &info) == 0;
    if (known && info.st_nlink > 1 && faccessat(leaving->first_fd, name, F_OK, 0) == 0) {
        close(fd);
        return false;
    }
    off_t left = known && info.st_nlink == 1 && is_ours_alone(fd) ? info.st_size : 0;
    while (left > STEP && kept_bytes(leaving->fd) <= KEPT_BYTES_MAX) {
        left -= STEP;
        if (ftruncate(fd, left) != 0 || is_stopping(leaving, STEP_NS))
            break;
    }
    unlinkat(leaving->fd, name, 0);
    close(fd);
    return true;
}

/* False: some still have their first names. */
static bool shorten_all(struct sp_kv_leaving *leaving)
{
    bool all = true;
    DIR *stream = open_stream(leaving->fd);
    struct dirent *entry;
    while ((entry = next_entry(stream)) != NULL) {
        if (is_log(entry->d_name))
            all &= shorten(leaving, entry->d_name);
    }
    if (stream != NULL)
        closedir(stream);
    return all;
}

static void *run(void *cookie)
{
    struct sp_kv_leaving *leaving = cookie;
    sp_thread_begin("spoor:leaving", NICE);
    pthread_mutex_lock(&leaving->lock);
    while (!leaving->stopping) {
        if (leaving->looks == 0) {
            pthread_cond_wait(&leaving->wakes, &leaving->lock);
            continue;
        }
        leaving->looks--;
        pthread_mutex_unlock(&leaving->lock);
        bool all = shorten_all(leaving);
        pthread_mutex_lock(&leaving->lock);
        if (!all)
            pause_for(leaving, LOOK_NS);
        else if (leaving->looks < LOOKS_MAX) /* nothing came meanwhile */
            leaving->looks = 0;
    }
    pthread_mutex_unlock(&leaving->lock);
    return NULL;
}

static void leaving_free(struct sp_kv_leaving *leaving)
{
    if (leaving->fd >= 0) {
        remove_all(leaving->fd);
        close(leaving->fd);
        unlinkat(leaving->first_fd, FOLDER, AT_REMOVEDIR);
    }
    if (leaving->first_fd >= 0)
        close(leaving->first_fd);
    pthread_cond_destroy(&leaving->wakes);
    pthread_mutex_destroy(&leaving->lock);
    free(leaving);
}

struct sp_kv_leaving *sp_kv_leaving_start(const char *folder)
{
    struct sp_kv_leaving *leaving = calloc(1, sizeof(*leaving));
    pthread_condattr_t attributes;
    if (leaving == NULL)
        return NULL;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&leaving->lock, NULL);
    pthread_cond_init(&leaving->wakes, &attributes);
    pthread_condattr_destroy(&attributes);
    leaving->fd = -1;
    leaving->first_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (leaving->first_fd >= 0) {
        mkdirat(leaving->first_fd, FOLDER, 0777); /* it may be there */
        leaving->fd =
            openat(leaving->first_fd, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (leaving->fd >= 0)
        remove_all(leaving->fd);
    if (leaving->fd < 0 || pthread_create(&leaving->thread, NULL, run, leaving) != 0) {
        leaving_free(leaving);
        return NULL;
    }
    return leaving;
}

void sp_kv_leaving_keep_logs(struct sp_kv_leaving *leaving)
{
    if (leaving == NULL)
        return;
    DIR *stream = open_stream(leaving->first_fd);
    struct dirent *entry;
    while ((entry = next_entry(stream)) != NULL) {
        struct stat info;
        if (is_log(entry->d_name) && fstatat(leaving->first_fd, entry->d_name, &info, 0) == 0 &&
            info.st_size >= KEPT_BYTES_MIN) /* where that cannot be, it goes at once */
            (void)!linkat(leaving->first_fd, entry->d_name, leaving->fd, entry->d_name, 0);
    }
    if (stream != NULL)
        closedir(stream);
    pthread_mutex_lock(&leaving->lock);
    leaving->looks = LOOKS_MAX;
    pthread_cond_signal(&leaving->wakes);
    pthread_mutex_unlock(&leaving->lock);
}

void sp_kv_leaving_stop(struct sp_kv_leaving *leaving)
{
    if (leaving == NULL)
        return;
    pthread_mutex_lock(&leaving->lock);
    leaving->stopping = true;
    pthread_cond_signal(&leaving->wakes);
    pthread_mutex_unlock(&leaving->lock);
    pthread_join(leaving->thread, NULL);
    leaving_free(leaving);
}
