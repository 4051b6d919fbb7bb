/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stream.c - byte streams over both engines: what arrives, in what order, and how it leaves. */
#include "conn.h"

/* Echo, through a buffer pool that is far too small. */

#define ECHO_BYTES (64u << 20)
#define ECHO_BUF_BYTES (64u << 10)

struct echo_out {
	struct stream_out out;
	struct iovec iov;
	struct conn *c;
};

static void echo_sent(struct stream_out *o, int status)
{
	struct echo_out *e = container_of(o, struct echo_out, out);

	if (status)
		e->c->sent_cancelled++;
	else
		e->c->sent_ok++;
	buf_put(reactor_bufs(reactor_self()), e, ECHO_BUF_BYTES);
}

static void echo_buffers_again(struct buf_waiter *w)
{
	struct conn *c = container_of(w, struct conn, waiter);

	c->resumes++;
	stream_resume(&c->s);
}

static size_t echo_data(struct stream *s, const uint8_t *p, size_t len_bytes)
{
	struct conn *c = container_of(s, struct conn, s);
	size_t took = 0;

	while (took < len_bytes) {
		struct echo_out *e = buf_get(reactor_bufs(s->reactor), ECHO_BUF_BYTES);
		size_t n = len_bytes - took;
		if (!e) {
			c->waiter.ready = echo_buffers_again;
			buf_wait(reactor_bufs(s->reactor), &c->waiter);
			stream_pause(s);
			c->pauses++;
			break;
		}
		if (n > ECHO_BUF_BYTES - sizeof(*e))
			n = ECHO_BUF_BYTES - sizeof(*e);
		memcpy(e + 1, p + took, n);
		e->iov = (struct iovec){ e + 1, n };
		e->out = (struct stream_out){ .sent = echo_sent, .iov = &e->iov, .iov_count = 1 };
		e->c = c;
		stream_send(s, &e->out);
		took += n;
	}
	return took;
}

static const struct stream_ops echo_ops = { .data = echo_data, .closed = on_closed };

static void *echo_writer(void *arg)
{
	struct conn *c = arg;
	uint8_t *block = malloc(1 << 20);
	uint32_t crc = 0;
	unsigned seed = 3;
	size_t left = ECHO_BYTES;

	fill(block, 1 << 20, 1);
	while (left) {
		size_t n = (size_t)(rand_r(&seed) % (1 << 20)) + 1;
		if (n > left)
			n = left;
		write_all(c->fd, block, n);
		crc = crc32c(crc, block, n);
		left -= n;
	}
	c->crc = crc;
	free(block);
	return NULL;
}

static void echo_64_mib(struct rig *g)
{
	struct conn c = { 0 };
	uint8_t *got = malloc(1 << 20);
	pthread_t writer;
	size_t left = ECHO_BYTES;
	uint32_t crc = 0;

	conn_open(g, &c, &echo_ops);
	pthread_create(&writer, NULL, echo_writer, &c);
	wait_for(c.pauses > 0);          /* both directions fill up, and the pool runs dry */
	while (left) {
		size_t n = read_until(c.fd, got, left < 1 << 20 ? left : 1 << 20);
		assert_true(n > 0);
		crc = crc32c(crc, got, n);
		left -= n;
	}
	pthread_join(writer, NULL);
	assert_int_equal(crc, c.crc);
	assert_true(c.resumes > 0);
	close(c.fd);
	wait_for(c.is_closed);
	assert_int_equal(c.error, 0);
	assert_int_equal(c.sent_cancelled, 0);
	free(got);
}

/* Partial consumption, pause, resume. */

static void sip_resume(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);

	c->resumes++;
	stream_resume(&c->s);
}

/* Takes a third of what it is shown, and pauses: from now until a timer, or until at once. */
static size_t sip_data(struct stream *s, const uint8_t *p, size_t len_bytes)
{
	struct conn *c = container_of(s, struct conn, s);
	size_t took = len_bytes / 3;

	if (len_bytes < 100)
		took = len_bytes;
	c->crc = crc32c(c->crc, p, took);
	c->got_bytes += took;
	if (took < len_bytes) {
		stream_pause(s);
		stream_pause(s);
		c->timer.fire = sip_resume;
		if (c->mode++ % 8)
			stream_resume(s);
		else
			timer_start(s->reactor, &c->timer, 1000000);
	}
	return took;
}

static void sip_closed(struct stream *s, int err)
{
	timer_stop(&container_of(s, struct conn, s)->timer);
	on_closed(s, err);
}
static const struct stream_ops sip_ops = { .data = sip_data, .closed = sip_closed };

