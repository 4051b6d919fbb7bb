/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smb_conf.c - from a world to Samba's configuration.  A pure function, so that each preset has a golden text.
 *
 * What the keeper writes itself (folders, log, passdb, printing) is not here.  Values from outside are made harmless by
 * value(): one line, no macros, no continuation; what cannot be made harmless (a folder or a name with % in it) is refused by
 * smb_conf_check().  Raw lines are taken as they are; the keeper and testparm judge them, and struct smb_raw says which
 * line of the text belongs to which share. */
#include "share/smb_priv.h"

#include <stdio.h>
#include <string.h>

#define USERS_GROUP "users"              /* all users of ours have it */

/* ---- words of others, made into one value ------------------------------------------------------------------------ */
static void value(struct share_text *t, const char *name, const char *from)
{
	share_text_add(t, "\t%s = ", name);
	size_t n = strlen(from);
	while (n && (from[n - 1] == '\\' || from[n - 1] == ' '))
		n--; /* a backslash at the end would take the next line along */
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)from[i] < 0x20 || from[i] == 0x7f)
			share_text_add(t, " ");
		else if (from[i] == '%')
			share_text_add(t, "\xef\xbc\x85"); /* looks like it, and is no macro: U+FF05 */
		else
			share_text_add(t, "%c", from[i]);
	share_text_add(t, "\n");
}
static void line(struct share_text *t, const char *name, const char *constant)
{
	share_text_add(t, "\t%s = %s\n", name, constant);
}
static void yes_no(struct share_text *t, const char *name, bool yes)
{
	line(t, name, yes ? "yes" : "no");
}

int smb_conf_check(const struct share_spec *s, char *why, size_t why_bytes)
{
	static const char *const reserved[] = { "global", "homes", "printers", "print$", "ipc$", "netlogon", "sysvol" };
	const char *bad = NULL;
	size_t n = strlen(s->name);
	for (const char *p = s->name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f || strchr("[]%<>*?|/\\+=;:,\"", *p))
			bad = "a share's name over SMB holds none of [ ] % < > * ? | / \\ + = ; : , \"";
	for (size_t i = 0; i < ARRAY_COUNT(reserved); i++)
		if (strcasecmp(s->name, reserved[i]) == 0)
			bad = "this name has a meaning of its own in SMB; choose another";
	if (!n || n > 80 || s->name[0] == ' ' || s->name[n - 1] == ' ' || s->name[0] == '-')
		bad = "a share's name over SMB has 1 to 80 bytes, no space at its ends and no dash before it";
	n = strlen(s->folder);
	for (const char *p = s->folder; *p; p++)
		if ((unsigned char)*p < 0x20 || strchr("%\"", *p))
			bad = "Samba cannot serve a folder with % or \" in its path; give the share another --path";
	if (n && (s->folder[n - 1] == '\\' || s->folder[n - 1] == ' '))
		bad = "Samba cannot serve a folder whose path ends with a space or a backslash; give the share another --path";
	if (s->preset == SHARE_VMWARE || s->preset == SHARE_KUBERNETES)
		bad = "this preset is served over NFS only";
	if (bad)
		snprintf(why, why_bytes, "%s", bad);
	return bad ? -EINVAL : 0;
}

unsigned smb_conf_section(const char *raw)
{
	unsigned number = 0;
	for (const char *p = raw; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		number++;
		if (p[strspn(p, " \t")] == '[')
			return number;
	}
	return 0;
}

/* ---- who may -------------------------------------------------------------------------------------------------------- */
/* The entries of one kind as one line; + asks the system's groups and nothing else.  People of a domain stand there by their SIDs: a
 * name that another gets later is not the one that was meant. */
