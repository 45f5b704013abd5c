/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_full.c: a small file system that is really full: from some step of an append, a seal or a merge on, and at a start. It is a tmpfs in a namespace of this process, whom alone it concerns, and with whom it goes. Where none can be mounted (no root, no user
 * namespaces), all of it is skipped. Failures at single calls: test_history.c; damage: test_damage.c. */
#include "tests/contract/broken.h"
#include "tests/support/check_main.h"
#include "tests/support/disk_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define DISK_BYTES       (40 * 1024 * 1024)
#define DISK_GROWN_BYTES (3 * DISK_BYTES)
#define APPENDS          6
#define APPENDS_BEFORE   2   /* while there is room */
#define APPENDS_MAX      100 /* as many do not fit into what a full disk had reserved */
#define SPAN_BYTES       20000
#define ROOM_STEP_BYTES  (12 * 1024)
#define ROOM_STEPS       20
#define GROUPS           10
#define TRIES_MAX        16000 /* 80 s: the store itself waits for up to 30 s between its tries */
#define TRY_US           5000

static const uint64_t noon_unix_ns = 1767268800ULL * 1000000000;

/* ---- the file system ---- */

static char disk[64]; /* where it is mounted; "": nowhere */
static char why[160]; /* not */
static pid_t owner;

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return done;
}

/* As root within it, whoever runs the test. */
static bool make_user_namespace(void)
{
    char map[64];
    uid_t user = geteuid();
    gid_t group = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return false;
    bool mapped = write_text("/proc/self/setgroups", "deny");
    snprintf(map, sizeof(map), "0 %u 1", (unsigned)user);
    mapped = write_text("/proc/self/uid_map", map) && mapped;
    snprintf(map, sizeof(map), "0 %u 1", (unsigned)group);
    return write_text("/proc/self/gid_map", map) && mapped;
}

static bool mount_disk(unsigned bytes, unsigned long flags)
{
    char options[64];
    snprintf(options, sizeof(options), "size=%u", bytes);
    return mount("tmpfs", disk, "tmpfs", flags, options) == 0;
}

/* Before there are threads. */
static bool make_disk(void)
{
    const char *folder = getenv("TMPDIR");
    snprintf(disk, sizeof(disk), "%.40s/spoor-full-XXXXXX", folder != NULL ? folder : "/tmp");
    if (mkdtemp(disk) == NULL) {
        snprintf(why, sizeof(why), "no folder can be made: %s", strerror(errno));
        disk[0] = '\0';
        return false;
    }
    if ((unshare(CLONE_NEWNS) == 0 || make_user_namespace()) &&
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount_disk(DISK_BYTES, 0))
        return true;
    snprintf(why, sizeof(why), "no small file system can be mounted: %s", strerror(errno));
    rmdir(disk);
    return false;
}

/* Not by the processes that check forks. */
static void remove_disk(void)
{
    if (getpid() != owner)
        return;
    umount2(disk, MNT_DETACH);
    rmdir(disk);
}

/* Nothing that is larger than what was mounted is ever filled: it would be somebody else's. */
static uint64_t room(void)
{
    struct statfs info;
    if (statfs(disk, &info) != 0 || info.f_type != TMPFS_MAGIC ||
        (uint64_t)info.f_blocks * (uint64_t)info.f_bsize > DISK_GROWN_BYTES)
        abort();
    return (uint64_t)info.f_bavail * (uint64_t)info.f_bsize;
}

static void path_of_filler(char ret[128])
{
    snprintf(ret, 128, "%s/filler", disk);
}

