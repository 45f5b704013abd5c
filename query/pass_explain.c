/* SPDX-License-Identifier: Apache-2.0
 *
 * query/pass_explain.c: see query/pass_explain.h. */
#include "query/pass_explain.h"

#include "query/answer.h"
#include "query/search_explain.h"

enum sp_status sp_pass_notes_begin(struct sp_query_call *call, size_t parameter,
                                   struct sp_error *reterr)
{
    if (call->values[parameter].number != 1)
        return SP_OK;
    call->passes = sp_arena_calloc(&call->arena, 1, sizeof(*call->passes));
    return call->passes ? SP_OK
                        : sp_arena_failed(&call->arena, reterr,
                                          "the explanation does not fit into the query's memory");
}

void sp_pass_note(const struct sp_pass *pass, const struct sp_scanned *scanned, uint64_t took_ns)
{
    struct sp_pass_notes *notes = pass->call->passes;
    if (notes->count == SP_PASS_NOTES_MAX)
        notes->left_out++;
    else
        notes->items[notes->count++] =
            (struct sp_pass_noted){.pass = *pass, .scanned = *scanned, .took_ns = took_ns};
}

/* The stages that find the spans. */
static void write_stages(const struct sp_pass *pass, struct sp_json_writer *w)
{
    sp_json_key(w, "stages");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < pass->stage_count; i++)
        sp_explain_text(pass->pipeline->items[i], w);
    sp_json_array_end(w);
}

static void write_pass(const struct sp_pass_noted *noted, struct sp_json_writer *w)
{
    static const char *const reads[] = {[SP_READS_COLUMNS] = "columns",
                                        [SP_READS_DURATIONS] = "durations",
                                        [SP_READS_SPANS] = "spans",
                                        [SP_READS_TRACES] = "traces"};
    const struct sp_pass *pass = &noted->pass;
    sp_json_object_begin(w);
    write_stages(pass, w);
    sp_json_key(w, "reads");
    sp_json_cstr(w, reads[pass->of_traces ? SP_READS_TRACES : pass->reads]);
    sp_explain_hints(&pass->scan, w);
    sp_json_key(w, "decidedByHints");
    sp_json_bool(w, !pass->of_traces && pass->condition_known);
    sp_answer_json_scanned(w, &noted->scanned, noted->scanned.traces);
    sp_json_key(w, "tookMs");
    sp_json_u64(w, noted->took_ns / 1000000);
    sp_json_object_end(w);
}

enum sp_status sp_pass_explain(struct sp_query_call *call, const struct sp_traceql_query *query,
                               struct sp_time_range range, struct sp_json_writer *w,
                               struct sp_error *reterr)
{
    const struct sp_pass_notes *notes = call->passes;
    if (!notes)
        return SP_OK;
    call->passes = NULL; /* counting clauses is no part of the answer */
    sp_json_key(w, "explain");
    sp_json_object_begin(w);
    sp_json_key(w, "query");
    sp_explain_text(query->root, w);
    sp_json_key(w, "passes");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < notes->count; i++)
        write_pass(&notes->items[i], w);
    sp_json_array_end(w);
    sp_json_key(w, "passesLeftOut");
    sp_json_u64(w, notes->left_out);
    enum sp_status status = sp_explain_clauses(call, query, range, w, reterr);
    sp_json_object_end(w);
    return status;
}