static void list(struct share_text *t, const struct share_spec *s, const char *name, const struct share_texts *entries,
		 bool (*takes)(const struct share_entry *e, bool read_only), bool read_only)
{
	bool any = false;
	for (size_t i = 0; i < entries->count; i++) {
		struct share_entry e;
		if (share_entry_parse(entries->items[i], &e) < 0 || !takes(&e, read_only))
			continue;
		const char *sid = e.of_domain ? share_sid_of(s, e.name) : NULL;
		if (!any)
			share_text_add(t, "\t%s =", name);
		if (e.of_domain)
			share_text_add(t, sid ? " %s" : " \"%s\"", sid ? sid : e.name);
		else
			share_text_add(t, " %s%s", e.who == SHARE_WHO_GROUP ? "+" : "", e.name);
		any = true;
	}
	if (any)
		share_text_add(t, "\n");
}
static bool is_person(const struct share_entry *e, bool read_only)
{
	(void)read_only;
	return e->who != SHARE_WHO_ADDRESS;
}
static bool is_reader(const struct share_entry *e, bool read_only)
{
	return e->who != SHARE_WHO_ADDRESS && e->right == SHARE_RIGHT_READ && !read_only;
}
static bool is_writer(const struct share_entry *e, bool read_only)
{
	return e->who != SHARE_WHO_ADDRESS && e->right == SHARE_RIGHT_WRITE && read_only;
}

/* Whether addresses may come, and all those only to read. */
static bool addresses_only_read(const struct share_spec *s)
{
	bool any = false;
	for (size_t i = 0; i < s->allow.count; i++) {
		struct share_entry e;
		if (share_entry_parse(s->allow.items[i], &e) < 0 || e.who != SHARE_WHO_ADDRESS)
			continue;
		if (e.right != SHARE_RIGHT_READ)
			return false;
		any = true;
	}
	return any;
}

enum which { ALL, BUT_READERS, READERS };
static size_t add_addresses(struct share_text *t, const char *before, const struct share_texts *entries, enum which which)
{
	size_t count = 0;
	for (size_t i = 0; i < entries->count; i++) {
		struct share_entry e;
		if (share_entry_parse(entries->items[i], &e) < 0 || e.who != SHARE_WHO_ADDRESS || (which != ALL && (e.right == SHARE_RIGHT_READ) != (which == READERS)))
			continue;
		share_text_add(t, "%s %s", count++ ? "" : before, e.name);
	}
	return count;
}

/* Samba lets in who is in "hosts allow" whatever "hosts deny" says, and with both lists also who is in neither.  So who is denied
 * is taken out of those who are allowed, and then all others are kept out.  It knows no address that only reads: where all are
 * of that kind the share is read-only; beside others they are kept out. */
static void host_lines(struct share_text *t, const struct share_spec *s)
{
	bool mixed = !addresses_only_read(s);
	if (add_addresses(t, "\thosts allow =", &s->allow, mixed ? BUT_READERS : ALL)) {
		size_t denied = add_addresses(t, " EXCEPT", &s->deny, ALL);
		if (mixed)
			add_addresses(t, denied ? "" : " EXCEPT", &s->allow, READERS);
		share_text_add(t, "\n");
		line(t, "hosts deny", "0.0.0.0/0 ::/0");
	} else if (add_addresses(t, "\thosts deny =", &s->deny, ALL)) {
		share_text_add(t, "\n");
	}
}

/* A library is read by all and written by those who have ":rw"; a share that is read_only is that for everybody. */
static void access_lines(struct share_text *t, const struct share_spec *s, bool in_domain)
{
	bool library = s->preset == SHARE_LIBRARY, people = false, of_domain = false;
	for (size_t i = 0; i < s->allow.count; i++) {
		struct share_entry e;
		bool is_one = share_entry_parse(s->allow.items[i], &e) == 0 && e.who != SHARE_WHO_ADDRESS;
		people |= is_one;
		of_domain |= is_one && e.of_domain;
	}
	bool only_read = s->read_only || addresses_only_read(s);
	yes_no(t, "read only", only_read || library);
	list(t, s, "valid users", &s->allow, is_person, false);
	/* "Every user" are those of this server: who is in the domain is let in by name. */
	if (in_domain && !people && !s->guest)
		line(t, "valid users", "+" USERS_GROUP);
	/* Rights in the folder are its group's, and people of a domain are in none of ours. */
	bool named = s->group && s->group[0] && strcmp(s->group, "root") != 0 && !(s->group[0] >= '0' && s->group[0] <= '9');
	/* A group of the domain has its members there, and nobody else becomes one. */
	if (of_domain && !(s->group && strchr(s->group, '\\')))
		line(t, "force group", named ? s->group : USERS_GROUP);
	list(t, s, "invalid users", &s->deny, is_person, false);
	list(t, s, "read list", &s->allow, is_reader, only_read);
	if (library && !only_read)
		list(t, s, "write list", &s->allow, is_writer, true);
	host_lines(t, s);
	if (s->guest)
		line(t, "guest ok", "yes");
	if (s->hidden)
		line(t, "browseable", "no");
}