/* A file takes all room but this, whoever else writes meanwhile. */
static void fill_but(uint64_t bytes)
{
    char path[128];
    path_of_filler(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        abort();
    off_t len = 0;
    for (uint64_t left = room(); left > bytes; left = room()) {
        if (posix_fallocate(fd, len, (off_t)(left - bytes)) == 0)
            len += (off_t)(left - bytes);
    }
    close(fd);
}

static void fill(void)
{
    fill_but(0);
}

/* Somebody deletes something, or the disk grows. */
static void make_room(bool grows)
{
    char path[128];
    path_of_filler(path);
    if (grows)
        ck_assert(mount_disk(DISK_GROWN_BYTES, MS_REMOUNT));
    else
        ck_assert_int_eq(unlink(path), 0);
}

/* ---- a course ---- */

struct course {
    struct fixture store, reference;
    /* Refused: it may come back if the store was closed before the disk had room again. NULL: none. */
    const struct sp_batch *refused;
};

/* Spans of traces that all appends have a part of, with values that do not get smaller. */
static const struct sp_batch *batch_number(struct sp_arena *arena, uint64_t number)
{
    struct sp_span spans[3];
    struct sp_gen gen = {.state = number};
    for (uint64_t i = 0; i < SP_ARRAY_LEN(spans); i++) {
        uint64_t id = number * SP_ARRAY_LEN(spans) + i + 1;
        uint8_t *noise = sp_arena_alloc(arena, SPAN_BYTES);
        struct sp_attribute *attribute = sp_arena_calloc(arena, 1, sizeof(*attribute));
        ck_assert(noise != NULL && attribute != NULL);
        for (size_t b = 0; b < SPAN_BYTES; b++)
            noise[b] = (uint8_t)sp_gen_u64(&gen);
        *attribute = (struct sp_attribute){
            .key = SP_SLICE("noise"),
            .value = {.kind = SP_VALUE_BYTES, .string = sp_slice_make(noise, SPAN_BYTES)}};
        spans[i] = simple_span(1 + i, id, noon_unix_ns + id * 1000, 1000 + id,
                               number % 2 ? "web" : "cart", number % 2 ? "call" : "serve");
        spans[i].kind = number % 2 ? SP_KIND_CLIENT : SP_KIND_SERVER;
        spans[i].attributes = (struct sp_attributes){.items = attribute, .count = 1};
        if (number > 0)
            spans[i].parent_span_id =
                simple_span(1, id - SP_ARRAY_LEN(spans), 0, 0, "", "").span_id;
    }
    return batch_of(arena, spans, SP_ARRAY_LEN(spans));
}

/* On an empty disk: a test that failed may have left something. */
static void course_begin(struct course *course)
{
    umount2(disk, MNT_DETACH);
    ck_assert(mount_disk(DISK_BYTES, 0));
    *course = (struct course){.refused = NULL};
    fixture_make(&course->reference, ENGINE_REFERENCE, true);
    fixture_open(&course->reference);
    course->store = (struct fixture){.engine = ENGINE_ROCKSDB};
    snprintf(course->store.data_dir, sizeof(course->store.data_dir), "%s/data", disk);
    fixture_options(&course->store);
    course->store.options.durability = SP_DURABILITY_SYNC;
    course->store.options.sizes = small_sizes();
    course->store.options.sizes.merge_segments = APPENDS_BEFORE + 1;
    disk_fault_watch(course->store.data_dir); /* for files that are opened from now on */
    fixture_open(&course->store);
}

static void course_end(struct course *course)
{
    fixture_close_sound(&course->store);
    fixture_fini(&course->store);
    fixture_fini(&course->reference);
}

/* What nobody has answered yet is not there, and whatever was is. */
static void assert_all_there(const struct course *course)
{
    assert_same_answers(course->reference.store, course->store.store, SP_TIME_RANGE_ALL);
}

/* False: refused, as what may be tried again. */
static bool try_append_number(struct course *course, uint64_t number)
{
    const struct sp_batch *batch = batch_number(&course->reference.arena, number);
    enum sp_status status =
        append_as(course->store.store, batch, SP_BODY_OTLP_PROTOBUF, SP_BODY_IDENTITY);
    if (status == SP_OK) {
        append(&course->reference, batch);
        return true;
    }
    ck_assert_msg(status == SP_UNAVAILABLE, "a full disk gives %s", sp_status_name(status));
    ck_assert(sp_status_retryable(status));
    if (course->refused == NULL)
        course->refused = batch;
    return false;
}

/* Until it is acked: the disk has room again. */
static void append_again_number(struct course *course, uint64_t number)
{
    for (int tries = 0; !try_append_number(course, number); tries++) {
        ck_assert_msg(tries < TRIES_MAX, "appends are refused although there is room again");
        usleep(TRY_US);
    }
}

/* Appends while there is hardly room, until one is refused, or sealing or merging has stopped. Returns the number of the next one. */
static uint64_t run_full(struct course *course)
{
    uint64_t number = APPENDS_BEFORE;
    while (number < APPENDS && try_append_number(course, number)) {
        number++;
        for (int i = 0; i < 4; i++) { /* while it is sealed and merged, or fails to be */
            assert_all_there(course);
            usleep(TRY_US);
        }
    }
    return number;
}

static void begin_with_some(struct course *course, uint64_t room_bytes)
{
    course_begin(course);
    for (uint64_t i = 0; i < APPENDS_BEFORE; i++)
        append_again_number(course, i);
    wait_for_merges(course->store.store);
    fill_but(room_bytes);
}

static void recover(struct course *course, uint64_t number, bool grows)
{
    make_room(grows);
    do
        append_again_number(course, number++);
    while (number < APPENDS);
    assert_all_there(course);
    wait_for_merges(course->store.store);
    ck_assert(!stats_of(course->store.store).apply_fails);
    assert_all_there(course);
    fixture_reopen(&course->store);
    assert_all_there(course);
}

/* Steps that ask for room, by thread and call; before the first of them, or the second, somebody else takes all there is. */
static const struct {
    const char *name, *thread;
    enum disk_call call;
    enum disk_file file;
} named[] = {
    {"a request is written to the journal", "spoor:commit", DISK_WRITE, DISK_LOG},
    {"the journal is synced", "spoor:commit", DISK_SYNC, DISK_LOG},
    {"a segment is sealed", "spoor:seal", DISK_WRITE, DISK_LOG},
    {"another log begins", "spoor:seal", DISK_OPEN, DISK_LOG},
    {"the manifest learns of it", "spoor:seal", DISK_WRITE, DISK_MANIFEST},
    {"a table is made of what was sealed", "rocksdb:high", DISK_OPEN, DISK_TABLE},
    {"the table is written", "rocksdb:high", DISK_WRITE, DISK_TABLE},
    {"the manifest learns of the table", "rocksdb:high", DISK_WRITE, DISK_MANIFEST},
    {"a merge writes chunks or its header", "spoor:merge", DISK_WRITE, DISK_LOG},
};

#define OCCURRENCES 2

START_TEST(disk_that_fills_at_a_step_refuses_answers_and_recovers)
{
    for (uint64_t i = 0; i < OCCURRENCES; i++) {
        struct course course;
        const struct disk_fault fault = {.calls = 1U << named[_i].call,
                                         .files = 1U << named[_i].file,
                                         .thread = named[_i].thread,
                                         .first = 1 + i,
                                         .count = 1,
                                         .outcome = DISK_GOES_ON,
                                         .before = fill};
        course_begin(&course);
        for (uint64_t n = 0; n < APPENDS_BEFORE; n++)
            append_again_number(&course, n);
        wait_for_merges(course.store.store);
        disk_fault_set(&fault);
        uint64_t number = run_full(&course);
        bool hit = disk_fault_hit(NULL);
        disk_fault_set(NULL);
        ck_assert_msg(hit || i > 0, "it did not come: %s", named[_i].name);
        /* The step may have come after the last append; on a full disk some append is refused. */
        while (hit && number < APPENDS_MAX && try_append_number(&course, number))
            number++;
        ck_assert(number < APPENDS_MAX);
        assert_all_there(&course);
        if (hit)
            recover(&course, number, i == 0);
        course_end(&course);
    }
}
END_TEST

START_TEST(disk_that_is_full_anywhere_refuses_answers_and_recovers)
{
    for (uint64_t step = (uint64_t)_i; step < ROOM_STEPS; step += GROUPS) {
        struct course course;
        begin_with_some(&course, step * ROOM_STEP_BYTES);
        uint64_t number = run_full(&course);
        assert_all_there(&course);
        recover(&course, number, step % 2 == 0);
        course_end(&course);
    }
}
END_TEST

/* What was refused may be there, once, since nobody could take it out. */
static void settle(struct course *course)
{
    struct sp_store_stats want;
    ck_assert_int_eq(sp_store_stats(course->reference.store, &want, NULL), SP_OK);
    if (course->refused != NULL && stats_of(course->store.store).span_count > want.span_count)
        append(&course->reference, course->refused);
    course->refused = NULL;
}

START_TEST(store_that_was_closed_on_a_full_disk_has_all_at_the_next_start)
{
    const uint64_t step = (uint64_t)_i * ROOM_STEPS / GROUPS;
    struct course course;
    struct sp_error error = {0};
    begin_with_some(&course, step * ROOM_STEP_BYTES);
    run_full(&course);
    sp_store_close(course.store.store);
    course.store.store = NULL;
    enum sp_status status =
        sp_store_rocksdb_open(&course.store.options, &course.store.store, &error);
    ck_assert_msg(status == SP_OK || status == SP_UNAVAILABLE, "open: %s: %s",
                  sp_status_name(status), error.message);
    if (status == SP_OK) { /* there was room for that */
        settle(&course);
        assert_all_there(&course);
        sp_store_close(course.store.store);
    }
    make_room(_i % 2 == 1);
    fixture_open(&course.store);
    settle(&course);
    assert_all_there(&course);
    append_again_number(&course, APPENDS);
    wait_for_merges(course.store.store);
    assert_all_there(&course);
    course_end(&course);
}
END_TEST

/* There is room, for which the store waits until this read has ended; then somebody else takes it. */
static void make_room_and_take_it(struct fixture *fixture)
{
    make_room(false);
    wait_until_shut(fixture);
    fill();
    for (int tries = 0; read_trace_elsewhere(fixture->store) != SP_OK; tries++) {
        ck_assert_msg(tries < TRIES_MAX, "nobody may read although nothing can be repaired");
        usleep(TRY_US);
    }
}

static void wait_for_failures(const struct course *course, uint64_t count)
{
    uint64_t before = stats_of(course->store.store).apply_failure_count;
    for (int tries = 0; stats_of(course->store.store).apply_failure_count < before + count;
         tries++) {
        ck_assert_msg(tries < TRIES_MAX, "nobody tries to repair the store");
        usleep(TRY_US);
    }
}

START_TEST(room_that_is_gone_again_before_the_repair_lets_readers_in)
{
    struct course course;
    course_begin(&course);
    course.store.options.sizes.read_wait_ns = 1000000;
    fixture_reopen(&course.store);
    append_again_number(&course, 0);
    wait_for_merges(course.store.store);
    fill();
    uint64_t number = 1;
    while (number < APPENDS_MAX && try_append_number(&course, number))
        number++;
    ck_assert(number < APPENDS_MAX);
    wait_for_failures(&course, 2); /* a seal, perhaps, and a repair: it is open for reads */
    within_scan(&course.store, make_room_and_take_it);
    recover(&course, number, false);
    course_end(&course);
}
END_TEST

START_TEST(full_disk_has_no_backups_and_no_removals_but_says_so)
{
    struct course course;
    struct sp_backup backup;
    const struct sp_backup *rows;
    size_t count;
    struct sp_retain retain = {.keep = {.age_ns = 1}, .now_unix_ns = UINT64_MAX};
    begin_with_some(&course, 0);
    ck_assert(!try_append_number(&course, APPENDS_BEFORE));
    ck_assert_int_eq(
        sp_store_backup_make(course.store.store, &course.reference.arena, &backup, NULL),
        SP_UNAVAILABLE);
    ck_assert_int_eq(
        sp_store_backup_list(course.store.store, &course.reference.arena, &rows, &count, NULL),
        SP_OK);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(sp_store_retain(course.store.store, &retain, NULL), SP_UNAVAILABLE);
    assert_all_there(&course);
    make_room(false);
    append_again_number(&course, APPENDS_BEFORE);
    wait_for_merges(course.store.store);
    assert_all_there(&course);
    ck_assert_int_eq(sp_store_retain(course.store.store, &retain, NULL), SP_OK);
    ck_assert_uint_eq(stats_of(course.store.store).span_count, 0);
    course_end(&course);
}
END_TEST

Suite *sp_test_suite(void)
{
    if (!make_disk()) {
        printf("1..0 # SKIP %s\n", why);
        fflush(stdout);
        exit(EXIT_SUCCESS);
    }
    owner = getpid();
    atexit(remove_disk);
    Suite *suite = suite_create("full");
    TCase *tcase = tcase_create("rocksdb");
    tcase_set_timeout(tcase, 180);
    tcase_add_loop_test(tcase, disk_that_is_full_anywhere_refuses_answers_and_recovers, 0, GROUPS);
    tcase_add_loop_test(tcase, disk_that_fills_at_a_step_refuses_answers_and_recovers, 0,
                        (int)SP_ARRAY_LEN(named));
    tcase_add_loop_test(tcase, store_that_was_closed_on_a_full_disk_has_all_at_the_next_start, 0,
                        GROUPS);
    tcase_add_test(tcase, room_that_is_gone_again_before_the_repair_lets_readers_in);
    tcase_add_test(tcase, full_disk_has_no_backups_and_no_removals_but_says_so);
    suite_add_tcase(suite, tcase);
    return suite;
}
