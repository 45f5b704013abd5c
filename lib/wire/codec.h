/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/wire/codec.h: gzip, behind two functions. Private to lib/wire; contracts as sp_decompress and sp_compress of
 * wire.h. */
#pragma once

#include "lib/base/base.h"

SP_MUST_USE enum sp_status sp_gzip_decompress(struct sp_slice in, struct sp_buf *out,
                                              struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_gzip_compress(struct sp_slice in, int level, struct sp_buf *out);

/* The ceiling of out was reached, or there is no memory: the same words for every encoding. */
enum sp_status sp_decompress_no_room(const struct sp_buf *out, struct sp_error *reterr);
