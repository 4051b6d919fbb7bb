/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs_krb5.c - NFS with Kerberos: which keytab holds the key of nfs/HOST, and who a principal is on this machine.
 *
 * nfs/etc/krb5.keytab           what an administrator gave counts first
 * smb/private/krb5.keytab       then what the domain has, when this machine is a member of one (op_domain.c keeps it fresh)
 * /etc/krb5.keytab              then the machine's own
 *
 * People of the domain are asked of winbind by their whole name, so a local user of the same name is never taken for one of them.
 * Without a domain, NAME@REALM is the user NAME of this machine: the realm is the one whose key the administrator put here. */
#include "broker/domain_priv.h"
#include "broker/nfs_priv.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>

#define GIVEN "nfs/etc/krb5.keytab"
#define DOMAINS "smb/private/krb5.keytab"
#define MACHINES "/etc/krb5.keytab"
#define KRB5_CONF "nfs/etc/krb5.conf"
#define IDMAP_CONF "nfs/etc/idmapd.conf"
#define KEYTAB_MAX 65536

static const char *const sources[] = { [NFS_KEYTAB_NONE] = "none", [NFS_KEYTAB_GIVEN] = "given", [NFS_KEYTAB_DOMAIN] = "domain", [NFS_KEYTAB_MACHINE] = "machine" };

/* ---- which keytab -------------------------------------------------------------------------------------------- */
static void *read_keytab(const char *path, size_t *ret_len)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? NULL : keeper_read_fd(fd, KEYTAB_MAX, ret_len);
}

struct found {
	char realm[256];                 /* of the first key of nfs/HOST; "" there is none */
	unsigned count;
};

static bool is_for_nfs(const struct keytab_key *k)
{
	return strncmp(k->principal, "nfs/", 4) == 0 && k->realm_at > 5;
}

static void note_realm(void *arg, const struct keytab_key *k)
{
	struct found *f = arg;
	f->count++;
	if (!f->realm[0] && is_for_nfs(k))
		snprintf(f->realm, sizeof(f->realm), "%s", k->principal + k->realm_at);
}

int nfs_keytab_check(const void *bytes, size_t len_bytes, char realm[256], char *why, size_t why_bytes)
{
	struct found f = { .count = 0 };
	if (keytab_each(bytes, len_bytes, note_realm, &f) < 0)
		snprintf(why, why_bytes, "this is no keytab (of version 2, as MIT Kerberos, Heimdal, Samba and ktpass write it)");
	else if (!f.realm[0])
		snprintf(why, why_bytes, "the keytab has %u key%s and none of nfs/HOST, the name by which clients mount", f.count, f.count == 1 ? "" : "s");
	else
		return snprintf(realm, 256, "%s", f.realm), 0;
	return -EINVAL;
}

void nfs_krb5_look(struct nfs_krb5 *ret)
{
	struct domain d;
	char path[PATH_MAX], why[160] = "";
	*ret = (struct nfs_krb5){ .source = NFS_KEYTAB_NONE };
	if (keeper_domain(&d))
		snprintf(ret->domain, sizeof(ret->domain), "%s", d.realm);
	for (unsigned i = NFS_KEYTAB_GIVEN; i <= NFS_KEYTAB_MACHINE; i++) {
		size_t len = 0;
		if (i == NFS_KEYTAB_DOMAIN && !ret->domain[0])
			continue;
		snprintf(ret->keytab, sizeof(ret->keytab), "%s", i == NFS_KEYTAB_MACHINE ? MACHINES : keeper_path(path, "%s", i == NFS_KEYTAB_GIVEN ? GIVEN : DOMAINS));
		_cleanup_(freep) void *bytes = read_keytab(ret->keytab, &len);
		int r = bytes ? nfs_keytab_check(bytes, len, ret->realm, why, sizeof(why)) : -ENOENT;
		if (r == 0) {
			ret->source = (enum nfs_keytab)i;
			return;
		}
	}
	ret->keytab[0] = '\0';
	if (ret->domain[0] && !why[0])
		domain_keytab_why(why, sizeof(why));
	if (why[0])
		snprintf(ret->why, sizeof(ret->why), "Kerberos needs the key of nfs/HOST: %s", why);
	else
		snprintf(ret->why, sizeof(ret->why), "Kerberos needs a keytab with the key of nfs/HOST: holdfast nas set-keytab FILE, or join a domain");
}

/* ---- texts ----------------------------------------------------------------------------------------------------- */
/* A realm as a part of a regular expression of POSIX. */
static void as_pattern(FILE *f, const char *realm)
{
	for (; *realm; realm++)
		fprintf(f, isalnum((unsigned char)*realm) || *realm == '-' || *realm == '_' ? "%c" : "[%c]", *realm);
}

