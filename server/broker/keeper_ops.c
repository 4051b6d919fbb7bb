/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper_ops.c - the keeper's operations: found by name, arguments checked by the letters of their row, then run.
 * Pure until the row's function: what does not fit has no effect. */
#include "broker/keeper_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

LOG_TOPIC(keeper);

/* One array per file; a row without a name ends it. */
static const struct keeper_op *const tables[] = {
	keeper_ops_account,
	keeper_ops_child,
	keeper_ops_domain,
	keeper_ops_folder,
	keeper_ops_import,
	keeper_ops_krb5,
	keeper_ops_nfs,
	keeper_ops_space,
	keeper_ops_smb,
	keeper_ops_wsd,
};
static pthread_mutex_t change_lock = PTHREAD_MUTEX_INITIALIZER;

void keeper_change_begin(void)
{
	pthread_mutex_lock(&change_lock);
}

void keeper_change_end(void)
{
	pthread_mutex_unlock(&change_lock);
}

const struct keeper_op *keeper_op_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(tables); i++)
		for (const struct keeper_op *op = tables[i]; op->name; op++)
			if (strcmp(op->name, name) == 0)
				return op;
	return NULL;
}

int keeper_refuse(struct keeper_request *rq, int error, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(rq->text, sizeof(rq->text), fmt, ap);
	va_end(ap);
	return error;
}

/* ---- what the letters mean ------------------------------------------------------------------------------ */
static bool is_plain(const char *s, size_t max_bytes)
{
	size_t n = 0;
	for (; s[n]; n++)
		if ((unsigned char)s[n] < 0x20 || s[n] == 0x7f)
			return false;
	return n <= max_bytes;
}

bool keeper_name_is_account(const char *s)
{
	size_t n = strlen(s);
	return n >= 1 && n <= 32 && ((s[0] >= 'a' && s[0] <= 'z') || s[0] == '_') &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n && s[n - 1] != '.';
}

static bool is_object(const char *s)
{
	return s[0] && is_plain(s, 255) && !strchr(s, '/') && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

static bool is_path(const char *s)
{
	if (s[0] != '/' || !is_plain(s, PATH_MAX - 256) || strstr(s, "//"))
		return false;
	for (const char *p = s; (p = strchr(p, '/')); p++) {
		size_t n = strcspn(p + 1, "/");
		if ((n == 1 && p[1] == '.') || (n == 2 && p[1] == '.' && p[2] == '.'))
			return false;
	}
	return true;
}

static bool is_word(const char *s)
{
	size_t n = strlen(s);
	return n >= 1 && n <= 64 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n && s[0] != '-' && s[0] != '.';
}

static bool is_number(const char *s, uint64_t max)
{
	uint64_t v = 0;
	if (!s[0] || strlen(s) > 19)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	return v <= max;
}

static bool is_sid(const char *s)
{
	size_t n = strlen(s);
	return n <= 128 && strncmp(s, "S-1-", 4) == 0 && strspn(s, "S-0123456789") == n;
}

static bool is_mode(const char *s)
{
	size_t n = strlen(s);
	return n >= 1 && n <= 4 && strspn(s, "01234567") == n;
}

static bool fits(char letter, const char *s)
{
	if (isupper((unsigned char)letter) && letter != 'U' && !*s)
		return true;
	switch (letter) {
	case 'a': case 'A': return keeper_name_is_account(s);
	case 'o': case 'O': return keeper_name_is_account(s) || is_number(s, UINT32_MAX - 1) || is_sid(s);
	case 'n': case 'N': return is_object(s);
	case 'p': case 'P': return is_path(s);
	case 'w': case 'W': return is_word(s);
	case 'u': return is_number(s, UINT32_MAX - 1);
	case 'U': return is_number(s, INT64_MAX);
	case 't': return s[0] && is_plain(s, 1024);
	case 'T': return is_plain(s, 1024);
	case 's': return is_plain(s, 512);
	case 'm': case 'M': return is_mode(s);
	default: return false;
	}
}

uint64_t keeper_number(const char *checked)
{
	return strtoull(checked, NULL, 10);
}

/* ---- one message ------------------------------------------------------------------------------------------ */
static int check_args(const struct keeper_op *op, struct keeper_request *rq)
{
	const char *l = op->args;
	size_t i = 0;
	bool wants_fd = false;
	for (; *l; l++) {
		if (*l == 'f') {
			wants_fd = true;
			continue;
		}
		bool many = l[1] == '*';
		if (!many && i >= rq->arg_count)
			return keeper_refuse(rq, -EINVAL, "%s: too few arguments", op->name);
		for (; i < rq->arg_count; i++) {
			if (!fits(*l, rq->args[i]))
				return keeper_refuse(rq, -EINVAL, "%s: argument %zu is not allowed", op->name, i + 1);
			if (!many) {
				i++;
				break;
			}
		}
		l += many;
	}
	if (i < rq->arg_count)
		return keeper_refuse(rq, -EINVAL, "%s: too many arguments", op->name);
	if (wants_fd != (rq->fd >= 0))
		return keeper_refuse(rq, -EINVAL, "%s: a descriptor is %s", op->name, wants_fd ? "missing" : "not wanted");
	return 0;
}

/* The first argument that is no secret names the object. */
static const char *object_of(const struct keeper_op *op, const struct keeper_request *rq)
{
	return rq->arg_count && op->args[0] != 's' ? rq->args[0] : "";
}

int keeper_run(const void *message, size_t len_bytes, struct keeper_request *rq)
{
	const char *m = message, *end = m + len_bytes;
	rq->answer_fd = -1;
	rq->text[0] = '\0';
	rq->arg_count = 0;
	rq->op = NULL;
	if (len_bytes == 0 || end[-1] != '\0')
		return keeper_refuse(rq, -EBADMSG, "the message does not end");
	for (const char *s = m; s < end; s += strlen(s) + 1)
		if (!rq->op)
			rq->op = s;
		else if (rq->arg_count < KEEPER_ARGS)
			rq->args[rq->arg_count++] = s;
		else
			return keeper_refuse(rq, -E2BIG, "too many arguments");
	const struct keeper_op *op = keeper_op_find(rq->op);
	if (!op)
		return keeper_refuse(rq, -EOPNOTSUPP, "the keeper knows no such operation; it is older than the daemon: restart holdfast-nas.service");
	int r = check_args(op, rq);
	if (r < 0) {
		log_warn(&log_keeper, "request refused", "op=%s reason=\"%s\"", op->name, rq->text);
		return r;
	}
	if (!op->changes)
		return op->run(rq);
	pthread_mutex_lock(&change_lock);
	r = op->run(rq);
	pthread_mutex_unlock(&change_lock);
	log_at(&log_keeper, r < 0 ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "operation", "op=%s object=\"%s\" result=%d text=\"%.200s\"", op->name,
	       object_of(op, rq), r, rq->text);
	return r;
}
