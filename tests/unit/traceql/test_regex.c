/* SPDX-License-Identifier: Apache-2.0
 *
 * Regular expressions: RE2's syntax and meaning, anchored at both ends, within limits. */
#include "lib/traceql/traceql.h"
#include "tests/support/check_main.h"

static const struct {
    const char *pattern, *subject;
    bool matches;
} cases[] = {
    /* anchored at both ends */
    {"abc", "abc", true},
    {"abc", "abcd", false},
    {"abc", "xabc", false},
    {"", "", true},
    {"", "x", false},
    {"a|ab", "ab", true},
    {"a|b", "b", true},
    {"a|b", "ab", false},
    {".*b.*", "abc", true},
    {"abc", "abc\n", false},
    {"abc$", "abc\n", false},
    {"^abc$", "abc", true},
    {"a$b", "ab", false},
    /* characters and classes */
    {".", "\n", false},
    {".", "\r", true},
    {"(?s).", "\n", true},
    {".", "\xc3\xa9", true},
    {"..", "\xc3\xa9", false},
    {"[a-c]+", "abcabc", true},
    {"[^a-c]+", "xyz", true},
    {"[]a]+", "]a", true},
    {"[[:alpha:]]+", "abC", true},
    {"[[:^digit:]]", "x", true},
    {"[[.a]+", "[.a", true},
    {"[a[]", "[", true},
    {"\\d\\D\\w\\W\\s\\S", "1xa x", false},
    {"\\d\\D\\w\\W\\s\\S", "1xa- x", true},
    {"\\d", "\xd9\xa1", false}, /* digits are ASCII */
    {"\\s", "\v", false},       /* the vertical tab is no white space to RE2 */
    {"[\\s]", "\v", false},
    {"[\\S]", "\v", true},
    {"[^\\S]", " ", true},
    {"[^\\S]", "\v", false},
    {"\\b*a^?$+\\B{0}", "a", true},
    {"\\v", "\v", true},
    {"\\v", "\n", false},
    {"\\a\\f\\t\\n\\r", "\a\f\t\n\r", true},
    {"\\x41\\x{42}\\103", "ABC", true},
    {"\\x{1F600}", "\xf0\x9f\x98\x80", true},
    {"\\0", "0", false},
    {"\\pL+", "a\xc3\xa9", true},
    {"\\p{Greek}", "\xce\xb1", true},
    {"\\P{Greek}", "a", true},
    {"\\.\\*\\/\\-\\_", ".*/-_", true},
    {"\\Qa.b*\\E+", "a.b***", true},
    {"\\Qa.b", "a.b", true},
    /* repetitions */
    {"a{2}", "aa", true},
    {"a{2,}", "aaaa", true},
    {"a{2,3}", "aaaa", false},
    {"a{,3}", "a{,3}", true}, /* no repetition: itself */
    {"a{x}", "a{x}", true},
    {"{", "{", true},
    {"a+?b*?c??", "aab", true},
    {"(?:a*)*", "aaa", true},
    /* groups and flags */
    {"(a)(?:b)(?P<name>c)(?<other>d)", "abcd", true},
    {"(?i)AbC", "aBc", true},
    {"(?i:a)b", "Ab", true},
    {"(?i:a)b", "AB", false},
    {"(?i)\xc3\x89", "\xc3\xa9", true},
    {"(?m)a$\n^b", "a\nb", true},
    {"(?U)a+", "aaa", true},
    {"(?i-s:a.)", "Ab", true},
    {"\\bab\\b", "ab", true},
    {"\\Aab\\z", "ab", true},
    /* subjects that are not UTF-8 match nothing */
    {".*", "\xff", false},
};

START_TEST(regex_matches_as_re2_does)
{
    struct sp_regex *regex;
    struct sp_error error = {0};
    bool matched = false;
    enum sp_status status = sp_regex_compile(sp_slice_cstr(cases[_i].pattern), &regex, &error);
    ck_assert_msg(status == SP_OK, "%s: %s", cases[_i].pattern, error.message);
    ck_assert_int_eq(sp_regex_match(regex, sp_slice_cstr(cases[_i].subject), &matched), SP_OK);
    ck_assert_msg(matched == cases[_i].matches, "%s against %s: expected %d", cases[_i].pattern,
                  cases[_i].subject, cases[_i].matches);
    sp_regex_free(regex);
}
END_TEST

#define SOMEWHERE UINT64_MAX /* PCRE2 itself refuses it, and its versions name different places */

