/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_counting.c: the rows of a block in range, by template, and one after the other. Knows neither disks nor
 * engines. */
#include "storage/block_counting.h"
#include "storage/pack.h"

void *sp_counting_alloc(struct sp_counting *counting, size_t count, size_t size)
{
    return sp_arena_calloc(&counting->arena, count + 1, size);
}

enum sp_status sp_counting_no_memory(struct sp_counting *counting)
{
    return sp_error_set(counting->reterr, SP_NO_MEMORY, "no memory to count the rows of a block");
}

static enum sp_status damaged(struct sp_counting *counting)
{
    return sp_error_set(counting->reterr, SP_CORRUPT,
                        "a packed value in a stored block is damaged");
}

enum sp_status sp_counting_unpack(struct sp_counting *counting, struct sp_slice packed,
                                  const struct sp_attribute **ret, uint32_t *ret_count)
{
    sp_arena_reset(&counting->unpacked);
    enum sp_status status = sp_attributes_unpack(packed, &counting->unpacked, ret, ret_count);
    if (status == SP_CORRUPT)
        return damaged(counting);
    return status == SP_OK ? SP_OK : sp_counting_no_memory(counting);
}

enum sp_attribute_scope sp_counting_scope(enum sp_block_table table)
{
    static const enum sp_attribute_scope scopes[SP_BLOCK_TABLE_COUNT] = {
        [SP_BLOCK_SPANS] = SP_SCOPE_SPAN,
        [SP_BLOCK_EVENTS] = SP_SCOPE_EVENT,
        [SP_BLOCK_LINKS] = SP_SCOPE_LINK,
    };
    return scopes[table];
}

/* ---- rows in range ---- */

static enum sp_status find_rows(struct sp_counting *counting, struct sp_time_range range)
{
    uint32_t count = counting->block->tables[SP_BLOCK_SPANS].count;
    uint64_t *rows = sp_counting_alloc(counting, sp_bitmap_words(count), sizeof(*rows));
    if (rows == NULL)
        return sp_counting_no_memory(counting);
    sp_bitmap_fill(rows, count);
    enum sp_status status = sp_block_view_keep_range(counting->view, range, rows, counting->reterr);
    counting->in_range = sp_bitmap_count(rows, 0, count);
    if (counting->in_range < count)
        counting->rows = rows;
    return status;
}

static enum sp_status count_templates(struct sp_counting *counting)
{
    const struct sp_block_rows *rows_of = &counting->block->tables[SP_BLOCK_SPANS];
    uint32_t template_count = counting->block->template_counts[SP_BLOCK_SPANS];
    uint32_t *counts = sp_counting_alloc(counting, template_count, sizeof(*counts));
    if (counts == NULL)
        return sp_counting_no_memory(counting);
    enum sp_status status = sp_block_view_rows(counting->view, SP_BLOCK_SPANS, counting->reterr);
    for (uint32_t row = 0; row < rows_of->count && status == SP_OK; row++)
        counts[rows_of->templates[row]] +=
            counting->rows == NULL || sp_bitmap_has(counting->rows, row);
    counting->template_rows = counts;
    return status;
}

enum sp_status sp_counting_init(struct sp_counting *counting, struct sp_block_view *view,
                                struct sp_time_range range, struct sp_tally *tally,
                                struct sp_error *reterr)
{
    enum sp_share share = sp_block_share_in_range(view->block, range);
    enum sp_status status = SP_OK;
    *counting =
        (struct sp_counting){.view = view, .block = view->block, .tally = tally, .reterr = reterr};
    sp_arena_init(&counting->arena, SIZE_MAX);
    sp_arena_init(&counting->unpacked, SIZE_MAX);
    if (share == SP_SHARE_ALL)
        counting->in_range = view->block->tables[SP_BLOCK_SPANS].count;
    if (share == SP_SHARE_SOME)
        status = find_rows(counting, range);
    if (status == SP_OK && counting->in_range > 0)
        status = count_templates(counting);
    return status;
}

void sp_counting_fini(struct sp_counting *counting)
{
    sp_arena_fini(&counting->arena);
    sp_arena_fini(&counting->unpacked);
}

/* ---- a walk ---- */

/* The columns to visit of each template, one list behind the other. */
struct lists {
    uint32_t *first; /* of each template, and one more at the end */
    uint32_t *columns;
};

struct position {
    const struct sp_counting_walk *walk;
    struct lists lists[SP_BLOCK_TABLE_COUNT];
    uint32_t *next;                          /* value of each column */
    uint32_t next_row[SP_BLOCK_TABLE_COUNT]; /* of events and links */
};

/* Counts of children are always in a list; what is packed has to be there for positions to be right. */
static bool is_listed(const struct sp_counting_walk *walk, const struct sp_template *template,
                      const struct sp_column *column)
{
    if (column->role == SP_ROLE_EVENT_COUNT || column->role == SP_ROLE_LINK_COUNT)
        return walk->children;
    return walk->wants(walk->cookie, template, column);
}

static enum sp_status load_role(struct sp_counting *counting, uint32_t column)
{
    if (counting->block->columns[column].role == SP_ROLE_ATTRIBUTE)
        return SP_OK;
    return sp_block_view_values(counting->view, column, counting->reterr);
}

