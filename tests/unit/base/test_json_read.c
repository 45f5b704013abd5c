/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON reader: strictness by RFC 8259, places of errors, limits, skipping, and the way back from the writer. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/base.h"
#include "tests/support/check_main.h"
#include "tests/support/json_copy.h"

static struct sp_arena arena;
static struct sp_json_reader reader;

static void setup(void)
{
    sp_arena_init(&arena, 16 << 20);
}

static void teardown(void)
{
    sp_arena_fini(&arena);
}

/* Reads all of it; the status it ends with. */
static enum sp_status read_all(struct sp_slice in)
{
    sp_json_reader_init(&reader, in, &arena, SP_JSON_DEPTH_MAX);
    enum sp_json_event event;
    do {
        event = sp_json_next(&reader);
    } while (event != SP_JSON_END && event != SP_JSON_ERROR);
    ck_assert_int_eq(sp_json_next(&reader), event); /* the last event is given for ever */
    return reader.error.status;
}

START_TEST(json_reader_gives_events_in_order)
{
    sp_json_reader_init(&reader,
                        SP_SLICE(" {\"a\" : [ 1, true ,false,null],\"b\":{ } , \"c\":\"x\"}\r\n"),
                        &arena, 4);
    static const struct {
        enum sp_json_event event;
        const char *text;
        size_t offset;
    } rows[] = {{SP_JSON_OBJECT_BEGIN, NULL, 1}, {SP_JSON_KEY, "a", 2},
                {SP_JSON_ARRAY_BEGIN, NULL, 8},  {SP_JSON_NUMBER, "1", 10},
                {SP_JSON_TRUE, NULL, 13},        {SP_JSON_FALSE, NULL, 19},
                {SP_JSON_NULL, NULL, 25},        {SP_JSON_ARRAY_END, NULL, 29},
                {SP_JSON_KEY, "b", 31},          {SP_JSON_OBJECT_BEGIN, NULL, 35},
                {SP_JSON_OBJECT_END, NULL, 37},  {SP_JSON_KEY, "c", 41},
                {SP_JSON_STRING, "x", 45},       {SP_JSON_OBJECT_END, NULL, 48},
                {SP_JSON_END, NULL, 51}};
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        ck_assert_int_eq(sp_json_next(&reader), rows[i].event);
        ck_assert_uint_eq(reader.event_pos, rows[i].offset);
        ck_assert(!rows[i].text || sp_slice_equal_cstr(reader.text, rows[i].text));
    }
}
END_TEST

START_TEST(json_reader_takes_all_that_the_grammar_allows)
{
    static const char *const good[] = {"null",
                                       "true",
                                       "false",
                                       "0",
                                       "-0",
                                       "1",
                                       "-1",
                                       "10",
                                       "0.0",
                                       "1.5",
                                       "-0.5e3",
                                       "1E5",
                                       "1e+5",
                                       "1e-5",
                                       "0e0",
                                       "123456789012345678901234567890",
                                       "1e999999",
                                       "\"\"",
                                       "[]",
                                       "{}",
                                       " \t\r\n[ \t\r\n] ",
                                       "[[],[]]",
                                       "{\"\":0}",
                                       "{\"a\":1,\"a\":2}",
                                       "\"\\u0000\"",
                                       "\"\\uD834\\uDD1E\"",
                                       "\"\\ud834\\udd1e\"",
                                       "\"/\\/\"",
                                       "\"\x7f\"",
                                       "\"\xef\xbf\xbf\"",
                                       "\"\xf4\x8f\xbf\xbf\"",
                                       "\"\xe2\x80\xa8\"",
                                       "\"\\uffff\"",
                                       "[1,2,3]"};
    for (size_t i = 0; i < SP_ARRAY_LEN(good); i++) {
        ck_assert_msg(read_all(sp_slice_cstr(good[i])) == SP_OK, "%s: %s", good[i],
                      reader.error.message);
    }
}
END_TEST

