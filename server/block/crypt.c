/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crypt.c - encryption at rest: the layer on top of an encrypted volume's backend.
 *
 *	write   plain text of the host ─ encrypt ─▶ a buffer of ours ─▶ the layer below
 *	read    the layer below ─▶ the host's buffer (or, where memory must be aligned, one of ours) ─ decrypt in place
 *
 * Each block of the volume is one data unit, encrypted by itself with its number as the tweak, so any range can be read and
 * written alone, and what a torn write leaves is old or new, as without encryption.  A block that is stored as all zeroes is
 * read as zeroes: that is what holes are, so UNMAP and ZERO go below as they come and space stays free.  (A block that is
 * encrypted to all zeroes does not come up: one in 2^4096.)  The backend's own copy would move what is bound to its place, so
 * there is none; block/ copies by reading and writing.
 *
 * Memory is bounded per reactor.  Whoever found none waits in line; who holds some waits only for the layers below. */
#include "block/block_priv.h"

#include <stdio.h>
#include <string.h>

#define OPS_MAX 512
#define SMALL_BYTES ((size_t)16 << 10)
#define SMALL_MAX 256
#define LARGE_BYTES ((size_t)256 << 10)
#define LARGE_MAX 32
#define LARGE_KEEP 16
#define NO_MEMORY_NOW 2                  /* beside statuses and HF_PENDING: some comes back */

struct crypt {
	struct layer *below;
	uint32_t unit_bytes, unit_shift;
	uint32_t align_bytes;            /* what the layer below wants of memory */
	struct crypt_states *states;
};

/* One request at the layer below. */
struct crypt_op {
	struct hf_io io;
	struct hf_io *up;                /* the one it is for */
	struct crypt *crypt;
	struct block_thread *thread;
	struct pool *from;
	uint8_t *buf;                    /* NULL: a read into the host's memory */
	struct iovec iov;
};
/* In the scratch of a request that waits. */
struct crypt_wait {
	struct hf_io *next;
	struct crypt *crypt;
};

static struct crypt_wait *wait_of(struct hf_io *io)
{
	return (struct crypt_wait *)(void *)io->scratch;
}

/* ---- cipher over vectors ------------------------------------------------------------------------------- */
static int decrypt_run(const struct crypt *c, void *state, uint64_t unit, uint8_t *p, size_t len)
{
	size_t bytes = c->unit_bytes, from = 0;
	int err = 0;
	for (size_t at = 0; !err && at <= len; at += bytes) {
		bool hole = at < len && !p[at] && memcmp(p + at, block_zeroes, bytes) == 0;
		if (!hole && at < len)
			continue;
		if (at > from)
			err = crypt_cipher->decrypt(state, unit + (from >> c->unit_shift), p + from, p + from, at - from);
		from = at + bytes;
	}
	return err;
}

/* Whole units that lie in one vector are done there; one that is cut goes through memory of ours. */
static int decrypt_vectors(const struct crypt *c, void *state, const struct hf_io *up)
{
	struct cursor at = { .iov = up->iov, .iov_count = up->iov_count };
	uint64_t unit = up->offset_bytes >> c->unit_shift, left = up->len_bytes;
	uint8_t whole[4096];
	int err = 0;
	while (left && !err) {
		struct iovec piece;
		unsigned count;
		struct cursor start = at;
		size_t got = cursor_take(&at, (size_t)left, &piece, 1, &count), use = got & ~((size_t)c->unit_bytes - 1);
		if (use) {
			err = decrypt_run(c, state, unit, piece.iov_base, use);
			at = start;
			cursor_skip(&at, use);
		} else {
			use = c->unit_bytes;
			at = start;
			cursor_copy_out(&at, whole, use);
			err = decrypt_run(c, state, unit, whole, use);
			at = start;
			cursor_copy_in(&at, whole, use);
		}
		unit += use >> c->unit_shift;
		left -= use;
	}
	return err;
}

static int encrypt_vectors(const struct crypt *c, void *state, const struct hf_io *up, uint8_t *to)
{
	struct cursor at = { .iov = up->iov, .iov_count = up->iov_count };
	uint64_t unit = up->offset_bytes >> c->unit_shift, left = up->len_bytes;
	int err = 0;
	while (left && !err) {
		struct iovec piece;
		unsigned count;
		struct cursor start = at;
		size_t got = cursor_take(&at, (size_t)left, &piece, 1, &count), use = got & ~((size_t)c->unit_bytes - 1);
		at = start;
		if (use) {
			err = crypt_cipher->encrypt(state, unit, piece.iov_base, to, use);
			cursor_skip(&at, use);
		} else {
			use = c->unit_bytes;
			cursor_copy_out(&at, to, use);
			err = crypt_cipher->encrypt(state, unit, to, to, use);
		}
		to += use;
		unit += use >> c->unit_shift;
		left -= use;
	}
	return err;
}

