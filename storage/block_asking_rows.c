/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_asking_rows.c: a condition row by row. Values become bytes, 1 for those that satisfy it, in loops over arrays;
 * the bytes of a column go to its rows, which the templates know; the bits of events and links go to their spans.
 * Knows neither disks nor engines. */
#include "storage/block_asking.h"

/* ---- values ---- */

/* Texts that were not looked at before are when they first occur. */
enum { UNKNOWN = 0, FAILS = 1, HOLDS = 2 };

/* wanted: 1 for values that are looked at, the others fail; NULL: all are. */
static enum sp_status bytes_by_first_use(struct sp_asking *asking, const struct sp_asked *asked,
                                         const struct sp_column *column, const uint8_t *wanted,
                                         uint8_t *bytes)
{
    uint8_t *known = sp_asking_alloc(asking, column->dictionary->count, 1);
    if (known == NULL)
        return sp_asking_no_memory(asking);
    for (uint32_t i = 0; i < column->count; i++) {
        uint32_t code = column->codes[i];
        if (wanted != NULL && wanted[i] == 0)
            continue;
        if (known[code] == UNKNOWN) {
            uint8_t holds;
            enum sp_status status =
                sp_asking_text(asking, asked, column, column->dictionary->texts[code], &holds);
            if (status != SP_OK)
                return status;
            known[code] = holds ? HOLDS : FAILS;
        }
        bytes[i] = known[code] == HOLDS;
    }
    return SP_OK;
}

/* Comparing with one code is faster than looking up each. */
static void bytes_by_text(const struct sp_column *column, const uint8_t *texts, uint8_t *bytes)
{
    const uint32_t *codes = column->codes;
    uint32_t count = column->count;
    uint32_t found = 0;
    uint32_t one = 0;
    for (uint32_t i = 0; i < column->dictionary->count && found < 2; i++) {
        found += texts[i];
        one = texts[i] ? i : one;
    }
    if (found == 1) {
        for (uint32_t i = 0; i < count; i++)
            bytes[i] = codes[i] == one;
    } else {
        for (uint32_t i = 0; i < count; i++)
            bytes[i] = texts[codes[i]];
    }
}

/* Of a test only the values of rows that are left: 1 in *ret; NULL: all. counts: values of the rows of each template. */
static enum sp_status values_left(struct sp_asking *asking, const struct sp_asked *asked,
                                  const struct sp_column *column, const uint16_t *counts,
                                  uint8_t **ret)
{
    *ret = NULL;
    if (!sp_asked_is_test(asked) || asking->left == NULL || column->table != SP_BLOCK_SPANS)
        return SP_OK;
    const struct sp_block_rows *rows_of = &asking->block->tables[SP_BLOCK_SPANS];
    enum sp_status status = sp_block_view_rows(asking->view, SP_BLOCK_SPANS, asking->reterr);
    if (status != SP_OK)
        return status;
    uint8_t *wanted = sp_asking_alloc(asking, column->count, 1);
    if (wanted == NULL)
        return sp_asking_no_memory(asking);
    uint32_t at = 0;
    for (uint32_t row = 0; row < rows_of->count; row++) {
        uint16_t values = counts[rows_of->templates[row]];
        for (; values > 0 && at < column->count; values--)
            wanted[at++] = sp_bitmap_has(asking->left, row);
    }
    *ret = wanted;
    return SP_OK;
}

static enum sp_status value_bytes(struct sp_asking *asking, const struct sp_asked *asked,
                                  const struct sp_asked_column *asked_column,
                                  const uint16_t *counts, uint8_t **ret)
{
    enum sp_status status =
        sp_block_view_values(asking->view, asked_column->column, asking->reterr);
    if (status != SP_OK)
        return status;
    const struct sp_column *column = &asking->block->columns[asked_column->column];
    uint8_t *wanted = NULL;
    uint8_t *bytes = sp_asking_alloc(asking, column->count, 1);
    if (bytes == NULL)
        return sp_asking_no_memory(asking);
    if (column->codes == NULL)
        sp_value_set_numbers(asked->set, column->kind, column->numbers, column->count, bytes);
    else if (asked_column->texts != NULL)
        bytes_by_text(column, asked_column->texts, bytes);
    else
        status = values_left(asking, asked, column, counts, &wanted);
    if (status == SP_OK && column->codes != NULL && asked_column->texts == NULL)
        status = bytes_by_first_use(asking, asked, column, wanted, bytes);
    *ret = bytes;
    return status;
}

