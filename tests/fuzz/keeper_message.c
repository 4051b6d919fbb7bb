/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper_message.c - a daemon that somebody took over, as the keeper (root) hears it: what reaches an operation is what its
 * row promises; a description of exports and a configuration of Samba that are taken are harmless.
 * Input: one letter; m: a message, as on the socket (NUL after each word; here also LF), e: exports, s: smb.conf. */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What takes messages apart, with tables of ours for its tables of operations. */
#define keeper_ops_account fuzz_ops_account
#define keeper_ops_child fuzz_ops_child
#define keeper_ops_domain fuzz_ops_domain
#define keeper_ops_folder fuzz_ops_folder
#define keeper_ops_import fuzz_ops_import
#define keeper_ops_nfs fuzz_ops_nfs
#define keeper_ops_smb fuzz_ops_smb
#define keeper_ops_space fuzz_ops_space
#define keeper_ops_wsd fuzz_ops_wsd
#include "broker/keeper_ops.c"
#include "broker/nfs_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* ---- messages: operations of our own, one for each letter, in the place of the keeper's ---------------------- */
static bool is_printable(const char *s, size_t max)
{
	for (const char *p = s; *p; p++)
		if (iscntrl((unsigned char)*p))
			return false;
	return strlen(s) <= max;
}

/* What the letters promise, written again from the table in keeper_priv.h. */
static void judge(char letter, const char *s)
{
	char slashed[KEEPER_MESSAGE_BYTES + 2];

	if (isupper((unsigned char)letter) && letter != 'U' && !*s)
		return;
	switch (letter == 'U' ? 'U' : tolower((unsigned char)letter)) {
	case 'a':
		require(strlen(s) <= 32 && !strpbrk(s, "/:%@ \\\"'$") && s[0] != '-' && s[0] != '.' && is_printable(s, 32));
		break;
	case 'n':
		require(*s && !strchr(s, '/') && strcmp(s, ".") != 0 && strcmp(s, "..") != 0 && is_printable(s, 255));
		break;
	case 'p':
		snprintf(slashed, sizeof(slashed), "%s/", s);
		require(*s == '/' && !strstr(slashed, "/../") && !strstr(slashed, "/./") && !strstr(s, "//") && is_printable(s, PATH_MAX));
		break;
	case 'w':
		require(*s && s[0] != '-' && s[0] != '.' && !strpbrk(s, "/ \\\"'$;|&") && is_printable(s, 64));
		break;
	case 'u':
		require(*s && keeper_number(s) < UINT32_MAX && strspn(s, "0123456789") == strlen(s));
		break;
	case 'U':
		require(*s && keeper_number(s) <= INT64_MAX && strspn(s, "0123456789") == strlen(s));
		break;
	case 't':
		require(is_printable(s, 1024));
		break;
	case 's':
		require(is_printable(s, 512));
		break;
	case 'm':
		require(*s && strtoul(s, NULL, 8) <= 07777 && strspn(s, "01234567") == strlen(s));
		break;
	default:
		abort();
	}
}

static int look(struct keeper_request *rq)
{
	const struct keeper_op *op = keeper_op_find(rq->op);
	const char *l = op->args;

	for (size_t i = 0; i < rq->arg_count; i++) {
		require(*l && *l != 'f');
		judge(*l, rq->args[i]);
		if (l[1] != '*')
			l++;
	}
	require(!*l || l[1] == '*' || *l == 'f');
	require((strchr(op->args, 'f') != NULL) == (rq->fd >= 0));
	return 0;
}

#define ROW(args) { args, args, false, look }
const struct keeper_op keeper_ops_account[] = { ROW("a"), ROW("aA"), ROW("as"), { NULL, NULL, false, NULL } };
const struct keeper_op keeper_ops_child[] = { ROW("w"), ROW("w*"), { NULL, NULL, false, NULL } };
const struct keeper_op keeper_ops_domain[] = { ROW("tTsS"), { NULL, NULL, false, NULL } };
const struct keeper_op keeper_ops_folder[] = { ROW("pNaAM"), { NULL, NULL, false, NULL } };
const struct keeper_op keeper_ops_import[] = { ROW("p"), ROW("pP"), { NULL, NULL, false, NULL } };
const struct keeper_op keeper_ops_nfs[] = { ROW("f"), { NULL, NULL, false, NULL } };
const struct keeper_op keeper_ops_smb[] = { ROW("n"), ROW("nn*"), { NULL, NULL, false, NULL } };
const struct keeper_op keeper_ops_space[] = { ROW("uU"), ROW("m"), { NULL, NULL, false, NULL } };
const struct keeper_op keeper_ops_wsd[] = { ROW("Wt*"), { NULL, NULL, false, NULL } };

