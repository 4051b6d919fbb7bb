/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crypt_key.c - keys of encrypted volumes: the cipher that was installed, its states, another key in place of one, and a
 * note beside the data that says which key it was written with. */
#include "block/block_priv.h"

#include <stdio.h>
#include <string.h>

#include "core/hex.h"

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

/* ---- the note ---------------------------------------------------------------------------------------------- */
#define NOTE_TITLE "holdfast-key 1\n"
#define CHECK_BYTES 16

/* The volume's id as a block behind the end of any volume: tells one key from another, and nothing about either. */
static int note_line(const struct volume *v, const struct crypt_states *s, char line[48])
{
	uint8_t block[4096] = { 0 };
	char hex[2 * CHECK_BYTES + 1];
	memcpy(block, v->uuid, CHECK_BYTES);
	int err = s->count ? crypt_cipher->encrypt(s->state[0], UINT64_MAX, block, block, v->block_bytes) : -ENXIO;
	if (err)
		return err;
	hex_write(block, CHECK_BYTES, hex);
	snprintf(line, 48, "check %s\n", hex);
	return 0;
}

static struct layer *note_keeper(struct layer *l)
{
	while (l && !(l->plugin->note_read && l->plugin->note_write))
		l = l->below;
	return l;
}

static int note_write(struct layer *keeper, const char *line, const char *other_line)
{
	char text[HF_NOTE_BYTES];
	snprintf(text, sizeof(text), NOTE_TITLE "%s%s", line, other_line);
	return keeper->plugin->note_write(keeper->handle, text);
}

int crypt_note_check(struct layer *below, const struct crypt_states *s, char *why, size_t why_bytes)
{
	struct layer *keeper = note_keeper(below);
	char line[48], text[HF_NOTE_BYTES] = "", alone[HF_NOTE_BYTES];
	int err = note_line(below->volume, s, line);
	if (err || !keeper)
		return err;
	err = keeper->plugin->note_read(keeper->handle, text, sizeof(text));
	if (err && err != -ENOENT) {
		snprintf(why, why_bytes, "the note of its key cannot be read: %s", strerror(-err));
		return err;
	}
	if (!err && !strstr(text, line)) {
		snprintf(why, why_bytes, "its key is not the one that its data was written with; bring back the configuration that belongs to this data");
		return -EKEYREJECTED;
	}
	snprintf(alone, sizeof(alone), NOTE_TITLE "%s", line);
	if (strcmp(text, alone) != 0)            /* new, or a change of keys was cut off */
		err = note_write(keeper, line, "");
	else
		err = 0;
	if (err == -EROFS)
		err = 0;
	if (err)
		snprintf(why, why_bytes, "the note of its key cannot be written: %s", strerror(-err));
	return err;
}

/* Both keys are good while one takes the other's place: a crash leaves one of them in the store. */
static int save_noted(struct volume *v, struct crypt_states *fresh, struct crypt_states *old, int (*save)(void *arg), void *arg)
{
	struct layer *keeper = note_keeper(v->top);
	char line[48], old_line[48];
	int err = note_line(v, fresh, line);
	if (!err)
		err = note_line(v, old, old_line);
	if (!err && keeper)
		err = note_write(keeper, old_line, line);
	if (err)
		return err;
	err = save(arg);
	if (keeper && note_write(keeper, err ? old_line : line, ""))
		log_warn(&log_block, "the note of a key names another one, too, until the volume is opened again", "volume=%s", volume_name(v));
	return err;
}

/* ---- another key ------------------------------------------------------------------------------------------- */
static int rekey_online(struct volume *v, struct crypt_states *fresh, int (*save)(void *arg), void *arg)
{
	int err = volume_quiesce(v, SWITCH_MS);
	if (err) {
		crypt_states_free(fresh);
		return err;
	}
	err = save_noted(v, fresh, crypt_states(v->top->handle), save, arg);
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

/* ---- who keeps keys ------------------------------------------------------------------------------------------ */
static struct {
	pthread_mutex_t mutex;
	volume_key_renew_fn *fn;
	void *arg;
} keeper = { .mutex = PTHREAD_MUTEX_INITIALIZER };

void volume_key_on_renew(volume_key_renew_fn *fn, void *arg)
{
	pthread_mutex_lock(&keeper.mutex);
	keeper.fn = fn;
	keeper.arg = arg;
	pthread_mutex_unlock(&keeper.mutex);
}

int volume_key_renew(struct volume *v)
{
	pthread_mutex_lock(&keeper.mutex);
	volume_key_renew_fn *fn = keeper.fn;
	void *arg = keeper.arg;
	pthread_mutex_unlock(&keeper.mutex);
	return fn && v->encrypted ? fn(arg, v->uuid_text) : -ENOTSUP;
}
