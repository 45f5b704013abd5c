/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/checksum.h: tells whether bytes are those that were written. The same on every machine and for ever: it stands on
 * disk. No protection against somebody who wants two texts to have the same. */
#pragma once

#include "lib/base/slice.h"

/* XXH3, 64 bits, with a seed. */
uint64_t sp_checksum(struct sp_slice bytes, uint64_t seed);
