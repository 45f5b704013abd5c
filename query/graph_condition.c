/* SPDX-License-Identifier: Apache-2.0
 *
 * query/graph_condition.c: the calls of an edge of the graph as a query. What lib/analysis finds by walking a trace is said by relations of spans,
 * and the names that it gives to ends without spans (lib/analysis/graph_names.c) by conditions on the same attributes. Asks no store. */
#include "lib/traceql/traceql.h"
#include "query/graph_answer.h"

struct writer {
    struct sp_buf *out;
    struct sp_slice client, server, inferred; /* inferred: the one that has no spans */
};

unsigned sp_graph_way_of(const struct sp_graph_call *call)
{
    switch (call->type) {
    case SP_CONNECTION_DIRECT:
        return SP_GRAPH_WAY_DIRECT;
    case SP_CONNECTION_MESSAGING:
        return SP_GRAPH_WAY_MESSAGE;
    case SP_CONNECTION_LINK:
        return SP_GRAPH_WAY_LINK;
    case SP_CONNECTION_DATABASE:
        return SP_GRAPH_WAY_TO_DATABASE;
    case SP_CONNECTION_VIRTUAL:
        break;
    }
    if (call->server_span)
        return call->client_type == SP_NODE_MESSAGING ? SP_GRAPH_WAY_FROM_BROKER
                                                      : SP_GRAPH_WAY_FROM_NOBODY;
    return call->server_type == SP_NODE_MESSAGING ? SP_GRAPH_WAY_TO_BROKER : SP_GRAPH_WAY_TO_OTHERS;
}

/* ---- attributes ---- */

static void write(const struct writer *w, const char *text)
{
    sp_buf_append_cstr(w->out, text);
}

/* Whatever stands in front of a URL's host. */
#define BEFORE_HOST "[^/]*://([^/?#@]*@)?"

/* span.KEY has a text: a certain one, or any. */
static void write_text(const struct writer *w, const struct sp_graph_name_key *key,
                       const struct sp_slice *text)
{
    write(w, "span.");
    write(w, key->key);
    if (!key->is_url && text) {
        write(w, " = ");
        sp_traceql_print_string(*text, w->out);
    } else if (!key->is_url) {
        write(w, " != \"\"");
    } else if (text) {
        struct sp_buf pattern;
        sp_buf_init(&pattern, SP_TRACEQL_QUERY_BYTES_MAX);
        sp_buf_append_cstr(&pattern, BEFORE_HOST);
        for (size_t i = 0; i < text->len; i++) {
            if (text->ptr[i] != 0 && strchr("\\^$.|?*+()[]{}", text->ptr[i]))
                sp_buf_append_byte(&pattern, '\\');
            sp_buf_append_byte(&pattern, text->ptr[i]);
        }
        /* An IPv6 address ends with its bracket, whatever stands behind it. */
        sp_buf_append_cstr(&pattern, text->ptr[0] == '[' ? "(?s:.*)" : "([:/?#](?s:.*))?");
        write(w, " =~ ");
        sp_traceql_print_string(sp_buf_slice(&pattern), w->out);
        if (pattern.error != SP_OK)
            w->out->error = pattern.error;
        sp_buf_fini(&pattern);
    } else {
        write(w, " =~ `" BEFORE_HOST "[^/?#:@](?s:.*)`");
    }
}

/* (span.A has a text || span.B has one ...) */
static void write_any(const struct writer *w, const struct sp_graph_name_key *keys, size_t count)
{
    write(w, "(");
    for (size_t i = 0; i < count; i++) {
        write(w, i == 0 ? "" : " || ");
        write_text(w, &keys[i], NULL);
    }
    write(w, ")");
}

static void write_none(const struct writer *w, const struct sp_graph_name_key *keys, size_t count)
{
    write(w, "!");
    write_any(w, keys, count);
}

/* The first of the attributes that has a text has this one: (span.A = text || (!(span.A != "") && (span.B = text))) */
static void write_first(const struct writer *w, const struct sp_graph_name_key *keys, size_t count,
                        struct sp_slice text)
{
    for (size_t i = 0; i < count; i++) {
        write(w, "(");
        write_text(w, &keys[i], &text);
        if (i + 1 == count)
            break;
        write(w, " || (");
        write_none(w, &keys[i], 1);
        write(w, " && ");
    }
    for (size_t i = 1; i < count; i++)
        write(w, "))");
    write(w, ")");
}

/* ---- names ---- */

static const struct sp_graph_name_key *keys_of(enum sp_graph_name_list list, size_t *ret_count)
{
    return sp_graph_name_keys(list, ret_count);
}

