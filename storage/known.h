/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/known.h: which traces the segments of a range of journal sequences may hold, asked of many segments at once: each part is one
 * filter over some of them, and parts become larger as more is stored. What a seal asks first, because each trace of each seal is
 * asked about and nearly none is there. Segments that are merged stay covered: the new one has their sequences. Internal to storage/.
 * In memory only; knows no database and no lock. */
#pragma once

#include "storage/filter.h"
#include "storage/vector.h"

/* A byte and a half for each trace: of a thousand that are not there, four or five get a "yes", and then the segments' own filters are
 * asked. */
#define SP_KNOWN_BITS_PER_TRACE 12
/* Each part has room for twice as many traces as the one before: from 384 KiB to 12 MiB, touched as they come. */
#define SP_KNOWN_TRACES_MIN ((uint32_t)256 * 1024)
#define SP_KNOWN_TRACES_MAX ((uint32_t)8 * 1024 * 1024)

struct sp_sequences {
    uint64_t first, last;
};

struct sp_known_part {
    struct sp_sequences sequences; /* of the segments in it */
    uint32_t trace_count, trace_max;
    uint32_t *words; /* heap; of the filter */
    struct sp_filter filter;
};

/* Zero-initialised: covers nothing. The parts are in the order of their sequences, and what lies between the first and the last of
 * them is covered. */
struct sp_known {
    SP_VECTOR(struct sp_known_part) parts;
};

void sp_known_fini(struct sp_known *known); /* covers nothing then, and may be used */

/* The traces of the segment that is next behind those that are covered, or next before them, where it may reach into what is covered: it was
 * merged of both. Of any, if nothing is covered. False: no memory, and nothing has changed. */
SP_MUST_USE bool sp_known_add(struct sp_known *known, struct sp_sequences segment,
                              const uint64_t *hashes, size_t count);

bool sp_known_covers(const struct sp_known *known, struct sp_sequences segment);

/* Nothing is stored any more below this sequence. */
void sp_known_forget(struct sp_known *known, uint64_t below);

/* ---- questions ---- */

/* Numbers of traces that segments of this range may hold. */
struct sp_known_answer {
    struct sp_sequences sequences;
    uint32_t *numbers; /* heap */
    size_t count;
};

/* About many traces at once, as things were when it was asked; of segments that came later it knows that it does not know. */
struct sp_known_question {
    uint64_t *hashes;          /* heap */
    uint32_t *scratch, *spare; /* heap; as many numbers each */
    size_t count;
    SP_VECTOR(struct sp_known_answer) answers; /* of each part */
};

/* False: no memory. Of the ids only their hashes are kept. */
SP_MUST_USE bool sp_known_ask(const struct sp_known *known, const struct sp_trace_id *ids,
                              size_t count, struct sp_known_question *ret);
void sp_known_question_fini(struct sp_known_question *question); /* all zero is fine */

/* Which of the traces a segment with this filter may hold: numbers, ascending, each once, until the next call; *ret_count of them. A
 * segment that is not covered is asked about all of them. */
const uint32_t *sp_known_numbers(struct sp_known_question *question, struct sp_sequences segment,
                                 const struct sp_filter *filter, size_t *ret_count);
