/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/load_template.h: a recorded export request that can be sent many times as new data: `spoor load` finds the places
 * of all ids and times in its protobuf bytes once, and then only patches copies. Knows the fields of a span that hold
 * ids and times, nothing else of OTLP. */
#pragma once

#include "lib/base/base.h"
#include "lib/model/model.h"

struct sp_load_patch {
    size_t offset; /* of the id bytes or of the eight bytes of the time */
    enum { SP_LOAD_TRACE_ID, SP_LOAD_SPAN_ID, SP_LOAD_TIME } kind;
};

struct sp_load_template {
    struct sp_buf bytes; /* the request as recorded */
    struct sp_load_patch *patches;
    size_t patch_count, patch_cap;
    size_t span_count;
    uint64_t start_min_unix_ns, start_max_unix_ns; /* of the spans */
    struct sp_trace_id first_trace_id;             /* zero when the request has no span */
};

/* What makes one copy differ from another: masks are XORed to the ids, so relations between spans stay. */
struct sp_load_variant {
    uint8_t trace_mask[SP_TRACE_ID_BYTES];
    uint8_t span_mask[SP_SPAN_ID_BYTES];
    int64_t shift_ns; /* added to every time */
};

/* Takes the bytes (moved out of *bytes on success). SP_MALFORMED: not an OTLP protobuf export request; SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_load_template_init(struct sp_load_template *ret, struct sp_buf *bytes,
                                                 struct sp_error *reterr);
void sp_load_template_fini(struct sp_load_template *t);

/* Writes a patched copy into out (reset first). SP_LIMIT, SP_NO_MEMORY: out's. */
SP_MUST_USE enum sp_status sp_load_template_write(const struct sp_load_template *t,
                                                  const struct sp_load_variant *variant,
                                                  struct sp_buf *out);

/* The id as it is in the copy. */
struct sp_trace_id sp_load_variant_trace_id(const struct sp_load_variant *variant,
                                            const struct sp_trace_id *recorded);
