/* SPDX-License-Identifier: GPL-3.0-or-later */
/* totp.c - codes as RFC 6238 and RFC 4648 give them; a code and a recovery code work once. */
#include "store.h"

/* RFC 6238 appendix B, SHA-1, last six of the eight digits. */
static void vectors(void **state)
{
	static const struct {
		int64_t at;
		const char *code;
	} cases[] = {
		{ 59, "287082" }, { 1111111109, "081804" }, { 1111111111, "050471" }, { 1234567890, "005924" }, { 2000000000, "279037" }, { 20000000000, "353130" },
	};
	static const uint8_t secret[] = "12345678901234567890";
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char code[7];
		uint64_t counter = 0;
		assert_int_equal(totp_code(secret, 20, (uint64_t)cases[i].at / 30, code), 0);
		assert_string_equal(code, cases[i].code);
		assert_int_equal(totp_match(secret, 20, cases[i].code, cases[i].at, 0, &counter), 0);
		assert_int_equal(counter, cases[i].at / 30);
		assert_int_equal(totp_match(secret, 20, cases[i].code, cases[i].at + 30, 0, &counter), 0);
		assert_int_equal(totp_match(secret, 20, cases[i].code, cases[i].at + 90, 0, &counter), -EACCES);
		assert_int_equal(totp_match(secret, 20, cases[i].code, cases[i].at, counter, &counter), -EACCES); /* used */
	}
	static const char *const wrong[] = { "", "28708", "2870822", "28708a", "-87082", "287 08", "２８７０８２" };
	uint64_t counter;
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
		assert_int_equal(totp_match(secret, 20, wrong[i], 59, 0, &counter), -EACCES);
	assert_int_equal(totp_match(secret, 20, "287 082", 59, 0, &counter), 0);
}

/* RFC 4648 10, without the padding. */
static void base32(void **state)
{
	static const struct {
		const char *plain, *text;
	} cases[] = { { "", "" }, { "f", "MY" }, { "fo", "MZXQ" }, { "foo", "MZXW6" }, { "foob", "MZXW6YQ" }, { "fooba", "MZXW6YTB" }, { "foobar", "MZXW6YTBOI" } };
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char text[32];
		uint8_t back[32];
		size_t len;
		base32_write((const uint8_t *)cases[i].plain, strlen(cases[i].plain), text);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(base32_read(text, back, sizeof(back), &len), 0);
		assert_int_equal(len, strlen(cases[i].plain));
		assert_memory_equal(back, cases[i].plain, len);
	}
	uint8_t out[4];
	size_t len;
	assert_int_equal(base32_read("MZXW6YTBOI", out, sizeof(out), &len), -EINVAL);
	assert_int_equal(base32_read("M1", out, sizeof(out), &len), -EINVAL);
}

static enum auth_result try(const char *code, const char *recovery)
{
	struct auth_caller who = { .actor = "nobody", .source = "test" };
	struct auth_session s = { .cookie = "" };
	enum auth_result r = auth_login(&(struct auth_attempt){ "anna", PASSWORD, code, recovery }, &who, &s);
	json_decref(s.account);
	return r;
}

static void once(void **state)
{
	char id[CONFIG_ID_BYTES], code[7];
	struct auth_caller who = { .actor = "anna", .source = "test", .account = "anna" };
	struct auth_session s = { .cookie = "" };
	struct config_error e = { 0 };
	uint8_t secret[32];
	json_t *codes = NULL;
	size_t len;
	(void)state;
	store_account("anna", "admin", id);
	assert_int_equal(auth_login(&(struct auth_attempt){ .name = "anna", .password = PASSWORD }, &who, &s), AUTH_DONE);
	json_decref(s.account);
	snprintf(who.account_id, sizeof(who.account_id), "%s", id);
	struct auth_credentials cred = { .method = "GET" };
	char header[100], why[200];
	snprintf(header, sizeof(header), "__Host-sid=%s", s.cookie);
	cred.cookie = header;
	assert_int_equal(auth_identify(&cred, &who, why, sizeof(why)), 0);
	assert_int_equal(who.via, AUTH_VIA_COOKIE);
	assert_int_equal(auth_totp_confirm("000000", &who, &codes, &e), -ENOENT); /* nothing begun */
	json_t *begun = auth_totp_begin(&who);
	assert_non_null(begun);
	assert_non_null(strstr(json_string_value(json_object_get(begun, "uri")), "otpauth://totp/Holdfast:anna@"));
	assert_int_equal(base32_read(json_string_value(json_object_get(begun, "secret")), secret, sizeof(secret), &len), 0);
	assert_int_equal(len, 20);
	assert_int_equal(try(NULL, NULL), AUTH_DONE);      /* not in force yet */
	assert_int_equal(auth_totp_confirm("000000", &who, &codes, &e), -EACCES);
	totp_code(secret, len, (uint64_t)store_now / 30, code);
	assert_int_equal(auth_totp_confirm(code, &who, &codes, &e), 0);
	assert_int_equal(json_array_size(codes), RECOVERY_CODES);
	assert_int_equal(try(NULL, NULL), AUTH_NEEDS_TOTP);
	assert_int_equal(try(code, NULL), AUTH_WRONG);     /* the one that confirmed it is used */
	store_now += 30;
	totp_code(secret, len, (uint64_t)store_now / 30, code);
	assert_int_equal(try(code, NULL), AUTH_DONE);
	assert_int_equal(try(code, NULL), AUTH_WRONG);
	store_now += 60;
	/* Recovery codes: each once, in any shape. */
	const char *first = json_string_value(json_array_get(codes, 0)), *last = json_string_value(json_array_get(codes, 9));
	char loose[40];
	snprintf(loose, sizeof(loose), " %s ", last);
	for (char *p = loose; *p; p++)
		*p = *p == '-' ? ' ' : (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
	assert_int_equal(try(NULL, first), AUTH_DONE);
	assert_int_equal(try(NULL, first), AUTH_WRONG);
	assert_int_equal(try(NULL, loose), AUTH_DONE);
	assert_int_equal(try(NULL, "AAAA-BBBB-CCCC-DDDD"), AUTH_WRONG);
	assert_int_equal(try(NULL, ""), AUTH_WRONG);
	json_t *me = auth_me(&who);
	assert_int_equal(json_integer_value(json_object_get(me, "recovery_codes_left")), 8);
	json_decref(me);
	/* The plain secret is nowhere in the store. */
	char path[128], base[64];
	snprintf(base, sizeof(base), "%s", json_string_value(json_object_get(begun, "secret")));
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, i ? "holdfast.db-wal" : "holdfast.db");
		FILE *f = fopen(path, "re");
		static char text[4 << 20];
		size_t n = f ? fread(text, 1, sizeof(text), f) : 0;
		if (f)
			fclose(f);
		assert_null(memmem(text, n, base, strlen(base)));
		assert_null(memmem(text, n, PASSWORD, strlen(PASSWORD)));
		assert_null(memmem(text, n, s.cookie, 64));
	}
	assert_int_equal(auth_totp_remove(id, &who, &e), 0);
	store_now += 3600;
	assert_int_equal(try(NULL, NULL), AUTH_DONE);
	json_decref(begun);
	json_decref(codes);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(vectors), cmocka_unit_test(base32), cmocka_unit_test_setup_teardown(once, store_setup, store_teardown) };
	return cmocka_run_group_tests_name("auth/totp", tests, NULL, NULL);
}
