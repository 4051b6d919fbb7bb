/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http.c - the edge over real sockets: the local one and HTTPS, with libcurl as the client. */
#include "rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "tls/tls.h"

static void test_local_requests(void **state)
{
	static const struct {
		const char *what, *method, *path, *header, *body;
		long status;
		const char *holds;
	} cases[] = {
		{ "health", "GET", "/healthz", NULL, NULL, 200, "\"ok\"" },
		{ "create", "POST", "/api/v1/volumes", NULL, "{\"name\":\"a b\",\"size_bytes\":512}", 201, "\"a b\"" },
		{ "raw path reaches the API", "GET", "/api/v1/volumes/a%20b", NULL, NULL, 200, "\"a b\"" },
		{ "encoded slash is not decoded on the way", "GET", "/api/v1%2fvolumes", NULL, NULL, 404, "not-found" },
		{ "dot segments stay", "GET", "/api/v1/pools/../volumes", NULL, NULL, 404, "not-found" },
		{ "query", "GET", "/api/v1/volumes?name=a+b", NULL, NULL, 200, "\"a b\"" },
		{ "bad escape", "GET", "/api/v1/volumes/%zz", NULL, NULL, 400, "bad-request" },
		{ "If-Match arrives", "PATCH", "/api/v1/volumes/a%20b", "If-Match: \"1\"", "{\"comment\":\"x\"}", 200, "\"x\"" },
		{ "stale", "PATCH", "/api/v1/volumes/a%20b", "If-Match: \"1\"", "{\"comment\":\"y\"}", 412, "stale" },
		{ "If-None-Match arrives", "GET", "/api/v1/volumes/a%20b", "If-None-Match: \"2\"", NULL, 304, NULL },
		{ "Idempotency-Key arrives", "POST", "/api/v1/volumes", "Idempotency-Key: k", "{\"name\":\"k\",\"size_bytes\":512}", 201, "k" },
		{ "and again", "POST", "/api/v1/volumes", "Idempotency-Key: k", "{\"name\":\"k\",\"size_bytes\":512}", 201, "k" },
		{ "HEAD has no body", "HEAD", "/api/v1/volumes", NULL, NULL, 200, NULL },
		{ "delete", "DELETE", "/api/v1/volumes/a%20b", "If-Match: *", NULL, 204, NULL },
		{ "strange method", "BREW", "/api/v1/volumes", NULL, NULL, 405, "GET, HEAD, POST, OPTIONS" },
	};
	CURL *c = curl_easy_init();
	struct got *g = malloc(sizeof(*g));

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		curl_easy_reset(c);              /* keeps the connection */
		assert_int_equal(fetch_with(c, 0, cases[i].method, cases[i].path, cases[i].header, cases[i].body,
					    cases[i].body ? (long)strlen(cases[i].body) : 0, g),
				 CURLE_OK);
		if (g->status != cases[i].status || (cases[i].holds ? !strstr(g->body, cases[i].holds) : g->len != 0))
			fail_msg("%s: status %ld, body %s", cases[i].what, g->status, g->body);
		if (!strstr(g->headers, "nosniff"))
			fail_msg("%s: headers %s", cases[i].what, g->headers);
	}
	free(g);
	curl_easy_cleanup(c);
}

