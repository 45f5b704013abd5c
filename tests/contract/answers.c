/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/answers.c: everything a store answers about a range, as text. Two stores with the same content must
 * give the same text. */
#include "tests/contract/answers_trimmed.h"
#include "tests/contract/fixture.h"

#include <stdlib.h>

#define ALL_SCOPES                                                                                 \
    (SP_SCOPE_SPAN | SP_SCOPE_RESOURCE | SP_SCOPE_INSTRUMENTATION | SP_SCOPE_EVENT | SP_SCOPE_LINK)

/* Keys whose values are listed: enough to meet every kind, few enough to be fast. */
#define VALUE_KEYS_MAX 6

static void expect_ok(enum sp_status status, const struct sp_error *error, const char *what)
{
    ck_assert_msg(status == SP_OK, "%s: %s: %s", what, sp_status_name(status), error->message);
}

static void describe_services(struct sp_store *store, struct sp_time_range range,
                              struct sp_arena *arena, struct sp_buf *out)
{
    struct sp_error error = {0};
    const struct sp_service_row *rows;
    size_t count;
    expect_ok(sp_store_services(store, range, NULL, arena, &rows, &count, &error), &error,
              "services");
    for (size_t i = 0; i < count; i++)
        sp_buf_printf(out, "service %.*s spans %llu errors %llu slot %u\n",
                      SP_SLICE_PRINTF(rows[i].name), (unsigned long long)rows[i].span_count,
                      (unsigned long long)rows[i].error_count, rows[i].slot);
}

static void describe_operations(struct sp_store *store, struct sp_slice service,
                                struct sp_time_range range, struct sp_arena *arena,
                                struct sp_buf *out)
{
    struct sp_error error = {0};
    const struct sp_operation_row *rows;
    size_t count;
    expect_ok(sp_store_operations(store, service, range, NULL, arena, &rows, &count, &error),
              &error, "operations");
    for (size_t i = 0; i < count; i++)
        sp_buf_printf(out, "operation %.*s | %.*s | %d spans %llu errors %llu\n",
                      SP_SLICE_PRINTF(rows[i].service), SP_SLICE_PRINTF(rows[i].name), rows[i].kind,
                      (unsigned long long)rows[i].span_count,
                      (unsigned long long)rows[i].error_count);
}

static void describe_values(struct sp_store *store, const struct sp_key_row *key,
                            struct sp_time_range range, struct sp_arena *arena, struct sp_buf *out)
{
    struct sp_error error = {0};
    const struct sp_value_row *rows;
    size_t count;
    bool complete;
    expect_ok(sp_store_attribute_values(store, ALL_SCOPES, key->key, SP_SLICE(""), range, NULL, 20,
                                        arena, &rows, &count, &complete, &error),
              &error, "attribute values");
    for (size_t i = 0; i < count; i++)
        sp_buf_printf(out, "value %.*s = %.*s (%s) spans %llu\n", SP_SLICE_PRINTF(key->key),
                      SP_SLICE_PRINTF(rows[i].text), sp_value_kind_name(rows[i].kind),
                      (unsigned long long)rows[i].span_count);
    sp_buf_printf(out, "values complete %d\n", complete);
}

static void describe_attributes(struct sp_store *store, struct sp_time_range range,
                                struct sp_arena *arena, struct sp_buf *out)
{
    struct sp_error error = {0};
    const struct sp_key_row *rows;
    size_t count;
    bool complete;
    expect_ok(sp_store_attribute_keys(store, ALL_SCOPES, SP_SLICE(""), range, NULL, 1000, arena,
                                      &rows, &count, &complete, &error),
              &error, "attribute keys");
    for (size_t i = 0; i < count; i++)
        sp_buf_printf(out, "key %d %.*s %s spans %llu\n", (int)rows[i].scope,
                      SP_SLICE_PRINTF(rows[i].key), sp_value_kind_name(rows[i].kind),
                      (unsigned long long)rows[i].span_count);
    sp_buf_printf(out, "keys complete %d\n", complete);
    for (size_t i = 0; i < count && i < VALUE_KEYS_MAX; i++)
        describe_values(store, &rows[i * count / VALUE_KEYS_MAX % count], range, arena, out);
}

