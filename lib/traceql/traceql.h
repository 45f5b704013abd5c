/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/traceql/traceql.h: the query language: text to a checked syntax tree and back, and the regular expressions it
 * uses. Uses base and model. Knows no storage and evaluates nothing. docs/traceql.md says what the language is.
 *
 * A tree never changes once it was made. All of it is the arena's memory, except that names and string literals without
 * escapes are slices of the query text. */
#pragma once

#include "lib/model/model.h"

/* Reasons and tests: docs/limits.md. */
#define SP_TRACEQL_QUERY_BYTES_MAX ((size_t)64 * 1024)
#define SP_TRACEQL_DEPTH_MAX       128u /* nodes from the root to a leaf; also open brackets */

/* Memory that is enough to parse a text of so many bytes. */
#define SP_TRACEQL_ARENA_BYTES_FOR(text_bytes) ((size_t)64 * 1024 + 400 * (size_t)(text_bytes))

/* ---- what a node can be ---- */

enum sp_traceql_node_kind {
    /* Expressions on one span: inside { }, by() and aggregates. */
    SP_TRACEQL_LITERAL,    /* value */
    SP_TRACEQL_FIELD,      /* field */
    SP_TRACEQL_NOT,        /* !left */
    SP_TRACEQL_NEGATE,     /* -left */
    SP_TRACEQL_EXISTS,     /* left != nil */
    SP_TRACEQL_NOT_EXISTS, /* left = nil */
    SP_TRACEQL_ALL,        /* items joined by &&, at least 2, none itself ALL */
    SP_TRACEQL_ANY,        /* items joined by ||, at least 2, none itself ANY */
    SP_TRACEQL_COMPARE, /* left comparison right; between scalars too: a stage that filters spansets */
    SP_TRACEQL_ARITHMETIC, /* left arithmetic right; between scalars and between series too */

    /* Sets of spans of one trace. */
    SP_TRACEQL_FILTER,   /* { left }; left is NULL in { } */
    SP_TRACEQL_RELATION, /* left relation right; WITHOUT with a time: value */
    SP_TRACEQL_REPEATED, /* left repeated limit: Spoor's own */
    SP_TRACEQL_PIPELINE, /* items: stages joined by |, at least 1; the root, and what stands in ( ) as an operand */

    /* Stages, beside FILTER, RELATION, COMPARE. */
    SP_TRACEQL_GROUP,    /* by(left) */
    SP_TRACEQL_COALESCE, /* coalesce() */
    SP_TRACEQL_SELECT,   /* select(items): fields */
    SP_TRACEQL_AGGREGATE, /* aggregate(left), left is NULL for count(): an operand, or the last stage in ( ) */

    /* Series over time. An ARITHMETIC of series can be the first stage. */
    SP_TRACEQL_METRIC,    /* metric(...) by (items): fields */
    SP_TRACEQL_TOPK,      /* topk(limit) */
    SP_TRACEQL_BOTTOMK,   /* bottomk(limit) */
    SP_TRACEQL_THRESHOLD, /* comparison left: keeps points of a series; left is a LITERAL */
};

enum sp_traceql_type {                      /* of a node's result */
                       SP_TRACEQL_TYPE_ANY, /* an attribute: known per span only */
                       SP_TRACEQL_TYPE_STRING,
                       SP_TRACEQL_TYPE_BOOL,
                       SP_TRACEQL_TYPE_INT,
                       SP_TRACEQL_TYPE_FLOAT,
                       SP_TRACEQL_TYPE_DURATION, /* nanoseconds, may be negative */
                       SP_TRACEQL_TYPE_STATUS,
                       SP_TRACEQL_TYPE_KIND,
                       SP_TRACEQL_TYPE_SPAN, /* the field `parent` */
                       SP_TRACEQL_TYPE_SPANSET, /* FILTER, RELATION, a scalar COMPARE, other stages, PIPELINE of these */
                       SP_TRACEQL_TYPE_SERIES, /* METRIC and what follows it */
};

