/* SPDX-License-Identifier: GPL-3.0-or-later */
/* throttle.c - how fast somebody may guess.
 *
 * Per account: after three failures in a row each further attempt waits twice as long as the one before, up to
 * 15 minutes; never locked for good, and names that do not exist are treated alike.  Per address (IPv6: its
 * /64): a bucket of 10 attempts that refills one each 6 seconds; an attempt
 * that succeeds was no guess and is given back.  Both tables are bounded; when one is full
 * the entry that was quiet for longest goes.  Attempts that wait are refused before a hash is made. */
#include "auth/auth_priv.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define ACCOUNT_ENTRIES 1024
#define ADDRESS_ENTRIES 4096
#define FREE_FAILURES 3
#define BUCKET 10
#define REFILL_S 6
#define FORGET_S (24 * 3600)

struct account_entry {
	uint64_t key;
	unsigned failures;
	int64_t last_s, until_s;
};
struct address_entry {
	uint8_t key[16];
	bool used;
	double tokens;
	int64_t last_s;
};
static struct account_entry accounts[ACCOUNT_ENTRIES];
static struct address_entry addresses[ADDRESS_ENTRIES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void throttle_reset(void)
{
	pthread_mutex_lock(&lock);
	memset(accounts, 0, sizeof(accounts));
	memset(addresses, 0, sizeof(addresses));
	pthread_mutex_unlock(&lock);
}

static uint64_t account_key(const char *name)
{
	uint8_t hash[HASH_BYTES] = { 0 };
	uint64_t key;
	if (sha256(name, strlen(name), hash))
		return 1;
	memcpy(&key, hash, sizeof(key));
	return key ? key : 1;
}

static struct account_entry *account_find(const char *name, bool make)
{
	uint64_t key = account_key(name);
	struct account_entry *oldest = &accounts[0];
	for (size_t i = 0; i < ACCOUNT_ENTRIES; i++) {
		if (accounts[i].key == key)
			return &accounts[i];
		if (!accounts[i].key || (oldest->key && accounts[i].last_s < oldest->last_s))
			oldest = &accounts[i];
	}
	if (!make)
		return NULL;
	*oldest = (struct account_entry){ .key = key };
	return oldest;
}

/* IPv4 whole, IPv6 by its /64: who has one address there has them all. */
static void address_key(const char *text, uint8_t key[16])
{
	uint8_t a[16] = { 0 };
	memset(key, 0, 16);
	if (inet_pton(AF_INET, text, a) == 1) {
		key[0] = 4;
		memcpy(key + 1, a, 4);
	} else if (inet_pton(AF_INET6, text, a) == 1) {
		static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
		bool is_v4 = memcmp(a, mapped, sizeof(mapped)) == 0;
		key[0] = is_v4 ? 4 : 6;
		memcpy(key + 1, is_v4 ? a + 12 : a, is_v4 ? 4 : 8);
	}
}

static struct address_entry *address_find(const char *text, int64_t now)
{
	struct address_entry *oldest = &addresses[0];
	uint8_t key[16];
	address_key(text, key);
	for (size_t i = 0; i < ADDRESS_ENTRIES; i++) {
		if (addresses[i].used && memcmp(addresses[i].key, key, sizeof(key)) == 0)
			return &addresses[i];
		if (!addresses[i].used || (oldest->used && addresses[i].last_s < oldest->last_s))
			oldest = &addresses[i];
	}
	*oldest = (struct address_entry){ .used = true, .tokens = BUCKET, .last_s = now };
	memcpy(oldest->key, key, sizeof(key));
	return oldest;
}

static unsigned account_wait(const char *account, int64_t now)
{
	const struct account_entry *e = account_find(account, false);
	return e && e->until_s > now ? (unsigned)(e->until_s - now) : 0;
}

unsigned throttle_try(const char *address, const char *account)
{
	int64_t now = auth_now_s();
	unsigned wait = 0;
	pthread_mutex_lock(&lock);
	if (*address) {
		struct address_entry *e = address_find(address, now);
		if (now > e->last_s)
			e->tokens += (double)(now - e->last_s) / REFILL_S;
		if (e->tokens > BUCKET)
			e->tokens = BUCKET;
		e->last_s = now;
		if (e->tokens < 1)
			wait = REFILL_S;
		else
			e->tokens -= 1;
	}
	unsigned for_account = account_wait(account, now);
	if (for_account > wait)
		wait = for_account;
	pthread_mutex_unlock(&lock);
	return wait;
}

void throttle_failed(const char *account)
{
	int64_t now = auth_now_s();
	pthread_mutex_lock(&lock);
	struct account_entry *e = account_find(account, true);
	if (now - e->last_s > FORGET_S)
		e->failures = 0;
	e->last_s = now;
	e->failures++;
	if (e->failures > FREE_FAILURES) {
		unsigned steps = e->failures - FREE_FAILURES;
		int64_t wait = steps > 9 ? THROTTLE_CAP_S : INT64_C(1) << steps;
		e->until_s = now + (wait > THROTTLE_CAP_S ? THROTTLE_CAP_S : wait);
	}
	pthread_mutex_unlock(&lock);
}

void throttle_passed(const char *address, const char *account)
{
	pthread_mutex_lock(&lock);
	if (*address) {
		struct address_entry *a = address_find(address, auth_now_s());
		a->tokens = a->tokens + 1 < BUCKET ? a->tokens + 1 : BUCKET;
	}
	struct account_entry *e = account_find(account, false);
	if (e)
		*e = (struct account_entry){ 0 };
	pthread_mutex_unlock(&lock);
}

unsigned throttle_account_wait_s(const char *account)
{
	pthread_mutex_lock(&lock);
	unsigned wait = account_wait(account, auth_now_s());
	pthread_mutex_unlock(&lock);
	return wait;
}
