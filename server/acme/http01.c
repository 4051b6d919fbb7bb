/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http01.c - the listener that answers http-01 (RFC 8555 8.3): it lives while a challenge is open, knows
 * its tokens and nothing else, and bounds everything: 32 callers, 2 KiB and 5 s each. */
#include "acme/acme_priv.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "core/tcp.h"

#define CALLERS_MAX 32
#define REQUEST_MAX 2048
#define CALLER_MS 5000
#define PREFIX "/.well-known/acme-challenge/"

struct shown {
	struct list link;
	char *token, *auth;              /* owned */
};
struct caller {
	int fd;
	size_t len;
	uint64_t end_ms;
	char text[REQUEST_MAX + 1];
};
static struct {
	pthread_mutex_t lock;            /* guards all but what the thread alone has */
	struct list shown;
	pthread_t thread;
	bool is_running;
	uint16_t port;
	int fd[2], stop_fd;
} site = { .lock = PTHREAD_MUTEX_INITIALIZER, .shown = LIST_INIT(site.shown), .fd = { -1, -1 }, .stop_fd = -1 };

/* ---- answering ---------------------------------------------------------------------------------------------- */
static void find_answer(const char *request, char *out, size_t out_bytes)
{
	struct shown *i;
	size_t len;

	out[0] = '\0';
	if (strncmp(request, "GET " PREFIX, 4 + strlen(PREFIX)) != 0)
		return;
	request += 4 + strlen(PREFIX);
	len = strcspn(request, " ?\r\n");
	pthread_mutex_lock(&site.lock);
	list_for_each(i, &site.shown, link)
		if (strlen(i->token) == len && strncmp(i->token, request, len) == 0)
			snprintf(out, out_bytes, "%s", i->auth);
	pthread_mutex_unlock(&site.lock);
}

static void caller_end(struct caller *c)
{
	close(c->fd);
	c->fd = -1;
}

static void caller_answer(struct caller *c)
{
	char auth[600], text[900];

	find_answer(c->text, auth, sizeof(auth));
	int n = snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
			 *auth ? "200 OK" : "404 Not Found", strlen(auth), auth);
	/* It fits into any socket's buffer; who does not read loses. */
	if (send(c->fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == n)
		shutdown(c->fd, SHUT_WR);
	log_info(&log_acme, "http-01 asked", "found=%s", *auth ? "yes" : "no");
	caller_end(c);
}

static void caller_read(struct caller *c)
{
	ssize_t n = recv(c->fd, c->text + c->len, REQUEST_MAX - c->len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		caller_end(c);
		return;
	}
	c->len += (size_t)n;
	c->text[c->len] = '\0';
	if (strstr(c->text, "\r\n\r\n") || strstr(c->text, "\n\n"))
		caller_answer(c);
	else if (c->len == REQUEST_MAX)
		caller_end(c);
}

static void accept_one(int listen_fd, struct caller *callers)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct caller *c = NULL;

	if (fd < 0)
		return;
	for (int i = 0; i < CALLERS_MAX; i++)
		if (callers[i].fd < 0)
			c = &callers[i];
	/* Full of callers that say nothing: the oldest goes, since an authority speaks at once. */
	for (int i = 0; i < CALLERS_MAX && (!c || c->fd >= 0); i++)
		if (!c || callers[i].end_ms < c->end_ms)
			c = &callers[i];
	if (c->fd >= 0)
		caller_end(c);
	c->fd = fd;
	c->len = 0;
	c->end_ms = acme_now_ms() + CALLER_MS;
}

static void *serve(void *arg)
{
	struct caller *callers = arg;
	struct pollfd p[3 + CALLERS_MAX];

	for (;;) {
		p[0] = (struct pollfd){ .fd = site.stop_fd, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = site.fd[0], .events = POLLIN };
		p[2] = (struct pollfd){ .fd = site.fd[1], .events = POLLIN };
		for (int i = 0; i < CALLERS_MAX; i++)
			p[3 + i] = (struct pollfd){ .fd = callers[i].fd, .events = POLLIN };
		if (poll(p, ARRAY_COUNT(p), 1000) < 0 && errno != EINTR)
			break;
		if (p[0].revents)
			break;
		for (int i = 0; i < CALLERS_MAX; i++) {
			struct caller *c = &callers[i];
			if (c->fd < 0)
				continue;
			if (p[3 + i].revents)
				caller_read(c);
			else if (acme_now_ms() > c->end_ms)
				caller_end(c);
		}
		for (int i = 1; i < 3; i++)
			if (p[i].revents & POLLIN)
				accept_one(p[i].fd, callers);
	}
	for (int i = 0; i < CALLERS_MAX; i++)
		if (callers[i].fd >= 0)
			close(callers[i].fd);
	free(callers);
	return NULL;
}