/* ---- what it is like -------------------------------------------------------------------------------------------------- */
static void module_lines(struct share_text *t, const struct share_spec *s)
{
	bool mac = s->preset == SHARE_TIME_MACHINE;
	/* Macs ask for rights that modes cannot express, the owner's WRITE_OWNER for one: so they get the semantics of Windows. */
	bool windows = mac || s->smb_acl == SHARE_ACL_WINDOWS;
	share_text_add(t, "\tvfs objects =%s%s%s%s streams_xattr%s\n", s->smb_audit ? " full_audit" : "",
		       s->smb_recycle && !mac ? " recycle" : "", s->smb_previous_versions ? " shadow_copy2" : "", mac ? " catia fruit" : "",
		       windows ? " acl_xattr" : "");
	if (s->smb_audit) {
		/* Found again in the log by its prefix; the share's name comes last, because it may hold anything but a bar. */
		line(t, "full_audit:prefix", "holdfast-audit|%u|%I|%S");
		line(t, "full_audit:success", "connect disconnect create_file mkdirat unlinkat renameat");
		line(t, "full_audit:failure", "connect create_file mkdirat unlinkat renameat");
		line(t, "full_audit:syslog", "no");
	}
	if (s->smb_recycle && !mac) {
		line(t, "recycle:repository", ".recycle/%U");
		line(t, "recycle:directory_mode", "0770");
		line(t, "recycle:subdir_mode", "0700");
		yes_no(t, "recycle:keeptree", true);
		yes_no(t, "recycle:versions", true);
		yes_no(t, "recycle:touch", true); /* the time of deletion: what ages by it is purged */
		line(t, "recycle:exclude_dir", ".recycle .snapshots");
	}
	if (s->smb_previous_versions) {
		value(t, "shadow:mountpoint", s->folder);
		line(t, "shadow:snapdir", ".snapshots");
		share_text_add(t, "\tshadow:format = GMT-%%Y.%%m.%%d-%%H.%%M.%%S\n");
		line(t, "shadow:sort", "desc");
		yes_no(t, "shadow:localtime", false);
	}
	if (windows) {
		yes_no(t, "inherit acls", true);
		yes_no(t, "map acl inherit", true);
		yes_no(t, "dos filemode", true);
	}
	if (mac) {
		yes_no(t, "fruit:time machine", true);
		if (s->quota_bytes)
			share_text_add(t, "\tfruit:time machine max size = %lluM\n", (unsigned long long)(s->quota_bytes >> 20));
		line(t, "fruit:metadata", "stream");
		line(t, "fruit:resource", "file");
		line(t, "fruit:encoding", "native");
		yes_no(t, "fruit:veto_appledouble", false);
		yes_no(t, "fruit:posix_rename", true);
		yes_no(t, "fruit:wipe_intentionally_left_blank_rfork", true);
		yes_no(t, "fruit:delete_empty_adfiles", true);
		line(t, "catia:mappings", "0x22:0xf022,0x2a:0xf02a,0x2f:0xf02f,0x3a:0xf03a,0x3c:0xf03c,0x3e:0xf03e,0x3f:0xf03f,0x5c:0xf05c,0x7c:0xf07c");
	}
}

static void mode_lines(struct share_text *t, const struct share_spec *s)
{
	bool open = s->guest;
	switch (s->preset) {
	case SHARE_HOMES:
		line(t, "create mask", "0600");
		line(t, "directory mask", "0700");
		break;
	case SHARE_DROP_BOX:
		/* What is put in belongs to who owns the folder. */
		line(t, "inherit owner", "yes");
		line(t, "create mask", "0600");
		line(t, "directory mask", "0700");
		break;
	default:
		/* Everybody who may use the share may use what others put there; the folder's group does it. */
		if (s->smb_acl == SHARE_ACL_POSIX && s->preset != SHARE_TIME_MACHINE) {
			line(t, "create mask", open ? "0666" : "0664");
			line(t, "force create mode", open ? "0666" : "0660");
			line(t, "directory mask", open ? "2777" : "2775");
			line(t, "force directory mode", open ? "2777" : "2770");
		}
	}
}

