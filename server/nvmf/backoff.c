/* SPDX-License-Identifier: GPL-3.0-or-later */
/* backoff.c - who tries keys has to wait: by host NQN and address, longer with each failure.  The table is
 * small; whoever fills it with invented names pushes out entries that were quiet longest, and gains nothing,
 * since each try still costs a connection. */
#include "nvmf/nvmf_priv.h"

#include <stdio.h>
#include <string.h>

#define ENTRIES 128
#define FREE_TRIES 4                     /* failures in a row that cost nothing: people mistype */
#define FIRST_WAIT_S 1
#define LONGEST_WAIT_S 60
#define FORGET_S 600
#define NS_PER_S UINT64_C(1000000000)

static struct entry {
	char host_nqn[NVMF_NQN_MAX + 1];
	struct in6_addr addr;
	unsigned failures;
	uint64_t last_ns;
} table[ENTRIES];

static struct entry *find(const char *host_nqn, const struct in6_addr *addr)
{
	for (size_t i = 0; i < ENTRIES; i++)
		if (table[i].failures && memcmp(&table[i].addr, addr, sizeof(*addr)) == 0 && strcmp(table[i].host_nqn, host_nqn) == 0)
			return &table[i];
	return NULL;
}

static uint64_t wait_ns(unsigned failures)
{
	if (failures <= FREE_TRIES)
		return 0;
	unsigned doublings = failures - FREE_TRIES - 1;
	uint64_t s = doublings > 6 ? LONGEST_WAIT_S : (uint64_t)FIRST_WAIT_S << doublings;
	return (s < LONGEST_WAIT_S ? s : LONGEST_WAIT_S) * NS_PER_S;
}

/* Under the lock. */
bool nvmf_backoff_waits(const char *host_nqn, const struct in6_addr *addr)
{
	const struct entry *e = find(host_nqn, addr);

	return e && reactor_clock_ns() - e->last_ns < wait_ns(e->failures);
}

void nvmf_backoff_failed(const char *host_nqn, const struct in6_addr *addr)
{
	uint64_t now = reactor_clock_ns();

	room_lock();
	struct entry *e = find(host_nqn, addr), *oldest = &table[0];
	for (size_t i = 0; i < ENTRIES && !e; i++) {
		if (!table[i].failures)
			e = &table[i];
		else if (table[i].last_ns < oldest->last_ns)
			oldest = &table[i];
	}
	if (!e)
		e = oldest;
	if (!e->failures || e->last_ns + FORGET_S * NS_PER_S < now || memcmp(&e->addr, addr, sizeof(*addr)) != 0 || strcmp(e->host_nqn, host_nqn) != 0) {
		*e = (struct entry){ .addr = *addr };
		snprintf(e->host_nqn, sizeof(e->host_nqn), "%s", host_nqn);
	}
	e->failures++;
	e->last_ns = now;
	room_unlock();
}

void nvmf_backoff_forgive(const char *host_nqn, const struct in6_addr *addr)
{
	room_lock();
	struct entry *e = find(host_nqn, addr);
	if (e)
		e->failures = 0;
	room_unlock();
}

void nvmf_backoff_clear(void)
{
	memset(table, 0, sizeof(table));
}
