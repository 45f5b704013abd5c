/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/sheet_block.c: a block as a sheet. A field is decided once a template where resource, scope or name say it; what is in
 * columns goes from values to rows by what the templates say of them. Knows neither disks nor engines. */
#include "lib/base/base.h"
#include "storage/pack.h"
#include "storage/sheet.h"

static struct sp_block_sheet *block_sheet_of(struct sp_sheet *sheet)
{
    return (struct sp_block_sheet *)sheet;
}

static enum sp_status no_memory(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory to look at a block of spans");
}

/* ---- what every row has ---- */

static enum sp_status templates_of(struct sp_sheet *sheet, const uint32_t **ret,
                                   struct sp_error *reterr)
{
    struct sp_block_view *view = block_sheet_of(sheet)->view;
    enum sp_status status = sp_block_view_rows(view, SP_BLOCK_SPANS, reterr);
    *ret = view->block->tables[SP_BLOCK_SPANS].templates;
    return status;
}

static enum sp_status starts_of(struct sp_sheet *sheet, const uint64_t **ret,
                                struct sp_error *reterr)
{
    struct sp_block_view *view = block_sheet_of(sheet)->view;
    enum sp_status status = sp_block_view_starts(view, reterr);
    *ret = view->block->starts;
    return status;
}

static enum sp_status durations_of(struct sp_sheet *sheet, const uint64_t **ret,
                                   struct sp_error *reterr)
{
    struct sp_block_sheet *block_sheet = block_sheet_of(sheet);
    enum sp_status status = SP_OK;
    if (block_sheet->durations == NULL)
        status = sp_block_view_durations(block_sheet->view, &block_sheet->arena,
                                         &block_sheet->durations, reterr);
    *ret = block_sheet->durations;
    return status;
}

static enum sp_status spans_of(struct sp_sheet *sheet, const struct sp_span **ret,
                               struct sp_error *reterr)
{
    struct sp_block_sheet *block_sheet = block_sheet_of(sheet);
    enum sp_status status = SP_OK;
    if (block_sheet->spans == NULL) {
        struct sp_span *spans =
            sp_arena_calloc(&block_sheet->arena, sheet->row_count, sizeof(*spans));
        if (spans == NULL)
            return no_memory(reterr);
        if (block_sheet->load_all != NULL)
            status = block_sheet->load_all(block_sheet->cookie, reterr);
        if (status == SP_OK)
            status = sp_block_spans(block_sheet->view->block, 0, sheet->row_count, false,
                                    &block_sheet->arena, spans, reterr);
        if (status == SP_OK)
            block_sheet->spans = spans;
    }
    *ret = block_sheet->spans;
    return status;
}

static enum sp_status trace_id_of(struct sp_sheet *sheet, uint32_t row, struct sp_trace_id *ret,
                                  struct sp_error *reterr)
{
    struct sp_block_view *view = block_sheet_of(sheet)->view;
    enum sp_status status = sp_block_view_traces(view, reterr);
    if (status != SP_OK)
        return status;
    *ret = view->block->trace_ids[sp_block_trace_of(view->block, row)];
    return SP_OK;
}

static enum sp_status span_id_of(struct sp_sheet *sheet, uint32_t row, struct sp_span_id *ret,
                                 struct sp_error *reterr)
{
    struct sp_block_view *view = block_sheet_of(sheet)->view;
    enum sp_status status = sp_block_view_span_ids(view, reterr);
    if (status == SP_OK)
        *ret = view->block->span_ids[row];
    return status;
}

/* ---- fields ---- */

/* One field over one block, being read. */
struct field_reading {
    struct sp_block_sheet *sheet;
    const struct sp_block *block;
    const struct sp_sheet_field *field;
    struct sp_value *values;
    uint32_t value_count, value_cap;
    uint32_t *codes;
    uint32_t *shared; /* by template: the code of rows without a value of their own */
    uint32_t *owner;  /* by template: the column of the row's first value, plus 1; 0: none */
    struct sp_error *reterr;
};

static void *alloc(struct field_reading *reading, size_t count, size_t size)
{
    return sp_arena_calloc(&reading->sheet->arena, count + 1, size);
}

/* The code of a value that is new. */
static enum sp_status add_value(struct field_reading *reading, const struct sp_value *value,
                                uint32_t *ret)
{
    if (reading->value_count == reading->value_cap) {
        uint32_t cap = reading->value_cap > 0 ? 2 * reading->value_cap : 64;
        struct sp_value *grown =
            sp_arena_grow(&reading->sheet->arena, reading->values,
                          reading->value_cap * sizeof(*grown), (size_t)cap * sizeof(*grown));
        if (grown == NULL)
            return no_memory(reading->reterr);
        reading->values = grown;
        reading->value_cap = cap;
    }
    *ret = reading->value_count;
    reading->values[reading->value_count++] = *value;
    return SP_OK;
}

