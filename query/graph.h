/* SPDX-License-Identifier: Apache-2.0
 *
 * query/graph.h: the dependency graph as it is shown, and its five formats. Pure: no store, no request. */
#pragma once

#include "lib/analysis/analysis.h"
#include "query/quantiles.h"
#include "storage/storage.h"

struct sp_graph_node {
    struct sp_slice name; /* what edges name it by */
    enum sp_node_type type;
    uint32_t slot;
    uint64_t calls, errors; /* of the edges that lead to it, but for those of links */
    uint32_t distance;      /* edges from the focus; UINT32_MAX: not reached */
};

/* What became of the links of consumers: seen is the sum of all behind it. */
struct sp_graph_links {
    uint64_t seen;          /* each consumer's to one span once */
    uint64_t resolved;      /* calls */
    uint64_t same_trace;    /* of which the sums of the store know */
    uint64_t not_found;     /* no such span is stored */
    uint64_t other_kind;    /* it is neither producer nor client */
    uint64_t not_looked_up; /* time was up */
    bool complete;          /* false: time was up, and there may be links that were not seen */
    uint64_t trace_count;   /* that were read */
    struct sp_scanned scanned;
};

/* Durations of all calls of an edge, ascending. */
struct sp_graph_durations {
    const uint64_t *values;
    size_t count;
};

/* Edges, sorted as the store gives them, and by their number the durations of the calling and of the called spans. */
struct sp_graph_exact {
    struct sp_graph_edge *edges;
    size_t edge_count;
    struct {
        struct sp_graph_durations sides[2];
    } * durations;
    struct sp_scanned scanned; /* for all of that */
};

struct sp_graph_view {
    struct sp_graph_node *nodes; /* sorted by name */
    size_t node_count;
    const struct sp_graph_edge **edges; /* sorted by client, server, type */
    size_t edge_count;
    struct sp_time_range range; /* whole minutes, as documents name it */
    struct sp_slice focus;      /* "": everything */
    uint64_t hops;
    const struct sp_query_quantile *quantiles; /* that JSON has besides the four of all formats */
    size_t quantile_count;
    const struct sp_graph_links *links; /* NULL: not asked for */
    /* NULL, or whose edges these are: JSON has exact quantiles */
    const struct sp_graph_exact *exact;
};

/* Nodes of the edges, and the services that called nobody and that nobody called.
 *
 * edges, services  borrowed, sorted as the store gives them; the view points into them.
 * focus, hops      only what is within hops edges of that service, in either direction; "": everything.
 * SP_LIMIT  the arena is full. */
SP_MUST_USE enum sp_status sp_graph_view_make(struct sp_arena *arena,
                                              const struct sp_graph_edge *edges, size_t edge_count,
                                              const struct sp_service_row *services,
                                              size_t service_count, struct sp_time_range range,
                                              struct sp_slice focus, uint64_t hops,
                                              struct sp_graph_view *ret);

/* Each appends one whole document, CSV one table: of the edges, or of the nodes; errors stick in out. The same view gives the same bytes. Names are untrusted: every
 * format escapes them by its own rules. */
void sp_graph_write_json(const struct sp_graph_view *view, struct sp_buf *out);
void sp_graph_write_dot(const struct sp_graph_view *view, struct sp_buf *out);
void sp_graph_write_graphml(const struct sp_graph_view *view, struct sp_buf *out);
void sp_graph_write_csv(const struct sp_graph_view *view, struct sp_buf *out);
void sp_graph_write_csv_nodes(const struct sp_graph_view *view, struct sp_buf *out);
void sp_graph_write_mermaid(const struct sp_graph_view *view, struct sp_buf *out);

/* ---- in query/graph_links_write.c: the counts of links, in each format; nothing where links is NULL ---- */

void sp_graph_links_json(struct sp_json_writer *w, const char *key,
                         const struct sp_graph_links *links);
void sp_graph_links_dot(const struct sp_graph_links *links, struct sp_buf *out);
void sp_graph_links_graphml_keys(const struct sp_graph_links *links, struct sp_buf *out);
void sp_graph_links_graphml(const struct sp_graph_links *links, struct sp_buf *out);
void sp_graph_links_csv_names(const struct sp_graph_links *links, struct sp_buf *out);
void sp_graph_links_csv(const struct sp_graph_links *links, struct sp_buf *out);
void sp_graph_links_mermaid(const struct sp_graph_links *links, struct sp_buf *out);

/* Row of a node by name; SIZE_MAX when there is none. */
size_t sp_graph_view_find(const struct sp_graph_view *view, struct sp_slice name);