static void describe_histogram(const char *what, const struct sp_histogram *histogram,
                               struct sp_buf *out)
{
    sp_buf_printf(out, "  %s count %llu zero %llu sum %llu (%llu) min %llu max %llu:", what,
                  (unsigned long long)histogram->count, (unsigned long long)histogram->zero_count,
                  (unsigned long long)sp_histogram_sum(histogram),
                  (unsigned long long)histogram->sum_ns, (unsigned long long)histogram->min_ns,
                  (unsigned long long)histogram->max_ns);
    for (uint32_t i = 0; i < histogram->bucket_count; i++)
        sp_buf_printf(out, " %u:%llu", histogram->buckets[i].index,
                      (unsigned long long)histogram->buckets[i].count);
    sp_buf_append_cstr(out, "\n");
}

static void describe_exemplar(const char *name, const struct sp_span_exemplar *exemplar,
                              struct sp_buf *out)
{
    char trace_id[SP_TRACE_ID_TEXT], span_id[SP_SPAN_ID_TEXT];
    sp_trace_id_format(&exemplar->trace_id, trace_id);
    sp_span_id_format(&exemplar->span_id, span_id);
    sp_buf_printf(out, "  %s %s %s %llu ns\n", name, trace_id, span_id,
                  (unsigned long long)exemplar->duration_ns);
}

static void describe_latency(struct sp_store *store, struct sp_time_range range,
                             struct sp_arena *arena, struct sp_buf *out)
{
    struct sp_error error = {0};
    struct sp_latency_series *rows;
    size_t count;
    expect_ok(sp_store_latency(store, SP_SLICE(""), SP_SLICE(""), -1, range, NULL, arena, &rows,
                               &count, &error),
              &error, "latency");
    for (size_t i = 0; i < count; i++) {
        sp_buf_printf(out, "latency %.*s | %.*s | %d calls %llu errors %llu\n",
                      SP_SLICE_PRINTF(rows[i].service), SP_SLICE_PRINTF(rows[i].operation),
                      rows[i].kind, (unsigned long long)rows[i].calls,
                      (unsigned long long)rows[i].errors);
        describe_histogram("ns", &rows[i].latency, out);
        describe_exemplar("slowest", &rows[i].exemplars.slowest, out);
        describe_exemplar("failed", &rows[i].exemplars.failed, out);
    }
    sp_latency_rows_fini(rows, count);
}

/* Stores may name different traces, or none; but one that is named has a call of that edge, as long as it says. */
static void check_exemplar(struct sp_store *store, const struct sp_graph_edge *edge,
                           struct sp_time_range range, struct sp_arena *arena)
{
    if (sp_trace_id_is_zero(&edge->exemplar)) {
        ck_assert_uint_eq(edge->exemplar_duration_ns, 0);
        return;
    }
    struct sp_error error = {0};
    const struct sp_batch *batch;
    struct sp_trace trace;
    const struct sp_graph_call *calls;
    size_t count;
    range = sp_time_range_minutes(range);
    expect_ok(sp_store_trace_read(store, &edge->exemplar, arena, &batch, &error), &error,
              "trace of an exemplar");
    ck_assert_int_eq(sp_trace_assemble(arena, batch, &trace), SP_OK);
    ck_assert_int_eq(sp_graph_calls(arena, &trace, &calls, &count), SP_OK);
    for (size_t i = 0; i < count; i++) {
        const struct sp_span *span =
            calls[i].client_span != NULL ? calls[i].client_span : calls[i].server_span;
        if (calls[i].type == edge->type && sp_slice_equal(calls[i].client, edge->client) &&
            sp_slice_equal(calls[i].server, edge->server) &&
            sp_time_range_contains(range, calls[i].time_unix_ns) &&
            sp_span_duration_ns(span) == edge->exemplar_duration_ns)
            return;
    }
    ck_abort_msg("the exemplar of %.*s -> %.*s has no such call", SP_SLICE_PRINTF(edge->client),
                 SP_SLICE_PRINTF(edge->server));
}

