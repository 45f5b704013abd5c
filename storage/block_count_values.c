/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_count_values.c: the values of one attribute key in a block. Where a span can carry a value only once, values are
 * counted column by column, each text and number once; otherwise row by row. Knows neither disks nor engines. */
#include "lib/base/base.h"
#include "storage/block_counting.h"
#include "storage/pack.h"

/* The rows of the tally for the values in the attributes of one resource or scope. */
struct shared_rows {
    struct sp_tally_row **rows;
    uint32_t count;
    bool known;
};

/* What is known of one column. */
struct value_column {
    bool wanted;
    struct text_row {
        struct sp_tally_row *row; /* NULL: does not begin with the prefix */
        bool known;
    } * texts; /* NULL: none is known yet */
};

struct values {
    struct sp_counting *counting;
    const struct sp_value_filter *filter;
    uint64_t *next_mark;
    struct sp_buf text;
    struct value_column *columns;
    struct shared_rows *resources, *scopes;
    bool any_shared, any_column, any_packed, any_child, any_twice;
};

/* ---- single values ---- */

static enum sp_status value_row(struct values *values, const struct sp_value *value,
                                struct sp_tally_row **ret)
{
    return sp_value_tally_row(values->counting->tally, value, values->filter->prefix, &values->text,
                              ret, values->counting->reterr);
}

/* Of a text in a column, which can be a packed value. */
static enum sp_status text_row(struct values *values, const struct sp_column *column,
                               struct sp_slice text, struct sp_tally_row **ret)
{
    struct sp_value value = {.kind = column->kind, .string = text};
    if (column->kind == SP_VALUE_ARRAY || column->kind == SP_VALUE_KVLIST) {
        struct sp_arena *unpacked = &values->counting->unpacked;
        sp_arena_reset(unpacked);
        enum sp_status status = sp_value_unpack(text, unpacked, &value);
        if (status == SP_CORRUPT)
            return sp_error_set(values->counting->reterr, SP_CORRUPT,
                                "a packed value in a stored block is damaged");
        if (status != SP_OK)
            return sp_counting_no_memory(values->counting);
    }
    return value_row(values, &value, ret);
}

static enum sp_status number_row(struct values *values, enum sp_value_kind kind, uint64_t number,
                                 struct sp_tally_row **ret)
{
    struct sp_value value = {.kind = kind};
    if (kind == SP_VALUE_BOOL)
        value.boolean = number != 0;
    else
        memcpy(&value.integer, &number, sizeof(number));
    return value_row(values, &value, ret);
}

/* ---- what there is to count ---- */

static enum sp_status shared_rows(struct values *values, const struct sp_attributes *list,
                                  struct shared_rows *ret)
{
    enum sp_status status = SP_OK;
    uint32_t count = 0;
    if (ret->known)
        return SP_OK;
    ret->known = true;
    for (uint32_t i = 0; i < list->count; i++)
        count += sp_slice_equal(list->items[i].key, values->filter->key);
    if (count == 0)
        return SP_OK;
    ret->rows = sp_counting_alloc(values->counting, count, sizeof(struct sp_tally_row *));
    if (ret->rows == NULL)
        return sp_counting_no_memory(values->counting);
    for (uint32_t i = 0; i < list->count && status == SP_OK; i++) {
        struct sp_tally_row *row = NULL;
        if (sp_slice_equal(list->items[i].key, values->filter->key))
            status = value_row(values, &list->items[i].value, &row);
        if (row != NULL)
            ret->rows[ret->count++] = row;
    }
    values->any_shared = true;
    return status;
}

