/* SPDX-License-Identifier: Apache-2.0
 *
 * query/facets.c: /v1/facets: which values the spans that a query finds have, and how often: of some keys, or of the most telling ones; and with
 * a selection, how its spans differ from the rest. Counts are exact; which keys are the most telling is judged by a sample. */
#include <math.h>
#include <stdlib.h>

#include "query/answer.h"
#include "query/facets.h"
#include "query/pass_explain.h"
#include "query/question.h"
#include "query/split.h"

/* Rows of the table in query/routes.c. */
enum { FROM, TO, Q, KEYS, LIMIT, SELECTION, SELECTION_FROM, SELECTION_TO, EXPLAIN };

enum { REST = SP_SPLIT_REST, SELECTED = SP_SPLIT_SELECTED };

/* What is asked. */
struct facets {
    struct sp_query_call *call;
    struct sp_split split;
    struct sp_rows_question selection;
};

/* ---- which keys tell most ---- */

/* With a selection: the greatest difference of the share that one value has in both sets. Without: how evenly the spans divide (1 minus the
 * chance that two have the same value; 0 where spans have several and that is none), if that many have a value at all. Keys whose values hardly repeat tell nothing. */
static double score_of(const struct sp_split_counter *counter, const struct sp_split_key *facet)
{
    double totals[2] = {(double)counter->totals[REST], (double)counter->totals[SELECTED]};
    double all = totals[REST] + totals[SELECTED], same = 0, difference = 0, carried = 1;
    bool compares = totals[REST] > 0 && totals[SELECTED] > 0;
    for (uint32_t i = 0; i < facet->set.count; i++) {
        const struct sp_series *series = &facet->set.series[i];
        double rest = (double)series->counts[REST], selected = (double)series->counts[SELECTED];
        double share = (rest + selected) / all;
        same += share * share;
        carried -= series->labels[0].type == SP_LABEL_NIL ? share : 0;
        if (compares)
            difference = fmax(difference, fabs(selected / totals[SELECTED] - rest / totals[REST]));
    }
    if (facet->overflows || all == 0 || (double)facet->set.count > 0.5 * carried * all + 1)
        return 0;
    return counter->split->selection ? difference : fmax(1 - same, 0) * carried;
}

/* Keys in the order of the answer: the most telling first, then as they were asked for. */
struct ranked {
    double score;
    uint32_t key;
};

static struct ranked *ranked_keys(const struct sp_split_counter *counter, struct sp_arena *arena)
{
    uint32_t count = counter->split->key_count;
    struct ranked *order = sp_arena_calloc(arena, (size_t)count + 1, sizeof(*order));
    for (uint32_t i = 0; i < count && order; i++) {
        struct ranked own = {score_of(counter, &counter->keys[i]), i};
        uint32_t at = i;
        for (; at > 0 && order[at - 1].score < own.score; at--)
            order[at] = order[at - 1];
        order[at] = own;
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

static void write_facet(const struct facets *facets, const struct ranked *rank,
                        struct sp_split_key *facet, struct sp_json_writer *w)
{
    struct sp_buf name;
    bool with_selection = facets->split.selection != NULL;
    uint64_t limit = facets->call->values[LIMIT].number;
    sp_buf_init(&name, SP_TRACEQL_QUERY_BYTES_MAX);
    sp_traceql_print_node(facets->split.keys[rank->key], &name);
    if (facet->set.count > 0)
        qsort(facet->set.series, facet->set.count, sizeof(*facet->set.series), compare_values);
    sp_json_object_begin(w);
    sp_json_key(w, "key");
    sp_answer_write_text(&name, w);
    sp_json_key(w, "score");
    sp_json_double(w, rank->score);
    sp_json_key(w, "distinct");
    sp_json_u64(w, facet->overflows ? SP_SPLIT_VALUES_MAX : facet->set.count);
    sp_json_key(w, "complete");
    sp_json_bool(w, !facet->overflows);
    sp_json_key(w, "values");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < facet->set.count && i < limit && !facet->overflows; i++)
        write_value(&facet->set.series[i], with_selection, w);
    sp_json_array_end(w);
    sp_json_object_end(w);
}

static enum sp_status write_answer(struct facets *facets, struct sp_split_counter *all,
                                   const struct sp_scanned *scanned, struct sp_error *reterr)
{
    struct sp_query_call *call = facets->call;
    struct sp_json_writer w;
    const struct ranked *order = ranked_keys(all, &call->arena);
    if (!order)
        return sp_arena_failed(&call->arena, reterr, "the keys do not fit into memory");
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "facets");
    sp_json_array_begin(&w);
    for (uint32_t i = 0; i < facets->split.key_count; i++)
        write_facet(facets, &order[i], &all->keys[order[i].key], &w);
    sp_json_array_end(&w);
    sp_json_key(&w, "spans");
    sp_json_u64_string(&w, all->totals[REST] + all->totals[SELECTED]);
    if (facets->split.selection) {
        sp_json_key(&w, "selected");
        sp_json_u64_string(&w, all->totals[SELECTED]);
    }
    sp_answer_scanned(call, scanned, &w);
    const struct sp_pass *pass = &facets->split.pass;
    enum sp_status status = sp_pass_explain(call, pass->query, pass->range, &w, reterr);
    sp_json_object_end(&w);
    return status;
}

