/* SPDX-License-Identifier: GPL-3.0-or-later */
/* domain.c - the machine as a member of an Active Directory domain: joining and leaving as tasks, what is written to the audit,
 * and the names of its people in the rows of shares.
 *
 * There is no row of it: the keeper has the note and the secrets, which are of no use to another machine. */
#include "control/nas_priv.h"
#include "control/operate.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FIRST_ID 1000000
#define NAME_BYTES 15                    /* NetBIOS */

struct membership {
	struct task *task;
	bool leave, force, removed;
	char realm[256], name[64], ou[256], dns[64], admin[160], password[520];
	char actor[256], source[256];
	unsigned first_id;
	json_t *found;                   /* owned; what the domain said */
	char why[WHY_BYTES];
};

static void membership_free(struct membership *w)
{
	if (!w)
		return;
	explicit_bzero(w->password, sizeof(w->password));
	json_decref(w->found);
	free(w);
}
DEFINE_FREEP(struct membership, membership_free)

json_t *control_domain(void)
{
	return share_domain();
}

/* ---- what is asked for ------------------------------------------------------------------------------------------- */
static int take_text(const json_t *body, const char *member, char *buf, size_t buf_bytes, struct config_error *e)
{
	const json_t *v = json_object_get(body, member);
	const char *s = json_string_value(v);
	buf[0] = '\0';
	if (!v || json_is_null(v))
		return 0;
	if (!s)
		return config_fail(e, -EINVAL, member, "%s must be a text", member);
	if (strlen(s) >= buf_bytes || json_string_length(v) != strlen(s))
		return config_fail(e, -EINVAL, member, "%s is too long", member);
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return config_fail(e, -EINVAL, member, "%s must not hold control characters", member);
	snprintf(buf, buf_bytes, "%s", s);
	return 0;
}

static int known_members(const json_t *body, const char *const *names, size_t count, struct config_error *e)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)(uintptr_t)body, key, v) {
		size_t i = 0;
		while (i < count && strcmp(names[i], key) != 0)
			i++;
		if (i == count)
			return config_fail(e, -EINVAL, key, "this has no member called \"%.40s\"", key);
	}
	return 0;
}

/* What the machine is called: by the setting, or as it calls itself. */
static void default_name(char buf[64])
{
	char host[256] = "";
	setting_value("smb_server_name", buf, 64);
	if (!*buf && gethostname(host, sizeof(host) - 1) == 0)
		snprintf(buf, 64, "%.*s", (int)(strcspn(host, ".") < 63 ? strcspn(host, ".") : 63), host);
}

static int check_name(const char *s, struct config_error *e)
{
	size_t n = strlen(s);
	if (n > NAME_BYTES)
		return config_fail(e, -ENAMETOOLONG, "name", "\"%s\" has %zu characters, and a domain has room for %d: give a shorter name for this machine", s, n, NAME_BYTES);
	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-')
			return config_fail(e, -EINVAL, "name", "this machine's name in a domain holds only letters, digits and dashes");
	if (!n || s[0] == '-' || s[n - 1] == '-' || strspn(s, "0123456789") == n)
		return config_fail(e, -EINVAL, "name", "this machine's name in a domain begins and ends with a letter or digit, and is no number");
	return 0;
}