/* Only of resources and scopes that a row in range has: others leave no rows in the tally. */
static enum sp_status find_shared(struct values *values)
{
    struct sp_counting *counting = values->counting;
    const struct sp_block *block = counting->block;
    uint32_t scopes = values->filter->scopes;
    enum sp_status status = SP_OK;
    values->resources =
        sp_counting_alloc(counting, block->resource_count, sizeof(*values->resources));
    values->scopes = sp_counting_alloc(counting, block->scope_count, sizeof(*values->scopes));
    if (values->resources == NULL || values->scopes == NULL)
        return sp_counting_no_memory(counting);
    for (uint32_t t = 0; t < block->template_counts[SP_BLOCK_SPANS] && status == SP_OK; t++) {
        const struct sp_template *template = &block->templates[SP_BLOCK_SPANS][t];
        struct shared_rows *resource = &values->resources[template->resource];
        struct shared_rows *scope = &values->scopes[template->scope];
        if (counting->template_rows[t] == 0)
            continue;
        if ((scopes & SP_SCOPE_RESOURCE) != 0)
            status =
                shared_rows(values, &block->resources[template->resource].attributes, resource);
        if (status == SP_OK && (scopes & SP_SCOPE_INSTRUMENTATION) != 0)
            status = shared_rows(values, &block->scopes[template->scope].attributes, scope);
    }
    return status;
}

static bool has_once(const struct sp_block *block, uint32_t column)
{
    enum sp_block_table table = block->columns[column].table;
    for (uint32_t t = 0; t < block->template_counts[table]; t++) {
        const struct sp_template *template = &block->templates[table][t];
        uint32_t count = 0;
        for (uint32_t i = 0; i < template->column_count; i++)
            count += template->columns[i] == column;
        if (count > 1)
            return false;
    }
    return true;
}

static enum sp_status find_columns(struct values *values)
{
    const struct sp_block *block = values->counting->block;
    values->columns =
        sp_counting_alloc(values->counting, block->column_count, sizeof(*values->columns));
    if (values->columns == NULL)
        return sp_counting_no_memory(values->counting);
    for (uint32_t c = 0; c < block->column_count; c++) {
        const struct sp_column *column = &block->columns[c];
        struct value_column *wanted = &values->columns[c];
        bool asked = (values->filter->scopes & sp_counting_scope(column->table)) != 0;
        bool packed = column->role == SP_ROLE_MORE_ATTRIBUTES;
        bool has_key =
            column->role == SP_ROLE_ATTRIBUTE && sp_slice_equal(column->key, values->filter->key);
        wanted->wanted = asked && (packed || has_key);
        if (!wanted->wanted)
            continue;
        values->any_column = true;
        values->any_packed |= packed;
        values->any_twice |= !has_once(block, c);
        values->any_child |= column->table != SP_BLOCK_SPANS;
    }
    return SP_OK;
}

/* ---- row by row ---- */

static bool wants_value(void *cookie, const struct sp_template *template,
                        const struct sp_column *column)
{
    const struct values *values = cookie;
    (void)template;
    return values->columns[column - values->counting->block->columns].wanted;
}

static void count_shared(const struct values *values, const struct sp_template *template,
                         uint64_t mark, uint64_t more)
{
    const struct shared_rows *resource = &values->resources[template->resource];
    const struct shared_rows *scope = &values->scopes[template->scope];
    for (uint32_t i = 0; i < resource->count; i++)
        sp_tally_count(resource->rows[i], mark, more);
    for (uint32_t i = 0; i < scope->count; i++)
        sp_tally_count(scope->rows[i], mark, more);
}

static void begin_row(void *cookie, const struct sp_template *template, uint64_t mark)
{
    count_shared(cookie, template, mark, 1);
}

static enum sp_status visit_packed(struct values *values, struct sp_slice packed, uint64_t mark)
{
    const struct sp_attribute *items;
    uint32_t count;
    enum sp_status status = sp_counting_unpack(values->counting, packed, &items, &count);
    for (uint32_t i = 0; i < count && status == SP_OK; i++) {
        struct sp_tally_row *row = NULL;
        if (sp_slice_equal(items[i].key, values->filter->key))
            status = value_row(values, &items[i].value, &row);
        if (status == SP_OK && row != NULL)
            sp_tally_count(row, mark, 1);
    }
    return status;
}

