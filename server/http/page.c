/* SPDX-License-Identifier: GPL-3.0-or-later */
/* page.c - the admin page: files inside the program (asset.h), or a developer's folder (--web-root).
 *
 * An address is looked up in a table, so there is no way from an address to the file system.  What is no
 * file and no address of the API is the page itself when a browser asks (the page's own router reads the
 * address).  Answered on libmicrohttpd's thread: nothing here waits. */
#include "http/asset.h"
#include "http/http_priv.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_BYTES_MAX (16u << 20)

/* No inline script or style, nothing from elsewhere, no frame around it. */
#define PAGE_POLICY                                                                                 \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " \
	"connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

static char *web_root;                   /* NULL: the files inside the program */

int page_init(const char *root, char *why, size_t why_bytes)
{
	if (!root)
		return 0;
	web_root = realpath(root, NULL);
	if (!web_root) {
		int r = -errno;
		snprintf(why, why_bytes, "The folder %s of the page cannot be used: %s.", root, strerror(-r));
		return r;
	}
	log_warn(&log_http, "the page comes from a folder, for developers only", "web_root=%s", web_root);
	return 0;
}

void page_done(void)
{
	free(web_root);
	web_root = NULL;
}

static const struct asset *asset_find(const char *path, size_t len)
{
	size_t low = 0, high = asset_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const char *name = assets[mid].path;
		int order = strncmp(path, name, len);

		if (order == 0 && name[len])
			order = -1;
		if (order == 0)
			return &assets[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static const char *header_of(struct MHD_Connection *conn, const char *name)
{
	return MHD_lookup_connection_value(conn, MHD_HEADER_KIND, name);
}

/* RFC 9110 12.5.3: without the header every coding will do; with it, gzip must be among what is taken. */
bool page_gzip_is_taken(const char *accept_encoding)
{
	const char *p = accept_encoding;

	if (!p)
		return true;
	while (*p) {
		size_t len = strcspn(p, ","), name;
		const char *q;

		name = strspn(p, " \t");
		p += name;
		len -= name;
		name = strcspn(p, ";, \t");
		if ((name == 4 && strncasecmp(p, "gzip", 4) == 0) || (name == 1 && *p == '*')) {
			q = memmem(p, len, "q=", 2);
			return !q || strtod(q + 2, NULL) > 0;
		}
		p += len;
		p += *p == ',';
	}
	return false;
}

static enum MHD_Result page_send(struct MHD_Connection *conn, struct MHD_Response *r, unsigned status, const char *type,
				 const char *etag, bool is_hashed)
{
	enum MHD_Result ok;

	if (!r)
		return MHD_NO;
	headers_for_all(r, conn);
	MHD_add_response_header(r, "Content-Security-Policy", PAGE_POLICY);
	MHD_add_response_header(r, "Cache-Control", is_hashed ? "public, max-age=31536000, immutable" : "no-cache");
	if (type)
		MHD_add_response_header(r, "Content-Type", type);
	if (etag)
		MHD_add_response_header(r, "ETag", etag);
	ok = MHD_queue_response(conn, status, r);
	MHD_destroy_response(r);
	return ok;
}

static enum MHD_Result asset_send(struct MHD_Connection *conn, const struct asset *a)
{
	const char *none_match = header_of(conn, "If-None-Match");
	struct MHD_Response *r;

	if (none_match && (strstr(none_match, a->etag) || none_match[strspn(none_match, " \t")] == '*'))
		return page_send(conn, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT), 304, NULL, a->etag,
				 a->is_hashed);
	if (a->is_gzip && !page_gzip_is_taken(header_of(conn, "Accept-Encoding")))
		return refuse(conn, 406, "The page is kept compressed: send Accept-Encoding: gzip.");
	r = MHD_create_response_from_buffer((size_t)(a->end - a->start), (void *)(uintptr_t)a->start, MHD_RESPMEM_PERSISTENT);
	if (r && a->is_gzip)
		MHD_add_response_header(r, "Content-Encoding", "gzip");
	return page_send(conn, r, 200, a->type, a->etag, a->is_hashed);
}

/* ---- the developer's folder --------------------------------------------------------------------------- */
static const char *type_by_name(const char *path)
{
	static const struct {
		const char *end, *type;
	} rows[] = {
		{ ".html", "text/html; charset=utf-8" }, { ".js", "text/javascript; charset=utf-8" },
		{ ".css", "text/css; charset=utf-8" }, { ".json", "application/json" }, { ".svg", "image/svg+xml" },
		{ ".png", "image/png" }, { ".ico", "image/x-icon" }, { ".woff2", "font/woff2" },
	};
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot && i < ARRAY_COUNT(rows); i++)
		if (strcmp(dot, rows[i].end) == 0)
			return rows[i].type;
	return "application/octet-stream";
}

/* A descriptor of a regular file below web_root, or -errno. */
static int open_below(const char *path, size_t len, size_t *ret_bytes)
{
	char name[PATH_MAX];
	_cleanup_(freep) char *real = NULL;
	_cleanup_(closep) int fd = -1;
	struct stat st;
	size_t root_len = strlen(web_root);

	if (len >= 1024 || strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-") < len ||
	    memmem(path, len, "/.", 2))
		return -ENOENT;
	snprintf(name, sizeof(name), "%.2048s%.*s", web_root, (int)len, path);
	real = realpath(name, NULL);
	if (!real || strncmp(real, web_root, root_len) != 0 || real[root_len] != '/')
		return -ENOENT;
	fd = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_BYTES_MAX)
		return -ENOENT;
	*ret_bytes = (size_t)st.st_size;
	return take_fd(&fd);
}

/* False: there is no such file. */
static bool file_send(struct MHD_Connection *conn, const char *path, size_t len, enum MHD_Result *ret)
{
	char name[1024];
	size_t bytes;
	int fd = open_below(path, len, &bytes);
	struct MHD_Response *r;

	if (fd < 0)
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)len, path);
	r = MHD_create_response_from_fd(bytes, fd); /* takes fd */
	if (!r)
		close(fd);
	*ret = page_send(conn, r, 200, type_by_name(name), NULL, false);
	return true;
}

/* ---- which answer -------------------------------------------------------------------------------------- */
static bool is_of_api(const char *path, size_t len)
{
	static const char *const others[] = { "/api", "/healthz", "/metrics" };

	for (size_t i = 0; i < ARRAY_COUNT(others); i++)
		if (strlen(others[i]) == len && memcmp(path, others[i], len) == 0)
			return true;
	return len >= 5 && memcmp(path, "/api/", 5) == 0;
}

bool page_answers(struct MHD_Connection *conn, const char *method, const char *target, enum MHD_Result *ret)
{
	size_t len = strcspn(target, "?#");
	const char *accept = header_of(conn, "Accept");
	const struct asset *a;

	if ((strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) || *target != '/' || is_of_api(target, len))
		return false;
	if (len == 1) {
		target = "/index.html";
		len = strlen(target);
	}
	if (web_root && file_send(conn, target, len, ret))
		return true;
	a = web_root ? NULL : asset_find(target, len);
	/* A page of the application's own: a browser asks for HTML when somebody opens an address. */
	if (!a && accept && strstr(accept, "text/html")) {
		if (web_root)
			return file_send(conn, "/index.html", 11, ret);
		a = asset_find("/index.html", 11);
	}
	if (a)
		*ret = asset_send(conn, a);
	return a != NULL;
}