static void describe_graph(struct sp_store *store, struct sp_time_range range,
                           struct sp_arena *arena, struct sp_buf *out)
{
    struct sp_error error = {0};
    struct sp_graph_edge *edges;
    size_t count;
    expect_ok(sp_store_graph(store, range, NULL, arena, &edges, &count, &error), &error, "graph");
    for (size_t i = 0; i < count; i++) {
        const struct sp_graph_edge *edge = &edges[i];
        check_exemplar(store, edge, range, arena);
        sp_buf_printf(out, "edge %.*s(%s) -> %.*s(%s) %s calls %llu errors %llu\n",
                      SP_SLICE_PRINTF(edge->client), sp_node_type_name(edge->client_type),
                      SP_SLICE_PRINTF(edge->server), sp_node_type_name(edge->server_type),
                      sp_connection_type_name(edge->type), (unsigned long long)edge->calls,
                      (unsigned long long)edge->errors);
        describe_histogram("client", &edge->client_latency, out);
        describe_histogram("server", &edge->server_latency, out);
    }
    sp_graph_edges_fini(edges, count);
}

/* What a caller makes of candidates: the traces that really have a span in range, newest first. */
struct found_trace {
    struct sp_trace_id id;
    uint64_t newest_unix_ns;
    size_t span_count;
};

static int compare_found(const void *a, const void *b)
{
    const struct found_trace *x = a;
    const struct found_trace *y = b;
    int order = (x->newest_unix_ns < y->newest_unix_ns) - (x->newest_unix_ns > y->newest_unix_ns);
    return order != 0 ? order : sp_trace_id_compare(&x->id, &y->id);
}

static bool look_at(struct sp_store *store, const struct sp_candidate *candidate,
                    struct sp_time_range range, struct found_trace *ret)
{
    struct sp_arena arena;
    struct sp_error error = {0};
    const struct sp_batch *batch;
    bool found = false;
    sp_arena_init(&arena, SIZE_MAX);
    expect_ok(sp_store_trace_read(store, &candidate->trace_id, &arena, &batch, &error), &error,
              "trace of a candidate");
    *ret = (struct found_trace){.id = candidate->trace_id, .span_count = batch->span_count};
    for (size_t i = 0; i < batch->span_count; i++) {
        uint64_t start = batch->spans[i].start_unix_ns;
        if (!sp_time_range_contains(range, start))
            continue;
        ck_assert_uint_le(start, candidate->bound_unix_ns);
        found = true;
        ret->newest_unix_ns = start > ret->newest_unix_ns ? start : ret->newest_unix_ns;
    }
    sp_arena_fini(&arena);
    return found;
}

static enum sp_status note_trace(void *cookie, const struct sp_trace_id *id,
                                 const struct sp_batch *trace, struct sp_error *reterr)
{
    struct found_trace **next = cookie;
    (void)reterr;
    *(*next)++ = (struct found_trace){.id = *id, .span_count = trace->span_count};
    return SP_OK;
}

static int compare_found_ids(const void *a, const void *b)
{
    const struct found_trace *x = a;
    const struct found_trace *y = b;
    return sp_trace_id_compare(&x->id, &y->id);
}

/* The keys of a few attributes of spans. */
static uint32_t some_keys(struct sp_store *store, struct sp_time_range range,
                          struct sp_arena *arena, struct sp_slice keys[3])
{
    struct sp_error error = {0};
    const struct sp_key_row *rows;
    size_t count;
    bool complete;
    uint32_t kept = 0;
    expect_ok(sp_store_attribute_keys(store, SP_SCOPE_SPAN, SP_SLICE(""), range, NULL, 1000, arena,
                                      &rows, &count, &complete, &error),
              &error, "attribute keys");
    for (size_t i = 0; i < count && kept < 3; i += 1 + count / 3)
        keys[kept++] = rows[i].key;
    return kept;
}

