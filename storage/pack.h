/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/pack.h: values, attribute lists, resources and scopes as bytes, for columns that hold whole values and as keys of
 * what is equal. Internal to storage/. Knows neither blocks nor disks.
 *
 * A value: its kind as a byte, then BOOL a byte, INT and DOUBLE 8 bytes little endian, STRING and BYTES a varint length and the
 * bytes, ARRAY and KVLIST a varint count and the items, each entry of a KVLIST behind its key. Packers append to out (sticky
 * error there). Unpackers copy nothing: texts point into packed.
 * SP_CORRUPT: not what a packer made.   SP_LIMIT: the arena is full. */
#pragma once

#include "lib/model/model.h"

void sp_pack_varint(uint64_t number, struct sp_buf *out);
void sp_pack_text(struct sp_slice text, struct sp_buf *out); /* varint length, bytes */
/* Take what they read off the front of in; false when it is not there: then in is as it was, or shorter. */
SP_MUST_USE bool sp_unpack_varint(struct sp_slice *in, uint64_t *ret);
SP_MUST_USE bool sp_unpack_text(struct sp_slice *in, struct sp_slice *ret);

void sp_value_pack(const struct sp_value *value, struct sp_buf *out);
SP_MUST_USE enum sp_status sp_value_unpack(struct sp_slice packed, struct sp_arena *arena,
                                           struct sp_value *ret);
/* Items [from, count) of a list; dropped is not packed. */
void sp_attributes_pack(const struct sp_attributes *list, uint32_t from, struct sp_buf *out);
SP_MUST_USE enum sp_status sp_attributes_unpack(struct sp_slice packed, struct sp_arena *arena,
                                                const struct sp_attribute **ret_items,
                                                uint32_t *ret_count);
void sp_resource_pack(const struct sp_resource *resource, struct sp_buf *out);
SP_MUST_USE enum sp_status sp_resource_unpack(struct sp_slice packed, struct sp_arena *arena,
                                              struct sp_resource *ret);
void sp_scope_pack(const struct sp_scope *scope, struct sp_buf *out);
SP_MUST_USE enum sp_status sp_scope_unpack(struct sp_slice packed, struct sp_arena *arena,
                                           struct sp_scope *ret);
