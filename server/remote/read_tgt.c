/* SPDX-License-Identifier: GPL-3.0-or-later */
/* read_tgt.c - targets.conf of tgt (tgt-admin).
 *
 * Identity, as tgtd 1.0.85 makes it when the file does not say: target number T is the place among the sorted names; LUN L
 * counts from 1; serial "beaf" T L, T10 name "IET     TTTTLLLL" in hexadecimal, NAA names 60000000000000000e000000TTTTLLLL
 * and 3000TTTT....LLLL, of which hosts take the first. */
#include "remote/read_priv.h"

#include <stdio.h>
#include <string.h>

/* A backing store with the options of its block. */
struct store {
	int line;
	bool direct;
	char path[2048], vendor[64], product[64], scsi_id[64], serial[64], type[32], bs_type[32];
	long long lun, block_size;
	bool read_only, removable, thin;
};
struct user {
	int line;
	char name[256], secret[256];
};
#define STORES 128
#define ACL 64
struct target {
	int line;
	long long tid;
	char name[256];
	bool is_iscsi;
	struct store store[STORES];
	size_t stores;
	char initiator[ACL][256], address[ACL][128];
	size_t initiators, addresses;
	bool all;
	struct user in[32], out;
	size_t ins;
	struct store defaults;           /* options that stand in the target */
};

static void copy(char *to, size_t bytes, const char *from)
{
	snprintf(to, bytes, "%s", from);
}

/* tgt's block sizes; others are left to be refused. */
static bool store_option(struct reading *r, struct store *s, const struct line *l)
{
	const char *name = l->word[0], *value = l->count > 1 ? l->word[1] : "";
	static const char *const kept[] = { "write-cache", "allow-in-use", "params", "sense_format", "bsopts", "bsoflags", "optimal_xfer_gran", "optimal_xfer_len" };
	if (strcmp(name, "vendor_id") == 0)
		copy(s->vendor, sizeof(s->vendor), value);
	else if (strcmp(name, "product_id") == 0)
		copy(s->product, sizeof(s->product), value);
	else if (strcmp(name, "product_rev") == 0)
		found(r, l->number, CHANGED, "product_rev is left out: hosts see our version");
	else if (strcmp(name, "scsi_id") == 0)
		copy(s->scsi_id, sizeof(s->scsi_id), value);
	else if (strcmp(name, "scsi_sn") == 0)
		copy(s->serial, sizeof(s->serial), value);
	else if (strcmp(name, "removable") == 0)
		s->removable = text_is_yes(value);
	else if (strcmp(name, "readonly") == 0)
		s->read_only = text_is_yes(value);
	else if (strcmp(name, "device-type") == 0)
		copy(s->type, sizeof(s->type), value);
	else if (strcmp(name, "bs-type") == 0)
		copy(s->bs_type, sizeof(s->bs_type), value);
	else if (strcmp(name, "block-size") == 0)
		s->block_size = strtoll(value, NULL, 10);
	else if (strcmp(name, "lun") == 0)
		s->lun = strtoll(value, NULL, 10);
	else if (strcmp(name, "thin-provisioning") == 0)
		s->thin = text_is_yes(value);
	else if (strcmp(name, "mode_page") == 0)
		found(r, l->number, LOST, "mode_page is left out: mode pages say what the volume is");
	else {
		for (size_t i = 0; i < ARRAY_COUNT(kept); i++)
			if (strcmp(name, kept[i]) == 0)
				return true;
		return false;
	}
	return true;
}

static struct store *store_add(struct reading *r, struct target *t, const struct line *l, const char *path, bool direct)
{
	if (t->stores == STORES) {
		r->too_much = true;
		return NULL;
	}
	struct store *s = &t->store[t->stores++];
	*s = (struct store){ .line = l->number, .direct = direct, .lun = -1 };
	copy(s->path, sizeof(s->path), path);
	return s;
}

/* ---- a target's lines ------------------------------------------------------------------------------------------------ */
static void user_take(struct reading *r, struct user *u, const struct line *l)
{
	*u = (struct user){ .line = l->number };
	if (l->count < 3) {
		found(r, l->number, LOST, "%s wants a name and a password", l->word[0]);
		return;
	}
	copy(u->name, sizeof(u->name), l->word[1]);
	copy(u->secret, sizeof(u->secret), l->word[2]);
}

