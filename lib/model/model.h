/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/model/model.h: what a span is: ids, values, attributes, resource, scope, events, links, batch. Plain structs that
 * mirror OTLP's data model (opentelemetry-proto 1.x, trace/v1 and common/v1), whatever bytes they came from. Uses base.
 * No I/O, no encoding.
 *
 * Memory: all pointers and slices of a batch point into an arena or into bytes that outlive the batch; nothing here
 * owns. A batch never changes once it was made, so any number of threads may read it. Times are Unix nanoseconds. */
#pragma once

#include <endian.h>

#include "lib/base/base.h"

#define SP_TRACE_ID_BYTES 16
#define SP_SPAN_ID_BYTES  8

struct sp_trace_id {
    uint8_t bytes[SP_TRACE_ID_BYTES];
};

struct sp_span_id {
    uint8_t bytes[SP_SPAN_ID_BYTES];
};

/* What a decoder lets in. Reasons and tests: docs/limits.md. */
struct sp_limits {
    size_t body_bytes_max; /* of one request after decompression */
    size_t spans_max;      /* in one request */
    /* attributes of one request, all levels together, values nested in others included */
    size_t attributes_max;
    size_t arena_bytes_max; /* memory one decoded request may take */
    uint32_t nesting_max;   /* levels of array and kvlist values inside one another */
};

#define SP_LIMIT_BODY_BYTES  ((size_t)64 * 1024 * 1024)
#define SP_LIMIT_SPANS       ((size_t)1000 * 1000)
#define SP_LIMIT_ATTRIBUTES  ((size_t)16 * 1000 * 1000)
#define SP_LIMIT_ARENA_BYTES ((size_t)1024 * 1024 * 1024)
#define SP_LIMIT_NESTING     ((uint32_t)64)

/* Ceiling of nesting_max, whatever is configured: every walk over a value has a stack of this size. Decoders obey it, and
 * so must whoever builds values by hand; deeper ones are a bug and assert. */
#define SP_NESTING_MAX ((uint32_t)100)

/* The defaults above. Static. */
const struct sp_limits *sp_limits_default(void);

enum sp_value_kind {
    SP_VALUE_EMPTY, /* an AnyValue with nothing set: valid and kept */
    SP_VALUE_STRING,
    SP_VALUE_BOOL,
    SP_VALUE_INT,
    SP_VALUE_DOUBLE,
    SP_VALUE_BYTES,
    SP_VALUE_ARRAY,
    SP_VALUE_KVLIST,
};

struct sp_attribute;

struct sp_value {
    enum sp_value_kind kind;
    uint32_t count; /* ARRAY: items, KVLIST: entries */
    union {
        struct sp_slice string; /* STRING (valid UTF-8) and BYTES */
        bool boolean;
        int64_t integer;
        double number;
        const struct sp_value *items;       /* ARRAY */
        const struct sp_attribute *entries; /* KVLIST */
    };
};

struct sp_attribute {
    /* valid UTF-8; may be empty; the same key may occur more than once, all are kept */
    struct sp_slice key;
    struct sp_value value;
};

struct sp_attributes {
    const struct sp_attribute *items; /* in the order they were sent */
    uint32_t count;
    uint32_t dropped; /* dropped_attributes_count as sent */
};

/* `residue` below: fields of the message that this version does not know, as their protobuf wire bytes in the order they
 * came, so that what OTLP brought in can be handed out again. Empty for other formats. */

struct sp_resource {
    struct sp_attributes attributes;
    struct sp_slice schema_url;    /* of ResourceSpans */
    struct sp_slice residue;       /* of Resource */
    struct sp_slice group_residue; /* of ResourceSpans */
    bool present;                  /* was there a Resource message at all? */
};

struct sp_scope {
    struct sp_slice name, version;
    struct sp_attributes attributes;
    struct sp_slice schema_url;    /* of ScopeSpans */
    struct sp_slice residue;       /* of InstrumentationScope */
    struct sp_slice group_residue; /* of ScopeSpans */
    bool present;                  /* was there an InstrumentationScope message at all? */
};

struct sp_event {
    uint64_t time_unix_ns;
    struct sp_slice name;
    struct sp_attributes attributes;
    struct sp_slice residue;
};

struct sp_link {
    struct sp_trace_id trace_id;
    struct sp_span_id span_id;
    uint32_t flags;
    struct sp_slice trace_state;
    struct sp_attributes attributes;
    struct sp_slice residue;
};

enum sp_span_kind { /* OTLP's numbers; an unknown number is kept as it came */
                    SP_KIND_UNSPECIFIED = 0,
                    SP_KIND_INTERNAL = 1,
                    SP_KIND_SERVER = 2,
                    SP_KIND_CLIENT = 3,
                    SP_KIND_PRODUCER = 4,
                    SP_KIND_CONSUMER = 5,
};

