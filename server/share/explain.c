/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain.c - why can this user or client not open that share?  Walks the way that a client goes, over SMB and over NFS, and says
 * at each step whether it is open, and what to type when it is not.  It asks nobody but the file system: what a world
 * says is what smb_conf.c and nfs_describe.c make of it. */
#include "share/nfs_priv.h"

#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>

enum verdict { CLOSED, OPEN, UNSURE };
struct walk {
	const struct share_world *w;
	const struct share_spec *s;
	const struct share_explain_opts *o;
	const struct share_user *user;   /* NULL: not named, or there is none */
	const char *protocol;            /* of the way under way; NULL before */
	json_t *steps;                   /* owned by the caller */
	bool shut, writes;               /* this way has a closed step; may write so far */
};

/* fix: "" when there is nothing to do. */
_printf_(5, 6) static void step(struct walk *w, const char *check, enum verdict v, const char *fix, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	w->shut |= v == CLOSED;
	json_array_append_new(w->steps, json_pack("{s:s, s:s?, s:o, s:s, s:s?}", "check", check, "protocol", w->protocol, "ok",
						  v == UNSURE ? json_null() : json_boolean(v == OPEN), "text", text, "fix", *fix ? fix : NULL));
}

static const char *fix_of(char buf[256], const char *fmt, const char *a, const char *b)
{
	snprintf(buf, 256, fmt, a, b);
	return buf;
}

/* ---- what both protocols share ------------------------------------------------------------------------------ */
static void look_at_share(struct walk *w)
{
	char fix[256];
	struct share_state st;
	if (!w->s->enabled)
		step(w, "share", CLOSED, fix_of(fix, "holdfast share set %s --enabled on%s", w->s->name, ""), "Share %s is disabled.", w->s->name);
	else if (share_state(w->s->id, &st) == 0 && st.live == SHARE_LIVE_FAILED)
		step(w, "share", CLOSED, fix_of(fix, "holdfast share show %s%s", w->s->name, ""), "Share %s is not served: %s.", w->s->name, st.reason);
	else
		step(w, "share", OPEN, "", "Share %s is enabled.", w->s->name);
}

static bool is_member(const struct share_world *w, const char *user, const char *group)
{
	for (size_t i = 0; i < w->group_count; i++)
		for (size_t k = 0; k < w->groups[i].members.count && strcmp(w->groups[i].name, group) == 0; k++)
			if (strcmp(w->groups[i].members.items[k], user) == 0)
				return true;
	return false;
}

static bool has_gid(const struct walk *w, gid_t gid)
{
	struct group g, *found = NULL;
	char buf[4096];
	for (size_t i = 0; i < w->w->group_count; i++)
		if (w->w->groups[i].gid == gid && is_member(w->w, w->user->name, w->w->groups[i].name))
			return true;
	/* Everybody's first group. */
	return getgrnam_r("users", &g, buf, sizeof(buf), &found) == 0 && found && found->gr_gid == gid;
}

/* The bits of a mode that are this user's. */
static unsigned bits_of(const struct walk *w, const struct stat *st)
{
	unsigned shift = st->st_uid == w->user->uid ? 6 : has_gid(w, st->st_gid) ? 3 : 0;
	return (unsigned)st->st_mode >> shift & 7;
}

