/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/json.h: a streaming JSON writer and a pull reader (RFC 8259). Neither recurses; both have limits.
 * Why our own: docs/decisions/0003-json.md. */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/compiler.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

/* Levels of arrays and objects inside one another that writer and reader take. */
#define SP_JSON_DEPTH_MAX 512

/* ---- writer ---- */

/* Appends to a buffer; commas and colons are the writer's work. Misuse (a value where a key is due, unbalanced ends, a
 * second top-level value) is our own bug and asserts. Errors are the buffer's and stick there; nesting deeper than
 * SP_JSON_DEPTH_MAX is one of them (SP_LIMIT), because depth may come from data. */
struct sp_json_writer {
    struct sp_buf *out;
    uint32_t depth;
    bool after_key, done;
    uint8_t state[SP_JSON_DEPTH_MAX]; /* a level: array or object, first element written or not */
};

void sp_json_writer_init(struct sp_json_writer *w, struct sp_buf *out);
void sp_json_object_begin(struct sp_json_writer *w);
void sp_json_object_end(struct sp_json_writer *w);
void sp_json_array_begin(struct sp_json_writer *w);
void sp_json_array_end(struct sp_json_writer *w);
void sp_json_key(struct sp_json_writer *w, const char *key);
void sp_json_key_slice(struct sp_json_writer *w, struct sp_slice key);

/* Bytes that are not UTF-8 become U+FFFD, one for each byte. */
void sp_json_string(struct sp_json_writer *w, struct sp_slice value);
void sp_json_cstr(struct sp_json_writer *w, const char *value);

/* As numbers; and as strings ("123"), which is how 64-bit integers stand in the API. */
void sp_json_i64(struct sp_json_writer *w, int64_t value);
void sp_json_u64(struct sp_json_writer *w, uint64_t value);
void sp_json_i64_string(struct sp_json_writer *w, int64_t value);
void sp_json_u64_string(struct sp_json_writer *w, uint64_t value);

/* Items of the array that is open, many at once: the same text as so many sp_json_i64, or, if not signed, as so many sp_json_u64 of the
 * same bits. */
void sp_json_integers(struct sp_json_writer *w, const int64_t *values, size_t count,
                      bool is_signed);

/* What is not finite becomes the strings "NaN", "Infinity", "-Infinity", as in OTLP. */
void sp_json_double(struct sp_json_writer *w, double value);
void sp_json_bool(struct sp_json_writer *w, bool value);
void sp_json_null(struct sp_json_writer *w);
void sp_json_hex(struct sp_json_writer *w, struct sp_slice bytes);
void sp_json_base64(struct sp_json_writer *w, struct sp_slice bytes);
void sp_json_raw(struct sp_json_writer *w, struct sp_slice json); /* one value, already JSON */

/* ---- reader ---- */

enum sp_json_event {
    SP_JSON_ERROR, /* see reader.error; every later call gives the same */
    SP_JSON_END,   /* the one top-level value is complete and only white space follows */
    SP_JSON_OBJECT_BEGIN,
    SP_JSON_OBJECT_END,
    SP_JSON_ARRAY_BEGIN,
    SP_JSON_ARRAY_END,
    SP_JSON_KEY,    /* text: the key, unescaped */
    SP_JSON_STRING, /* text: the string, unescaped */
    SP_JSON_NUMBER, /* text: the number as written */
    SP_JSON_TRUE,
    SP_JSON_FALSE,
    SP_JSON_NULL,
};

struct sp_json_reader {
    struct sp_slice in;
    size_t pos;       /* byte offset of what comes next */
    size_t event_pos; /* byte offset where the last event began */
    struct sp_arena *arena;
    struct sp_slice text; /* of the last KEY, STRING or NUMBER */
    struct sp_error error;
    uint32_t depth, depth_max;
    bool skipping;  /* internal: strings are checked but not unescaped */
    uint8_t expect; /* internal: what the grammar allows next */
    uint8_t state[SP_JSON_DEPTH_MAX];
};

/* in is borrowed. Strings without escapes are slices of in, others are unescaped into arena (borrowed). depth_max is at
 * most SP_JSON_DEPTH_MAX. Strict: invalid UTF-8, lone surrogates, control characters, trailing commas, leading zeros and
 * a second top-level value are SP_MALFORMED with the offset; too deep or the arena full is SP_LIMIT. Keys that stand
 * twice in an object are given twice. */
void sp_json_reader_init(struct sp_json_reader *r, struct sp_slice in, struct sp_arena *arena,
                         uint32_t depth_max);

enum sp_json_event sp_json_next(struct sp_json_reader *r);

/* Reads past the value that comes next (after a KEY, or an array element), taking nothing from the arena; SP_OK or the
 * reader's error. */
SP_MUST_USE enum sp_status sp_json_skip(struct sp_json_reader *r);

/* Reads to the end of the innermost array or object that is open, its END event included: the rest of a value that
 * turned out not to be of interest after its BEGIN was read. */
SP_MUST_USE enum sp_status sp_json_skip_rest(struct sp_json_reader *r);

/* Makes the reader fail at the last event with this message: for errors of meaning, so that they carry the offset too.
 * A reader that has failed already keeps its first error. Returns the status of the reader's error. */
SP_PRINTF(2, 3) enum sp_status sp_json_fail(struct sp_json_reader *r, const char *format, ...);
