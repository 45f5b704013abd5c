/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search_explain.c: see query/search_explain.h. A clause is the condition of a filter, or one of the conditions that it joins
 * with &&. It is counted by a survey of its own: what reads only what many spans share is decided once for all of them. Clauses about
 * the trace around a span are counted together, by one pass over whole traces, in what time the others left. */
#include "query/search_explain.h"

#include <stdlib.h>

#include "query/answer.h"
#include "query/match_operand.h"
#include "query/pass.h"

struct clause {
    const struct sp_traceql_node *expression;
    uint64_t span_count, trace_count;
    bool complete;
    bool of_trace; /* a survey does not show what it reads */
};

/* ---- trace ids ---- */

/* Heap; open addressing, the zero id is an empty place. */
struct id_set {
    struct sp_trace_id *ids;
    size_t capacity, count;
    uint64_t seed;
};

static struct sp_trace_id *find_place(const struct id_set *set, const struct sp_trace_id *id)
{
    static const struct sp_trace_id none;
    struct sp_slice bytes = sp_slice_make(id->bytes, SP_TRACE_ID_BYTES);
    size_t at = (size_t)sp_hash(set->seed, bytes) & (set->capacity - 1);
    while (sp_trace_id_compare(&set->ids[at], &none) != 0 &&
           sp_trace_id_compare(&set->ids[at], id) != 0)
        at = (at + 1) & (set->capacity - 1);
    return &set->ids[at];
}

static bool grow(struct id_set *set)
{
    static const struct sp_trace_id none;
    struct id_set larger = {.capacity = set->capacity > 0 ? 2 * set->capacity : 1024,
                            .seed = sp_hash_seed()};
    larger.ids = calloc(larger.capacity, sizeof(*larger.ids));
    if (!larger.ids)
        return false;
    for (size_t i = 0; i < set->capacity; i++)
        if (sp_trace_id_compare(&set->ids[i], &none) != 0)
            *find_place(&larger, &set->ids[i]) = set->ids[i];
    larger.count = set->count;
    free(set->ids);
    *set = larger;
    return true;
}

/* ---- counting one clause ---- */

struct counting {
    struct clause *clause;
    struct sp_match *match;
    bool by_template; /* it reads nothing but what templates have */
    struct id_set traces;
    struct sp_query_call *call;
    uint64_t deadline_ns;
};

/* What templates of sheets have: see struct sp_sheet. */
static bool is_of_template(const struct sp_traceql_field *field)
{
    bool shared = field->intrinsic == SP_TRACEQL_SERVICE || field->intrinsic == SP_TRACEQL_NAME ||
                  field->intrinsic == SP_TRACEQL_STATUS || field->intrinsic == SP_TRACEQL_KIND ||
                  field->intrinsic == SP_TRACEQL_INSTRUMENTATION_NAME ||
                  field->intrinsic == SP_TRACEQL_INSTRUMENTATION_VERSION;
    bool attribute = field->intrinsic == SP_TRACEQL_INTRINSIC_NONE &&
                     (field->scope == SP_TRACEQL_SCOPE_RESOURCE ||
                      field->scope == SP_TRACEQL_SCOPE_INSTRUMENTATION);
    return shared || attribute;
}

static bool is_of_trace(const struct sp_traceql_field *field)
{
    return sp_match_field_needs_tree(field) || field->intrinsic == SP_TRACEQL_ROOT_NAME ||
           field->intrinsic == SP_TRACEQL_ROOT_SERVICE ||
           field->intrinsic == SP_TRACEQL_TRACE_DURATION;
}

/* False: the clause is about the trace around the span. */
static bool look_at_fields(const struct sp_traceql_query *query,
                           const struct sp_traceql_node *expression, struct counting *counting)
{
    counting->by_template = true;
    for (uint32_t i = sp_match_first_node(expression); i <= expression->index; i++) {
        const struct sp_traceql_node *node = query->nodes[i];
        if (node->kind != SP_TRACEQL_FIELD)
            continue;
        if (is_of_trace(&node->field))
            return false;
        counting->by_template &= is_of_template(&node->field);
    }
    return true;
}

