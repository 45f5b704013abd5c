/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/catalogue.c: spans become tallies, tallies become rows. Knows neither engines nor disks. */
#include "storage/catalogue.h"

#include <stdlib.h>

/* ---- operations ---- */

bool sp_operation_matches(const struct sp_operation_filter *filter, struct sp_slice service,
                          struct sp_slice name, int32_t kind)
{
    return (filter->service.len == 0 || sp_slice_equal(filter->service, service)) &&
           (filter->name.len == 0 || sp_slice_equal(filter->name, name)) &&
           (filter->kind == SP_KIND_ANY || filter->kind == kind);
}

enum sp_status sp_count_operation(struct sp_tally *tally, const struct sp_span *span,
                                  bool with_latency, struct sp_error *reterr)
{
    struct sp_tally_row *row;
    enum sp_status status =
        sp_tally_row(tally, sp_span_service(span), span->name, span->kind, &row, reterr);
    if (status != SP_OK)
        return status;
    bool is_error = span->status_code == SP_SPAN_STATUS_ERROR;
    if (with_latency) {
        const struct sp_span_exemplar exemplar = {sp_span_duration_ns(span), span->trace_id,
                                                  span->span_id};
        status = sp_tally_exemplars(tally, row, reterr);
        if (status != SP_OK)
            return status;
        if (sp_histogram_add(&row->latency, exemplar.duration_ns, 1) != SP_OK)
            return sp_error_set(reterr, SP_NO_MEMORY, "no memory for a latency histogram");
        sp_span_exemplar_offer(&row->exemplars->slowest, &exemplar);
        if (is_error)
            sp_span_exemplar_offer(&row->exemplars->failed, &exemplar);
    }
    row->count++;
    row->errors += is_error;
    return SP_OK;
}

/* The one way a result that does not fit is reported. */
static enum sp_status rows_do_not_fit(const struct sp_arena *arena, size_t count,
                                      struct sp_error *reterr)
{
    return sp_arena_failed(arena, reterr, "%zu rows do not fit into this query's memory", count);
}

enum sp_status sp_rows_services(struct sp_tally *tally, struct sp_arena *arena,
                                struct sp_service_row **ret_rows, size_t *ret_count,
                                struct sp_error *reterr)
{
    struct sp_service_row *rows = sp_arena_calloc(arena, tally->count, sizeof(*rows));
    if (rows == NULL)
        return rows_do_not_fit(arena, tally->count, reterr);
    sp_tally_sort(tally, sp_tally_compare);
    size_t count = 0;
    for (size_t i = 0; i < tally->count; i++) {
        const struct sp_tally_row *from = tally->rows[i];
        if (count == 0 || !sp_slice_equal(rows[count - 1].name, from->first))
            rows[count++] = (struct sp_service_row){.name = from->first};
        rows[count - 1].span_count += from->count;
        rows[count - 1].error_count += from->errors;
    }
    *ret_rows = rows;
    *ret_count = count;
    return SP_OK;
}

enum sp_status sp_rows_operations(struct sp_tally *tally, struct sp_arena *arena,
                                  const struct sp_operation_row **ret_rows, size_t *ret_count,
                                  struct sp_error *reterr)
{
    struct sp_operation_row *rows = sp_arena_calloc(arena, tally->count, sizeof(*rows));
    if (rows == NULL)
        return rows_do_not_fit(arena, tally->count, reterr);
    sp_tally_sort(tally, sp_tally_compare);
    for (size_t i = 0; i < tally->count; i++) {
        const struct sp_tally_row *from = tally->rows[i];
        rows[i] = (struct sp_operation_row){.service = from->first,
                                            .name = from->second,
                                            .kind = from->number,
                                            .span_count = from->count,
                                            .error_count = from->errors};
    }
    *ret_rows = rows;
    *ret_count = tally->count;
    return SP_OK;
}

enum sp_status sp_rows_latency(struct sp_tally *tally, struct sp_arena *arena,
                               struct sp_latency_series **ret_rows, size_t *ret_count,
                               struct sp_error *reterr)
{
    struct sp_latency_series *rows = sp_arena_calloc(arena, tally->count, sizeof(*rows));
    if (rows == NULL)
        return rows_do_not_fit(arena, tally->count, reterr);
    sp_tally_sort(tally, sp_tally_compare);
    for (size_t i = 0; i < tally->count; i++) {
        struct sp_tally_row *from = tally->rows[i];
        rows[i] = (struct sp_latency_series){.service = from->first,
                                             .operation = from->second,
                                             .kind = from->number,
                                             .calls = from->count,
                                             .errors = from->errors,
                                             .latency = from->latency};
        if (from->exemplars != NULL)
            rows[i].exemplars = *from->exemplars;
        from->latency = (struct sp_histogram){0};
    }
    *ret_rows = rows;
    *ret_count = tally->count;
    return SP_OK;
}

/* ---- all levels of one span ---- */

size_t sp_attribute_list_count(const struct sp_span *span)
{
    return 3 + (size_t)span->event_count + span->link_count;
}

const struct sp_attributes *sp_attribute_list(const struct sp_span *span, size_t i, uint32_t scopes,
                                              enum sp_attribute_scope *ret_scope)
{
    const struct sp_attributes *list;
    enum sp_attribute_scope scope;
    if (i == 0) {
        list = &span->attributes;
        scope = SP_SCOPE_SPAN;
    } else if (i == 1) {
        list = &span->resource->attributes;
        scope = SP_SCOPE_RESOURCE;
    } else if (i == 2) {
        list = &span->scope->attributes;
        scope = SP_SCOPE_INSTRUMENTATION;
    } else if (i - 3 < span->event_count) {
        list = &span->events[i - 3].attributes;
        scope = SP_SCOPE_EVENT;
    } else {
        list = &span->links[i - 3 - span->event_count].attributes;
        scope = SP_SCOPE_LINK;
    }
    *ret_scope = scope;
    return (scopes & scope) != 0 ? list : NULL;
}

