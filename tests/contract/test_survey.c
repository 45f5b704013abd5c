/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_survey.c: what sheets say of spans, against what was sent; on both engines, right after the ack, after a
 * drain and after a restart. What random histories compare stands in answers.c. */
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"

#include <stdio.h>

#define SPANS     40
#define LONG_LIST 300 /* more attributes than get columns */

static const uint64_t begin_unix_ns = 1767268800ULL * 1000000000;

enum { STAGES = 3 }; /* fresh, drained, reopened */

static void enter_stage(struct fixture *fixture, int stage)
{
    if (fixture->engine == ENGINE_REFERENCE)
        return;
    if (stage == 1)
        sp_store_drain(fixture->store);
    else if (stage == 2)
        fixture_reopen(fixture);
}

static struct sp_attribute text_attribute(const char *key, const char *text)
{
    return (struct sp_attribute){.key = sp_slice_cstr(key),
                                 .value = {.kind = SP_VALUE_STRING, .string = sp_slice_cstr(text)}};
}

static struct sp_attribute int_attribute(const char *key, int64_t number)
{
    return (struct sp_attribute){.key = sp_slice_cstr(key),
                                 .value = {.kind = SP_VALUE_INT, .integer = number}};
}

static void set_attributes(struct sp_span *span, const struct sp_attribute *items, uint32_t count)
{
    span->attributes = (struct sp_attributes){.items = items, .count = count};
}

/* What the field of span number i is, as text; "-" is none. */
static void expected_text(unsigned i, const char *what, char out[64])
{
    if (strcmp(what, "tier") == 0) /* span, else resource */
        snprintf(out, 64, "%s", i % 4 == 0 ? "gold" : i % 4 == 1 ? "7" : "shared");
    else if (strcmp(what, "own") == 0) /* of the span alone */
        snprintf(out, 64, "%s", i % 4 == 0 ? "gold" : i % 4 == 1 ? "7" : "-");
    else if (strcmp(what, "late") == 0) /* behind the columns of a long list */
        snprintf(out, 64, "%s", i % 4 == 2 ? "packed" : "-");
    else
        snprintf(out, 64, "%s", i % 5 == 0 ? "broken" : "-");
}

static void append_spans(struct fixture *fixture)
{
    static struct sp_attribute lists[4][LONG_LIST];
    static char keys[LONG_LIST][16];
    struct sp_attribute shared[] = {text_attribute("service.name", "web"),
                                    text_attribute("tier", "shared")};
    struct sp_resource resource = {.attributes = {.items = shared, .count = 2}, .present = true};
    struct sp_span spans[SPANS];
    lists[0][0] = text_attribute("tier", "gold");
    lists[0][1] = text_attribute("tier", "second"); /* the first counts */
    lists[1][0] = int_attribute("tier", 7);
    for (unsigned i = 0; i < LONG_LIST; i++) {
        snprintf(keys[i], sizeof(keys[i]), "key.%u", i);
        lists[2][i] = int_attribute(keys[i], i);
    }
    lists[2][LONG_LIST - 1] = text_attribute("late", "packed");
    for (unsigned i = 0; i < SPANS; i++) {
        static const uint32_t counts[] = {2, 1, LONG_LIST, 0};
        spans[i] = simple_span(i / 3 + 1, i + 1, begin_unix_ns + i, i + 1, "web", "call");
        spans[i].resource = &resource;
        spans[i].status_present = i % 5 == 0;
        spans[i].status_message = i % 5 == 0 ? SP_SLICE("broken") : SP_SLICE("");
        set_attributes(&spans[i], lists[i % 4], counts[i % 4]);
    }
    append(fixture, batch_of(&fixture->arena, spans, SPANS / 2));
    append(fixture, batch_of(&fixture->arena, spans + SPANS / 2, SPANS - SPANS / 2));
}

struct seen {
    bool spans[SPANS];
    unsigned count;
};