/* Read together they are what they are one by one. */
static void read_together(struct sp_store *store, struct sp_time_range range,
                          const struct found_trace *found, size_t count,
                          struct sp_arena *of_answers, struct sp_buf *out)
{
    struct sp_slice keys[3];
    uint32_t key_count = some_keys(store, range, of_answers, keys);
    struct sp_arena arena;
    struct sp_error error = {0};
    struct found_trace *sorted = calloc(count + 1, sizeof(*sorted));
    struct found_trace *read = calloc(count + 1, sizeof(*read));
    struct found_trace *next = read;
    struct sp_trace_id *ids = calloc(count + 1, sizeof(*ids));
    if (count > 0)
        memcpy(sorted, found, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare_found_ids);
    for (size_t i = 0; i < count; i++)
        ids[i] = sorted[i].id;
    sp_arena_init(&arena, SIZE_MAX);
    struct sp_traces_reader reader = {.arena = &arena, .visit = note_trace, .cookie = &next};
    expect_ok(sp_store_traces_read(store, ids, count, &reader, &error), &error, "traces");
    ck_assert_uint_eq((size_t)(next - read), count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(sp_trace_id_compare(&read[i].id, &sorted[i].id), 0);
        ck_assert_uint_eq(read[i].span_count, sorted[i].span_count);
    }
    describe_trimmed(store, ids, count, keys, key_count, out);
    sp_arena_fini(&arena);
    free(sorted);
    free(read);
    free(ids);
}

static void describe_scan(struct sp_store *store, struct sp_time_range range,
                          struct sp_arena *arena, struct sp_buf *out)
{
    struct candidate_list list = scan_all(store, arena, &(struct sp_scan){.range = range});
    struct found_trace *found = calloc(list.count + 1, sizeof(*found));
    size_t count = 0;
    for (size_t i = 0; i < list.count; i++)
        count += look_at(store, &list.items[i], range, &found[count]);
    read_together(store, range, found, count, arena, out);
    qsort(found, count, sizeof(*found), compare_found);
    for (size_t i = 0; i < count; i++) {
        char id[SP_TRACE_ID_TEXT];
        sp_trace_id_format(&found[i].id, id);
        sp_buf_printf(out, "trace %s newest %llu spans %zu\n", id,
                      (unsigned long long)found[i].newest_unix_ns, found[i].span_count);
    }
    free(found);
}

/* ---- surveys ---- */

/* The lines of all rows, in one buffer; sorted afterwards, because sheets come in any order. */
struct survey_lines {
    struct sp_buf text;
    const struct sp_sheet_field *fields;
    size_t field_count;
    size_t count;
};

static void describe_row(struct survey_lines *lines, struct sp_sheet *sheet, uint32_t row,
                         const struct sp_sheet_column *columns)
{
    struct sp_buf *out = &lines->text;
    struct sp_error error = {0};
    const uint32_t *templates;
    const uint64_t *starts, *durations;
    struct sp_trace_id id;
    char text[SP_TRACE_ID_TEXT];
    expect_ok(sp_sheet_templates(sheet, &templates, &error), &error, "templates");
    expect_ok(sp_sheet_starts(sheet, &starts, &error), &error, "starts");
    expect_ok(sp_sheet_durations(sheet, &durations, &error), &error, "durations");
    expect_ok(sp_sheet_trace_id(sheet, row, &id, &error), &error, "trace id");
    const struct sp_span *shared = &sheet->templates[templates[row]];
    sp_trace_id_format(&id, text);
    ck_assert_uint_le(sheet->start_min_unix_ns, starts[row]);
    ck_assert_uint_ge(sheet->start_max_unix_ns, starts[row]);
    sp_buf_printf(out, "row %s %llu +%llu %.*s | %.*s | %.*s kind %d status %d", text,
                  (unsigned long long)starts[row], (unsigned long long)durations[row],
                  SP_SLICE_PRINTF(sp_span_service(shared)), SP_SLICE_PRINTF(shared->name),
                  SP_SLICE_PRINTF(shared->scope->name), shared->kind, shared->status_code);
    for (size_t i = 0; i < lines->field_count; i++) {
        uint32_t code = columns[i].codes[row];
        ck_assert_uint_lt(code, columns[i].value_count);
        sp_buf_printf(out, " | %d ", code == 0 ? -1 : (int)columns[i].values[code].kind);
        if (code > 0)
            sp_value_text(&columns[i].values[code], out);
    }
    sp_buf_append_byte(out, 0);
    lines->count++;
}

