/* SPDX-License-Identifier: Apache-2.0
 *
 * /v1/latency by any fields, and with exact quantiles: random questions on random spans against brute force, which sorts the
 * durations of each group. What the rollups answer: test_api.c, test_analysis.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "query/latency.h"
#include "tests/support/span_gen.h"
#include "tests/unit/query/world.h"

#define SPANS     300
#define STEPS_MAX 8
#define LABELS    16384

static struct sp_arena arena;
static struct world world;

/* ---- brute force ---- */

struct exemplar {
    uint64_t duration_ns;
    char trace_id[SP_TRACE_ID_TEXT], span_id[SP_SPAN_ID_TEXT];
};

struct group {
    char labels[LABELS]; /* "type=text|type=text|" */
    uint64_t calls[STEPS_MAX], errors[STEPS_MAX], durations[STEPS_MAX][SPANS];
    struct exemplar exemplars[2];                  /* of all, of those with an error */
    uint64_t quantiles[STEPS_MAX], sum[STEPS_MAX]; /* of the answer */
    unsigned exemplar_members;
};

struct groups {
    struct group items[SPANS + 1];
    size_t count;
};

enum key { SERVICE, NAME, KIND, STATUS, ROUTE, RETRY, PEER, KEYS };
static const char *const key_names[] = {"service",
                                        "name",
                                        "kind",
                                        "status",
                                        "span.http.route",
                                        "span.retry.count",
                                        "resource.peer.service"};

struct question {
    enum key keys[3];
    unsigned key_count, steps; /* steps 0: no series */
    bool exact;
    double q;
    uint64_t from, to;
    /* only spans with its service and kind, NULL: all. As in the language, numbers that are no kind are "unspecified". */
    const struct sp_span *like;
};

static struct group *group_of(struct groups *groups, const char *labels)
{
    for (size_t i = 0; i < groups->count; i++)
        if (strcmp(groups->items[i].labels, labels) == 0)
            return &groups->items[i];
    ck_assert_uint_le(groups->count, SPANS);
    struct group *group = &groups->items[groups->count++];
    memset(group, 0, sizeof(*group));
    snprintf(group->labels, LABELS, "%s", labels);
    return group;
}

static int compare_groups(const void *a, const void *b)
{
    return strcmp(((const struct group *)a)->labels, ((const struct group *)b)->labels);
}

static void add_key(char *labels, enum key key, const struct sp_span *span)
{
    switch (key) {
    case SERVICE:
        label_append_text(labels, LABELS, "string", sp_span_service(span));
        return;
    case NAME:
        label_append_text(labels, LABELS, "string", span->name);
        return;
    case KIND:
        label_append_text(labels, LABELS, "kind", sp_slice_cstr(sp_span_kind_name(span->kind)));
        return;
    case STATUS:
        label_append_text(labels, LABELS, "status",
                          sp_slice_cstr(sp_span_status_name(span->status_code)));
        return;
    case ROUTE:
        label_append_value(labels, LABELS,
                           sp_attributes_find(&span->attributes, SP_SLICE("http.route")));
        return;
    case RETRY:
        label_append_value(labels, LABELS,
                           sp_attributes_find(&span->attributes, SP_SLICE("retry.count")));
        return;
    case PEER:
    case KEYS:
        label_append_value(
            labels, LABELS,
            sp_attributes_find(&span->resource->attributes, SP_SLICE("peer.service")));
        return;
    }
}

static uint64_t step_of(const struct question *question)
{
    return (question->to - question->from) / (question->steps > 0 ? question->steps : 1);
}

/* Of all, and of those with an error: the slowest, then the smaller trace id, then the smaller span id. */
static void choose_exemplar(struct exemplar *exemplar, const struct sp_span *span)
{
    char trace_id[SP_TRACE_ID_TEXT], span_id[SP_SPAN_ID_TEXT];
    uint64_t duration = sp_span_duration_ns(span);
    sp_trace_id_format(&span->trace_id, trace_id);
    sp_span_id_format(&span->span_id, span_id);
    int order = strcmp(trace_id, exemplar->trace_id);
    if (order == 0)
        order = strcmp(span_id, exemplar->span_id);
    if (exemplar->trace_id[0] != '\0' &&
        (duration < exemplar->duration_ns || (duration == exemplar->duration_ns && order > 0)))
        return;
    exemplar->duration_ns = duration;
    strcpy(exemplar->trace_id, trace_id);
    strcpy(exemplar->span_id, span_id);
}

