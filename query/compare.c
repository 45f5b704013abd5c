/* SPDX-License-Identifier: Apache-2.0
 *
 * query/compare.c: GET /v1/compare: two samples of traces, by attribute value and by call. What a difference is, and when it is
 * more than chance: lib/analysis/findings.h. */
#include <stdlib.h>

#include "query/compare_nodes.h"
#include "query/population.h"

enum {
    PARAMETER_A = 2,
    PARAMETER_B,
    PARAMETER_A_FROM,
    PARAMETER_A_TO,
    PARAMETER_B_FROM,
    PARAMETER_B_TO,
    PARAMETER_TRACES,
    PARAMETER_LIMIT,
    PARAMETER_NODES
};

#define VALUES_BYTES_MAX ((size_t)256 * 1024 * 1024)
#define CALLS_BYTES_MAX  ((size_t)256 * 1024 * 1024)
#define CUT_KEYS_SHOWN   20

struct comparison {
    int side; /* that is being read */
    struct sp_value_counts values;
    struct sp_call_tree tree;
    struct sp_histogram durations[2];
    uint64_t matched_spans[2];
    /* traces of a, sorted once b is read: what stands in both is no difference, and makes chance look smaller than it is */
    struct sp_trace_id *ids;
    size_t id_count, id_cap;
    uint64_t shared_count;
    struct sp_arena *id_arena;
    struct sp_population_read read[2];
};

static int compare_ids(const void *left, const void *right)
{
    return sp_trace_id_compare(left, right);
}

static bool note_id(struct comparison *c, const struct sp_trace_id *id)
{
    if (c->side == 1) {
        c->shared_count +=
            c->id_count > 0 && bsearch(id, c->ids, c->id_count, sizeof(*id), compare_ids) != NULL;
        return true;
    }
    if (c->id_count == c->id_cap) {
        size_t cap = c->id_cap > 0 ? 2 * c->id_cap : 256;
        struct sp_trace_id *grown =
            sp_arena_grow(c->id_arena, c->ids, c->id_cap * sizeof(*grown), cap * sizeof(*grown));
        if (!grown)
            return false;
        c->ids = grown;
        c->id_cap = cap;
    }
    c->ids[c->id_count++] = *id;
    return true;
}

static enum sp_status visit(void *cookie, const struct sp_population_trace *trace,
                            struct sp_error *reterr)
{
    struct comparison *c = cookie;
    const struct sp_trace *tree = trace->tree;
    c->matched_spans[c->side] += trace->matched_count;
    if (!note_id(c, &tree->rows[0].span->trace_id))
        return sp_arena_failed(c->id_arena, reterr,
                               "the samples are larger than the query's memory");
    enum sp_status status =
        sp_histogram_add(&c->durations[c->side], tree->end_unix_ns - tree->start_unix_ns, 1);
    if (status == SP_OK)
        status = sp_value_counts_add(&c->values, c->side, tree, trace->matched);
    if (status == SP_OK)
        status = sp_call_tree_add(&c->tree, c->side, tree, trace->arena);
    if (status == SP_LIMIT)
        return sp_error_set(reterr, SP_LIMIT,
                            "the samples have more different names and values than fit into %zu "
                            "MiB: look at fewer traces",
                            VALUES_BYTES_MAX >> 20);
    if (status != SP_OK)
        return sp_error_set(reterr, status, "no memory for the samples");
    return SP_OK;
}

/* ---- parts of the answer ---- */

static void write_number(const char *key, double value, struct sp_json_writer *w)
{
    sp_json_key(w, key);
    sp_json_double(w, value);
}

static void write_exemplar(const char *key, const struct sp_trace_id *id, struct sp_json_writer *w)
{
    sp_json_key(w, key);
    if (sp_trace_id_is_zero(id))
        sp_json_null(w);
    else
        sp_json_hex(w, sp_slice_make(id->bytes, SP_TRACE_ID_BYTES));
}

static void write_chance(const struct sp_finding_row *row, struct sp_json_writer *w)
{
    write_number("difference", row->difference, w);
    write_number("pValue", row->p, w);
    write_number("qValue", row->q, w);
    sp_json_key(w, "found");
    sp_json_bool(w, row->is_found);
}