static void partial_consumption(struct rig *g)
{
	struct conn c = { 0 };
	size_t len = 3 << 20;
	uint8_t *all = malloc(len);
	unsigned seed = 5;

	fill(all, len, 2);
	conn_open(g, &c, &sip_ops);
	for (size_t at = 0; at < len;) {
		size_t n = (size_t)(rand_r(&seed) % 100000) + 1;
		if (n > len - at)
			n = len - at;
		write_all(c.fd, all + at, n);
		at += n;
	}
	close(c.fd);
	wait_for(c.is_closed);           /* the end comes after all bytes, paused or not */
	assert_int_equal(c.error, 0);
	assert_int_equal(c.got_bytes, len);
	assert_int_equal(c.crc, crc32c(0, all, len));
	assert_true(c.resumes > 1);
	free(all);
}

static size_t pause_at_once(struct stream *s, const uint8_t *p, size_t len_bytes)
{
	struct conn *c = container_of(s, struct conn, s);

	(void)p;
	c->got_bytes += len_bytes;
	stream_pause(s);
	return len_bytes;
}
static const struct stream_ops pause_ops = { .data = pause_at_once, .closed = on_closed };

static int resume_fn(void *arg)
{
	struct conn *c = arg;
	stream_resume(&c->s);
	return 0;
}

static void paused_stream_costs_nothing(struct rig *g)
{
	struct reactor_stats before, after;
	struct conn c = { 0 };
	char buf[1000] = "";
	uint64_t seen;

	conn_open(g, &c, &pause_ops);
	write_all(c.fd, buf, sizeof(buf));
	wait_for(c.got_bytes == sizeof(buf));
	write_all(c.fd, buf, sizeof(buf));
	shutdown(c.fd, SHUT_WR);         /* even with the end of file waiting */
	usleep(50000);
	reactor_stats(g->r, &before);
	usleep(300000);
	reactor_stats(g->r, &after);
	assert_in_range(after.turns - before.turns, 0, 1);
	assert_int_equal(c.got_bytes, sizeof(buf));
	assert_false(c.is_closed);
	seen = c.got_bytes;
	on_reactor(g, resume_fn, &c);
	wait_for(c.got_bytes == seen + sizeof(buf));
	on_reactor(g, resume_fn, &c);
	wait_for(c.is_closed);
	assert_int_equal(c.error, 0);
	close(c.fd);
}

/* Sinks: length, body, length, body. */

#define BODY_MAX_BYTES 400000u

static size_t pdu_data(struct stream *s, const uint8_t *p, size_t len_bytes)
{
	struct conn *c = container_of(s, struct conn, s);
	size_t took = 0;

	while (took < len_bytes && c->head_bytes < 4)
		c->head[c->head_bytes++] = p[took++];
	if (c->head_bytes == 4) {
		uint32_t len = be32_get(*(be32 *)c->head);
		c->head_bytes = 0;
		c->sink_bytes = len;
		if (len)
			stream_sink(s, c->sink_buf, len);
		else
			c->sunk_count++;
	}
	return took;
}

static void pdu_sunk(struct stream *s)
{
	struct conn *c = container_of(s, struct conn, s);

	c->crc = crc32c(c->crc, c->sink_buf, c->sink_bytes);
	c->got_bytes += c->sink_bytes;
	c->sunk_count++;
	if (c->mode && c->sunk_count % 3 == 0) {
		stream_pause(s);
		timer_start(s->reactor, &c->timer, 1000000);
	}
}
static const struct stream_ops pdu_ops = { .data = pdu_data, .sunk = pdu_sunk, .closed = sip_closed };

static void sinks(struct rig *g, unsigned mode, uint32_t body_max_bytes, unsigned count)
{
	struct conn c = { .mode = mode, .timer.fire = sip_resume };
	uint8_t *body = malloc(body_max_bytes);
	unsigned seed = body_max_bytes;
	uint64_t bytes = 0;
	uint32_t crc = 0;

	c.sink_buf = malloc(body_max_bytes);
	fill(body, body_max_bytes, 4);
	conn_open(g, &c, &pdu_ops);
	for (unsigned i = 0; i < count; i++) {
		uint32_t len = i % 7 == 3 ? 0 : (uint32_t)rand_r(&seed) % body_max_bytes;
		be32 head = be32_of(len);
		if (i % 5 == 0) {        /* a header in two segments */
			write_all(c.fd, &head, 1);
			usleep(500);
			write_all(c.fd, (uint8_t *)&head + 1, 3);
		} else {
			write_all(c.fd, &head, 4);
		}
		if (i % 4 == 0 && len > 1) {
			write_all(c.fd, body, len / 2);
			usleep(500);
			write_all(c.fd, body + len / 2, len - len / 2);
		} else {
			write_all(c.fd, body, len);
		}
		crc = crc32c(crc, body, len);
		bytes += len;
	}
	close(c.fd);
	wait_for(c.is_closed);
	assert_int_equal(c.error, 0);
	assert_int_equal(c.sunk_count, count);
	assert_int_equal(c.got_bytes, bytes);
	assert_int_equal(c.crc, crc);
	free(body);
	free(c.sink_buf);
}

