/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stream.c - what a byte stream means, whichever engine moves its bytes.
 *
 * States, and who ends each:
 *	OPEN       bytes come and go                    peer, error, stream_close()
 *	FLUSHING   stream_close(): the rest is sent     the socket, or the linger timer
 *	LINGER     all is sent and so is our end of     the peer's end of file, or the timer
 *	           file; what still comes is dropped
 *	ENDING     detached; sent() and closed() are    the deferred `end` of this turn
 *	           about to run
 * LINGER is there because closing a socket that has unread bytes, or that gets some afterwards,
 * makes the kernel send a reset, and a reset may overtake our last answer at the peer.
 *
 * Receiving.  The engine hands bytes to stream_on_received() from memory that is used again at
 * once, or tells stream_on_readable() that the socket has some: then one call receives into the
 * sink, if there is one, and on into the reactor's scratch memory, so bulk data lands in place and
 * the header behind it comes along.  What a paused stream cannot take is carried in memory of its
 * own until it resumes. */
#include "core/reactor_priv.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define LINGER_NS UINT64_C(2000000000)
#define BULK_BYTES (16u << 10)
/* Behind a large sink only a header is wanted; more would be data that has to be copied. */
#define BULK_TAIL_BYTES 1024u
#define BULK_PATIENCE 8
#define CALM_BYTES (8u << 10)
#define CALM_PATIENCE 64
#define FLUSH_ROUNDS 8

static void stream_move(struct stream *s, enum stream_state to)
{
#define TO(x) (1u << STREAM_##x)
	static const unsigned next[STREAM_STATES] = {
		[STREAM_FREE] = TO(OPEN),
		[STREAM_OPEN] = TO(FLUSHING) | TO(ENDING),
		[STREAM_FLUSHING] = TO(LINGER) | TO(ENDING),
		[STREAM_LINGER] = TO(ENDING),
		[STREAM_ENDING] = TO(FREE),
	};
#undef TO
	assert(next[s->state] & 1u << to);
	s->state = to;
}

static void finish(struct stream *s, int err)
{
	struct stream_priv *p = stream_priv(s);

	if (s->state == STREAM_ENDING)
		return;
	stream_move(s, STREAM_ENDING);
	p->error = err;
	timer_stop(&p->linger);
	s->reactor->engine->stream_detach(s);
	reactor_defer(s->reactor, &s->end);
}

static void update(struct stream *s)
{
	s->reactor->engine->stream_update(s);
}

bool stream_wants_read(struct stream *s)
{
	switch (s->state) {
	case STREAM_OPEN:
		return !stream_priv(s)->paused;
	case STREAM_FLUSHING:
		return false;
	case STREAM_LINGER:
		return true;
	default:
		return false;
	}
}

bool stream_wants_write(struct stream *s)
{
	return stream_priv(s)->blocked && s->state != STREAM_ENDING;
}

/* Ending. */

static void end_run(struct defer *d)
{
	struct stream *s = container_of(d, struct stream, end);
	struct stream_priv *p = stream_priv(s);

	while (s->out_head) {
		struct stream_out *o = s->out_head;
		s->out_head = o->next;
		if (!s->out_head)
			s->out_tail = &s->out_head;
		o->sent(o, -ECANCELED);
	}
	/* Both may be queued behind us in this pass; then we come again after them. */
	if (s->flush.queued || p->resume.queued) {
		reactor_defer(s->reactor, &s->end);
		return;
	}
	list_del(&p->link);
	free(p->carry);
	p->carry = NULL;
	close(s->fd);
	s->fd = -1;
	s->out_bytes = 0;
	stream_move(s, STREAM_FREE);
	s->ops->closed(s, p->error);
}

static void linger_over(struct timer *t)
{
	struct stream_priv *p = container_of(t, struct stream_priv, linger);
	struct stream *s = container_of((void *)p, struct stream, priv);

	finish(s, 0);
}

/* All is sent: tell the peer so, and wait for its end of file. */
static void linger_begin(struct stream *s)
{
	stream_move(s, STREAM_LINGER);
	if (shutdown(s->fd, SHUT_WR) < 0)
		finish(s, 0);
	else
		update(s);
}