static enum sp_status describe_sheet(void *cookie, struct sp_sheet *sheet, struct sp_error *reterr)
{
    struct survey_lines *lines = cookie;
    struct sp_sheet_column columns[8];
    const struct sp_span *spans;
    const uint64_t *starts;
    uint32_t matched = 0;
    for (size_t i = 0; i < lines->field_count; i++)
        expect_ok(sp_sheet_column(sheet, &lines->fields[i], &columns[i], reterr), reterr, "column");
    expect_ok(sp_sheet_spans(sheet, &spans, reterr), reterr, "spans");
    expect_ok(sp_sheet_starts(sheet, &starts, reterr), reterr, "starts");
    for (uint32_t row = 0; row < sheet->row_count; row++) {
        if (sheet->rows != NULL && (sheet->rows[row / 64] >> (row % 64) & 1) == 0)
            continue;
        describe_row(lines, sheet, row, columns);
        ck_assert_uint_eq(spans[row].start_unix_ns, starts[row]);
        matched++;
    }
    ck_assert_uint_eq(matched, sheet->match_count);
    ck_assert_uint_gt(matched, 0);
    return SP_OK;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One reader, or two at once. */
static void describe_survey(struct sp_store *store, const struct sp_scan *scan,
                            const struct sp_sheet_field *fields, size_t field_count,
                            uint32_t readers, struct sp_buf *out)
{
    struct survey_lines lines[2];
    struct sp_surveyor surveyors[2];
    struct sp_scanned scanned;
    struct sp_error error = {0};
    size_t count = 0;
    for (int i = 0; i < 2; i++) {
        lines[i] = (struct survey_lines){.fields = fields, .field_count = field_count};
        sp_buf_init(&lines[i].text, SIZE_MAX / 2);
        surveyors[i] = (struct sp_surveyor){.visit = describe_sheet, .cookie = &lines[i]};
    }
    expect_ok(sp_store_survey(store, scan, surveyors, readers, NULL, &scanned, &error), &error,
              "survey");
    const char **sorted = calloc(lines[0].count + lines[1].count + 1, sizeof(char *));
    for (int i = 0; i < 2; i++) {
        const char *at = (const char *)sp_buf_slice(&lines[i].text).ptr;
        for (size_t l = 0; l < lines[i].count; l++, at += strlen(at) + 1)
            sorted[count++] = at;
    }
    qsort(sorted, count, sizeof(*sorted), compare_lines);
    sp_buf_printf(out, "survey of %zu spans\n", count);
    for (size_t i = 0; i < count; i++)
        sp_buf_printf(out, "%s\n", sorted[i]);
    free(sorted);
    for (int i = 0; i < 2; i++)
        sp_buf_fini(&lines[i].text);
}

static void describe_surveys(struct sp_store *store, struct sp_time_range range,
                             struct sp_arena *arena, struct sp_buf *out)
{
    static const uint32_t scopes[] = {SP_SCOPE_SPAN, SP_SCOPE_RESOURCE, SP_SCOPE_INSTRUMENTATION,
                                      SP_SCOPE_SPAN | SP_SCOPE_RESOURCE};
    struct sp_sheet_field fields[5] = {{.field = SP_FIELD_STATUS_MESSAGE}};
    struct sp_error error = {0};
    const struct sp_key_row *rows;
    size_t count;
    bool complete;
    expect_ok(sp_store_attribute_keys(store, ALL_SCOPES, SP_SLICE(""), range, NULL, 1000, arena,
                                      &rows, &count, &complete, &error),
              &error, "attribute keys");
    for (size_t i = 0; i < SP_ARRAY_LEN(scopes); i++)
        fields[i + 1] = (struct sp_sheet_field){.field = SP_FIELD_ATTRIBUTE,
                                                .scopes = scopes[i],
                                                .key = count > 0 ? rows[(i * 7 + 3) % count].key
                                                                 : SP_SLICE("none")};
    describe_survey(store, &(struct sp_scan){.range = range}, fields, SP_ARRAY_LEN(fields), 2, out);
    struct sp_condition conditions[] = {{.field = SP_FIELD_DURATION,
                                         .operation = SP_OP_GT,
                                         .value = {.kind = SP_VALUE_INT, .integer = 1000000}},
                                        {.field = SP_FIELD_ATTRIBUTE,
                                         .scopes = fields[4].scopes,
                                         .key = fields[4].key,
                                         .operation = SP_OP_EXISTS}};
    describe_survey(store,
                    &(struct sp_scan){.range = range,
                                      .conditions = conditions,
                                      .condition_count = SP_ARRAY_LEN(conditions)},
                    fields, SP_ARRAY_LEN(fields), 1, out);
}

void describe_answers(struct sp_store *store, struct sp_time_range range, struct sp_buf *out)
{
    struct sp_arena arena;
    struct sp_error error = {0};
    struct sp_store_stats stats;
    sp_arena_init(&arena, SIZE_MAX);
    expect_ok(sp_store_stats(store, &stats, &error), &error, "stats");
    sp_buf_printf(out, "spans %llu traces %llu oldest %llu newest %llu\n",
                  (unsigned long long)stats.span_count, (unsigned long long)stats.trace_count,
                  (unsigned long long)stats.oldest_unix_ns,
                  (unsigned long long)stats.newest_unix_ns);
    describe_services(store, range, &arena, out);
    describe_operations(store, SP_SLICE(""), range, &arena, out);
    describe_operations(store, SP_SLICE("service-1"), range, &arena, out);
    describe_attributes(store, range, &arena, out);
    describe_latency(store, range, &arena, out);
    describe_graph(store, range, &arena, out);
    describe_surveys(store, range, &arena, out);
    describe_scan(store, range, &arena, out);
    ck_assert_int_eq(out->error, SP_OK);
    sp_arena_fini(&arena);
}

void assert_equal_answers(const char *want_name, const struct sp_buf *want, const char *got_name,
                          const struct sp_buf *got)
{
    struct sp_slice a = sp_buf_slice(want);
    struct sp_slice b = sp_buf_slice(got);
    while (a.len > 0 || b.len > 0) {
        struct sp_slice line_a = sp_slice_sub(a, 0, sp_slice_find(a, '\n'));
        struct sp_slice line_b = sp_slice_sub(b, 0, sp_slice_find(b, '\n'));
        ck_assert_msg(sp_slice_equal(line_a, line_b), "%s: %.*s\n%s: %.*s", want_name,
                      SP_SLICE_PRINTF(line_a), got_name, SP_SLICE_PRINTF(line_b));
        a = sp_slice_sub(a, line_a.len + 1, SIZE_MAX);
        b = sp_slice_sub(b, line_b.len + 1, SIZE_MAX);
    }
}

void assert_same_answers(struct sp_store *want, struct sp_store *got, struct sp_time_range range)
{
    struct sp_buf texts[2];
    for (int i = 0; i < 2; i++) {
        sp_buf_init(&texts[i], SIZE_MAX / 2);
        describe_answers(i == 0 ? want : got, range, &texts[i]);
    }
    assert_equal_answers("reference", &texts[0], "rocksdb", &texts[1]);
    for (int i = 0; i < 2; i++)
        sp_buf_fini(&texts[i]);
}
