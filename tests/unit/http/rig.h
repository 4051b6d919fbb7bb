/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rig.h - an edge over a fake control, and clients for it: what the tests of http/ share. */
#ifndef HOLDFAST_TESTS_HTTP_RIG_H
#define HOLDFAST_TESTS_HTTP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "../api/fake_control.h"
#include "http/http_priv.h"

extern char dir[256], socket_path_[300], why[256];

struct got {
	long status;
	size_t len;
	char body[70000], headers[8192];
	size_t headers_len;
};
/* port 0: local socket.  header, body: may be NULL. */
CURLcode fetch_with(CURL *c, unsigned port, const char *method, const char *path, const char *header,
		    const char *body, long body_len, struct got *g);
CURLcode fetch(unsigned port, const char *method, const char *path, const char *header, const char *body, struct got *g);
/* A connection to the local socket, for requests word by word. */
int connect_local(void);
extern int patience_ms;
/* Reads until text is there or patience ends; what was read is in buf. */
bool read_until(int fd, char *buf, size_t buf_bytes, const char *text);
int start_edge(void);
/* An HTTPS portal on a free port; returns the port. */
unsigned open_portal(void **ret_portal);
/* A folder with an edge in it; and both gone. */
int setup(void **state);
int teardown(void **state);

#endif
