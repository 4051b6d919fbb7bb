/* SPDX-License-Identifier: GPL-3.0-or-later */
/* token.c - ROD tokens: what a host shows to say "that data".  SPC-4 5.17.6, SBC-3 4.27.
 *
 * A token is a point in time copy of the kind that is change vulnerable: it names ranges of one unit, and
 * dies when one of them is written, by whomever (block/change.c).  It is 512 bytes that nobody can
 * guess, and it is bound to its unit's store: who shows it must see that unit too. */
#include "scsi/copy_priv.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>


enum { AT_TYPE = 0, AT_LENGTH = 6, AT_ID = 8, AT_CREATOR = 16, AT_NAA = 24, AT_BYTES = 56, AT_CAPACITY = 96, AT_SECRET = 128 };

struct token_store {
	pthread_mutex_t lock;
	struct list tokens;              /* oldest first */
	unsigned count;
	uint64_t next_id;
};

struct token_store *token_store_new(void)
{
	struct token_store *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	list_init(&s->tokens);
	s->next_id = 1;
	return s;
}

void token_unref(struct token *t)
{
	if (t && atomic_fetch_sub(&t->refs, 1) == 1)
		free(t);
}

/* Under the store's lock. */
static void drop(struct scsi_unit *u, struct token *t)
{
	list_del(&t->link);
	u->tokens->count--;
	volume_change_unwatch(u->volume, &t->change);
	token_unref(t);
}

void token_store_free(struct scsi_unit *u)
{
	struct token *t;
	if (!u->tokens)
		return;
	list_for_each(t, &u->tokens->tokens, link)
		drop(u, t);
	pthread_mutex_destroy(&u->tokens->lock);
	free(u->tokens);
}

uint32_t token_type(const uint8_t bytes[TOKEN_BYTES])
{
	return copy_u32(bytes + AT_TYPE);
}

const uint8_t *token_naa(const uint8_t bytes[TOKEN_BYTES])
{
	return bytes + AT_NAA;
}

enum scsi_result token_check(const struct token *t)
{
	if (reactor_clock_ns() > atomic_load(&t->until_ns))
		return RES_TOKEN_EXPIRED;
	return atomic_load(&t->change.changed) ? RES_TOKEN_REVOKED : RES_OK;
}

void token_touch(struct token *t)
{
	atomic_store(&t->until_ns, reactor_clock_ns() + t->timeout_ns);
}

static int write_bytes(struct token *t, const struct scsi_unit *u)
{
	uint8_t *b = t->bytes;
	be32 type = be32_of(ROD_CHANGE_VULNERABLE), block = be32_of(1u << u->block_shift);
	be64 id = be64_of(t->id), bytes = be64_of(t->count_blocks << u->block_shift);
	be64 last = be64_of(volume_block_count(u->volume) - 1);
	be16 len = be16_of(TOKEN_BYTES - 8);
	memcpy(b + AT_TYPE, &type, sizeof(type));
	memcpy(b + AT_LENGTH, &len, sizeof(len));
	memcpy(b + AT_ID, &id, sizeof(id));
	b[AT_CREATOR] = CSCD_IDENTIFICATION;
	b[AT_CREATOR + 4] = SCSI_CODE_BINARY;
	b[AT_CREATOR + 5] = SCSI_ASSOC_UNIT | SCSI_DESIG_NAA;
	b[AT_CREATOR + 7] = 16;
	memcpy(b + AT_NAA, u->naa, 16);
	memcpy(b + AT_CREATOR + 28, &block, sizeof(block));
	memcpy(b + AT_BYTES, &bytes, sizeof(bytes));
	memcpy(b + AT_CAPACITY, &last, sizeof(last));
	memcpy(b + AT_CAPACITY + 8, &block, sizeof(block));
	return getrandom(b + AT_SECRET, 32, 0) == 32 ? 0 : -EIO;
}

enum scsi_result token_new(struct scsi_unit *u, const struct volume_extent *e, size_t count, uint32_t timeout_s,
			   struct token **ret_token)
{
	struct token_store *s = u->tokens;
	struct token *t = calloc(1, sizeof(*t) + count * sizeof(*e)), *old;
	if (!t)
		return RES_RESOURCES;
	atomic_init(&t->refs, 1);
	memcpy(t->extent, e, count * sizeof(*e));
	t->extent_count = count;
	for (size_t i = 0; i < count; i++)
		t->count_blocks += e[i].count_blocks;
	t->timeout_ns = (uint64_t)timeout_s * 1000000000u;
	token_touch(t);
	list_init(&t->link);
	list_init(&t->change.link);
	t->change.extent = t->extent;
	t->change.extent_count = count;
	t->change.until_ns = UINT64_MAX;
	pthread_mutex_lock(&s->lock);
	list_for_each(old, &s->tokens, link)
		if (token_check(old))
			drop(u, old);
	t->id = s->next_id++;
	bool fits = s->count < TOKENS_MAX && !write_bytes(t, u);
	if (fits) {
		atomic_fetch_add(&t->refs, 1);
		list_add_tail(&s->tokens, &t->link);
		s->count++;
		volume_change_watch(u->volume, &t->change);
	}
	pthread_mutex_unlock(&s->lock);
	if (!fits) {
		token_unref(t);
		return RES_NO_TOKEN_ROOM;
	}
	*ret_token = t;
	return RES_OK;
}

enum scsi_result token_find(struct scsi_unit *u, const uint8_t bytes[TOKEN_BYTES], struct token **ret_token)
{
	struct token_store *s = u->tokens;
	enum scsi_result r = RES_TOKEN_UNKNOWN;
	uint64_t id = copy_u64(bytes + AT_ID);
	struct token *t;
	pthread_mutex_lock(&s->lock);
	list_for_each(t, &s->tokens, link) {
		if (t->id != id)
			continue;
		r = memcmp(t->bytes, bytes, TOKEN_BYTES) ? RES_TOKEN_CORRUPT : token_check(t);
		if (!r) {
			atomic_fetch_add(&t->refs, 1);
			*ret_token = t;
		}
		break;
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

void token_delete(struct scsi_unit *u, struct token *t)
{
	pthread_mutex_lock(&u->tokens->lock);
	if (!list_is_empty(&t->link))
		drop(u, t);
	pthread_mutex_unlock(&u->tokens->lock);
}
