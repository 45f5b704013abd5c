/* SPDX-License-Identifier: Apache-2.0
 *
 * query/facets.c: /v1/facets: which values the spans that a query finds have, and how often: of some keys, or of the most telling ones; and with
 * a selection, how its spans differ from the rest. Counts are exact; which keys are the most telling is judged by a sample. */
#include <math.h>
#include <stdlib.h>

#include "query/answer.h"
#include "query/facets.h"
#include "query/pass.h"
#include "query/question.h"

/* The sets that are compared, as moments of a series. */
enum { REST, SELECTED };

/* What is asked, for all threads. */
struct facets {
    struct sp_query_call *call;
    struct sp_pass pass;
    const struct sp_traceql_node **keys; /* FIELDs */
    uint32_t key_count;
    const struct sp_traceql_query *selection_query; /* NULL: no selection */
    struct sp_rows_question selection;
    struct sp_time_range selection_range;
    uint64_t rows_max; /* of a sample; UINT64_MAX: all */
};

/* One key, of one thread or of all together. */
struct facet {
    struct sp_rows_question question;
    struct sp_rows *rows;
    struct sp_series_set set; /* one label: the value */
    bool overflows;           /* has more values than are held */
    double score;
};

struct counter {
    const struct facets *facets;
    struct sp_arena arena;
    struct sp_rows_question question;
    struct sp_rows *filter, *selection;
    struct facet *items;
    uint64_t totals[2], rows;
    bool enough; /* the sample is full */
};

/* ---- counting ---- */

/* Bits of the taken rows that are selected; NULL with SP_OK: none is asked for. */
static enum sp_status select_rows(struct counter *counter, struct sp_sheet *sheet,
                                  const struct sp_rows_taken *taken, uint64_t **ret,
                                  struct sp_error *reterr)
{
    const struct facets *facets = counter->facets;
    size_t words = (size_t)sheet->row_count / 64 + 1;
    struct sp_rows_taken selected = *taken;
    const uint64_t *starts;
    *ret = NULL;
    if (!facets->selection_query)
        return SP_OK;
    uint64_t *bits = calloc(words, sizeof(*bits));
    if (!bits)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to compare spans");
    enum sp_status status =
        sp_rows_open(counter->selection, sheet, NULL, &facets->call->stop, &selected, reterr);
    if (status == SP_OK)
        status = sp_sheet_starts(sheet, &starts, reterr);
    for (uint32_t row = 0; row < sheet->row_count && status == SP_OK; row++)
        if (sp_bits_have(selected.bits, row) &&
            sp_time_range_contains(facets->selection_range, starts[row]))
            bits[row / 64] |= (uint64_t)1 << (row % 64);
    if (status != SP_OK) {
        free(bits);
        return status;
    }
    *ret = bits;
    return SP_OK;
}

static enum sp_status count_key(struct counter *counter, struct facet *facet,
                                struct sp_sheet *sheet, const struct sp_trace_facts *facts,
                                const uint64_t *selected, struct sp_error *reterr)
{
    struct sp_rows_taken taken;
    const uint32_t *series;
    enum sp_status status =
        sp_rows_open(facet->rows, sheet, facts, &counter->facets->call->stop, &taken, reterr);
    if (status == SP_OK)
        status = sp_rows_series(facet->rows, &facet->set, &series, reterr);
    for (uint32_t row = 0; row < sheet->row_count && status == SP_OK; row++)
        if (sp_bits_have(taken.bits, row))
            facet->set.series[series[row]]
                .counts[selected && sp_bits_have(selected, row) ? SELECTED : REST]++;
    facet->overflows |= facet->set.count > SP_FACET_VALUES_MAX;
    return status;
}

static enum sp_status visit(void *cookie, struct sp_sheet *sheet,
                            const struct sp_trace_facts *facts, struct sp_error *reterr)
{
    struct counter *counter = cookie;
    struct sp_rows_taken taken;
    uint64_t *selected = NULL;
    if (counter->rows >= counter->facets->rows_max) {
        counter->enough = true;
        return sp_error_set(reterr, SP_CANCELLED, "the sample is full");
    }
    enum sp_status status =
        sp_rows_open(counter->filter, sheet, facts, &counter->facets->call->stop, &taken, reterr);
    if (status != SP_OK || taken.count == 0)
        return status;
    sheet->rows = taken.bits; /* for the others */
    sheet->match_count = taken.count;
    status = select_rows(counter, sheet, &taken, &selected, reterr);
    for (uint32_t i = 0; i < counter->facets->key_count && status == SP_OK; i++)
        if (!counter->items[i].overflows)
            status = count_key(counter, &counter->items[i], sheet, facts, selected, reterr);
    uint64_t chosen = 0;
    for (uint32_t i = 0; i < (sheet->row_count + 63) / 64 && selected; i++)
        chosen += (uint64_t)__builtin_popcountll(selected[i]);
    counter->totals[SELECTED] += chosen;
    counter->totals[REST] += taken.count - chosen;
    counter->rows += taken.count;
    free(selected);
    return status;
}

