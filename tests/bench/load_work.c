/* SPDX-License-Identifier: GPL-3.0-or-later */
/* load_work.c - what the load is made of, whatever protocol carries it: which cell is read or written
 * next, what an answer means, and the socket below it.
 *
 * Sends are queued as iovecs and leave in as few calls as possible; receives go into one linear
 * buffer that starts over whenever it is empty, so it stays in cache. */
#include "load.h"

#include <string.h>
#include <sys/socket.h>

enum { TX_BATCH = 512, RX_ROOM_MIN = 65536 };

/* ---- sending --------------------------------------------------------------------------------------- */
void tx_push(struct conn *c, const void *data, size_t len)
{
	struct iovec *last = c->tx_tail > c->tx_head ? &c->tx[c->tx_tail - 1] : NULL;
	if (last && (const uint8_t *)last->iov_base + last->iov_len == data)
		last->iov_len += len;
	else
		c->tx[c->tx_tail++] = (struct iovec){ (void *)(uintptr_t)data, len };
}

void *tx_arena(struct conn *c, size_t len)
{
	void *p = c->arena + c->arena_used;
	c->arena_used += len;
	return p;
}

bool tx_has_room(const struct conn *c, size_t pdus)
{
	return c->tx_tail + TX_PDU_IOVECS * pdus <= c->tx_cap && c->arena_used + TX_PDU_ARENA_BYTES * pdus <= c->arena_cap;
}

int conn_flush(struct conn *c)
{
	while (c->tx_head < c->tx_tail) {
		struct msghdr m = { .msg_iov = c->tx + c->tx_head,
				    .msg_iovlen = (size_t)min_u64(c->tx_tail - c->tx_head, TX_BATCH) };
		ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		c->load->stats.syscalls++;
		if (n < 0)
			return errno == EAGAIN ? 0
					       : load_fail(c->load, errno, "send: %s", strerror(errno));
		size_t left = (size_t)n;
		while (left) {
			struct iovec *v = &c->tx[c->tx_head];
			size_t step = (size_t)min_u64(left, v->iov_len);
			v->iov_base = (uint8_t *)v->iov_base + step;
			v->iov_len -= step;
			left -= step;
			if (v->iov_len == 0)
				c->tx_head++;
		}
	}
	c->tx_head = c->tx_tail = c->arena_used = 0;
	return 0;
}

/* ---- the workload ----------------------------------------------------------------------------------- */
static uint64_t next_random(struct load *l)
{
	l->rng ^= l->rng << 13;
	l->rng ^= l->rng >> 7;
	l->rng ^= l->rng << 17;
	return l->rng;
}

static bool issue_flush(struct load *l, struct slot *s)
{
	const struct load_opts *o = &l->opts;
	if (!o->flush_every || l->flush_in_flight || l->writes_since_flush < o->flush_every)
		return false;
	s->kind = SLOT_FLUSH;
	l->writes_since_flush = 0;
	l->flush_in_flight = true;
	if (o->verify)
		verify_flush_start(&l->verify);
	return true;
}

/* -1: every cell that was tried is busy. */
static int pick_cell(struct load *l, bool is_read, uint32_t *ret_cell)
{
	for (int tries = 0; tries < 64; tries++) {
		uint64_t n;
		if (!l->opts.sequential) {
			n = (uint64_t)(((__uint128_t)next_random(l) * l->cell_count) >> 64);
		} else {
			n = l->next_cell++;
			if (l->next_cell == l->cell_count)
				l->next_cell = 0;
		}
		if (l->opts.verify) {
			const struct cell *cell = &l->verify.cells[n];
			if (cell->writing || (!is_read && cell->readers))
				continue;
		}
		*ret_cell = (uint32_t)n;
		return 0;
	}
	return -1;
}

