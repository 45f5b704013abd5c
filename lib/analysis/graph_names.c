/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/graph_names.c: the name of the other end of a call, when no span of it is there: from the attributes of the span that is. A name
 * is a function of one span, which is what lets a store keep names of before (docs/decisions/0079-names-of-brokers.md). Knows no
 * traces. */
#include "lib/analysis/analysis.h"

/* Attributes that name the other end of a call, best first. Old and new names of the semantic conventions. */
static const struct sp_graph_name_key peer_keys[] = {
    {"peer.service", false},  {"server.address", false},
    {"net.peer.name", false}, {"url.full", true},
    {"http.url", true},       {"http.host", false},
    {"rpc.service", false},   {"network.peer.address", false},
    {"net.peer.ip", false},   {"net.sock.peer.addr", false},
};
static const struct sp_graph_name_key database_name_keys[] = {
    {"peer.service", false}, {"db.namespace", false}, {"db.name", false}};
static const struct sp_graph_name_key database_system_keys[] = {{"db.system.name", false},
                                                                {"db.system", false}};
/* Somebody's own word; the kind of broker; names of the destination. */
static const struct sp_graph_name_key messaging_keys[] = {{"peer.service", false},
                                                          {"messaging.system", false},
                                                          {"messaging.destination.name", false},
                                                          {"messaging.destination", false}};
/* Of the destination, in its place: one for many. */
static const struct sp_graph_name_key template_keys[] = {{"messaging.destination.template", false}};
static const char *const temporary_keys[] = {"messaging.destination.temporary",
                                             "messaging.destination.anonymous",
                                             "messaging.temp_destination"};

/* ---- names of the other end ---- */

/* "https://user@host:8080/path" -> "host"; "" when there is no host. */
static struct sp_slice url_host(struct sp_slice url)
{
    for (size_t i = 0; i + 3 <= url.len; i++) {
        if (memcmp(url.ptr + i, "://", 3) != 0)
            continue;
        struct sp_slice rest = sp_slice_sub(url, i + 3, url.len);
        size_t end = 0;
        while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?' &&
               rest.ptr[end] != '#')
            end++;
        rest = sp_slice_sub(rest, 0, end);
        size_t user = sp_slice_find(rest, '@');
        if (user < rest.len)
            rest = sp_slice_sub(rest, user + 1, rest.len);
        if (rest.len > 0 && rest.ptr[0] == '[') /* an IPv6 address */
            return sp_slice_sub(rest, 0, sp_slice_find(rest, ']') + 1);
        return sp_slice_sub(rest, 0, sp_slice_find(rest, ':'));
    }
    return (struct sp_slice){0};
}

static struct sp_slice first_name(const struct sp_span *span, const struct sp_graph_name_key *keys,
                                  size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct sp_value *value =
            sp_attributes_find(&span->attributes, sp_slice_cstr(keys[i].key));
        if (!value || value->kind != SP_VALUE_STRING)
            continue;
        struct sp_slice name = keys[i].is_url ? url_host(value->string) : value->string;
        if (name.len > 0)
            return name;
    }
    return (struct sp_slice){0};
}

static bool is_number(struct sp_slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] < '0' || name.ptr[i] > '9')
            return false;
    return true;
}

/* The name of the database a span calls; "" if it calls none. A bare number is an index inside a server (Redis), which
 * says less than the kind of server. */
static struct sp_slice database_name(const struct sp_span *span)
{
    struct sp_slice system =
        first_name(span, database_system_keys, SP_ARRAY_LEN(database_system_keys));
    struct sp_slice name = first_name(span, database_name_keys + 1, 2);
    if (system.len == 0 && name.len == 0)
        return (struct sp_slice){0};
    struct sp_slice peer = first_name(span, database_name_keys, 1);
    if (peer.len > 0)
        return peer;
    return system.len > 0 && is_number(name) ? system : name;
}

static struct sp_slice or_unknown(struct sp_slice name)
{
    return name.len > 0 ? name : SP_SLICE("unknown");
}

/* ---- brokers ---- */

/* What a server made up for somebody, and nobody else will ever use: RabbitMQ's queues and direct replies, NATS's inboxes. */
static const char *const made_up_prefixes[] = {"amq.gen-", "amq.rabbitmq.reply-to", "_INBOX."};