/* ---- start and stop, with the lock held ------------------------------------------------------------------------ */
static void close_all(void)
{
	closep(&site.fd[0]);
	closep(&site.fd[1]);
	closep(&site.stop_fd);
	site.fd[0] = site.fd[1] = site.stop_fd = -1;
}

static int site_open(uint16_t port, char *why, size_t why_bytes)
{
	struct caller *callers = calloc(CALLERS_MAX, sizeof(*callers));
	int r = callers ? tcp_listen("0.0.0.0", port, 32, &site.fd[0]) : -ENOMEM;

	if (r < 0)
		site.fd[0] = -1;
	if (callers && tcp_listen("::", port, 32, &site.fd[1]) == 0)
		r = 0;                           /* one of the two is enough */
	else
		site.fd[1] = -1;
	if (r == 0) {
		site.stop_fd = eventfd(0, EFD_CLOEXEC);
		r = site.stop_fd < 0 ? -errno : 0;
	}
	for (int i = 0; callers && i < CALLERS_MAX; i++)
		callers[i].fd = -1;
	if (r == 0)
		r = -pthread_create(&site.thread, NULL, serve, callers);
	if (r < 0) {
		close_all();
		free(callers);
		snprintf(why, why_bytes,
			 r == -EACCES	  ? "port %u needs a privilege that the server does not have; start it as a service, or use dns-01" :
			 r == -EADDRINUSE ? "another program listens on port %u; stop it while certificates are ordered, or use dns-01" :
					    "port %u cannot be listened on",
			 port);
		return r;
	}
	site.is_running = true;
	site.port = port;
	log_info(&log_acme, "http-01 listener open", "port=%u", port);
	return 0;
}

static void site_close(void)
{
	uint64_t one = 1;
	pthread_t thread = site.thread;

	if (write(site.stop_fd, &one, sizeof(one)) < 0)
		log_error(&log_acme, "the http-01 listener cannot be told to stop", "errno=%d", errno);
	site.is_running = false;
	pthread_mutex_unlock(&site.lock);        /* it may want the lock for a last answer */
	pthread_join(thread, NULL);
	pthread_mutex_lock(&site.lock);
	close_all();
	log_info(&log_acme, "http-01 listener closed", "");
}

/* Only one opens or closes at a time, although closing lets go of the lock. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void shown_free(struct shown *i)
{
	free(i->token);
	free(i->auth);
	free(i);
}

int http01_show(uint16_t port, const char *token, const char *key_auth, char *why, size_t why_bytes)
{
	struct shown *i = calloc(1, sizeof(*i));
	int r = 0;

	if (!i || !(i->token = strdup(token)) || !(i->auth = strdup(key_auth))) {
		if (i)
			shown_free(i);
		return -ENOMEM;
	}
	list_init(&i->link);
	pthread_mutex_lock(&turn);
	pthread_mutex_lock(&site.lock);
	if (site.is_running && site.port != port) {
		snprintf(why, why_bytes, "another challenge is answered on port %u just now", site.port);
		r = -EBUSY;
	} else if (!site.is_running) {
		r = site_open(port, why, why_bytes);
	}
	if (r == 0)
		list_add_tail(&site.shown, &i->link);
	pthread_mutex_unlock(&site.lock);
	pthread_mutex_unlock(&turn);
	if (r < 0)
		shown_free(i);
	return r;
}

void http01_hide(const char *token)
{
	struct shown *i;

	pthread_mutex_lock(&turn);
	pthread_mutex_lock(&site.lock);
	list_for_each(i, &site.shown, link)
		if (strcmp(i->token, token) == 0) {
			list_del(&i->link);
			shown_free(i);
			break;
		}
	if (site.is_running && list_is_empty(&site.shown))
		site_close();
	pthread_mutex_unlock(&site.lock);
	pthread_mutex_unlock(&turn);
}