/* May the user go to the folder and into it?  False: told already. */
static void look_at_folder(struct walk *w)
{
	struct stat st;
	char fix[1300], at[1200];
	const char *folder = w->s->folder;
	if (stat(folder, &st) < 0) {
		if (errno == EACCES)
			step(w, "folder", UNSURE, "", "The folder %s is not to be seen by the daemon, so its rights are not known.", folder);
		else
			step(w, "folder", CLOSED, "Bring its disk back, or make the folder again.", "The folder %s cannot be opened: %s.", folder, strerror(errno));
		return;
	}
	if (!w->user) {
		step(w, "folder", OPEN, "", "The folder %s is there: owner %u, group %u, mode %04o.", folder, (unsigned)st.st_uid, (unsigned)st.st_gid, (unsigned)st.st_mode & 07777);
		return;
	}
	for (const char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		struct stat above;
		snprintf(at, sizeof(at), "%.*s", (int)(slash - folder), folder);
		if (stat(at, &above) == 0 && !(bits_of(w, &above) & 1)) {
			snprintf(fix, sizeof(fix), "chmod o+x %s", at);
			step(w, "folder", CLOSED, fix, "User %s may not pass through the folder %s (mode %04o).", w->user->name, at, (unsigned)above.st_mode & 07777);
			return;
		}
	}
	unsigned bits = bits_of(w, &st);
	bool acl = w->s->smb_acl == SHARE_ACL_WINDOWS || getxattr(folder, "system.posix_acl_access", NULL, 0) > 0;
	snprintf(fix, sizeof(fix), "holdfast share set %s --group GROUP --mode 2770   (a group that %s is in), or: chmod %s", w->s->name, w->user->name, folder);
	if (w->s->preset == SHARE_HOMES)
		step(w, "folder", w->user->home ? OPEN : CLOSED, w->user->home ? "" : fix_of(at, "holdfast user set %s --home on%s", w->user->name, ""),
		     w->user->home ? "User %s has a home of their own here." : "User %s has no home here.", w->user->name);
	else if (acl)
		step(w, "folder", UNSURE, "", "The folder %s has an access control list, which decides more than its mode %04o (owner %u, group %u).", folder,
		     (unsigned)st.st_mode & 07777, (unsigned)st.st_uid, (unsigned)st.st_gid);
	else if ((bits & 5) == 0)
		step(w, "folder", CLOSED, fix, "User %s (%u) has no right to the folder %s (owner %u, group %u, mode %04o).", w->user->name, w->user->uid, folder,
		     (unsigned)st.st_uid, (unsigned)st.st_gid, (unsigned)st.st_mode & 07777);
	else
		step(w, "folder", OPEN, "", "In the folder %s user %s may %s.", folder, w->user->name,
		     (bits & 5) == 1 ? (bits & 2 ? "put files, but not list them" : "open files whose names are known") : bits & 2 ? "read and write" : "read, not write");
	w->writes &= acl || w->s->preset == SHARE_HOMES || (bits & 2);
}

static void look_at_writing(struct walk *w)
{
	char fix[256];
	if (w->s->read_only)
		step(w, "read_only", UNSURE, fix_of(fix, "holdfast share set %s --read-only off%s", w->s->name, ""), "Share %s is read-only: it can be opened, and nobody may write.", w->s->name);
	w->writes &= !w->s->read_only;
}

static bool begin(struct walk *w, const char *protocol, bool on, const char *not_listening)
{
	char fix[256];
	bool smb = strcmp(protocol, "smb") == 0, any = false;
	char list[300] = "";
	w->protocol = protocol;
	w->shut = false;
	w->writes = true;
	if (!on) {
		step(w, "protocol", UNSURE, fix_of(fix, "holdfast share set %s --%s on", w->s->name, protocol), "Share %s is not served over %s.", w->s->name, smb ? "SMB" : "NFS");
		return false;
	}
	for (size_t i = 0; i < w->w->portal_count; i++) {
		const struct share_portal *p = &w->w->portals[i];
		if (p->nfs == smb)
			continue;
		any = true;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), strchr(p->address, ':') ? "%s[%s]:%u" : "%s%s:%u", *list ? ", " : "", p->address, p->port);
	}
	if (!any)
		step(w, "portal", CLOSED, smb ? "holdfast portal add smb 0.0.0.0:445" : "holdfast portal add nfs 0.0.0.0:2049", "No portal serves %s, so no server of it runs.", smb ? "SMB" : "NFS");
	else if (*not_listening)
		step(w, "portal", CLOSED, "holdfast nas", "The %s server does not answer at %s: %s.", smb ? "SMB" : "NFS", list, not_listening);
	else
		step(w, "portal", OPEN, "", "The %s server answers at %s. A firewall between is not to be seen from here.", smb ? "SMB" : "NFS", list);
	return true;
}

/* ---- SMB -------------------------------------------------------------------------------------------------------- */
static void look_at_user(struct walk *w)
{
	struct share_user_state st = { 0 };
	char fix[256];
	const char *name = w->o->user;
	if (!name) {
		step(w, "user", w->s->guest ? OPEN : UNSURE, w->s->guest ? "" : fix_of(fix, "holdfast explain USER %s%s", w->s->name, ""),
		     w->s->guest ? "Guests may come in without a password." : "SMB asks for a user and a password; this looks at none of them.");
		return;
	}
	if (!w->user && strpbrk(name, "\\@"))
		step(w, "user", UNSURE, "holdfast nas domain", "%s is of a domain, which knows them and their groups.", name);
	else if (!w->user)
		step(w, "user", CLOSED, fix_of(fix, "holdfast user create %s --password-file FILE%s", name, ""), "There is no user %s.", name);
	else if (!w->user->enabled)
		step(w, "user", CLOSED, fix_of(fix, "holdfast user set %s --enabled on%s", name, ""), "User %s is disabled.", name);
	else if (w->user->expires_s && w->user->expires_s <= (int64_t)time(NULL))
		step(w, "user", CLOSED, fix_of(fix, "holdfast user set %s --expires-at TIME%s", name, ""), "User %s has expired.", name);
	else if (w->user->password_serial == 0)
		step(w, "user", CLOSED, fix_of(fix, "holdfast user password %s --password-file FILE%s", name, ""), "User %s has no password, and SMB lets nobody in without.", name);
	else if (share_user_state(name, &st) == 0 && st.locked)
		step(w, "user", CLOSED, fix_of(fix, "holdfast user unlock %s%s", name, ""), "User %s is locked after wrong passwords.", name);
	else
		step(w, "user", OPEN, "", "User %s is enabled and has a password; whether it is the one that the client sends is not known here.", name);
}

