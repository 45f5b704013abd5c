/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/check.h: the inside of sp_store_check, for its files: check.c (the directory, the database, what is left over),
 * check_meta.c (totals, services, pins, links), check_segment.c (one segment as a whole), check_block.c (one block, chunk by chunk), check_values.c (which values its blocks
 * have), check_counts.c (what segments know by minute), check_calls.c (the graph: all segments together). Internal to these. Changes no byte on disk. */
#pragma once

#include "storage/datadir.h"
#include "storage/edge_rollup.h"
#include "storage/layout.h"
#include "storage/segment.h"

struct sp_check_segment {
    struct sp_segment *segment; /* one reference */
    uint64_t value_count;       /* chunks and rollups that are where they belong */
    bool is_damaged;            /* some of it cannot be read */
    bool lacks_calls;           /* its stored calls cannot be read */
    bool shares_traces;         /* with other segments */
    char calls_differ[256]; /* its stored calls are not those within it: how, first; "": they are */
};

/* One run; one thread. */
struct sp_check {
    const struct sp_check_options *options;
    struct sp_check_summary *summary;
    struct sp_datadir dir;
    struct sp_kv *kv;
    struct sp_totals totals;
    struct sp_interner services;                 /* number: slot */
    SP_VECTOR(struct sp_check_segment) segments; /* by sequences */
    bool lacks_segments;                         /* a header cannot be read */
    uint64_t blocks_done, blocks_all;

    /* of the block at hand */
    struct sp_block_decoder *decoder;
    struct sp_buf chunk;
    struct sp_arena arena, values_arena;
    struct sp_interner texts;
    struct sp_block block;

    /* Stored calls less those that were found, as one number a minute: a sum of all differences, each times a number that belongs to
     * the edge and to what differs. So it is zero when they are equal, takes no room for each edge, and segments can come in any
     * order. */
    struct sp_counts call_sums;
    uint64_t duplicate_trace_count; /* of traces in several segments, all but one */
};

/* ---- findings ---- */

struct sp_check_place {
    const struct sp_segment *segment; /* NULL: none */
    uint32_t block;                   /* SP_ROW_NONE: none */
    const char *part;                 /* "column 7"; "": all of the above */
    uint64_t span_count;              /* concerned; SP_CHECK_ALL: all of block or segment */
};
#define SP_CHECK_ALL UINT64_MAX

/* Of no segment. */
static inline struct sp_check_place sp_check_part(const char *name)
{
    return (struct sp_check_place){.block = SP_ROW_NONE, .part = name};
}

SP_PRINTF(4, 5)
void sp_check_found(struct sp_check *check, enum sp_finding_kind kind,
                    const struct sp_check_place *place, const char *format, ...);
/* What the database said of a value. */
enum sp_finding_kind sp_check_kind_of(const struct sp_error *error);
/* Is it about the stored bytes, so that the check goes on? */
bool sp_check_is_damage(enum sp_status status);
void sp_check_progress(struct sp_check *check, const char *what, uint64_t done, uint64_t all);

/* ---- parts: SP_OK, also when there is damage, which was reported; SP_NO_MEMORY and the like end the check ---- */

/* A row of the family "default"; *has_totals (a bool) is set when it is the totals. */
SP_MUST_USE enum sp_status sp_check_meta(struct sp_check *check, struct sp_slice key,
                                         struct sp_slice value, void *has_totals,
                                         struct sp_error *reterr);
/* *ret: the whole block, valid until the next one; NULL: it cannot be read. */
SP_MUST_USE enum sp_status sp_check_block(struct sp_check *check, struct sp_check_segment *segment,
                                          uint32_t number, const struct sp_block **ret,
                                          struct sp_error *reterr);
SP_MUST_USE enum sp_status
sp_check_segment(struct sp_check *check, struct sp_check_segment *segment, struct sp_error *reterr);

/* What is stored of the values of a segment's blocks. */
struct sp_check_values {
    struct sp_value_items *items; /* heap; of the blocks of the present group */
    uint32_t group;
    bool is_whole;   /* none of them is damaged */
    bool is_damaged; /* a page of the segment cannot be read */
};
SP_MUST_USE enum sp_status sp_check_values_init(struct sp_check_values *values,
                                                struct sp_error *reterr);
void sp_check_values_fini(struct sp_check_values *values);
/* The next block of a segment; NULL: it cannot be read. Behind the last one of a group its pages are compared. */
SP_MUST_USE enum sp_status sp_check_values_add(struct sp_check *check,
                                               struct sp_check_segment *segment,
                                               struct sp_check_values *values, uint32_t number,
                                               const struct sp_block *block,
                                               struct sp_error *reterr);

/* The counts, and the calls, of all blocks of a segment are compared with those that are stored with it. */
SP_MUST_USE enum sp_status sp_check_counts(struct sp_check *check, struct sp_check_segment *segment,
                                           struct sp_rollup *found, struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_check_segment_calls(struct sp_check *check,
                                                  struct sp_check_segment *segment,
                                                  struct sp_edge_rollup *found,
                                                  struct sp_error *reterr);
/* When all segments were: traces in several of them, and what is left of the difference. */
SP_MUST_USE enum sp_status sp_check_calls(struct sp_check *check, struct sp_error *reterr);

/* Reads a rollup's bytes; *ret_is_there is false when they are not, which was reported. */
SP_MUST_USE enum sp_status sp_check_read_rollup(struct sp_check *check,
                                                struct sp_check_segment *segment,
                                                enum sp_segment_rollup which, const char *name,
                                                bool *ret_is_there, struct sp_error *reterr);
/* It cannot be decoded: a finding. */
void sp_check_rollup_damaged(struct sp_check *check, const struct sp_check_place *place,
                             const struct sp_error *error);
/* "2026-01-01T12:34Z" */
#define SP_CHECK_MINUTE_BYTES 32
const char *sp_check_minute(uint64_t minute, char out[SP_CHECK_MINUTE_BYTES]);