START_TEST(json_reader_refuses_the_rest_and_says_where)
{
    static const struct {
        const char *text;
        size_t offset;
    } bad[] = {{"", 0},
               {" ", 1},
               {"nul", 0},
               {"nulll", 4},
               {"True", 0},
               {"NaN", 0},
               {"Infinity", 0},
               {"-Infinity", 1},
               {"+1", 0},
               {".5", 0},
               {"1.", 2},
               {"1.e5", 2},
               {"1e", 2},
               {"1e+", 3},
               {"-", 1},
               {"01", 0},
               {"-01", 0},
               {"00", 0},
               {"0x1", 1},
               {"1 2", 2},
               {"1,", 1},
               {"[", 1},
               {"[1", 2},
               {"[1,", 3},
               {"[1,]", 3},
               {"[,1]", 1},
               {"[1 2]", 3},
               {"[1,,2]", 3},
               {"]", 0},
               {"[}", 1},
               {"{", 1},
               {"{]", 1},
               {"{a:1}", 1},
               {"{1:1}", 1},
               {"{\"a\"}", 4},
               {"{\"a\":}", 5},
               {"{\"a\":1,}", 7},
               {"{\"a\" 1}", 5},
               {"{\"a\":1 \"b\":2}", 7},
               {"{,}", 1},
               {"{\"a\":1]", 6},
               {"[1}", 2},
               {"[]]", 2},
               {"{}{}", 2},
               {"'a'", 0},
               {"\"", 1},
               {"\"a", 2},
               {"\"\\\"", 3},
               {"\"\\", 1},
               {"\"\\x\"", 1},
               {"\"\\u12\"", 1},
               {"\"\\u123g\"", 1},
               {"\"\\U0041\"", 1},
               {"\"a\nb\"", 2},
               {"\"\t\"", 1},
               {"\"\x1f\"", 1},
               {"\"\\ud800\"", 1},
               {"\"a\\ud800x\"", 2},
               {"\"\\udc00\"", 1},
               {"\"\\ud800\\ud800\"", 1},
               {"\"\\ud800\\n\"", 1},
               {"\"\\ud800\\u\"", 1},
               {"\"\xff\"", 1},
               {"\"abc\xc0\x80\"", 4},
               {"\"\xed\xa0\x80\"", 1},
               {"\"\xf4\x90\x80\x80\"", 1},
               {"\"\xe2\x82\"", 1},
               {"\xef\xbb\xbf{}", 0},
               {"\xff", 0},
               {"// c\n1", 0},
               {"[1/**/]", 2},
               {"\f1", 0},
               {"{\"\xff\":1}", 2},
               {"\xc2\xa0"
                "1",
                0},
               {"{\"a\":tru}", 5}};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        ck_assert_msg(read_all(sp_slice_cstr(bad[i].text)) == SP_MALFORMED, "%s", bad[i].text);
        ck_assert_msg(reader.error.offset == bad[i].offset, "%s: at %llu: %s", bad[i].text,
                      (unsigned long long)reader.error.offset, reader.error.message);
        ck_assert(sp_utf8_valid(sp_slice_cstr(reader.error.message)));
    }
    ck_assert_int_eq(read_all(sp_slice_make("1\0", 2)), SP_MALFORMED);
    ck_assert_int_eq(read_all(sp_slice_make("\"a\0b\"", 5)), SP_MALFORMED);
    ck_assert_uint_eq(reader.error.offset, 2);
}
END_TEST

START_TEST(json_reader_says_what_it_expected)
{
    (void)read_all(SP_SLICE("[1 2]"));
    ck_assert_str_eq(reader.error.message, "expected ',' or ']' but found '2'");
    (void)read_all(SP_SLICE("{\"a\":1,}"));
    ck_assert_str_eq(reader.error.message, "expected a key but found '}'");
    (void)read_all(SP_SLICE("{"));
    ck_assert_str_eq(reader.error.message, "expected a key or '}' but the input ends");
    (void)read_all(SP_SLICE("\x01"));
    ck_assert_str_eq(reader.error.message, "expected a value but found byte 0x01");
}
END_TEST

