/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_short_links.c: links stay until they are removed, whatever happens to spans and to the process. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"

static uint64_t added(struct sp_store *store, const char *state, uint64_t now_unix_ns)
{
    uint64_t id;
    ck_assert_int_eq(sp_store_short_link_add(store, sp_slice_cstr(state), now_unix_ns, &id, NULL),
                     SP_OK);
    return id;
}

static struct sp_short_links links_of(struct fixture *fixture)
{
    struct sp_short_links links;
    ck_assert_int_eq(sp_store_short_links(fixture->store, &fixture->arena, &links, NULL), SP_OK);
    return links;
}

static void expect_state(struct fixture *fixture, struct sp_store *store, uint64_t id,
                         const char *expected)
{
    struct sp_slice state;
    ck_assert_int_eq(sp_store_short_link(store, id, &fixture->arena, &state, NULL), SP_OK);
    ck_assert(sp_slice_equal_cstr(state, expected));
}

START_TEST(a_link_stays_until_it_is_removed)
{
    struct fixture fixture;
    struct sp_slice state;
    fixture_init(&fixture, (enum engine)_i);
    uint64_t first = added(fixture.store, "q=a", 20);
    uint64_t second = added(fixture.store, "q=b&from=1", 10);
    ck_assert_uint_ne(first, second);
    ck_assert_uint_eq(added(fixture.store, "q=a", 30), first); /* again is nothing new */
    for (int round = 0; round < 2; round++) {
        struct sp_short_links links = links_of(&fixture);
        ck_assert_uint_eq(links.count, 2);
        ck_assert_uint_eq(links.bytes, 13);
        ck_assert_uint_eq(links.rows[0].id, second);
        ck_assert_uint_eq(links.rows[0].made_unix_ns, 10);
        ck_assert_uint_eq(links.rows[1].made_unix_ns, 20);
        ck_assert_uint_eq(links.rows[1].bytes, 3);
        expect_state(&fixture, fixture.store, first, "q=a");
        expect_state(&fixture, fixture.store, second, "q=b&from=1");
        fixture_reopen(&fixture);
    }
    ck_assert_int_eq(sp_store_short_link_remove(fixture.store, first, NULL), SP_OK);
    ck_assert_int_eq(sp_store_short_link_remove(fixture.store, first, NULL), SP_NOT_FOUND);
    fixture_reopen(&fixture);
    ck_assert_int_eq(sp_store_short_link(fixture.store, first, &fixture.arena, &state, NULL),
                     SP_NOT_FOUND);
    ck_assert_uint_eq(links_of(&fixture).count, 1);
    fixture_fini(&fixture);
}
END_TEST

static enum sp_status add_of_length(struct sp_store *store, uint8_t *room, uint32_t number,
                                    size_t len)
{
    uint64_t id;
    struct sp_error error = {0};
    memset(room, 'x', len);
    for (size_t i = 0; i < len && i < 8; i++)
        room[i] = (uint8_t)('a' + (number >> (4 * i) & 15));
    enum sp_status status =
        sp_store_short_link_add(store, sp_slice_make(room, len), number, &id, &error);
    ck_assert(status == SP_OK || error.message[0] != '\0');
    return status;
}

