/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/catalogue.h: what counts as what: spans become tallies, tallies become the rows of the contract. Both engines
 * count through these functions; they differ in where the spans, or the counts kept of them, come from. Internal to
 * storage/. Knows neither engines nor disks. */
#pragma once

#include "storage/engine.h"
#include "storage/tally.h"

/* ---- operations: keys (service, name, kind) ---- */

struct sp_operation_filter {
    struct sp_slice service, name; /* "" for all */
    int32_t kind;                  /* SP_KIND_ANY for all */
};

#define SP_KIND_ANY (-1)

bool sp_operation_matches(const struct sp_operation_filter *filter, struct sp_slice service,
                          struct sp_slice name, int32_t kind);

/* Counts one span, with its duration when latency is asked for. Errors are those of sp_tally_row. */
SP_MUST_USE enum sp_status sp_count_operation(struct sp_tally *tally, const struct sp_span *span,
                                              bool with_latency, struct sp_error *reterr);

/* Sorted by name, slots still 0. The tally is sorted and stays the caller's. */
SP_MUST_USE enum sp_status sp_rows_services(struct sp_tally *tally, struct sp_arena *arena,
                                            struct sp_service_row **ret_rows, size_t *ret_count,
                                            struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_rows_operations(struct sp_tally *tally, struct sp_arena *arena,
                                              const struct sp_operation_row **ret_rows,
                                              size_t *ret_count, struct sp_error *reterr);
/* The histograms move from the tally into the rows. */
SP_MUST_USE enum sp_status sp_rows_latency(struct sp_tally *tally, struct sp_arena *arena,
                                           struct sp_latency_series **ret_rows, size_t *ret_count,
                                           struct sp_error *reterr);

/* ---- attribute keys: keys (attribute key, "", scope and kind of value) ---- */

/* Counts each key and kind of one span once. mark: a number no other span has in this tally, not 0. */
SP_MUST_USE enum sp_status sp_count_keys(struct sp_tally *tally, const struct sp_span *span,
                                         uint32_t scopes, struct sp_slice prefix, uint64_t mark,
                                         struct sp_error *reterr);

/* The number of a key's row: sorts by scope, then kind. */
static inline int32_t sp_key_number(enum sp_attribute_scope scope, enum sp_value_kind kind)
{
    return (int32_t)scope << 8 | (int32_t)kind;
}

SP_MUST_USE enum sp_status sp_rows_keys(struct sp_tally *tally, size_t limit,
                                        struct sp_arena *arena, const struct sp_key_row **ret_rows,
                                        size_t *ret_count, bool *ret_complete,
                                        struct sp_error *reterr);

/* ---- attribute values: keys (text, "", kind) ---- */

struct sp_value_filter {
    uint32_t scopes;
    struct sp_slice key, prefix;
};

/* JSON makes a bytes value at most 4/3, a string at most 6 times as long; the largest request has 64 MiB. */
#define SP_VALUE_TEXT_BYTES_MAX ((size_t)512 * 1024 * 1024)

/* The row of one value; NULL: its text does not begin with prefix. text: as below. */
SP_MUST_USE enum sp_status sp_value_tally_row(struct sp_tally *tally, const struct sp_value *value,
                                              struct sp_slice prefix, struct sp_buf *text,
                                              struct sp_tally_row **ret, struct sp_error *reterr);

/* Counts each value of one span once. text: for values that have to be formatted, any content. */
SP_MUST_USE enum sp_status sp_count_values(struct sp_tally *tally, const struct sp_span *span,
                                           const struct sp_value_filter *filter, uint64_t mark,
                                           struct sp_buf *text, struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_rows_values(struct sp_tally *tally, size_t limit,
                                          struct sp_arena *arena,
                                          const struct sp_value_row **ret_rows, size_t *ret_count,
                                          bool *ret_complete, struct sp_error *reterr);

/* ---- all levels of one span ---- */

/* The attribute lists of a span at the levels asked for, one after the other: list i of sp_attribute_list_count, or NULL
 * when it is of a level that was not asked for. *ret_scope is its level. */
size_t sp_attribute_list_count(const struct sp_span *span);
const struct sp_attributes *sp_attribute_list(const struct sp_span *span, size_t i, uint32_t scopes,
                                              enum sp_attribute_scope *ret_scope);

/* ---- conditions of a scan ---- */

/* Does one span satisfy all, or any, of the scan's conditions? */
bool sp_scan_matches(const struct sp_scan *scan, const struct sp_span *span);

/* Does one value of its field satisfy a condition? A duration (as sp_span_duration_ns) has its own question, because it can
 * be larger than any value. */
bool sp_condition_holds_value(const struct sp_condition *condition, const struct sp_value *value);
bool sp_condition_holds_duration(const struct sp_condition *condition, uint64_t duration_ns);

/* Of LINKS: is it about one trace, and not about any? */
bool sp_condition_names_trace(const struct sp_condition *condition);
/* Then: does a link to this trace satisfy it? */
static inline bool sp_condition_holds_link(const struct sp_condition *condition,
                                           const struct sp_trace_id *id)
{
    return memcmp(condition->value.string.ptr, id->bytes, SP_TRACE_ID_BYTES) == 0;
}