START_TEST(json_reader_unescapes)
{
    sp_json_reader_init(
        &reader,
        SP_SLICE("\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000.\""),
        &arena, 0);
    ck_assert_int_eq(sp_json_next(&reader), SP_JSON_STRING);
    struct sp_slice expected = SP_SLICE("A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"\\/\b\f\n\r\t\0.");
    ck_assert(sp_slice_equal(reader.text, expected));
}
END_TEST

START_TEST(json_reader_borrows_strings_without_escapes)
{
    struct sp_arena none;
    sp_arena_init(&none, 0);
    struct sp_slice in = SP_SLICE("[\"plain caf\xc3\xa9 text\"]");
    sp_json_reader_init(&reader, in, &none, 1);
    (void)sp_json_next(&reader);
    ck_assert_int_eq(sp_json_next(&reader), SP_JSON_STRING);
    ck_assert_ptr_eq(reader.text.ptr, in.ptr + 2);
}
END_TEST

START_TEST(json_reader_stops_at_its_depth)
{
    for (uint32_t depth = 0; depth <= SP_JSON_DEPTH_MAX; depth += 16) {
        char text[2 * SP_JSON_DEPTH_MAX + 4];
        for (uint32_t extra = 0; extra < 2; extra++) {
            uint32_t levels = depth + extra;
            memset(text, '[', levels);
            memset(text + levels, ']', levels);
            text[levels * 2] = levels ? 0 : '1';
            sp_json_reader_init(&reader, sp_slice_make(text, levels ? levels * 2 : 1), &arena,
                                depth);
            enum sp_status status = sp_json_skip(&reader);
            ck_assert_int_eq(status, extra ? SP_LIMIT : SP_OK);
            ck_assert(!extra || reader.error.offset == depth);
        }
    }
}
END_TEST

START_TEST(json_reader_does_not_mind_a_million_brackets)
{
    size_t len = 1000000;
    char *text = malloc(len);
    memset(text, '[', len);
    ck_assert_int_eq(read_all(sp_slice_make(text, len)), SP_LIMIT);
    memset(text, '{', len);
    ck_assert_int_eq(read_all(sp_slice_make(text, len)), SP_MALFORMED);
    free(text);
}
END_TEST

START_TEST(json_reader_fails_cleanly_at_every_cap_until_one_is_enough)
{
    struct sp_slice in = SP_SLICE(
        "{\"\\u0061\":[\"a\\nb\",\"\\ud83d\\ude00 and a longer text behind\"],\"b\":\"\\t\"}");
    size_t cap = 0;
    for (enum sp_status status = SP_LIMIT; status != SP_OK; cap++) {
        struct sp_arena small;
        sp_arena_init(&small, cap);
        sp_json_reader_init(&reader, in, &small, 8);
        enum sp_json_event event;
        do {
            event = sp_json_next(&reader);
        } while (event != SP_JSON_END && event != SP_JSON_ERROR);
        status = reader.error.status;
        ck_assert(status == SP_OK || status == SP_LIMIT);
        sp_arena_fini(&small);
    }
    ck_assert_uint_gt(cap, 60);
    ck_assert_uint_lt(cap, 1000);
}
END_TEST

START_TEST(json_reader_skips_values_without_memory)
{
    struct sp_arena none;
    sp_arena_init(&none, 0);
    sp_json_reader_init(&reader, SP_SLICE("{\"a\":{\"b\":[1,\"\\n\",{}]},\"c\":\"\\t\",\"d\":7}"),
                        &none, 8);
    ck_assert_int_eq(sp_json_next(&reader), SP_JSON_OBJECT_BEGIN);
    ck_assert_int_eq(sp_json_next(&reader), SP_JSON_KEY);
    ck_assert_int_eq(sp_json_skip(&reader), SP_OK);
    ck_assert_int_eq(sp_json_next(&reader), SP_JSON_KEY);
    ck_assert(sp_slice_equal_cstr(reader.text, "c"));
    ck_assert_int_eq(sp_json_skip(&reader), SP_OK);
    ck_assert_int_eq(sp_json_next(&reader), SP_JSON_KEY);
    ck_assert_int_eq(sp_json_next(&reader), SP_JSON_NUMBER);
    ck_assert_int_eq(sp_json_next(&reader), SP_JSON_OBJECT_END);
    ck_assert_int_eq(sp_json_next(&reader), SP_JSON_END);
}
END_TEST

START_TEST(json_reader_skips_the_rest_of_what_has_begun)
{
    sp_json_reader_init(&reader, SP_SLICE("[{\"a\":[1,2,3],\"b\":2},5]"), &arena, 8);
    (void)sp_json_next(&reader);
    ck_assert_int_eq(sp_json_next(&reader), SP_JSON_OBJECT_BEGIN);
    ck_assert_int_eq(sp_json_skip_rest(&reader), SP_OK);
    ck_assert_int_eq(sp_json_next(&reader), SP_JSON_NUMBER);
    ck_assert_int_eq(sp_json_skip_rest(&reader), SP_OK);
    ck_assert_int_eq(sp_json_next(&reader), SP_JSON_END);
}
END_TEST

START_TEST(json_reader_checks_what_it_skips)
{
    static const char *const bad[] = {"{\"a\":[1,]}", "{\"a\":\"\\q\"}", "{\"a\":\"\xff\"}",
                                      "{\"a\":[}", "{\"a\":"};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        sp_json_reader_init(&reader, sp_slice_cstr(bad[i]), &arena, 8);
        (void)sp_json_next(&reader);
        (void)sp_json_next(&reader);
        ck_assert_int_eq(sp_json_skip(&reader), SP_MALFORMED);
        ck_assert_int_eq(sp_json_skip_rest(&reader), SP_MALFORMED);
    }
}
END_TEST