/* ---- requests --------------------------------------------------------------------------------------------- */
static void op_put(struct crypt_op *op)
{
	struct crypt_thread *t = &op->thread->crypt;
	struct reactor *r = op->thread->reactor;
	if (op->buf)
		pool_put(op->from, op->buf);
	pool_put(&t->ops, op);
	if (unlikely(t->wait_head))
		reactor_defer(r, &t->wake);
}

static int op_end(struct crypt_op *op, int status)
{
	struct crypt *c = op->crypt;
	struct hf_io *up = op->up;
	if (up->op == HF_READ && !status) {
		void *state = c->states->state[op->thread->slot];
		if (op->buf) {
			struct cursor to = { .iov = up->iov, .iov_count = up->iov_count };
			status = decrypt_run(c, state, up->offset_bytes >> c->unit_shift, op->buf, (size_t)up->len_bytes);
			cursor_copy_in(&to, op->buf, (size_t)up->len_bytes);
		} else {
			status = decrypt_vectors(c, state, up);
		}
	}
	op_put(op);
	return status;
}

static void op_done(struct hf_io *io, int status)
{
	struct crypt_op *op = container_of(io, struct crypt_op, io);
	struct hf_io *up = op->up;
	status = op_end(op, status);
	block_host.io_done(up, status);
}

static bool is_aligned(const struct crypt *c, const struct hf_io *io)
{
	uintptr_t bits = 0;
	for (unsigned i = 0; i < io->iov_count; i++)
		bits |= (uintptr_t)io->iov[i].iov_base | io->iov[i].iov_len;
	return !(bits & (c->align_bytes - 1));
}

/* Memory for it: NULL when there is none now; *ret_status then says whether some will come back. */
static struct crypt_op *op_get(struct crypt *c, struct block_thread *t, const struct hf_io *up, int *ret_status)
{
	struct crypt_op *op = pool_get(&t->crypt.ops);
	if (!op) {
		*ret_status = t->crypt.ops.made ? NO_MEMORY_NOW : -ENOMEM;
		return NULL;
	}
	op->buf = NULL;
	if (up->op == HF_WRITE || !is_aligned(c, up)) {
		op->from = up->len_bytes <= SMALL_BYTES ? &t->crypt.small : &t->crypt.large;
		op->buf = pool_get(op->from);
		if (!op->buf) {
			*ret_status = op->from->made ? NO_MEMORY_NOW : -ENOMEM;
			pool_put(&t->crypt.ops, op);
			return NULL;
		}
	}
	return op;
}

/* A status, HF_PENDING, or NO_MEMORY_NOW. */
static int start(struct crypt *c, struct block_thread *t, struct hf_io *up)
{
	int status = 0;
	struct crypt_op *op = op_get(c, t, up, &status);
	if (!op)
		return status;
	op->up = up;
	op->crypt = c;
	op->thread = t;
	op->io.op = up->op;
	op->io.flags = up->flags;
	op->io.iov_count = up->iov_count;
	op->io.queue = up->queue;
	op->io.offset_bytes = up->offset_bytes;
	op->io.len_bytes = up->len_bytes;
	op->io.iov = up->iov;
	op->io.src_offset_bytes = 0;
	op->io.done = op_done;
	if (op->buf) {
		op->iov = (struct iovec){ op->buf, (size_t)up->len_bytes };
		op->io.iov = &op->iov;
		op->io.iov_count = 1;
	}
	if (up->op == HF_WRITE)
		status = encrypt_vectors(c, c->states->state[t->slot], up, op->buf);
	if (!status)
		status = layer_submit(c->below, &op->io, t->reactor);
	return status == HF_PENDING ? status : op_end(op, status);
}