/* ---- the keys that are counted ---- */

/* Keeps the most telling keys of a sample. */
static enum sp_status choose_keys(struct facets *facets, struct sp_scanned *scanned,
                                  struct sp_error *reterr)
{
    struct sp_arena *arena = &facets->call->arena;
    struct sp_split_counter sample;
    struct sp_split of_sample = facets->split;
    const struct sp_traceql_node **kept =
        sp_arena_calloc(arena, SP_FACET_KEYS_CHOSEN, sizeof(struct sp_traceql_node *));
    of_sample.rows_max = SP_FACET_SAMPLE_SPANS;
    enum sp_status status = sp_split_count(&of_sample, 1, &sample, scanned, reterr);
    const struct ranked *order = status == SP_OK ? ranked_keys(&sample, arena) : NULL;
    if (status == SP_OK && (!kept || !order))
        status = sp_arena_failed(arena, reterr, "the keys do not fit into memory");
    uint32_t count = 0;
    for (uint32_t i = 0; status == SP_OK && i < of_sample.key_count; i++)
        if (count < SP_FACET_KEYS_CHOSEN && order[i].score > 0)
            kept[count++] = of_sample.keys[order[i].key];
    sp_split_counter_fini(&sample);
    facets->split.keys = kept;
    facets->split.key_count = count;
    return status;
}

static enum sp_status find_keys(struct facets *facets, struct sp_error *reterr)
{
    const struct sp_traceql_node **keys;
    bool all;
    enum sp_status status = sp_split_find_keys(facets->call, facets->split.pass.range,
                                               SP_SCOPE_SPAN | SP_SCOPE_RESOURCE, SP_FACET_KEYS_MAX,
                                               &keys, &facets->split.key_count, &all, reterr);
    facets->split.keys = status == SP_OK ? keys : NULL;
    return status;
}

static enum sp_status prepare_selection(struct facets *facets, struct sp_error *reterr)
{
    struct sp_query_call *call = facets->call;
    const struct sp_parameter_value *values = call->values;
    bool asked = values[SELECTION].set || values[SELECTION_FROM].set || values[SELECTION_TO].set;
    if (!asked)
        return SP_OK;
    const struct sp_traceql_query *query;
    enum sp_status status = sp_traceql_parse(&call->arena, values[SELECTION].text, &query, reterr);
    if (status != SP_OK)
        return sp_question_error(call, "selection", "Not evaluated yet", status, reterr);
    const struct sp_traceql_node *filter =
        sp_pass_single_filter(query->root, query->root->item_count);
    facets->selection =
        (struct sp_rows_question){.query = query, .condition = filter ? filter->left : NULL};
    if (!filter || query->hint_count > 0 ||
        sp_rows_question_reads(&facets->selection) == SP_READS_TRACES)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "selection",
                                      "\"selection\" must be one filter that reads single spans, "
                                      "as { duration > 1s }");
    facets->split.selection = &facets->selection;
    facets->split.selection_range =
        (struct sp_time_range){values[SELECTION_FROM].number, values[SELECTION_TO].number};
    return SP_OK;
}

enum sp_status sp_query_answer_facets(struct sp_query_call *call, struct sp_error *reterr)
{
    struct facets facets = {.call = call, .split = {.rows_max = UINT64_MAX}};
    struct sp_split *split = &facets.split;
    struct sp_split_counter all;
    struct sp_scanned scanned = {0};
    enum sp_status status = sp_answer_pass(call, "q", call->values[Q].text, &split->pass, reterr);
    if (status == SP_OK)
        status = sp_pass_notes_begin(call, EXPLAIN, reterr);
    if (status == SP_OK)
        status = prepare_selection(&facets, reterr);
    bool chosen = !call->values[KEYS].set;
    if (status == SP_OK)
        status = chosen ? find_keys(&facets, reterr)
                        : sp_answer_fields(call, "keys", call->values[KEYS].text, SP_FACET_KEYS_MAX,
                                           &split->keys, &split->key_count, reterr);
    if (status == SP_OK)
        status = sp_pass_prepare(&split->pass, split->keys, split->key_count, reterr);
    if (status == SP_OK && split->selection &&
        sp_query_want_add(&call->arena, split->selection->query, &split->pass.want) != SP_OK)
        status = sp_arena_failed(&call->arena, reterr, "the query is larger than its memory");
    if (status == SP_OK && chosen)
        status = choose_keys(&facets, &scanned, reterr);
    if (status != SP_OK)
        return status;
    status = sp_split_count(split, SP_PASS_THREADS_MAX, &all, &scanned, reterr);
    if (status == SP_OK)
        status = write_answer(&facets, &all, &scanned, reterr);
    sp_split_counter_fini(&all);
    return status;
}
