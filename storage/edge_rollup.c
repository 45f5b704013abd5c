/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/edge_rollup.c: rows of a rollup of edges, sums that parts can be taken out of, and the graph they become. Knows neither
 * blocks nor bytes. */
#include "storage/edge_rollup.h"

static void init(struct sp_edge_rollup *rollup, uint32_t added_max, uint32_t taken_max)
{
    *rollup = (struct sp_edge_rollup){.added_max = added_max,
                                      .taken_max = taken_max,
                                      .row_numbers.seed = sp_hash_seed(),
                                      .cells.seed = sp_hash_seed()};
    sp_interner_init(&rollup->texts);
    sp_interner_init(&rollup->edges);
}

void sp_edge_rollup_init(struct sp_edge_rollup *rollup)
{
    init(rollup, SP_EDGE_ADDED_MAX, SP_EDGE_TAKEN_MAX);
}

void sp_edge_rollup_init_answer(struct sp_edge_rollup *rollup)
{
    init(rollup, SP_EDGE_ANSWER_MAX, SP_EDGE_ANSWER_MAX);
    rollup->one_minute = true;
}

void sp_edge_rollup_fini(struct sp_edge_rollup *rollup)
{
    if (rollup == NULL)
        return;
    sp_interner_fini(&rollup->texts);
    sp_interner_fini(&rollup->edges);
    for (uint32_t i = 0; i < rollup->rows.count; i++) {
        free(rollup->rows.items[i].added.items);
        free(rollup->rows.items[i].taken.items);
    }
    sp_vector_fini(&rollup->rows);
    sp_counts_fini(&rollup->row_numbers);
    sp_counts_fini(&rollup->cells);
    *rollup = (struct sp_edge_rollup){0};
}

enum sp_status sp_edge_rollup_failed(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory for the calls of a segment");
}

/* ---- numbers ---- */

uint32_t sp_edge_rollup_edge(struct sp_edge_rollup *rollup, struct sp_slice client,
                             enum sp_node_type client_type, struct sp_slice server,
                             enum sp_node_type server_type, enum sp_connection_type type)
{
    struct sp_edge_key key = {.client = sp_interner_add(&rollup->texts, 0, client),
                              .server = sp_interner_add(&rollup->texts, 0, server),
                              .client_type = client_type,
                              .server_type = server_type,
                              .type = type};
    if (key.client == SP_INTERNER_NONE || key.server == SP_INTERNER_NONE)
        return SP_INTERNER_NONE;
    return sp_interner_add(&rollup->edges, 0, sp_slice_make(&key, sizeof(key)));
}

uint32_t sp_edge_rollup_row(struct sp_edge_rollup *rollup, uint32_t minute, uint32_t edge)
{
    minute = rollup->one_minute ? 0 : sp_rollup_minute_of(rollup->minutes_a_row, minute);
    uint64_t *number = sp_counts_at(&rollup->row_numbers, (uint64_t)minute << 32 | edge);
    if (number == NULL)
        return UINT32_MAX;
    if (*number == 0) {
        struct sp_edge_row row = {.minute = minute, .edge = edge};
        if (rollup->rows.count == SP_ROLLUP_ROWS_MAX || !sp_vector_push(&rollup->rows, row))
            return UINT32_MAX;
        *number = rollup->rows.count;
    }
    return (uint32_t)(*number - 1);
}

/* ---- candidates for the exemplar ---- */

/* < 0: a is slower, or as slow with the smaller trace id. */
static int compare_candidates(const struct sp_edge_candidate *a, const struct sp_edge_candidate *b)
{
    int order = (a->duration_ns < b->duration_ns) - (a->duration_ns > b->duration_ns);
    return order != 0 ? order : sp_trace_id_compare(&a->trace_id, &b->trace_id);
}

/* Takes as much as both have off both. */
static void cancel(struct sp_edge_candidates *list, struct sp_edge_candidate *candidate)
{
    for (uint32_t i = 0; i < list->count; i++) {
        struct sp_edge_candidate *other = &list->items[i];
        int order = compare_candidates(other, candidate);
        if (order > 0)
            return;
        if (order < 0)
            continue;
        uint32_t times = other->times < candidate->times ? other->times : candidate->times;
        candidate->times -= times;
        other->times -= times;
        if (other->times == 0) {
            list->count--;
            memmove(other, other + 1, (list->count - i) * sizeof(*other));
        }
        return;
    }
}