static enum sp_status count_row(struct counting *counting, struct sp_sheet *sheet, uint32_t row,
                                struct sp_trace_id *last, struct sp_error *reterr)
{
    struct sp_trace_id id;
    counting->clause->span_count++;
    enum sp_status status = sp_sheet_trace_id(sheet, row, &id, reterr);
    if (status != SP_OK || sp_trace_id_compare(&id, last) == 0)
        return status;
    *last = id;
    struct id_set *set = &counting->traces;
    if (set->count >= counting->call->api->limits.explain_traces_max) {
        counting->clause->complete = false;
        return SP_OK;
    }
    if (2 * set->count >= set->capacity && !grow(set))
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to count the traces of a clause");
    struct sp_trace_id *place = find_place(set, &id);
    set->count += sp_trace_id_compare(place, &id) != 0;
    *place = id;
    return SP_OK;
}

/* Whether the clause holds on each row, or on each template. */
static enum sp_status decide(struct counting *counting, const struct sp_span *spans, uint32_t count,
                             const uint64_t *rows, bool *holds, struct sp_error *reterr)
{
    struct sp_batch batch = {.spans = spans, .span_count = count};
    struct sp_trace_facts facts = {.batch = &batch, .stop = &counting->call->stop};
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < count && status == SP_OK; i++)
        if (!rows || (rows[i / 64] >> i % 64 & 1))
            status = sp_match_span(counting->match, &facts, i, &holds[i], reterr);
    return status;
}

static enum sp_status count_sheet(void *cookie, struct sp_sheet *sheet, struct sp_error *reterr)
{
    struct counting *counting = cookie;
    struct sp_trace_id last = {{0}};
    const struct sp_span *spans = NULL;
    const uint32_t *templates = NULL;
    uint32_t decided = counting->by_template ? sheet->template_count : sheet->row_count;
    bool *holds = calloc((size_t)decided + 1, sizeof(*holds));
    enum sp_status status = SP_OK;
    if (!holds)
        status = sp_error_set(reterr, SP_NO_MEMORY, "no memory to count a clause");
    else if (counting->by_template)
        status = sp_sheet_templates(sheet, &templates, reterr);
    else
        status = sp_sheet_spans(sheet, &spans, reterr);
    if (status == SP_OK)
        status = decide(counting, templates ? sheet->templates : spans, decided,
                        templates ? NULL : sheet->rows, holds, reterr);
    for (uint32_t row = 0; row < sheet->row_count && status == SP_OK; row++) {
        bool meant = !sheet->rows || (sheet->rows[row / 64] >> row % 64 & 1);
        if (meant && holds[templates ? templates[row] : row])
            status = count_row(counting, sheet, row, &last, reterr);
    }
    free(holds);
    return status;
}

static enum sp_status ask_to_stop(void *cookie, struct sp_error *reterr)
{
    const struct counting *counting = cookie;
    if (sp_clock_monotonic_ns(counting->call->api->clock) >= counting->deadline_ns)
        return sp_error_set(reterr, SP_DEADLINE, "the time to count clauses is up");
    return sp_query_check(counting->call, reterr);
}

static enum sp_status count_clause(struct sp_query_call *call, const struct sp_traceql_query *query,
                                   struct sp_time_range range, uint64_t deadline_ns,
                                   struct clause *clause, struct sp_error *reterr)
{
    struct counting counting = {.clause = clause, .call = call, .deadline_ns = deadline_ns};
    struct sp_stop stop = {.ask = ask_to_stop, .cookie = &counting};
    struct sp_surveyor surveyor = {.visit = count_sheet, .cookie = &counting};
    struct sp_scan scan = {.range = range};
    struct sp_scanned scanned;
    clause->of_trace = !look_at_fields(query, clause->expression, &counting);
    if (clause->of_trace)
        return SP_OK;
    enum sp_status status =
        sp_match_compile(&call->arena, query, clause->expression, &counting.match, reterr);
    if (status != SP_OK)
        return status;
    clause->complete = true;
    const struct sp_hint_maker maker = {.arena = &call->arena, .stop = &stop};
    if (sp_match_expression_hints(&maker, clause->expression, &scan) != SP_OK)
        status = sp_arena_failed(&call->arena, reterr, "the query is larger than its memory");
    if (status == SP_OK && !sp_time_range_is_empty(scan.range))
        status = sp_store_survey(call->api->store, &scan, &surveyor, 1, &stop, &scanned, reterr);
    clause->trace_count = counting.traces.count;
    clause->complete &= status == SP_OK;
    free(counting.traces.ids);
    sp_match_free(counting.match);
    return status == SP_DEADLINE ? SP_OK : status;
}

