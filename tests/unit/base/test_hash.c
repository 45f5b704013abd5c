/* SPDX-License-Identifier: Apache-2.0
 *
 * Places of keys in tables: who does not know the seed cannot choose keys that have one place. */
#include <stdio.h>

#include "lib/base/base.h"
#include "tests/support/check_main.h"

#define KEYS  4096u
#define SLOTS 1024u

static uint64_t id_place(uint64_t seed, uint64_t key)
{
    return sp_hash_id(seed, key) % SLOTS;
}

static uint64_t text_place(uint64_t seed, uint64_t key)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "key %llu", (unsigned long long)key);
    return sp_hash(seed, sp_slice_make(text, (size_t)len)) % SLOTS;
}

static uint64_t (*const places[])(uint64_t seed, uint64_t key) = {id_place, text_place};

/* Four keys a place are to be expected. */
START_TEST(keys_that_fall_together_with_one_seed_do_not_with_others)
{
    static uint64_t keys[KEYS];
    uint64_t key = 0;
    for (uint32_t found = 0; found < KEYS; key++)
        if (places[_i](1, key) == 0)
            keys[found++] = key;
    for (uint64_t seed = 2; seed < 64; seed++) {
        uint32_t counts[SLOTS] = {0};
        for (uint32_t i = 0; i < KEYS; i++) {
            uint32_t *count = &counts[places[_i](seed * UINT64_C(0x0123456789abcdef), keys[i])];
            ck_assert_uint_le(++*count, 32);
        }
    }
}
END_TEST

START_TEST(seeds_differ)
{
    uint64_t seed = sp_hash_seed();
    ck_assert(seed != sp_hash_seed() && seed != sp_hash_seed());
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("hash");
    TCase *tcase = tcase_create("places");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, keys_that_fall_together_with_one_seed_do_not_with_others, 0,
                        SP_ARRAY_LEN(places));
    tcase_add_test(tcase, seeds_differ);
    suite_add_tcase(suite, tcase);
    return suite;
}