/* Keeps at most max, of which one that falls out is *ret_lost, otherwise its times are 0. */
static bool insert(struct sp_edge_candidates *list, const struct sp_edge_candidate *candidate,
                   uint32_t max, struct sp_edge_candidate *ret_lost)
{
    *ret_lost = (struct sp_edge_candidate){0};
    uint32_t at = list->count;
    while (at > 0 && compare_candidates(&list->items[at - 1], candidate) > 0)
        at--;
    if (at > 0 && compare_candidates(&list->items[at - 1], candidate) == 0) {
        list->items[at - 1].times += candidate->times;
        return true;
    }
    if (list->count == max) {
        *ret_lost = at == max ? *candidate : list->items[max - 1];
        if (at == max)
            return true;
        list->count--;
    } else if (list->count == list->cap) {
        uint32_t cap = list->cap > 0 ? list->cap * 2 : 2;
        struct sp_edge_candidate *grown = realloc(list->items, cap * sizeof(*grown));
        if (grown == NULL)
            return false;
        list->items = grown;
        list->cap = cap;
    }
    memmove(&list->items[at + 1], &list->items[at], (list->count - at) * sizeof(*list->items));
    list->items[at] = *candidate;
    list->count++;
    return true;
}

static bool is_trusted(const struct sp_edge_row *row, const struct sp_edge_candidate *candidate)
{
    return row->forgotten.times == 0 || compare_candidates(candidate, &row->forgotten) < 0;
}

void sp_edge_row_forget(struct sp_edge_row *row, const struct sp_edge_candidate *candidate)
{
    if (candidate->times == 0 || !is_trusted(row, candidate))
        return;
    row->forgotten = *candidate;
    struct sp_edge_candidates *lists[] = {&row->added, &row->taken};
    for (size_t i = 0; i < SP_ARRAY_LEN(lists); i++)
        while (lists[i]->count > 0 && !is_trusted(row, &lists[i]->items[lists[i]->count - 1]))
            lists[i]->count--;
}

bool sp_edge_row_candidate(const struct sp_edge_rollup *rollup, struct sp_edge_row *row,
                           struct sp_edge_candidate candidate, enum sp_edge_sign sign)
{
    struct sp_edge_candidate lost;
    if (!is_trusted(row, &candidate))
        return true;
    cancel(sign == SP_EDGE_ADD ? &row->taken : &row->added, &candidate);
    if (candidate.times == 0)
        return true;
    if (sign == SP_EDGE_ADD)
        return insert(&row->added, &candidate, rollup->added_max, &lost);
    if (!insert(&row->taken, &candidate, rollup->taken_max, &lost))
        return false;
    sp_edge_row_forget(row, &lost);
    return true;
}

/* ---- calls ---- */

static bool add_duration(struct sp_edge_rollup *rollup, uint32_t row, uint32_t side,
                         uint64_t duration_ns, uint64_t times)
{
    uint64_t cell = duration_ns == 0 ? 0 : 1 + (uint64_t)sp_histogram_index(duration_ns);
    return sp_counts_add(&rollup->cells, row * SP_EDGE_CELLS + side * SP_ROLLUP_CELLS + cell,
                         times);
}

bool sp_edge_rollup_call(struct sp_edge_rollup *rollup, const struct sp_edge_call *call,
                         const struct sp_trace_id *trace_id, enum sp_edge_sign sign)
{
    uint64_t one = sign == SP_EDGE_ADD ? 1 : UINT64_MAX;
    uint32_t number = sp_edge_rollup_row(rollup, call->minute, call->edge);
    if (number == UINT32_MAX)
        return false;
    struct sp_edge_row *row = &rollup->rows.items[number];
    struct sp_edge_candidate candidate = {.trace_id = *trace_id, .times = 1};
    row->calls += one;
    row->errors += call->error ? one : 0;
    if (call->has_server) {
        candidate.duration_ns = call->server_ns;
        row->server_sum_ns += one * call->server_ns;
        if (!add_duration(rollup, number, 1, call->server_ns, one))
            return false;
    }
    if (call->has_client) {
        candidate.duration_ns = call->client_ns;
        row->client_sum_ns += one * call->client_ns;
        if (!add_duration(rollup, number, 0, call->client_ns, one))
            return false;
    }
    return sp_edge_row_candidate(rollup, row, candidate, sign);
}