static enum sp_status make_lists(const struct sp_counting_walk *walk, enum sp_block_table table,
                                 struct lists *ret)
{
    struct sp_counting *counting = walk->counting;
    const struct sp_block *block = counting->block;
    uint32_t template_count = block->template_counts[table];
    size_t room = 0;
    for (uint32_t t = 0; t < template_count; t++)
        room += block->templates[table][t].column_count;
    ret->first = sp_counting_alloc(counting, template_count, sizeof(*ret->first));
    ret->columns = sp_counting_alloc(counting, room, sizeof(*ret->columns));
    if (ret->first == NULL || ret->columns == NULL)
        return sp_counting_no_memory(counting);
    uint32_t count = 0;
    for (uint32_t t = 0; t < template_count; t++) {
        const struct sp_template *template = &block->templates[table][t];
        for (uint32_t i = 0; i < template->column_count; i++) {
            uint32_t column = template->columns[i];
            if (!is_listed(walk, template, &block->columns[column]))
                continue;
            enum sp_status status = load_role(counting, column);
            if (status != SP_OK)
                return status;
            ret->columns[count++] = column;
        }
        ret->first[t + 1] = count;
    }
    return sp_block_view_rows(counting->view, table, counting->reterr);
}

/* One row of a table. children: how many events and links it has, by table. */
static enum sp_status walk_row(struct position *position, enum sp_block_table table, uint32_t row,
                               bool in_range, uint64_t mark, uint64_t children[])
{
    struct sp_counting *counting = position->walk->counting;
    const struct sp_block *block = counting->block;
    const struct lists *lists = &position->lists[table];
    uint32_t template = block->tables[table].templates[row];
    enum sp_status status = SP_OK;
    for (uint32_t i = lists->first[template]; i < lists->first[template + 1] && status == SP_OK;
         i++) {
        uint32_t number = lists->columns[i];
        const struct sp_column *column = &block->columns[number];
        uint32_t at = position->next[number]++;
        if (at >= column->count)
            return damaged(counting);
        if (column->role == SP_ROLE_EVENT_COUNT)
            children[SP_BLOCK_EVENTS] = column->numbers[at];
        else if (column->role == SP_ROLE_LINK_COUNT)
            children[SP_BLOCK_LINKS] = column->numbers[at];
        else if (in_range)
            status = position->walk->visit(position->walk->cookie, number, at, mark);
    }
    return status;
}

static enum sp_status walk_children(struct position *position, enum sp_block_table table,
                                    uint64_t count, bool in_range, uint64_t mark)
{
    struct sp_counting *counting = position->walk->counting;
    uint32_t *next = &position->next_row[table];
    uint64_t none[SP_BLOCK_TABLE_COUNT] = {0};
    enum sp_status status = SP_OK;
    if (count > counting->block->tables[table].count - *next)
        return damaged(counting);
    for (; count > 0 && status == SP_OK; count--)
        status = walk_row(position, table, (*next)++, in_range, mark, none);
    return status;
}

static enum sp_status walk_span(struct position *position, uint32_t row, uint64_t *next_mark)
{
    const struct sp_counting_walk *walk = position->walk;
    const struct sp_block *block = walk->counting->block;
    const uint64_t *rows = walk->counting->rows;
    bool in_range = rows == NULL || sp_bitmap_has(rows, row);
    uint64_t mark = in_range ? (*next_mark)++ : 0;
    uint64_t children[SP_BLOCK_TABLE_COUNT] = {0};
    if (in_range && walk->begin != NULL)
        walk->begin(walk->cookie,
                    &block->templates[SP_BLOCK_SPANS][block->tables[SP_BLOCK_SPANS].templates[row]],
                    mark);
    enum sp_status status = walk_row(position, SP_BLOCK_SPANS, row, in_range, mark, children);
    if (status == SP_OK)
        status =
            walk_children(position, SP_BLOCK_EVENTS, children[SP_BLOCK_EVENTS], in_range, mark);
    if (status == SP_OK)
        status = walk_children(position, SP_BLOCK_LINKS, children[SP_BLOCK_LINKS], in_range, mark);
    return status;
}

enum sp_status sp_counting_walk(const struct sp_counting_walk *walk, uint64_t *next_mark)
{
    struct sp_counting *counting = walk->counting;
    const struct sp_block *block = counting->block;
    struct position position = {.walk = walk};
    position.next = sp_counting_alloc(counting, block->column_count, sizeof(*position.next));
    if (position.next == NULL)
        return sp_counting_no_memory(counting);
    enum sp_status status = make_lists(walk, SP_BLOCK_SPANS, &position.lists[SP_BLOCK_SPANS]);
    if (status == SP_OK && walk->children)
        status = make_lists(walk, SP_BLOCK_EVENTS, &position.lists[SP_BLOCK_EVENTS]);
    if (status == SP_OK && walk->children)
        status = make_lists(walk, SP_BLOCK_LINKS, &position.lists[SP_BLOCK_LINKS]);
    for (uint32_t row = 0; row < block->tables[SP_BLOCK_SPANS].count && status == SP_OK; row++)
        status = walk_span(&position, row, next_mark);
    return status;
}