/* ---- from values to rows ---- */

/* How many values of a column the rows of each template have; *ret_most of them. */
static uint16_t *value_counts(struct sp_asking *asking, uint32_t column, uint16_t *ret_least,
                              uint16_t *ret_most)
{
    const struct sp_block *block = asking->block;
    enum sp_block_table table = block->columns[column].table;
    uint32_t template_count = block->template_counts[table];
    uint16_t *counts = sp_asking_alloc(asking, template_count, sizeof(*counts));
    uint16_t least = UINT16_MAX;
    uint16_t most = 0;
    for (uint32_t t = 0; t < template_count && counts != NULL; t++) {
        const struct sp_template *template = &block->templates[table][t];
        uint16_t count = 0;
        for (uint32_t i = 0; i < template->column_count; i++)
            count += template->columns[i] == column;
        counts[t] = count;
        least = count < least ? count : least;
        most = count > most ? count : most;
    }
    *ret_least = least;
    *ret_most = most;
    return counts;
}

/* Rows [row, end), each with as many values as its template says. Returns the position behind their values. */
static uint32_t add_rows_of_values(const struct sp_block_rows *rows_of, uint32_t row, uint32_t end,
                                   const uint16_t *counts, const uint8_t *bytes, uint32_t at,
                                   uint32_t count, uint64_t *rows)
{
    for (; row < end; row++) {
        uint16_t values = counts[rows_of->templates[row]];
        for (; values > 0 && at < count; values--, at++)
            rows[row / 64] |= (uint64_t)bytes[at] << (row % 64);
    }
    return at;
}

/* The same, for rows with one value or none: nothing to guess for the processor. */
static uint32_t add_rows_of_one(const struct sp_block_rows *rows_of, uint32_t row, uint32_t end,
                                const uint16_t *counts, const uint8_t *bytes, uint32_t at,
                                uint64_t *rows)
{
    uint64_t word = 0;
    uint32_t first = row;
    for (; row < end; row++) {
        uint16_t values = counts[rows_of->templates[row]];
        word |= (uint64_t)(bytes[at] & values) << (row - first);
        at += values;
    }
    rows[first / 64] |= word;
    return at;
}

static enum sp_status add_values(struct sp_asking *asking, const struct sp_asked *asked,
                                 const struct sp_asked_column *asked_column, uint64_t *rows)
{
    const struct sp_column *column = &asking->block->columns[asked_column->column];
    const struct sp_block_rows *rows_of = &asking->block->tables[column->table];
    uint16_t least;
    uint16_t most;
    uint8_t *bytes = NULL;
    const uint16_t *counts = value_counts(asking, asked_column->column, &least, &most);
    if (counts == NULL)
        return sp_asking_no_memory(asking);
    enum sp_status status = value_bytes(asking, asked, asked_column, counts, &bytes);
    if (status != SP_OK)
        return status;
    uint32_t count = column->count;
    if (least == 1 && most == 1 && count == rows_of->count) {
        sp_bitmap_add_bytes(rows, bytes, count); /* value i is of row i */
        return SP_OK;
    }
    status = sp_block_view_rows(asking->view, column->table, asking->reterr);
    uint32_t at = 0;
    for (uint32_t row = 0; row < rows_of->count && status == SP_OK; row += 64) {
        uint32_t end = rows_of->count - row < 64 ? rows_of->count : row + 64;
        if (most == 1 && count - at >= 64)
            at = add_rows_of_one(rows_of, row, end, counts, bytes, at, rows);
        else
            at = add_rows_of_values(rows_of, row, end, counts, bytes, at, count, rows);
    }
    return status;
}