static enum sp_status damaged(struct field_reading *reading, enum sp_status status)
{
    if (status != SP_CORRUPT)
        return no_memory(reading->reterr);
    return sp_error_set(reading->reterr, SP_CORRUPT, "a packed value in a stored block is damaged");
}

/* The value that a text of a column is; packed ones are the arena's memory. */
static enum sp_status text_value(struct field_reading *reading, const struct sp_column *column,
                                 struct sp_slice text, struct sp_value *ret)
{
    *ret = (struct sp_value){.kind = column->kind, .string = text};
    if (column->kind != SP_VALUE_ARRAY && column->kind != SP_VALUE_KVLIST)
        return SP_OK;
    enum sp_status status = sp_value_unpack(text, &reading->sheet->arena, ret);
    return status == SP_OK ? SP_OK : damaged(reading, status);
}

/* Codes of the values of a column of texts: each text is looked at once. */
static enum sp_status add_texts(struct field_reading *reading, const struct sp_column *column,
                                const uint32_t **ret)
{
    uint32_t *known = alloc(reading, column->dictionary->count, sizeof(*known));
    uint32_t *codes = alloc(reading, column->count, sizeof(*codes));
    if (known == NULL || codes == NULL)
        return no_memory(reading->reterr);
    *ret = codes;
    for (uint32_t i = 0; i < column->count; i++) {
        uint32_t *code = &known[column->codes[i]];
        if (*code == 0) {
            struct sp_value value;
            enum sp_status status =
                text_value(reading, column, column->dictionary->texts[column->codes[i]], &value);
            if (status == SP_OK)
                status = add_value(reading, &value, code);
            if (status != SP_OK)
                return status;
        }
        codes[i] = *code;
    }
    return SP_OK;
}

/* Codes of the numbers of a column, each number once: an open-addressing table, at most half full. */
static enum sp_status add_numbers(struct field_reading *reading, const struct sp_column *column,
                                  const uint32_t **ret)
{
    uint64_t seed = sp_hash_seed();
    size_t slot_count = 64;
    while (slot_count < (size_t)column->count * 2)
        slot_count *= 2;
    uint32_t *slots = alloc(reading, slot_count, sizeof(*slots)); /* code; 0: free */
    uint32_t *codes = alloc(reading, column->count, sizeof(*codes));
    if (slots == NULL || codes == NULL)
        return no_memory(reading->reterr);
    *ret = codes;
    for (uint32_t i = 0; i < column->count; i++) {
        struct sp_value value = {.kind = column->kind};
        int64_t bits;
        memcpy(&bits, &column->numbers[i], sizeof(bits));
        if (i > 0 && column->numbers[i] == column->numbers[i - 1]) {
            codes[i] = codes[i - 1];
            continue;
        }
        if (column->kind == SP_VALUE_BOOL)
            value.boolean = bits != 0;
        else
            value.integer = bits;
        size_t at = sp_hash_mix(seed, column->numbers[i]) & (slot_count - 1);
        for (; slots[at] != 0; at = (at + 1) & (slot_count - 1)) {
            const struct sp_value *known = &reading->values[slots[at]];
            bool same = column->kind == SP_VALUE_BOOL ? known->boolean == value.boolean
                                                      : known->integer == bits;
            if (same)
                break;
        }
        if (slots[at] == 0) {
            enum sp_status status = add_value(reading, &value, &slots[at]);
            if (status != SP_OK)
                return status;
        }
        codes[i] = slots[at];
    }
    return SP_OK;
}

static enum sp_status add_column_values(struct field_reading *reading, uint32_t number,
                                        const uint32_t **ret_codes)
{
    enum sp_status status = sp_block_view_values(reading->sheet->view, number, reading->reterr);
    const struct sp_column *column = &reading->block->columns[number];
    if (status != SP_OK)
        return status;
    if (column->codes != NULL)
        return add_texts(reading, column, ret_codes);
    if (column->numbers != NULL)
        return add_numbers(reading, column, ret_codes);
    uint32_t *codes = alloc(reading, column->count, sizeof(*codes)); /* all empty, and alike */
    uint32_t empty;
    if (codes == NULL)
        return no_memory(reading->reterr);
    status = add_value(reading, &(struct sp_value){.kind = SP_VALUE_EMPTY}, &empty);
    for (uint32_t i = 0; i < column->count && status == SP_OK; i++)
        codes[i] = empty;
    *ret_codes = codes;
    return status;
}

/* ---- what templates say ---- */

static bool is_own(const struct field_reading *reading, const struct sp_column *column)
{
    if (column->table != SP_BLOCK_SPANS)
        return false;
    if (reading->field->field == SP_FIELD_STATUS_MESSAGE)
        return column->role == SP_ROLE_STATUS_MESSAGE;
    return (reading->field->scopes & SP_SCOPE_SPAN) != 0 && column->role == SP_ROLE_ATTRIBUTE &&
           sp_slice_equal(column->key, reading->field->key);
}