/* ---- counting the clauses about traces ---- */

struct trace_clauses {
    struct clause *items[SP_EXPLAIN_CLAUSES_MAX];
    uint32_t count;
    const struct sp_traceql_node **fields; /* that they read */
    uint32_t field_count;
};

/* One thread's. */
struct trace_counter {
    const struct trace_clauses *clauses;
    struct sp_match *matches[SP_EXPLAIN_CLAUSES_MAX];
    uint64_t spans[SP_EXPLAIN_CLAUSES_MAX], traces[SP_EXPLAIN_CLAUSES_MAX];
};

static enum sp_status count_trace(void *cookie, struct sp_sheet *sheet,
                                  const struct sp_trace_facts *facts, struct sp_error *reterr)
{
    struct trace_counter *counter = cookie;
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < counter->clauses->count; i++) {
        uint64_t before = counter->spans[i];
        for (uint32_t row = 0; row < sheet->row_count && status == SP_OK; row++) {
            bool holds = false;
            if (sp_bits_have(sheet->rows, row))
                status = sp_match_span(counter->matches[i], facts, row, &holds, reterr);
            counter->spans[i] += holds;
        }
        counter->traces[i] += counter->spans[i] > before;
    }
    return status;
}

/* The clauses, and the fields in them. */
static bool find_trace_clauses(struct sp_query_call *call, const struct sp_traceql_query *query,
                               struct clause *clauses, uint32_t count, struct trace_clauses *ret)
{
    *ret = (struct trace_clauses){0};
    ret->fields =
        sp_arena_calloc(&call->arena, query->node_count, sizeof(const struct sp_traceql_node *));
    bool *seen = sp_arena_calloc(&call->arena, query->node_count, sizeof(*seen));
    for (uint32_t c = 0; c < count && ret->fields && seen; c++) {
        const struct sp_traceql_node *expression = clauses[c].expression;
        if (!clauses[c].of_trace)
            continue;
        ret->items[ret->count++] = &clauses[c];
        /* a filter's own condition has the nodes of all that it joins */
        for (uint32_t i = sp_match_first_node(expression); i <= expression->index; i++) {
            if (query->nodes[i]->kind == SP_TRACEQL_FIELD && !seen[i])
                ret->fields[ret->field_count++] = query->nodes[i];
            seen[i] = true;
        }
    }
    return ret->fields && seen;
}

static enum sp_status
run_trace_pass(struct sp_query_call *call, const struct sp_traceql_query *query,
               struct sp_time_range range, const struct trace_clauses *clauses,
               struct trace_counter counters[SP_PASS_THREADS_MAX], struct sp_error *reterr)
{
    struct sp_pass_visitor visitors[SP_PASS_THREADS_MAX];
    struct sp_scanned scanned = {0};
    struct sp_pass pass = {.call = call, .stage_count = 1, .range = range};
    enum sp_status status = sp_traceql_parse(&call->arena, SP_SLICE("{ }"), &pass.query, reterr);
    if (status != SP_OK)
        return status;
    pass.pipeline = pass.query->root;
    for (uint32_t i = 0; i < SP_PASS_THREADS_MAX; i++) {
        counters[i].clauses = clauses;
        visitors[i] = (struct sp_pass_visitor){count_trace, &counters[i]};
        for (uint32_t c = 0; c < clauses->count && status == SP_OK; c++)
            status = sp_match_compile(&call->arena, query, clauses->items[c]->expression,
                                      &counters[i].matches[c], reterr);
    }
    if (status == SP_OK)
        status = sp_pass_prepare(&pass, clauses->fields, clauses->field_count, reterr);
    if (status == SP_OK && !sp_time_range_is_empty(pass.range))
        status = sp_pass_run(&pass, visitors, SP_PASS_THREADS_MAX, &scanned, reterr);
    return status;
}