static void brute_force(const struct question *question, const struct sp_batch *batch,
                        struct groups *want)
{
    want->count = 0;
    for (size_t i = 0; i < batch->span_count; i++) {
        const struct sp_span *span = &batch->spans[i];
        char labels[LABELS] = "";
        if (span->start_unix_ns < question->from || span->start_unix_ns >= question->to)
            continue;
        if (question->like &&
            (strcmp(sp_span_kind_name(span->kind), sp_span_kind_name(question->like->kind)) != 0 ||
             !sp_slice_equal(sp_span_service(span), sp_span_service(question->like))))
            continue;
        for (unsigned k = 0; k < question->key_count; k++)
            add_key(labels, question->keys[k], span);
        struct group *group = group_of(want, labels);
        size_t step = (span->start_unix_ns - question->from) / step_of(question);
        group->durations[step][group->calls[step]++] = sp_span_duration_ns(span);
        group->errors[step] += span->status_code == SP_SPAN_STATUS_ERROR;
        choose_exemplar(&group->exemplars[0], span);
        if (span->status_code == SP_SPAN_STATUS_ERROR)
            choose_exemplar(&group->exemplars[1], span);
    }
    qsort(want->items, want->count, sizeof(want->items[0]), compare_groups);
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* ---- the answer ---- */

/* One number, or an array of them; null is 0. */
static void read_numbers(struct sp_json_reader *r, uint64_t *ret)
{
    enum sp_json_event event = sp_json_next(r);
    bool is_array = event == SP_JSON_ARRAY_BEGIN;
    for (size_t i = 0; i <= STEPS_MAX; i++) {
        if (is_array)
            event = sp_json_next(r);
        if (event == SP_JSON_ARRAY_END)
            return;
        ck_assert_uint_lt(i, STEPS_MAX);
        ret[i] = 0;
        ck_assert(event == SP_JSON_NULL || sp_parse_u64(r->text, &ret[i]));
        if (!is_array)
            return;
    }
}

static void read_labels(struct sp_json_reader *r, const struct question *question, char *labels)
{
    ck_assert_int_eq(sp_json_next(r), SP_JSON_ARRAY_BEGIN);
    for (unsigned k = 0; sp_json_next(r) == SP_JSON_OBJECT_BEGIN; k++) {
        struct sp_slice value = SP_SLICE("-"), type = {0};
        while (sp_json_next(r) == SP_JSON_KEY) {
            struct sp_slice member = r->text;
            enum sp_json_event event = sp_json_next(r);
            if (sp_slice_equal_cstr(member, "key"))
                ck_assert(sp_slice_equal_cstr(r->text, key_names[question->keys[k]]));
            if (sp_slice_equal_cstr(member, "value") && event == SP_JSON_STRING)
                value = r->text;
            if (sp_slice_equal_cstr(member, "type"))
                type = r->text;
        }
        size_t len = strlen(labels);
        snprintf(labels + len, LABELS - len, "%.*s=%.*s|", SP_SLICE_PRINTF(type),
                 SP_SLICE_PRINTF(value));
    }
}

static void read_text(struct sp_json_reader *r, char *out, size_t size)
{
    enum sp_json_event event = sp_json_next(r);
    ck_assert(event == SP_JSON_STRING || event == SP_JSON_NULL);
    snprintf(out, size, "%.*s", event == SP_JSON_STRING ? (int)r->text.len : 0,
             (const char *)r->text.ptr);
}

/* One of its four members. */
static bool read_exemplar(struct sp_json_reader *r, struct group *group)
{
    static const char *const names[] = {"exemplarTraceId", "errorExemplarTraceId", "exemplarSpanId",
                                        "errorExemplarSpanId"};
    for (int i = 0; i < 4; i++) {
        struct exemplar *exemplar = &group->exemplars[i % 2];
        if (!sp_slice_equal_cstr(r->text, names[i]))
            continue;
        if (i < 2)
            read_text(r, exemplar->trace_id, sizeof(exemplar->trace_id));
        else
            read_text(r, exemplar->span_id, sizeof(exemplar->span_id));
        group->exemplar_members++;
        return true;
    }
    return false;
}

static void read_row(struct sp_json_reader *r, const struct question *question, struct group *group)
{
    memset(group, 0, sizeof(*group));
    while (sp_json_next(r) == SP_JSON_KEY) {
        if (sp_slice_equal_cstr(r->text, "labels")) {
            read_labels(r, question, group->labels);
        } else if (sp_slice_equal_cstr(r->text, "calls")) {
            read_numbers(r, group->calls);
        } else if (sp_slice_equal_cstr(r->text, "errors")) {
            read_numbers(r, group->errors);
        } else if (sp_slice_equal_cstr(r->text, "durationNano")) {
            read_numbers(r, group->sum);
        } else if (!read_exemplar(r, group)) {
            ck_assert(sp_slice_equal_cstr(r->text, "quantiles"));
            ck_assert_int_eq(sp_json_next(r), SP_JSON_OBJECT_BEGIN);
            ck_assert_int_eq(sp_json_next(r), SP_JSON_KEY);
            read_numbers(r, group->quantiles);
            ck_assert_int_eq(sp_json_next(r), SP_JSON_OBJECT_END);
        }
    }
}

static void read_answer(const char *text, const struct question *question, struct groups *got)
{
    struct sp_json_reader r;
    got->count = 0;
    sp_json_reader_init(&r, sp_slice_cstr(text), &arena, 16);
    ck_assert_int_eq(sp_json_next(&r), SP_JSON_OBJECT_BEGIN);
    ck_assert_int_eq(sp_json_next(&r), SP_JSON_KEY);
    ck_assert_int_eq(sp_json_next(&r), SP_JSON_ARRAY_BEGIN);
    while (sp_json_next(&r) == SP_JSON_OBJECT_BEGIN) {
        ck_assert_uint_le(got->count, SPANS);
        read_row(&r, question, &got->items[got->count++]);
    }
    qsort(got->items, got->count, sizeof(got->items[0]), compare_groups);
    ck_assert_ptr_nonnull(strstr(text, question->exact ? "\"relativeError\":0,\"scanned\":"
                                                       : "\"relativeError\":0.011,\"scanned\":"));
}

static void expect_same(const struct question *question, struct groups *want,
                        const struct groups *got)
{
    ck_assert_uint_eq(want->count, got->count);
    for (size_t i = 0; i < want->count; i++) {
        struct group *w = &want->items[i];
        const struct group *g = &got->items[i];
        uint64_t sum = 0;
        ck_assert_str_eq(w->labels, g->labels);
        for (uint64_t d = 0; d < w->calls[0]; d++)
            sum += w->durations[0][d];
        if (question->steps == 0)
            ck_assert_uint_eq(sum, g->sum[0]);
        ck_assert_uint_eq(g->exemplar_members, question->steps > 0 ? 0 : 4);
        for (int e = 0; e < 2 && question->steps == 0; e++) {
            ck_assert_str_eq(w->exemplars[e].trace_id, g->exemplars[e].trace_id);
            ck_assert_str_eq(w->exemplars[e].span_id, g->exemplars[e].span_id);
        }
        for (unsigned m = 0; m < (question->steps > 0 ? question->steps : 1); m++) {
            ck_assert_uint_eq(w->calls[m], g->calls[m]);
            ck_assert_uint_eq(w->errors[m], g->errors[m]);
            if (w->calls[m] == 0)
                continue;
            qsort(w->durations[m], w->calls[m], sizeof(uint64_t), compare_u64);
            size_t rank = (size_t)ceil(question->q * (double)w->calls[m] - 1e-9);
            uint64_t exact = w->durations[m][(rank < 1 ? 1 : rank) - 1], own = g->quantiles[m];
            if (question->exact)
                ck_assert_uint_eq(exact, own);
            uint64_t off = exact > own ? exact - own : own - exact;
            ck_assert_double_le((double)off, 0.011 * (double)exact + 1);
        }
    }
}

static void make_question(struct sp_gen *gen, const struct sp_batch *batch, struct question *ret)
{
    *ret = (struct question){.key_count = 1 + (unsigned)sp_gen_below(gen, 3),
                             .exact = sp_gen_chance(gen, 50),
                             .q = (double)sp_gen_below(gen, 101) / 100,
                             .from = T0 + sp_gen_below(gen, 3) * 600 * 1000 * MS};
    ret->to = ret->from + (1 + sp_gen_below(gen, 6)) * 600 * 1000 * MS;
    if (sp_gen_chance(gen, 40))
        ret->steps = (unsigned)((ret->to - ret->from) / (600 * 1000 * MS));
    if (sp_gen_chance(gen, 30))
        ret->like = &batch->spans[sp_gen_below(gen, batch->span_count)];
    if (ret->like && (ret->like->kind < 0 || ret->like->kind >= SP_LATENCY_KIND_ANY ||
                      sp_span_service(ret->like).len == 0))
        ret->like = NULL;
    for (unsigned k = 0; k < ret->key_count; k++)
        ret->keys[k] = (enum key)sp_gen_below(gen, KEYS);
    if (ret->key_count == 1 && ret->keys[0] == SERVICE)
        ret->keys[0] = NAME; /* by=service alone is a question to the rollups */
}

static char *ask_question(const struct question *question)
{
    static char url[8192];
    char *at = url + sprintf(url, "/v1/latency?q=%.2f&exact=%s&from=%llu&to=%llu&by=", question->q,
                             question->exact ? "true" : "0", (unsigned long long)question->from,
                             (unsigned long long)question->to);
    for (unsigned k = 0; k < question->key_count; k++)
        at += sprintf(at, "%s%s", k > 0 ? "," : "", key_names[question->keys[k]]);
    if (question->steps > 0)
        at += sprintf(at, "&step=10m");
    if (question->like)
        sprintf(at, "&service=%.*s&kind=%s", SP_SLICE_PRINTF(sp_span_service(question->like)),
                sp_span_kind_name(question->like->kind));
    struct sp_query_call *call = ask(&world, url);
    char *text = answer_text(call);
    ck_assert_msg(call->reply.status == 200, "%s: %s", url, text);
    answer_fini(call);
    return text;
}

START_TEST(latencies_by_fields_are_what_brute_force_finds)
{
    static struct question question;
    static struct groups want, got;
    struct sp_gen gen = {.state = 61000 + (uint64_t)_i};
    struct sp_gen_options options = {
        .span_count = SPANS, .trace_count = 60, .odd_percent = _i % 2 ? 20 : 0, .no_residue = true};
    sp_arena_init(&arena, (size_t)1 << 30);
    world_init(&world);
    const struct sp_batch *batch = sp_gen_batch(&arena, 900 + (uint64_t)_i, &options);
    world_add(&world, batch->spans, batch->span_count);
    size_t groups = 0;
    for (int round = 0; round < 40; round++) {
        make_question(&gen, batch, &question);
        brute_force(&question, batch, &want);
        char *text = ask_question(&question);
        read_answer(text, &question, &got);
        free(text);
        expect_same(&question, &want, &got);
        groups += want.count;
    }
    ck_assert_uint_gt(groups, 0);
    world_fini(&world);
    sp_arena_fini(&arena);
}
END_TEST

/* ---- by hand ---- */

static void setup(void)
{
    sp_arena_init(&arena, 256 << 20);
    world_init(&world);
}

static void teardown(void)
{
    world_fini(&world);
    sp_arena_fini(&arena);
}

START_TEST(exact_rows_are_those_of_rollups)
{
    struct sp_span spans[] = {make_span(&arena, 1, 1, 0, "web", "b \"x\"\n", T0, 1000003),
                              make_span(&arena, 2, 2, 0, "web", "a", T0 + 1, 2000003),
                              make_span(&arena, 3, 3, 0, "api", "a", T0 + 2, 3000003)};
    spans[0].kind = SP_KIND_SERVER;
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    expect_answer(&world, "/v1/latency?exact=1&q=1&service=web", 200,
                  "{\"series\":[{\"service\":\"web\",\"operation\":\"a\",\"kind\":\"server\","
                  "\"calls\":\"1\",\"errors\":\"0\",\"quantiles\":{\"1\":\"2000003\"},"
                  "\"durationNano\":\"2000003\","
                  "\"exemplarTraceId\":\"00000000000000000000000000000002\","
                  "\"exemplarSpanId\":\"0000000000000002\","
                  "\"errorExemplarTraceId\":null,"
                  "\"errorExemplarSpanId\":null},"
                  "{\"service\":\"web\",\"operation\":\"b \\\"x\\\"\\n\",\"kind\":\"server\","
                  "\"calls\":\"1\",\"errors\":\"0\",\"quantiles\":{\"1\":\"1000003\"},"
                  "\"durationNano\":\"1000003\","
                  "\"exemplarTraceId\":\"00000000000000000000000000000001\","
                  "\"exemplarSpanId\":\"0000000000000001\","
                  "\"errorExemplarTraceId\":null,"
                  "\"errorExemplarSpanId\":null}],\"rowCount\":2,"
                  "\"from\":null,\"to\":null,\"relativeError\":0,\"scanned\":{\"segments\":0,"
                  "\"rows\":\"3\",");
    expect_answer(&world, "/v1/latency?exact=1&by=service&q=1&service=api", 200,
                  "{\"series\":[{\"service\":\"api\",\"operation\":\"\",");
    expect_answer(&world, "/v1/latency?exact=1&q=1&operation=b%20%22x%22%0A", 200,
                  "{\"series\":[{\"service\":\"web\",\"operation\":\"b \\\"x\\\"\\n\",");
    expect_answer(&world, "/v1/latency?exact=1&q=1&from=2026-01-01T00:00:00.000000002Z", 200,
                  "{\"series\":[{\"service\":\"api\",");
}
END_TEST

START_TEST(latencies_by_fields_of_the_trace)
{
    struct sp_span spans[] = {make_span(&arena, 1, 1, 0, "web", "root", T0, 9),
                              make_span(&arena, 1, 2, 1, "db", "query", T0 + 1, 5)};
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    expect_answer(
        &world, "/v1/latency?by=rootName&service=db&q=1", 200,
        "{\"labels\":[{\"key\":\"trace:rootName\",\"value\":\"root\",\"type\":\"string\"}],"
        "\"calls\":\"1\",\"errors\":\"0\",\"quantiles\":{\"1\":\"5\"},\"durationNano\":\"5\","
        "\"exemplarTraceId\":\"00000000000000000000000000000001\","
        "\"exemplarSpanId\":\"0000000000000002\","
        "\"errorExemplarTraceId\":null,"
        "\"errorExemplarSpanId\":null}");
}
END_TEST

/* The values of the first label, row by row. */
static void expect_labels(const char *url, const char *labels)
{
    char got[256] = "";
    struct sp_query_call *call = ask(&world, url);
    char *text = answer_text(call);
    ck_assert_msg(call->reply.status == 200, "%s: %s", url, text);
    for (const char *at = text; (at = strstr(at, "\"value\":\"")) != NULL;) {
        at += strlen("\"value\":\"");
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%.*s ", (int)strcspn(at, "\""), at);
    }
    ck_assert_msg(strcmp(got, labels) == 0, "%s: %s", url, text);
    free(text);
    answer_fini(call);
}