static bool is_packed(const struct field_reading *reading, const struct sp_column *column)
{
    return column->table == SP_BLOCK_SPANS && column->role == SP_ROLE_MORE_ATTRIBUTES &&
           reading->field->field == SP_FIELD_ATTRIBUTE &&
           (reading->field->scopes & SP_SCOPE_SPAN) != 0;
}

/* The code of the first value under the key in the attributes of each resource, or scope. */
static enum sp_status add_shared(struct field_reading *reading, uint32_t count, bool of_scopes,
                                 uint32_t **ret)
{
    const struct sp_block *block = reading->block;
    uint32_t *codes = alloc(reading, count, sizeof(*codes));
    enum sp_status status = codes != NULL ? SP_OK : no_memory(reading->reterr);
    for (uint32_t i = 0; i < count && status == SP_OK; i++) {
        const struct sp_value *value = sp_attributes_find(
            of_scopes ? &block->scopes[i].attributes : &block->resources[i].attributes,
            reading->field->key);
        if (value != NULL)
            status = add_value(reading, value, &codes[i]);
    }
    *ret = codes;
    return status;
}

static enum sp_status find_owners(struct field_reading *reading)
{
    const struct sp_block *block = reading->block;
    uint32_t template_count = block->template_counts[SP_BLOCK_SPANS];
    reading->owner = alloc(reading, template_count, sizeof(*reading->owner));
    reading->shared = alloc(reading, template_count, sizeof(*reading->shared));
    if (reading->owner == NULL || reading->shared == NULL)
        return no_memory(reading->reterr);
    uint32_t *resources = NULL;
    uint32_t *scopes = NULL;
    enum sp_status status = SP_OK;
    bool attributes = reading->field->field == SP_FIELD_ATTRIBUTE;
    if (attributes && (reading->field->scopes & SP_SCOPE_RESOURCE) != 0)
        status = add_shared(reading, block->resource_count, false, &resources);
    if (status == SP_OK && attributes && (reading->field->scopes & SP_SCOPE_INSTRUMENTATION) != 0)
        status = add_shared(reading, block->scope_count, true, &scopes);
    for (uint32_t t = 0; t < template_count && status == SP_OK; t++) {
        const struct sp_template *template = &block->templates[SP_BLOCK_SPANS][t];
        for (uint32_t i = template->column_count; i > 0; i--) {
            if (is_own(reading, &block->columns[template->columns[i - 1]]))
                reading->owner[t] = template->columns[i - 1] + 1;
        }
        if (resources != NULL)
            reading->shared[t] = resources[template->resource];
        if (scopes != NULL && reading->shared[t] == 0)
            reading->shared[t] = scopes[template->scope];
    }
    return status;
}

/* ---- from values to rows ---- */

/* How many values of a column the rows of each template have. */
static uint32_t *value_counts(struct field_reading *reading, uint32_t number)
{
    const struct sp_block *block = reading->block;
    uint32_t template_count = block->template_counts[SP_BLOCK_SPANS];
    uint32_t *counts = alloc(reading, template_count, sizeof(*counts));
    for (uint32_t t = 0; t < template_count && counts != NULL; t++) {
        const struct sp_template *template = &block->templates[SP_BLOCK_SPANS][t];
        for (uint32_t i = 0; i < template->column_count; i++)
            counts[t] += template->columns[i] == number;
    }
    return counts;
}

/* Writes the codes of the rows whose first value is in this column. */
static enum sp_status read_column(struct field_reading *reading, uint32_t number)
{
    const struct sp_block_rows *rows_of = &reading->block->tables[SP_BLOCK_SPANS];
    const uint32_t *codes = NULL;
    enum sp_status status = add_column_values(reading, number, &codes);
    if (status != SP_OK)
        return status;
    const uint32_t *counts = value_counts(reading, number);
    if (counts == NULL)
        return no_memory(reading->reterr);
    uint32_t at = 0;
    uint32_t count = reading->block->columns[number].count;
    for (uint32_t row = 0; row < rows_of->count && at < count; row++) {
        uint32_t template = rows_of->templates[row];
        reading->codes[row] =
            reading->owner[template] == number + 1 ? codes[at] : reading->codes[row];
        at += counts[template];
    }
    return SP_OK;
}

