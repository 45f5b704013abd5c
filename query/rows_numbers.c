/* SPDX-License-Identifier: Apache-2.0
 *
 * query/rows_numbers.c: the numbers that rows have. */
#include <math.h>

#include "query/rows_sheet.h"

/* ---- numbers ---- */

static struct sp_row_number operand_number(const struct sp_operand *operand)
{
    struct sp_row_number number = {0};
    if (operand->kind != SP_OPERAND_SCALAR)
        return number;
    if (operand->scalar.type == SP_TRACEQL_TYPE_INT)
        number =
            (struct sp_row_number){.kind = SP_NUMBER_INTEGER, .integer = operand->scalar.integer};
    else if (operand->scalar.type == SP_TRACEQL_TYPE_DURATION)
        number =
            (struct sp_row_number){.kind = SP_NUMBER_DURATION, .integer = operand->scalar.integer};
    else if (operand->scalar.type == SP_TRACEQL_TYPE_FLOAT && !isnan(operand->scalar.number))
        number = (struct sp_row_number){.kind = SP_NUMBER_DOUBLE, .number = operand->scalar.number};
    return number;
}

static enum sp_status duration_number(struct sp_rows *rows, uint32_t row, struct sp_row_number *ret,
                                      struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    if (!rows->durations)
        status = sp_sheet_durations(rows->sheet, &rows->durations, reterr);
    if (status != SP_OK)
        return status;
    uint64_t ns = rows->durations[row];
    *ret = (struct sp_row_number){.kind = SP_NUMBER_DURATION, .integer = ns};
    return SP_OK;
}

/* Events and links are read of whole spans: *ret is what stands for all of a row's. */
static enum sp_status whole_operand(struct sp_rows *rows, uint32_t row,
                                    const struct sp_traceql_field *field,
                                    struct sp_trace_facts *facts, struct sp_batch *batch,
                                    struct sp_operand *ret, struct sp_error *reterr)
{
    enum sp_status status = sp_rows_facts(rows, batch, facts, reterr);
    if (status == SP_OK)
        sp_operand_field(&(struct sp_span_place){facts, row}, field, ret);
    return status;
}

enum sp_status sp_rows_number_count(struct sp_rows *rows, uint32_t row, uint32_t *ret,
                                    struct sp_error *reterr)
{
    const struct sp_traceql_field *field = &rows->question->value->field;
    struct sp_batch batch;
    struct sp_trace_facts facts;
    struct sp_operand operand;
    *ret = 1;
    if (!sp_field_is_each(field))
        return SP_OK;
    enum sp_status status = whole_operand(rows, row, field, &facts, &batch, &operand, reterr);
    if (status == SP_OK)
        *ret = sp_operand_each_count(&(struct sp_span_place){&facts, row}, field);
    return status;
}

enum sp_status sp_rows_number(struct sp_rows *rows, uint32_t row, uint32_t index,
                              struct sp_row_number *ret, struct sp_error *reterr)
{
    const struct sp_traceql_field *field = &rows->question->value->field;
    struct sp_operand operand, one;
    struct sp_sheet_field column;
    enum sp_status status = SP_OK;
    if (field->intrinsic == SP_TRACEQL_DURATION && !field->of_parent)
        return duration_number(rows, row, ret, reterr);
    if (rows->facts || sp_field_reads(field) >= SP_READS_SPANS) {
        struct sp_batch batch;
        struct sp_trace_facts facts;
        status = whole_operand(rows, row, field, &facts, &batch, &operand, reterr);
        if (status == SP_OK && operand.kind == SP_OPERAND_EACH) {
            sp_operand_each(&(struct sp_span_place){&facts, row}, field, index, &one);
            *ret = operand_number(&one);
            return SP_OK;
        }
    } else {
        struct sp_made_span made;
        uint32_t column_count = sp_field_column(field, &column) ? 1 : 0;
        if (!rows->has_value_column && column_count > 0)
            status = sp_sheet_column(rows->sheet, &column, &rows->value_column, reterr);
        rows->has_value_column = status == SP_OK;
        if (status == SP_OK)
            status =
                sp_rows_span(rows, row, &column, &rows->value_column, column_count, &made, reterr);
        if (status == SP_OK)
            sp_operand_field(&made.place, field, &operand);
    }
    if (status == SP_OK)
        *ret = operand_number(&operand);
    return status;
}