void nfs_krb5_idmap(FILE *f, const struct nfs_krb5 *k)
{
	const char *domain = k->domain[0] ? k->domain : k->realm;
	/* A keytab of another realm than the domain's: its people are local users, those of the domain never are. */
	bool local = k->realm[0] && strcmp(k->realm, k->domain) != 0;
	fputs("# Written by holdfastd --keeper; changes are lost.\n[General]\nDomain = ", f);
	for (const char *p = domain[0] ? domain : "localdomain"; *p; p++)
		fputc(tolower((unsigned char)*p), f);
	if (local)
		fprintf(f, "\nLocal-Realms = %s", k->realm);
	fprintf(f, "\n[Translation]\nMethod = %s\nGSS-Methods = %s%s%s\n", k->domain[0] ? "regex" : "nsswitch", k->domain[0] ? "regex" : "",
		k->domain[0] && local ? "," : "", !k->domain[0] || local ? "nsswitch" : "");
	if (k->domain[0]) {
		fputs("[Regex]\nUser-Regex = ^([^@/]+@", f);
		as_pattern(f, k->domain);
		fputs(")$\nGroup-Regex = ^([^@/]+@", f);
		as_pattern(f, k->domain);
		fputs(")$\n", f);
	}
}

void nfs_krb5_conf(FILE *f, const struct nfs_krb5 *k)
{
	/* Clients come by any name that the keytab has, also where this machine calls itself otherwise. */
	fprintf(f, "# Written by holdfastd --keeper; changes are lost.\n[libdefaults]\n\tdefault_realm = %s\n\tdns_lookup_realm = false\n\tdns_lookup_kdc = false\n\trdns = false\n"
		"\tdns_canonicalize_hostname = false\n\tignore_acceptor_hostname = true\n", k->realm);
}

static int write_text(const char *below, void (*print)(FILE *f, const struct nfs_krb5 *k), const struct nfs_krb5 *k)
{
	_cleanup_(freep) char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return -ENOMEM;
	print(f, k);
	return fclose(f) != 0 ? -ENOMEM : keeper_write(below, text, len, 0600, NULL);
}

int nfs_krb5_write(const struct nfs_krb5 *k)
{
	char path[PATH_MAX];
	int r = keeper_mkdir("nfs/etc", 0700);
	r = r < 0 ? r : write_text(IDMAP_CONF, nfs_krb5_idmap, k);
	if (r == 0 && k->realm[0])
		r = write_text(KRB5_CONF, nfs_krb5_conf, k);
	else if (r == 0)
		unlink(keeper_path(path, KRB5_CONF));
	return r;
}

/* Who takes tickets asks nobody about them, so this is all that there is: NFS-Ganesha would wait for the realm's servers when it starts. */
const char *nfs_krb5_env(void)
{
	static char env[PATH_MAX + 64];
	char path[PATH_MAX];
	snprintf(env, sizeof(env), "KRB5_CONFIG=%s", keeper_path(path, KRB5_CONF));
	return env;
}

/* ---- what the daemon may ask -------------------------------------------------------------------------------------- */
static void describe_key(void *arg, const struct keytab_key *k)
{
	char type[32];
	keytab_type_name(k->type, type);
	fprintf(arg, "key %s %u %s\n", k->principal, (unsigned)k->version, type);
}

/* Lines "source WORD", "realm NAME", "why WORDS" (it cannot be used), "key PRINCIPAL VERSION TYPE". */
static int run_show(struct keeper_request *rq)
{
	struct nfs_krb5 k;
	size_t len = 0, text_len = 0;
	_cleanup_(freep) char *text = NULL;
	nfs_krb5_look(&k);
	FILE *f = open_memstream(&text, &text_len);
	if (!f)
		return keeper_refuse(rq, -ENOMEM, "out of memory");
	fprintf(f, "source %s\n", sources[k.source]);
	if (k.realm[0])
		fprintf(f, "realm %s\n", k.realm);
	if (k.why[0])
		fprintf(f, "why %s\n", k.why);
	_cleanup_(freep) void *bytes = k.source == NFS_KEYTAB_NONE ? NULL : read_keytab(k.keytab, &len);
	int r = bytes ? keytab_each(bytes, len, describe_key, f) : 0;
	if (fclose(f) != 0 || r < 0)
		return keeper_refuse(rq, -ENOMEM, "out of memory");
	rq->answer_fd = keeper_memfd("keytab", text, text_len);
	return rq->answer_fd < 0 ? keeper_refuse(rq, -ENOMEM, "out of memory") : 0;
}

static int run_set(struct keeper_request *rq)
{
	size_t len = 0;
	char realm[256];
	_cleanup_(freep) void *bytes = keeper_read_fd(rq->fd, KEYTAB_MAX, &len);
	if (!bytes)
		return keeper_refuse(rq, -E2BIG, "the keytab is too long");
	int r = nfs_keytab_check(bytes, len, realm, rq->text, sizeof(rq->text));
	if (r < 0)
		return r;
	r = keeper_mkdir("nfs/etc", 0700);
	r = r < 0 ? r : keeper_write(GIVEN, bytes, len, 0600, NULL);
	explicit_bzero(bytes, len);
	return r < 0 ? keeper_refuse(rq, r, "cannot write the keytab: %s", strerror(-r)) : 0;
}

static int run_remove(struct keeper_request *rq)
{
	char path[PATH_MAX];
	return unlink(keeper_path(path, GIVEN)) == 0 ? 0 : keeper_refuse(rq, -errno, "no keytab was given to this machine");
}

const struct keeper_op keeper_ops_krb5[] = {
	{ .name = "nfs-keytab", .args = "", .run = run_show },
	{ .name = "nfs-keytab-set", .args = "f", .changes = true, .run = run_set },
	{ .name = "nfs-keytab-remove", .args = "", .changes = true, .run = run_remove },
	{ .name = NULL },
};
