/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/pins.h: the part of storage.h's contract, which includes it, that says what retention leaves alone: pinned traces. */
#pragma once

#include "lib/model/model.h"

struct sp_store;

/* Each is looked for in a segment before that is removed. */
#define SP_PINS_MAX 100
/* With a size to keep, segments that stay for pinned traces take at most so large a part of it: the rest is for what comes. */
#define SP_PINS_ROOM_PART 2

struct sp_pin {
    struct sp_trace_id trace_id;
    uint64_t pinned_unix_ns;
};

struct sp_pins {
    struct sp_pin *rows; /* by when they were pinned, then by trace id */
    size_t count;
    /* Segments that hold spans of these, and stay as a whole for them; 0 for the reference. */
    uint64_t segment_count, segment_bytes;
};

/* What is stored of a trace stays from now on, and what comes of it later, until it is unpinned: no retention removes it. The engine on
 * disk keeps whole segments, and what else is in them. Durable when it returns. A trace that is pinned already keeps the time at
 * which it was.
 * SP_NOT_FOUND    no span of it is stored.
 * SP_LIMIT        SP_PINS_MAX traces are pinned, or segments would take more than SP_PINS_ROOM_PART lets.
 * SP_PERMISSION   this process only reads.   SP_UNAVAILABLE, SP_NO_MEMORY, SP_IO, SP_CORRUPT. */
SP_MUST_USE enum sp_status sp_store_pin(struct sp_store *store, const struct sp_trace_id *id,
                                        uint64_t now_unix_ns, struct sp_error *reterr);
/* Retention goes on as if it had never been pinned.
 * SP_NOT_FOUND: it is not pinned.   Others as above. */
SP_MUST_USE enum sp_status sp_store_unpin(struct sp_store *store, const struct sp_trace_id *id,
                                          struct sp_error *reterr);
/* The arena's memory. A process that only reads knows them as of its last look. SP_UNAVAILABLE, SP_NO_MEMORY, SP_IO, SP_LIMIT. */
SP_MUST_USE enum sp_status sp_store_pins(struct sp_store *store, struct sp_arena *arena,
                                         struct sp_pins *ret, struct sp_error *reterr);