START_TEST(latencies_by_fields_page_by_page)
{
    /* a: 3 calls of 1, 2 and 3; B: 1 of 9, in error; c: 2 of 4, one a minute later */
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "a", T0, 1),
        make_span(&arena, 2, 2, 0, "web", "a", T0, 2),
        make_span(&arena, 3, 3, 0, "web", "a", T0, 3),
        make_span(&arena, 4, 4, 0, "web", "B", T0, 9),
        make_span(&arena, 5, 5, 0, "web", "c", T0 + 60000 * MS, 4),
        make_span(&arena, 6, 6, 0, "web", "c", T0, 4),
    };
    spans[3].status_code = SP_SPAN_STATUS_ERROR;
    spans[3].status_present = true;
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    static const char *const exact[] = {"", "&exact=true"};
    static const char *const series[] = {
        "", "&step=1m&from=2026-01-01T00:00:00Z&to=2026-01-01T00:02:00Z"};
    static const struct {
        const char *page, *labels;
    } rows[] = {
        {"order=name", "B a c "},
        {"order=-name", "c a B "},
        {"order=-calls", "a c B "},
        {"order=-calls&limit=2", "a c "},
        {"order=-calls&limit=2&offset=2", "B "},
        {"order=calls&offset=3", ""},
        {"order=-errors", "B a c "},
        {"order=-errorShare&limit=1", "B "},
        {"order=duration", "a c B "}, /* 6, 8, 9 */
        {"order=-1&q=0,1", "B c a "},
        {"order=0&q=0,1", "a c B "},
        {"contains=b", "B "},
        {"limit=2", "B a "},
    };
    for (size_t e = 0; e < 2; e++)
        for (size_t s = 0; s < 2; s++)
            for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
                char url[256];
                snprintf(url, sizeof(url), "/v1/latency?by=name&%s%s%s", rows[i].page, exact[e],
                         series[s]);
                expect_labels(url, rows[i].labels);
            }
    expect_answer(&world, "/v1/latency?by=name&limit=1&order=-calls", 200,
                  "\"durationNano\":\"6\","
                  "\"exemplarTraceId\":\"00000000000000000000000000000003\","
                  "\"exemplarSpanId\":\"0000000000000003\","
                  "\"errorExemplarTraceId\":null,"
                  "\"errorExemplarSpanId\":null}],\"rowCount\":3,");
    expect_answer(&world, "/v1/latency?exact=true&order=-calls&limit=1", 200,
                  "\"operation\":\"a\"");
    expect_answer(&world, "/v1/latency?exact=true&contains=B", 200, "\"rowCount\":1,");
    expect_answer(&world, "/v1/latency?by=name&order=change", 400, "\"parameter\":\"order\"");
    expect_answer(&world, "/v1/latency?by=name&buckets=true", 400, "buckets and comparisons");
}
END_TEST