static void target_option(struct reading *r, struct target *t, const struct line *l)
{
	static const char *const plain[] = { "MaxRecvDataSegmentLength", "MaxXmitDataSegmentLength", "HeaderDigest", "DataDigest", "InitialR2T", "MaxOutstandingR2T", "ImmediateData",
					     "FirstBurstLength", "MaxBurstLength", "DataPDUInOrder", "DataSequenceInOrder", "ErrorRecoveryLevel", "IFMarker", "OFMarker",
					     "DefaultTime2Wait", "DefaultTime2Retain", "OFMarkInt", "IFMarkInt", "MaxConnections", "RDMAExtensions", "TargetRecvDataSegmentLength",
					     "InitiatorRecvDataSegmentLength", "MaxOutstandingUnexpectedPDUs", "MaxCommands", "nop_interval", "nop_count" };
	const char *name = l->word[0], *value = l->count > 1 ? l->word[1] : "";
	if (strcmp(name, "driver") == 0) {
		t->is_iscsi = strcmp(value, "iscsi") == 0;
		if (strcmp(value, "iser") == 0)
			found(r, l->number, LOST, "target %.200s was served over iSER (RDMA); only TCP is served", t->name);
	} else if (strcmp(name, "controller_tid") == 0) {
		t->tid = strtoll(value, NULL, 10);
	} else if (strcmp(name, "backing-store") == 0 || strcmp(name, "direct-store") == 0) {
		for (size_t i = 1; i < l->count; i++)
			store_add(r, t, l, l->word[i], *name == 'd');
	} else if (strcmp(name, "initiator-name") == 0 || strcmp(name, "initiator-address") == 0) {
		bool is_name = name[10] == 'n';
		for (size_t i = 1; i < l->count; i++) {
			if (!is_name && strcmp(l->word[i], "ALL") == 0)
				t->all = true;
			else if ((is_name ? t->initiators : t->addresses) == ACL)
				r->too_much = true;
			else if (is_name)
				copy(t->initiator[t->initiators++], sizeof(t->initiator[0]), l->word[i]);
			else
				copy(t->address[t->addresses++], sizeof(t->address[0]), l->word[i]);
		}
	} else if (strcmp(name, "incominguser") == 0) {
		if (t->ins == ARRAY_COUNT(t->in))
			r->too_much = true;
		else
			user_take(r, &t->in[t->ins++], l);
	} else if (strcmp(name, "outgoinguser") == 0) {
		user_take(r, &t->out, l);
	} else if (!store_option(r, &t->defaults, l)) {
		for (size_t i = 0; i < ARRAY_COUNT(plain); i++)
			if (strcmp(name, plain[i]) == 0)
				return;          /* negotiated anew */
		found(r, l->number, LOST, "option %.100s is not known here", name);
	}
}

/* ---- what comes of it ------------------------------------------------------------------------------------------------- */
static bool lun_is_taken(const struct target *t, long long lun)
{
	for (size_t i = 0; i < t->stores; i++)
		if (t->store[i].lun == lun)
			return true;
	return false;
}