static bool is_temporary(const struct sp_span *span, struct sp_slice name)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(temporary_keys); i++) {
        const struct sp_value *value =
            sp_attributes_find(&span->attributes, sp_slice_cstr(temporary_keys[i]));
        if (value && value->kind == SP_VALUE_BOOL && value->boolean)
            return true;
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(made_up_prefixes); i++)
        if (sp_slice_starts_with(name, sp_slice_cstr(made_up_prefixes[i])))
            return true;
    return false;
}

/* "" if it names none. One name stands for all temporary destinations, and for all that share a template. */
static struct sp_slice destination_name(const struct sp_span *span)
{
    struct sp_slice template = first_name(span, template_keys, SP_ARRAY_LEN(template_keys));
    if (template.len > 0)
        return template;
    struct sp_slice name = first_name(span, messaging_keys + 2, SP_ARRAY_LEN(messaging_keys) - 2);
    return is_temporary(span, name) ? SP_SLICE("(temporary)") : name;
}

/* Appends a text, of which so much is shown. */
static void append(struct sp_graph_name *room, size_t *len, struct sp_slice text, size_t bytes_max)
{
    static const char more[] = "\xe2\x80\xa6"; /* an ellipsis */
    size_t shown = text.len <= bytes_max ? text.len : bytes_max;
    while (shown < text.len && shown > 0 && (text.ptr[shown] & 0xc0) == 0x80)
        shown--;   /* not in the middle of a character */
    if (shown > 0) /* an empty text may be nowhere */
        memcpy(room->bytes + *len, text.ptr, shown);
    *len += shown;
    if (shown < text.len) {
        memcpy(room->bytes + *len, more, sizeof(more) - 1);
        *len += sizeof(more) - 1;
    }
}

/* "orders (kafka)"; or what is known of that. */
static struct sp_slice broker_name(const struct sp_span *span, struct sp_graph_name *room)
{
    struct sp_slice system = first_name(span, messaging_keys + 1, 1);
    struct sp_slice destination = destination_name(span);
    size_t len = 0;
    append(room, &len, destination, SP_GRAPH_DESTINATION_BYTES_MAX);
    if (destination.len > 0 && system.len > 0)
        append(room, &len, SP_SLICE(" ("), 2);
    append(room, &len, system, SP_GRAPH_SYSTEM_BYTES_MAX);
    if (destination.len > 0 && system.len > 0)
        append(room, &len, SP_SLICE(")"), 1);
    return sp_slice_make(room->bytes, len);
}

static struct sp_slice messaging_name(const struct sp_span *span, enum sp_peer_names names,
                                      struct sp_graph_name *room)
{
    struct sp_slice name = {0};
    switch (names) {
    case SP_PEER_NAMES_BY_SYSTEM:
        name = first_name(span, messaging_keys, SP_ARRAY_LEN(messaging_keys));
        break;
    case SP_PEER_NAMES_BY_DESTINATION:
        name = first_name(span, messaging_keys, 1);
        if (name.len == 0)
            name = broker_name(span, room);
        break;
    }
    return name.len > 0 ? name : or_unknown(first_name(span, peer_keys, SP_ARRAY_LEN(peer_keys)));
}

/* Fetching and settling messages are client spans in the newer conventions. */
static bool talks_to_broker(const struct sp_span *span)
{
    return first_name(span, messaging_keys + 1, 1).len > 0;
}

/* ---- keys ---- */

const struct sp_graph_name_key *sp_graph_name_keys(enum sp_graph_name_list list, size_t *ret_count)
{
    static const struct {
        const struct sp_graph_name_key *keys;
        size_t count;
    } lists[SP_GRAPH_NAME_LISTS] = {
        [SP_GRAPH_NAMES_OF_PEERS] = {peer_keys, SP_ARRAY_LEN(peer_keys)},
        [SP_GRAPH_NAMES_OF_DATABASES] = {database_name_keys, SP_ARRAY_LEN(database_name_keys)},
        [SP_GRAPH_NAMES_OF_DATABASE_SYSTEMS] = {database_system_keys,
                                                SP_ARRAY_LEN(database_system_keys)},
        [SP_GRAPH_NAMES_OF_BROKERS] = {messaging_keys, SP_ARRAY_LEN(messaging_keys)},
        [SP_GRAPH_NAMES_OF_TEMPLATES] = {template_keys, SP_ARRAY_LEN(template_keys)},
    };
    *ret_count = lists[list].count;
    return lists[list].keys;
}