static void write_counts(const struct sp_findings *findings, struct sp_json_writer *w)
{
    sp_json_key(w, "tested");
    sp_json_u64(w, findings->count);
    sp_json_key(w, "found");
    sp_json_u64(w, findings->found_count);
    sp_json_key(w, "untestable");
    sp_json_u64(w, findings->untestable);
}

static const char *scope_name(enum sp_value_scope scope)
{
    switch (scope) {
    case SP_VALUE_SCOPE_INTRINSIC:
        return "intrinsic";
    case SP_VALUE_SCOPE_SPAN:
        return "span";
    case SP_VALUE_SCOPE_RESOURCE:
        return "resource";
    }
    return "";
}

static void write_value(const struct sp_value_counts *counts, const struct sp_finding_row *row,
                        struct sp_json_writer *w)
{
    const struct sp_value_count *value = &counts->values[row->index];
    const struct sp_value_key *key = &counts->keys[value->key];
    sp_json_object_begin(w);
    sp_json_key(w, "scope");
    sp_json_cstr(w, scope_name(key->scope));
    sp_json_key(w, "key");
    sp_json_string(w, key->key);
    sp_json_key(w, "value");
    sp_json_string(w, value->text);
    sp_json_key(w, "type");
    sp_json_cstr(w, sp_value_kind_name(value->kind));
    sp_json_key(w, "aTraces");
    sp_json_u64(w, value->trace_counts[0]);
    sp_json_key(w, "bTraces");
    sp_json_u64(w, value->trace_counts[1]);
    write_number("aShare", row->a, w);
    write_number("bShare", row->b, w);
    write_number("logOddsRatio", row->log_odds, w);
    write_chance(row, w);
    write_exemplar("aExemplarTraceId", &value->exemplars[0], w);
    write_exemplar("bExemplarTraceId", &value->exemplars[1], w);
    sp_json_object_end(w);
}

static void write_cut_keys(const struct sp_value_counts *counts, struct sp_json_writer *w)
{
    uint32_t shown = 0;
    sp_json_key(w, "cutKeys");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < counts->key_count && shown < CUT_KEYS_SHOWN; i++) {
        if (!counts->keys[i].is_cut)
            continue;
        sp_json_object_begin(w);
        sp_json_key(w, "scope");
        sp_json_cstr(w, scope_name(counts->keys[i].scope));
        sp_json_key(w, "key");
        sp_json_string(w, counts->keys[i].key);
        sp_json_object_end(w);
        shown++;
    }
    sp_json_array_end(w);
}

static enum sp_status write_attributes(struct sp_query_call *call, const struct comparison *c,
                                       struct sp_json_writer *w)
{
    struct sp_findings findings;
    if (sp_findings_values(&c->values, &call->arena, &findings) != SP_OK)
        return call->arena.error;
    sp_json_key(w, "attributes");
    sp_json_object_begin(w);
    sp_json_key(w, "rows");
    sp_json_array_begin(w);
    for (size_t i = 0; i < findings.count && i < call->values[PARAMETER_LIMIT].number; i++)
        write_value(&c->values, &findings.rows[i], w);
    sp_json_array_end(w);
    write_counts(&findings, w);
    sp_json_key(w, "leftOutLong");
    sp_json_u64_string(w, c->values.left_out_long);
    sp_json_key(w, "leftOutMany");
    sp_json_u64_string(w, c->values.left_out_many);
    write_cut_keys(&c->values, w);
    sp_json_object_end(w);
    return SP_OK;
}

/* ---- calls ---- */

/* From the top down to the node. */
static enum sp_status write_path(struct sp_query_call *call, const struct sp_call_tree *tree,
                                 uint32_t node, struct sp_json_writer *w)
{
    uint32_t depth = tree->nodes[node].depth;
    uint32_t *path = sp_arena_calloc(&call->arena, (size_t)depth + 1, sizeof(*path));
    if (!path)
        return call->arena.error;
    for (uint32_t i = depth + 1; i-- > 0; node = tree->nodes[node].parent)
        path[i] = node;
    sp_json_key(w, "path");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i <= depth; i++) {
        const struct sp_call_node *step = &tree->nodes[path[i]];
        sp_json_object_begin(w);
        sp_json_key(w, "service");
        sp_json_string(w, step->service);
        sp_json_key(w, "operation");
        sp_json_string(w, step->operation);
        sp_json_key(w, "kind");
        sp_json_cstr(w, sp_span_kind_name(step->kind));
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
    return SP_OK;
}

