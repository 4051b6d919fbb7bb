/* SPDX-License-Identifier: GPL-3.0-or-later */
/* import_lun.c - the blocks of a foreign LUN into a volume of ours, on the worker of the import.
 *
 * The child reads and tells blocks in order; here they are written through the volume, as hosts write.  Now and then the volume
 * is flushed, and then the place is kept: what is before it is durable, so an interrupted import goes on there.  With verify the
 * child reads all once more and every block is compared. */
#include "control/import_priv.h"

#include <stdio.h>
#include <string.h>

#define KEEP_BYTES (UINT64_C(32) << 20)
#define ZERO_BYTES (UINT64_C(64) << 20)

struct lun_copy {
	struct volume *volume;
	uint64_t size_bytes, at, kept, holes, different, first_different;
	bool verifying;
	uint8_t *buf;
};

/* ---- a request to the volume, and its end ------------------------------------------------------------------------- */
struct wait_io {
	struct msg msg;
	struct volume_io io;
	struct iovec iov;
	struct volume *volume;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
	int status;
};

static void io_done(struct volume_io *io, int status)
{
	struct wait_io *w = container_of(io, struct wait_io, io);
	pthread_mutex_lock(&w->lock);
	w->status = status;
	w->done = true;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->lock);
}

static void io_submit(struct msg *m)
{
	struct wait_io *w = container_of(m, struct wait_io, msg);
	volume_submit(w->volume, &w->io);
}

static int volume_do(struct volume *v, enum volume_op op, uint8_t flags, uint64_t offset, void *buf, uint64_t len)
{
	struct wait_io *w = calloc(1, sizeof(*w));
	uint32_t block = volume_block_bytes(v);
	if (!w)
		return -ENOMEM;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->cond, NULL);
	w->volume = v;
	w->iov = (struct iovec){ buf, buf ? len : 0 };
	w->io = (struct volume_io){ .op = (uint8_t)op, .flags = flags, .lba = offset / block, .iov = buf ? &w->iov : NULL, .iov_count = buf ? 1 : 0, .done = io_done };
	if (op == VOLUME_ZERO)
		w->io.long_count_blocks = len / block;
	else
		w->io.count_blocks = (uint32_t)(len / block);
	w->msg.run = io_submit;
	reactor_post(ctl.opts.reactors[0], &w->msg);
	pthread_mutex_lock(&w->lock);
	while (!w->done)
		pthread_cond_wait(&w->cond, &w->lock);
	pthread_mutex_unlock(&w->lock);
	int status = w->status;
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->cond);
	free(w);
	return status;
}

/* In pieces that a request takes. */
static int move(struct volume *v, enum volume_op op, uint64_t offset, uint8_t *buf, uint64_t len)
{
	struct volume_limits l;
	volume_limits(v, &l);
	uint64_t most = l.max_io_bytes ? l.max_io_bytes : len;
	int r = 0;
	for (uint64_t at = 0; !r && at < len; at += most)
		r = volume_do(v, op, 0, offset + at, buf + at, len - at < most ? len - at : most);
	return r;
}

/* ---- the volume ------------------------------------------------------------------------------------------------------ */
struct find_call {
	struct import *m;
	struct lun_copy *c;
	const json_t *facts;
	struct config_error *e;
};

/* The running volume; nobody else may have it meanwhile. */
static int find_run(const struct find_call *f)
{
	json_t *row, *luns = NULL;
	int r = config_get(ctl.db, MODEL_VOLUME, *text_of(f->m->state, "volume_id") ? text_of(f->m->state, "volume_id") : text_of(f->m->wish, "volume"), &row, f->e);
	if (r)
		return r;
	struct rt_volume *v = rt_volume_find(text_of(row, "id"));
	json_object_set(f->m->state, "volume_id", json_object_get(row, "id"));
	r = import_check_idle(MODEL_VOLUME, row, f->e);
	if (!r)
		r = rows_where(MODEL_LUN, "volume", text_of(row, "id"), &luns, f->e);
	if (!r && json_array_size(luns))
		r = config_fail(f->e, -EBUSY, "volume", "volume %s is attached to a target; what is imported is written over what hosts have: detach it first", text_of(row, "name"));
	json_decref(luns);
	if (!r && (!v || !rt_volume_is_online(v) || v->building))
		r = config_fail(f->e, -ENXIO, "volume", "volume %s is offline", text_of(row, "name"));
	if (!r) {
		f->c->volume = volume_ref(v->volume);
		snprintf(f->m->volume_id, sizeof(f->m->volume_id), "%s", text_of(row, "id")); /* from now on no target gets it */
	}
	json_decref(row);
	return r;
}