static void test_body_limit(void **state)
{
	char *big = malloc(API_BODY_MAX + 3);
	CURL *c = curl_easy_init();
	struct got *g = malloc(sizeof(*g));
	char answer[2048] = "";
	int fd;

	(void)state;
	memset(big, ' ', API_BODY_MAX + 2);
	fetch_with(c, 0, "POST", "/api/v1/volumes", "Expect:", big, API_BODY_MAX + 1, g);
	assert_int_equal(g->status, 413);
	curl_easy_cleanup(c);
	/* Without Content-Length the size shows only on the way. */
	fd = connect_local();
	dprintf(fd, "POST /api/v1/volumes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
	dprintf(fd, "%x\r\n", API_BODY_MAX + 2);
	for (size_t n = 0; n < API_BODY_MAX + 2;) {
		ssize_t w = write(fd, big + n, API_BODY_MAX + 2 - n);

		assert_true(w > 0);
		n += (size_t)w;
	}
	dprintf(fd, "\r\n0\r\n\r\n");
	assert_true(read_until(fd, answer, sizeof(answer), "\r\n\r\n"));
	assert_non_null(strstr(answer, " 413 "));
	close(fd);
	/* A chunk that never ends is cut off. */
	fd = connect_local();
	dprintf(fd, "POST /api/v1/volumes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n");
	for (size_t n = 0; n < 16; n++)
		if (send(fd, big, API_BODY_MAX, MSG_NOSIGNAL) < 0)
			break;
	answer[0] = '\0';
	read_until(fd, answer, sizeof(answer), "never comes");
	assert_true(send(fd, "x", 1, MSG_NOSIGNAL) < 0);
	close(fd);
	free(g);
	free(big);
}

static void test_malformed_requests_do_no_harm(void **state)
{
	static const char *const texts[] = {
		"\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET * HTTP/1.1\r\nHost: x\r\n\r\n", "POST /api/v1/volumes HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"POST /api/v1/volumes HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"POST /api/v1/volumes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"GET http://other/healthz HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	};
	struct got *g = malloc(sizeof(*g));

	(void)state;
	patience_ms = 300;                       /* some get no answer at all */
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		char answer[4096] = "";
		int fd = connect_local();

		assert_true(send(fd, texts[i], strlen(texts[i]), MSG_NOSIGNAL) > 0);
		shutdown(fd, SHUT_WR);
		read_until(fd, answer, sizeof(answer), "never comes");
		if (strstr(answer, " 200 "))
			fail_msg("request %zu was answered with %s", i, answer);
		close(fd);
	}
	patience_ms = 5000;
	assert_int_equal(fetch(0, "GET", "/healthz", NULL, NULL, g), CURLE_OK);
	assert_int_equal(g->status, 200);
	free(g);
}

static void *slow_change(void *arg)
{
	struct got *g = arg;

	fetch(0, "POST", "/api/v1/volumes?dry_run=true", NULL, "{\"name\":\"slow\",\"size_bytes\":512}", g);
	return NULL;
}

/* Three slow changes at a time leave a worker for everybody else, and the streams alone. */
static void test_slow_changes_hold_nobody_up(void **state)
{
	static char text[65536];
	struct got *g = malloc(sizeof(*g)), *slow[3];
	struct timespec t0, t1;
	pthread_t thread[3];
	int fd, answered = 0;

	(void)state;
	fake_control_delay_ms = 1500;
	for (int i = 0; i < 3; i++) {
		slow[i] = malloc(sizeof(*g));
		pthread_create(&thread[i], NULL, slow_change, slow[i]);
	}
	usleep(100000);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(fetch(0, "GET", "/healthz", NULL, NULL, g), CURLE_OK);
		assert_int_equal(g->status, 200);
	}
	fd = connect_local();
	dprintf(fd, "GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
	text[0] = '\0';
	assert_true(read_until(fd, text, sizeof(text), "retry: 2000"));
	clock_gettime(CLOCK_MONOTONIC, &t1);
	assert_true((t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000 < 1400);
	http_stop();                             /* with changes under way: they are answered first */
	for (int i = 0; i < 3; i++) {
		pthread_join(thread[i], NULL);
		answered += slow[i]->status == 200;
		free(slow[i]);
	}
	assert_true(answered > 0);               /* those that had begun */
	close(fd);
	free(g);
	fake_control_delay_ms = 0;
	assert_int_equal(start_edge(), 0);
}

static void test_other_users_are_refused(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(dir, 0755), 0);
	{
		struct stat st;

		assert_int_equal(stat(socket_path_, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0660);
	}
	assert_int_equal(chmod(socket_path_, 0666), 0); /* so that the peer's identity is what decides */
	pid = fork();
	if (pid == 0) {
		char answer[4096] = "";
		int fd;

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(2);
		fd = connect_local();
		dprintf(fd, "GET /api/v1/volumes HTTP/1.1\r\nHost: x\r\n\r\n");
		_exit(read_until(fd, answer, sizeof(answer), "\r\n\r\n") && strstr(answer, " 403 ") ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_socket_file(void **state)
{
	struct http_opts o = { .socket_path = socket_path_, .admin_uid = geteuid() };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char deep[200] = "", old[300];
	int fd;

	(void)state;
	/* A socket that nobody serves any more is replaced. */
	http_stop();
	memcpy(sa.sun_path, socket_path_, strlen(socket_path_) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	assert_int_equal(start_edge(), 0);
	http_stop();
	/* What another daemon made in its place stays. */
	assert_int_equal(start_edge(), 0);
	remove(socket_path_);
	fd = open(socket_path_, O_CREAT | O_WRONLY, 0600);
	close(fd);
	http_stop();
	assert_int_equal(access(socket_path_, F_OK), 0);
	remove(socket_path_);
	/* A socket that somebody serves is not replaced. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(http_init(&o, why, sizeof(why)), -EADDRINUSE);
	assert_non_null(strstr(why, "Another daemon"));
	assert_int_equal(access(socket_path_, F_OK), 0);
	close(fd);
	remove(socket_path_);
	/* A plain file is somebody's. */
	fd = open(socket_path_, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(http_init(&o, why, sizeof(why)), -EEXIST);
	remove(socket_path_);
	/* A path that sockaddr_un cannot hold. */
	memset(deep, 'd', 150);
	snprintf(old, sizeof(old), "%s", socket_path_);
	snprintf(socket_path_, sizeof(socket_path_), "%.100s/%s", dir, deep);
	assert_int_equal(mkdir(socket_path_, 0700), 0);
	strncat(socket_path_, "/s", 3);
	assert_int_equal(start_edge(), 0);
	assert_int_equal(access(socket_path_, F_OK), 0);
	http_stop();
	assert_int_equal(access(socket_path_, F_OK), -1);
	*strrchr(socket_path_, '/') = '\0';
	rmdir(socket_path_);
	snprintf(socket_path_, sizeof(socket_path_), "%s", old);
}

static void test_starting_says_so(void **state)
{
	struct http_opts o = { .socket_path = socket_path_, .admin_uid = geteuid() };
	struct got *g = malloc(sizeof(*g));

	(void)state;
	http_stop();
	assert_int_equal(http_init(&o, why, sizeof(why)), 0);
	assert_int_equal(fetch(0, "GET", "/healthz", NULL, NULL, g), CURLE_OK);
	assert_int_equal(g->status, 503);
	assert_non_null(strstr(g->headers, "Retry-After"));
	assert_int_equal(http_start(why, sizeof(why)), 0);
	assert_int_equal(fetch(0, "GET", "/healthz", NULL, NULL, g), CURLE_OK);
	assert_int_equal(g->status, 200);
	free(g);
}

static void test_https(void **state)
{
	struct got *g = malloc(sizeof(*g));
	void *portal, *second;
	unsigned port = open_portal(&portal);
	CURL *c;

	(void)state;
	assert_int_equal(fetch(port, "GET", "/healthz", NULL, NULL, g), CURLE_OK);
	assert_int_equal(g->status, 200);
	assert_int_equal(fetch(port, "GET", "/api/v1/volumes", NULL, NULL, g), CURLE_OK);
	assert_int_equal(g->status, 401);
	assert_non_null(strstr(g->body, "login-required"));
	assert_int_equal(fetch(port, "GET", "/nothing", NULL, NULL, g), CURLE_OK);
	assert_int_equal(g->status, 401);
	assert_int_equal(fetch(port, "POST", "/api/v1/volumes", NULL, "{\"name\":\"x\",\"size_bytes\":512}", g), CURLE_OK);
	assert_int_equal(g->status, 403); /* without X-Holdfast it may come from any page */
	assert_int_equal(fetch(port, "POST", "/api/v1/volumes", "X-Holdfast: 1", "{\"name\":\"x\",\"size_bytes\":512}", g), CURLE_OK);
	assert_int_equal(g->status, 401);
	assert_int_equal(fake_control_changes, 0);
	c = curl_easy_init();
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_1 | (long)CURL_SSLVERSION_MAX_TLSv1_1);
	curl_easy_setopt(c, CURLOPT_SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0");
	assert_int_not_equal(fetch_with(c, port, "GET", "/healthz", NULL, NULL, 0, g), CURLE_OK);
	curl_easy_cleanup(c);
	assert_int_equal(http_portal_open("127.0.0.1", (uint16_t)port, -1, &second), -EADDRINUSE);
	assert_int_equal(http_portal_open("nonsense", 1, -1, &second), -EINVAL);
	http_portal_close(portal);
	assert_int_not_equal(fetch(port, "GET", "/healthz", NULL, NULL, g), CURLE_OK);
	/* The port is free at once. */
	assert_int_equal(http_portal_open("127.0.0.1", (uint16_t)port, -1, &second), 0);
	assert_int_equal(fetch(port, "GET", "/healthz", NULL, NULL, g), CURLE_OK);
	http_portal_close(second);
	free(g);
}

static void *closing;

static void close_portal_now(void)
{
	http_portal_close(closing);
	fake_control_on_status = NULL;
}

static void test_portal_closed_by_its_own_request(void **state)
{
	struct got *g = malloc(sizeof(*g));
	unsigned port = open_portal(&closing);

	(void)state;
	sleep(1);                                /* health is asked at most once a second */
	fake_control_on_status = close_portal_now;
	assert_int_equal(fetch(port, "GET", "/healthz", NULL, NULL, g), CURLE_OK);
	assert_int_equal(g->status, 200);        /* its answer gets out all the same */
	assert_null(fake_control_on_status);
	assert_int_not_equal(fetch(port, "GET", "/healthz", NULL, NULL, g), CURLE_OK);
	free(g);
}

static void fingerprint_of(unsigned port, char *text, size_t text_bytes)
{
	struct curl_certinfo *info = NULL;
	struct got *g = malloc(sizeof(*g));
	CURL *c = curl_easy_init();

	curl_easy_setopt(c, CURLOPT_CERTINFO, 1L);
	assert_int_equal(fetch_with(c, port, "GET", "/healthz", NULL, NULL, 0, g), CURLE_OK);
	assert_int_equal(curl_easy_getinfo(c, CURLINFO_CERTINFO, &info), CURLE_OK);
	text[0] = '\0';
	for (struct curl_slist *l = info->num_of_certs ? info->certinfo[0] : NULL; l; l = l->next)
		if (strncmp(l->data, "Signature:", 10) == 0)
			snprintf(text, text_bytes, "%s", l->data);
	curl_easy_cleanup(c);
	free(g);
	assert_true(*text);
}

/* A portal that is closed as soon as it is open, and its address that is wanted again at once. */
static void test_portals_come_and_go(void **state)
{
	struct got *g = malloc(sizeof(*g));
	void *portal;
	unsigned port = open_portal(&portal);

	(void)state;
	for (int i = 0; i < 60; i++) {
		http_portal_close(portal);
		assert_int_equal(http_portal_open("127.0.0.1", (uint16_t)port, -1, &portal), 0);
	}
	assert_int_equal(fetch(port, "GET", "/healthz", NULL, NULL, g), CURLE_OK);
	assert_int_equal(g->status, 200);
	http_portal_close(portal);
	assert_int_not_equal(fetch(port, "GET", "/healthz", NULL, NULL, g), CURLE_OK);
	free(g);
}

static void test_certificate_swap(void **state)
{
	const char *names[] = { "localhost" };
	char *cert[2], *key[2], before[2048], after[2048], again[2048];
	struct got *g = malloc(sizeof(*g));
	void *portal;
	unsigned port = open_portal(&portal);
	CURL *kept = curl_easy_init();

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(tls_self_signed(names, 1, 30, &cert[i], &key[i]), 0);
	fingerprint_of(port, before, sizeof(before));
	assert_int_equal(fetch_with(kept, port, "GET", "/healthz", NULL, NULL, 0, g), CURLE_OK);
	assert_int_equal(http_set_certificate(cert[0], key[1]), -EINVAL);
	fingerprint_of(port, again, sizeof(again));
	assert_string_equal(before, again);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(http_set_certificate(cert[i % 2], key[i % 2]), 0);
		assert_int_equal(fetch(port, "GET", "/healthz", NULL, NULL, g), CURLE_OK);
	}
	fingerprint_of(port, after, sizeof(after));
	assert_string_not_equal(before, after);
	/* The connection that was open all the time goes on. */
	assert_int_equal(fetch_with(kept, port, "GET", "/healthz", NULL, NULL, 0, g), CURLE_OK);
	{
		long fresh = -1;

		curl_easy_getinfo(kept, CURLINFO_NUM_CONNECTS, &fresh);
		assert_int_equal(fresh, 0);
	}
	curl_easy_cleanup(kept);
	/* Portals are closed after the edge has stopped, as control does it. */
	http_stop();
	http_portal_close(portal);
	assert_int_equal(http_portal_open("127.0.0.1", (uint16_t)port, -1, &portal), -ESHUTDOWN);
	assert_int_equal(start_edge(), 0);
	port = open_portal(&portal);
	/* Nothing is kept: who starts the edge installs what it has. */
	fingerprint_of(port, again, sizeof(again));
	assert_string_not_equal(after, again);
	assert_int_equal(http_set_certificate(cert[1], key[1]), 0);
	fingerprint_of(port, again, sizeof(again));
	assert_string_equal(after, again);
	for (int i = 0; i < 2; i++) {
		free(cert[i]);
		free(key[i]);
	}
	free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_local_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_body_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed_requests_do_no_harm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_changes_hold_nobody_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_users_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_socket_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_starting_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(test_https, setup, teardown),
		cmocka_unit_test_setup_teardown(test_portal_closed_by_its_own_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_portals_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_certificate_swap, setup, teardown),
	};

	curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