void stream_close(struct stream *s, bool abort)
{
	struct stream_priv *p = stream_priv(s);

	if (s->state == STREAM_ENDING || s->state == STREAM_FREE)
		return;
	if (abort) {
		finish(s, 0);
		return;
	}
	if (s->state != STREAM_OPEN)
		return;
	stream_move(s, STREAM_FLUSHING);
	p->carry_at = p->carry_end = 0;
	if (p->eof) {
		finish(s, 0);
		return;
	}
	timer_start(s->reactor, &p->linger, LINGER_NS);
	update(s);
	reactor_defer(s->reactor, &s->flush);
}

void streams_stop(struct reactor *r)
{
	struct stream_priv *p;

	list_for_each(p, &r->streams, link)
		finish(container_of((void *)p, struct stream, priv), -ESHUTDOWN);
}

/* Receiving. */

static bool carry_add(struct stream *s, const uint8_t *from, size_t len_bytes)
{
	struct stream_priv *p = stream_priv(s);

	if (p->carry_at == p->carry_end)
		p->carry_at = p->carry_end = 0;
	if (p->carry_cap - p->carry_end < len_bytes) {
		size_t cap = p->carry_end + len_bytes;
		uint8_t *carry = realloc(p->carry, cap);
		if (!carry) {
			finish(s, -ENOMEM);
			return false;
		}
		p->carry = carry;
		p->carry_cap = cap;
	}
	memcpy(p->carry + p->carry_end, from, len_bytes);
	p->carry_end += len_bytes;
	return true;
}

static void sink_took(struct stream *s, size_t len_bytes)
{
	s->sink += len_bytes;
	s->sink_left_bytes -= len_bytes;
	if (!s->sink_left_bytes) {
		s->sink = NULL;
		s->ops->sunk(s);
	}
}

/* Gives away as much as the owner takes; returns how much that was. */
static size_t feed(struct stream *s, const uint8_t *from, size_t len_bytes)
{
	struct stream_priv *p = stream_priv(s);
	size_t at = 0;

	while (at < len_bytes && s->state == STREAM_OPEN && !p->paused) {
		size_t left = len_bytes - at;
		if (s->sink_left_bytes) {
			size_t n = left < s->sink_left_bytes ? left : s->sink_left_bytes;
			memcpy(s->sink, from + at, n);
			at += n;
			sink_took(s, n);
			continue;
		}
		size_t n = s->ops->data(s, from + at, left);
		assert(n <= left);
		at += n;
		/* A turn without progress would never end: such an owner is in the wrong. */
		if (!n && !p->paused && !s->sink_left_bytes && s->state == STREAM_OPEN) {
			log_error(&log_reactor, "a stream's owner takes nothing and does not pause",
				  "fd=%d", s->fd);
			finish(s, -EPROTO);
		}
	}
	return s->state == STREAM_OPEN ? at : len_bytes;
}

void stream_on_received(struct stream *s, const uint8_t *from, size_t len_bytes)
{
	struct stream_priv *p = stream_priv(s);
	size_t took = 0;

	if (s->state != STREAM_OPEN)
		return;
	if (likely(p->carry_at == p->carry_end))
		took = feed(s, from, len_bytes);
	if (took < len_bytes)
		carry_add(s, from + took, len_bytes - took);
}

void stream_on_end(struct stream *s, int err)
{
	struct stream_priv *p = stream_priv(s);

	if (s->state == STREAM_ENDING)
		return;
	if (s->state == STREAM_OPEN && !err && (p->paused || p->carry_at != p->carry_end)) {
		p->eof = true;           /* in its order: after what is carried */
		return;
	}
	finish(s, s->state == STREAM_OPEN ? err : 0);
}