static enum sp_status count_trace_clauses(struct sp_query_call *call,
                                          const struct sp_traceql_query *query,
                                          struct sp_time_range range, uint64_t deadline_ns,
                                          struct clause *clauses, uint32_t count,
                                          struct sp_error *reterr)
{
    struct trace_clauses found;
    struct trace_counter counters[SP_PASS_THREADS_MAX] = {0};
    uint64_t deadline = call->deadline_ns;
    if (!find_trace_clauses(call, query, clauses, count, &found))
        return sp_arena_failed(&call->arena, reterr, "the query is larger than its memory");
    if (found.count == 0)
        return SP_OK;
    call->deadline_ns = deadline_ns < deadline ? deadline_ns : deadline; /* of call->stop */
    enum sp_status status = run_trace_pass(call, query, range, &found, counters, reterr);
    call->deadline_ns = deadline;
    for (uint32_t c = 0; c < found.count; c++) {
        found.items[c]->complete = status == SP_OK;
        for (uint32_t i = 0; i < SP_PASS_THREADS_MAX; i++) {
            found.items[c]->span_count += counters[i].spans[c];
            found.items[c]->trace_count += counters[i].traces[c];
            sp_match_free(counters[i].matches[c]);
        }
    }
    return status == SP_DEADLINE ? SP_OK : status;
}

/* ---- which clauses ---- */

static void add_clause(struct clause *clauses, uint32_t *count,
                       const struct sp_traceql_node *expression)
{
    if (*count < SP_EXPLAIN_CLAUSES_MAX)
        clauses[*count] = (struct clause){.expression = expression};
    ++*count;
}

/* How many there are; no more than SP_EXPLAIN_CLAUSES_MAX are listed. */
static uint32_t list_clauses(const struct sp_traceql_query *query, struct clause *clauses)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < query->node_count; i++) {
        const struct sp_traceql_node *expression = query->nodes[i]->left;
        if (query->nodes[i]->kind != SP_TRACEQL_FILTER || !expression)
            continue;
        for (uint32_t j = 0; expression->kind == SP_TRACEQL_ALL && j < expression->item_count; j++)
            add_clause(clauses, &count, expression->items[j]);
        add_clause(clauses, &count, expression);
    }
    return count;
}

/* ---- writing ---- */

void sp_explain_text(const struct sp_traceql_node *node, struct sp_json_writer *w)
{
    struct sp_buf text;
    sp_buf_init(&text, 4 * SP_TRACEQL_QUERY_BYTES_MAX);
    sp_traceql_print_node(node, &text);
    sp_answer_write_text(&text, w);
}

static void write_condition(const struct sp_condition *condition, struct sp_json_writer *w)
{
    static const char *const fields[] = {[SP_FIELD_SERVICE] = "service",
                                         [SP_FIELD_NAME] = "name",
                                         [SP_FIELD_KIND] = "kind",
                                         [SP_FIELD_STATUS] = "status",
                                         [SP_FIELD_DURATION] = "duration",
                                         [SP_FIELD_STATUS_MESSAGE] = "statusMessage",
                                         [SP_FIELD_ATTRIBUTE] = "",
                                         [SP_FIELD_LINKS] = "link:traceID",
                                         [SP_FIELD_EVENT_NAME] = "event:name",
                                         [SP_FIELD_SCOPE_NAME] = "instrumentation:name"};
    static const char *const operators[] = {
        [SP_OP_EXISTS] = "exists", [SP_OP_EQ] = "=", [SP_OP_NE] = "!=", [SP_OP_LT] = "<",
        [SP_OP_LE] = "<=",         [SP_OP_GT] = ">", [SP_OP_GE] = ">="};
    bool is_test = condition->operation == SP_OP_TEST;
    struct sp_buf text;
    sp_buf_init(&text, 4 * SP_TRACEQL_QUERY_BYTES_MAX);
    sp_buf_append_cstr(&text, fields[condition->field]);
    if (condition->field == SP_FIELD_ATTRIBUTE)
        sp_buf_append_slice(&text, condition->key);
    sp_buf_printf(&text, " %s", is_test ? condition->test->name : operators[condition->operation]);
    if (condition->field == SP_FIELD_LINKS && condition->operation == SP_OP_EQ) {
        struct sp_trace_id id;
        char hex[SP_TRACE_ID_TEXT];
        memcpy(id.bytes, condition->value.string.ptr, SP_TRACE_ID_BYTES);
        sp_trace_id_format(&id, hex);
        sp_buf_printf(&text, " %s", hex);
    } else if (condition->operation != SP_OP_EXISTS) {
        sp_buf_append_byte(&text, ' ');
        sp_value_text(&condition->value, &text);
    }
    sp_answer_write_text(&text, w);
}