enum sp_status sp_asking_template_rows(struct sp_asking *asking, enum sp_block_table table,
                                       const uint8_t *templates, enum sp_share share,
                                       uint64_t *rows)
{
    uint32_t template_count = asking->block->template_counts[table];
    uint8_t *wanted = sp_asking_alloc(asking, template_count, 1);
    if (wanted == NULL)
        return sp_asking_no_memory(asking);
    for (uint32_t t = 0; t < template_count; t++)
        wanted[t] = templates[t] == share;
    enum sp_status status = sp_block_view_rows(asking->view, table, asking->reterr);
    if (status != SP_OK)
        return status;
    const struct sp_block_rows *rows_of = &asking->block->tables[table];
    for (uint32_t row = 0; row < rows_of->count; row += 64) {
        uint64_t word = 0;
        uint32_t end = rows_of->count - row < 64 ? rows_of->count : row + 64;
        for (uint32_t i = row; i < end; i++)
            word |= (uint64_t)wanted[rows_of->templates[i]] << (i - row);
        rows[row / 64] |= word;
    }
    return SP_OK;
}

/* Rows of a table by themselves, without their events and links. */
static enum sp_status add_table(struct sp_asking *asking, const struct sp_asked *asked,
                                enum sp_block_table table, uint64_t *rows)
{
    const uint8_t *templates = asked->tables[table].templates;
    enum sp_status status = SP_OK;
    bool all = false;
    for (uint32_t t = 0; t < asking->block->template_counts[table]; t++)
        all |= templates[t] == SP_SHARE_ALL;
    if (all)
        status = sp_asking_template_rows(asking, table, templates, SP_SHARE_ALL, rows);
    for (uint32_t i = 0; i < asked->column_count && status == SP_OK; i++) {
        const struct sp_asked_column *column = &asked->columns[i];
        if (column->share == SP_SHARE_SOME && asking->block->columns[column->column].table == table)
            status = add_values(asking, asked, column, rows);
    }
    return status;
}

/* ---- events and links ---- */

/* Adds the spans one of whose children is among these. counts: whether the rows of a template have any. */
static void add_parents(const struct sp_asking *asking, const struct sp_column *column,
                        const uint16_t *counts, const uint64_t *children, uint32_t child_count,
                        uint64_t *rows)
{
    const struct sp_block_rows *rows_of = &asking->block->tables[SP_BLOCK_SPANS];
    uint32_t value = 0;
    uint32_t child = 0;
    for (uint32_t row = 0; row < rows_of->count && value < column->count; row++) {
        if (counts[rows_of->templates[row]] == 0)
            continue;
        uint64_t more = column->numbers[value++];
        uint32_t end = more < child_count - child ? child + (uint32_t)more : child_count;
        rows[row / 64] |= (uint64_t)sp_bitmap_any(children, child, end) << (row % 64);
        child = end;
    }
}

/* Adds the spans of children that satisfy a condition; role: of the column that counts them. */
static enum sp_status add_spans_of(struct sp_asking *asking, enum sp_column_role role,
                                   const uint64_t *children, uint32_t child_count, uint64_t *rows)
{
    enum sp_status status = SP_OK;
    if (!sp_bitmap_any(children, 0, child_count))
        return status;
    for (uint32_t c = 0; c < asking->block->column_count && status == SP_OK; c++) {
        if (asking->block->columns[c].role != role)
            continue;
        uint16_t least;
        uint16_t most;
        const uint16_t *counts = value_counts(asking, c, &least, &most);
        if (counts == NULL)
            return sp_asking_no_memory(asking);
        status = sp_block_view_values(asking->view, c, asking->reterr);
        if (status == SP_OK)
            status = sp_block_view_rows(asking->view, SP_BLOCK_SPANS, asking->reterr);
        if (status == SP_OK)
            add_parents(asking, &asking->block->columns[c], counts, children, child_count, rows);
    }
    return status;
}

static enum sp_status add_children(struct sp_asking *asking, const struct sp_asked *asked,
                                   enum sp_block_table table, enum sp_column_role role,
                                   uint64_t *rows)
{
    if (asked->tables[table].share != SP_SHARE_SOME)
        return SP_OK; /* their spans' templates know */
    uint32_t child_count = asking->block->tables[table].count;
    uint64_t *children = sp_asking_alloc(asking, sp_bitmap_words(child_count), sizeof(*children));
    if (children == NULL)
        return sp_asking_no_memory(asking);
    enum sp_status status = add_table(asking, asked, table, children);
    return status == SP_OK ? add_spans_of(asking, role, children, child_count, rows) : status;
}