static void message(const char *text, size_t len_bytes)
{
	static struct keeper_request rq;

	rq.fd = -1;
	int r = keeper_run(text, len_bytes, &rq);
	require(r == 0 || (r < 0 && *rq.text));
	require(strnlen(rq.text, sizeof(rq.text)) < sizeof(rq.text));
}

/* ---- exports ------------------------------------------------------------------------------------------------------ */
/* Text outside of quotation marks is ours, and no line is left within them.  NFS-Ganesha's scanner takes a mark for escaped
 * that has a backslash before it. */
static void ganesha_text(const char *p, size_t exports)
{
	size_t lines = 0;
	bool quoted = false;

	for (const char *start = p; *p; p++) {
		if (*p == '"' && (p == start || p[-1] != '\\'))
			quoted = !quoted;
		lines += *p == '\n';
		require(*p != '\n' || !quoted);
	}
	require(!quoted && lines == exports);
}

static void exports(char *text)
{
	struct nfs_spec s;
	char why[256] = "";
	_cleanup_(freep) char *out = NULL;
	size_t out_bytes = 0;

	if (nfs_spec_parse(text, &s, why, sizeof(why)) < 0) {
		require(*why && !s.exports && !s.export_count);
		return;
	}
	for (size_t i = 0; i < s.export_count; i++) {
		const struct nfs_export *x = &s.exports[i];
		require(*x->path == '/' && x->path[1] && !strstr(x->path, "/../") && is_printable(x->path, PATH_MAX));
		require(*x->name && !strchr(x->name, '/') && is_printable(x->name, 80) && x->id >= 1 && x->id <= 65535);
		for (size_t k = 0; k < x->client_count; k++)
			require(*x->clients[k].who && !strpbrk(x->clients[k].who, " \t\n\"\\;{}()"));
	}
	FILE *f = open_memstream(&out, &out_bytes);
	require(f != NULL);
	nfs_ganesha_exports(f, &s, true);
	fclose(f);
	ganesha_text(out, s.export_count);
	nfs_spec_done(&s);
}

/* ---- smb.conf ------------------------------------------------------------------------------------------------------ */
/* Some of what runs programs or leaves the folder, as Samba reads names: without blanks and regard to case. */
static void harmless(const char *line)
{
	static const char *const never[] = { "preexec", "rootpreexec", "postexec", "rootpostexec", "exec", "panicaction", "include", "configfile", "copy", "adminusers", "forceuser",
					     "usernamemap", "usernamemapscript", "magicscript", "printcommand", "widelinks", "guestaccount", "loglevel", "logfile", "lockdirectory",
					     "privatedir", "passdbbackend", "rootdirectory", "addsharecommand", "dfreecommand", "preloadmodules", "logging" };
	char name[256];
	size_t n = 0;

	line += strspn(line, " \t\f\v\r");
	if (*line == '#' || *line == ';' || *line == '[' || !strchr(line, '='))
		return;
	for (; *line != '=' && n + 1 < sizeof(name); line++)
		if (!isspace((unsigned char)*line))
			name[n++] = (char)tolower((unsigned char)*line);
	name[n] = '\0';
	for (size_t i = 0; i < ARRAY_COUNT(never); i++)
		require(strcmp(name, never[i]) != 0);
}

static void smb_conf_text(char *text, size_t len_bytes)
{
	const char *why = NULL;
	unsigned line = 0;

	if (keeper_smb_text(text, len_bytes, &line, &why) < 0) {
		require(why && *why);
		return;
	}
	require(strlen(text) == len_bytes);
	for (char *p = text, *end; *p; p = end) {
		end = p + strcspn(p, "\n");
		if (*end)
			*end++ = '\0';
		harmless(p);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	static bool quiet;

	if (!quiet) {
		log_set_level("all", LOG_LEVEL_ERROR);
		quiet = true;
	}
	if (len_bytes < 2 || len_bytes > KEEPER_MESSAGE_BYTES)
		return 0;
	char *text = malloc(len_bytes);          /* of exactly this length, so that a step beyond it is seen */
	require(text != NULL);
	memcpy(text, data + 1, len_bytes - 1);
	text[len_bytes - 1] = '\0';
	if (*data == 'm') {
		for (size_t i = 0; i < len_bytes - 1; i++)
			if (text[i] == '\n')
				text[i] = '\0';
		message(text, len_bytes - 1);
	} else if (*data == 'e') {
		exports(text);
	} else {
		smb_conf_text(text, len_bytes - 1);
	}
	free(text);
	return 0;
}
