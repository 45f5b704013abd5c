/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of the web UI: their headers, redirects of pages and of other tools' links, and addresses where nothing is. */
#include "tests/unit/query/world.h"
#include "ui-static/ui.h"

static struct world world;

static void setup(void)
{
    world_init(&world);
}

static void teardown(void)
{
    world_fini(&world);
}

static const uint8_t page[] = "<!doctype html>", packed[] = "gz";
static const struct sp_ui_file files[] = {
    {"/", "text/html; charset=utf-8", "\"e1\"", page, sizeof(page) - 1, NULL, 0, false},
    {"/assets/a-1.js", "text/javascript", "\"e2\"", page, sizeof(page) - 1, packed,
     sizeof(packed) - 1, true},
    {"/map/", "text/html; charset=utf-8", "\"e4\"", page, sizeof(page) - 1, NULL, 0, false},
    {"/trace/", "text/html; charset=utf-8", "\"e3\"", page, sizeof(page) - 1, NULL, 0, false},
};

static void use_files(void)
{
    world.api->ui_files = files;
    world.api->ui_file_count = SP_ARRAY_LEN(files);
}

START_TEST(files_are_sent_with_policy_and_etag)
{
    expect_answer(&world, "/", 404, "no web UI");
    use_files();
    struct sp_query_call *call = ask(&world, "/");
    ck_assert_int_eq(call->reply.status, 200);
    ck_assert_str_eq(answer_header(call, "etag"), "\"e1\"");
    ck_assert_str_eq(answer_header(call, "cache-control"), "no-cache");
    ck_assert_str_eq(answer_header(call, "content-security-policy"), SP_UI_CSP);
    ck_assert_str_eq(answer_header(call, "x-content-type-options"), "nosniff");
    ck_assert_uint_eq(call->reply.fixed.len, sizeof(page) - 1);
    answer_fini(call);
    expect_answer(&world, "/assets/a-2.js", 404, "nothing at this path");
    expect_answer(&world, "/assets/../etc/passwd", 404, "nothing at this path");
}
END_TEST

/* What the policy says of frames, or the error. */
static struct sp_slice frames_of(const struct sp_slice *ancestors, size_t count, char *policy,
                                 struct sp_error *error)
{
    if (sp_ui_policy_make(policy, ancestors, count, error) != SP_OK)
        return sp_slice_cstr(error->message);
    const char *at = strstr(policy, "frame-ancestors ");
    ck_assert_ptr_nonnull(at);
    ck_assert_int_eq(strncmp(policy, SP_UI_CSP, (size_t)(at - policy)), 0);
    return sp_slice_cstr(at + strlen("frame-ancestors "));
}

START_TEST(frames_are_for_the_origins_that_were_named)
{
    char policy[SP_UI_POLICY_BYTES];
    struct sp_error error;
    ck_assert(sp_slice_equal_cstr(frames_of(NULL, 0, policy, &error), "'none'"));
    struct sp_slice good[] = {SP_SLICE("self"), SP_SLICE("https://grafana.example:3000"),
                              SP_SLICE("http://*.corp.example")};
    ck_assert(sp_slice_equal_cstr(frames_of(good, SP_ARRAY_LEN(good), policy, &error),
                                  "'self' https://grafana.example:3000 http://*.corp.example"));
    struct sp_slice bad[] = {SP_SLICE("*"),
                             SP_SLICE(""),
                             SP_SLICE("https://"),
                             SP_SLICE("grafana.example"),
                             SP_SLICE("javascript://x"),
                             SP_SLICE("https://a.example/path"),
                             SP_SLICE("https://a.example; script-src *"),
                             SP_SLICE("https://a.example\r\nx: y"),
                             sp_slice_make("https://a\0b", 11)};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++)
        ck_assert_ptr_nonnull(
            strstr((const char *)frames_of(&bad[i], 1, policy, &error).ptr, "like https://"));
    ck_assert(sp_slice_equal_cstr(frames_of(&bad[3], 1, policy, &error),
                                  "--frame-ancestors has \"self\" or origins like "
                                  "https://grafana.example:3000, not \"grafana.example\""));
    struct sp_slice many[200];
    for (size_t i = 0; i < SP_ARRAY_LEN(many); i++)
        many[i] = SP_SLICE("https://one.of.too.many.example");
    ck_assert(sp_slice_equal_cstr(frames_of(many, SP_ARRAY_LEN(many), policy, &error),
                                  "--frame-ancestors: the policy would be longer than 4095 bytes"));
}
END_TEST