enum sp_span_status { /* OTLP's numbers; an unknown number is kept as it came */
                      SP_SPAN_STATUS_UNSET = 0,
                      SP_SPAN_STATUS_OK = 1,
                      SP_SPAN_STATUS_ERROR = 2,
};

struct sp_span {
    struct sp_trace_id trace_id;         /* never zero */
    struct sp_span_id span_id;           /* never zero */
    struct sp_span_id parent_span_id;    /* zero: a root */
    uint64_t start_unix_ns, end_unix_ns; /* as sent: the end may lie before the start */
    struct sp_slice name;
    struct sp_slice trace_state;
    int32_t kind;        /* enum sp_span_kind, or any other number that was sent */
    int32_t status_code; /* enum sp_span_status, or any other number that was sent */
    struct sp_slice status_message;
    struct sp_slice status_residue;
    bool status_present; /* was there a Status message at all? */
    uint32_t flags;
    struct sp_attributes attributes;
    const struct sp_event *events;
    const struct sp_link *links;
    uint32_t event_count, dropped_events;
    uint32_t link_count, dropped_links;
    const struct sp_resource *resource; /* never NULL; shared by the spans of one ResourceSpans */
    const struct sp_scope *scope;       /* never NULL; shared by the spans of one ScopeSpans */
    struct sp_slice residue;
};

/* Why a span was refused, and what its sender can do about it. One with several faults counts under the first of them here, whatever
 * its encoding and the order of its fields. INVALID: not of the length of an id, or no hex digits. MISSING: absent, empty or zero. */
#define SP_REJECTIONS(X)                                                                           \
    X(RESOURCE_NOT_UTF8, "A text of their resource is not UTF-8. Look at attributes that come "    \
                         "from the environment or from files.")                                    \
    X(SCOPE_NOT_UTF8, "A text of their instrumentation scope is not UTF-8.")                       \
    X(TRACE_ID_INVALID, "A trace id is 16 bytes; in JSON 32 hex digits, not base64.")              \
    X(TRACE_ID_MISSING, "The trace id is missing or zero: a span that its SDK does not record "    \
                        "was exported, or one was made by hand.")                                  \
    X(SPAN_ID_INVALID, "A span id is 8 bytes; in JSON 16 hex digits, not base64.")                 \
    X(SPAN_ID_MISSING, "The span id is missing or zero: a span that its SDK does not record was "  \
                       "exported, or one was made by hand.")                                       \
    X(PARENT_SPAN_ID_INVALID, "A parent has the 8 bytes of a span id; a root leaves them out.")    \
    X(LINK_ID_INVALID, "The ids of a link are 16 and 8 bytes; in JSON 32 and 16 hex digits.")      \
    X(SPAN_NOT_UTF8, "A name, attribute, event or message is not UTF-8. Text may have been cut "   \
                     "inside a character; bytes belong into bytes_value.")

enum sp_rejection {
#define SP_REJECTION(name, advice) SP_REJECTED_##name,
    SP_REJECTIONS(SP_REJECTION)
#undef SP_REJECTION
        SP_REJECTION_COUNT
};

/* "TRACE_ID_MISSING", and the sentences beside it. */
const char *sp_rejection_name(enum sp_rejection rejection);
const char *sp_rejection_advice(enum sp_rejection rejection);

/* Of faults, a bit each by its number; at least one. */
static inline enum sp_rejection sp_rejection_first(uint32_t faults)
{
    return (enum sp_rejection)__builtin_ctz(faults);
}

/* The spans of one request, or of one trace. */
struct sp_batch {
    const struct sp_span *spans; /* in the order they came */
    size_t span_count;
    uint64_t rejected_count;               /* spans refused one by one; they are not in spans */
    uint64_t rejected[SP_REJECTION_COUNT]; /* the same by reason */
    /* why the first of them was: an English sentence with its place; "" if none */
    struct sp_slice rejected_reason;
};

/* ---- ids ---- */

/* Half of a trace id as the number whose order is that of its bytes. */
static inline uint64_t sp_trace_id_half(const struct sp_trace_id *id, size_t half)
{
    uint64_t number;
    memcpy(&number, id->bytes + 8 * half, sizeof(number));
    return be64toh(number);
}

static inline bool sp_trace_id_is_zero(const struct sp_trace_id *id)
{
    return (sp_trace_id_half(id, 0) | sp_trace_id_half(id, 1)) == 0;
}