int conn_issue(struct conn *c)
{
	struct load *l = c->load;
	const struct load_opts *o = &l->opts;
	int issued = 0;
	while (c->free_count && l->issue_left && proto_can_issue(c)) {
		struct slot *s = &c->slots[c->free_slots[c->free_count - 1]];
		if (!issue_flush(l, s)) {
			bool is_read = o->read_percent == 100 ||
				       (o->read_percent && next_random(l) % 100 < o->read_percent);
			if (pick_cell(l, is_read, &s->cell) < 0)
				break;
			s->fua = false;
			if (!is_read) {
				l->writes_since_flush++;
				s->fua = o->fua_every && ++l->writes_since_fua >= o->fua_every;
				if (s->fua)
					l->writes_since_fua = 0;
			}
			s->kind = is_read ? SLOT_READ : SLOT_WRITE;
			if (o->verify && is_read)
				l->verify.cells[s->cell].readers++;
			else if (o->verify)
				s->version = verify_write_start(&l->verify, s->cell, s->buf);
		}
		s->start_ns = l->now_ns;
		proto_command(c, s);
		c->free_count--;
		l->issue_left--;
		issued++;
	}
	return issued;
}

int slot_done(struct conn *c, struct slot *s, const char *error)
{
	struct load *l = c->load;
	const struct load_opts *o = &l->opts;
	int r = 0;
	if (error && s->kind != SLOT_SETUP) {
		l->stats.errors++;
		return load_fail(l, EIO, "%s for a %s", error,
				 s->kind == SLOT_READ ? "read" : s->kind == SLOT_WRITE ? "write" : "flush");
	}
	switch (s->kind) {
	case SLOT_READ:
		if (s->got_bytes != o->io_bytes)
			return load_fail(l, EPROTO, "a read gave %u of %u bytes", s->got_bytes, o->io_bytes);
		if (o->verify)
			l->verify.cells[s->cell].readers--;
		break;
	case SLOT_WRITE:
		if (o->verify)
			r = verify_write_done(&l->verify, s->cell, s->version, s->fua || o->write_through);
		break;
	case SLOT_FLUSH:
		l->flush_in_flight = false;
		if (o->verify)
			r = verify_flush_done(&l->verify);
		break;
	case SLOT_SETUP:
		break;
	case SLOT_FREE:
		return load_fail(l, EPROTO, "status for a task that does not exist");
	}
	if (l->counting && s->kind != SLOT_SETUP) {
		if (s->kind == SLOT_FLUSH) {
			l->stats.flushes++;
		} else {
			stat_add(&l->stats.latency, l->now_ns - s->start_ns);
			*(s->kind == SLOT_READ ? &l->stats.reads : &l->stats.writes) += 1;
		}
	}
	s->kind = SLOT_FREE;
	c->free_slots[c->free_count++] = (unsigned)(s - c->slots);
	return r;
}

/* ---- receiving --------------------------------------------------------------------------------------- */
int conn_receive(struct conn *c, bool wait)
{
	struct load *l = c->load;
	if (wait) {
		struct pollfd p = { .fd = c->fd, .events = POLLIN };
		if (c->tx_head < c->tx_tail)
			p.events |= POLLOUT;
		(void)poll(&p, 1, 100);
		l->stats.syscalls++;
	}
	if (c->rx_head == c->rx_tail) {
		c->rx_head = c->rx_tail = 0;
	} else if (c->rx_cap - c->rx_tail < RX_ROOM_MIN) {
		memmove(c->rx, c->rx + c->rx_head, c->rx_tail - c->rx_head);
		c->rx_tail -= c->rx_head;
		c->rx_head = 0;
	}
	ssize_t n = recv(c->fd, c->rx + c->rx_tail, c->rx_cap - c->rx_tail, MSG_DONTWAIT);
	l->stats.syscalls++;
	if (n < 0)
		return errno == EAGAIN ? -EAGAIN : load_fail(l, errno, "recv: %s", strerror(errno));
	if (n == 0)
		return load_fail(l, ECONNRESET, "the target closed the connection");
	l->now_ns = stat_now_ns();
	c->rx_tail += (size_t)n;
	int r;
	while ((r = proto_parse(c)) > 0)
		c->rx_head += (size_t)r;
	return r;
}

/* Waits for the slot of a command that proto_*() has just sent with kind SLOT_SETUP. */
int conn_wait_setup(struct conn *c, const struct slot *s, const char *what)
{
	uint64_t deadline_ns = stat_now_ns() + 10000000000u;
	while (s->kind == SLOT_SETUP) {
		int r = conn_flush(c);
		if (r == 0)
			r = conn_receive(c, true);
		if (r < 0 && r != -EAGAIN)
			return r;
		if (stat_now_ns() > deadline_ns)
			return load_fail(c->load, ETIMEDOUT, "no answer to %s", what);
	}
	return 0;
}
