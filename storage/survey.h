/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/survey.h: the part of storage.h's contract, which includes it, for who has a question of his own on single spans: he looks
 * at every span that satisfies some conditions, as columns that are read when they are asked for. */
#pragma once

#include "storage/scan.h"

struct sp_store;

struct sp_sheet_ops;

/* Some spans, one a row: a block of the store. It, and all that is got from it, is valid during the visit only, and one thread's. */
struct sp_sheet {
    const struct sp_sheet_ops *ops;
    uint32_t row_count;
    /* The rows that are meant: start in the range and satisfy the conditions. Row i is bit i % 64 of word i / 64; bits behind the last
     * row are 0. NULL: all are. Who looks at the sheet may put fewer here, for others that he hands it to. */
    const uint64_t *rows;
    uint32_t match_count; /* how many are meant: at least one */
    /* What many rows share: of these spans resource, scope, name, kind and status_code are set, and nothing else. */
    uint32_t template_count;
    const struct sp_span *templates;
    uint64_t start_min_unix_ns, start_max_unix_ns; /* no row starts before, or after, these */
};

/* By row. Errors: SP_IO, SP_CORRUPT, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_sheet_templates(struct sp_sheet *sheet, const uint32_t **ret,
                                              struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_sheet_starts(struct sp_sheet *sheet, const uint64_t **ret_unix_ns,
                                           struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_sheet_durations(struct sp_sheet *sheet, const uint64_t **ret_ns,
                                              struct sp_error *reterr);
/* The spans with everything they have: dear. Rows that are not meant may be zero. */
SP_MUST_USE enum sp_status sp_sheet_spans(struct sp_sheet *sheet, const struct sp_span **ret,
                                          struct sp_error *reterr);
/* The trace, and the id, of one row. */
SP_MUST_USE enum sp_status sp_sheet_trace_id(struct sp_sheet *sheet, uint32_t row,
                                             struct sp_trace_id *ret, struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_sheet_span_id(struct sp_sheet *sheet, uint32_t row,
                                            struct sp_span_id *ret, struct sp_error *reterr);

/* One text or attribute that a span has or has not. */
struct sp_sheet_field {
    enum sp_field field; /* ATTRIBUTE or STATUS_MESSAGE */
    /* ATTRIBUTE: SPAN, RESOURCE, INSTRUMENTATION, or SPAN | RESOURCE: that of the span, without one that of its resource. The first
     * of several with one key. */
    uint32_t scopes;
    struct sp_slice key;
};

/* The values of a field: values[codes[row]]; code 0 is no value, and no message. Several codes may have equal values. */
struct sp_sheet_column {
    const uint32_t *codes;
    const struct sp_value *values; /* values[0] is EMPTY */
    uint32_t value_count;          /* values[0] included */
};

SP_MUST_USE enum sp_status sp_sheet_column(struct sp_sheet *sheet,
                                           const struct sp_sheet_field *field,
                                           struct sp_sheet_column *ret, struct sp_error *reterr);

/* Who looks at sheets. Each is used by one thread at a time. */
struct sp_surveyor {
    /* On a thread of its own, perhaps. Must not call the store. */
    enum sp_status (*visit)(void *cookie, struct sp_sheet *sheet, struct sp_error *reterr);
    void *cookie;
};

/* Shows every stored span that starts in scan->range and satisfies the conditions to one of the surveyors, once, duplicates
 * included, in no order; with several surveyors several threads may read. An error of a visit ends the survey and is handed on.
 * Or what stop says, SP_IO, SP_CORRUPT, SP_NO_MEMORY. *ret_scanned is written in any case. */
SP_MUST_USE enum sp_status sp_store_survey(struct sp_store *store, const struct sp_scan *scan,
                                           const struct sp_surveyor *surveyors,
                                           uint32_t surveyor_count, const struct sp_stop *stop,
                                           struct sp_scanned *ret_scanned, struct sp_error *reterr);

/* The same for spans at hand: those of a trace, say. Rows that are not meant are 0 in rows; NULL: all are. Free it with
 * sp_span_sheet_free. SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_span_sheet_new(const struct sp_span *spans, uint32_t count,
                                             const uint64_t *rows, struct sp_sheet **ret,
                                             struct sp_error *reterr);
void sp_span_sheet_free(struct sp_sheet *sheet); /* NULL is fine */