enum sp_traceql_comparison {
    SP_TRACEQL_EQ,
    SP_TRACEQL_NE,
    SP_TRACEQL_LT,
    SP_TRACEQL_LE,
    SP_TRACEQL_GT,
    SP_TRACEQL_GE,
    SP_TRACEQL_MATCH,     /* =~ : right is a string LITERAL that sp_regex_compile takes */
    SP_TRACEQL_NOT_MATCH, /* !~ */
};

enum sp_traceql_arithmetic {
    SP_TRACEQL_ADD,
    SP_TRACEQL_SUBTRACT,
    SP_TRACEQL_MULTIPLY,
    SP_TRACEQL_DIVIDE,
    SP_TRACEQL_MODULO,
    SP_TRACEQL_POWER,
};

/* Between two sets of spans of a trace. The structural ones give spans of the right side, UNION_x those of both. */
enum sp_traceql_relation {
    SP_TRACEQL_AND,        /* && both sides matched */
    SP_TRACEQL_OR,         /* || */
    SP_TRACEQL_CHILD,      /* >  right is a child of left */
    SP_TRACEQL_PARENT,     /* <  right is the parent of left */
    SP_TRACEQL_DESCENDANT, /* >> */
    SP_TRACEQL_ANCESTOR,   /* << */
    SP_TRACEQL_SIBLING,    /* ~  */
    SP_TRACEQL_NOT_CHILD,
    SP_TRACEQL_NOT_PARENT,
    SP_TRACEQL_NOT_DESCENDANT,
    SP_TRACEQL_NOT_ANCESTOR,
    SP_TRACEQL_NOT_SIBLING,
    SP_TRACEQL_UNION_CHILD,
    SP_TRACEQL_UNION_PARENT,
    SP_TRACEQL_UNION_DESCENDANT,
    SP_TRACEQL_UNION_ANCESTOR,
    SP_TRACEQL_UNION_SIBLING,
    SP_TRACEQL_WITHOUT, /* Spoor's own: left that has no right below it; gives spans of the left side */
};

enum sp_traceql_aggregate {
    SP_TRACEQL_COUNT,
    SP_TRACEQL_AVG,
    SP_TRACEQL_MIN,
    SP_TRACEQL_MAX,
    SP_TRACEQL_SUM,
};

enum sp_traceql_metric {
    SP_TRACEQL_RATE,
    SP_TRACEQL_COUNT_OVER_TIME,
    SP_TRACEQL_MIN_OVER_TIME, /* (left) */
    SP_TRACEQL_MAX_OVER_TIME,
    SP_TRACEQL_AVG_OVER_TIME,
    SP_TRACEQL_SUM_OVER_TIME,
    SP_TRACEQL_HISTOGRAM_OVER_TIME,
    SP_TRACEQL_QUANTILE_OVER_TIME, /* (left, numbers...) */
    SP_TRACEQL_METRIC_COMPARE, /* compare(left: FILTER [, numbers: top n [, start ns, end ns]]) */
};

enum sp_traceql_scope {                       /* where an attribute is looked up */
                        SP_TRACEQL_SCOPE_ANY, /* .key: the span's attributes, then the resource's */
                        SP_TRACEQL_SCOPE_SPAN,
                        SP_TRACEQL_SCOPE_RESOURCE,
                        SP_TRACEQL_SCOPE_EVENT, /* any event of the span */
                        SP_TRACEQL_SCOPE_LINK,  /* any link of the span */
                        SP_TRACEQL_SCOPE_INSTRUMENTATION,
};

