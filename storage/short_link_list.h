/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/short_link_list.h: the links of a store, in memory: what both engines answer from. Internal to storage/. Locks nothing. */
#pragma once

#include "storage/storage.h"
#include "storage/vector.h"

struct sp_short_link_kept {
    struct sp_short_link link;
    uint8_t *state; /* heap; the list's */
};

struct sp_short_link_list {
    SP_VECTOR(struct sp_short_link_kept) links; /* in any order */
    size_t bytes;                               /* of all states */
};

void sp_short_link_list_fini(struct sp_short_link_list *list); /* leaves an empty one */

/* SP_INVALID_ARGUMENT, SP_LIMIT: no list takes such a state. */
SP_MUST_USE enum sp_status sp_short_link_check(struct sp_slice state, struct sp_error *reterr);

/* Is it one that the state could have? */
bool sp_short_link_is_of(uint64_t id, struct sp_slice state);

/* The id that a state has (*ret_known), or would get. SP_LIMIT: there is no room for one more, or others have all that it could get. */
SP_MUST_USE enum sp_status sp_short_link_list_choose(const struct sp_short_link_list *list,
                                                     struct sp_slice state, uint64_t *ret_id,
                                                     bool *ret_known, struct sp_error *reterr);
/* Copies the state, whatever room there is, to an id that the list does not have. SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_short_link_list_add(struct sp_short_link_list *list, uint64_t id,
                                                  uint64_t made_unix_ns, struct sp_slice state,
                                                  struct sp_error *reterr);
/* SP_NOT_FOUND: it does not have that one. */
SP_MUST_USE enum sp_status sp_short_link_list_check_has(const struct sp_short_link_list *list,
                                                        uint64_t id, struct sp_error *reterr);
void sp_short_link_list_remove(struct sp_short_link_list *list,
                               uint64_t id); /* of one that it has */

/* As sp_store_short_link and sp_store_short_links. */
SP_MUST_USE enum sp_status sp_short_link_list_read(const struct sp_short_link_list *list,
                                                   uint64_t id, struct sp_arena *arena,
                                                   struct sp_slice *ret_state,
                                                   struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_short_link_list_copy(const struct sp_short_link_list *list,
                                                   struct sp_arena *arena,
                                                   struct sp_short_links *ret,
                                                   struct sp_error *reterr);
