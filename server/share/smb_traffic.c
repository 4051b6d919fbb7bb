/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smb_traffic.c - how much was read from and written to each share over SMB.  Pure: from what the kernel says of connections
 * and smbstatus of who uses what.
 *
 * Samba counts nothing by share, but the kernel counts each connection, to its last byte.  A connection belongs to the shares
 * that its client has open there: all of it to the one, nearly always.  To several it is divided, by the files that are open
 * in each, or evenly; that is an estimate, and said to be one.  What moves before smbstatus knows the client waits until
 * it does. */
#include "share/smb_priv.h"

#include <stdio.h>
#include <string.h>

#define CONNECTIONS_MAX 4096
#define SHARES_MAX 8                     /* of one connection */
#define TOTALS_MAX 4096
#define ABSENT_S 120                     /* neither listed nor told to have ended: forgotten */

struct use {
	char share[81];
	unsigned files;
};
struct connection {
	bool used, fresh;                /* fresh: uses are of this look */
	char address[64];
	unsigned port;
	uint64_t received, sent;         /* counted for shares so far */
	struct use uses[SHARES_MAX];
	size_t use_count;
	int64_t seen_s;
};
struct total {
	char share[81];
	struct smb_moved moved;
};
struct smb_traffic {
	struct connection connections[CONNECTIONS_MAX];
	size_t connection_top;           /* those from here on were never used */
	struct total totals[TOTALS_MAX];
	size_t total_count;
	bool begun;
};

struct smb_traffic *smb_traffic_new(void)
{
	return calloc(1, sizeof(struct smb_traffic));
}

static struct connection *connection_of(struct smb_traffic *t, const char *address, unsigned port, bool make)
{
	struct connection *free_one = NULL;
	for (size_t i = 0; i < t->connection_top; i++) {
		struct connection *c = &t->connections[i];
		if (c->used && c->port == port && strcmp(c->address, address) == 0)
			return c;
		if (!c->used && !free_one)
			free_one = c;
	}
	if (!make || (!free_one && t->connection_top == CONNECTIONS_MAX))
		return NULL;
	if (!free_one)
		free_one = &t->connections[t->connection_top++];
	*free_one = (struct connection){ .used = true, .port = port };
	snprintf(free_one->address, sizeof(free_one->address), "%s", address);
	return free_one;
}

static struct smb_moved *moved_of(struct smb_traffic *t, const char *share)
{
	for (size_t i = 0; i < t->total_count; i++)
		if (strcasecmp(t->totals[i].share, share) == 0)
			return &t->totals[i].moved;
	if (t->total_count == TOTALS_MAX)
		return NULL;
	struct total *one = &t->totals[t->total_count++];
	snprintf(one->share, sizeof(one->share), "%s", share);
	one->moved = (struct smb_moved){ 0 };
	return &one->moved;
}

void smb_traffic_of(const struct smb_traffic *t, const char *share, struct smb_moved *ret)
{
	*ret = (struct smb_moved){ 0 };
	for (size_t i = 0; i < t->total_count; i++)
		if (strcasecmp(t->totals[i].share, share) == 0)
			*ret = t->totals[i].moved;
}

/* ---- who uses what ------------------------------------------------------------------------------------------ */
static void note_use(void *arg, const char *address, unsigned port, const char *share, unsigned files)
{
	struct smb_traffic *t = arg;
	struct connection *c = connection_of(t, address, port, true);
	if (!c)
		return;
	if (!c->fresh)
		c->use_count = 0;        /* shares that it left a moment ago count until another look shows new ones */
	c->fresh = true;
	for (size_t i = 0; i < c->use_count; i++)
		if (strcasecmp(c->uses[i].share, share) == 0) {
			c->uses[i].files += files;
			return;
		}
	if (c->use_count == SHARES_MAX)
		return;
	c->uses[c->use_count].files = files;
	snprintf(c->uses[c->use_count++].share, sizeof(c->uses->share), "%s", share);
}

/* Another channel of a client that smbstatus knows by its first (multichannel): the same shares. */
static const struct connection *with_uses(const struct smb_traffic *t, const struct connection *c)
{
	if (c->use_count)
		return c;
	for (size_t i = 0; i < t->connection_top; i++) {
		const struct connection *o = &t->connections[i];
		if (o->used && o->use_count && strcmp(o->address, c->address) == 0)
			return o;
	}
	return NULL;
}

/* ---- counting ------------------------------------------------------------------------------------------------- */
static void divide(struct smb_traffic *t, const struct connection *u, uint64_t received, uint64_t sent)
{
	uint64_t files = 0, got_received = 0, got_sent = 0;
	for (size_t i = 0; i < u->use_count; i++)
		files += u->uses[i].files;
	for (size_t i = 0; i < u->use_count; i++) {
		uint64_t part = files ? u->uses[i].files : 1, whole = files ? files : u->use_count;
		bool last = i + 1 == u->use_count;
		/* The remainder is the last one's, so that the sum is what the kernel counted. */
		uint64_t in = last ? received - got_received : received / whole * part, out = last ? sent - got_sent : sent / whole * part;
		struct smb_moved *m = moved_of(t, u->uses[i].share);
		got_received += in;
		got_sent += out;
		if (!m)
			continue;
		m->written_bytes += in;
		m->read_bytes += out;
		m->divided |= u->use_count > 1 && (in || out);
	}
}

static void count(struct smb_traffic *t, struct connection *c, uint64_t received, uint64_t sent)
{
	const struct connection *u = with_uses(t, c);
	if (!u)
		return;                  /* waits for a look that knows its shares */
	if (received < c->received || sent < c->sent)
		c->received = c->sent = 0; /* another connection with the same port */
	divide(t, u, received - c->received, sent - c->sent);
	c->received = received;
	c->sent = sent;
}

void smb_traffic_count(struct smb_traffic *t, const char *lines, const json_t *status, bool (*folder_of)(const char *share, char *ret, size_t ret_bytes),
		       int64_t now_s)
{
	for (size_t i = 0; i < t->connection_top; i++)
		t->connections[i].fresh = false;
	smb_status_uses(status, folder_of, note_use, t);
	for (const char *p = lines; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		char word[8], address[64];
		unsigned port;
		unsigned long long received, sent;
		if (sscanf(p, "%7s %63s %u %llu %llu", word, address, &port, &received, &sent) != 5)
			continue;
		struct connection *c = connection_of(t, address, port, true);
		if (!c)
			continue;
		c->seen_s = now_s;
		if (!t->begun) {         /* what was moved before anybody counted was counted before, or never */
			c->received = received;
			c->sent = sent;
		}
		count(t, c, received, sent);
		if (strcmp(word, "gone") == 0)
			c->used = false;
	}
	t->begun = true;
	for (size_t i = 0; i < t->connection_top; i++) {
		struct connection *c = &t->connections[i];
		if (c->used && !c->seen_s)
			c->seen_s = now_s;
		else if (c->used && now_s - c->seen_s > ABSENT_S)
			c->used = false;
	}
}
