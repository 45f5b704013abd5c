/* SPDX-License-Identifier: Apache-2.0
 *
 * query/complete.h: completion among the spans that a query finds: which keys and values they have. It looks at spans for a short time,
 * and says when that was not enough. */
#pragma once

#include "query/pass.h"

/* Longest look at spans: somebody is typing. Reasons and tests: docs/limits.md. */
#define SP_COMPLETION_TIME_MS ((uint64_t)200)
/* Keys that are looked for; the others are not completed. */
#define SP_COMPLETION_KEYS_MAX ((size_t)10000)

/* One look at the spans of a pass. count is called with each sheet, whose rows are those that are found. */
struct sp_completion {
    struct sp_query_call *call;
    struct sp_pass pass;
    struct sp_rows_question question;
    struct sp_rows *filter;
    struct sp_arena arena; /* of what is counted */
    uint64_t span_count;
    struct sp_scanned scanned;
    bool complete; /* every span was looked at */
    enum sp_status (*count)(void *cookie, struct sp_sheet *sheet,
                            const struct sp_trace_facts *facts, struct sp_error *reterr);
    void *cookie;
};

/* Takes the query of a parameter, "" for { }. SP_INVALID_ARGUMENT: not a query, or one that makes series. */
SP_MUST_USE enum sp_status sp_completion_init(struct sp_completion *completion,
                                              struct sp_query_call *call, const char *parameter,
                                              struct sp_slice query, struct sp_error *reterr);
/* keys: what is read by what the spans are counted by. Ends with SP_OK and complete = false when the time is up, or the memory of what is
 * counted. Errors as sp_pass_run. */
SP_MUST_USE enum sp_status sp_completion_run(struct sp_completion *completion,
                                             const struct sp_traceql_node *const *keys,
                                             uint32_t key_count, struct sp_error *reterr);
void sp_completion_fini(struct sp_completion *completion);

/* ---- values ---- */

/* A count that nobody knows. */
#define SP_COMPLETION_NOT_COUNTED UINT64_MAX

/* Texts and how many spans have them, most frequent first; of the call's memory. */
struct sp_completion_value {
    struct sp_slice text, type;
    uint64_t span_count;
};

struct sp_completion_values {
    struct sp_completion_value *items;
    size_t count;
    bool complete;
    bool looked; /* at spans: then this was read */
    struct sp_scanned scanned;
};

/* Values of an attribute, on the levels of scopes; a span that has one several times counts once for it. prefix: of the text. */
SP_MUST_USE enum sp_status sp_complete_attribute(struct sp_query_call *call, struct sp_slice query,
                                                 uint32_t scopes, struct sp_slice key,
                                                 struct sp_slice prefix,
                                                 struct sp_completion_values *ret,
                                                 struct sp_error *reterr);
/* The same of an intrinsic; type: of all of them. */
SP_MUST_USE enum sp_status sp_complete_intrinsic(struct sp_query_call *call, struct sp_slice query,
                                                 enum sp_traceql_intrinsic intrinsic,
                                                 const char *type, struct sp_slice prefix,
                                                 struct sp_completion_values *ret,
                                                 struct sp_error *reterr);

/* The answer of /v1/attributes that has them. */
void sp_query_write_values(struct sp_query_call *call, const struct sp_completion_values *values);

/* ---- keys ---- */

struct sp_completion_keys {
    const struct sp_key_row *rows;
    size_t count;
    bool complete;
    bool looked; /* at spans: then this was read */
    struct sp_scanned scanned;
};

/* Attribute keys as of sp_store_attribute_keys, counted among these spans; those of none are left out. */
SP_MUST_USE enum sp_status sp_complete_keys(struct sp_query_call *call, struct sp_slice query,
                                            uint32_t scopes, struct sp_slice prefix,
                                            struct sp_completion_keys *ret,
                                            struct sp_error *reterr);