START_TEST(what_does_not_fit_is_refused)
{
    const uint32_t full = SP_SHORT_LINKS_BYTES_MAX / SP_SHORT_LINK_BYTES_MAX;
    struct fixture fixture;
    uint8_t *room = malloc(SP_SHORT_LINK_BYTES_MAX + 1);
    ck_assert_ptr_nonnull(room);
    fixture_init(&fixture, (enum engine)_i);
    ck_assert_int_eq(add_of_length(fixture.store, room, 0, 0), SP_INVALID_ARGUMENT);
    ck_assert_int_eq(add_of_length(fixture.store, room, 0, SP_SHORT_LINK_BYTES_MAX + 1), SP_LIMIT);
    for (uint32_t i = 0; i < full; i++)
        ck_assert_int_eq(add_of_length(fixture.store, room, i, SP_SHORT_LINK_BYTES_MAX), SP_OK);
    ck_assert_int_eq(add_of_length(fixture.store, room, full, 8), SP_LIMIT);
    ck_assert_int_eq(add_of_length(fixture.store, room, 0, SP_SHORT_LINK_BYTES_MAX), SP_OK);
    ck_assert_uint_eq(links_of(&fixture).bytes, SP_SHORT_LINKS_BYTES_MAX);
    fixture_reopen(&fixture);
    struct sp_short_links links = links_of(&fixture);
    ck_assert_uint_eq(links.count, full);
    for (size_t i = 0; i < links.count; i++)
        ck_assert_int_eq(sp_store_short_link_remove(fixture.store, links.rows[i].id, NULL), SP_OK);
    for (uint32_t i = 0; i <= SP_SHORT_LINKS_MAX; i++)
        ck_assert_int_eq(add_of_length(fixture.store, room, i, 8),
                         i < SP_SHORT_LINKS_MAX ? SP_OK : SP_LIMIT);
    ck_assert_uint_eq(links_of(&fixture).count, SP_SHORT_LINKS_MAX);
    free(room);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(who_only_reads_knows_them_and_makes_none)
{
    struct fixture fixture;
    struct sp_store *follower;
    struct sp_slice state;
    uint64_t id;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    uint64_t early = added(fixture.store, "q=early", 1);
    struct sp_store_options options = fixture.options;
    options.sizes.follow_ns = 1000000;
    ck_assert_int_eq(sp_store_rocksdb_follow(&options, &follower, NULL), SP_OK);
    ck_assert_int_eq(sp_store_short_link_add(follower, SP_SLICE("q"), 1, &id, NULL), SP_PERMISSION);
    ck_assert_int_eq(sp_store_short_link_remove(follower, early, NULL), SP_PERMISSION);
    uint64_t late = added(fixture.store, "q=late", 2);
    while (sp_store_short_link(follower, late, &fixture.arena, &state, NULL) == SP_NOT_FOUND)
        usleep(1000);
    expect_state(&fixture, follower, late, "q=late");
    expect_state(&fixture, follower, early, "q=early");
    ck_assert_int_eq(sp_store_short_link_remove(fixture.store, early, NULL), SP_OK);
    while (sp_store_short_link(follower, early, &fixture.arena, &state, NULL) == SP_OK)
        usleep(1000);
    sp_store_close(follower);
    fixture_fini(&fixture);
}
END_TEST

/* argument: the folder. Ends as soon as the links were acknowledged. */
START_TEST(play_linker)
{
    struct fixture fixture = {.engine = ENGINE_ROCKSDB};
    snprintf(fixture.data_dir, sizeof(fixture.data_dir), "%s", played_argument());
    fixture_options(&fixture);
    if (sp_store_rocksdb_open(&fixture.options, &fixture.store, NULL) != SP_OK)
        _exit(4);
    uint64_t gone = added(fixture.store, "q=gone", 1);
    added(fixture.store, "q=kept", 2);
    if (sp_store_short_link_remove(fixture.store, gone, NULL) != SP_OK)
        _exit(5);
    raise(SIGKILL);
}
END_TEST

START_TEST(links_survive_a_kill)
{
    struct fixture fixture;
    int ended;
    fixture_make(&fixture, ENGINE_ROCKSDB, false);
    pid_t child = spawn_role("linker", fixture.data_dir);
    ck_assert_int_eq(waitpid(child, &ended, 0), child);
    ck_assert(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
    fixture_open(&fixture);
    struct sp_short_links links = links_of(&fixture);
    ck_assert_uint_eq(links.count, 1);
    expect_state(&fixture, fixture.store, links.rows[0].id, "q=kept");
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
}
END_TEST

enum { THREADS = 4, ROUNDS = 200 };

/* Adds and removes what others add and remove, too. */
static void *add_and_remove(void *cookie)
{
    struct sp_store *store = cookie;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        char text[16];
        snprintf(text, sizeof(text), "q=%u", round % 5);
        uint64_t id = added(store, text, round);
        enum sp_status status = sp_store_short_link_remove(store, id, NULL);
        ck_assert(status == SP_OK || status == SP_NOT_FOUND);
    }
    return NULL;
}

START_TEST(many_at_once)
{
    struct fixture fixture;
    pthread_t threads[THREADS];
    fixture_init(&fixture, (enum engine)_i);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, add_and_remove, fixture.store), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(links_of(&fixture).count, 0);
    ck_assert_uint_eq(links_of(&fixture).bytes, 0);
    fixture_reopen(&fixture);
    ck_assert_uint_eq(links_of(&fixture).count, 0);
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    if (played_role("linker"))
        return role_suite(play_linker);
    Suite *suite = suite_create("short links");
    TCase *each = tcase_create("either engine");
    tcase_set_timeout(each, 120);
    tcase_add_loop_test(each, a_link_stays_until_it_is_removed, 0, ENGINE_COUNT);
    tcase_add_loop_test(each, what_does_not_fit_is_refused, 0, ENGINE_COUNT);
    tcase_add_loop_test(each, many_at_once, 0, ENGINE_COUNT);
    suite_add_tcase(suite, each);
    TCase *disk = tcase_create("on disk");
    tcase_set_timeout(disk, 120);
    tcase_add_test(disk, who_only_reads_knows_them_and_makes_none);
    tcase_add_test(disk, links_survive_a_kill);
    suite_add_tcase(suite, disk);
    return suite;
}