/* Is there an entry of this list that means the address?  *ret_any: any entry about addresses at all. */
static const char *address_in(const struct share_texts *list, const char *address, bool *ret_any)
{
	*ret_any = false;
	for (size_t i = 0; i < list->count; i++) {
		struct share_entry e;
		if (share_entry_parse(list->items[i], &e) < 0 || e.who != SHARE_WHO_ADDRESS)
			continue;
		*ret_any = true;
		if (address && nfs_who_fits(e.name, address) == 1)
			return list->items[i];
	}
	return NULL;
}

/* The rules of host_lines() in smb_conf.c: deny counts more; with an allow list, others are kept out; and where some addresses
 * only read and some do not, those that only read are kept out. */
static void look_at_address(struct walk *w)
{
	bool allows, denies, mixed = false;
	char fix[256];
	struct share_entry e = { 0 }, other;
	const char *address = w->o->address, *allow = address_in(&w->s->allow, address, &allows), *deny = address_in(&w->s->deny, address, &denies);
	bool reads = allow && share_entry_parse(allow, &e) == 0 && e.right == SHARE_RIGHT_READ;
	for (size_t i = 0; i < w->s->allow.count; i++)
		mixed |= reads && share_entry_parse(w->s->allow.items[i], &other) == 0 && other.who == SHARE_WHO_ADDRESS && other.right != SHARE_RIGHT_READ;
	if (!allows && !denies)
		step(w, "address", OPEN, "", "Every address may use share %s.", w->s->name);
	else if (!address)
		step(w, "address", UNSURE, "Say from where: holdfast explain ADDRESS SHARE.", "Only some addresses may use share %s.", w->s->name);
	else if (deny)
		step(w, "address", CLOSED, fix_of(fix, "holdfast share set %s --deny ...   without %s", w->s->name, deny), "Address %s may not: deny has %s.", address, deny);
	else if (allows && !allow)
		step(w, "address", CLOSED, fix_of(fix, "holdfast share allow %s %s", w->s->name, address), "Address %s is not among the addresses of allow.", address);
	else if (mixed)
		step(w, "address", CLOSED, "Let users only read instead of addresses, or make a share for those who read.",
		     "Address %s may not over SMB: allow has %s beside addresses that write, and Samba tells them not apart.", address, allow);
	else if (reads)
		step(w, "address", OPEN, "", "Address %s may read: allow has %s.", address, allow);
	else if (allow)
		step(w, "address", OPEN, "", "Address %s may: allow has %s.", address, allow);
	else
		step(w, "address", OPEN, "", "Address %s is not denied.", address);
	w->writes &= !reads;
}

static const char *person_in(const struct walk *w, const struct share_texts *list, enum share_right *ret_right, bool *ret_any)
{
	*ret_any = false;
	for (size_t i = 0; i < list->count; i++) {
		struct share_entry e;
		if (share_entry_parse(list->items[i], &e) < 0 || e.who == SHARE_WHO_ADDRESS)
			continue;
		*ret_any = true;
		if (w->user && (e.who == SHARE_WHO_USER ? strcmp(e.name, w->user->name) == 0 : is_member(w->w, w->user->name, e.name))) {
			*ret_right = e.right;
			return list->items[i];
		}
	}
	return NULL;
}

