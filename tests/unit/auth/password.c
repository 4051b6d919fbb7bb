/* SPDX-License-Identifier: GPL-3.0-or-later */
/* password.c - which passwords are taken, what is stored, and that names that do not exist cost the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "auth/auth_priv.h"

static void policy(void **state)
{
	static const struct {
		const char *name, *password;
		bool good;
	} cases[] = {
		{ "anna", "a horse eats staples", true }, { "anna", "kT7#qx9Lm2", true }, { "anna", "short1!", false }, { "anna", "123456789", false },
		{ "anna", "ninechars", false }, { "anna", "tenchars.x", true },
		/* ten characters, though more bytes */
		{ "anna", "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa4\xc3\xb6xyzw", true }, { "anna", "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa4", false },
		{ "anna", "password123!", false }, { "anna", "Passwort2026", false }, { "anna", "1234567890", false }, { "anna", "aaaaaaaaaaaa", false },
		{ "anna", "abababababab", false }, { "anna", "qwertyuiop12", false }, { "anna", "Holdfast2026!", false }, { "anna", "Administrator1", false },
		{ "anna", "my ANNA is nice", false }, { "bo", "robotic arms", true }, { "anna", "", false },
	};
	char why[200], *long_one = calloc(1, 400);
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		why[0] = '\0';
		int r = auth_password_check(cases[i].name, cases[i].password, why, sizeof(why));
		if ((r == 0) != cases[i].good || (r && !*why))
			fail_msg("%s: %d %s", cases[i].password, r, why);
	}
	for (int i = 0; i < 300; i++)
		long_one[i] = (char)('a' + i % 26);
	assert_int_equal(auth_password_check("anna", long_one, why, sizeof(why)), -EINVAL);
	free(long_one);
}

static void hashes(void **state)
{
	char *a = NULL, *b = NULL;
	(void)state;
	assert_int_equal(auth_password_hash("a horse eats staples", &a), 0);
	assert_int_equal(auth_password_hash("a horse eats staples", &b), 0);
	assert_memory_equal(a, "$y$", 3);
	assert_string_not_equal(a, b);
	assert_int_equal(password_verify("a horse eats staples", a), 0);
	assert_int_equal(password_verify("a horse eats staples", b), 0);
	assert_int_equal(password_verify("a horse eats staple", a), -EACCES);
	assert_int_equal(password_verify("", a), -EACCES);
	assert_int_equal(password_verify("x", "no hash at all"), -ENOMEM);
	assert_int_equal(password_verify("x", NULL), -EACCES);
	free(a);
	free(b);
}

static double cpu_ms(const char *hash)
{
	struct timespec a, b;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	(void)password_verify("a horse eats staples", hash);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	return (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
}

/* Whoever has no hash is checked against one of the same cost: within a factor, by the CPU's clock. */
static void nobody_costs_the_same(void **state)
{
	char *hash = NULL;
	double with = 0, without = 0;
	(void)state;
	assert_int_equal(auth_password_hash("another one here", &hash), 0);
	for (int i = 0; i < 5; i++) {
		with += cpu_ms(hash);
		without += cpu_ms(NULL);
	}
	if (with > 3 * without || without > 3 * with)
		fail_msg("%.1f ms with a hash, %.1f ms without", with, without);
	free(hash);
}

static _Atomic(unsigned) done, busy;
static void *one(void *arg)
{
	char *hash = NULL;
	(void)arg;
	if (auth_password_hash("a horse eats staples", &hash) == -EBUSY)
		atomic_fetch_add(&busy, 1);
	else
		atomic_fetch_add(&done, 1);
	free(hash);
	return NULL;
}

/* Two at once and two that wait; the rest is told so at once. */
static void places(void **state)
{
	pthread_t t[16];
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, one, NULL), 0);
	for (size_t i = 0; i < ARRAY_COUNT(t); i++)
		pthread_join(t[i], NULL);
	assert_int_equal(atomic_load(&done) + atomic_load(&busy), ARRAY_COUNT(t));
	assert_true(atomic_load(&done) >= 4);
	/* The places are free again. */
	atomic_store(&done, 0);
	one(NULL);
	assert_int_equal(atomic_load(&done), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policy), cmocka_unit_test(hashes), cmocka_unit_test(nobody_costs_the_same), cmocka_unit_test(places),
	};
	return cmocka_run_group_tests_name("auth/password", tests, NULL, NULL);
}
