/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key.c - secrets at rest: the key file, and sealing with it.
 *
 * DIR/secret.key holds 32 random bytes as hexadecimal text, mode 0600, beside the database but not
 * in it: a copy of the database alone tells no secret.  The store keeps a known text sealed with
 * the key, so a wrong key is noticed at start.  Without the right key everything but secrets works. */
#include "config/config_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/hex.h"

static const struct config_sealer *sealer;
static const char check_text[] = "holdfast";

void config_set_sealer(const struct config_sealer *s)
{
	sealer = s;
}

void wipe(void *p, size_t len_bytes)
{
	explicit_bzero(p, len_bytes);
}

const char *config_key_problem(const struct config *c)
{
	return c->key_ok ? NULL : c->key_why;
}

static int key_parse(char *text, size_t len, uint8_t key[KEY_BYTES])
{
	if (len < 2 * KEY_BYTES || (len > 2 * KEY_BYTES && text[2 * KEY_BYTES] != '\n'))
		return -EINVAL;
	text[2 * KEY_BYTES] = '\0';
	return hex_read(text, key, KEY_BYTES);
}

/* -ENOENT: no file.  Otherwise the reason is in c->key_why. */
static int key_read(struct config *c, const char *path)
{
	char text[2 * KEY_BYTES + 2];
	struct stat st;
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		int err = errno;
		snprintf(c->key_why, sizeof(c->key_why), "the key file %.200s cannot be read: %s", path, strerror(err));
		return -err;
	}
	if (fstat(fd, &st) == 0 && (st.st_mode & 077))
		log_warn(&log_config, "the key file can be read by others, use chmod 600", "path=%s mode=%03o", path, (unsigned)st.st_mode & 0777);
	ssize_t n = read(fd, text, sizeof(text));
	int r = n < 0 ? -errno : key_parse(text, (size_t)n, c->key);
	wipe(text, sizeof(text));
	if (r)
		snprintf(c->key_why, sizeof(c->key_why), "the key file %.200s is damaged; put the right one back and start again", path);
	return r;
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int key_make(struct config *c, const char *path)
{
	char text[2 * KEY_BYTES + 2], tmp[4200];
	int r = sealer->random(c->key, KEY_BYTES);
	if (r)
		return r;
	hex_write(c->key, KEY_BYTES, text);
	text[2 * KEY_BYTES] = '\n';
	snprintf(tmp, sizeof(tmp), "%.4190s.new", path);
	unlink(tmp);
	_cleanup_(closep) int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? -errno : write_all(fd, text, 2 * KEY_BYTES + 1);
	wipe(text, sizeof(text));
	if (!r && fsync(fd) < 0)
		r = -errno;
	if (!r && rename(tmp, path) < 0)
		r = -errno;
	if (!r)
		r = dir_fsync(c->dir);
	if (r) {
		unlink(tmp);
		snprintf(c->key_why, sizeof(c->key_why), "the key file %.200s cannot be made: %s", path, strerror(-r));
	}
	return r;
}

/* Does any row hold a sealed secret? */
static int secrets_exist(struct config *c, bool *ret_exist, struct config_error *e)
{
	*ret_exist = false;
	for (size_t k = 0; k < MODEL_KINDS; k++)
		for (size_t i = 0; i < models[k].field_count; i++) {
			const struct field *f = &models[k].fields[i];
			char sql[256];
			sqlite3_stmt *s;
			if (f->type != FIELD_SECRET)
				continue;
			snprintf(sql, sizeof(sql), "SELECT 1 FROM \"%s\" WHERE \"%s\" IS NOT NULL LIMIT 1", models[k].table, f->name);
			int r = stmt_get(c, sql, &s, e);
			if (r)
				return r;
			*ret_exist |= sqlite3_step(s) == SQLITE_ROW;
			stmt_done(c, s);
		}
	return 0;
}

static int check_store(struct config *c, struct config_error *e)
{
	uint8_t sealed[sizeof(check_text) + 64];
	sqlite3_stmt *s;
	int r = sealer->seal(c->key, "store/key_check", 15, check_text, sizeof(check_text), sealed);
	if (r)
		return config_fail(e, r, "", "a check text cannot be sealed: %s", strerror(-r));
	r = stmt_get(c, "UPDATE store SET key_check = ?", &s, e);
	if (r)
		return r;
	sqlite3_bind_blob(s, 1, sealed, (int)(sizeof(check_text) + sealer->overhead_bytes), SQLITE_TRANSIENT);
	return stmt_run(c, s, e, "keep the key's check text");
}

/* 0 fits, -EBADMSG another key, -ENOENT no check text yet. */
static int check_compare(struct config *c)
{
	uint8_t plain[sizeof(check_text)];
	struct config_error e;
	sqlite3_stmt *s;
	if (stmt_get(c, "SELECT key_check FROM store WHERE key_check IS NOT NULL", &s, &e))
		return e.code;
	int r = -ENOENT;
	if (sqlite3_step(s) == SQLITE_ROW) {
		size_t len = (size_t)sqlite3_column_bytes(s, 0);
		r = -EBADMSG;
		if (len == sizeof(check_text) + sealer->overhead_bytes)
			r = sealer->open(c->key, "store/key_check", 15, sqlite3_column_blob(s, 0), len, plain);
		if (!r && memcmp(plain, check_text, sizeof(plain)) != 0)
			r = -EBADMSG;
	}
	stmt_done(c, s);
	return r;
}