static bool is_number(struct sp_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.len > 0;
}

/* The span is of a database: it says its system, or its name. */
static void write_of_database(const struct writer *w)
{
    size_t systems, names;
    const struct sp_graph_name_key *system = keys_of(SP_GRAPH_NAMES_OF_DATABASE_SYSTEMS, &systems);
    const struct sp_graph_name_key *name = keys_of(SP_GRAPH_NAMES_OF_DATABASES, &names);
    write(w, "(");
    write_any(w, system, systems);
    write(w, " || ");
    write_any(w, name + 1, names - 1);
    write(w, ")");
}

/* Somebody's own word; else the name; in place of a number, or of none, the system, if there is one. */
static void write_database(const struct writer *w)
{
    size_t systems, names;
    const struct sp_graph_name_key *system = keys_of(SP_GRAPH_NAMES_OF_DATABASE_SYSTEMS, &systems);
    const struct sp_graph_name_key *own = keys_of(SP_GRAPH_NAMES_OF_DATABASES, &names),
                                   *name = own + 1;
    names--;
    write_of_database(w);
    write(w, " && (");
    write_text(w, own, &w->inferred);
    write(w, " || (");
    write_none(w, own, 1);
    write(w, " && (");
    write(w, "(");
    if (is_number(w->inferred)) {
        write_none(w, system, systems);
        write(w, " && ");
    }
    write_first(w, name, names, w->inferred);
    write(w, ") || (");
    for (size_t i = 0; i < names; i++) {
        sp_buf_printf(w->out, "(span.%s =~ \"[0-9]+\" || (", name[i].key);
        write_none(w, &name[i], 1);
        write(w, i + 1 < names ? " && " : "))");
    }
    for (size_t i = 1; i < names; i++)
        write(w, "))");
    write(w, " && ");
    write_first(w, system, systems, w->inferred);
    write(w, ")");
    write(w, ")))");
}

static void write_peer(const struct writer *w)
{
    size_t count;
    const struct sp_graph_name_key *keys = keys_of(SP_GRAPH_NAMES_OF_PEERS, &count);
    if (sp_slice_equal_cstr(w->inferred, "unknown")) {
        write(w, "(");
        write_none(w, keys, count);
        write(w, " || ");
    }
    write_first(w, keys, count, w->inferred);
    if (sp_slice_equal_cstr(w->inferred, "unknown"))
        write(w, ")");
}

/* The name of the destination, or what stands for many like it. */
static void write_destination(const struct writer *w, const struct sp_graph_name_key *names,
                              size_t count, struct sp_slice text)
{
    size_t templates;
    const struct sp_graph_name_key *template = keys_of(SP_GRAPH_NAMES_OF_TEMPLATES, &templates);
    write_first(w, template, templates, text);
    write(w, " || (");
    write_none(w, template, templates);
    write(w, " && ");
    write_first(w, names, count, text);
    write(w, ")");
}

/* Where " (" of "orders (kafka)" stands; 0: the name is no such pair. */
static size_t find_system(struct sp_slice name)
{
    size_t at = name.len > 0 && name.ptr[name.len - 1] == ')' ? name.len - 1 : 0;
    while (at > 0 && memcmp(name.ptr + at, " (", 2) != 0)
        at--;
    return at;
}

/* Somebody's own word; else "orders (kafka)". A name that is no such pair is the one of both that is known, or else what any peer is called by. */
static void write_broker(const struct writer *w)
{
    size_t count, templates, pair = find_system(w->inferred);
    const struct sp_graph_name_key *own = keys_of(SP_GRAPH_NAMES_OF_BROKERS, &count),
                                   *system = own + 1, *names = own + 2;
    const struct sp_graph_name_key *template = keys_of(SP_GRAPH_NAMES_OF_TEMPLATES, &templates);
    write(w, "(");
    write_text(w, own, &w->inferred);
    write(w, " || (");
    write_none(w, own, 1);
    write(w, " && ");
    if (pair > 0) {
        struct sp_slice text = sp_slice_sub(w->inferred, pair + 2, w->inferred.len - pair - 3);
        write_text(w, system, &text);
        write(w, " && (");
        write_destination(w, names, count - 2, sp_slice_sub(w->inferred, 0, pair));
        write(w, ")))");
        return;
    }
    write(w, "((");
    write_none(w, system, 1);
    write(w, " && (");
    write_destination(w, names, count - 2, w->inferred);
    write(w, ")) || (");
    write_none(w, template, templates);
    write(w, " && ");
    write_none(w, names, count - 2);
    write(w, " && (");
    write_text(w, system, &w->inferred);
    write(w, " || (");
    write_none(w, system, 1);
    write(w, " && ");
    write_peer(w);
    write(w, "))))))");
}

