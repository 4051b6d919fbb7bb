/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stream_end.c - every way a stream ends: in order, aborted, reset, from inside callbacks, with the loop;
 * each is told once, and what was queued is told before it. */
#include "conn.h"

static int big_sends_and_close_fn(void *arg)
{
	struct conn *c = arg;

	big_sends_fn(c);
	c->inside = true;
	stream_close(&c->s, false);
	c->inside = false;
	return 0;
}

static void graceful_close_sends_the_rest(struct rig *g)
{
	struct conn c = { 0 };
	char junk[5000] = "";

	conn_open(g, &c, &ignore_ops);
	write_all(c.fd, junk, sizeof(junk));
	on_reactor(g, big_sends_and_close_fn, &c);
	write_all(c.fd, junk, sizeof(junk)); /* unread input must not reset what we send */
	slow_reader(&c);
	assert_int_equal(recv(c.fd, junk, 1, 0), 0);
	assert_false(c.is_closed);
	close(c.fd);
	wait_for(c.is_closed);
	assert_int_equal(c.error, 0);
	assert_int_equal(c.sent_ok, BIG_OUTS);
	assert_int_equal(c.closed_count, 1);
}

static void graceful_close_is_bounded(struct rig *g)
{
	struct conn c = { 0 };
	uint64_t from_ns = reactor_clock_ns(), took_ns;

	conn_open(g, &c, &ignore_ops);
	on_reactor(g, big_sends_and_close_fn, &c); /* and nobody reads */
	wait_for(c.is_closed);
	took_ns = reactor_clock_ns() - from_ns;
	assert_in_range(took_ns, UINT64_C(1900000000), UINT64_C(4000000000));
	assert_int_equal(c.sent_ok + c.sent_cancelled, BIG_OUTS);
	assert_true(c.sent_cancelled > 0);
	close(c.fd);
}

static void graceful_close_with_nothing_to_send(struct rig *g)
{
	struct conn c = { 0 };
	char byte;

	conn_open(g, &c, &ignore_ops);
	on_reactor(g, close_fn, &c);
	assert_int_equal(recv(c.fd, &byte, 1, 0), 0);
	close(c.fd);
	wait_for(c.is_closed);
	assert_int_equal(c.error, 0);
}

static void abort_drops_the_rest(struct rig *g)
{
	struct conn c = { .mode = true };

	conn_open(g, &c, &ignore_ops);
	on_reactor(g, big_sends_fn, &c);
	on_reactor(g, close_fn, &c);
	wait_for(c.is_closed);
	assert_int_equal(c.error, 0);
	assert_int_equal(c.sent_ok + c.sent_cancelled, BIG_OUTS);
	assert_true(c.sent_cancelled > 0);
	assert_int_equal(c.closed_count, 1);
	close(c.fd);
}

static void reset_with_unsent_data(struct rig *g)
{
	struct conn c = { 0 };
	struct linger hard = { .l_onoff = 1 };

	conn_open(g, &c, &ignore_ops);
	on_reactor(g, big_sends_fn, &c);
	usleep(20000);
	setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(c.fd);
	wait_for(c.is_closed);
	assert_true(c.error < 0);
	assert_int_equal(c.sent_ok + c.sent_cancelled, BIG_OUTS);
	assert_true(c.sent_cancelled > 0);
	assert_int_equal(c.closed_count, 1);
}

enum { IN_DATA, IN_DATA_GRACEFUL, IN_SUNK, IN_SENT, IN_DATA_AFTER_SEND };
static struct iovec one_iov = { (void *)"answer", 6 };
static struct stream_out one_out;

static void closing_sent(struct stream_out *o, int status)
{
	(void)o;
	if (status) {
		outs_conn->sent_cancelled++;
		return;
	}
	outs_conn->sent_ok++;
	if (outs_conn->mode != IN_SENT)
		return;
	outs_conn->inside = true;
	stream_close(&outs_conn->s, true);
	outs_conn->inside = false;
}

