/* SPDX-License-Identifier: Apache-2.0
 *
 * Log lines: their form, what values cannot do to them, and their length. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/base.h"
#include "tests/support/check_main.h"

static int pipe_fds[2];
static char line[SP_LOG_LINE_MAX + 1];

static uint64_t fixed_ns(void *cookie)
{
    (void)cookie;
    return UINT64_C(1763812863120456789);
}

static const struct sp_clock fixed_clock = {fixed_ns, fixed_ns, NULL};

static void setup(void)
{
    ck_assert_int_eq(pipe(pipe_fds), 0);
}

static void teardown(void)
{
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static struct sp_log make_log(enum sp_log_format format)
{
    return (struct sp_log){
        .fd = pipe_fds[1], .level = SP_LOG_DEBUG, .format = format, .clock = &fixed_clock};
}

static size_t read_line(void)
{
    ssize_t len = read(pipe_fds[0], line, sizeof(line) - 1);
    ck_assert_int_gt(len, 0);
    line[len] = 0;
    ck_assert_ptr_eq(strchr(line, '\n'), line + len - 1); /* one line, and whole */
    return (size_t)len;
}

#define PREFIX "time=2025-11-22T12:01:03.120456789Z "

START_TEST(log_writes_logfmt)
{
    struct sp_log log = make_log(SP_LOG_LOGFMT);
    sp_log_event(&log, SP_LOG_INFO, "listening", "ready for spans",
                 sp_log_cstr("address", "127.0.0.1:4317"), sp_log_u64("max", UINT64_MAX),
                 sp_log_i64("min", INT64_MIN), sp_log_double("ratio", 0.5),
                 sp_log_double("none", (double)NAN), sp_log_cstr("empty", NULL));
    read_line();
    ck_assert_str_eq(
        line,
        PREFIX "level=info event=listening message=\"ready for spans\" address=127.0.0.1:4317 "
               "max=18446744073709551615 min=-9223372036854775808 ratio=0.5 none=NaN empty=\"\"\n");
    sp_log_event(&log, SP_LOG_ERROR, "stopped", NULL);
    read_line();
    ck_assert_str_eq(line, PREFIX "level=error event=stopped\n");
}
END_TEST

START_TEST(log_writes_json)
{
    struct sp_log log = make_log(SP_LOG_JSON);
    sp_log_event(&log, SP_LOG_WARN, "odd", "a \"quoted\" message",
                 sp_log_slice("bytes", SP_SLICE("\xff\n\0z")), sp_log_u64("count", 3),
                 sp_log_double("none", -(double)INFINITY));
    read_line();
    ck_assert_str_eq(
        line, "{\"time\":\"2025-11-22T12:01:03.120456789Z\",\"level\":\"warn\",\"event\":\"odd\","
              "\"message\":\"a \\\"quoted\\\" message\",\"bytes\":\"\xef\xbf\xbd\\n\\u0000z\","
              "\"count\":3,\"none\":\"-Infinity\"}\n");
}
END_TEST

START_TEST(log_values_cannot_forge_lines_or_fields)
{
    struct sp_log log = make_log(SP_LOG_LOGFMT);
    sp_log_event(&log, SP_LOG_INFO, "e", NULL, sp_log_cstr("a", "x\nlevel=error"),
                 sp_log_cstr("b", "x y=z"), sp_log_cstr("c", "\""), sp_log_cstr("d", "\\"),
                 sp_log_cstr("e", "\x1b[2J\x7f"), sp_log_cstr("f", "\xc2\x9b"));
    read_line();
    ck_assert_str_eq(line, PREFIX
                     "level=info event=e a=\"x\\nlevel=error\" b=\"x y=z\" c=\"\\\"\" d=\"\\\\\" "
                     "e=\"\\u001b[2J\\u007f\" f=\"\xc2\x9b\"\n");
}
END_TEST