bool sp_graph_is_name_key(struct sp_slice key)
{
    for (int l = 0; l < SP_GRAPH_NAME_LISTS; l++) {
        size_t count;
        const struct sp_graph_name_key *keys =
            sp_graph_name_keys((enum sp_graph_name_list)l, &count);
        for (size_t i = 0; i < count; i++)
            if (sp_slice_equal_cstr(key, keys[i].key))
                return true;
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(temporary_keys); i++)
        if (sp_slice_equal_cstr(key, temporary_keys[i]))
            return true;
    return false;
}

/* ---- half calls ---- */

/* A client or producer that no span of this trace answered. */
static struct sp_graph_call unanswered_call(const struct sp_span *span, enum sp_peer_names names,
                                            struct sp_graph_name *room)
{
    struct sp_graph_call call = {.client = sp_span_service(span), .client_span = span};
    struct sp_slice database =
        span->kind == SP_KIND_CLIENT ? database_name(span) : (struct sp_slice){0};
    if (database.len > 0) {
        call.server = database;
        call.server_type = SP_NODE_DATABASE;
        call.type = SP_CONNECTION_DATABASE;
    } else if (span->kind == SP_KIND_PRODUCER || talks_to_broker(span)) {
        call.server = messaging_name(span, names, room);
        call.server_type = SP_NODE_MESSAGING;
        call.type = SP_CONNECTION_VIRTUAL;
    } else {
        call.server = or_unknown(first_name(span, peer_keys, SP_ARRAY_LEN(peer_keys)));
        call.server_type = SP_NODE_EXTERNAL;
        call.type = SP_CONNECTION_VIRTUAL;
    }
    return call;
}

struct sp_graph_call sp_graph_half_call(const struct sp_span *span, enum sp_peer_names names,
                                        struct sp_graph_name *room)
{
    if (span->kind == SP_KIND_CLIENT || span->kind == SP_KIND_PRODUCER)
        return unanswered_call(span, names, room);
    bool is_consumer = span->kind == SP_KIND_CONSUMER;
    return (struct sp_graph_call){
        .client = is_consumer ? messaging_name(span, names, room) : SP_SLICE("user"),
        .server = sp_span_service(span),
        .client_type = is_consumer ? SP_NODE_MESSAGING : SP_NODE_CLIENT,
        .type = SP_CONNECTION_VIRTUAL,
        .server_span = span,
    };
}

/* ---- names that stay ---- */

/* The name of the broker that a span's half of a call would be with; "": with something else. */
static struct sp_slice broker_of(const struct sp_span *span, enum sp_peer_names names,
                                 struct sp_graph_name *room)
{
    if (span->kind != SP_KIND_CLIENT && span->kind != SP_KIND_PRODUCER &&
        span->kind != SP_KIND_CONSUMER)
        return (struct sp_slice){0};
    struct sp_graph_call call = sp_graph_half_call(span, names, room);
    if (call.client_type == SP_NODE_MESSAGING)
        return call.client;
    return call.server_type == SP_NODE_MESSAGING ? call.server : (struct sp_slice){0};
}

enum sp_status sp_graph_keep_names(struct sp_span *spans, size_t count, enum sp_peer_names names,
                                   struct sp_arena *arena)
{
    for (size_t i = 0; i < count && names != SP_PEER_NAMES_BY_DESTINATION; i++) {
        struct sp_graph_name room, own_room;
        struct sp_attributes *attributes = &spans[i].attributes;
        struct sp_slice name = broker_of(&spans[i], names, &room);
        if (sp_slice_equal(name, broker_of(&spans[i], SP_PEER_NAMES_BY_DESTINATION, &own_room)))
            continue;
        struct sp_attribute *items =
            sp_arena_calloc(arena, (size_t)attributes->count + 1, sizeof(*items));
        if (!items)
            return arena->error;
        items[0] = (struct sp_attribute){sp_slice_cstr(messaging_keys[0].key),
                                         {.kind = SP_VALUE_STRING, .string = name}};
        if (attributes->count > 0)
            memcpy(items + 1, attributes->items, attributes->count * sizeof(*items));
        attributes->items = items;
        attributes->count++;
    }
    return SP_OK;
}
