/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crypt_key.c - keys of encrypted volumes: the cipher that was installed, its states, another key in place of one. */
#include "block/block_priv.h"

#define SWITCH_MS 30000                  /* how long a new key waits for requests in flight */

const struct volume_cipher *crypt_cipher;

void volume_cipher_set(const struct volume_cipher *c)
{
	crypt_cipher = c;
}

void crypt_states_free(struct crypt_states *s)
{
	for (unsigned i = 0; s && i < s->count; i++)
		crypt_cipher->close(s->state[i]);
	free(s);
}
DEFINE_FREEP(struct crypt_states, crypt_states_free)

int crypt_states_new(const uint8_t key[VOLUME_KEY_BYTES], uint32_t unit_bytes, struct crypt_states **ret_states)
{
	unsigned count = block_room.reactor_count;
	_cleanup_(crypt_states_freep) struct crypt_states *s = calloc(1, sizeof(*s) + count * sizeof(s->state[0]));
	if (!s)
		return -ENOMEM;
	for (; s->count < count; s->count++) {
		int err = crypt_cipher->open(key, unit_bytes, &s->state[s->count]);
		if (err)
			return err;
	}
	*ret_states = TAKE(s);
	return 0;
}

static int rekey_online(struct volume *v, struct crypt_states *fresh, int (*save)(void *arg), void *arg)
{
	int err = volume_quiesce(v, SWITCH_MS);
	if (err) {
		crypt_states_free(fresh);
		return err;
	}
	err = save(arg);
	crypt_states_free(err ? fresh : crypt_swap(v->top->handle, fresh));
	volume_resume(v);
	return err;
}

int volume_rekey(struct volume *v, const uint8_t key[VOLUME_KEY_BYTES], int (*save)(void *arg), void *arg)
{
	struct crypt_states *fresh = NULL;
	if (!v->encrypted)
		return -ENOTSUP;
	pthread_mutex_lock(&v->mgmt);
	int err = volume_state(v) != VOLUME_ONLINE || !v->top ? -ESHUTDOWN : crypt_states_new(key, v->block_bytes, &fresh);
	if (!err)
		err = rekey_online(v, fresh, save, arg);
	if (!err)
		memcpy(v->key, key, sizeof(v->key));
	pthread_mutex_unlock(&v->mgmt);
	return err;
}
