/* SPDX-License-Identifier: Apache-2.0
 *
 * query/rows_reads.h: what expressions read of a span. Private to query/rows*.c and query/complete.c. */
#pragma once

#include "query/rows.h"

/* Columns of one question; one that reads more is asked of whole spans. */
#define SP_ROWS_COLUMNS_MAX 64

enum sp_rows_reads sp_field_reads(const struct sp_traceql_field *field);
/* Is it of events or links, so that a span may have many values of it? */
bool sp_field_is_each(const struct sp_traceql_field *field);
/* The column of a field, if it is in one. Resource and scope are in the templates. */
bool sp_field_column(const struct sp_traceql_field *field, struct sp_sheet_field *ret);
/* What the field reads; its column is added to fields, once. */
enum sp_rows_reads sp_fields_add(const struct sp_traceql_field *field,
                                 struct sp_sheet_field *fields, uint32_t *count);
/* The same of all fields below a node, which may be NULL. fields NULL: they are not wanted. */
enum sp_rows_reads sp_expression_reads(const struct sp_traceql_node *root,
                                       struct sp_sheet_field *fields, uint32_t *count);
