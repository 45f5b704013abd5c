/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search_next.c: where the page behind the one that was made begins (struct sp_search_cursor):
 *
 *   the page ended because                  the next one has
 *   it is full, or has all there is         what is behind its last result, in the order of results
 *   time was up, within an order of         what is behind the last place up to which all was looked at
 *     which places are known beforehand
 *   time was up otherwise                   the candidates that were not looked at, in the order of the scan; and of the others what there
 *                                           was no room for
 *   it is such a next one, and has          the same, further on
 *     looked at its part
 *
 * Each trace is told once: a place of the scan says which were looked at, a key which of these were told. */
#include "query/search_run.h"

/* What is behind it has not been told. */
static struct sp_search_key last_told(const struct sp_search *search)
{
    return search->kept_count > 0 ? search->kept[search->kept_count - 1].key : search->cursor.key;
}

/* Behind the last result. */
static bool go_on_in_order(const struct sp_search *search, struct sp_search_cursor *ret)
{
    ret->key = last_told(search);
    return search->more && search->kept_count > 0;
}

/* The first page that goes on in the order of the scan. */
static bool begin_in_scan(const struct sp_search *search, struct sp_search_cursor *ret)
{
    ret->border = search->last;
    if (search->more) /* some of what was looked at had no room: it is looked at again */
        ret->border_key = last_told(search);
    else
        ret->position = search->last;
    return sp_search_is_place(&search->last);
}

/* And those behind it. */
static bool go_on_in_scan(const struct sp_search *search, struct sp_search_cursor *ret)
{
    if (sp_search_is_place(&search->last))
        ret->position = search->last;
    return search->stop != SP_SEARCH_STOP_NONE;
}

bool sp_search_next_cursor(const struct sp_search *search, struct sp_search_cursor *ret)
{
    static const struct sp_search_key none;
    bool out_of_time = search->stop == SP_SEARCH_STOP_TIME;
    *ret = search->cursor;
    ret->range = search->question.scan.range; /* a relative time would have moved */
    if (out_of_time && sp_search_key_compare(&search->ended_behind, &none) != 0) {
        ret->key = search->ended_behind;
        return true;
    }
    if (search->cursor.resumes)
        return go_on_in_scan(search, ret);
    return out_of_time ? begin_in_scan(search, ret) : go_on_in_order(search, ret);
}
