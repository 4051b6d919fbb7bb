/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tree_acl.c - holdfast-remote: who may what with a foreign file, as this machine's file systems and Samba keep it.
 *
 * What the server says are Windows entries with names and SIDs.  They become owner, mode and POSIX entries (acl(5)), those that
 * are inherited the default entries of a folder; and for a share with Windows rights the whole of it as security.NTACL, which
 * is where Samba's acl_xattr looks.  Names without a number here have no entry, which is counted: nothing becomes more open. */
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "remote/worker_priv.h"

static const char *plain_name(const char *name)
{
	const char *slash = strrchr(name, '\\');
	return slash ? slash + 1 : name;
}

bool tree_number_of(const json_t *table, const char *name, unsigned *ret)
{
	json_t *v = json_object_get(table, plain_name(name));
	if (!json_is_integer(v))
		return false;
	*ret = (unsigned)json_integer_value(v);
	return true;
}

/* One name may be a user's and a group's; only a Samba without a domain tells which it means. */
static bool find(const struct tree_opts *o, const char *who, bool *ret_group, unsigned *ret_id)
{
	*ret_group = strncmp(who, "Unix User\\", 10) != 0 && tree_number_of(o->groups, who, ret_id);
	return *ret_group || (strncmp(who, "Unix Group\\", 11) != 0 && tree_number_of(o->users, who, ret_id));
}

static void put_le(uint8_t *p, uint32_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* ---- POSIX: as the kernel takes it in system.posix_acl_* ------------------------------------------------------------- */
struct entry {
	uint16_t tag, perm;
	uint32_t id;
};
struct posix {
	struct entry e[TREE_ACLS_MAX + 4];
	size_t count;                    /* named ones */
	unsigned user, group, other;
	bool lost;
};
enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };
#define ACL_BYTES(n) (4 + 8 * (n))

static void add(struct posix *p, uint16_t tag, uint32_t id, unsigned rights)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->e[i].tag == tag && p->e[i].id == id) {
			p->e[i].perm |= (uint16_t)rights;
			return;
		}
	p->e[p->count++] = (struct entry){ tag, (uint16_t)rights, id };
}

static bool has(const struct tree_acls *a, const char *who)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->entry[i].below && strcmp(plain_name(a->entry[i].who), who) == 0)
			return true;
	return false;
}

/* below: those that are inherited; there the owner is whoever makes a thing, where the server knows of one.  A group that is none
 * here has no rights: the group that the file has instead is another one. */
static void collect(const struct tree_opts *o, const struct tree_acls *a, bool below, struct posix *p)
{
	bool creator = below && has(a, "CREATOR OWNER"), creators = below && has(a, "CREATOR GROUP");
	unsigned id;
	for (size_t i = 0; i < a->count; i++) {
		const struct tree_acl *x = &a->entry[i];
		const char *plain = plain_name(x->who);
		bool is_group, made = strncmp(plain, "CREATOR ", 8) == 0;
		if (below ? !x->below : !x->here || made)
			continue;
		if (x->deny)
			p->lost = true;
		else if (!*x->who)
			p->other |= x->rights;
		else if (creator ? strcmp(plain, "CREATOR OWNER") == 0 : strcmp(x->who, a->owner) == 0)
			p->user |= x->rights;
		else if (creators && strcmp(plain, "CREATOR GROUP") == 0)
			p->group |= x->rights;
		else if (!creators && strcmp(x->who, a->group) == 0 && tree_number_of(o->groups, a->group, &id))
			p->group |= x->rights;
		else if (!made && find(o, x->who, &is_group, &id))
			add(p, is_group ? GROUP : USER, id, x->rights);
		else
			p->lost |= x->rights != 0;
	}
}

static int in_order(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	return x->tag != y->tag ? (int)x->tag - (int)y->tag : x->id < y->id ? -1 : x->id > y->id;
}

/* The mask of what was set, or -errno. */
static int set_posix(int fd, const char *name, struct posix *p)
{
	uint8_t raw[ACL_BYTES(TREE_ACLS_MAX + 4)];
	unsigned mask = p->group;
	size_t n = p->count;
	for (size_t i = 0; i < n; i++)
		mask |= p->e[i].perm;
	p->e[n++] = (struct entry){ USER_OBJ, (uint16_t)p->user, UINT32_MAX };
	p->e[n++] = (struct entry){ GROUP_OBJ, (uint16_t)p->group, UINT32_MAX };
	p->e[n++] = (struct entry){ OTHER, (uint16_t)p->other, UINT32_MAX };
	if (p->count)
		p->e[n++] = (struct entry){ MASK, (uint16_t)mask, UINT32_MAX };
	qsort(p->e, n, sizeof(p->e[0]), in_order);
	put_le(raw, 2, 4);
	for (size_t i = 0; i < n; i++) {
		put_le(raw + 4 + 8 * i, p->e[i].tag, 2);
		put_le(raw + 6 + 8 * i, p->e[i].perm, 2);
		put_le(raw + 8 + 8 * i, p->e[i].id, 4);
	}
	return fsetxattr(fd, name, raw, ACL_BYTES(n), 0) ? -errno : (int)mask;
}