static void store_emit(struct reading *r, json_t *target, struct target *t, struct store *s)
{
	const struct store *d = &t->defaults;
	const char *type = *s->type ? s->type : *d->type ? d->type : "disk", *bs = *s->bs_type ? s->bs_type : d->bs_type;
	char name[600], text[64];
	if (*bs && strcmp(bs, "rdwr") != 0 && strcmp(bs, "aio") != 0 && strcmp(bs, "sg") != 0 && strcmp(bs, "ssc") != 0) {
		found(r, s->line, LOST, "backing store %.200s is of type %.30s, which cannot be taken over in place; import it by iSCSI", s->path, bs);
		return;
	}
	if (strcmp(type, "disk") != 0 && strcmp(type, "cd") != 0) {
		found(r, s->line, LOST, "%.200s is served as a %.30s; disks and CD-ROM drives are", s->path, type);
		return;
	}
	snprintf(name, sizeof(name), "%.200s-lun%lld", strrchr(t->name, ':') ? strrchr(t->name, ':') + 1 : t->name, s->lun);
	json_t *disk = disk_add(r, s->line, name);
	if (!disk)
		return;
	set_text(disk, "path", s->path);
	if (s->block_size || d->block_size)
		set_int(disk, "block_size", s->block_size ? s->block_size : d->block_size);
	if (strcmp(type, "cd") == 0)
		set_text(disk, "type", "cdrom");
	else if (s->removable || d->removable)
		set_text(disk, "type", "removable");
	bool read_only = s->read_only || d->read_only || strcmp(type, "cd") == 0;
	set_true(disk, "read_only", read_only);
	set_text(disk, "vendor", *s->vendor ? s->vendor : *d->vendor ? d->vendor : "IET");
	set_text(disk, "product", *s->product ? s->product : *d->product ? d->product : "VIRTUAL-DISK");
	snprintf(text, sizeof(text), "beaf%lld%lld", t->tid, s->lun);
	set_text(disk, "serial", *s->serial ? s->serial : text);
	snprintf(text, sizeof(text), "naa.60000000000000000e000000%04llx%04llx", t->tid & 0xffff, s->lun & 0xffff);
	set_text(disk, "naa", text);
	if (*s->scsi_id)
		found(r, s->line, CHANGED, "scsi_id \"%.60s\" (the T10 name) is left out; hosts that look at the NAA name see the same disk", s->scsi_id);
	lun_add(r, target, (unsigned)s->lun, name, read_only);
}

static void chap_fill(json_t *to, const struct target *t, const struct user *u)
{
	json_t *chap = json_object();
	set_text(chap, "user", u->name);
	set_text(chap, "secret", u->secret);
	set_text(chap, "mutual_user", t->out.name);
	set_text(chap, "mutual_secret", t->out.secret);
	json_object_set_new(to, "chap", chap);
}

static void hosts_emit(struct reading *r, json_t *target, struct target *t)
{
	bool listed = t->initiators || t->addresses;
	size_t rounds = t->ins ? t->ins : 1;
	if (!listed && t->ins <= 1) {
		set_true(target, "any", true);
		if (t->ins)
			chap_fill(target, t, &t->in[0]);
		return;
	}
	/* Each of the names may come with each of the users, and from each of the addresses. */
	for (size_t u = 0; u < rounds; u++) {
		size_t names = t->initiators ? t->initiators : 1;
		for (size_t i = 0; i < names; i++) {
			const char *name = t->initiators ? t->initiator[i] : t->ins ? t->in[u].name : t->address[0];
			json_t *h = host_add(r, target, t->line, strrchr(name, ':') && t->initiators ? strrchr(name, ':') + 1 : name);
			if (!h)
				return;
			if (t->initiators)
				json_array_append_new(json_object_get(h, "iqns"), text_json(t->initiator[i]));
			for (size_t a = 0; a < t->addresses && !t->all; a++)
				json_array_append_new(json_object_get(h, "addresses"), text_json(t->address[a]));
			if (t->ins)
				chap_fill(h, t, &t->in[u]);
		}
	}
}

static void target_emit(struct reading *r, struct target *t)
{
	if (!t->is_iscsi) {
		found(r, t->line, LOST, "target %.200s is not for iSCSI", t->name);
		return;
	}
	json_t *o = target_add(r, t->line, t->name);
	long long next = 1;
	if (!o)
		return;
	for (size_t i = 0; i < t->stores; i++) {
		struct store *s = &t->store[i];
		while (s->lun < 0 && lun_is_taken(t, next))
			next++;
		if (s->lun < 0)
			s->lun = next;
		store_emit(r, o, t, s);
	}
	hosts_emit(r, o, t);
	found(r, t->line, KEPT, "target %.200s counts as number %lld; if tgtadm --op show --mode target tells another, write controller_tid into the file and read it again", t->name, t->tid);
}