void stream_on_readable(struct stream *s)
{
	struct reactor *r = s->reactor;
	struct stream_priv *p = stream_priv(s);
	size_t sink_bytes = s->state == STREAM_OPEN ? s->sink_left_bytes : 0;
	ssize_t n;

	do {
		if (sink_bytes) {
			struct iovec iov[2] = {
				{ s->sink, sink_bytes },
				{ r->scratch, sink_bytes >= BULK_BYTES ? BULK_TAIL_BYTES : SCRATCH_BYTES },
			};
			struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
			n = recvmsg(s->fd, &msg, MSG_DONTWAIT);
		} else {
			n = recv(s->fd, r->scratch, p->bulk ? BULK_TAIL_BYTES : SCRATCH_BYTES, MSG_DONTWAIT);
		}
	} while (n < 0 && errno == EINTR);
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			stream_on_end(s, n ? -errno : 0);
		return;
	}
	stat_add(&r->stats.recvs, 1);
	if (p->flood && (size_t)n >= CALM_BYTES)
		p->calm = 0;
	else if (p->flood && ++p->calm == CALM_PATIENCE)
		p->flood = false;
	if (sink_bytes) {
		size_t direct = min_u64((uint64_t)n, sink_bytes);
		sink_took(s, direct);
		n -= (ssize_t)direct;
	} else if (p->bulk && (++p->without_sink == BULK_PATIENCE || (size_t)n == BULK_TAIL_BYTES)) {
		p->bulk = false;         /* many small things instead; a large sink sets it again */
	}
	if (n)
		stream_on_received(s, r->scratch, (size_t)n);
}

void stream_sink(struct stream *s, void *to, size_t len_bytes)
{
	struct stream_priv *p = stream_priv(s);

	assert(len_bytes && !s->sink_left_bytes);
	s->sink = to;
	s->sink_left_bytes = len_bytes;
	if (len_bytes < BULK_BYTES)
		return;
	p->without_sink = 0;
	if (!p->bulk && s->state == STREAM_OPEN) {
		p->bulk = true;
		update(s);
	}
}

void stream_pause(struct stream *s)
{
	struct stream_priv *p = stream_priv(s);

	if (p->paused || s->state != STREAM_OPEN)
		return;
	p->paused = true;
	update(s);
}

/* Not from inside stream_resume(): its caller may be in the middle of data(). */
static void resume_run(struct defer *d)
{
	struct stream_priv *p = container_of(d, struct stream_priv, resume);
	struct stream *s = container_of((void *)p, struct stream, priv);

	if (s->state != STREAM_OPEN || p->paused)
		return;
	if (p->carry_at != p->carry_end) {
		/* The memory is ours while it is fed: data() may make more of it come. */
		uint8_t *carry = TAKE(p->carry);
		size_t at = p->carry_at, end = p->carry_end;
		p->carry_at = p->carry_end = p->carry_cap = 0;
		at += feed(s, carry + at, end - at);
		if (at < end && s->state == STREAM_OPEN) {
			p->carry = carry;
			p->carry_at = at;
			p->carry_end = p->carry_cap = end;
		} else {
			free(carry);
		}
	}
	if (s->state == STREAM_OPEN && !p->paused && p->eof)
		finish(s, 0);
}

void stream_resume(struct stream *s)
{
	struct stream_priv *p = stream_priv(s);

	if (!p->paused)
		return;
	p->paused = false;
	if (s->state != STREAM_OPEN)
		return;
	if (p->carry_at != p->carry_end || p->eof)
		reactor_defer(s->reactor, &p->resume);
	update(s);
}

/* Sending. */

static unsigned gather(struct stream *s, struct iovec *to, size_t *ret_bytes)
{
	size_t bytes = 0;
	unsigned count = 0;

	for (struct stream_out *o = s->out_head; o && count < GATHER_MAX; o = o->next) {
		size_t skip = o->done_bytes;
		for (unsigned i = o->done_iov; i < o->iov_count && count < GATHER_MAX; i++, skip = 0) {
			to[count].iov_base = (uint8_t *)o->iov[i].iov_base + skip;
			to[count].iov_len = o->iov[i].iov_len - skip;
			bytes += to[count++].iov_len;
		}
	}
	*ret_bytes = bytes;
	return count;
}