START_TEST(windows_may_talk_to_pages_when_they_are_perfetto)
{
    const char *policy;
    struct sp_error error;
    static const char *const good[] = {"https://ui.perfetto.dev", "http://127.0.0.1:10000/ui/#!/",
                                       "http://x"};
    static const char *const none[] = {"", "none"};
    static const char *const bad[] = {
        "ui.perfetto.dev", "https://",     "http://",     "javascript:x",
        "https://a\r\nb",  "https://a\"b", "https://a b", "None"};
    for (size_t i = 0; i < SP_ARRAY_LEN(good); i++) {
        ck_assert_int_eq(sp_ui_opener_policy(sp_slice_cstr(good[i]), &policy, &error), SP_OK);
        ck_assert_str_eq(policy, "same-origin-allow-popups");
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(none); i++) {
        ck_assert_int_eq(sp_ui_opener_policy(sp_slice_cstr(none[i]), &policy, &error), SP_OK);
        ck_assert_str_eq(policy, "same-origin");
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++)
        ck_assert_int_eq(sp_ui_opener_policy(sp_slice_cstr(bad[i]), &policy, &error),
                         SP_INVALID_ARGUMENT);
    ck_assert_int_eq(sp_ui_opener_policy(SP_SLICE("perfetto"), &policy, &error),
                     SP_INVALID_ARGUMENT);
    ck_assert_str_eq(error.message, "--perfetto-url has \"none\" or an address like "
                                    "https://perfetto.example/ui/, not \"perfetto\"");
}
END_TEST

START_TEST(files_are_not_sent_again_when_nothing_changed)
{
    use_files();
    struct sp_query_call *call = ask_with(&world, "GET", "/", "", "", "W/\"e1\"");
    ck_assert_int_eq(call->reply.status, 304);
    ck_assert_uint_eq(call->reply.fixed.len, 0);
    ck_assert_str_eq(answer_header(call, "etag"), "\"e1\"");
    answer_fini(call);
}
END_TEST

START_TEST(files_are_sent_packed_when_accepted)
{
    use_files();
    struct sp_query_call *call = ask_with(&world, "GET", "/assets/a-1.js", "", "gzip, br", "");
    ck_assert_str_eq(answer_header(call, "content-encoding"), "gzip");
    ck_assert_str_eq(answer_header(call, "vary"), "accept-encoding");
    ck_assert_str_eq(answer_header(call, "cache-control"), "public, max-age=31536000, immutable");
    ck_assert_uint_eq(call->reply.fixed.len, 2);
    answer_fini(call);
    call = ask_with(&world, "GET", "/assets/a-1.js", "", "gzip;q=0", "");
    ck_assert_str_eq(answer_header(call, "content-encoding"), "");
    answer_fini(call);
}
END_TEST

/* As a browser asks; a program gets the problem. */
START_TEST(who_looks_for_nothing_finds_the_ways_to_pages)
{
    static const char browser[] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    static const struct {
        const char *path, *ways;
    } rows[] = {{"/nope", "href=\"./\""}, {"/trace/nonsense/x", "href=\"./../../map/\""}};
    use_files();
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        struct sp_query_call *call = ask_with(&world, "GET", rows[i].path, browser, "", "");
        ck_assert_int_eq(call->reply.status, 404);
        ck_assert_str_eq(call->reply.content_type, "text/html; charset=utf-8");
        sp_buf_append_byte(&call->reply.body, 0);
        ck_assert_ptr_nonnull(strstr((const char *)call->reply.body.ptr, rows[i].ways));
        answer_fini(call);
    }
    expect_answer(&world, "/nope", 404, "nothing at this path");
    struct sp_query_call *call = ask_with(&world, "GET", "/v1/nope", browser, "", "");
    ck_assert_str_eq(call->reply.content_type, "application/problem+json");
    answer_fini(call);
}
END_TEST

START_TEST(paths_of_traces_lead_to_the_page)
{
    use_files();
    struct sp_query_call *call = ask(&world, "/trace/0000000000000000000000000000ABCD");
    ck_assert_int_eq(call->reply.status, 302);
    ck_assert_str_eq(answer_header(call, "location"),
                     "/trace/?id=0000000000000000000000000000abcd");
    answer_fini(call);
    call = ask(&world, "/map");
    ck_assert_int_eq(call->reply.status, 302);
    ck_assert_str_eq(answer_header(call, "location"), "/map/");
    answer_fini(call);
    call = ask(&world, "/map?from=now-1h&focus=a%20b");
    ck_assert_str_eq(answer_header(call, "location"), "/map/?from=now-1h&focus=a%20b");
    answer_fini(call);
    call = ask(&world, "/search?service=a%20b");
    ck_assert_int_eq(call->reply.status, 302);
    ck_assert_str_eq(answer_header(call, "location"),
                     "/?q=%7B%20resource.service.name%20%3D%20%22a%20b%22%20%7D");
    answer_fini(call);
    expect_answer(&world, "/trace/nonsense", 404, "nothing at this path");
    expect_answer(&world, "/compare", 404, "nothing at this path");
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("files of the web UI");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, files_are_sent_with_policy_and_etag);
    tcase_add_test(tcase, frames_are_for_the_origins_that_were_named);
    tcase_add_test(tcase, windows_may_talk_to_pages_when_they_are_perfetto);
    tcase_add_test(tcase, files_are_not_sent_again_when_nothing_changed);
    tcase_add_test(tcase, files_are_sent_packed_when_accepted);
    tcase_add_test(tcase, who_looks_for_nothing_finds_the_ways_to_pages);
    tcase_add_test(tcase, paths_of_traces_lead_to_the_page);
    suite_add_tcase(suite, tcase);
    return suite;
}