START_TEST(latencies_by_fields_have_limits)
{
    static struct sp_span spans[SP_LATENCY_SERIES_MAX + 1];
    expect_answer(&world, "/v1/latency?by=a%20b", 400, "\\\"by\\\" must be fields with commas");
    expect_answer(&world, "/v1/latency?by=name,x(", 400, "\"parameter\":\"by\",\"offset\":5");
    expect_answer(&world, "/v1/latency?by=x(", 400, "found x\"");
    expect_answer(&world, "/v1/latency?by=name,name,name,name,name,name,name,name", 200, "series");
    expect_answer(&world, "/v1/latency?by=name,name,name,name,name,name,name,name,name", 400,
                  "at most 8 fields");
    expect_answer(&world, "/v1/latency?exact=yes", 400, "\"parameter\":\"exact\"");
    for (unsigned i = 0; i < SP_ARRAY_LEN(spans); i++) {
        char *name = sp_arena_alloc(&arena, 16);
        snprintf(name, 16, "name %u", i);
        spans[i] = make_span(&arena, i + 1, i + 1, 0, "web", name, T0 + i, 1000);
    }
    world_add(&world, spans, SP_LATENCY_SERIES_MAX);
    expect_answer(&world, "/v1/latency?by=name", 200, "name 9999");
    world_add(&world, &spans[SP_LATENCY_SERIES_MAX], 1);
    expect_answer(&world, "/v1/latency?by=name", 413, "more than the limit of 10000");
    expect_answer(&world, "/v1/latency?by=name&limit=1&order=-name", 200, "\"rowCount\":10001");
    expect_answer(&world, "/v1/latency?by=name&limit=1&order=-name", 200, "\"name 9999\"");
}
END_TEST

