/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/answer.h: a JSON answer of the read API as a tree, for the sub-commands that print it in another form. */
#pragma once

#include "lib/base/base.h"

#define SP_ANSWER_DEPTH_MAX 32

struct sp_answer {
    enum sp_json_event kind; /* OBJECT_BEGIN, ARRAY_BEGIN, STRING, NUMBER, TRUE, FALSE, NULL */
    struct sp_slice key;     /* of a member of an object */
    struct sp_slice text;    /* of a string or a number */
    struct sp_answer *first, *next;
    uint32_t count; /* members or items */
};

/* body is borrowed; arena owns the tree. SP_MALFORMED, SP_LIMIT. */
SP_MUST_USE enum sp_status sp_answer_read(struct sp_slice body, struct sp_arena *arena,
                                          const struct sp_answer **ret, struct sp_error *reterr);

/* What stands at a path of keys, "clientLatency.p95". A place that is not there is an empty answer, never NULL; so is what is
 * looked for in it. */
const struct sp_answer *sp_answer_at(const struct sp_answer *answer, const char *path);

/* The text of a string or number; "" of anything else. */
struct sp_slice sp_answer_text(const struct sp_answer *answer, const char *path);
/* Of a number, or a string that holds one; 0 of anything else. */
uint64_t sp_answer_u64(const struct sp_answer *answer, const char *path);
/* The sum of a list of them, or the one that stands there. */
uint64_t sp_answer_total(const struct sp_answer *answer, const char *path);
double sp_answer_double(const struct sp_answer *answer, const char *path);
bool sp_answer_is_true(const struct sp_answer *answer, const char *path);