static const struct {
    const char *pattern;
    uint64_t offset;
} refused[] = {
    {"(", 1},
    {")", 0},
    {"a)", 1},
    {"[a", 0},
    {"a[", 1},
    {"*", 0},
    {"+a", 0},
    {"a|*", 2},
    {"(?:*)", 3},
    {"(*UTF)a", 1},
    {"a**", 2},
    {"a*+", 2},
    {"a++", 2},
    {"a?+", 2},
    {"a{2}{3}", 4},
    {"a{2}*", 4},
    {"a{1001}", 1},
    {"a{3,2}", 1},
    {"a(?=b)", 1},
    {"a(?!b)", 1},
    {"(?<=a)b", 0},
    {"(?<!a)b", 0},
    {"(?>a)", 0},
    {"(?|a)", 0},
    {"(?R)", 0},
    {"(?1)", 0},
    {"(?&n)", 0},
    {"(?(1)a|b)", 0},
    {"(?#c)", 0},
    {"(?P=n)", 0},
    {"(?P>n)", 0},
    {"(?x)a", 0},
    {"(?^)a", 0},
    {"(?C)", 0},
    {"(a)\\1", 3},
    {"\\g1", 0},
    {"\\k<n>", 0},
    {"\\K", 0},
    {"\\R", 0},
    {"\\X", 0},
    {"\\h", 0},
    {"\\N", 0},
    {"\\G", 0},
    {"\\Z", 0},
    {"\\C", 0},
    {"\\e", 0},
    {"\\cA", 0},
    {"\\o{1}", 0},
    {"\\u0041", 0},
    {"a\\", 1},
    {"\\x", 0},
    {"\\x4", 0},
    {"\\x{", 0},
    {"\\x{}", 0},
    {"\\x{110000}", SOMEWHERE},
    {"\\p", 0},
    {"\\p{", 0},
    {"\\p{Nope}", SOMEWHERE},
    {"\\\xc3\xa9", 0},
    {"\xff", 0},
    {"(?P<n>a)(?P<n>b)", SOMEWHERE},
    {"[b-a]", SOMEWHERE},
};

START_TEST(regex_refuses_what_re2_does_not_have)
{
    struct sp_regex *regex;
    struct sp_error error = {0};
    enum sp_status status = sp_regex_compile(sp_slice_cstr(refused[_i].pattern), &regex, &error);
    ck_assert_msg(status == SP_INVALID_ARGUMENT, "%s was taken", refused[_i].pattern);
    bool right_place = refused[_i].offset == SOMEWHERE ? error.offset <= strlen(refused[_i].pattern)
                                                       : error.offset == refused[_i].offset;
    ck_assert_msg(right_place, "%s: expected %lu, got %lu (%s)", refused[_i].pattern,
                  (unsigned long)refused[_i].offset, (unsigned long)error.offset, error.message);
    ck_assert_int_ne(error.message[0], '\0');
}
END_TEST

START_TEST(regex_that_would_run_away_reaches_its_limit)
{
    static const char *const patterns[] = {"(a*)*b", "(?:a|aa)+b", "(?:a?){20}a{20}b"};
    struct sp_regex *regex;
    struct sp_error error = {0};
    bool matched = true;
    char subject[60];
    memset(subject, 'a', sizeof subject);
    for (size_t i = 0; i < SP_ARRAY_LEN(patterns); i++) {
        ck_assert_int_eq(sp_regex_compile(sp_slice_cstr(patterns[i]), &regex, &error), SP_OK);
        enum sp_status status =
            sp_regex_match(regex, sp_slice_make(subject, sizeof subject), &matched);
        /* PCRE2 may see at once that there is no b; whatever it does, it must end. */
        ck_assert(status == SP_LIMIT || (status == SP_OK && !matched));
        sp_regex_free(regex);
    }
    ck_assert_int_eq(sp_regex_compile(SP_SLICE("(?:(?:a|b|ab)*)*[cd]e?"), &regex, &error), SP_OK);
    for (size_t i = 0; i < sizeof subject; i++)
        subject[i] = i % 2 ? 'b' : 'a';
    subject[sizeof subject - 1] = 'f';
    ck_assert_int_eq(sp_regex_match(regex, sp_slice_make(subject, sizeof subject), &matched),
                     SP_LIMIT);
    sp_regex_free(regex);
}
END_TEST

START_TEST(regex_that_is_too_large_is_refused)
{
    struct sp_regex *regex;
    struct sp_error error = {0};
    char pattern[SP_REGEX_PATTERN_BYTES_MAX + 1];
    memset(pattern, 'a', sizeof pattern);
    ck_assert_int_eq(
        sp_regex_compile(sp_slice_make(pattern, SP_REGEX_PATTERN_BYTES_MAX), &regex, &error),
        SP_OK);
    sp_regex_free(regex);
    ck_assert_int_eq(sp_regex_compile(sp_slice_make(pattern, sizeof pattern), &regex, &error),
                     SP_LIMIT);
    ck_assert_int_eq(sp_regex_compile(SP_SLICE("((a{1000}){1000}){1000}"), &regex, &error),
                     SP_LIMIT);
    memset(pattern, '(', 2000);
    memset(pattern + 2000, ')', 2000);
    ck_assert_int_ne(sp_regex_compile(sp_slice_make(pattern, 4000), &regex, &error), SP_OK);
    sp_regex_free(NULL);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("traceql_regex");
    TCase *tcase = tcase_create("regex");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, regex_matches_as_re2_does, 0, (int)SP_ARRAY_LEN(cases));
    tcase_add_loop_test(tcase, regex_refuses_what_re2_does_not_have, 0, (int)SP_ARRAY_LEN(refused));
    tcase_add_test(tcase, regex_that_would_run_away_reaches_its_limit);
    tcase_add_test(tcase, regex_that_is_too_large_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