static enum sp_status counter_init(struct counter *counter, const struct facets *facets,
                                   uint64_t seed, struct sp_error *reterr)
{
    const struct sp_pass *pass = &facets->pass;
    size_t memory = sp_pass_visitor_bytes(pass);
    *counter = (struct counter){.facets = facets};
    sp_arena_init(&counter->arena, memory);
    counter->question =
        (struct sp_rows_question){.query = pass->query, .condition = pass->condition};
    counter->items =
        sp_arena_calloc(&counter->arena, (size_t)facets->key_count + 1, sizeof(*counter->items));
    if (!counter->items)
        return sp_arena_failed(&counter->arena, reterr, "the keys do not fit into memory");
    enum sp_status status = sp_rows_new(&counter->arena, &counter->question, pass->condition_known,
                                        memory, &counter->filter, reterr);
    if (status == SP_OK && facets->selection_query)
        status = sp_rows_new(&counter->arena, &facets->selection, false, memory,
                             &counter->selection, reterr);
    for (uint32_t i = 0; i < facets->key_count && status == SP_OK; i++) {
        struct facet *item = &counter->items[i];
        item->question = (struct sp_rows_question){
            .query = pass->query, .keys = &facets->keys[i], .key_count = 1};
        sp_series_set_init(&item->set, &counter->arena, SP_CELL_COUNT, 1, 2, seed);
        status = sp_rows_new(&counter->arena, &item->question, true, memory, &item->rows, reterr);
    }
    return status;
}

static void counter_fini(struct counter *counter)
{
    for (uint32_t i = 0; counter->items && i < counter->facets->key_count; i++)
        sp_rows_free(counter->items[i].rows);
    sp_rows_free(counter->filter);
    sp_rows_free(counter->selection);
    sp_arena_fini(&counter->arena);
}

static enum sp_status merge(struct counter *into, const struct counter *from,
                            struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < into->facets->key_count && status == SP_OK; i++) {
        struct facet *facet = &into->items[i];
        facet->overflows |= from->items[i].overflows;
        if (!facet->overflows)
            status = sp_series_merge(&facet->set, &from->items[i].set, reterr);
        facet->overflows |= facet->set.count > SP_FACET_VALUES_MAX;
    }
    into->totals[REST] += from->totals[REST];
    into->totals[SELECTED] += from->totals[SELECTED];
    return status;
}

/* ---- which keys tell most ---- */

/* With a selection: the greatest difference of the share that one value has in both sets. Without: how evenly the spans divide (1 minus the
 * chance that two have the same value), if that many have a value at all. Keys whose values hardly repeat tell nothing. */
static double score_of(const struct counter *counter, const struct facet *facet)
{
    double totals[2] = {(double)counter->totals[REST], (double)counter->totals[SELECTED]};
    double all = totals[REST] + totals[SELECTED], same = 0, difference = 0, carried = 0;
    bool compares = totals[REST] > 0 && totals[SELECTED] > 0;
    for (uint32_t i = 0; i < facet->set.count; i++) {
        const struct sp_series *series = &facet->set.series[i];
        double rest = (double)series->counts[REST], selected = (double)series->counts[SELECTED];
        double share = (rest + selected) / all;
        same += share * share;
        carried += series->labels[0].type != SP_LABEL_NIL ? share : 0;
        if (compares)
            difference = fmax(difference, fabs(selected / totals[SELECTED] - rest / totals[REST]));
    }
    if (facet->overflows || all == 0 || (double)facet->set.count > 0.5 * carried * all + 1)
        return 0;
    return counter->facets->selection_query ? difference : (1 - same) * carried;
}