/* Rows with a packed list, of which no column holds the key. */
static enum sp_status read_packed(struct field_reading *reading, uint32_t number)
{
    const struct sp_block_rows *rows_of = &reading->block->tables[SP_BLOCK_SPANS];
    enum sp_status status = sp_block_view_values(reading->sheet->view, number, reading->reterr);
    const struct sp_column *column = &reading->block->columns[number];
    if (status != SP_OK)
        return status;
    const uint32_t *counts = value_counts(reading, number);
    if (counts == NULL)
        return no_memory(reading->reterr);
    uint32_t at = 0;
    for (uint32_t row = 0; row < rows_of->count && at < column->count; row++) {
        uint32_t template = rows_of->templates[row];
        if (counts[template] == 0)
            continue;
        struct sp_slice packed = column->dictionary->texts[column->codes[at]];
        at += counts[template];
        if (reading->owner[template] != 0)
            continue;
        struct sp_attributes list = {0};
        status = sp_attributes_unpack(packed, &reading->sheet->arena, &list.items, &list.count);
        if (status != SP_OK)
            return damaged(reading, status);
        const struct sp_value *value = sp_attributes_find(&list, reading->field->key);
        if (value != NULL)
            status = add_value(reading, value, &reading->codes[row]);
        if (status != SP_OK)
            return status;
    }
    return SP_OK;
}

static enum sp_status column_of(struct sp_sheet *sheet, const struct sp_sheet_field *field,
                                struct sp_sheet_column *ret, struct sp_error *reterr)
{
    struct sp_block_sheet *block_sheet = block_sheet_of(sheet);
    const struct sp_block *block = block_sheet->view->block;
    struct field_reading reading = {
        .sheet = block_sheet, .block = block, .field = field, .reterr = reterr};
    uint32_t none;
    reading.codes = alloc(&reading, sheet->row_count, sizeof(*reading.codes));
    if (reading.codes == NULL)
        return no_memory(reterr);
    enum sp_status status = add_value(&reading, &(struct sp_value){.kind = SP_VALUE_EMPTY}, &none);
    if (status == SP_OK)
        status = find_owners(&reading);
    if (status == SP_OK)
        status = sp_block_view_rows(block_sheet->view, SP_BLOCK_SPANS, reterr);
    const uint32_t *templates = block->tables[SP_BLOCK_SPANS].templates;
    for (uint32_t row = 0; row < sheet->row_count && status == SP_OK && reading.value_count > 1;
         row++)
        reading.codes[row] = reading.shared[templates[row]];
    for (uint32_t c = 0; c < block->column_count && status == SP_OK; c++) {
        if (is_own(&reading, &block->columns[c]))
            status = read_column(&reading, c);
        else if (is_packed(&reading, &block->columns[c]))
            status = read_packed(&reading, c);
    }
    *ret = (struct sp_sheet_column){
        .codes = reading.codes, .values = reading.values, .value_count = reading.value_count};
    return status;
}

/* ---- opening ---- */

static const struct sp_sheet_ops ops = {
    .templates = templates_of,
    .starts = starts_of,
    .durations = durations_of,
    .spans = spans_of,
    .trace_id = trace_id_of,
    .span_id = span_id_of,
    .column = column_of,
};

void sp_block_sheet_init(struct sp_block_sheet *sheet)
{
    *sheet = (struct sp_block_sheet){0};
    sp_arena_init(&sheet->arena, SIZE_MAX);
}

void sp_block_sheet_fini(struct sp_block_sheet *sheet)
{
    if (sheet != NULL)
        sp_arena_fini(&sheet->arena);
}

enum sp_status sp_block_sheet_open(struct sp_block_sheet *sheet, struct sp_block_view *view,
                                   const struct sp_block_match *match, struct sp_error *reterr)
{
    const struct sp_block *block = view->block;
    uint32_t template_count = block->template_counts[SP_BLOCK_SPANS];
    sp_arena_reset(&sheet->arena);
    struct sp_span *templates =
        sp_arena_calloc(&sheet->arena, (size_t)template_count + 1, sizeof(*templates));
    if (templates == NULL)
        return no_memory(reterr);
    for (uint32_t t = 0; t < template_count; t++) {
        const struct sp_template *template = &block->templates[SP_BLOCK_SPANS][t];
        templates[t] = (struct sp_span){.resource = &block->resources[template->resource],
                                        .scope = &block->scopes[template->scope],
                                        .name = block->names->texts[template->name],
                                        .kind = template->kind,
                                        .status_code = template->status_code};
    }
    uint32_t count = block->tables[SP_BLOCK_SPANS].count;
    bool all = match->share == SP_SHARE_ALL;
    sheet->sheet =
        (struct sp_sheet){.ops = &ops,
                          .row_count = count,
                          .rows = all ? NULL : match->rows,
                          .match_count = all ? count : sp_bitmap_count(match->rows, 0, count),
                          .template_count = template_count,
                          .templates = templates,
                          .start_min_unix_ns = block->start_min_unix_ns,
                          .start_max_unix_ns = block->start_max_unix_ns};
    sheet->view = view;
    sheet->durations = NULL;
    sheet->spans = NULL;
    return SP_OK;
}