/* A request that is done may be gone, or bring the next one: it leaves the line before it starts. */
static void wake(struct defer *d)
{
	struct crypt_thread *t = container_of(d, struct crypt_thread, wake);
	struct block_thread *thread = container_of(t, struct block_thread, crypt);
	while (t->wait_head) {
		struct hf_io *io = t->wait_head;
		struct crypt_wait *w = wait_of(io);
		t->wait_head = w->next;
		if (!t->wait_head)
			t->wait_tail = &t->wait_head;
		int status = start(w->crypt, thread, io);
		if (status == NO_MEMORY_NOW) {
			w->next = t->wait_head;
			if (!t->wait_head)
				t->wait_tail = &w->next;
			t->wait_head = io;
			return;
		}
		if (status != HF_PENDING)
			block_host.io_done(io, status);
	}
}

static int crypt_submit(void *handle, struct hf_io *io)
{
	struct crypt *c = handle;
	struct block_thread *t = block_thread();
	if (io->op == HF_COPY)
		return -EOPNOTSUPP;
	if (io->op != HF_READ && io->op != HF_WRITE)
		return layer_submit(c->below, io, t->reactor);
	if (likely(!t->crypt.wait_head)) {
		int status = start(c, t, io);
		if (likely(status != NO_MEMORY_NOW))
			return status;
	}
	*wait_of(io) = (struct crypt_wait){ .crypt = c };
	*t->crypt.wait_tail = io;
	t->crypt.wait_tail = &wait_of(io)->next;
	return HF_PENDING;
}

/* ---- the layer ---------------------------------------------------------------------------------------------- */
static int crypt_open(const struct hf_volume *hv, struct hf_next *next, void **ret_handle, char *why, size_t why_bytes)
{
	struct layer *below = (struct layer *)(void *)next;
	const struct volume *v = below->volume;
	if (!v->has_key) {
		snprintf(why, why_bytes, "%s", v->key_why);
		return -ENOKEY;
	}
	_cleanup_(freep) struct crypt *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->below = below;
	c->unit_bytes = hv->block_bytes;
	c->unit_shift = (uint32_t)__builtin_ctz(hv->block_bytes);
	c->align_bytes = below->info.align_bytes;
	int err = crypt_states_new(v->key, c->unit_bytes, &c->states);
	if (err) {
		snprintf(why, why_bytes, "its key cannot be used: %s", strerror(-err));
		return err;
	}
	err = crypt_note_check(below, c->states, why, why_bytes);
	if (err) {
		crypt_states_free(c->states);
		return err;
	}
	*ret_handle = TAKE(c);
	return 0;
}

static void crypt_close(void *handle)
{
	struct crypt *c = handle;
	crypt_states_free(c->states);
	free(c);
}

struct crypt_states *crypt_states(void *handle)
{
	return ((struct crypt *)handle)->states;
}

struct crypt_states *crypt_swap(void *handle, struct crypt_states *fresh)
{
	struct crypt *c = handle;
	struct crypt_states *old = c->states;
	c->states = fresh;
	return old;
}

static int crypt_get_info(void *handle, struct hf_info *ret_info)
{
	struct crypt *c = handle;
	*ret_info = c->below->info;
	ret_info->align_bytes = 1;
	ret_info->can_copy = false;
	if (!ret_info->max_io_bytes || ret_info->max_io_bytes > LARGE_BYTES)
		ret_info->max_io_bytes = LARGE_BYTES;
	return 0;
}

const struct hf_plugin crypt_plugin = {
	.abi = HOLDFAST_PLUGIN_ABI,
	.struct_bytes = sizeof(struct hf_plugin),
	.name = "crypt",
	.summary = "encrypts the blocks of a volume",
	.version = "1",
	.flags = HF_STACKED,
	.open = crypt_open,
	.close = crypt_close,
	.get_info = crypt_get_info,
	.submit = crypt_submit,
};

void crypt_thread_init(struct block_thread *t)
{
	struct crypt_thread *c = &t->crypt;
	pool_init(&c->ops, t->reactor, sizeof(struct crypt_op), 64, OPS_MAX, OPS_MAX);
	pool_init(&c->small, t->reactor, SMALL_BYTES, 4096, SMALL_MAX, SMALL_MAX);
	pool_init(&c->large, t->reactor, LARGE_BYTES, 4096, LARGE_MAX, LARGE_KEEP);
	c->wait_head = NULL;
	c->wait_tail = &c->wait_head;
	c->wake = (struct defer){ .run = wake };
}

void crypt_thread_done(struct block_thread *t)
{
	pool_done(&t->crypt.ops);
	pool_done(&t->crypt.small);
	pool_done(&t->crypt.large);
}