/* Made as the source is, when there is none of that name. */
static int volume_make(struct import *m, const json_t *facts, struct config_error *e)
{
	static const char *const names[][2] = { { "naa", "naa_override" }, { "serial", "serial" }, { "vendor", "vendor" }, { "product", "product" } };
	const struct config_actor who = { .name = "import", .source = "server" };
	json_t *body = json_pack("{s:O, s:O, s:O}", "name", json_object_get(m->wish, "volume"), "size_bytes", json_object_get(facts, "size_bytes"), "block_size", json_object_get(facts, "block_size")),
	       *plan = NULL;
	struct bundle b;
	if (*text_of(m->wish, "pool"))
		json_object_set(body, "pool", json_object_get(m->wish, "pool"));
	for (size_t i = 0; true_of(m->wish, "keep_identity") && i < ARRAY_COUNT(names); i++)
		if (*text_of(facts, names[i][0]))
			json_object_set(body, names[i][1], json_object_get(facts, names[i][0]));
	int r = bundle_init(&b);
	if (!r)
		r = bundle_create(&b, MODEL_VOLUME, json_incref(body));
	if (!r)
		r = bundle_run(&b, &who, false, &plan, e);
	json_decref(plan);
	json_decref(body);
	bundle_done(&b);
	return r;
}

/* On the control thread. */
static int find_or_make(void *arg)
{
	struct find_call *f = arg;
	int r = find_run(f);
	if (r != -ENOENT || *text_of(f->m->state, "volume_id"))
		return r;
	*f->e = (struct config_error){ 0 };
	r = volume_make(f->m, f->facts, f->e);
	return r ? r : find_run(f);
}

/* Is it the LUN that the first part was copied from? */
static bool is_the_same(const json_t *had, const json_t *facts)
{
	static const char *const identity[] = { "naa", "serial", "block_size" };
	for (size_t i = 0; had && i < ARRAY_COUNT(identity); i++)
		if (!json_equal(json_object_get(had, identity[i]), json_object_get(facts, identity[i])))
			return false;
	return true;
}

static int begin(struct import *m, struct remote_child *child, const json_t *facts)
{
	struct lun_copy *c = calloc(1, sizeof(*c));
	struct config_error e = { 0 };
	struct find_call f = { m, c, facts, &e };
	if (!c || posix_memalign((void **)&c->buf, 4096, 1 << 20)) {
		free(c);
		return -ENOMEM;
	}
	m->lun = c;
	int r = control_task_ask(m->task, find_or_make, &f);
	if (r) {
		snprintf(m->said, sizeof(m->said), "%.500s", e.why);
		return r;
	}
	c->size_bytes = (uint64_t)int_of(facts, "size_bytes");
	c->at = c->kept = (uint64_t)int_of(m->state, "cursor_bytes");
	if (c->at && !is_the_same(json_object_get(m->state, "source_facts"), facts)) {
		snprintf(m->said, sizeof(m->said), "the source is another LUN than the one that the first %llu bytes are from (its name or serial number differs)", (unsigned long long)c->at);
		return -ESTALE;
	}
	if (c->size_bytes > volume_size_bytes(c->volume) || c->at > c->size_bytes) {
		snprintf(m->said, sizeof(m->said), "the LUN has %llu bytes, the volume only %llu", (unsigned long long)c->size_bytes, (unsigned long long)volume_size_bytes(c->volume));
		return -ENOSPC;
	}
	if ((uint64_t)int_of(facts, "block_size") % volume_block_bytes(c->volume)) {
		snprintf(m->said, sizeof(m->said), "the volume has blocks of %u bytes, the LUN of %lld", volume_block_bytes(c->volume), (long long)int_of(facts, "block_size"));
		return -EINVAL;
	}
	json_object_set(m->state, "source_facts", (json_t *)facts);
	r = import_save(m);
	if (!r)
		remote_child_go(child, c->at);
	return r;
}

/* ---- blocks ------------------------------------------------------------------------------------------------------------ */
static int keep_place(struct import *m, struct lun_copy *c)
{
	int r = volume_do(c->volume, VOLUME_FLUSH, 0, 0, NULL, 0);
	if (r)
		return r;
	c->kept = c->at;
	json_object_set_new(m->state, "cursor_bytes", json_integer((json_int_t)c->at));
	return import_save(m);
}

static bool is_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static void differs(struct lun_copy *c, uint64_t offset)
{
	if (!c->different++)
		c->first_different = offset;
}

static int check_zero(struct lun_copy *c, uint64_t offset, uint64_t len)
{
	for (uint64_t at = 0; at < len; at += 1 << 20) {
		uint64_t n = len - at < 1 << 20 ? len - at : 1 << 20;
		int r = move(c->volume, VOLUME_READ, offset + at, c->buf, n);
		if (r)
			return r;
		if (!is_zero(c->buf, n))
			differs(c, offset + at);
	}
	return 0;
}