/* The order of the answer: the most telling first, then as they were asked for. */
static uint32_t *ordered_keys(struct counter *counter, struct sp_arena *arena)
{
    uint32_t count = counter->facets->key_count;
    uint32_t *order = sp_arena_calloc(arena, (size_t)count + 1, sizeof(*order));
    for (uint32_t i = 0; i < count && order; i++) {
        uint32_t at = i;
        counter->items[i].score = score_of(counter, &counter->items[i]);
        for (; at > 0 && counter->items[order[at - 1]].score < counter->items[i].score; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    return order;
}

/* ---- the answer ---- */

static uint64_t count_of(const struct sp_series *series)
{
    return series->counts[REST] + series->counts[SELECTED];
}

static int compare_values(const void *a, const void *b)
{
    const struct sp_series *x = a, *y = b;
    uint64_t m = count_of(x), n = count_of(y);
    if (m != n)
        return m > n ? -1 : 1;
    return sp_label_compare(x->labels, y->labels);
}

static void write_value(const struct sp_series *series, bool with_selection,
                        struct sp_json_writer *w)
{
    sp_json_object_begin(w);
    sp_answer_label(&series->labels[0], w);
    sp_json_key(w, "count");
    sp_json_u64_string(w, count_of(series));
    if (with_selection) {
        sp_json_key(w, "selected");
        sp_json_u64_string(w, series->counts[SELECTED]);
    }
    sp_json_object_end(w);
}

static void write_facet(const struct facets *facets, uint32_t key, struct facet *facet,
                        uint64_t limit, struct sp_json_writer *w)
{
    struct sp_buf name;
    bool with_selection = facets->selection_query != NULL;
    sp_buf_init(&name, SP_TRACEQL_QUERY_BYTES_MAX);
    sp_traceql_print_node(facets->keys[key], &name);
    if (facet->set.count > 0)
        qsort(facet->set.series, facet->set.count, sizeof(*facet->set.series), compare_values);
    sp_json_object_begin(w);
    sp_json_key(w, "key");
    sp_json_string(w, sp_buf_slice(&name));
    sp_json_key(w, "score");
    sp_json_double(w, facet->score);
    sp_json_key(w, "distinct");
    sp_json_u64(w, facet->overflows ? SP_FACET_VALUES_MAX : facet->set.count);
    sp_json_key(w, "complete");
    sp_json_bool(w, !facet->overflows);
    sp_json_key(w, "values");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < facet->set.count && i < limit && !facet->overflows; i++)
        write_value(&facet->set.series[i], with_selection, w);
    sp_json_array_end(w);
    sp_json_object_end(w);
    sp_buf_fini(&name);
}

/* Rows of the table in query/routes.c. */
enum { FROM, TO, Q, KEYS, LIMIT, SELECTION, SELECTION_FROM, SELECTION_TO };

static enum sp_status write_answer(struct facets *facets, struct counter *all,
                                   const struct sp_scanned *scanned, struct sp_error *reterr)
{
    struct sp_query_call *call = facets->call;
    struct sp_json_writer w;
    const uint32_t *order = ordered_keys(all, &call->arena);
    if (!order)
        return sp_arena_failed(&call->arena, reterr, "the keys do not fit into memory");
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "facets");
    sp_json_array_begin(&w);
    for (uint32_t i = 0; i < facets->key_count; i++)
        write_facet(facets, order[i], &all->items[order[i]], call->values[LIMIT].number, &w);
    sp_json_array_end(&w);
    sp_json_key(&w, "spans");
    sp_json_u64_string(&w, all->totals[REST] + all->totals[SELECTED]);
    if (facets->selection_query) {
        sp_json_key(&w, "selected");
        sp_json_u64_string(&w, all->totals[SELECTED]);
    }
    sp_answer_scanned(call, scanned, &w);
    sp_json_object_end(&w);
    return SP_OK;
}

/* ---- passes ---- */

/* Counts with so many threads; *all is the first of them, which the caller finishes in any case. */
static enum sp_status count_all(struct facets *facets, uint32_t threads, struct counter *all,
                                struct sp_scanned *scanned, struct sp_error *reterr)
{
    struct counter others[SP_PASS_THREADS_MAX];
    struct sp_pass_visitor visitors[SP_PASS_THREADS_MAX];
    uint64_t seed = sp_answer_seed(facets->call);
    uint32_t made = 1;
    enum sp_status status = counter_init(all, facets, seed, reterr);
    visitors[0] = (struct sp_pass_visitor){visit, all};
    for (; made < threads && status == SP_OK; made++) {
        status = counter_init(&others[made], facets, seed, reterr);
        visitors[made] = (struct sp_pass_visitor){visit, &others[made]};
    }
    if (status == SP_OK)
        status = sp_pass_run(&facets->pass, visitors, made, scanned, reterr);
    if (status == SP_CANCELLED && all->enough)
        status = SP_OK;
    for (uint32_t i = 1; i < made; i++) {
        if (status == SP_OK)
            status = merge(all, &others[i], reterr);
        counter_fini(&others[i]);
    }
    return status;
}