/* Notes that len_bytes have left, and tells the owners of what is complete. */
static void out_advance(struct stream *s, size_t len_bytes)
{
	s->out_bytes -= len_bytes;
	while (s->out_head && s->state != STREAM_ENDING) {
		struct stream_out *o = s->out_head;
		while (o->done_iov < o->iov_count) {
			size_t left = o->iov[o->done_iov].iov_len - o->done_bytes;
			if (len_bytes < left) {
				o->done_bytes += len_bytes;
				return;
			}
			len_bytes -= left;
			o->done_iov++;
			o->done_bytes = 0;
		}
		s->out_head = o->next;
		if (!s->out_head)
			s->out_tail = &s->out_head;
		o->sent(o, 0);
		if (!len_bytes && s->out_head && s->out_head->done_iov < s->out_head->iov_count)
			return;
	}
}

static void flush(struct stream *s)
{
	struct reactor *r = s->reactor;
	struct stream_priv *p = stream_priv(s);

	for (int round = 0; s->out_head && s->state != STREAM_ENDING && round < FLUSH_ROUNDS; round++) {
		size_t bytes;
		struct msghdr msg = { .msg_iov = r->gather };
		ssize_t n = 0;

		msg.msg_iovlen = gather(s, r->gather, &bytes);
		if (bytes) {
			do
				n = sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
			while (n < 0 && errno == EINTR);
			stat_add(&r->stats.sends, 1);
		}
		if (n < 0 && errno != EAGAIN) {
			stream_on_end(s, -errno);
			return;
		}
		if (n < 0 || (size_t)n < bytes) {
			p->blocked = true;
			update(s);
			if (n > 0)
				out_advance(s, (size_t)n);
			return;
		}
		out_advance(s, bytes);
	}
	if (s->state == STREAM_ENDING)
		return;
	if (s->out_head)
		reactor_defer(r, &s->flush);
	else if (s->state == STREAM_FLUSHING)
		linger_begin(s);
}

static void flush_run(struct defer *d)
{
	struct stream *s = container_of(d, struct stream, flush);

	if (s->state == STREAM_LINGER && s->out_head) /* too late for these */
		finish(s, 0);
	if (s->state != STREAM_ENDING && !stream_priv(s)->blocked)
		flush(s);
}

void stream_on_writable(struct stream *s)
{
	struct stream_priv *p = stream_priv(s);

	if (!p->blocked || s->state == STREAM_ENDING)
		return;
	p->blocked = false;
	flush(s);
	if (!p->blocked && s->state != STREAM_ENDING)
		update(s);
}

void stream_send(struct stream *s, struct stream_out *o)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < o->iov_count; i++)
		bytes += o->iov[i].iov_len;
	o->next = NULL;
	o->done_iov = 0;
	o->done_bytes = 0;
	*s->out_tail = o;
	s->out_tail = &o->next;
	s->out_bytes += bytes;
	if (!stream_priv(s)->blocked && s->state != STREAM_ENDING)
		reactor_defer(s->reactor, &s->flush);
}

size_t stream_unsent_bytes(const struct stream *s)
{
	return s->out_bytes;
}

int stream_open(struct reactor *r, struct stream *s, int fd, const struct stream_ops *ops)
{
	struct stream_priv *p;
	int one = 1, type;
	socklen_t len = sizeof(type);

	memset(s, 0, sizeof(*s));
	p = stream_priv(s);
	s->ops = ops;
	s->reactor = r;
	s->fd = fd;
	s->out_tail = &s->out_head;
	s->flush.run = flush_run;
	s->end.run = end_run;
	p->resume.run = resume_run;
	p->linger.fire = linger_over;
	/* Replies leave once per turn: waiting for more would only delay them.  Other kinds of
	 * sockets do not know the option, which is fine. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	int err = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ? -errno :
		  type != SOCK_STREAM				       ? -EPROTOTYPE :
									 0;
	if (!err) {
		stream_move(s, STREAM_OPEN);
		err = r->engine->stream_attach(s);
	}
	if (err) {
		s->state = STREAM_FREE;
		s->fd = -1;
		closep(&fd);
		return err;
	}
	list_add_tail(&r->streams, &p->link);
	return 0;
}