static void sinks_large(struct rig *g)
{
	sinks(g, 0, BODY_MAX_BYTES, 300);
}
static void sinks_small(struct rig *g)
{
	sinks(g, 0, 3000, 3000);
}
static void sinks_with_pauses(struct rig *g)
{
	sinks(g, 1, BODY_MAX_BYTES, 100);
}
static void sinks_mixed(struct rig *g)
{
	sinks(g, 1, 40000, 300);
}

/* A sink that is set while the stream is paused, long after its header was taken. */
static void late_sink(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);

	stream_sink(&c->s, c->sink_buf, c->sink_bytes);
	stream_resume(&c->s);
}

static size_t late_data(struct stream *s, const uint8_t *p, size_t len_bytes)
{
	struct conn *c = container_of(s, struct conn, s);
	size_t took = 0;

	while (took < len_bytes && c->head_bytes < 4)
		c->head[c->head_bytes++] = p[took++];
	if (c->head_bytes == 4) {
		c->head_bytes = 0;
		c->sink_bytes = be32_get(*(be32 *)c->head);
		stream_pause(s);
		timer_start(s->reactor, &c->timer, 1000000);
	}
	return took;
}
static const struct stream_ops late_ops = { .data = late_data, .sunk = pdu_sunk, .closed = sip_closed };

static void sink_set_while_paused(struct rig *g)
{
	struct conn c = { .timer.fire = late_sink };
	uint8_t *body = malloc(100000);
	uint32_t crc = 0;

	c.sink_buf = malloc(100000);
	fill(body, 100000, 9);
	conn_open(g, &c, &late_ops);
	for (uint32_t i = 0; i < 40; i++) {
		uint32_t len = i % 2 ? 100000 : 10 + i;
		be32 head = be32_of(len);
		write_all(c.fd, &head, 4);
		write_all(c.fd, body, len);
		crc = crc32c(crc, body, len);
	}
	close(c.fd);
	wait_for(c.is_closed);
	assert_int_equal(c.sunk_count, 40);
	assert_int_equal(c.crc, crc);
	free(body);
	free(c.sink_buf);
}

/* Sending. */

#define SMALL_SENDS 300

static struct stream_out outs[SMALL_SENDS];
static const struct iovec small_iov[3] = { { (void *)"ab", 2 }, { (void *)"", 0 }, { (void *)"cde", 3 } };

static void outs_sent(struct stream_out *o, int status)
{
	size_t i = (size_t)(o - outs);

	if (status)
		outs_conn->sent_cancelled++;
	else if (i != outs_conn->sent_ok++)
		abort();
}

static int small_sends_fn(void *arg)
{
	struct conn *c = arg;

	outs_conn = c;
	for (size_t i = 0; i < SMALL_SENDS; i++) {
		outs[i] = (struct stream_out){ .sent = outs_sent, .iov = small_iov, .iov_count = 3 };
		stream_send(&c->s, &outs[i]);
	}
	return stream_unsent_bytes(&c->s) == SMALL_SENDS * 5 ? 0 : -1;
}

static void one_turn_one_send(struct rig *g)
{
	struct reactor_stats before, after;
	struct conn c = { 0 };
	char got[SMALL_SENDS * 5 + 1] = "";

	conn_open(g, &c, &ignore_ops);
	reactor_stats(g->r, &before);
	on_reactor(g, small_sends_fn, &c);
	assert_int_equal(read_until(c.fd, got, SMALL_SENDS * 5), SMALL_SENDS * 5);
	for (size_t i = 0; i < SMALL_SENDS; i++)
		assert_memory_equal(got + 5 * i, "abcde", 5);
	wait_for(c.sent_ok == SMALL_SENDS);
	reactor_stats(g->r, &after);
	assert_int_equal(after.sends - before.sends, 1);
	close(c.fd);
	wait_for(c.is_closed);
}