/* Locks that NFS clients see and handles that outlive a connection exclude each other. */
static void lock_lines(struct share_text *t, const struct share_spec *s)
{
	bool durable = s->smb_durable_handles && !s->nfs;
	yes_no(t, "oplocks", s->smb_oplocks);
	if (s->smb_oplocks && s->nfs)
		yes_no(t, "kernel oplocks", true);
	if (!s->smb_oplocks)
		yes_no(t, "level2 oplocks", false);
	yes_no(t, "durable handles", durable);
	/* Linux 5.15 gave up what they are made of (LOCK_MAND); since then Samba 4.17 refuses each open file with a sharing violation. */
	yes_no(t, "kernel share modes", false);
	yes_no(t, "posix locking", !durable);
	if (s->smb_case != SHARE_CASE_AUTO)
		yes_no(t, "case sensitive", s->smb_case == SHARE_CASE_SENSITIVE);
}

static unsigned count_lines(const char *s, size_t n)
{
	unsigned lines = 0;
	for (size_t i = 0; i < n; i++)
		lines += s[i] == '\n';
	return lines;
}

/* Verbatim, but that each line ends with a line's end. */
static void raw_lines(struct share_text *t, struct smb_raws *raws, const char *share, const char *raw)
{
	if (!raw || !raw[0])
		return;
	size_t n = strlen(raw);
	unsigned first = count_lines(t->bytes, t->len_bytes) + 1;
	share_text_add(t, "%s%s", raw, raw[n - 1] == '\n' ? "" : "\n");
	if (raws->count < raws->room) {
		raws->items[raws->count++] = (struct smb_raw){ .share = share, .first_line = first,
							       .last_line = t->failed ? first : count_lines(t->bytes, t->len_bytes) };
	}
}

static void share_lines(struct share_text *t, const struct share_spec *s, bool in_domain)
{
	static const char *const encryption[] = { [SHARE_ENCRYPTION_OFF] = "off", [SHARE_ENCRYPTION_DESIRED] = "desired", [SHARE_ENCRYPTION_REQUIRED] = "required" };
	share_text_add(t, "[%s]\n", s->name);
	if (s->preset == SHARE_HOMES)
		share_text_add(t, "\tpath = %s/%%U\n", s->folder);
	else
		share_text_add(t, "\tpath = %s\n", s->folder);
	if (s->comment && s->comment[0])
		value(t, "comment", s->comment);
	access_lines(t, s, in_domain);
	/* Off means that a client may ask for it, as Samba's own default has it.  Who has no password has no key: a share that
	 * wishes for encryption would refuse every guest (INVALID_PARAMETER_MIX). */
	if (s->smb_encryption == SHARE_ENCRYPTION_REQUIRED || (s->smb_encryption == SHARE_ENCRYPTION_DESIRED && !s->guest))
		line(t, "smb encrypt", encryption[s->smb_encryption]);
	yes_no(t, "ea support", true);
	yes_no(t, "store dos attributes", true);
	line(t, "map archive", "no");
	yes_no(t, "hide unreadable", s->preset != SHARE_DROP_BOX);
	line(t, "hide files", "/.snapshots/.recycle/");
	mode_lines(t, s);
	lock_lines(t, s);
	module_lines(t, s);
}