/* ---- attribute keys ---- */

/* Counts one more thing for a key, once for each mark. */
static enum sp_status count_once(struct sp_tally *tally, struct sp_slice first, int32_t number,
                                 uint64_t mark, struct sp_error *reterr)
{
    struct sp_tally_row *row;
    enum sp_status status = sp_tally_row(tally, first, SP_SLICE(""), number, &row, reterr);
    if (status == SP_OK)
        sp_tally_count(row, mark, 1);
    return status;
}

enum sp_status sp_count_keys(struct sp_tally *tally, const struct sp_span *span, uint32_t scopes,
                             struct sp_slice prefix, uint64_t mark, struct sp_error *reterr)
{
    size_t list_count = sp_attribute_list_count(span);
    for (size_t l = 0; l < list_count; l++) {
        enum sp_attribute_scope scope;
        const struct sp_attributes *list = sp_attribute_list(span, l, scopes, &scope);
        for (size_t i = 0; list != NULL && i < list->count; i++) {
            const struct sp_attribute *attribute = &list->items[i];
            if (!sp_slice_starts_with(attribute->key, prefix))
                continue;
            enum sp_status status = count_once(
                tally, attribute->key, sp_key_number(scope, attribute->value.kind), mark, reterr);
            if (status != SP_OK)
                return status;
        }
    }
    return SP_OK;
}

static int compare_keys(const struct sp_tally_row *a, const struct sp_tally_row *b)
{
    int order = (a->number >> 8) - (b->number >> 8);
    return order != 0 ? order : sp_tally_compare(a, b);
}

enum sp_status sp_rows_keys(struct sp_tally *tally, size_t limit, struct sp_arena *arena,
                            const struct sp_key_row **ret_rows, size_t *ret_count,
                            bool *ret_complete, struct sp_error *reterr)
{
    size_t count = tally->count < limit ? tally->count : limit;
    struct sp_key_row *rows = sp_arena_calloc(arena, count, sizeof(*rows));
    if (rows == NULL)
        return rows_do_not_fit(arena, count, reterr);
    sp_tally_sort(tally, compare_keys);
    for (size_t i = 0; i < count; i++) {
        const struct sp_tally_row *from = tally->rows[i];
        rows[i] = (struct sp_key_row){.scope = (enum sp_attribute_scope)(from->number >> 8),
                                      .key = from->first,
                                      .kind = (enum sp_value_kind)(from->number & 0xff),
                                      .span_count = from->count};
    }
    *ret_rows = rows;
    *ret_count = count;
    *ret_complete = count == tally->count;
    return SP_OK;
}

/* ---- attribute values ---- */

enum sp_status sp_value_tally_row(struct sp_tally *tally, const struct sp_value *value,
                                  struct sp_slice prefix, struct sp_buf *text,
                                  struct sp_tally_row **ret, struct sp_error *reterr)
{
    struct sp_slice shown = value->string;
    *ret = NULL;
    if (value->kind != SP_VALUE_STRING) {
        sp_buf_reset(text);
        sp_value_text(value, text);
        if (text->error != SP_OK)
            return sp_error_set(reterr, text->error, "an attribute value is too large to be shown");
        shown = sp_buf_slice(text);
    }
    if (!sp_slice_starts_with(shown, prefix))
        return SP_OK;
    return sp_tally_row(tally, shown, SP_SLICE(""), (int32_t)value->kind, ret, reterr);
}

enum sp_status sp_count_values(struct sp_tally *tally, const struct sp_span *span,
                               const struct sp_value_filter *filter, uint64_t mark,
                               struct sp_buf *text, struct sp_error *reterr)
{
    size_t list_count = sp_attribute_list_count(span);
    for (size_t l = 0; l < list_count; l++) {
        enum sp_attribute_scope scope;
        const struct sp_attributes *list = sp_attribute_list(span, l, filter->scopes, &scope);
        for (size_t i = 0; list != NULL && i < list->count; i++) {
            if (!sp_slice_equal(list->items[i].key, filter->key))
                continue;
            struct sp_tally_row *row;
            enum sp_status status = sp_value_tally_row(tally, &list->items[i].value, filter->prefix,
                                                       text, &row, reterr);
            if (status != SP_OK)
                return status;
            if (row != NULL)
                sp_tally_count(row, mark, 1);
        }
    }
    return SP_OK;
}

static int compare_values(const struct sp_tally_row *a, const struct sp_tally_row *b)
{
    int order = (a->count < b->count) - (a->count > b->count);
    return order != 0 ? order : sp_tally_compare(a, b);
}

enum sp_status sp_rows_values(struct sp_tally *tally, size_t limit, struct sp_arena *arena,
                              const struct sp_value_row **ret_rows, size_t *ret_count,
                              bool *ret_complete, struct sp_error *reterr)
{
    size_t count = tally->count < limit ? tally->count : limit;
    struct sp_value_row *rows = sp_arena_calloc(arena, count, sizeof(*rows));
    if (rows == NULL)
        return rows_do_not_fit(arena, count, reterr);
    sp_tally_sort(tally, compare_values);
    for (size_t i = 0; i < count; i++) {
        const struct sp_tally_row *from = tally->rows[i];
        rows[i] = (struct sp_value_row){.text = from->first,
                                        .kind = (enum sp_value_kind)from->number,
                                        .span_count = from->count};
    }
    *ret_rows = rows;
    *ret_count = count;
    *ret_complete = count == tally->count;
    return SP_OK;
}