static void big_sends_to_a_slow_reader(struct rig *g)
{
	struct conn c = { 0 };

	conn_open(g, &c, &ignore_ops);
	on_reactor(g, big_sends_fn, &c);
	slow_reader(&c);
	wait_for(c.sent_ok == BIG_OUTS);
	close(c.fd);
	wait_for(c.is_closed);
	assert_int_equal(c.sent_cancelled, 0);
}

/* Floods and trickles by turns: each way to receive follows each other, and no byte overtakes another. */
static size_t crc_data(struct stream *s, const uint8_t *p, size_t len_bytes)
{
	struct conn *c = container_of(s, struct conn, s);

	c->crc = crc32c(c->crc, p, len_bytes);
	c->got_bytes += len_bytes;
	return len_bytes;
}

static const struct stream_ops crc_ops = { .data = crc_data, .closed = on_closed };

static void floods_and_trickles(struct rig *g)
{
	enum { FLOOD_BYTES = 1 << 20, DROPS = 150, DROP_BYTES = 72 };
	struct conn c = { 0 };
	uint8_t *block = malloc(FLOOD_BYTES);
	uint64_t sent = 0;
	uint32_t crc = 0;

	conn_open(g, &c, &crc_ops);
	for (unsigned round = 0; round < 6; round++) {
		fill(block, FLOOD_BYTES, round);
		write_all(c.fd, block, FLOOD_BYTES);
		crc = crc32c(crc, block, FLOOD_BYTES);
		sent += FLOOD_BYTES;
		for (unsigned i = 0; i < DROPS; i++) {
			write_all(c.fd, block + i, DROP_BYTES);
			crc = crc32c(crc, block + i, DROP_BYTES);
			sent += DROP_BYTES;
			if (round % 2)           /* else they come in heaps */
				wait_for(c.got_bytes == sent);
		}
	}
	wait_for(c.got_bytes == sent);
	assert_int_equal(c.crc, crc);
	close(c.fd);
	wait_for(c.is_closed);
	assert_int_equal(c.error, 0);
	free(block);
}

/* Many connections at once, each with traffic of its own. */
#define MANY 64
static void many_streams(struct rig *g)
{
	static struct conn c[MANY];
	uint8_t out[3000], got[3000];

	memset(c, 0, sizeof(c));
	for (size_t i = 0; i < MANY; i++)
		conn_open(g, &c[i], &echo_ops);
	for (unsigned round = 0; round < 20; round++) {
		for (size_t i = 0; i < MANY; i++) {
			fill(out, sizeof(out), i * 100 + round);
			write_all(c[i].fd, out, sizeof(out));
		}
		for (size_t i = 0; i < MANY; i++) {
			fill(out, sizeof(out), i * 100 + round);
			assert_int_equal(read_until(c[i].fd, got, sizeof(got)), sizeof(got));
			assert_memory_equal(got, out, sizeof(out));
		}
	}
	for (size_t i = 0; i < MANY; i++)
		close(c[i].fd);
	for (size_t i = 0; i < MANY; i++)
		wait_for(c[i].is_closed);
}

static const struct rig_case cases[] = {
	{ .name = "64 MiB come back through 4 MiB of buffers", .run = echo_64_mib, .buf_limit_bytes = 1 },
	{ .name = "64 MiB come back, spinning", .run = echo_64_mib, .buf_limit_bytes = 1, .spin_max_us = 50 },
	{ .name = "partial consumption, pause and resume", .run = partial_consumption },
	{ .name = "a paused stream costs nothing", .run = paused_stream_costs_nothing },
	{ .name = "large sinks", .run = sinks_large },
	{ .name = "small sinks", .run = sinks_small },
	{ .name = "large sinks with pauses", .run = sinks_with_pauses },
	{ .name = "sinks of mixed size with pauses", .run = sinks_mixed },
	{ .name = "a sink set while paused", .run = sink_set_while_paused },
	{ .name = "many small sends of a turn are one system call", .run = one_turn_one_send },
	{ .name = "big sends to a slow reader", .run = big_sends_to_a_slow_reader },
	{ .name = "floods and trickles", .run = floods_and_trickles },
	{ .name = "floods and trickles, spinning", .run = floods_and_trickles, .spin_max_us = 50 },
	{ .name = "many streams at once", .run = many_streams },
};

int main(void)
{
	return RIG_MAIN("core/stream", cases);
}