static int read_join(const json_t *body, bool dry_run, struct membership *w, struct config_error *e)
{
	static const char *const names[] = { "domain", "name", "ou", "dns", "first_id", "user", "password" };
	const json_t *first = json_object_get(body, "first_id");
	unsigned char address[16];
	const struct {
		const char *name;
		char *to;
		size_t bytes;
	} texts[] = { { "domain", w->realm, sizeof(w->realm) }, { "name", w->name, sizeof(w->name) }, { "ou", w->ou, sizeof(w->ou) }, { "dns", w->dns, sizeof(w->dns) },
		      { "user", w->admin, sizeof(w->admin) }, { "password", w->password, sizeof(w->password) } };
	int r = known_members(body, names, ARRAY_COUNT(names), e);
	for (size_t i = 0; i < ARRAY_COUNT(texts) && !r; i++)
		r = take_text(body, texts[i].name, texts[i].to, texts[i].bytes, e);
	if (r)
		return r;
	if (!strchr(w->realm, '.') || w->realm[strspn(w->realm, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")])
		return config_fail(e, -EINVAL, "domain", "the domain is named as in DNS, such as corp.example.com");
	if (!*w->name)
		default_name(w->name);
	r = check_name(w->name, e);
	if (!r && *w->dns)
		r = inet_pton(AF_INET, w->dns, address) == 1 || inet_pton(AF_INET6, w->dns, address) == 1 ? 0 : config_fail(e, -EINVAL, "dns", "a name server is given by its address");
	if (!r && first && !json_is_null(first) && (!json_is_integer(first) || json_integer_value(first) < 300000 || json_integer_value(first) > 999999999))
		r = config_fail(e, -EINVAL, "first_id", "numbers of the domain's people begin between 300000 and 999999999, behind those of local users");
	if (!r && *w->ou && strpbrk(w->ou, "\"\\+;<>="))
		r = config_fail(e, -EINVAL, "ou", "an organizational unit is given by its names from the top, such as Servers/Files");
	if (!r && !dry_run && !*w->admin)
		r = config_fail(e, -EINVAL, "user", "name an account of the domain that may add computers, such as Administrator");
	if (!r && *w->admin && (strpbrk(w->admin, "%/\"") || *w->admin == '-'))
		r = config_fail(e, -EINVAL, "user", "an account of the domain is named without %%, / and quotes");
	if (!r && !dry_run && !*w->password)
		r = config_fail(e, -EINVAL, "password", "give the password of that account");
	w->first_id = json_is_integer(first) ? (unsigned)json_integer_value(first) : FIRST_ID;
	return r;
}

static struct share_join join_of(const struct membership *w)
{
	return (struct share_join){ .realm = w->realm, .name = w->name, .ou = w->ou, .dns = w->dns, .first_id = w->first_id, .admin = w->admin, .password = w->password };
}

/* Which member of the body an error of the keeper is about. */
static const char *field_of(int r)
{
	return r == -EACCES ? "password" : r == -EPERM ? "user" : r == -EHOSTUNREACH ? "domain" : r == -ENAMETOOLONG ? "name" : "";
}

/* ---- afterwards, on the control thread ------------------------------------------------------------------------------ */
static int write_audit(void *arg)
{
	const struct membership *w = arg;
	const struct config_actor who = { .name = w->actor, .source = w->source };
	struct config_error e = { 0 };
	json_t *o = w->leave ? json_pack("{s:s, s:b}", "realm", w->realm, "account_removed", w->removed) : json_pack("{s:s, s:s, s:s}", "realm", w->realm, "name", w->name, "user", w->admin);
	int r = config_begin(ctl.db, &who, &e);
	if (!r) {
		r = config_audit(ctl.db, w->leave ? "delete" : "create", "domain", w->realm, w->leave ? o : NULL, w->leave ? NULL : o, &e);
		if (!r)
			r = config_commit(ctl.db, &e);
		else
			config_rollback(ctl.db);
	}
	if (r)
		log_warn(&log_control, "the audit does not take a change of the domain, continuing without", "why=\"%s\"", e.why);
	json_decref(o);
	return r;
}

static int apply(void *arg)
{
	struct membership *w = arg;
	write_audit(w);
	control_event(LOG_LEVEL_INFO, false, w->leave ? "nas.left" : "nas.joined", w->realm, w->leave ? "this machine left the domain %s%s" : "this machine is a member of the domain %s%s",
		      w->realm, w->leave && !w->removed ? "; its account stays there" : "");
	return nas_apply(w->why, sizeof(w->why));
}

/* ---- the task --------------------------------------------------------------------------------------------------------- */
static int fail(struct membership *w, int r)
{
	json_t *result = json_pack("{s:b, s:s, s:s}", "ok", 0, "field", field_of(r), "text", *w->why ? w->why : strerror(-r));
	control_task_progress(w->task, -1, "%s", *w->why ? w->why : strerror(-r));
	if (result)
		control_task_result(w->task, result);
	json_decref(result);
	return r;
}

static bool is_cancelled(void *task)
{
	return control_task_is_cancelled(task);
}

static int work_run(struct task *t, void *arg)
{
	struct membership *w = arg;
	const struct share_join j = join_of(w);
	const struct share_patience patience = { .is_over = is_cancelled, .arg = t };
	int r;
	w->task = t;
	control_task_progress(t, 10, w->leave ? "leaving %s" : "joining %s", w->realm);
	if (w->leave)
		r = share_domain_leave(w->admin, w->password, w->force, &patience, &w->removed, w->why, sizeof(w->why));
	else
		r = share_domain_join(&j, &patience, &w->found, w->why, sizeof(w->why));
	explicit_bzero(w->password, sizeof(w->password));
	if (r)
		return fail(w, r);
	control_task_is_too_late(t);
	control_task_progress(t, 70, "letting the servers of shares know");
	r = control_task_ask(t, apply, w);
	/* A member it is; shares that are not served say so themselves. */
	if (r == -ECANCELED)
		return r;
	json_t *result = w->leave ? json_pack("{s:b, s:s, s:b}", "ok", 1, "realm", w->realm, "account_removed", w->removed) : json_deep_copy(w->found);
	if (result && !w->leave)
		json_object_set_new(result, "ok", json_true());
	control_task_result(t, result);
	json_decref(result);
	control_task_progress(t, 100, w->leave ? "left %s" : "joined %s", w->realm);
	return 0;
}

static void work_finished(struct task *t, void *arg, int status)
{
	(void)t, (void)status;
	membership_free(arg);
}

struct start {
	struct membership *w;
	json_t **ret_task;
	struct config_error *e;
};

static int start(void *arg)
{
	struct start *s = arg;
	char id[CONFIG_ID_BYTES];
	const struct task_spec spec = { .type = s->w->leave ? "domain.leave" : "domain.join", .object = s->w->realm, .work = work_run, .finished = work_finished, .arg = s->w, .can_cancel = true };
	int r = control_task_start(&spec, id, s->e);
	if (r) {
		membership_free(s->w);
		return r;
	}
	r = config_get(ctl.db, MODEL_TASK, id, s->ret_task, s->e);
	if (!r)
		control_task_overlay(*s->ret_task);
	return r;
}

static int start_work(struct membership **w, const struct config_actor *who, json_t **ret_task, struct config_error *e)
{
	snprintf((*w)->actor, sizeof((*w)->actor), "%s", who->name);
	snprintf((*w)->source, sizeof((*w)->source), "%s", who->source);
	struct start s = { TAKE(*w), ret_task, e };
	return reactor_call(ctl.reactor, start, &s);
}

static json_t *plan_line(const char *fmt, ...) _printf_(1, 2);
static json_t *plan_line(const char *fmt, ...)
{
	char text[600];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return json_string(text);
}

/* Also the dry run asks the domain; only what needs the password is left out. */
static json_t *join_plan(const struct membership *w)
{
	json_t *plan = json_array();
	json_array_append_new(plan, plan_line("make the account %s in the domain %s%s%s", w->name, w->realm, *w->ou ? ", below " : "", w->ou));
	json_array_append_new(plan, plan_line("give people of the domain the numbers from %u on", w->first_id));
	json_array_append_new(plan, plan_line("start winbindd, and smbd again: who is connected over SMB connects anew"));
	return plan;
}

int control_domain_join(const json_t *body, bool dry_run, const struct config_actor *who, json_t **ret_result, struct config_error *e)
{
	_cleanup_(membership_freep) struct membership *w = calloc(1, sizeof(*w));
	char why[WHY_BYTES / 2] = "", have[32];
	*e = (struct config_error){ 0 };
	if (!w)
		return config_fail(e, -ENOMEM, "", "out of memory");
	int r = read_join(body, dry_run, w, e);
	if (r)
		return r;
	if (share_domain_short(have, sizeof(have)))
		return config_fail(e, -EEXIST, "domain", "this machine is a member of the domain %s already; leave it first", have);
	const struct share_join j = join_of(w);
	json_t *found = NULL;
	r = share_domain_look(&j, &found, why, sizeof(why));
	if (r)
		return config_fail(e, r == -EHOSTUNREACH ? -EINVAL : r, field_of(r), "%s", *why ? why : strerror(-r));
	int64_t clock = int_of(found, "clock_offset_s");
	if (clock > 300 || clock < -300) {
		json_decref(found);
		return config_fail(e, -EINVAL, "", "the clocks of this machine and of the domain are %lld seconds apart, and 300 are allowed: let both follow one time server",
				   (long long)(clock < 0 ? -clock : clock));
	}
	if (!dry_run) {
		json_decref(found);
		return start_work(&w, who, ret_result, e);
	}
	*ret_result = json_pack("{s:o, s:o}", "found", found, "plan", join_plan(w));
	return *ret_result ? 0 : config_fail(e, -ENOMEM, "", "out of memory");
}

int control_domain_leave(const json_t *body, const struct config_actor *who, json_t **ret_task, struct config_error *e)
{
	static const char *const names[] = { "user", "password", "force" };
	_cleanup_(membership_freep) struct membership *w = calloc(1, sizeof(*w));
	*e = (struct config_error){ 0 };
	if (!w)
		return config_fail(e, -ENOMEM, "", "out of memory");
	w->leave = true;
	w->force = true_of(body, "force");
	int r = known_members(body, names, ARRAY_COUNT(names), e);
	if (!r)
		r = take_text(body, "user", w->admin, sizeof(w->admin), e);
	if (!r)
		r = take_text(body, "password", w->password, sizeof(w->password), e);
	if (r)
		return r;
	json_t *now = share_domain();
	bool joined = true_of(now, "joined");
	snprintf(w->realm, sizeof(w->realm), "%s", text_of(now, "realm"));
	json_decref(now);
	if (!joined)
		return config_fail(e, -ENOENT, "", "this machine is a member of no domain");
	if (!*w->admin && !w->force)
		return config_fail(e, -EINVAL, "user", "name an account that may remove this machine from the domain, or force it: then its account stays there");
	if (*w->admin && (strpbrk(w->admin, "%/\"") || *w->admin == '-'))
		return config_fail(e, -EINVAL, "user", "an account of the domain is named without %%, / and quotes");
	if (*w->admin && !*w->password)
		return config_fail(e, -EINVAL, "password", "give the password of that account");
	return start_work(&w, who, ret_task, e);
}

int control_domain_find(const char *text, json_t **ret_array, struct config_error *e)
{
	char why[WHY_BYTES / 2] = "";
	*e = (struct config_error){ 0 };
	int r = share_domain_find(text, ret_array, why, sizeof(why));
	return r ? config_fail(e, r, "", "%s", *why ? why : strerror(-r)) : 0;
}

/* ---- names of the domain in rows of shares ---------------------------------------------------------------------------- */
bool domain_entry(const char *entry)
{
	const char *s = entry + (*entry == '@');
	return strchr(s, '\\') || strchr(s, '@');
}

/* ":ro", ":rw" or "" at the end. */
static const char *suffix_of(const char *entry)
{
	size_t n = strlen(entry);
	return n > 3 && (strcmp(entry + n - 3, ":ro") == 0 || strcmp(entry + n - 3, ":rw") == 0) ? entry + n - 3 : entry + n;
}

/* "CORP\anna=S-1-.." of this name among those that are known; NULL: none. */
static const char *known_identity(const json_t *identities, const char *name)
{
	json_t *v;
	size_t i, n = strlen(name);
	json_array_foreach((json_t *)(uintptr_t)identities, i, v)
		if (strncasecmp(json_string_value(v), name, n) == 0 && json_string_value(v)[n] == '=')
			return json_string_value(v);
	return NULL;
}

/* Does the share have this name as a group (else as a user) already? */
static bool is_named(const json_t *row, bool group, const char *name)
{
	static const char *const lists[] = { "allow", "deny" };
	json_t *v;
	size_t i, n = strlen(name);
	for (size_t k = 0; k < ARRAY_COUNT(lists); k++)
		json_array_foreach(json_object_get(row, lists[k]), i, v) {
			const char *s = json_string_value(v);
			if ((*s == '@') == group && strncasecmp(s + group, name, n) == 0 && s + group + n == suffix_of(s))
				return true;
		}
	return strcasecmp(text_of(row, group ? "group" : "owner"), name) == 0;
}

/* One list, with names as the domain writes them; each is asked for once, when it is written. */
static int settle_list(const json_t *row, const json_t *whole, const char *member, json_t *list, json_t *identities, struct config_error *e)
{
	json_t *v;
	size_t i;
	json_array_foreach(json_object_get(row, member), i, v) {
		const char *entry = json_string_value(v), *suffix = suffix_of(entry);
		bool group = *entry == '@';
		char name[256], where[64], why[WHY_BYTES / 2] = "", text[520];
		struct share_identity id = { 0 };
		if (!domain_entry(entry)) {
			json_array_append(list, v);
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)(suffix - entry - group), entry + group);
		const char *known = known_identity(json_object_get(row, "identities"), name);
		/* Unless the other kind is what is known: then the domain tells. */
		if (known && !is_named(whole, !group, name)) {
			json_array_append(list, v);
			if (!known_identity(identities, name))
				json_array_append_new(identities, json_string(known));
			continue;
		}
		snprintf(where, sizeof(where), "%.40s/%zu", member, i);
		int r = share_domain_sid(name, &id, why, sizeof(why));
		if (r)
			return config_fail(e, r == -ENOENT ? -EINVAL : r, where, "%s", *why ? why : strerror(-r));
		if (id.group != group)
			return config_fail(e, -EINVAL, where, group ? "%s is a user of the domain: write it without @" : "%s is a group of the domain: write @ before it", id.name);
		if (!strchr(id.name, '\\') || strpbrk(id.name, "%\"=:;"))
			return config_fail(e, -EINVAL, where, "the name %s cannot stand in a list of who may", id.name);
		snprintf(text, sizeof(text), "%s%s%s", group ? "@" : "", id.name, suffix);
		json_array_append_new(list, json_string(text));
		snprintf(text, sizeof(text), "%s=%s", id.name, id.sid);
		if (!known_identity(identities, id.name))
			json_array_append_new(identities, json_string(text));
	}
	return 0;
}

/* Owner or group of the folder: the same for one name, which stands there without marks. */
static int settle_owner(const json_t *row, const char *member, json_t **owner, json_t *identities, struct config_error *e)
{
	const char *name = text_of(row, member);
	char where[16], text[300];
	json_t *list = json_array(), *one = NULL;
	size_t i;
	*owner = json_incref(json_object_get(row, member));
	if (!*name || !domain_entry(name)) {
		json_decref(list);
		return 0;
	}
	bool group = strcmp(member, "group") == 0;
	snprintf(text, sizeof(text), "%s%s", group ? "@" : "", name);
	one = json_pack("{s:[s], s:O?}", member, text, "identities", json_object_get(row, "identities"));
	int r = one ? settle_list(one, row, member, list, identities, e) : -ENOMEM;
	/* The error is of the member, not of a list's first. */
	snprintf(where, sizeof(where), "%.10s/0", member);
	if (r && strcmp(e->field, where) == 0)
		snprintf(e->field, sizeof(e->field), "%s", member);
	json_t *settled;
	json_array_foreach(list, i, settled) {
		json_decref(*owner);
		*owner = json_string(json_string_value(settled) + group);
	}
	json_decref(one);
	json_decref(list);
	return r;
}

int share_settle_names(const char *id, json_t **object, struct config_error *e)
{
	json_t *row, *allow = json_array(), *deny = json_array(), *identities = json_array(), *owner = NULL, *group = NULL;
	int r = config_get(ctl.db, MODEL_SHARE, id, &row, e);
	if (!r)
		r = settle_list(row, row, "allow", allow, identities, e);
	if (!r)
		r = settle_list(row, row, "deny", deny, identities, e);
	if (!r)
		r = settle_owner(row, "owner", &owner, identities, e);
	if (!r)
		r = settle_owner(row, "group", &group, identities, e);
	if (!r && (!json_equal(allow, json_object_get(row, "allow")) || !json_equal(deny, json_object_get(row, "deny")) || !json_equal(identities, json_object_get(row, "identities")) ||
		   !json_equal(owner, json_object_get(row, "owner")) || !json_equal(group, json_object_get(row, "group")))) {
		json_t *fields = json_pack("{s:O, s:O, s:O, s:O?, s:O?}", "allow", allow, "deny", deny, "identities", identities, "owner", owner, "group", group);
		r = config_put(ctl.db, MODEL_SHARE, id, fields, NULL, e);
		json_decref(fields);
		if (!r && *object) {
			json_decref(*object);
			*object = NULL;
			r = config_get(ctl.db, MODEL_SHARE, id, object, e);
		}
	}
	json_decref(row);
	json_decref(allow);
	json_decref(deny);
	json_decref(identities);
	json_decref(owner);
	json_decref(group);
	return r;
}
