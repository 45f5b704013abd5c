/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/wire/decoder.h: the state of one sp_otlp_decode, shared by decode_span.c (the fixed levels of a request) and
 * decode_value.c (attributes and the values in them, which nest). Private to lib/wire. */
#pragma once

#include "lib/model/model.h"
#include "lib/wire/scan.h"

/* Bytes that are usually one slice of the input, and rarely the parts of several joined in the arena: residues, and
 * singular messages that occur twice (protobuf merges them, which is the same as decoding their bytes one behind the
 * other). */
struct sp_joined {
    struct sp_slice bytes;
    uint8_t *own; /* NULL: bytes is a slice of the input; otherwise bytes begins here */
    size_t cap;
};

/* A repeated message that waits until its siblings are counted, so that their array can be made at its final size. */
struct sp_child {
    struct sp_slice bytes;
    uint32_t number;
};

/* An array or kvlist that waits to be decoded: a list instead of recursion. */
struct sp_pending {
    struct sp_pending *next;
    struct sp_value *target;
    struct sp_slice bytes;
    enum sp_value_kind kind;
    uint32_t depth; /* 1: not inside another */
};

/* Levels of the place an error names. */
enum sp_level { SP_LEVEL_REQUEST, SP_LEVEL_RESOURCE, SP_LEVEL_SCOPE, SP_LEVEL_SPAN };

struct sp_decoder {
    struct sp_arena *arena;
    struct sp_slice in;
    const struct sp_limits *limits;
    uint32_t nesting_max;
    size_t attributes_left;
    struct sp_error *reterr;
    enum sp_status status; /* once failed */

    struct sp_span *spans;
    size_t span_count;
    uint64_t rejected_count, rejected[SP_REJECTION_COUNT];
    /* of what now stands on this level, a bit for each sp_rejection: any refuses it and all spans below */
    uint32_t faults[SP_LEVEL_SPAN + 1];
    char reason[SP_ERROR_MESSAGE_MAX]; /* of the first refusal */

    enum sp_level level; /* where we are; index[] holds what is valid up to it */
    uint32_t index[SP_LEVEL_SPAN + 1];
    const char *part; /* field of that level, or NULL */

    struct sp_child *children; /* a stack: who pushes pops */
    size_t child_count, child_cap;
    struct sp_pending *pending, *unused;
    struct sp_value sink; /* takes containers that a later member of the same value replaced */
};

/* Fails the whole message: fills reterr with place and offset of at. Always false, for `return`. */
SP_PRINTF(4, 5)
bool sp_decoder_fail(struct sp_decoder *d, enum sp_status status, const uint8_t *at,
                     const char *format, ...);
/* The same behind an allocation in the arena that failed. */
bool sp_decoder_no_memory(struct sp_decoder *d);

/* Refuses what stands on the given level, with the spans below it. */
SP_PRINTF(4, 5)
void sp_decoder_refuse(struct sp_decoder *d, enum sp_level level, enum sp_rejection why,
                       const char *format, ...);
/* The same of a text there that is not valid UTF-8. */
void sp_decoder_refuse_text(struct sp_decoder *d, enum sp_level level, const char *what);

/* Appends bytes. False: failed already. */
SP_MUST_USE bool sp_joined_add(struct sp_decoder *d, struct sp_joined *joined,
                               struct sp_slice bytes);

/* A field this message does not know goes to residue (NULL: is dropped); one it knows, bit by number in known, came with
 * another wire type than it has, which no sender of this message does. end: behind the field. By value, here and below: a field
 * whose address nobody has stays in registers. */
SP_MUST_USE bool sp_decoder_unknown(struct sp_decoder *d, struct sp_field field, const uint8_t *end,
                                    uint32_t known, struct sp_joined *residue);

SP_MUST_USE bool sp_decoder_grow_children(struct sp_decoder *d);

SP_MUST_USE static inline bool sp_decoder_push(struct sp_decoder *d, struct sp_field field)
{
    if (SP_UNLIKELY(d->child_count == d->child_cap) && !sp_decoder_grow_children(d))
        return false;
    d->children[d->child_count++] = (struct sp_child){field.bytes, field.tag >> 3};
    return true;
}

/* The same for an attribute, which is counted. */
SP_MUST_USE static inline bool sp_decoder_push_attribute(struct sp_decoder *d,
                                                         struct sp_field field)
{
    if (SP_UNLIKELY(d->attributes_left == 0)) {
        return sp_decoder_fail(d, SP_LIMIT, field.begin, "more than %zu attributes in one request",
                               d->limits->attributes_max);
    }
    d->attributes_left--;
    return sp_decoder_push(d, field);
}

/* Whether all bytes of a text are below 0x80. The last word read may overlap with the one before: no byte is read alone. */
static inline bool sp_text_is_ascii(struct sp_slice text)
{
    uint64_t high = 0, word;
    uint32_t first, last;
    if (text.len >= sizeof(word)) {
        for (size_t at = 0; at < text.len - sizeof(word); at += sizeof(word)) {
            memcpy(&word, text.ptr + at, sizeof(word));
            high |= word;
        }
        memcpy(&word, text.ptr + text.len - sizeof(word), sizeof(word));
        high |= word;
    } else if (text.len >= sizeof(first)) {
        memcpy(&first, text.ptr, sizeof(first));
        memcpy(&last, text.ptr + text.len - sizeof(last), sizeof(last));
        high = first | last;
    } else if (text.len > 0) {
        high = text.ptr[0] | text.ptr[text.len / 2] | text.ptr[text.len - 1];
    }
    return (high & UINT64_C(0x8080808080808080)) == 0;
}

/* Refuses on this level if text is not valid UTF-8. Nearly all text is short and ASCII; that is seen without a call. */
static inline void sp_decoder_check_text(struct sp_decoder *d, enum sp_level level,
                                         struct sp_slice text, const char *what)
{
    if (SP_UNLIKELY(!sp_text_is_ascii(text)) && !sp_utf8_valid(text))
        sp_decoder_refuse_text(d, level, what);
}

/* The next field, or out of the function with the error. */
#define NEXT_FIELD(d, scan, f)                                                                     \
    do {                                                                                           \
        const char *wrong = sp_scan_field((scan), (f));                                            \
        if (SP_UNLIKELY(wrong != NULL))                                                            \
            return sp_decoder_fail((d), SP_MALFORMED, (f)->begin, "%s", wrong);                    \
    } while (0)

/* Makes attributes of the count children with that number between the stack's index from and its top. */
SP_MUST_USE bool sp_decode_attributes(struct sp_decoder *d, enum sp_level level, size_t from,
                                      uint32_t number, uint32_t count, struct sp_attributes *ret);

/* Decodes one span into d->spans[d->span_count]; its resource and scope are the caller's business. */
SP_MUST_USE bool sp_decode_span(struct sp_decoder *d, struct sp_slice bytes);