START_TEST(json_reader_carries_errors_of_meaning)
{
    sp_json_reader_init(&reader, SP_SLICE("{\"id\": \"xyz\"}"), &arena, 8);
    (void)sp_json_next(&reader);
    (void)sp_json_next(&reader);
    (void)sp_json_next(&reader);
    ck_assert_int_eq(sp_json_fail(&reader, "'%.*s' is no id", SP_SLICE_PRINTF(reader.text)),
                     SP_MALFORMED);
    ck_assert_str_eq(reader.error.message, "'xyz' is no id");
    ck_assert_uint_eq(reader.error.offset, 7);
    ck_assert_int_eq(sp_json_next(&reader), SP_JSON_ERROR);
    ck_assert_int_eq(sp_json_fail(&reader, "another"), SP_MALFORMED);
    ck_assert_str_eq(reader.error.message, "'xyz' is no id");
}
END_TEST

/* xorshift64*: the same sequence on every machine. */
static uint64_t seed = 99;

static uint64_t random_below(uint64_t bound)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * UINT64_C(2685821657736338717) % bound;
}

static struct sp_slice random_text(uint8_t *room, size_t max)
{
    static const char *const pieces[] = {
        "a",           "\"",   "\\", "\n", "\x01", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
        "plain text ", "\x7f", "/",  "\b"};
    size_t len = 0;
    for (size_t n = random_below(20); n > 0; n--) {
        const char *piece = pieces[random_below(SP_ARRAY_LEN(pieces))];
        if (len + strlen(piece) <= max) {
            memcpy(room + len, piece, strlen(piece));
            len += strlen(piece);
        }
    }
    if (len < max && random_below(5) == 0) {
        room[len++] = 0;
    }
    return sp_slice_make(room, len);
}

/* A random document, without recursion: open levels are closed at random. */
static void random_document(struct sp_json_writer *w, struct sp_buf *texts)
{
    bool object[8];
    int depth = 0;
    uint8_t room[400];
    for (int n = 0; n < 60 || depth > 0; n++) {
        if (depth > 0 && (n >= 60 || random_below(4) == 0)) {
            depth--;
            (object[depth] ? sp_json_object_end : sp_json_array_end)(w);
            if (depth == 0) {
                return;
            }
            continue;
        }
        if (depth > 0 && object[depth - 1]) {
            struct sp_slice key = random_text(room, sizeof(room));
            sp_buf_append_slice(texts, key);
            sp_json_key_slice(w, key);
        }
        uint64_t kind = depth == 0 ? random_below(2) : random_below(7);
        if (kind < 2 && depth < 8) {
            object[depth++] = kind == 0;
            (kind == 0 ? sp_json_object_begin : sp_json_array_begin)(w);
        } else if (kind == 3) {
            sp_json_double(w, (double)random_below(1000000) / 1000 - 500);
        } else if (kind == 4) {
            sp_json_i64(w, (int64_t)random_below(UINT64_MAX));
        } else if (kind == 5) {
            sp_json_bool(w, random_below(2));
        } else {
            struct sp_slice text = random_text(room, sizeof(room));
            sp_buf_append_slice(texts, text);
            sp_json_string(w, text);
        }
    }
}