/* Keeps the most telling keys of a sample. */
static enum sp_status choose_keys(struct facets *facets, struct sp_scanned *scanned,
                                  struct sp_error *reterr)
{
    struct counter sample;
    facets->rows_max = SP_FACET_SAMPLE_SPANS;
    enum sp_status status = count_all(facets, 1, &sample, scanned, reterr);
    if (status == SP_OK) {
        const struct sp_traceql_node **kept = sp_arena_calloc(
            &facets->call->arena, SP_FACET_KEYS_CHOSEN, sizeof(struct sp_traceql_node *));
        const uint32_t *order = ordered_keys(&sample, &facets->call->arena);
        uint32_t count = 0;
        if (!kept || !order)
            status = sp_arena_failed(&facets->call->arena, reterr, "the keys are too many");
        for (uint32_t i = 0; status == SP_OK && i < facets->key_count; i++)
            if (count < SP_FACET_KEYS_CHOSEN && sample.items[order[i]].score > 0)
                kept[count++] = facets->keys[order[i]];
        if (status == SP_OK) {
            counter_fini(&sample);
            facets->keys = kept;
            facets->key_count = count;
            return SP_OK;
        }
    }
    counter_fini(&sample);
    return status;
}

/* ---- the question ---- */

/* "span.a, resource.b" as the fields that select() would read. */
static enum sp_status parse_keys(struct facets *facets, struct sp_slice text,
                                 struct sp_error *reterr)
{
    static const char before[] = "{} | select(";
    struct sp_arena *arena = &facets->call->arena;
    const struct sp_traceql_query *query;
    struct sp_buf whole;
    struct sp_slice copy;
    sp_buf_init(&whole, SP_TRACEQL_QUERY_BYTES_MAX);
    sp_buf_printf(&whole, "%s%.*s)", before, SP_SLICE_PRINTF(text));
    bool good = whole.error == SP_OK && sp_arena_copy(arena, sp_buf_slice(&whole), &copy);
    sp_buf_fini(&whole);
    if (!good)
        return sp_error_set_parameter(reterr, SP_LIMIT, "keys", "\"keys\" is too long");
    enum sp_status status = sp_traceql_parse(arena, copy, &query, reterr);
    bool one_list = status == SP_OK && query->root->item_count == 2 && query->hint_count == 0;
    if (!one_list)
        return sp_error_set_parameter(
            reterr, SP_INVALID_ARGUMENT, "keys",
            "\"keys\" must be fields with commas between them, as name,span.http.route");
    const struct sp_traceql_node *list = query->root->items[1];
    if (list->item_count > SP_FACET_KEYS_MAX)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "keys",
                                      "\"keys\" takes at most %u fields", SP_FACET_KEYS_MAX);
    facets->keys = sp_arena_calloc(arena, list->item_count, sizeof(struct sp_traceql_node *));
    if (!facets->keys)
        return sp_arena_failed(arena, reterr, "the keys do not fit into memory");
    for (uint32_t i = 0; i < list->item_count; i++)
        facets->keys[facets->key_count++] = list->items[i];
    return SP_OK;
}

static enum sp_status add_field(struct facets *facets, struct sp_traceql_field field,
                                struct sp_error *reterr)
{
    struct sp_traceql_node *node = sp_arena_calloc(&facets->call->arena, 1, sizeof(*node));
    if (!node)
        return sp_arena_failed(&facets->call->arena, reterr, "the keys do not fit into memory");
    *node = (struct sp_traceql_node){.kind = SP_TRACEQL_FIELD, .depth = 1, .reads_span = true};
    node->field = field;
    facets->keys[facets->key_count++] = node;
    return SP_OK;
}

static int compare_key_rows(const void *a, const void *b)
{
    const struct sp_key_row *x = a, *y = b;
    if (x->span_count != y->span_count)
        return x->span_count > y->span_count ? -1 : 1;
    return sp_slice_compare(x->key, y->key);
}