static const char *change_of(const struct sp_call_node *node, double difference)
{
    if (node->sides[0].trace_count == 0)
        return "new";
    if (node->sides[1].trace_count == 0)
        return "gone";
    return difference > 0 ? "more" : difference < 0 ? "less" : "same";
}

static enum sp_status write_call(struct sp_query_call *call, const struct sp_call_tree *tree,
                                 const struct sp_finding_row *row, struct sp_json_writer *w)
{
    const struct sp_call_node *node = &tree->nodes[row->index];
    sp_json_object_begin(w);
    enum sp_status status = write_path(call, tree, row->index, w);
    sp_json_key(w, "change");
    sp_json_cstr(w, change_of(node, row->difference));
    sp_json_key(w, "aTraces");
    sp_json_u64(w, node->sides[0].trace_count);
    sp_json_key(w, "bTraces");
    sp_json_u64(w, node->sides[1].trace_count);
    write_number("a", row->a, w);
    write_number("b", row->b, w);
    write_number("superiority", row->superiority, w);
    write_chance(row, w);
    sp_json_object_end(w);
    return status;
}

static enum sp_status write_measure(struct sp_query_call *call, const struct sp_call_tree *tree,
                                    enum sp_call_measure measure, const char *key,
                                    struct sp_json_writer *w)
{
    struct sp_findings findings;
    enum sp_status status = sp_findings_calls(tree, measure, &call->arena, &findings);
    if (status != SP_OK)
        return status;
    sp_json_key(w, key);
    sp_json_object_begin(w);
    sp_json_key(w, "rows");
    sp_json_array_begin(w);
    for (size_t i = 0; i < findings.count && i < call->values[PARAMETER_LIMIT].number; i++)
        if (write_call(call, tree, &findings.rows[i], w) != SP_OK)
            status = call->arena.error;
    sp_json_array_end(w);
    write_counts(&findings, w);
    sp_json_object_end(w);
    return status;
}

static enum sp_status write_calls(struct sp_query_call *call, const struct comparison *c,
                                  struct sp_json_writer *w)
{
    sp_json_key(w, "calls");
    sp_json_object_begin(w);
    enum sp_status status = write_measure(call, &c->tree, SP_CALL_PRESENCE, "presence", w);
    if (status == SP_OK)
        status = write_measure(call, &c->tree, SP_CALL_SELF_TIME, "selfTime", w);
    if (status == SP_OK)
        status = write_measure(call, &c->tree, SP_CALL_REPEATS, "repetition", w);
    if (status != SP_OK)
        return status;
    sp_json_key(w, "paths");
    sp_json_u64(w, c->tree.node_count);
    sp_json_key(w, "leftOutCalls");
    sp_json_u64_string(w, c->tree.left_out_calls);
    sp_json_object_end(w);
    return SP_OK;
}

/* The merged tree, when it is asked for. */
static enum sp_status write_tree(struct sp_query_call *call, const struct sp_call_tree *tree,
                                 struct sp_json_writer *w)
{
    uint32_t written;
    uint32_t nodes_max = (uint32_t)call->values[PARAMETER_NODES].number;
    if (nodes_max == 0)
        return SP_OK;
    sp_json_key(w, "tree");
    sp_json_object_begin(w);
    sp_json_key(w, "nodes");
    enum sp_status status = sp_compare_nodes_write(call, tree, nodes_max, true, &written, w);
    if (status != SP_OK)
        return status;
    sp_json_key(w, "leftOutNodes");
    sp_json_u64(w, tree->node_count - written);
    sp_json_object_end(w);
    return SP_OK;
}

/* ---- the answer ---- */

static void write_side(const struct comparison *c, int side, struct sp_json_writer *w)
{
    static const double quantiles[] = {0.5, 0.9, 0.95, 0.99};
    static const char *const names[] = {"p50", "p90", "p95", "p99"};
    const struct sp_histogram *durations = &c->durations[side];
    sp_json_key(w, side == 0 ? "a" : "b");
    sp_json_object_begin(w);
    sp_population_write(&c->read[side], w);
    sp_json_key(w, "matchedSpans");
    sp_json_u64_string(w, c->matched_spans[side]);
    sp_json_key(w, "traceDuration");
    if (durations->count == 0) {
        sp_json_null(w);
    } else {
        sp_json_object_begin(w);
        for (size_t i = 0; i < SP_ARRAY_LEN(quantiles); i++) {
            sp_json_key(w, names[i]);
            sp_json_u64_string(w, sp_histogram_quantile(durations, quantiles[i]));
        }
        sp_json_object_end(w);
    }
    sp_json_object_end(w);
}