static enum sp_status visit_text(struct values *values, uint32_t number, uint32_t code,
                                 uint64_t mark)
{
    const struct sp_column *column = &values->counting->block->columns[number];
    struct value_column *known = &values->columns[number];
    if (known->texts == NULL)
        known->texts =
            sp_counting_alloc(values->counting, column->dictionary->count, sizeof(*known->texts));
    if (known->texts == NULL)
        return sp_counting_no_memory(values->counting);
    struct text_row *text = &known->texts[code];
    if (!text->known) {
        enum sp_status status =
            text_row(values, column, column->dictionary->texts[code], &text->row);
        if (status != SP_OK)
            return status;
        text->known = true;
    }
    if (text->row != NULL)
        sp_tally_count(text->row, mark, 1);
    return SP_OK;
}

static enum sp_status visit_value(void *cookie, uint32_t number, uint32_t position, uint64_t mark)
{
    struct values *values = cookie;
    const struct sp_column *column = &values->counting->block->columns[number];
    if (column->role == SP_ROLE_MORE_ATTRIBUTES)
        return visit_packed(values, column->dictionary->texts[column->codes[position]], mark);
    if (column->codes != NULL)
        return visit_text(values, number, column->codes[position], mark);
    struct sp_tally_row *row;
    enum sp_status status = number_row(
        values, column->kind, column->numbers != NULL ? column->numbers[position] : 0, &row);
    if (status == SP_OK && row != NULL)
        sp_tally_count(row, mark, 1);
    return status;
}

static enum sp_status count_by_row(struct values *values)
{
    const struct sp_block *block = values->counting->block;
    struct sp_counting_walk walk = {.counting = values->counting,
                                    .wants = wants_value,
                                    .begin = begin_row,
                                    .visit = visit_value,
                                    .cookie = values,
                                    .children = values->any_child};
    enum sp_status status = SP_OK;
    for (uint32_t c = 0; c < block->column_count && status == SP_OK; c++) {
        if (values->columns[c].wanted)
            status = sp_block_view_values(values->counting->view, c, values->counting->reterr);
    }
    return status == SP_OK ? sp_counting_walk(&walk, values->next_mark) : status;
}

/* ---- column by column ---- */

/* 1 for each value of a column in which no row has two whose row is in range. */
static enum sp_status values_in_range(struct sp_counting *counting, uint32_t number, uint8_t **ret)
{
    const struct sp_block *block = counting->block;
    const struct sp_column *column = &block->columns[number];
    const struct sp_block_rows *rows_of = &block->tables[SP_BLOCK_SPANS];
    uint32_t template_count = block->template_counts[SP_BLOCK_SPANS];
    uint8_t *has = sp_counting_alloc(counting, template_count, 1);
    uint8_t *in_range = sp_counting_alloc(counting, column->count, 1);
    if (has == NULL || in_range == NULL)
        return sp_counting_no_memory(counting);
    *ret = in_range;
    if (counting->rows == NULL) {
        memset(in_range, 1, column->count);
        return SP_OK;
    }
    for (uint32_t t = 0; t < template_count; t++) {
        const struct sp_template *template = &block->templates[SP_BLOCK_SPANS][t];
        for (uint32_t i = 0; i < template->column_count; i++)
            has[t] |= template->columns[i] == number;
    }
    uint32_t at = 0;
    for (uint32_t row = 0; row < rows_of->count && at < column->count; row++) {
        in_range[at] = sp_bitmap_has(counting->rows, row);
        at += has[rows_of->templates[row]];
    }
    return SP_OK;
}

static void add_count(struct sp_tally_row *row, uint64_t more)
{
    if (row != NULL)
        row->count += more;
}

static enum sp_status count_texts(struct values *values, const struct sp_column *column,
                                  const uint8_t *in_range)
{
    uint32_t *counts =
        sp_counting_alloc(values->counting, column->dictionary->count, sizeof(*counts));
    if (counts == NULL)
        return sp_counting_no_memory(values->counting);
    for (uint32_t i = 0; i < column->count; i++)
        counts[column->codes[i]] += in_range[i];
    enum sp_status status = SP_OK;
    for (uint32_t code = 0; code < column->dictionary->count && status == SP_OK; code++) {
        struct sp_tally_row *row = NULL;
        if (counts[code] > 0)
            status = text_row(values, column, column->dictionary->texts[code], &row);
        add_count(row, counts[code]);
    }
    return status;
}