/* As memcmp. Searches sort by ids and step through them: here two numbers are compared, without a call. */
static inline int sp_trace_id_compare(const struct sp_trace_id *a, const struct sp_trace_id *b)
{
    uint64_t left = sp_trace_id_half(a, 0);
    uint64_t right = sp_trace_id_half(b, 0);
    if (left == right) {
        left = sp_trace_id_half(a, 1);
        right = sp_trace_id_half(b, 1);
    }
    return (left > right) - (left < right);
}

bool sp_span_id_is_zero(const struct sp_span_id *id);
int sp_span_id_compare(const struct sp_span_id *a, const struct sp_span_id *b);

/* 32 hex digits in either case, or 16 that are padded with zeros on the left (64-bit ids of older systems); false on
 * anything else and on a zero id. */
bool sp_trace_id_parse(struct sp_slice text, struct sp_trace_id *ret);
bool sp_span_id_parse(struct sp_slice text, struct sp_span_id *ret); /* 16 hex digits, not zero */

#define SP_TRACE_ID_TEXT (2 * SP_TRACE_ID_BYTES + 1)
#define SP_SPAN_ID_TEXT  (2 * SP_SPAN_ID_BYTES + 1)
void sp_trace_id_format(const struct sp_trace_id *id,
                        char out[SP_TRACE_ID_TEXT]); /* lower case, terminated */
void sp_span_id_format(const struct sp_span_id *id, char out[SP_SPAN_ID_TEXT]);

/* ---- spans ---- */

/* end - start, 0 when the end lies before the start. */
uint64_t sp_span_duration_ns(const struct sp_span *span);

/* The service a span belongs to: its resource's service.name if that is a non-empty string, otherwise
 * "unknown_service", the name OpenTelemetry SDKs use. Memory of the span, or static. */
struct sp_slice sp_span_service(const struct sp_span *span);

/* The first attribute with that key, or NULL. */
const struct sp_value *sp_attributes_find(const struct sp_attributes *attributes,
                                          struct sp_slice key);

/* "server", "client", ...; "unspecified" for 0 and for unknown numbers. Static. */
const char *sp_span_kind_name(int32_t kind);
bool sp_span_kind_parse(struct sp_slice name,
                        int32_t *ret); /* lower-case names of sp_span_kind_name */
const char *
sp_span_status_name(int32_t status_code); /* "unset", "ok", "error"; unset for unknown numbers */
const char *
sp_value_kind_name(enum sp_value_kind kind); /* "empty", "string", "int", "double", "bool", ... */

/* ---- equality and copies (iterative; values may nest to any depth a decoder let in) ---- */

/* Same kind and content; doubles by their bits; order of array and kvlist entries matters. */
bool sp_value_equal(const struct sp_value *a, const struct sp_value *b);
bool sp_attributes_equal(const struct sp_attributes *a, const struct sp_attributes *b);
bool sp_resource_equal(const struct sp_resource *a, const struct sp_resource *b);
bool sp_scope_equal(const struct sp_scope *a, const struct sp_scope *b);

/* Every field, resource and scope included. */
bool sp_span_equal(const struct sp_span *a, const struct sp_span *b);

/* A deep copy of count spans (given by pointer) into arena, sharing equal neighbouring resources and scopes.
 * SP_LIMIT when the arena is full; then *ret_batch is untouched. */
SP_MUST_USE enum sp_status sp_batch_copy(struct sp_arena *arena, const struct sp_span *const *spans,
                                         size_t count, const struct sp_batch **ret_batch);

/* ---- walking a value without recursion ---- */

enum sp_walk_event {
    SP_WALK_SCALAR, /* value is not a container */
    SP_WALK_ENTER,  /* value is an ARRAY or KVLIST; its children follow */
    SP_WALK_LEAVE,  /* the same value again, behind its last child */
    SP_WALK_END,    /* the root is done */
};

/* Depth first, in order:  sp_value_walk_init(&walk, root); while ((event = sp_value_walk_next(&walk)) != SP_WALK_END). */
struct sp_value_walk {
    const struct sp_value *value;     /* what the event is about */
    const struct sp_attribute *entry; /* the entry of a KVLIST it is the value of, otherwise NULL */
    bool done;
    uint32_t depth; /* containers entered and not left */
    struct {
        const struct sp_value *container;
        const struct sp_attribute *entry; /* of the container itself */
        uint32_t next;                    /* child that comes next */
    } stack[SP_NESTING_MAX];
};

void sp_value_walk_init(struct sp_value_walk *walk, const struct sp_value *root);
enum sp_walk_event sp_value_walk_next(struct sp_value_walk *walk);

/* A value as text for search, facets and graph labels: strings as they are, numbers and booleans in their JSON form,
 * bytes as base64, arrays and kvlists as JSON, an empty value as nothing. Appended to out (sticky error there). */
void sp_value_text(const struct sp_value *value, struct sp_buf *out);