enum sp_traceql_intrinsic {
    SP_TRACEQL_INTRINSIC_NONE, /* the field is an attribute */
    SP_TRACEQL_SERVICE,        /* Spoor's own: sp_span_service */
    SP_TRACEQL_NAME,
    SP_TRACEQL_STATUS,
    SP_TRACEQL_STATUS_MESSAGE,
    SP_TRACEQL_KIND,
    SP_TRACEQL_DURATION,
    SP_TRACEQL_SPAN_ID,
    SP_TRACEQL_PARENT_ID,
    SP_TRACEQL_CHILD_COUNT,
    SP_TRACEQL_TRACE_DURATION,
    SP_TRACEQL_ROOT_NAME,
    SP_TRACEQL_ROOT_SERVICE,
    SP_TRACEQL_TRACE_ID,
    SP_TRACEQL_EVENT_NAME, /* of any event */
    SP_TRACEQL_EVENT_TIME_SINCE_START,
    SP_TRACEQL_LINK_TRACE_ID, /* of any link */
    SP_TRACEQL_LINK_SPAN_ID,
    SP_TRACEQL_INSTRUMENTATION_NAME,
    SP_TRACEQL_INSTRUMENTATION_VERSION,
    SP_TRACEQL_NESTED_SET_LEFT,
    SP_TRACEQL_NESTED_SET_RIGHT,
    SP_TRACEQL_NESTED_SET_PARENT,
    SP_TRACEQL_PARENT_SPAN, /* `parent` */
    SP_TRACEQL_INTRINSIC_COUNT,
};

struct sp_traceql_field {
    enum sp_traceql_intrinsic intrinsic;
    enum sp_traceql_scope scope; /* of an attribute */
    bool of_parent;              /* parent.key, parent.span.key, parent.resource.key */
    struct sp_slice key;         /* of an attribute, quotes and escapes taken away; may be empty */
};

struct sp_traceql_value {
    enum sp_traceql_type type; /* STRING to KIND */
    union {
        struct sp_slice string;
        bool boolean;
        /* INT; DURATION: ns; STATUS: enum sp_span_status; KIND: enum sp_span_kind */
        int64_t integer;
        double number;
    };
};

struct sp_traceql_node {
    enum sp_traceql_node_kind kind;
    enum sp_traceql_type type; /* of the result */
    uint32_t offset;           /* byte of the query where its operator, name or bracket stands */
    uint32_t index;            /* in nodes of the query: for tables beside the tree */
    uint32_t depth;            /* 1 for a leaf, otherwise one more than its deepest child */
    bool reads_span;           /* false: made of literals only */
    union {
        enum sp_traceql_comparison comparison; /* COMPARE, THRESHOLD */
        enum sp_traceql_arithmetic arithmetic;
        enum sp_traceql_relation relation;
        enum sp_traceql_aggregate aggregate;
        enum sp_traceql_metric metric;
    };
    const struct sp_traceql_node *left, *right; /* NULL where the kind does not say otherwise */
    const struct sp_traceql_node *const *items;
    uint32_t item_count;
    union {
        struct sp_traceql_field field;
        /* LITERAL; of the relation WITHOUT: a DURATION, or type ANY when no time was given */
        struct sp_traceql_value value;
        struct {                                    /* METRIC */
            const struct sp_traceql_value *numbers; /* quantiles: FLOAT; of compare(): INT */
            uint32_t number_count;
        };
        uint64_t limit; /* TOPK, BOTTOMK: at least 1; REPEATED: at least 2 */
    };
};

/* A without B within a time? */
static inline bool sp_traceql_has_time(const struct sp_traceql_node *node)
{
    return node->kind == SP_TRACEQL_RELATION && node->relation == SP_TRACEQL_WITHOUT &&
           node->value.type == SP_TRACEQL_TYPE_DURATION;
}

struct sp_traceql_hint { /* with (name = value) */
    struct sp_slice name;
    struct sp_traceql_value value;
    uint32_t offset;
};

struct sp_traceql_query {
    const struct sp_traceql_node *root; /* a PIPELINE */
    const struct sp_traceql_node *const
        *nodes; /* all of them, children before parents: the way to walk without
                                                    recursion */
    uint32_t node_count;
    const struct sp_traceql_hint *hints; /* in the order they were written */
    uint32_t hint_count;
};

/* ---- text to tree and back ---- */