static int put(struct lun_copy *c, uint64_t offset, const uint8_t *data, uint64_t len)
{
	if (c->verifying && !data)
		return check_zero(c, offset, len);
	if (c->verifying) {
		int r = move(c->volume, VOLUME_READ, offset, c->buf, len);
		if (!r && memcmp(c->buf, data, len) != 0)
			differs(c, offset);
		return r;
	}
	if (data) {
		memcpy(c->buf, data, len);       /* aligned, and ours while it is written */
		return move(c->volume, VOLUME_WRITE, offset, c->buf, len);
	}
	c->holes += len;
	int r = 0;
	for (uint64_t at = 0; !r && at < len; at += ZERO_BYTES)
		r = volume_do(c->volume, VOLUME_ZERO, VOLUME_MAY_UNMAP, offset + at, NULL, len - at < ZERO_BYTES ? len - at : ZERO_BYTES);
	return r;
}

static int blocks(struct import *m, const uint8_t *data, size_t len, bool zero)
{
	struct lun_copy *c = m->lun;
	be64 at, count;
	memcpy(&at, data, 8);
	uint64_t offset = be64_get(at), bytes = len - 8;
	if (zero) {
		memcpy(&count, data + 8, 8);
		bytes = be64_get(count);
	}
	/* The child's word is not trusted: in order, whole blocks, within the LUN. */
	if (!c || !c->volume || offset != c->at || bytes == 0 || (!zero && bytes > 1 << 20) || bytes > c->size_bytes - c->at || bytes % volume_block_bytes(c->volume) || offset % volume_block_bytes(c->volume))
		return -EPROTO;
	int r = put(c, offset, zero ? NULL : data + 8, bytes);
	if (r) {
		snprintf(m->said, sizeof(m->said), "the volume cannot be %s at byte %llu: %s", c->verifying ? "read" : "written", (unsigned long long)offset, strerror(-r));
		return r;
	}
	c->at += bytes;
	json_object_set_new(m->state, "progress",
			    json_pack("{s:s, s:I, s:I, s:I}", "phase", c->verifying ? "verify" : "copy", "bytes", (json_int_t)c->at, "total_bytes", (json_int_t)c->size_bytes, "holes_bytes", (json_int_t)c->holes));
	control_task_result(m->task, m->state);
	uint64_t half = true_of(m->wish, "verify") ? 2 : 1, done = c->verifying ? c->size_bytes + c->at : c->at;
	control_task_progress(m->task, (int)(c->size_bytes ? done * 100 / (half * c->size_bytes) : 100), "%s %llu of %llu MiB", c->verifying ? "compared" : "copied",
			      (unsigned long long)(c->at >> 20), (unsigned long long)(c->size_bytes >> 20));
	if (!c->verifying && c->at - c->kept >= KEEP_BYTES)
		r = keep_place(m, c);
	return r;
}

int lun_frame(struct import *m, struct remote_child *child, enum remote_frame kind, const uint8_t *data, size_t len)
{
	if (kind == REMOTE_FACTS) {
		json_t *facts = json_loadb((const char *)data, len, 0, NULL);
		int r = json_is_object(facts) && !m->lun ? begin(m, child, facts) : -EPROTO;
		json_decref(facts);
		return r;
	}
	if (kind == REMOTE_DATA || kind == REMOTE_ZERO)
		return blocks(m, data, len, kind == REMOTE_ZERO);
	if (kind == REMOTE_PROGRESS) {           /* all is copied; what follows is compared */
		struct lun_copy *c = m->lun;
		if (!c || c->verifying || c->at != c->size_bytes)
			return -EPROTO;
		int r = keep_place(m, c);
		c->verifying = true;
		c->at = 0;
		return r;
	}
	return import_frame_json(m, kind, data, len);
}

int lun_end(struct import *m, char *why, size_t why_bytes)
{
	struct lun_copy *c = TAKE(m->lun);
	int r = 0;
	if (!c)
		return 0;
	if (c->volume && !c->verifying && c->at > c->kept)
		r = keep_place(m, c);
	if (c->different) {
		snprintf(why, why_bytes, "%llu pieces differ from the source, the first at byte %llu: is it in use?", (unsigned long long)c->different, (unsigned long long)c->first_different);
		r = -EBADMSG;
	}
	if (!r && m->ended_well && c->at != (c->verifying && !true_of(m->wish, "verify") ? 0 : c->size_bytes)) {
		snprintf(why, why_bytes, "the source ended early");
		r = -EIO;
	}
	volume_unref(c->volume);
	free(c->buf);
	free(c);
	return r;
}