static size_t closing_data(struct stream *s, const uint8_t *p, size_t len_bytes)
{
	struct conn *c = container_of(s, struct conn, s);

	(void)p;
	outs_conn = c;
	c->inside = true;
	c->got_bytes += len_bytes;
	one_out = (struct stream_out){ .sent = closing_sent, .iov = &one_iov, .iov_count = 1 };
	switch (c->mode) {
	case IN_DATA:
		stream_close(s, true);
		stream_close(s, true);
		break;
	case IN_DATA_GRACEFUL:
		stream_send(s, &one_out);
		stream_close(s, false);
		break;
	case IN_SUNK:
		stream_sink(s, c->sink_buf, 10);
		c->inside = false;
		return 10;
	case IN_SENT:
		stream_send(s, &one_out);
		break;
	case IN_DATA_AFTER_SEND:
		stream_send(s, &one_out);
		stream_close(s, true);
		break;
	}
	c->inside = false;
	return len_bytes;
}

static void closing_sunk(struct stream *s)
{
	struct conn *c = container_of(s, struct conn, s);

	c->sunk_count++;
	c->inside = true;
	stream_close(s, true);
	c->inside = false;
}
static const struct stream_ops closing_ops = { .data = closing_data, .sunk = closing_sunk, .closed = on_closed };

static void close_inside_callbacks(struct rig *g)
{
	static const struct {
		unsigned mode, sent_ok, sent_cancelled, sunk;
		const char *answer;
	} modes[] = {
		{ IN_DATA, 0, 0, 0, "" },
		{ IN_DATA_GRACEFUL, 1, 0, 0, "answer" },
		{ IN_SUNK, 0, 0, 1, "" },
		{ IN_SENT, 1, 0, 0, "answer" },
		{ IN_DATA_AFTER_SEND, 0, 1, 0, "" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
		struct conn c = { .mode = modes[i].mode };
		uint8_t sink[10];
		char got[16] = "";

		c.sink_buf = sink;
		conn_open(g, &c, &closing_ops);
		write_all(c.fd, "0123456789abcdefghijklmnopqrstuvwxyz", 36);
		read_until(c.fd, got, sizeof(got) - 1);
		assert_string_equal(got, modes[i].answer);
		close(c.fd);
		wait_for(c.is_closed);
		assert_int_equal(c.closed_count, 1);
		assert_int_equal(c.sent_ok, modes[i].sent_ok);
		assert_int_equal(c.sent_cancelled, modes[i].sent_cancelled);
		assert_int_equal(c.sunk_count, modes[i].sunk);
	}
}

static void stop_ends_open_streams(struct rig *g)
{
	static struct conn c[3];

	memset(c, 0, sizeof(c));
	for (size_t i = 0; i < 3; i++)
		conn_open(g, &c[i], &ignore_ops);
	on_reactor(g, big_sends_fn, &c[0]);
	reactor_stop(g->r);
	for (size_t i = 0; i < 3; i++) {
		assert_true(c[i].is_closed);
		assert_int_equal(c[i].closed_count, 1);
		close(c[i].fd);
	}
	assert_int_equal(c[0].sent_ok + c[0].sent_cancelled, BIG_OUTS);
	assert_int_equal(c[0].error, -ESHUTDOWN);
}

static void open_refuses_what_is_no_socket(struct rig *g)
{
	struct conn c = { .server_fd = -1, .ops = &ignore_ops };

	assert_int_equal(reactor_call(g->r, conn_open_fn, &c), -EBADF);
}

/* Opening and closing under fire: what arrives late must not reach the storage's next user. */
static void storage_is_used_again(struct rig *g)
{
	char junk[2000] = "";

	for (unsigned i = 0; i < 200; i++) {
		struct conn c = { .mode = true };
		conn_open(g, &c, &ignore_ops);
		write_all(c.fd, junk, sizeof(junk));
		if (i % 2)
			wait_for(c.got_bytes > 0);
		on_reactor(g, close_fn, &c);
		wait_for(c.is_closed);
		close(c.fd);
	}
}

static const struct rig_case cases[] = {
	{ .name = "graceful close sends the rest", .run = graceful_close_sends_the_rest },
	{ .name = "graceful close with nothing to send", .run = graceful_close_with_nothing_to_send },
	{ .name = "graceful close is bounded", .run = graceful_close_is_bounded },
	{ .name = "abort drops the rest", .run = abort_drops_the_rest },
	{ .name = "reset by the peer with unsent data", .run = reset_with_unsent_data },
	{ .name = "close inside callbacks", .run = close_inside_callbacks },
	{ .name = "stop ends open streams", .run = stop_ends_open_streams },
	{ .name = "open refuses what is no socket", .run = open_refuses_what_is_no_socket },
	{ .name = "storage is used again", .run = storage_is_used_again },
};

int main(void)
{
	return RIG_MAIN("core/stream_end", cases);
}