static void look_at_access(struct walk *w)
{
	bool allows, denies;
	enum share_right right = SHARE_RIGHT_DEFAULT, ignored;
	char fix[256];
	const char *allow = person_in(w, &w->s->allow, &right, &allows), *deny = person_in(w, &w->s->deny, &ignored, &denies);
	const char *name = w->user ? w->user->name : "";
	if (!w->user) {
		if (!w->o->user && (allows || denies))
			step(w, "access", UNSURE, "", "Only some users may open share %s.", w->s->name);
		return;
	}
	if (deny)
		step(w, "access", CLOSED, fix_of(fix, "holdfast share set %s --deny ...   without %s", w->s->name, deny), "User %s may not: deny has %s, which counts more than allow.", name, deny);
	else if (allows && !allow)
		step(w, "access", CLOSED, fix_of(fix, "holdfast share allow %s %s   (or add the user to a group that is in allow)", w->s->name, name),
		     "User %s is not in allow of share %s, nor any group of theirs.", name, w->s->name);
	else if (allow)
		step(w, "access", OPEN, "", "User %s may %s: allow has %s.", name, right == SHARE_RIGHT_READ ? "read" : "open it", allow);
	else
		step(w, "access", OPEN, "", "Every user may open share %s.", w->s->name);
	w->writes &= right != SHARE_RIGHT_READ && (w->s->preset != SHARE_LIBRARY || right == SHARE_RIGHT_WRITE);
}

static void look_at_protocol(struct walk *w)
{
	const char *least = w->w->settings.smb_min_protocol ? w->w->settings.smb_min_protocol : "SMB2_10";
	bool three = strncmp(least, "SMB3", 4) == 0 || w->s->smb_encryption == SHARE_ENCRYPTION_REQUIRED;
	step(w, "version", UNSURE, three ? "On old clients: an update, or holdfast setting set smb_min_protocol SMB2_10 and --smb-encryption desired." : "",
	     "The client must speak %s or newer%s.", strcmp(least, "SMB3_11") == 0 ? "SMB 3.1.1 (Windows 10)" : three ? "SMB 3.0 (Windows 8)" : "SMB 2.1 (Windows 7)",
	     w->s->smb_encryption == SHARE_ENCRYPTION_REQUIRED ? ", and encrypt" : "");
}

/* ---- NFS -------------------------------------------------------------------------------------------------------- */
static void versions_text(unsigned mask, char *buf, size_t bytes)
{
	static const char *const names[] = { "3", "4.0", "4.1", "4.2" };
	buf[0] = '\0';
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (mask & 1u << i)
			snprintf(buf + strlen(buf), bytes - strlen(buf), "%s%s", *buf ? ", " : "", names[i]);
}

static char why_no_export[256];
static void no_export(const struct share_spec *s, const char *why)
{
	(void)s;
	snprintf(why_no_export, sizeof(why_no_export), "%s", why);
}

/* By the description that the server gets: its first client line that fits decides. */
static void look_at_clients(struct walk *w, const char *lines)
{
	char access[8], root[8], who[256], fix[256], maybe[256] = "";
	const char *address = w->o->address, *name = w->s->name;
	if (!address) {
		step(w, "address", UNSURE, "Say from where: holdfast explain ADDRESS SHARE.", "NFS lets machines in, by their address: nfs_clients of share %s says which.", name);
		return;
	}
	for (const char *p = lines; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		if (sscanf(p, "client %7s %7s %255[^\n]", access, root, who) != 3)
			continue;
		int fits = nfs_who_fits(who, address);
		if (fits < 0 && !*maybe)
			snprintf(maybe, sizeof(maybe), "%s", who);
		if (fits <= 0)
			continue;
		if (*maybe)
			step(w, "address", UNSURE, "", "If address %s is %s, that entry counts before the next.", address, maybe);
		if (strcmp(access, "none") == 0)
			step(w, "address", CLOSED, fix_of(fix, "holdfast share set %s --deny ...   without %s", name, who), "Address %s may not: deny has %s.", address, who);
		else
			step(w, "address", OPEN, "", "Address %s may %s: %s counts.", address, strcmp(access, "ro") == 0 ? "read" : "read and write", who);
		w->writes &= strcmp(access, "rw") == 0;
		if (strcmp(root, "root") == 0)
			step(w, "squash", OPEN, "", "Root of that machine stays root.");
		else
			step(w, "squash", UNSURE, fix_of(fix, "holdfast share set %s --nfs-client %s:root   when its root shall stay root", name, who),
			     w->s->nfs_squash == SHARE_SQUASH_ALL ? "Everybody on that machine is user %u here." :
			     w->s->nfs_squash == SHARE_SQUASH_NONE ? "Everybody keeps their number, root too." : "Root of that machine is user %u here; others keep their numbers.",
			     w->s->nfs_anon_uid);
		return;
	}
	if (*maybe)
		step(w, "address", UNSURE, "", "Address %s may if it is %s, a name or netgroup that the server looks up.", address, maybe);
	else
		step(w, "address", CLOSED, fix_of(fix, "holdfast share set %s --nfs-client %s   beside those that it has", name, address), "Address %s is not among nfs_clients of share %s.",
		     address, name);
}

