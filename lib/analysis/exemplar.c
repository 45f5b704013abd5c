/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/exemplar.c: which span stands for many. A total order, so that any order and grouping finds the same one. */
#include "lib/analysis/analysis.h"

void sp_span_exemplar_offer(struct sp_span_exemplar *exemplar, const struct sp_span_exemplar *other)
{
    if (sp_trace_id_is_zero(&other->trace_id))
        return;
    int order =
        (other->duration_ns < exemplar->duration_ns) - (other->duration_ns > exemplar->duration_ns);
    if (order == 0)
        order = sp_trace_id_compare(&other->trace_id, &exemplar->trace_id);
    if (order == 0)
        order = sp_span_id_compare(&other->span_id, &exemplar->span_id);
    if (order < 0 || sp_trace_id_is_zero(&exemplar->trace_id))
        *exemplar = *other;
}

void sp_span_exemplars_merge(struct sp_span_exemplars *into, const struct sp_span_exemplars *from)
{
    sp_span_exemplar_offer(&into->slowest, &from->slowest);
    sp_span_exemplar_offer(&into->failed, &from->failed);
}