START_TEST(exact_latencies_within_little_memory_say_so)
{
    struct sp_query_limits limits = *sp_query_limits_default();
    static struct sp_span spans[20000];
    limits.memory_bytes_max = 1024 * 1024;
    world_fini(&world);
    world_init_limits(&world, &limits);
    for (unsigned i = 0; i < SP_ARRAY_LEN(spans); i++)
        spans[i] = make_span(&arena, i + 1, i + 1, 0, "web", "a", T0 + i, i);
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    expect_answer(&world, "/v1/latency?exact=1", 413, "memory");
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("latency");
    TCase *random = tcase_create("random"), *by_hand = tcase_create("by hand");
    tcase_set_timeout(random, 120);
    tcase_add_loop_test(random, latencies_by_fields_are_what_brute_force_finds, 0, 12);
    tcase_set_timeout(by_hand, 120);
    tcase_add_checked_fixture(by_hand, setup, teardown);
    tcase_add_test(by_hand, exact_rows_are_those_of_rollups);
    tcase_add_test(by_hand, latencies_by_fields_of_the_trace);
    tcase_add_test(by_hand, latencies_by_fields_page_by_page);
    tcase_add_test(by_hand, latencies_by_fields_have_limits);
    tcase_add_test(by_hand, exact_latencies_within_little_memory_say_so);
    suite_add_tcase(suite, random);
    suite_add_tcase(suite, by_hand);
    return suite;
}
