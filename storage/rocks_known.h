/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_known.h: which traces stored segments hold, for rocks_seal.c, rocks_retain.c and rocks_merger.c. Internal to
 * storage/. Within the gate, all of it. */
#pragma once

#include "storage/rocks_view.h"

static inline struct sp_sequences sp_rocks_sequences(const struct sp_segment *segment)
{
    return (struct sp_sequences){segment->first_sequence, segment->last_sequence};
}

/* Does a segment hold a trace? *ret is set if so. What is damaged is passed over. */
SP_MUST_USE enum sp_status sp_rocks_holds(struct sp_block_reader *reader,
                                          const struct sp_segment *segment,
                                          const struct sp_trace_id *id, bool *ret,
                                          struct sp_error *reterr);

/* Of the ids, which ascend, keeps those that a segment of the view holds; the question is about all of them. */
SP_MUST_USE enum sp_status sp_rocks_keep_known(const struct sp_rocks_view *view,
                                               struct sp_known_question *question,
                                               struct sp_trace_id *ids, size_t *id_count,
                                               struct sp_error *reterr);

/* The newest segment in the list now, which has these sequences, has the traces of the question. Without memory for that nothing is known of any
 * segment until it is learnt again. With history_lock held. */
void sp_rocks_know(struct sp_rocks *rocks, struct sp_sequences segment,
                   const struct sp_known_question *question);

/* Traces of a stored segment, each once, ascending. */
struct sp_rocks_ids {
    struct sp_trace_id *items; /* heap */
    size_t count;
    size_t damaged_count; /* blocks whose traces are not known */
};

/* SP_CORRUPT is counted only. Items are to be freed after an error, too. */
SP_MUST_USE enum sp_status sp_rocks_read_ids(struct sp_block_reader *reader,
                                             const struct sp_segment *segment,
                                             struct sp_rocks_ids *ret, struct sp_error *reterr);

/* What a start does not know: learns the traces of the newest segment that is not known yet. *ret_done: there is none, or it is damaged, and it
 * and older ones are asked one by one. The merger's, under the lock, which it gives up meanwhile unless it is done. SP_IO, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_rocks_learn(struct sp_rocks *rocks, bool *ret_done,
                                          struct sp_error *reterr);
