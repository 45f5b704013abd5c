/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block.h: some thousand spans as columns, sorted by trace: the form that spans have in the head, in a merge, and
 * (storage/block_codec.h) on disk. Internal to storage/. Knows neither disks nor engines.
 *
 *   rows          t0 t0 t0 t1 t1 t2 ...         sorted by trace id; within a trace in the order they were acked
 *   fixed         span id, parent id, start, end                                     one value a row
 *   template      what most spans share with others: resource, scope, name, kind, status, flags, dropped counts, and the list
 *                 of the columns that the row has a value in                         one number a row
 *   columns       the values of one attribute key and kind, or of one rare field, without gaps, in row order
 *
 * Which rows have a value in a column, and how many, say their templates: so there are no presence bits, attributes keep
 * their order, and a key may occur twice. A predicate on anything in the template is decided once a template.
 * Events and links are two more tables of the same kind: the events of row 0, then those of row 1, ... ; how many a row has
 * stands in the columns of role EVENT_COUNT and LINK_COUNT (no value: none).
 *
 * A block never changes once it was made. Times are Unix nanoseconds. */
#pragma once

#include "lib/model/model.h"
#include "storage/kept.h"

#include <stdatomic.h>

/* A block takes no further rows beyond these. One span of any size fits into an empty block. */
#define SP_BLOCK_ROWS_MAX    ((uint32_t)16384)
#define SP_BLOCK_BYTES_MAX   ((size_t)8 * 1024 * 1024) /* of texts */
#define SP_BLOCK_COLUMNS_MAX ((uint32_t)4096)
/* Attributes of one list beyond these, and those with new keys in a block with SP_BLOCK_COLUMNS_MAX columns, are kept as one
 * value, in a column of role MORE_ATTRIBUTES. */
#define SP_BLOCK_LIST_MAX ((uint32_t)256)

enum sp_block_table { /* numbers are on disk */
                      SP_BLOCK_SPANS = 0,
                      SP_BLOCK_EVENTS = 1,
                      SP_BLOCK_LINKS = 2,
};
#define SP_BLOCK_TABLE_COUNT 3

enum sp_column_role { /* numbers are on disk */
                      SP_ROLE_ATTRIBUTE = 0,
                      SP_ROLE_TRACE_STATE = 1,     /* spans, links: STRING */
                      SP_ROLE_STATUS_MESSAGE = 2,  /* spans: STRING */
                      SP_ROLE_STATUS_RESIDUE = 3,  /* spans: BYTES */
                      SP_ROLE_RESIDUE = 4,         /* all: BYTES */
                      SP_ROLE_EVENT_COUNT = 5,     /* spans: INT */
                      SP_ROLE_LINK_COUNT = 6,      /* spans: INT */
                      SP_ROLE_MORE_ATTRIBUTES = 7, /* all: BYTES, as sp_attributes_pack */
};
#define SP_ROLE_COUNT 8

/* Texts by number. */
struct sp_dictionary {
    const struct sp_slice *texts;
    uint32_t count;
};

struct sp_column {
    enum sp_block_table table;
    enum sp_column_role role;
    enum sp_value_kind kind;
    struct sp_slice key; /* ATTRIBUTE; else "" */
    uint32_t count;      /* values */
    /* STRING, BYTES, and ARRAY and KVLIST as sp_value_pack makes them: numbers of texts. Otherwise NULL */
    const uint32_t *codes;
    const struct sp_dictionary *dictionary;
    const uint64_t
        *numbers; /* INT, BOOL, and DOUBLE by its bits; otherwise NULL. EMPTY has neither */
};

enum sp_template_flag { /* a set of bits; numbers are on disk */
                        SP_TEMPLATE_STATUS_PRESENT = 1,
};

struct sp_template {
    uint32_t resource, scope; /* spans: numbers in the block's lists */
    uint32_t name;            /* spans, events: number in the block's names */
    int32_t kind, status_code;
    uint32_t bits;  /* enum sp_template_flag */
    uint32_t flags; /* spans, links */
    uint32_t dropped_attributes, dropped_events, dropped_links;
    /* columns that a row has one value each in: first the roles, ascending, then the attributes in their order; a column
     * that stands here twice has two values. MORE_ATTRIBUTES is a role: its attributes come behind the others. */
    uint32_t column_count;
    const uint32_t *columns;
};

struct sp_block_rows {
    uint32_t count;
    const uint32_t *templates; /* of each row */
};

struct sp_block {
    struct sp_block_rows tables[SP_BLOCK_TABLE_COUNT];
    const struct sp_template *templates[SP_BLOCK_TABLE_COUNT];
    uint32_t template_counts[SP_BLOCK_TABLE_COUNT];

    /* traces, ascending ids, no id twice */
    uint32_t trace_count;
    const struct sp_trace_id *trace_ids;
    const uint32_t *trace_rows; /* first row of each; one more at the end */

