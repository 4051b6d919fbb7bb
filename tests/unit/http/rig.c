/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rig.c - see rig.h. */
#include "rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

char dir[256], socket_path_[300], why[256];

static size_t take_body(char *data, size_t one, size_t n, void *arg)
{
	struct got *g = arg;
	size_t room = sizeof(g->body) - 1 - g->len, len = min_u64(one * n, room);

	memcpy(g->body + g->len, data, len);
	g->len += len;
	g->body[g->len] = '\0';
	return one * n;
}

static size_t take_header(char *data, size_t one, size_t n, void *arg)
{
	struct got *g = arg;
	size_t room = sizeof(g->headers) - 1 - g->headers_len, len = min_u64(one * n, room);

	memcpy(g->headers + g->headers_len, data, len);
	g->headers_len += len;
	g->headers[g->headers_len] = '\0';
	return one * n;
}

CURLcode fetch_with(CURL *c, unsigned port, const char *method, const char *path, const char *header,
			   const char *body, long body_len, struct got *g)
{
	struct curl_slist *list = header ? curl_slist_append(NULL, header) : NULL;
	char url[512];
	CURLcode r;

	memset(g, 0, sizeof(*g));
	if (body)
		list = curl_slist_append(list, "Content-Type: application/json");
	if (port)
		snprintf(url, sizeof(url), "https://127.0.0.1:%u%s", port, path);
	else
		snprintf(url, sizeof(url), "http://localhost%s", path);
	curl_easy_setopt(c, CURLOPT_URL, url);
	if (!port)
		curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, socket_path_);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 20L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(c, CURLOPT_NOBODY, strcmp(method, "HEAD") == 0 ? 1L : 0L);
	if (body) {
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, body_len);
	}
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, g);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, g);
	r = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &g->status);
	curl_slist_free_all(list);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, NULL);
	return r;
}

CURLcode fetch(unsigned port, const char *method, const char *path, const char *header, const char *body,
		      struct got *g)
{
	CURL *c = curl_easy_init();
	CURLcode r = fetch_with(c, port, method, path, header, body, body ? (long)strlen(body) : 0, g);

	curl_easy_cleanup(c);
	return r;
}

int connect_local(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(sa.sun_path, socket_path_, strlen(socket_path_) + 1);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int patience_ms = 5000;
bool read_until(int fd, char *buf, size_t buf_bytes, const char *text)
{
	size_t n = strlen(buf);

	while (!strstr(buf, text)) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t r;

		if (n + 1 >= buf_bytes || poll(&p, 1, patience_ms) <= 0)
			return false;
		r = read(fd, buf + n, buf_bytes - n - 1);
		if (r <= 0)
			return false;
		n += (size_t)r;
		buf[n] = '\0';
	}
	return true;
}

int start_edge(void)
{
	struct http_opts o = { .socket_path = socket_path_, .admin_uid = geteuid() };
	int r = http_init(&o, why, sizeof(why));

	return r < 0 ? r : http_start(why, sizeof(why));
}

unsigned open_portal(void **ret_portal)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* blocking, as systemd may hand it over */
	const int on = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(http_portal_open("127.0.0.1", ntohs(sa.sin_port), fd, ret_portal), 0);
	return ntohs(sa.sin_port);
}

int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/hf-http-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(socket_path_, sizeof(socket_path_), "%s/holdfast.sock", dir);
	fake_control_reset();
	return start_edge();
}

int teardown(void **state)
{
	char cmd[400];
	static const char *const files[] = { "tls/cert.pem", "tls/key.pem", "tls/self-signed", "tls", "holdfast.sock" };

	(void)state;
	http_stop();
	fake_control_reset();
	fake_control_on_status = NULL;
	for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
		snprintf(cmd, sizeof(cmd), "%s/%s", dir, files[i]);
		remove(cmd);
	}
	return rmdir(dir);
}