static void write_duration(const struct comparison *c, struct sp_json_writer *w)
{
    struct sp_rank_test test = sp_rank_test(&c->durations[0], 0, &c->durations[1], 0);
    sp_json_key(w, "traceDuration");
    sp_json_object_begin(w);
    write_number("superiority", test.superiority, w);
    sp_json_key(w, "pValue");
    if (test.is_tested)
        sp_json_double(w, test.p);
    else
        sp_json_null(w);
    sp_json_object_end(w);
}

static enum sp_status write_answer(struct sp_query_call *call, const struct comparison *c,
                                   struct sp_error *reterr)
{
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    write_side(c, 0, &w);
    write_side(c, 1, &w);
    write_duration(c, &w);
    sp_json_key(&w, "sharedTraces");
    sp_json_u64(&w, c->shared_count);
    enum sp_status status = write_attributes(call, c, &w);
    if (status == SP_OK)
        status = write_calls(call, c, &w);
    if (status == SP_OK)
        status = write_tree(call, &c->tree, &w);
    if (status != SP_OK)
        return sp_arena_failed(&call->arena, reterr,
                               "the differences are larger than the query's memory");
    write_number("falseDiscoveryRate", SP_FALSE_DISCOVERY_RATE, &w);
    write_number("relativeError", SP_HISTOGRAM_RELATIVE_ERROR, &w);
    sp_json_object_end(&w);
    return SP_OK;
}

/* Its own bounds where they are given, otherwise those of both. */
static enum sp_status find_range(const struct sp_query_call *call, int from, int to,
                                 const char *to_name, struct sp_time_range *range,
                                 struct sp_error *reterr)
{
    range->from_unix_ns = call->values[call->values[from].set ? from : 0].number;
    range->to_unix_ns = call->values[call->values[to].set ? to : 1].number;
    if (range->from_unix_ns <= range->to_unix_ns)
        return SP_OK;
    return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, to_name,
                                  "the range of a sample must not end before it begins");
}

static enum sp_status read_side(struct sp_query_call *call, struct comparison *c, int side,
                                struct sp_error *reterr)
{
    struct sp_population population = {
        .parameter = side == 0 ? "a" : "b",
        .query = call->values[side == 0 ? PARAMETER_A : PARAMETER_B].text,
        .traces_max = call->values[PARAMETER_TRACES].number,
        .deadline_ns = sp_population_deadline(call, 1, side == 0 ? 2 : 1)};
    enum sp_status status =
        side == 0
            ? find_range(call, PARAMETER_A_FROM, PARAMETER_A_TO, "aTo", &population.range, reterr)
            : find_range(call, PARAMETER_B_FROM, PARAMETER_B_TO, "bTo", &population.range, reterr);
    c->side = side;
    if (side == 1 && c->id_count > 0)
        qsort(c->ids, c->id_count, sizeof(*c->ids), compare_ids);
    if (status == SP_OK)
        status = sp_population_read(call, &population, visit, c, &c->read[side], reterr);
    return status;
}

enum sp_status sp_query_answer_compare(struct sp_query_call *call, struct sp_error *reterr)
{
    struct comparison c = {.id_arena = &call->arena};
    enum sp_status status = sp_value_counts_init(&c.values, VALUES_BYTES_MAX);
    if (status == SP_OK)
        status = sp_call_tree_init(&c.tree, true, CALLS_BYTES_MAX);
    if (status != SP_OK)
        sp_error_set(reterr, status, "no memory for the samples");
    for (int side = 0; side < 2 && status == SP_OK; side++)
        status = read_side(call, &c, side, reterr);
    if (status == SP_OK)
        status = write_answer(call, &c, reterr);
    sp_histogram_fini(&c.durations[0]);
    sp_histogram_fini(&c.durations[1]);
    sp_value_counts_fini(&c.values);
    sp_call_tree_fini(&c.tree);
    return status;
}