/* Spans with a link to the trace that the condition names. */
static enum sp_status add_links(struct sp_asking *asking, const struct sp_asked *asked,
                                uint64_t *rows)
{
    uint32_t count = asking->block->tables[SP_BLOCK_LINKS].count;
    uint64_t *links = sp_asking_alloc(asking, sp_bitmap_words(count), sizeof(*links));
    if (links == NULL)
        return sp_asking_no_memory(asking);
    enum sp_status status = sp_block_view_links(asking->view, asking->reterr);
    if (status != SP_OK)
        return status;
    const struct sp_trace_id *ids = asking->block->link_trace_ids;
    for (uint32_t i = 0; i < count; i++)
        links[i / 64] |= (uint64_t)sp_condition_holds_link(asked->condition, &ids[i]) << (i % 64);
    return add_spans_of(asking, SP_ROLE_LINK_COUNT, links, count, rows);
}

/* ---- spans ---- */

static enum sp_status add_durations(struct sp_asking *asking, const struct sp_asked *asked,
                                    uint64_t *rows)
{
    uint32_t count = asking->block->tables[SP_BLOCK_SPANS].count;
    const uint64_t *durations;
    enum sp_status status =
        sp_block_view_durations(asking->view, &asking->match->arena, &durations, asking->reterr);
    if (status != SP_OK)
        return status;
    uint8_t *bytes = sp_asking_alloc(asking, count, 1);
    if (bytes == NULL)
        return sp_asking_no_memory(asking);
    sp_value_set_duration_numbers(asked->set, durations, count, bytes);
    sp_bitmap_add_bytes(rows, bytes, count);
    return SP_OK;
}

enum sp_status sp_asking_rows(struct sp_asking *asking, const struct sp_asked *asked,
                              uint64_t *rows)
{
    if (asked->condition->field == SP_FIELD_DURATION)
        return add_durations(asking, asked, rows);
    if (asked->condition->field == SP_FIELD_LINKS) /* EXISTS is decided by templates */
        return add_links(asking, asked, rows);
    enum sp_status status = add_table(asking, asked, SP_BLOCK_SPANS, rows);
    if (status == SP_OK)
        status = add_children(asking, asked, SP_BLOCK_EVENTS, SP_ROLE_EVENT_COUNT, rows);
    if (status == SP_OK)
        status = add_children(asking, asked, SP_BLOCK_LINKS, SP_ROLE_LINK_COUNT, rows);
    return status;
}

/* Tests come behind all others. */
#define TEST_COST 64

uint64_t sp_asked_cost(const struct sp_asking *asking, const struct sp_asked *asked)
{
    const struct sp_block *block = asking->block;
    if (asked->condition->field == SP_FIELD_DURATION)
        return 2 * (uint64_t)block->tables[SP_BLOCK_SPANS].count;
    if (asked->condition->field == SP_FIELD_LINKS)
        return block->tables[SP_BLOCK_SPANS].count +
               2 * (uint64_t)block->tables[SP_BLOCK_LINKS].count;
    uint64_t cost = 0;
    if (asked->condition->field == SP_FIELD_EVENT_NAME)
        cost = block->tables[SP_BLOCK_SPANS].count + (uint64_t)block->tables[SP_BLOCK_EVENTS].count;
    for (uint32_t i = 0; i < asked->column_count; i++) {
        const struct sp_column *column = &block->columns[asked->columns[i].column];
        if (asked->columns[i].share != SP_SHARE_SOME)
            continue;
        cost += column->count;
        if (column->codes == NULL && column->numbers == NULL)
            cost += column->count; /* to be loaded */
        if (column->table != SP_BLOCK_SPANS)
            cost += block->tables[SP_BLOCK_SPANS].count;
    }
    return sp_asked_is_test(asked) ? TEST_COST * cost : cost;
}