/* ---- the server --------------------------------------------------------------------------------------------------------- */
static bool is_any(const char *address)
{
	return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

/* Samba listens on every port of every address, so the portals have to be such a grid. */
int smb_conf_check_portals(const struct share_world *w, char *why, size_t why_bytes)
{
	for (size_t i = 0; i < w->portal_count; i++)
		for (size_t j = 0; j < w->portal_count; j++) {
			const struct share_portal *a = &w->portals[i], *b = &w->portals[j];
			bool there = false;
			if (a->nfs || b->nfs)
				continue;
			for (size_t k = 0; k < w->portal_count; k++)
				there |= !w->portals[k].nfs && strcmp(w->portals[k].address, a->address) == 0 && w->portals[k].port == b->port;
			if (!there && !is_any(a->address)) {
				snprintf(why, why_bytes, "Samba listens on every port at every address: with the SMB portals %s:%u and %s:%u there must be %s:%u too",
					 a->address, a->port, b->address, b->port, a->address, b->port);
				return -EINVAL;
			}
		}
	return 0;
}

static void portal_lines(struct share_text *t, const struct share_world *w)
{
	bool any = false, first = true;
	size_t count = 0;
	for (size_t i = 0; i < w->portal_count; i++) {
		any |= !w->portals[i].nfs && is_any(w->portals[i].address);
		count += !w->portals[i].nfs;
	}
	/* Nothing is started without a portal; the text is judged all the same, and an empty list is a mistake to Samba. */
	if (!count) {
		share_text_add(t, "\tsmb ports = 445\n\tinterfaces = lo\n\tbind interfaces only = yes\n");
		return;
	}
	share_text_add(t, "\tsmb ports =");
	for (size_t i = 0; i < w->portal_count; i++) {
		bool seen = w->portals[i].nfs;
		for (size_t j = 0; j < i; j++)
			seen |= !w->portals[j].nfs && w->portals[j].port == w->portals[i].port;
		if (!seen)
			share_text_add(t, " %u", w->portals[i].port);
	}
	share_text_add(t, "\n");
	if (any)
		return;
	for (size_t i = 0; i < w->portal_count; i++) {
		bool seen = w->portals[i].nfs;
		for (size_t j = 0; j < i; j++)
			seen |= !w->portals[j].nfs && strcmp(w->portals[j].address, w->portals[i].address) == 0;
		if (!seen) {
			share_text_add(t, first ? "\tinterfaces = %s" : " %s", w->portals[i].address);
			first = false;
		}
	}
	share_text_add(t, "\n\tbind interfaces only = yes\n");
}

static void server_lines(struct share_text *t, const struct share_world *w, struct smb_raws *raws)
{
	static const char *const signing[] = { [SHARE_SIGNING_AUTO] = "default", [SHARE_SIGNING_DESIRED] = "desired", [SHARE_SIGNING_REQUIRED] = "required" };
	const struct share_settings *s = &w->settings;
	bool guest = false, mac = false;
	for (size_t i = 0; i < w->share_count; i++) {
		const struct share_spec *p = &w->shares[i];
		guest |= p->enabled && p->smb && p->guest;
		mac |= p->enabled && p->smb && p->preset == SHARE_TIME_MACHINE;
	}
	share_text_add(t, "[global]\n");
	value(t, "workgroup", s->smb_workgroup && s->smb_workgroup[0] ? s->smb_workgroup : "WORKGROUP");
	if (s->smb_server_name && s->smb_server_name[0])
		value(t, "netbios name", s->smb_server_name);
	line(t, "server string", "Holdfast");
	portal_lines(t, w);
	line(t, "server min protocol", s->smb_min_protocol && s->smb_min_protocol[0] ? s->smb_min_protocol : "SMB2_10");
	line(t, "server signing", signing[s->smb_signing]);
	yes_no(t, "server multi channel support", s->smb_multichannel);
	line(t, "map to guest", guest ? "bad user" : "never");
	/* What Macs negotiate is one for all shares of a connection. */
	if (mac) {
		yes_no(t, "fruit:aapl", true);
		yes_no(t, "fruit:copyfile", true);
		line(t, "fruit:model", "MacSamba");
	}
	raw_lines(t, raws, NULL, s->smb_raw);
}

static bool is_served(const struct share_spec *s)
{
	char why[256];
	return s->enabled && s->smb && smb_conf_check(s, why, sizeof(why)) == 0;
}

int smb_conf(const struct share_world *w, bool (*skip)(const struct share_spec *s), struct share_text *ret, struct smb_raws *raws)
{
	server_lines(ret, w, raws);
	for (size_t i = 0; i < w->share_count; i++) {
		const struct share_spec *s = &w->shares[i];
		if (!is_served(s) || (skip && skip(s)))
			continue;
		share_lines(ret, s, w->settings.in_domain);
		raw_lines(ret, raws, s->name, s->smb_raw);
	}
	return ret->failed ? -ENOMEM : 0;
}