/* What many spans have, and a few attributes that most of them carry. */
static enum sp_status find_keys(struct facets *facets, struct sp_error *reterr)
{
    static const enum sp_traceql_intrinsic intrinsics[] = {SP_TRACEQL_SERVICE, SP_TRACEQL_NAME,
                                                           SP_TRACEQL_KIND, SP_TRACEQL_STATUS,
                                                           SP_TRACEQL_STATUS_MESSAGE};
    struct sp_arena *arena = &facets->call->arena;
    const struct sp_key_row *found;
    size_t count;
    bool complete;
    enum sp_status status = sp_store_attribute_keys(
        facets->call->api->store, SP_SCOPE_SPAN | SP_SCOPE_RESOURCE, SP_SLICE(""),
        facets->pass.range, &facets->call->stop, 10000, arena, &found, &count, &complete, reterr);
    if (status != SP_OK)
        return status;
    struct sp_key_row *rows = sp_arena_calloc(arena, count + 1, sizeof(*rows));
    facets->keys = sp_arena_calloc(arena, SP_FACET_KEYS_MAX, sizeof(struct sp_traceql_node *));
    if (!rows || !facets->keys)
        return sp_arena_failed(arena, reterr, "the keys do not fit into memory");
    for (size_t i = 0; i < SP_ARRAY_LEN(intrinsics) && status == SP_OK; i++)
        status = add_field(facets, (struct sp_traceql_field){.intrinsic = intrinsics[i]}, reterr);
    if (count > 0) {
        memcpy(rows, found, count * sizeof(*rows));
        qsort(rows, count, sizeof(*rows), compare_key_rows);
    }
    for (size_t i = 0; i < count && facets->key_count < SP_FACET_KEYS_MAX && status == SP_OK; i++) {
        bool known = false; /* under another kind of value */
        for (size_t k = 0; k < i && !known; k++)
            known = rows[k].scope == rows[i].scope && sp_slice_equal(rows[k].key, rows[i].key);
        struct sp_traceql_field field = {.key = rows[i].key,
                                         .scope = rows[i].scope == SP_SCOPE_SPAN
                                                      ? SP_TRACEQL_SCOPE_SPAN
                                                      : SP_TRACEQL_SCOPE_RESOURCE};
        if (!known)
            status = add_field(facets, field, reterr);
    }
    return status;
}

static enum sp_status prepare_selection(struct facets *facets, struct sp_error *reterr)
{
    struct sp_query_call *call = facets->call;
    const struct sp_parameter_value *values = call->values;
    bool asked = values[SELECTION].set || values[SELECTION_FROM].set || values[SELECTION_TO].set;
    if (!asked)
        return SP_OK;
    enum sp_status status =
        sp_traceql_parse(&call->arena, values[SELECTION].text, &facets->selection_query, reterr);
    if (status != SP_OK)
        return sp_question_error(call, "selection", "Not evaluated yet", status, reterr);
    const struct sp_traceql_node *root = facets->selection_query->root;
    const struct sp_traceql_node *filter = sp_pass_single_filter(root, root->item_count);
    facets->selection = (struct sp_rows_question){.query = facets->selection_query,
                                                  .condition = filter ? filter->left : NULL};
    if (!filter || facets->selection_query->hint_count > 0 ||
        sp_rows_question_reads(&facets->selection) == SP_READS_TRACES)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "selection",
                                      "\"selection\" must be one filter that reads single spans, "
                                      "as { duration > 1s }");
    facets->selection_range =
        (struct sp_time_range){values[SELECTION_FROM].number, values[SELECTION_TO].number};
    return SP_OK;
}

enum sp_status sp_query_answer_facets(struct sp_query_call *call, struct sp_error *reterr)
{
    struct facets facets = {.call = call, .rows_max = UINT64_MAX};
    struct counter all;
    struct sp_scanned scanned = {0};
    enum sp_status status = sp_answer_pass(call, "q", call->values[Q].text, &facets.pass, reterr);
    if (status == SP_OK)
        status = prepare_selection(&facets, reterr);
    bool chosen = !call->values[KEYS].set;
    if (status == SP_OK)
        status = chosen ? find_keys(&facets, reterr)
                        : parse_keys(&facets, call->values[KEYS].text, reterr);
    if (status == SP_OK)
        status = sp_pass_prepare(&facets.pass, facets.keys, facets.key_count, reterr);
    if (status == SP_OK && chosen)
        status = choose_keys(&facets, &scanned, reterr);
    if (status != SP_OK)
        return status;
    facets.rows_max = UINT64_MAX;
    status = count_all(&facets, SP_PASS_THREADS_MAX, &all, &scanned, reterr);
    if (status == SP_OK)
        status = write_answer(&facets, &all, &scanned, reterr);
    counter_fini(&all);
    return status;
}