/* Parses and checks types. Empty text and text of white space only mean { }.
 *
 * text   UTF-8, borrowed; must outlive the tree.     arena  owns the tree.
 *
 * SP_INVALID_ARGUMENT  not a query, or one that cannot mean anything: reterr->offset is the byte where it went wrong,
 *                      the message says what stands there and what was expected.
 * SP_LIMIT             longer than SP_TRACEQL_QUERY_BYTES_MAX, deeper than SP_TRACEQL_DEPTH_MAX, or the arena is full.
 * On error *ret is untouched. */
SP_MUST_USE enum sp_status sp_traceql_parse(struct sp_arena *arena, struct sp_slice text,
                                            const struct sp_traceql_query **ret,
                                            struct sp_error *reterr);

/* Parses a number made of a set of spans alone: count(), max(duration) - min(duration). The root has this one stage. */
SP_MUST_USE enum sp_status sp_traceql_parse_scalar(struct sp_arena *arena, struct sp_slice text,
                                                   const struct sp_traceql_query **ret,
                                                   struct sp_error *reterr);

/* Appends the query in its one normal form: parsing it again gives an equal tree. */
void sp_traceql_print(const struct sp_traceql_query *query, struct sp_buf *out);

/* The same for a part of it, to name it in messages and column heads. */
void sp_traceql_print_node(const struct sp_traceql_node *node, struct sp_buf *out);

/* A text as a query writes it: in quotes, with its escapes. */
void sp_traceql_print_string(struct sp_slice text, struct sp_buf *out);

/* Same tree, offsets and indices aside? */
bool sp_traceql_equal(const struct sp_traceql_query *a, const struct sp_traceql_query *b);

/* The name in the normal form: "service", "name", "trace:duration", ... NONE gives "". */
const char *sp_traceql_intrinsic_name(enum sp_traceql_intrinsic intrinsic);
/* In any of its spellings ("duration", "span:duration"); NONE: it is none. */
enum sp_traceql_intrinsic sp_traceql_find_intrinsic(struct sp_slice text);
enum sp_traceql_type sp_traceql_intrinsic_type(enum sp_traceql_intrinsic intrinsic);
const char *sp_traceql_type_name(enum sp_traceql_type type); /* "string", "duration", ... */
const char *sp_traceql_comparison_text(enum sp_traceql_comparison comparison); /* "=", "!~", ... */
const char *sp_traceql_relation_text(enum sp_traceql_relation relation);       /* "&&", ">>", ... */
const char *sp_traceql_node_text(
    const struct sp_traceql_node *node); /* "&&", "by()", "rate()", "{ }": for messages */

/* ---- regular expressions: RE2's syntax, matched against the whole subject, with bounded work ---- */

#define SP_REGEX_PATTERN_BYTES_MAX ((size_t)4096)
#define SP_REGEX_MATCH_LIMIT       1000000u /* steps of one match */
#define SP_REGEX_HEAP_KIB_MAX      4096u    /* memory of one match */

struct sp_regex;

/* pattern: UTF-8; only what RE2 accepts (no look-around, back references, possessive or atomic groups, recursion).
 * SP_INVALID_ARGUMENT  reterr->offset is the byte of the pattern where it went wrong.
 * SP_LIMIT  longer than SP_REGEX_PATTERN_BYTES_MAX or too large when compiled.     SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_regex_compile(struct sp_slice pattern, struct sp_regex **ret,
                                            struct sp_error *reterr);
void sp_regex_free(struct sp_regex *regex); /* NULL is fine */

/* Does the whole subject match? A subject that is not UTF-8 does not. One thread at a time for each regex.
 * SP_LIMIT  the match took more than SP_REGEX_MATCH_LIMIT steps or SP_REGEX_HEAP_KIB_MAX.     SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_regex_match(struct sp_regex *regex, struct sp_slice subject,
                                          bool *ret_matched);

/* How often it was asked to match, modulo 2^32: whoever asks often has to look at the clock. */
uint32_t sp_regex_match_count(const struct sp_regex *regex);