mode_t tree_acl_posix(const struct tree_opts *o, int fd, const struct tree_acls *a, mode_t mode, bool is_dir, struct tree_sum *sum)
{
	struct posix here = { 0 }, below = { 0 };
	bool set = false;
	collect(o, a, false, &here);
	if (is_dir)
		collect(o, a, true, &below);
	bool lost = here.lost || below.lost;
	if (below.user || below.group || below.other || below.count) {
		/* Without one for whoever makes a thing, that is who owns the folder. */
		if (!below.user)
			below.user = 7;
		set = set_posix(fd, "system.posix_acl_default", &below) >= 0;
		lost |= !set;
	}
	if (here.user || here.group || here.other || here.count) {
		mode = (mode & 07000) | (mode_t)(here.user << 6 | here.group << 3 | here.other);
		int mask = here.count ? set_posix(fd, "system.posix_acl_access", &here) : -ENODATA;
		if (mask >= 0)
			mode = (mode & ~(mode_t)070) | (mode_t)(mask << 3);
		set |= mask >= 0;
		lost |= here.count && mask < 0;
	}
	sum->acls += set;
	sum->acls_lost += lost;
	return mode;
}

/* ---- Windows: MS-DTYP 2.4, in the envelope of Samba's xattr.idl (version 1, which carries no sum of the POSIX rights) ---- */
#define SID_BYTES_MAX 68
/* "S-1-AUTHORITY-A-B-.."; the bytes written, 0: it is none. */
static size_t put_sid(uint8_t *p, const char *text)
{
	char *end;
	unsigned count = 0;
	if (strncmp(text, "S-1-", 4) != 0)
		return 0;
	uint64_t authority = strtoull(text + 4, &end, 0);
	p[0] = 1;
	for (int i = 0; i < 6; i++)
		p[2 + i] = (uint8_t)(authority >> 8 * (5 - i));
	while (*end == '-' && count < 15)
		put_le(p + 8 + 4 * count++, (uint32_t)strtoull(end + 1, &end, 10), 4);
	p[1] = (uint8_t)count;
	return *end ? 0 : 8 + 4 * count;
}

/* Who that is here.  SIDs of a domain or a machine mean nothing on another one; those that are the same everywhere stay. */
static bool sid_here(const struct tree_opts *o, const struct tree_acl *x, char text[64])
{
	unsigned id;
	bool is_group;
	if (strncmp(x->sid, "S-1-5-21-", 9) != 0 && strncmp(x->sid, "S-1-22-", 7) != 0) {
		snprintf(text, 64, "%.63s", x->sid);
		return *text;
	}
	if (!find(o, x->who, &is_group, &id))
		return false;
	snprintf(text, 64, "S-1-22-%d-%u", is_group ? 2 : 1, id);
	return true;
}

void tree_acl_windows(const struct tree_opts *o, int fd, const struct tree_acls *a, struct tree_sum *sum)
{
	enum { HEAD = 8, SD = 20 };
	uint8_t raw[HEAD + SD + 2 * SID_BYTES_MAX + 8 + TREE_ACLS_MAX * (8 + SID_BYTES_MAX)] = { 0 };
	char text[64];
	struct stat st;
	size_t at = HEAD + SD, count = 0;
	bool lost = false;
	if (fstat(fd, &st))
		return;
	put_le(raw, 1, 2);               /* version, which member of the union, a pointer that is not NULL */
	put_le(raw + 2, 1, 2);
	put_le(raw + 4, 0x20000, 4);
	uint8_t *sd = raw + HEAD;
	sd[0] = 1;
	put_le(sd + 2, 0x8004, 2);       /* self-relative, with a list */
	put_le(sd + 4, HEAD + SD, 4);    /* offsets count from the envelope */
	snprintf(text, sizeof(text), "S-1-22-1-%u", st.st_uid);
	at += put_sid(raw + at, text);
	put_le(sd + 8, (uint32_t)at, 4);
	snprintf(text, sizeof(text), "S-1-22-2-%u", st.st_gid);
	at += put_sid(raw + at, text);
	put_le(sd + 16, (uint32_t)at, 4);
	uint8_t *acl = raw + at;
	at += 8;
	for (size_t i = 0; i < a->count; i++) {
		const struct tree_acl *x = &a->entry[i];
		size_t sid = x->type <= 1 && sid_here(o, x, text) ? put_sid(raw + at + 8, text) : 0;
		if (!sid) {
			lost = true;
			continue;
		}
		raw[at] = x->type;
		raw[at + 1] = x->flags;
		put_le(raw + at + 2, (uint32_t)(8 + sid), 2);
		put_le(raw + at + 4, x->mask, 4);
		at += 8 + sid;
		count++;
	}
	if (!count) {
		sum->acls_lost++;
		return;
	}
	acl[0] = 2;
	put_le(acl + 2, (uint32_t)(raw + at - acl), 2);
	put_le(acl + 4, (uint32_t)count, 4);
	if (fsetxattr(fd, "security.NTACL", raw, at, 0))
		lost = true;
	else
		sum->acls++;
	sum->acls_lost += lost;
}