/* Never an error about the key itself: that is kept in key_why. */
int key_load(struct config *c, struct config_error *e)
{
	char path[4200];
	bool exist = false;
	if (!sealer) {
		snprintf(c->key_why, sizeof(c->key_why), "this program was built without sealing");
		return 0;
	}
	snprintf(path, sizeof(path), "%s/secret.key", c->dir);
	int r = key_read(c, path);
	if (r && r != -ENOENT)
		return 0;
	bool made = r == -ENOENT;
	int fits = made ? -ENOENT : check_compare(c);
	if (fits == 0) {
		c->key_ok = true;
		return 0;
	}
	r = secrets_exist(c, &exist, e);
	if (r)
		return r;
	if (exist) {
		wipe(c->key, KEY_BYTES);
		snprintf(c->key_why, sizeof(c->key_why),
			 made ? "the key file %.200s is missing, so stored secrets cannot be read: put it back and start again, or clear the secrets, restart and set them anew" :
				"the key file %.200s is not the one the secrets were sealed with: put the right one back and start again, or clear the secrets, restart and set them anew",
			 path);
		return 0;
	}
	if (made && key_make(c, path))
		return 0;
	r = check_store(c, e);
	if (r)
		return r;
	c->key_ok = true;
	return 0;
}

static size_t make_aad(char *buf, size_t buf_bytes, const char *table, const char *id, const char *field)
{
	int n = snprintf(buf, buf_bytes, "%s/%s/%s", table, id, field);
	return n > 0 && (size_t)n < buf_bytes ? (size_t)n : 0;
}

int key_seal(struct config *c, const char *table, const char *id, const char *field, const char *plain, size_t len,
	     uint8_t **ret_sealed, size_t *ret_len, struct config_error *e)
{
	char aad[256];
	if (!c->key_ok)
		return config_fail(e, -ENOKEY, field, "%s", c->key_why);
	_cleanup_(freep) uint8_t *out = malloc(len + sealer->overhead_bytes);
	if (!out)
		return config_fail(e, -ENOMEM, field, "out of memory");
	int r = sealer->seal(c->key, aad, make_aad(aad, sizeof(aad), table, id, field), plain, len, out);
	if (r)
		return config_fail(e, r, field, "%s cannot be sealed: %s", field, strerror(-r));
	*ret_sealed = TAKE(out);
	*ret_len = len + sealer->overhead_bytes;
	return 0;
}

int key_unseal(struct config *c, const char *table, const char *id, const char *field, const uint8_t *sealed,
	       size_t sealed_len, uint8_t *buf, size_t buf_bytes, size_t *ret_len, struct config_error *e)
{
	char aad[256];
	if (!c->key_ok)
		return config_fail(e, -ENOKEY, field, "%s", c->key_why);
	if (sealed_len < sealer->overhead_bytes || sealed_len - sealer->overhead_bytes > buf_bytes)
		return config_fail(e, -EBADMSG, field, "the stored %s is damaged; set it again", field);
	int r = sealer->open(c->key, aad, make_aad(aad, sizeof(aad), table, id, field), sealed, sealed_len, buf);
	if (r)
		return config_fail(e, r, field, "the stored %s cannot be opened with this key file; set it again", field);
	*ret_len = sealed_len - sealer->overhead_bytes;
	return 0;
}

int config_seal(struct config *c, const char *place, const char *id, const char *field, const char *plain, char **ret_text, struct config_error *e)
{
	_cleanup_(freep) uint8_t *sealed = NULL;
	size_t len;
	int r = key_seal(c, place, id, field, plain, strlen(plain), &sealed, &len, e);
	if (r)
		return r;
	*ret_text = malloc(2 * len + 1);
	if (!*ret_text)
		return config_fail(e, -ENOMEM, field, "out of memory");
	hex_write(sealed, len, *ret_text);
	return 0;
}

int config_unseal(struct config *c, const char *place, const char *id, const char *field, const char *text, char **ret_plain, struct config_error *e)
{
	size_t room = strlen(text) / 2, len = 0;
	_cleanup_(freep) uint8_t *sealed = malloc(room + 1);
	char *plain = malloc(room + 1);
	int r = !sealed || !plain ? config_fail(e, -ENOMEM, field, "out of memory") :
	        hex_read_some(text, sealed, room, &len) ? config_fail(e, -EBADMSG, field, "the stored %s is damaged; set it again", field) :
						      key_unseal(c, place, id, field, sealed, len, (uint8_t *)plain, room, &len, e);
	if (r) {
		free(plain);
		return r;
	}
	plain[len] = '\0';
	*ret_plain = plain;
	return 0;
}
