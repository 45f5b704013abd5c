/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/sheet_spans.c: spans at hand as a sheet: each row is its own template and has its own values. Written to be seen through:
 * the reference store answers surveys with it. Knows neither disks nor engines. */
#include "storage/catalogue.h"
#include "storage/sheet.h"

#include <stdlib.h>

struct span_sheet {
    struct sp_sheet sheet; /* its first member */
    const struct sp_span *spans;
    struct sp_arena arena;
};

static struct span_sheet *span_sheet_of(struct sp_sheet *sheet)
{
    return (struct span_sheet *)sheet;
}

static void *array_of(struct sp_sheet *sheet, size_t size, struct sp_error *reterr)
{
    void *array = sp_arena_calloc(&span_sheet_of(sheet)->arena, (size_t)sheet->row_count + 1, size);
    if (array == NULL)
        sp_error_set(reterr, SP_NO_MEMORY, "no memory to look at %u spans", sheet->row_count);
    return array;
}

static enum sp_status templates_of(struct sp_sheet *sheet, const uint32_t **ret,
                                   struct sp_error *reterr)
{
    uint32_t *templates = array_of(sheet, sizeof(*templates), reterr);
    for (uint32_t row = 0; row < sheet->row_count && templates != NULL; row++)
        templates[row] = row;
    *ret = templates;
    return templates != NULL ? SP_OK : SP_NO_MEMORY;
}

static enum sp_status starts_of(struct sp_sheet *sheet, const uint64_t **ret,
                                struct sp_error *reterr)
{
    uint64_t *starts = array_of(sheet, sizeof(*starts), reterr);
    for (uint32_t row = 0; row < sheet->row_count && starts != NULL; row++)
        starts[row] = span_sheet_of(sheet)->spans[row].start_unix_ns;
    *ret = starts;
    return starts != NULL ? SP_OK : SP_NO_MEMORY;
}

static enum sp_status durations_of(struct sp_sheet *sheet, const uint64_t **ret,
                                   struct sp_error *reterr)
{
    uint64_t *durations = array_of(sheet, sizeof(*durations), reterr);
    for (uint32_t row = 0; row < sheet->row_count && durations != NULL; row++)
        durations[row] = sp_span_duration_ns(&span_sheet_of(sheet)->spans[row]);
    *ret = durations;
    return durations != NULL ? SP_OK : SP_NO_MEMORY;
}

static enum sp_status spans_of(struct sp_sheet *sheet, const struct sp_span **ret,
                               struct sp_error *reterr)
{
    (void)reterr;
    *ret = span_sheet_of(sheet)->spans;
    return SP_OK;
}

static enum sp_status trace_id_of(struct sp_sheet *sheet, uint32_t row, struct sp_trace_id *ret,
                                  struct sp_error *reterr)
{
    (void)reterr;
    *ret = span_sheet_of(sheet)->spans[row].trace_id;
    return SP_OK;
}

static enum sp_status span_id_of(struct sp_sheet *sheet, uint32_t row, struct sp_span_id *ret,
                                 struct sp_error *reterr)
{
    (void)reterr;
    *ret = span_sheet_of(sheet)->spans[row].span_id;
    return SP_OK;
}

/* False: the span has none. */
static bool value_of(const struct sp_span *span, const struct sp_sheet_field *field,
                     struct sp_value *ret)
{
    const struct sp_value *value = NULL;
    if (field->field == SP_FIELD_STATUS_MESSAGE) {
        *ret = (struct sp_value){.kind = SP_VALUE_STRING, .string = span->status_message};
        return span->status_message.len > 0;
    }
    if ((field->scopes & SP_SCOPE_SPAN) != 0)
        value = sp_attributes_find(&span->attributes, field->key);
    if (value == NULL && (field->scopes & SP_SCOPE_RESOURCE) != 0)
        value = sp_attributes_find(&span->resource->attributes, field->key);
    if (value == NULL && (field->scopes & SP_SCOPE_INSTRUMENTATION) != 0)
        value = sp_attributes_find(&span->scope->attributes, field->key);
    if (value != NULL)
        *ret = *value;
    return value != NULL;
}

static enum sp_status column_of(struct sp_sheet *sheet, const struct sp_sheet_field *field,
                                struct sp_sheet_column *ret, struct sp_error *reterr)
{
    uint32_t *codes = array_of(sheet, sizeof(*codes), reterr);
    struct sp_value *values = array_of(sheet, sizeof(*values), reterr);
    uint32_t count = 1;
    if (codes == NULL || values == NULL)
        return SP_NO_MEMORY;
    for (uint32_t row = 0; row < sheet->row_count; row++) {
        if (value_of(&span_sheet_of(sheet)->spans[row], field, &values[count]))
            codes[row] = count++;
    }
    *ret = (struct sp_sheet_column){.codes = codes, .values = values, .value_count = count};
    return SP_OK;
}

static const struct sp_sheet_ops ops = {
    .templates = templates_of,
    .starts = starts_of,
    .durations = durations_of,
    .spans = spans_of,
    .trace_id = trace_id_of,
    .span_id = span_id_of,
    .column = column_of,
};

enum sp_status sp_span_sheet_new(const struct sp_span *spans, uint32_t count, const uint64_t *rows,
                                 struct sp_sheet **ret, struct sp_error *reterr)
{
    struct span_sheet *sheet = calloc(1, sizeof(*sheet));
    if (sheet == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to look at %u spans", count);
    sp_arena_init(&sheet->arena, SIZE_MAX);
    sheet->spans = spans;
    sheet->sheet = (struct sp_sheet){.ops = &ops,
                                     .row_count = count,
                                     .rows = rows,
                                     .match_count = count,
                                     .template_count = count,
                                     .start_min_unix_ns = UINT64_MAX};
    if (rows != NULL)
        sheet->sheet.match_count = sp_bitmap_count(rows, 0, count);
    struct sp_span *templates = array_of(&sheet->sheet, sizeof(*templates), reterr);
    if (templates == NULL) {
        sp_span_sheet_free(&sheet->sheet);
        return SP_NO_MEMORY;
    }
    for (uint32_t row = 0; row < count; row++) {
        const struct sp_span *span = &spans[row];
        templates[row] = (struct sp_span){.resource = span->resource,
                                          .scope = span->scope,
                                          .name = span->name,
                                          .kind = span->kind,
                                          .status_code = span->status_code};
        if (span->start_unix_ns < sheet->sheet.start_min_unix_ns)
            sheet->sheet.start_min_unix_ns = span->start_unix_ns;
        if (span->start_unix_ns > sheet->sheet.start_max_unix_ns)
            sheet->sheet.start_max_unix_ns = span->start_unix_ns;
    }
    sheet->sheet.templates = templates;
    *ret = &sheet->sheet;
    return SP_OK;
}

void sp_span_sheet_free(struct sp_sheet *sheet)
{
    if (sheet == NULL)
        return;
    sp_arena_fini(&span_sheet_of(sheet)->arena);
    free(sheet);
}