enum sp_status sp_edge_rollup_merge(struct sp_edge_rollup *into, const struct sp_edge_rollup *from,
                                    struct sp_time_range range, struct sp_error *reterr)
{
    if (sp_time_range_is_empty(range))
        return SP_OK;
    range = sp_time_range_minutes(range);
    uint32_t *rows = calloc((size_t)from->rows.count + 1, sizeof(*rows));
    bool fits = rows != NULL;
    for (uint32_t i = 0; i < from->rows.count && fits; i++) {
        const struct sp_edge_row *row = &from->rows.items[i];
        rows[i] = UINT32_MAX;
        if (!sp_time_range_contains(range, row->minute * SP_ROLLUP_NS))
            continue;
        const struct sp_edge_key *key = sp_edge_key_at(from, row->edge);
        uint32_t edge = sp_edge_rollup_edge(
            into, from->texts.texts.items[key->client], (enum sp_node_type)key->client_type,
            from->texts.texts.items[key->server], (enum sp_node_type)key->server_type,
            (enum sp_connection_type)key->type);
        rows[i] =
            edge != SP_INTERNER_NONE ? sp_edge_rollup_row(into, row->minute, edge) : UINT32_MAX;
        if (rows[i] == UINT32_MAX) {
            fits = false;
            break;
        }
        struct sp_edge_row *to = &into->rows.items[rows[i]];
        to->calls += row->calls;
        to->errors += row->errors;
        to->client_sum_ns += row->client_sum_ns;
        to->server_sum_ns += row->server_sum_ns;
        sp_edge_row_forget(to, &row->forgotten);
        for (uint32_t c = 0; c < row->added.count && fits; c++)
            fits = sp_edge_row_candidate(into, to, row->added.items[c], SP_EDGE_ADD);
        for (uint32_t c = 0; c < row->taken.count && fits; c++)
            fits = sp_edge_row_candidate(into, to, row->taken.items[c], SP_EDGE_TAKE);
    }
    for (size_t i = 0; i < from->cells.slot_count && fits; i++) {
        const struct sp_count *cell = &from->cells.slots[i];
        if (cell->key == 0)
            continue;
        uint32_t row = rows[(cell->key - 1) / SP_EDGE_CELLS];
        if (row != UINT32_MAX)
            fits = sp_counts_add(
                &into->cells, row * SP_EDGE_CELLS + (cell->key - 1) % SP_EDGE_CELLS, cell->count);
    }
    free(rows);
    return fits ? SP_OK : sp_edge_rollup_failed(reterr);
}

/* ---- the graph ---- */

static enum sp_status impossible(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_CORRUPT, "the stored calls of segments do not add up");
}

/* histograms: of each row client and server. */
static enum sp_status fill_histograms(const struct sp_edge_rollup *rollup,
                                      struct sp_histogram *histograms, struct sp_error *reterr)
{
    for (size_t i = 0; i < rollup->cells.slot_count; i++) {
        const struct sp_count *cell = &rollup->cells.slots[i];
        if (cell->key == 0 || cell->count == 0)
            continue;
        if (cell->count > INT64_MAX)
            return impossible(reterr);
        struct sp_histogram *histogram = &histograms[(cell->key - 1) / SP_ROLLUP_CELLS];
        uint64_t bucket = (cell->key - 1) % SP_ROLLUP_CELLS;
        if (bucket == 0) {
            histogram->zero_count += cell->count;
            histogram->count += cell->count;
        } else if (sp_histogram_add_bucket(histogram, (uint16_t)(bucket - 1), cell->count) !=
                   SP_OK) {
            return sp_edge_rollup_failed(reterr);
        }
    }
    return SP_OK;
}

static enum sp_status add_row(const struct sp_edge_rollup *rollup, const struct sp_edge_row *row,
                              const struct sp_histogram *histograms, struct sp_graph *graph,
                              struct sp_error *reterr)
{
    const struct sp_edge_key *key = sp_edge_key_at(rollup, row->edge);
    if (row->calls > INT64_MAX || row->errors > row->calls || histograms[0].count > row->calls ||
        histograms[1].count > row->calls)
        return impossible(reterr);
    if (row->calls == 0)
        return SP_OK;
    struct sp_graph_edge edge = {.client = rollup->texts.texts.items[key->client],
                                 .server = rollup->texts.texts.items[key->server],
                                 .client_type = (enum sp_node_type)key->client_type,
                                 .server_type = (enum sp_node_type)key->server_type,
                                 .type = (enum sp_connection_type)key->type,
                                 .calls = row->calls,
                                 .errors = row->errors,
                                 .client_latency = histograms[0],
                                 .server_latency = histograms[1]};
    edge.client_latency.sum_ns = row->client_sum_ns;
    edge.server_latency.sum_ns = row->server_sum_ns;
    sp_histogram_widen(&edge.client_latency);
    sp_histogram_widen(&edge.server_latency);
    if (row->added.count > 0) {
        edge.exemplar = row->added.items[0].trace_id;
        edge.exemplar_duration_ns = row->added.items[0].duration_ns;
    }
    enum sp_status status = sp_graph_merge(graph, &edge, 1);
    if (status != SP_OK)
        return sp_error_set(reterr, status, "%s",
                            status == SP_LIMIT ? "the dependency graph has too many nodes"
                                               : "no memory for the dependency graph");
    return SP_OK;
}

enum sp_status sp_edge_rollup_graph(const struct sp_edge_rollup *rollup, struct sp_graph *graph,
                                    struct sp_error *reterr)
{
    struct sp_histogram *histograms =
        calloc(2 * (size_t)rollup->rows.count + 1, sizeof(*histograms));
    if (histograms == NULL)
        return sp_edge_rollup_failed(reterr);
    enum sp_status status = fill_histograms(rollup, histograms, reterr);
    for (uint32_t i = 0; i < rollup->rows.count && status == SP_OK; i++)
        status = add_row(rollup, &rollup->rows.items[i], &histograms[2 * (size_t)i], graph, reterr);
    for (size_t i = 0; i < 2 * (size_t)rollup->rows.count; i++)
        sp_histogram_fini(&histograms[i]);
    free(histograms);
    return status;
}