START_TEST(log_long_lines_are_cut_and_stay_whole)
{
    static const char *const fills[] = {"a", "\"", "\x01", "\xe2\x82\xac", "\xff"};
    for (int format = SP_LOG_LOGFMT; format <= SP_LOG_JSON; format++) {
        struct sp_log log = make_log((enum sp_log_format)format);
        for (size_t f = 0; f < SP_ARRAY_LEN(fills); f++) {
            for (size_t len = 3900; len < 4150; len++) {
                static char text[5000];
                size_t unit = strlen(fills[f]);
                for (size_t i = 0; i + unit <= len; i += unit) {
                    memcpy(text + i, fills[f], unit);
                }
                struct sp_slice value = sp_slice_make(text, len / unit * unit);
                sp_log_event(&log, SP_LOG_INFO, "e", NULL, sp_log_slice("v", value),
                             sp_log_u64("n", 12345), sp_log_cstr("t", "text"),
                             sp_log_double("d", 1.5));
                size_t got = read_line();
                ck_assert_uint_le(got, SP_LOG_LINE_MAX);
                ck_assert(sp_utf8_valid(sp_slice_make(line, got)));
                if (format == SP_LOG_JSON) {
                    struct sp_arena arena;
                    struct sp_json_reader reader;
                    sp_arena_init(&arena, 0);
                    sp_json_reader_init(&reader, sp_slice_make(line, got), &arena, 2);
                    ck_assert_msg(sp_json_skip(&reader) == SP_OK, "%s in %s", reader.error.message,
                                  line);
                    ck_assert_int_eq(sp_json_next(&reader), SP_JSON_END);
                    sp_arena_fini(&arena);
                }
                if (len > 4080) {
                    ck_assert_ptr_nonnull(strstr(line, "...\""));
                    ck_assert_ptr_null(strstr(line, "12345"));
                }
            }
        }
    }
}
END_TEST

START_TEST(log_level_and_missing_log_keep_silent)
{
    struct sp_log log = make_log(SP_LOG_LOGFMT);
    log.level = SP_LOG_WARN;
    sp_log_event(NULL, SP_LOG_ERROR, "nobody", NULL);
    sp_log_event(&log, SP_LOG_INFO, "quiet", NULL);
    sp_log_event(&log, SP_LOG_WARN, "loud", NULL);
    read_line();
    ck_assert_ptr_nonnull(strstr(line, "event=loud"));
}
END_TEST

START_TEST(log_that_cannot_be_written_harms_nobody)
{
    struct sp_log log = make_log(SP_LOG_LOGFMT);
    log.fd = -1;
    errno = 77;
    sp_log_event(&log, SP_LOG_INFO, "lost", NULL);
    ck_assert_int_eq(errno, 77);
}
END_TEST

static void *log_thread(void *cookie)
{
    for (int i = 0; i < 500; i++) {
        sp_log_event(cookie, SP_LOG_INFO, "thread", "one of many lines that must not mix",
                     sp_log_u64("i", 1));
    }
    return NULL;
}

START_TEST(log_lines_of_threads_do_not_mix)
{
    struct sp_log log = make_log(SP_LOG_LOGFMT);
    pthread_t threads[2];
    for (size_t i = 0; i < SP_ARRAY_LEN(threads); i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, log_thread, &log), 0);
    }
    FILE *in = fdopen(dup(pipe_fds[0]), "r");
    for (int i = 0; i < 1000; i++) {
        ck_assert_ptr_nonnull(fgets(line, sizeof(line), in));
        ck_assert_str_eq(
            line,
            PREFIX "level=info event=thread message=\"one of many lines that must not mix\" i=1\n");
    }
    fclose(in);
    for (size_t i = 0; i < SP_ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
    }
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("base_log");
    TCase *tests = tcase_create("log");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, log_writes_logfmt);
    tcase_add_test(tests, log_writes_json);
    tcase_add_test(tests, log_values_cannot_forge_lines_or_fields);
    tcase_add_test(tests, log_long_lines_are_cut_and_stay_whole);
    tcase_add_test(tests, log_level_and_missing_log_keep_silent);
    tcase_add_test(tests, log_that_cannot_be_written_harms_nobody);
    tcase_add_test(tests, log_lines_of_threads_do_not_mix);
    suite_add_tcase(suite, tests);
    return suite;
}