    /* spans */
    const struct sp_span_id *span_ids, *parent_ids;
    const uint64_t *starts, *ends;
    /* events: time; links: what they point to */
    const uint64_t *event_times;
    const struct sp_trace_id *link_trace_ids;
    const struct sp_span_id *link_span_ids;

    const struct sp_dictionary *names;
    const struct sp_resource *resources;
    const struct sp_slice *resource_texts; /* as sp_resource_pack */
    uint32_t resource_count;
    const struct sp_scope *scopes;
    const struct sp_slice *scope_texts; /* as sp_scope_pack */
    uint32_t scope_count;

    const struct sp_column *columns;
    uint32_t column_count;

    uint64_t start_min_unix_ns, start_max_unix_ns;
};

/* ---- reading ---- */

/* The rows of a trace: *ret_first and how many; 0 when it is not in the block. */
uint32_t sp_block_find(const struct sp_block *block, const struct sp_trace_id *id,
                       uint32_t *ret_first);

/* The first of its traces [from, to) that is not below id; to when there is none. */
uint32_t sp_block_trace_at(const struct sp_block *block, const struct sp_trace_id *id,
                           uint32_t from, uint32_t to);

/* The trace that a row belongs to. */
uint32_t sp_block_trace_of(const struct sp_block *block, uint32_t row);

/* Spans of rows [first, first + count), written to spans. Of a block that is not loaded as a whole only what they need
 * (sp_block_reader_rows). copy: everything is copied into arena; otherwise texts, resources and
 * scopes are the block's memory, and the arena's is only what holds them together.
 * SP_LIMIT, SP_NO_MEMORY: of the arena.   SP_CORRUPT: a packed value is not one (blocks from disk only). */
SP_MUST_USE enum sp_status sp_block_spans(const struct sp_block *block, uint32_t first,
                                          uint32_t count, bool copy, struct sp_arena *arena,
                                          struct sp_span *spans, struct sp_error *reterr);

/* ---- blocks that several hold ---- */

struct sp_block_shared {
    struct sp_block block;
    struct sp_arena arena; /* all of it */
    struct sp_kept calls;  /* of the head: what it adds to the graph; under the store's kept_lock */
    _Atomic uint32_t references;
};

/* A compact copy with one reference. SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_block_share(const struct sp_block *block,
                                          struct sp_block_shared **ret, struct sp_error *reterr);
struct sp_block_shared *sp_block_ref(struct sp_block_shared *shared);
void sp_block_unref(struct sp_block_shared *shared); /* NULL is fine */

/* ---- making: rows come sorted by trace ---- */

struct sp_block_builder;

SP_MUST_USE enum sp_status sp_block_builder_new(struct sp_block_builder **ret,
                                                struct sp_error *reterr);
void sp_block_builder_free(struct sp_block_builder *builder); /* NULL is fine */

uint32_t sp_block_builder_rows(const struct sp_block_builder *builder);
bool sp_block_builder_is_full(const struct sp_block_builder *builder);

/* Adds spans until the block is full; *ret_taken says how many, at least one when it was not. Spans are sorted by trace id, and
 * their first is not below the last row. SP_NO_MEMORY: the builder can only be reset. */
SP_MUST_USE enum sp_status sp_block_builder_add_spans(struct sp_block_builder *builder,
                                                      const struct sp_span *const *spans,
                                                      size_t count, size_t *ret_taken,
                                                      struct sp_error *reterr);

/* What blocks that rows are copied from have in common, so that it is looked up once for all. Outlives its sources, and the views of the
 * one builder that their rows go to: texts of those are its. */
struct sp_block_pool;
SP_MUST_USE enum sp_status sp_block_pool_new(struct sp_block_pool **ret, struct sp_error *reterr);
void sp_block_pool_free(struct sp_block_pool *pool); /* NULL is fine */

/* A block that rows are copied from, front to back, into one block after the other, and what is known of which of its
 * numbers are which of the pool's. The block outlives it. */
struct sp_block_source;
SP_MUST_USE enum sp_status sp_block_source_new(struct sp_block_pool *pool,
                                               const struct sp_block *block,
                                               struct sp_block_source **ret,
                                               struct sp_error *reterr);
void sp_block_source_free(struct sp_block_source *source); /* NULL is fine */

/* Adds the next rows of the source until count are copied, all of the trace named, or the block is full, as above. */
SP_MUST_USE enum sp_status sp_block_builder_add_rows(struct sp_block_builder *builder,
                                                     struct sp_block_source *source,
                                                     const struct sp_trace_id *trace_id,
                                                     uint32_t count, uint32_t *ret_taken,
                                                     struct sp_error *reterr);

/* What was added, in the builder's memory: valid until the next add or reset. */
SP_MUST_USE enum sp_status sp_block_builder_view(struct sp_block_builder *builder,
                                                 struct sp_block *ret, struct sp_error *reterr);
void sp_block_builder_reset(struct sp_block_builder *builder);