/* An open-addressing table, at most half full, of the numbers that occur. */
static enum sp_status count_numbers(struct values *values, const struct sp_column *column,
                                    const uint8_t *in_range)
{
    struct number_slot {
        uint64_t number;
        uint32_t count; /* 0: free */
    };
    size_t slot_count = 16;
    while (slot_count < (size_t)column->count * 2)
        slot_count *= 2;
    uint64_t seed = values->counting->tally->seed;
    struct number_slot *slots = sp_counting_alloc(values->counting, slot_count, sizeof(*slots));
    if (slots == NULL)
        return sp_counting_no_memory(values->counting);
    for (uint32_t i = 0; i < column->count; i++) {
        uint64_t number = column->numbers[i];
        size_t at = sp_hash_mix(seed, number) & (slot_count - 1);
        while (slots[at].count > 0 && slots[at].number != number)
            at = (at + 1) & (slot_count - 1);
        slots[at].number = number;
        slots[at].count += in_range[i];
    }
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < slot_count && status == SP_OK; i++) {
        struct sp_tally_row *row = NULL;
        if (slots[i].count > 0)
            status = number_row(values, column->kind, slots[i].number, &row);
        add_count(row, slots[i].count);
    }
    return status;
}

static enum sp_status count_column(struct values *values, uint32_t number)
{
    struct sp_counting *counting = values->counting;
    const struct sp_column *column = &counting->block->columns[number];
    uint8_t *in_range = NULL;
    enum sp_status status = sp_block_view_values(counting->view, number, counting->reterr);
    if (status == SP_OK)
        status = values_in_range(counting, number, &in_range);
    if (status != SP_OK)
        return status;
    if (column->codes != NULL)
        return count_texts(values, column, in_range);
    if (column->numbers != NULL)
        return count_numbers(values, column, in_range);
    struct sp_tally_row *row = NULL; /* all are empty */
    uint32_t count = 0;
    for (uint32_t i = 0; i < column->count; i++)
        count += in_range[i];
    if (count > 0)
        status = value_row(values, &(struct sp_value){.kind = column->kind}, &row);
    add_count(row, count);
    return status;
}

static enum sp_status count_by_column(struct values *values)
{
    const struct sp_block *block = values->counting->block;
    enum sp_status status = SP_OK;
    for (uint32_t c = 0; c < block->column_count && status == SP_OK; c++) {
        if (values->columns[c].wanted)
            status = count_column(values, c);
    }
    return status;
}

static void count_by_template(struct values *values)
{
    const struct sp_counting *counting = values->counting;
    for (uint32_t t = 0; t < counting->block->template_counts[SP_BLOCK_SPANS]; t++) {
        if (counting->template_rows[t] > 0)
            count_shared(values, &counting->block->templates[SP_BLOCK_SPANS][t],
                         (*values->next_mark)++, counting->template_rows[t]);
    }
}

/* ---- all ---- */

static enum sp_status count_values(struct values *values)
{
    enum sp_status status = find_columns(values);
    if (status == SP_OK)
        status = find_shared(values);
    if (status != SP_OK)
        return status;
    /* Values of different kinds differ, so columns of spans do not meet each other. */
    if ((values->any_shared && values->any_column) || values->any_packed || values->any_twice ||
        values->any_child)
        return count_by_row(values);
    count_by_template(values);
    return count_by_column(values);
}

enum sp_status sp_block_count_values(struct sp_block_view *view, struct sp_time_range range,
                                     const struct sp_value_filter *filter, uint64_t *next_mark,
                                     struct sp_tally *tally, struct sp_error *reterr)
{
    struct sp_counting counting;
    enum sp_status status = sp_counting_init(&counting, view, range, tally, reterr);
    if (status == SP_OK && counting.in_range > 0) {
        struct values values = {.counting = &counting, .filter = filter, .next_mark = next_mark};
        sp_buf_init(&values.text, SP_VALUE_TEXT_BYTES_MAX);
        status = count_values(&values);
        sp_buf_fini(&values.text);
    }
    sp_counting_fini(&counting);
    return status;
}
