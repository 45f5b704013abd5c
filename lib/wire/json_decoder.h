/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/wire/json_decoder.h: the state of one sp_otlp_json_decode, shared by json_decode.c (the fixed levels of a request),
 * json_value.c (attributes and the values in them, which nest) and json_field.c (single fields). Private to lib/wire. */
#pragma once

#include "lib/model/model.h"

enum sp_json_level { SP_JSON_REQUEST, SP_JSON_RESOURCE, SP_JSON_SCOPE, SP_JSON_SPAN };

struct sp_json_decoder {
    struct sp_json_reader r;
    struct sp_arena *arena;
    const struct sp_limits *limits;
    uint32_t nesting_max;
    size_t attributes_left;
    struct sp_error *reterr;
    enum sp_status status; /* once failed */

    /* Arrays that grow while their end is not known; heap, copied into the arena at their final size. The first two are
     * stacks: nested arrays lie behind those that contain them. */
    struct sp_buf attributes, values, frames;
    struct sp_buf events, links, spans;
    struct sp_buf scratch; /* decoded base64 */

    uint64_t rejected_count, rejected[SP_REJECTION_COUNT];
    uint32_t faults; /* of the present span, a bit for each sp_rejection */
    char reason[SP_ERROR_MESSAGE_MAX];

    enum sp_json_level level; /* where we are; index[] holds what is valid up to it */
    uint32_t index[SP_JSON_SPAN + 1];
    const char *part; /* field of that level, or NULL */
};

/* All of these return false when the whole request has failed, with reterr filled. */

/* The reader's own error, with the place. */
bool sp_json_decoder_failed(struct sp_json_decoder *d);
/* The last event does not fit: what was expected. */
bool sp_json_decoder_expected(struct sp_json_decoder *d, const char *what);
SP_PRINTF(2, 3) bool sp_json_decoder_limit(struct sp_json_decoder *d, const char *format, ...);

/* An arena or array could not grow: its error. */
bool sp_json_decoder_no_memory(struct sp_json_decoder *d, enum sp_status status);

/* Refuses the present span. */
SP_PRINTF(3, 4)
void sp_json_decoder_refuse(struct sp_json_decoder *d, enum sp_rejection why, const char *format,
                            ...);

/* Inside an object: *ret is the index in names of the next key, or -1 at the end. Keys not in names are skipped with
 * their values. */
SP_MUST_USE bool sp_json_decoder_key(struct sp_json_decoder *d, const char *const *names,
                                     size_t count, int *ret);

/* What comes next is an object (*ret true), null (false), or an error. The same for an array. */
SP_MUST_USE bool sp_json_decoder_object(struct sp_json_decoder *d, bool *ret);
SP_MUST_USE bool sp_json_decoder_array(struct sp_json_decoder *d, bool *ret);

/* Inside an array of objects: *ret says whether another object has begun; otherwise the array has ended. */
SP_MUST_USE bool sp_json_decoder_element(struct sp_json_decoder *d, bool *ret);

/* Single values; null leaves *ret as it is. Integers: number or string; whole numbers in exponent form are taken. */
SP_MUST_USE bool sp_json_decoder_text(struct sp_json_decoder *d, struct sp_slice *ret);
SP_MUST_USE bool sp_json_decoder_u64(struct sp_json_decoder *d, uint64_t *ret);
SP_MUST_USE bool sp_json_decoder_u32(struct sp_json_decoder *d, uint32_t *ret);
SP_MUST_USE bool sp_json_decoder_i64(struct sp_json_decoder *d, int64_t *ret, bool *ret_present);
SP_MUST_USE bool sp_json_decoder_enum(struct sp_json_decoder *d, int32_t *ret);

/* Appends size bytes to one of the growing arrays. */
SP_MUST_USE bool sp_json_decoder_append(struct sp_json_decoder *d, struct sp_buf *array,
                                        const void *item, size_t size);

/* Moves the end of a growing array, from byte on, into the arena; *ret is never NULL. */
SP_MUST_USE bool sp_json_decoder_keep(struct sp_json_decoder *d, struct sp_buf *array, size_t from,
                                      void **ret);

/* The value of "attributes": an array of KeyValue, or null. dropped is left alone. */
SP_MUST_USE bool sp_json_decode_attributes(struct sp_json_decoder *d, struct sp_attributes *ret);