static void look_at_security(struct walk *w)
{
	static const char *const words[] = { "sys", "krb5", "krb5i", "krb5p" };
	bool needed = w->s->nfs_security && !(w->s->nfs_security & SHARE_SEC_SYS);
	char list[48] = "";
	if (!(w->s->nfs_security & ~(unsigned)SHARE_SEC_SYS))
		return;
	for (size_t i = 1; i < ARRAY_COUNT(words); i++)
		if (w->s->nfs_security & 1u << i)
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", *list ? " or " : "", words[i]);
	if (!(share_capabilities()->nfs_security & ~(unsigned)SHARE_SEC_SYS))
		step(w, "security", needed ? CLOSED : UNSURE, "holdfast nas keytab", "This machine has no key for Kerberos.");
	else if (needed)
		step(w, "security", UNSURE, "", "The client needs Kerberos: a key of its own, and mounting with -o sec=%s; each user needs a ticket (kinit).", list);
	else
		step(w, "security", UNSURE, "", "Kerberos is accepted (sec=%s), and not needed.", list);
}

static void look_at_nfs(struct walk *w)
{
	struct share_world only = *w->w;
	struct share_text t = { 0 };
	unsigned versions = 0;
	char list[64], fix[256];
	only.shares = w->s;
	only.share_count = 1;
	why_no_export[0] = '\0';
	nfs_describe(&t, &only, "x", no_export);
	const char *export = t.bytes ? strstr(t.bytes, "\nexport ") : NULL, *at = export ? strstr(export, "\nversions ") : NULL;
	if (w->s->enabled && (!export || t.failed))
		step(w, "clients", CLOSED, fix_of(fix, "holdfast share set %s --nfs-client ADDRESS%s", w->s->name, ""), "Share %s cannot be exported: %s.", w->s->name, why_no_export);
	if (export)
		look_at_clients(w, export + 1);
	if (at)
		sscanf(at, "\nversions %u", &versions);
	versions_text(versions & share_capabilities()->nfs_versions, list, sizeof(list));
	if (versions && *list)
		step(w, "version", UNSURE, "", "The client must mount with NFS %s.", list);
	else if (versions)
		step(w, "version", CLOSED, "holdfast nas", "The share wants versions of NFS that this server cannot: %s.", share_capabilities()->nfs_why_not);
	look_at_security(w);
	if (w->user && w->s->nfs_squash != SHARE_SQUASH_ALL && (w->s->nfs_security & SHARE_SEC_SYS || !w->s->nfs_security))
		step(w, "user", UNSURE, "", "NFS knows users by number: on the client, %s must be %u.", w->user->name, w->user->uid);
	share_text_done(&t);
}

/* ---- all ---------------------------------------------------------------------------------------------------------- */
/* After the last step of a way: what it comes to. */
static unsigned right_of(struct walk *w)
{
	return w->shut ? 0 : w->writes ? 2 : 1;
}

int share_explain(const struct share_world *world, const char *share_id, const struct share_explain_opts *o, json_t **ret)
{
	struct walk w = { .w = world, .o = o, .steps = json_array() };
	unsigned best = 0, right;
	for (size_t i = 0; i < world->share_count; i++)
		if (strcmp(world->shares[i].id, share_id) == 0)
			w.s = &world->shares[i];
	for (size_t i = 0; i < world->user_count && o->user; i++)
		if (strcmp(world->users[i].name, o->user) == 0)
			w.user = &world->users[i];
	if (!w.s || !w.steps) {
		json_decref(w.steps);
		return w.s ? -ENOMEM : -ENOENT;
	}
	look_at_share(&w);
	bool shut = w.shut;
	if (begin(&w, "smb", w.s->smb, o->smb_why)) {
		look_at_address(&w);
		look_at_user(&w);
		look_at_access(&w);
		look_at_folder(&w);
		look_at_writing(&w);
		look_at_protocol(&w);
		right = right_of(&w);
		best = right > best ? right : best;
	}
	if (begin(&w, "nfs", w.s->nfs, o->nfs_why)) {
		look_at_nfs(&w);
		look_at_folder(&w);
		look_at_writing(&w);
		right = right_of(&w);
		best = right > best ? right : best;
	}
	static const char *const words[] = { "none", "read", "write" };
	*ret = json_pack("{s:s?, s:s?, s:s, s:b, s:s, s:o}", "user", o->user, "address", o->address, "share", w.s->name, "visible", !shut && best, "access", words[shut ? 0 : best],
			 "steps", w.steps);
	return *ret ? 0 : -ENOMEM;
}