START_TEST(json_random_documents_survive_the_way_round)
{
    struct sp_buf first, second, put, got;
    sp_buf_init(&first, 1 << 20);
    sp_buf_init(&second, 1 << 20);
    sp_buf_init(&put, 1 << 20);
    sp_buf_init(&got, 1 << 20);
    for (int round = 0; round < 2000; round++) {
        struct sp_json_writer w;
        sp_buf_reset(&first);
        sp_buf_reset(&second);
        sp_buf_reset(&put);
        sp_buf_reset(&got);
        sp_arena_reset(&arena);
        sp_json_writer_init(&w, &first);
        random_document(&w, &put);

        sp_json_reader_init(&reader, sp_buf_slice(&first), &arena, 16);
        sp_json_writer_init(&w, &second);
        ck_assert_int_eq(sp_test_json_copy(&reader, &w), SP_OK);
        ck_assert(sp_slice_equal(sp_buf_slice(&first), sp_buf_slice(&second)));

        sp_json_reader_init(&reader, sp_buf_slice(&first), &arena, 16);
        for (enum sp_json_event e = sp_json_next(&reader); e != SP_JSON_END;
             e = sp_json_next(&reader)) {
            ck_assert_int_ne(e, SP_JSON_ERROR);
            if (e == SP_JSON_KEY || e == SP_JSON_STRING) {
                sp_buf_append_slice(&got, reader.text);
            }
        }
        ck_assert(sp_slice_equal(sp_buf_slice(&put), sp_buf_slice(&got)));
    }
    sp_buf_fini(&first);
    sp_buf_fini(&second);
    sp_buf_fini(&put);
    sp_buf_fini(&got);
}
END_TEST

START_TEST(json_every_prefix_of_a_document_is_refused)
{
    struct sp_slice whole =
        SP_SLICE("{\"a\":[1.5e3,true,\"\\u00e9\xc3\xa9\\ud83d\\ude00\",{\"b\":null}]}");
    for (size_t len = 0; len < whole.len; len++) {
        uint8_t *exact = malloc(len ? len : 1); /* a read past the end is seen by the sanitizer */
        memcpy(exact, whole.ptr, len);
        ck_assert_int_eq(read_all(sp_slice_make(exact, len)), SP_MALFORMED);
        ck_assert_uint_le(reader.error.offset, len);
        free(exact);
    }
    ck_assert_int_eq(read_all(whole), SP_OK);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("base_json_read");
    TCase *tests = tcase_create("reader");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, json_reader_gives_events_in_order);
    tcase_add_test(tests, json_reader_takes_all_that_the_grammar_allows);
    tcase_add_test(tests, json_reader_refuses_the_rest_and_says_where);
    tcase_add_test(tests, json_reader_says_what_it_expected);
    tcase_add_test(tests, json_reader_unescapes);
    tcase_add_test(tests, json_reader_borrows_strings_without_escapes);
    tcase_add_test(tests, json_reader_stops_at_its_depth);
    tcase_add_test(tests, json_reader_does_not_mind_a_million_brackets);
    tcase_add_test(tests, json_reader_fails_cleanly_at_every_cap_until_one_is_enough);
    tcase_add_test(tests, json_reader_skips_values_without_memory);
    tcase_add_test(tests, json_reader_skips_the_rest_of_what_has_begun);
    tcase_add_test(tests, json_reader_checks_what_it_skips);
    tcase_add_test(tests, json_reader_carries_errors_of_meaning);
    tcase_add_test(tests, json_random_documents_survive_the_way_round);
    tcase_add_test(tests, json_every_prefix_of_a_document_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