static enum sp_status look_at(void *cookie, struct sp_sheet *sheet, struct sp_error *reterr)
{
    static const struct {
        const char *what;
        struct sp_sheet_field field;
    } fields[] = {
        {"tier",
         {.field = SP_FIELD_ATTRIBUTE,
          .scopes = SP_SCOPE_SPAN | SP_SCOPE_RESOURCE,
          .key = {(const uint8_t *)"tier", 4}}},
        {"own",
         {.field = SP_FIELD_ATTRIBUTE,
          .scopes = SP_SCOPE_SPAN,
          .key = {(const uint8_t *)"tier", 4}}},
        {"late",
         {.field = SP_FIELD_ATTRIBUTE,
          .scopes = SP_SCOPE_SPAN,
          .key = {(const uint8_t *)"late", 4}}},
        {"message", {.field = SP_FIELD_STATUS_MESSAGE}},
    };
    struct seen *seen = cookie;
    const uint64_t *starts, *durations;
    ck_assert_int_eq(sp_sheet_starts(sheet, &starts, reterr), SP_OK);
    ck_assert_int_eq(sp_sheet_durations(sheet, &durations, reterr), SP_OK);
    for (size_t f = 0; f < SP_ARRAY_LEN(fields); f++) {
        struct sp_sheet_column column;
        ck_assert_int_eq(sp_sheet_column(sheet, &fields[f].field, &column, reterr), SP_OK);
        for (uint32_t row = 0; row < sheet->row_count; row++) {
            char want[64];
            struct sp_buf got;
            if (sheet->rows != NULL && (sheet->rows[row / 64] >> (row % 64) & 1) == 0)
                continue;
            unsigned i = (unsigned)(starts[row] - begin_unix_ns);
            ck_assert_uint_lt(i, SPANS);
            ck_assert_uint_eq(durations[row], i + 1);
            expected_text(i, fields[f].what, want);
            sp_buf_init(&got, 1024);
            if (column.codes[row] == 0)
                sp_buf_append_cstr(&got, "-");
            else
                sp_value_text(&column.values[column.codes[row]], &got);
            ck_assert_msg(sp_slice_equal_cstr(sp_buf_slice(&got), want), "%s of span %u: %.*s",
                          fields[f].what, i, SP_SLICE_PRINTF(sp_buf_slice(&got)));
            sp_buf_fini(&got);
            seen->count += f == 0 && !seen->spans[i];
            seen->spans[i] = true;
        }
    }
    return SP_OK;
}

START_TEST(sheets_say_what_was_sent)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    append_spans(&fixture);
    for (int stage = 0; stage < STAGES; stage++) {
        struct seen seen = {0};
        struct sp_scanned scanned;
        enter_stage(&fixture, stage);
        /* without the first and the last */
        struct sp_scan scan = {.range = {begin_unix_ns + 1, begin_unix_ns + SPANS - 1}};
        ck_assert_int_eq(sp_store_survey(fixture.store, &scan,
                                         &(struct sp_surveyor){look_at, &seen}, 1, NULL, &scanned,
                                         NULL),
                         SP_OK);
        ck_assert_uint_eq(seen.count, SPANS - 2);
        ck_assert(!seen.spans[0] && !seen.spans[SPANS - 1]);
        ck_assert_uint_ge(scanned.rows, SPANS - 2);
    }
    fixture_fini(&fixture);
}
END_TEST

static enum sp_status give_up(void *cookie, struct sp_sheet *sheet, struct sp_error *reterr)
{
    (void)sheet;
    ++*(unsigned *)cookie;
    return sp_error_set(reterr, SP_LIMIT, "that is enough");
}

START_TEST(an_error_of_a_visit_ends_the_survey)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    append_spans(&fixture);
    unsigned visits[2] = {0};
    struct sp_scanned scanned;
    struct sp_error error;
    struct sp_surveyor surveyors[] = {{give_up, &visits[0]}, {give_up, &visits[1]}};
    ck_assert_int_eq(sp_store_survey(fixture.store, &(struct sp_scan){.range = SP_TIME_RANGE_ALL},
                                     surveyors, 2, NULL, &scanned, &error),
                     SP_LIMIT);
    ck_assert_str_eq(error.message, "that is enough");
    ck_assert_uint_le(visits[0], 1);
    ck_assert_uint_le(visits[1], 1);
    ck_assert_uint_ge(visits[0] + visits[1], 1);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(an_empty_range_shows_nothing)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    append_spans(&fixture);
    unsigned visits = 0;
    struct sp_scanned scanned;
    struct sp_surveyor surveyor = {give_up, &visits};
    struct sp_scan scan = {.range = {begin_unix_ns + 5, begin_unix_ns + 5}};
    ck_assert_int_eq(sp_store_survey(fixture.store, &scan, &surveyor, 1, NULL, &scanned, NULL),
                     SP_OK);
    scan.range = (struct sp_time_range){0, begin_unix_ns};
    ck_assert_int_eq(sp_store_survey(fixture.store, &scan, &surveyor, 1, NULL, &scanned, NULL),
                     SP_OK);
    ck_assert_uint_eq(visits, 0);
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("survey");
    TCase *tcase = tcase_create("both engines");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, sheets_say_what_was_sent, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, an_error_of_a_visit_ends_the_survey, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, an_empty_range_shows_nothing, 0, ENGINE_COUNT);
    suite_add_tcase(suite, tcase);
    return suite;
}
