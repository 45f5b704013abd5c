/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/explain.c: see cmd/explain.h. */
#include "cmd/explain.h"

/* Texts of a list with something between them; "" when the arena is full. */
static struct sp_slice joined(const struct sp_answer *list, const char *between,
                              struct sp_arena *arena)
{
    struct sp_buf text;
    struct sp_slice copy = {0};
    sp_buf_init(&text, 1 << 20);
    for (const struct sp_answer *item = list->first; item; item = item->next) {
        if (item != list->first)
            sp_buf_append_cstr(&text, between);
        sp_buf_append_slice(&text, item->text);
    }
    if (text.error != SP_OK || !sp_arena_copy(arena, sp_buf_slice(&text), &copy))
        copy = SP_SLICE("");
    sp_buf_fini(&text);
    return copy;
}

/* What blocks were left out by: conditions that all, or any, must hold. */
static struct sp_slice hints_of(const struct sp_answer *pass, struct sp_arena *arena)
{
    const struct sp_answer *conditions = sp_answer_at(pass, "hints.conditions");
    bool any = sp_slice_equal_cstr(sp_answer_text(pass, "hints.match"), "any");
    return conditions->count == 0 ? SP_SLICE("(everything)")
                                  : joined(conditions, any ? " || " : " && ", arena);
}

static bool print_passes(const struct sp_answer *explain, const struct sp_terminal *terminal,
                         struct sp_arena *arena)
{
    static const struct sp_table_column columns[] = {
        {"PASS OVER", false, true}, {"READS", false, false},     {"SKIPS BY", false, true},
        {"SEGMENTS", true, false},  {"SPANS READ", true, false}, {"BYTES", true, false},
        {"TIME", true, false}};
    struct sp_table table;
    sp_table_init(&table, columns, SP_ARRAY_LEN(columns), arena);
    for (const struct sp_answer *pass = sp_answer_at(explain, "passes")->first; pass;
         pass = pass->next) {
        struct sp_slice *cells = sp_table_row(&table, NULL);
        if (!cells)
            break;
        cells[0] = joined(sp_answer_at(pass, "stages"), " | ", arena);
        cells[1] = sp_answer_text(pass, "reads");
        cells[2] = hints_of(pass, arena);
        cells[3] = sp_answer_text(pass, "scanned.segments");
        cells[4] = sp_answer_text(pass, "scanned.rows");
        cells[5] = sp_answer_text(pass, "scanned.bytes");
        cells[6] = sp_table_duration(&table, sp_answer_u64(pass, "tookMs") * 1000000);
    }
    return sp_table_print(&table, terminal);
}

static bool print_clauses(const struct sp_answer *explain, const struct sp_terminal *terminal,
                          struct sp_arena *arena)
{
    static const struct sp_table_column columns[] = {
        {"SPANS", true, false}, {"TRACES", true, false}, {"CLAUSE ALONE", false, true}};
    struct sp_table table;
    sp_table_init(&table, columns, SP_ARRAY_LEN(columns), arena);
    for (const struct sp_answer *clause = sp_answer_at(explain, "clauses")->first; clause;
         clause = clause->next) {
        struct sp_slice *cells = sp_table_row(&table, NULL);
        struct sp_slice spans = sp_answer_text(clause, "spans");
        if (!cells)
            break;
        const char *sign = sp_answer_is_true(clause, "complete") ? "" : ">";
        cells[0] = spans.len == 0 ? SP_SLICE("?")
                                  : sp_table_text(&table, "%s%.*s", sign, SP_SLICE_PRINTF(spans));
        cells[1] = spans.len == 0 ? SP_SLICE("?") : sp_answer_text(clause, "traces");
        cells[2] = sp_answer_text(clause, "clause");
    }
    return sp_table_print(&table, terminal);
}

bool sp_explain_print(const struct sp_answer *explain, const struct sp_terminal *terminal,
                      struct sp_arena *arena)
{
    if (!print_passes(explain, terminal, arena))
        return false;
    if (sp_answer_at(explain, "clauses")->count == 0)
        return true;
    putc('\n', terminal->out);
    return print_clauses(explain, terminal, arena);
}