static void write_conditions(const struct sp_scan *scan, struct sp_json_writer *w)
{
    sp_json_key(w, "match");
    sp_json_cstr(w, scan->match_any ? "any" : "all");
    sp_json_key(w, "conditions");
    sp_json_array_begin(w);
    for (size_t i = 0; i < scan->condition_count; i++)
        write_condition(&scan->conditions[i], w);
    sp_json_array_end(w);
}

void sp_explain_hints(const struct sp_scan *scan, struct sp_json_writer *w)
{
    sp_json_key(w, "hints");
    sp_json_object_begin(w);
    write_conditions(scan, w);
    sp_json_key(w, "also");
    sp_json_array_begin(w);
    for (size_t i = 0; i < scan->also_count; i++) {
        sp_json_object_begin(w);
        write_conditions(&scan->also[i], w);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
    sp_json_key(w, "traceIds");
    sp_json_array_begin(w);
    for (size_t i = 0; i < scan->trace_id_count; i++) {
        char text[SP_TRACE_ID_TEXT];
        sp_trace_id_format(&scan->trace_ids[i], text);
        sp_json_cstr(w, text);
    }
    sp_json_array_end(w);
    sp_json_object_end(w);
}

static void write_clauses(const struct clause *clauses, uint32_t count, struct sp_json_writer *w)
{
    sp_json_key(w, "clauses");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < count; i++) {
        sp_json_object_begin(w);
        sp_json_key(w, "clause");
        sp_explain_text(clauses[i].expression, w);
        sp_json_key(w, "offset");
        sp_json_u64(w, clauses[i].expression->offset);
        sp_json_key(w, "spans");
        sp_json_u64_string(w, clauses[i].span_count);
        sp_json_key(w, "traces");
        sp_json_u64_string(w, clauses[i].trace_count);
        sp_json_key(w, "complete");
        sp_json_bool(w, clauses[i].complete);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
}

enum sp_status sp_explain_clauses(struct sp_query_call *call, const struct sp_traceql_query *query,
                                  struct sp_time_range range, struct sp_json_writer *w,
                                  struct sp_error *reterr)
{
    uint64_t now = sp_clock_monotonic_ns(call->api->clock);
    uint64_t deadline = now + (call->deadline_ns > now ? (call->deadline_ns - now) / 2 : 0);
    struct clause *clauses =
        sp_arena_calloc(&call->arena, SP_EXPLAIN_CLAUSES_MAX, sizeof(*clauses));
    if (!clauses)
        return sp_arena_failed(&call->arena, reterr, "the query is larger than its memory");
    uint32_t all = list_clauses(query, clauses);
    uint32_t count = all < SP_EXPLAIN_CLAUSES_MAX ? all : SP_EXPLAIN_CLAUSES_MAX;
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < count && status == SP_OK; i++)
        status = count_clause(call, query, range, deadline, &clauses[i], reterr);
    if (status == SP_OK)
        status = count_trace_clauses(call, query, range, deadline, clauses, count, reterr);
    if (status != SP_OK)
        return status;
    write_clauses(clauses, count, w);
    sp_json_key(w, "clausesLeftOut");
    sp_json_u64(w, all - count);
    sp_json_key(w, "countMs");
    sp_json_u64(w, (sp_clock_monotonic_ns(call->api->clock) - now) / 1000000);
    return SP_OK;
}

enum sp_status sp_search_explain(struct sp_query_call *call, const struct sp_question *question,
                                 struct sp_json_writer *w, struct sp_error *reterr)
{
    sp_json_key(w, "explain");
    sp_json_object_begin(w);
    sp_json_key(w, "query");
    sp_explain_text(question->query->root, w);
    sp_explain_hints(&question->scan, w);
    sp_pipeline_explain(question->pipeline, w);
    enum sp_status status =
        sp_explain_clauses(call, question->query, question->scan.range, w, reterr);
    sp_json_object_end(w);
    return status;
}