/* ---- calls ---- */

static void write_service(const struct writer *w, struct sp_slice name)
{
    write(w, "service = ");
    sp_traceql_print_string(name, w->out);
}

/* { caller } > { called }: of a service to itself only what calls out is a call. */
static void write_pair(const struct writer *w, const char *kind, const char *kind_to_others,
                       const char *kind_to_itself)
{
    bool itself = sp_slice_equal(w->client, w->server);
    write(w, "{ ");
    write_service(w, w->client);
    write(w, itself ? kind_to_itself : kind_to_others);
    write(w, " } > { ");
    write_service(w, w->server);
    sp_buf_printf(w->out, " && kind = %s }", kind);
}

/* Calls that nothing has answered, and that are not around another call: then that one counts. */
static void write_half(const struct writer *w, unsigned way)
{
    size_t count;
    const struct sp_graph_name_key *brokers = keys_of(SP_GRAPH_NAMES_OF_BROKERS, &count);
    write(w, "{ kind = server || kind = consumer } !< { ");
    write_service(w, w->client);
    write(w, " && ");
    if (way == SP_GRAPH_WAY_TO_DATABASE) {
        write(w, "kind = client && ");
        write_database(w);
    } else if (way == SP_GRAPH_WAY_TO_BROKER) {
        write(w, "(kind = producer || (kind = client && !");
        write_of_database(w);
        write(w, " && ");
        write_any(w, brokers + 1, 1);
        write(w, ")) && ");
        write_broker(w);
    } else {
        write(w, "kind = client && !");
        write_of_database(w);
        write(w, " && ");
        write_none(w, brokers + 1, 1);
        write(w, " && ");
        write_peer(w);
    }
    write(w, " } without { ");
    write_service(w, w->client);
    write(w, " && (kind = client || kind = producer) }");
}

static void write_way(const struct writer *w, unsigned way)
{
    switch (way) {
    case SP_GRAPH_WAY_DIRECT:
        write_pair(w, "server", " && kind != producer", " && kind = client");
        break;
    case SP_GRAPH_WAY_MESSAGE:
        write(w, "(");
        write_pair(w, "consumer", "", " && (kind = client || kind = producer)");
        write(w, ") || (");
        write_pair(w, "server", " && kind = producer", " && kind = producer");
        write(w, ")");
        break;
    case SP_GRAPH_WAY_FROM_NOBODY:
    case SP_GRAPH_WAY_FROM_BROKER:
        write(w, "{ ");
        write_service(w, w->server);
        write(w, way == SP_GRAPH_WAY_FROM_BROKER ? " && kind = consumer" : " && kind = server");
        write(w, " && span:parentID = nil");
        if (way == SP_GRAPH_WAY_FROM_BROKER) {
            write(w, " && ");
            write_broker(w);
        }
        write(w, " }");
        break;
    default:
        write_half(w, way);
    }
}

/* The name of a broker stands for all temporary destinations, or for all that begin so. */
static bool is_of_many(struct sp_slice name)
{
    bool cut = false;
    for (size_t i = 0; i + 3 <= name.len && !cut; i++)
        cut = memcmp(name.ptr + i, "\xe2\x80\xa6", 3) == 0;
    return cut || sp_slice_starts_with(name, SP_SLICE("(temporary)"));
}

void sp_graph_condition(struct sp_slice client, struct sp_slice server, unsigned ways,
                        struct sp_buf *out)
{
    const unsigned of_client = SP_GRAPH_WAY_FROM_BROKER | SP_GRAPH_WAY_FROM_NOBODY;
    const unsigned of_brokers = SP_GRAPH_WAY_TO_BROKER | SP_GRAPH_WAY_FROM_BROKER;
    struct writer w = {.out = out, .client = client, .server = server};
    bool begun = false;
    if (ways & SP_GRAPH_WAY_LINK)
        return;
    for (unsigned way = 1; way <= ways; way <<= 1) {
        if (!(ways & way))
            continue;
        w.inferred = way & of_client ? client : server;
        if (way & of_brokers && is_of_many(w.inferred)) {
            sp_buf_reset(out);
            return;
        }
        bool several = (ways & (ways - 1)) != 0;
        write(&w, begun ? " || " : "");
        write(&w, several ? "(" : "");
        write_way(&w, way);
        write(&w, several ? ")" : "");
        begun = true;
    }
}
