/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stream.c - server-sent events over the local socket: order, coming back, falling behind, the end. */
#include "rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static int open_stream(const char *last_id, char *buf, size_t buf_bytes)
{
	int fd = connect_local();

	assert_true(fd >= 0);
	dprintf(fd, "GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n%s%s%s\r\n",
		last_id ? "Last-Event-ID: " : "", last_id ? last_id : "", last_id ? "\r\n" : "");
	buf[0] = '\0';
	assert_true(read_until(fd, buf, buf_bytes, "retry: 2000"));
	assert_non_null(strstr(buf, "text/event-stream"));
	return fd;
}

static void test_event_stream(void **state)
{
	static char a[65536], b[65536];
	int fd_a = open_stream(NULL, a, sizeof(a)), fd_b;
	char last_id[64], *id;

	(void)state;
	fake_control_emit("config", json_pack("{s:s}", "id", "first"));
	assert_true(read_until(fd_a, a, sizeof(a), "data: {\"id\":\"first\"}"));
	assert_non_null(strstr(a, "event: config\n"));
	id = strstr(a, "id: ");
	assert_non_null(id);
	assert_int_equal(sscanf(id, "id: %63s", last_id), 1);
	/* Many at once: none is lost, in order. */
	for (int i = 0; i < 500; i++)
		fake_control_emit("event", json_pack("{s:i}", "n", i));
	assert_true(read_until(fd_a, a, sizeof(a), "{\"n\":499}"));
	assert_non_null(strstr(a, "{\"n\":250}"));
	/* Coming back with the last id gives what was missed. */
	fd_b = open_stream(last_id, b, sizeof(b));
	assert_true(read_until(fd_b, b, sizeof(b), "{\"n\":499}"));
	assert_null(strstr(b, "first"));
	assert_non_null(strstr(b, "{\"n\":0}"));
	close(fd_b);
	/* Ids of another life, or nonsense, mean: load afresh. */
	fd_b = open_stream("1-5", b, sizeof(b));
	assert_true(read_until(fd_b, b, sizeof(b), "event: reset"));
	close(fd_b);
	fd_b = open_stream("<script>", b, sizeof(b));
	assert_true(read_until(fd_b, b, sizeof(b), "event: reset"));
	close(fd_b);
	/* So does falling behind. */
	for (int i = 0; i < 1500; i++)
		fake_control_emit("event", json_pack("{s:i}", "x", i));
	fd_b = open_stream(last_id, b, sizeof(b));
	assert_true(read_until(fd_b, b, sizeof(b), "event: reset"));
	close(fd_b);
	close(fd_a);
}

static void test_head_of_a_stream_ends(void **state)
{
	char text[4096] = "";
	int fd = connect_local();

	(void)state;
	dprintf(fd, "HEAD /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
	assert_true(read_until(fd, text, sizeof(text), "\r\n\r\n"));
	assert_non_null(strstr(text, "text/event-stream"));
	text[0] = '\0';
	dprintf(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(read_until(fd, text, sizeof(text), "{\"status\":\"ok\"}"));
	assert_memory_equal(text, "HTTP/1.1 200", 12);
	close(fd);
}

static void test_slow_reader_skips(void **state)
{
	static char text[1 << 20];
	int fd = open_stream(NULL, text, sizeof(text)), n = 4096;
	char *filler = malloc(2001);

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &n, sizeof(n));
	memset(filler, 'x', 2000);
	filler[2000] = '\0';
	for (int i = 0; i < 5000; i++)           /* 10 MB, far beyond socket buffers and ring */
		fake_control_emit("event", json_pack("{s:s, s:i}", "f", filler, "n", i));
	fake_control_emit("event", json_pack("{s:s}", "last", "one"));
	assert_true(read_until(fd, text, sizeof(text), "event: reset"));
	fake_control_emit("event", json_pack("{s:s}", "after", "reset"));
	/* What comes after the reset are whole frames again. */
	assert_true(read_until(fd, text, sizeof(text), "{\"after\":\"reset\"}") || strstr(text, "event: reset"));
	close(fd);
	free(filler);
}

static void test_heartbeat_and_stop(void **state)
{
	static char text[4096];
	struct timespec t0, t1;
	int fd;

	(void)state;
	streams_heartbeat_ms = 200;
	fd = open_stream(NULL, text, sizeof(text));
	assert_true(read_until(fd, text, sizeof(text), ": still here"));
	clock_gettime(CLOCK_MONOTONIC, &t0);
	http_stop();                             /* an open stream does not hold it up */
	clock_gettime(CLOCK_MONOTONIC, &t1);
	assert_true(t1.tv_sec - t0.tv_sec < 5);
	streams_heartbeat_ms = 15000;
	close(fd);
	assert_int_equal(start_edge(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_event_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(test_head_of_a_stream_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_reader_skips, setup, teardown),
		cmocka_unit_test_setup_teardown(test_heartbeat_and_stop, setup, teardown),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