/* ---- the file -------------------------------------------------------------------------------------------------------------- */
/* "<target iqn...>": the words of <..>; false: it is none.  A word may be left of the closing >. */
static bool tag(struct line *l, const char *name)
{
	size_t n = strlen(name);
	if (!l->count || l->word[0][0] != '<' || strncmp(l->word[0] + 1, name, n) != 0)
		return false;
	char *last = l->word[l->count - 1], *end = strchr(last, '>');
	if (end)
		*end = '\0';
	return l->word[0][n + 1] == '\0';
}

static void global_line(struct reading *r, const struct line *l)
{
	const char *w = l->word[0];
	if (strcmp(w, "include") == 0)
		found(r, l->number, LOST, "include %.200s is not followed: give that file too", l->count > 1 ? l->word[1] : "");
	else if (strcmp(w, "default-driver") == 0 || strcmp(w, "ignore-errors") == 0 || strcmp(w, "control-port") == 0)
		return;
	else if (strcmp(w, "incominguser") == 0 || strcmp(w, "outgoinguser") == 0)
		found(r, l->number, LOST, "discovery asked for CHAP; make a host with it and: holdfast setting set iscsi_discovery_host HOST");
	else
		found(r, l->number, LOST, "option %.100s is left out", w);
}

static int by_name(const void *a, const void *b)
{
	const struct target *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

#define TARGETS 256
struct file {
	struct target *target[TARGETS];
	size_t count;
	struct target *t;                /* inside of it, or NULL */
	struct store *s;
	int skip_line;                   /* in a block that we do not know, from here; 0: in none */
};

static void open_target(struct reading *r, struct file *f, struct line *l)
{
	if (f->count == TARGETS || !(f->t = calloc(1, sizeof(*f->t)))) {
		r->too_much = true;
		return;
	}
	f->target[f->count++] = f->t;
	f->t->line = l->number;
	f->t->is_iscsi = true;
	copy(f->t->name, sizeof(f->t->name), l->count > 1 ? l->word[1] : "");
}

static void take_line(struct reading *r, struct file *f, struct line *l)
{
	if (l->too_long) {
		found(r, l->number, LOST, "the line is too long");
	} else if (l->word[0][0] == '<' && l->word[0][1] == '/') {
		if (f->skip_line)
			f->skip_line = 0;
		else if (f->s)
			f->s = NULL;
		else
			f->t = NULL;
	} else if (f->skip_line) {
		return;
	} else if (tag(l, "target")) {
		f->s = NULL;
		open_target(r, f, l);
	} else if (f->t && (tag(l, "backing-store") || tag(l, "direct-store"))) {
		f->s = l->count > 1 ? store_add(r, f->t, l, l->word[1], l->word[0][1] == 'd') : NULL;
	} else if (l->word[0][0] == '<') {
		found(r, l->number, LOST, "block %.60s is left out", l->word[0]);
		f->skip_line = l->number;
	} else if (f->s) {
		if (!store_option(r, f->s, l))
			found(r, l->number, LOST, "option %.100s is not known here", l->word[0]);
	} else if (f->t) {
		target_option(r, f->t, l);
	} else {
		global_line(r, l);
	}
}

void read_tgt(struct reading *r)
{
	struct file *f = calloc(1, sizeof(*f));
	struct line *l = calloc(1, sizeof(*l));
	size_t at = 0;
	int number = 0;
	if (!f || !l)
		r->out_of_memory = true;
	while (f && l && !r->too_much && line_next(r, &at, &number, l, false))
		take_line(r, f, l);
	if (f && f->count > 1)
		qsort(f->target, f->count, sizeof(f->target[0]), by_name);
	long long tid = 0;
	for (size_t i = 0; f && i < f->count; i++) {
		tid = f->target[i]->tid > 0 ? f->target[i]->tid : tid + 1;
		f->target[i]->tid = tid;
		if (!r->too_much)
			target_emit(r, f->target[i]);
		explicit_bzero(f->target[i]->in, sizeof(f->target[i]->in));
		explicit_bzero(&f->target[i]->out, sizeof(f->target[i]->out));
		free(f->target[i]);
	}
	free(f);
	if (l)
		explicit_bzero(l, sizeof(*l));
	free(l);
	portal_add(r, NULL, "0.0.0.0", 3260);
	found(r, 0, KEPT, "tgtd listens where its command line says, by default on all addresses, port 3260: so does the portal");
	san_emit(r);
}
