/* SPDX-License-Identifier: GPL-3.0-or-later */
/* client.c - the REST interface through the local socket, with libcurl; and what to tell people when
 * the answer is no. */
#include "config.h"

#include "cli/cli_priv.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include "core/hex.h"

#define PAGE "10000"

char *text_format(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0) {
		fputs("holdfast: no memory.\n", stderr);
		exit(CLI_REFUSED);
	}
	return s;
}

char *text_escape(const char *s)
{
	size_t room = PERCENT_BYTES(strlen(s));
	char *out = malloc(room);

	if (!out)
		return text_format("%s", "");
	percent_encode(s, "", out, room);
	return out;
}

char *path_join(const char *base, const char *id)
{
	_cleanup_(freep) char *escaped = text_escape(id);

	return text_format("%s/%s", base, escaped);
}

int refused(const char *fmt, ...)
{
	va_list ap;

	fputs("holdfast: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CLI_REFUSED;
}

/* The installed daemon's: among the run files, or in its state folder. */
static const char *default_socket(void)
{
	static const char run[] = HF_RUN_DIR "/holdfast.sock", state[] = HF_STATE_DIR "/holdfast.sock";

	return access(run, F_OK) < 0 && access(state, F_OK) == 0 ? state : run;
}

/* The daemon's socket; long paths through a descriptor of their folder, which stays open. */
static char *socket_path(const struct cli *c)
{
	const char *state = c->state_dir ? c->state_dir : getenv("HOLDFAST_STATE");
	char *path = c->socket	     ? text_format("%s", c->socket) :
		     state && *state ? text_format("%s/holdfast.sock", state) :
				       text_format("%s", default_socket());
	char *slash = strrchr(path, '/');

	if (strlen(path) > 100 && slash) {
		int fd;
		char *base = slash + 1, *shorter;

		*slash = '\0';
		fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		*slash = '/';
		if (fd >= 0) {
			shorter = text_format("/proc/self/fd/%d/%s", fd, base);
			free(path);
			path = shorter;
		}
	}
	return path;
}

static int no_connection(const struct cli *c, CURLcode code)
{
	_cleanup_(freep) char *path = c->socket ? text_format("%s", c->socket) :
				      c->state_dir ? text_format("%s/holdfast.sock", c->state_dir) : socket_path(c);

	if (code != CURLE_COULDNT_CONNECT)
		return refused("the connection to the server at %s broke: %s.\nWhether the change was made is unknown; look before you repeat it.",
			       path, curl_easy_strerror(code));
	if (access(path, F_OK) < 0 && errno == EACCES)
		return refused("you may not reach the server at %s.\nRun it as root (sudo holdfast ..) or as the owner of the server.", path);
	if (access(path, F_OK) < 0 && c->state_dir)
		return refused("no server runs there: there is no %s.\nStart it with: holdfastd --state %s", path, c->state_dir);
	if (access(path, F_OK) < 0)
		return refused("no server runs here: there is no %s.\nStart it with: systemctl start holdfastd\nor say where it is with --state DIR, as given to holdfastd.", path);
	if (access(path, W_OK) < 0)
		return refused("you may not speak to the server at %s.\nRun it as root (sudo holdfast ..) or as the owner of the server.", path);
	return refused("the server at %s does not answer.\nIs holdfastd running?  See: systemctl status holdfastd", path);
}

static size_t take_body(char *data, size_t one, size_t n, void *arg)
{
	struct reply *r = arg;
	char *grown = realloc(r->body, r->body_len + one * n + 1);

	if (!grown)
		return 0;
	r->body = grown;
	memcpy(r->body + r->body_len, data, one * n);
	r->body_len += one * n;
	r->body[r->body_len] = '\0';
	return one * n;
}

static CURL *client_handle(struct cli *c, const char *path)
{
	_cleanup_(freep) char *url = text_format("http://localhost%s", path);
	_cleanup_(freep) char *socket = NULL;

	if (!c->curl) {
		curl_global_init(CURL_GLOBAL_NOTHING);
		c->curl = curl_easy_init();
		if (!c->curl)
			return NULL;
		socket = socket_path(c);
		curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, socket);
		curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
		curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(c->curl, CURLOPT_PATH_AS_IS, 1L);
		curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "holdfast/" PACKAGE_VERSION);
	}
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	return c->curl;
}

void client_done(struct cli *c)
{
	if (!c->curl)
		return;
	curl_easy_cleanup(c->curl);
	curl_global_cleanup();
	c->curl = NULL;
}

int client_call(struct cli *c, const char *method, const char *path, const json_t *body, const char *if_match,
		struct reply *r)
{
	_cleanup_(freep) char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	_cleanup_(freep) char *match = if_match ? text_format("If-Match: %s", if_match) : NULL;
	struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json, text/plain;q=0.5");
	CURL *h = client_handle(c, path);
	CURLcode code;

	*r = (struct reply){ 0 };
	if (!h || (body && !text)) {
		curl_slist_free_all(headers);
		return refused("no memory.");
	}
	headers = curl_slist_append(headers, "Expect:");
	if (text)
		headers = curl_slist_append(headers, "Content-Type: application/json");
	if (match)
		headers = curl_slist_append(headers, match);
	curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(h, CURLOPT_POSTFIELDS, text);
	if (!text && strcmp(method, "POST") == 0)
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, "");
	else if (!text)
		curl_easy_setopt(h, CURLOPT_HTTPGET, 1L), curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, r);
	code = curl_easy_perform(h);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	if (code != CURLE_OK)
		return no_connection(c, code);
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &r->status);
	if (r->body)
		r->json = json_loadb(r->body, r->body_len, JSON_DECODE_ANY, NULL);
	return CLI_DONE;
}

void reply_done(struct reply *r)
{
	free(r->body);
	json_decref(r->json);
	*r = (struct reply){ 0 };
}

/* The flag that a member of the body comes from, so that people read words they typed. */
static const char *flag_of_pointer(const struct cli *c, const char *pointer)
{
	size_t len;

	while (*pointer == '/' && strncmp(pointer, "/changes/", 9) == 0)
		pointer = strstr(pointer, "/body/") ? strstr(pointer, "/body/") + 5 : "";
	pointer += *pointer == '/';
	/* A verb that gathers several objects: "/volume/size_bytes" is its --size. */
	if (c->verb->flags && strncmp(c->verb->route, "/api/v1/serve", 13) == 0 && strchr(pointer, '/'))
		pointer = strchr(pointer, '/') + 1;
	len = strcspn(pointer, "/");
	for (const struct flag *f = c->verb->flags; f && f->name; f++)
		if (f->field && strlen(f->field) == len && memcmp(f->field, pointer, len) == 0)
			return f->name;
	return NULL;
}

/* What a person can do about it, by kind of problem. */
static const char *advice(const struct cli *c, const char *type)
{
	static const struct {
		const char *name, *advice;
	} rows[] = {
		{ "stale", "Somebody changed it meanwhile; look at it and try again." },
		{ "forbidden", "Run it as root (sudo holdfast ..) or as the owner of the server." },
		{ "busy", "Try again in a moment." },
	};
	const char *name = strrchr(type, ':') ? strrchr(type, ':') + 1 : type;

	if (strcmp(name, "in-use") == 0 && flag_find(c->verb, "force", 5))
		return "With --force it is done all the same.";
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].advice;
	return NULL;
}

static void tell_line(const char *prefix, const char *text)
{
	_cleanup_(freep) char *line = text_format("%s%s", prefix, text);

	text_tame(line);
	fprintf(stderr, "%s\n", line);
}

static int tell_problem(const struct cli *c, const struct reply *r)
{
	const char *detail = json_string_value(json_object_get(r->json, "detail"));
	const char *title = json_string_value(json_object_get(r->json, "title"));
	const char *type = json_string_value(json_object_get(r->json, "type"));
	const json_t *item;
	size_t i;

	if (!r->json)
		return refused("the server answered with status %ld and no reason.", r->status);
	if (c->output == OUT_JSON) {
		json_dumpf(r->json, stderr, JSON_INDENT(2));
		fputc('\n', stderr);
		return CLI_REFUSED;
	}
	tell_line("holdfast: ", detail ? detail : title ? title : "refused.");
	json_array_foreach(json_object_get(r->json, "errors"), i, item) {
		const char *pointer = json_string_value(json_object_get(item, "pointer"));
		const char *why = json_string_value(json_object_get(item, "detail"));
		const char *flag = flag_of_pointer(c, pointer ? pointer : "");
		_cleanup_(freep) char *where = flag ? text_format("  --%s", flag) : text_format("  %s", pointer ? pointer : "");

		if (why && detail && strcmp(why, detail) == 0)
			tell_line("", where);
		else {
			_cleanup_(freep) char *line = text_format("%s: ", where);

			tell_line(line, why ? why : "");
		}
	}
	if (type && advice(c, type))
		tell_line("", advice(c, type));
	return CLI_REFUSED;
}

int client_do(struct cli *c, const char *method, const char *path, const json_t *body, const char *if_match,
	      struct reply *r)
{
	int code = client_call(c, method, path, body, if_match, r);

	if (code == CLI_DONE && (r->status < 200 || r->status > 299))
		code = tell_problem(c, r);
	return code;
}

int client_list(struct cli *c, const char *path, size_t limit, json_t **ret_items)
{
	json_t *all = json_array();
	char *next = limit ? text_format("%s%climit=%zu", path, strchr(path, '?') ? '&' : '?', limit) :
			     text_format("%s%climit=" PAGE, path, strchr(path, '?') ? '&' : '?');
	int code = CLI_DONE;

	while (next) {
		_cleanup_(freep) char *now = TAKE(next);
		struct reply r;
		const char *cursor;

		code = client_do(c, "GET", now, NULL, NULL, &r);
		if (code == CLI_DONE) {
			json_array_extend(all, json_object_get(r.json, "items"));
			cursor = json_string_value(json_object_get(r.json, "next"));
			if (cursor && !limit) {
				_cleanup_(freep) char *escaped = text_escape(cursor);

				next = text_format("%s%climit=" PAGE "&cursor=%s", path, strchr(path, '?') ? '&' : '?', escaped);
			}
		}
		reply_done(&r);
	}
	if (code == CLI_DONE)
		*ret_items = all;
	else
		json_decref(all);
	return code;
}

/* ---- server-sent events: fields until an empty line -------------------------------------------------- */
struct follow {
	struct cli *c;
	bool (*fn)(struct cli *c, const char *type, json_t *data);
	struct reply text;               /* bytes not yet read as lines */
	char type[64];
	bool is_over;
};

static bool take_line(struct follow *f, char *line)
{
	if (strncmp(line, "event: ", 7) == 0) {
		snprintf(f->type, sizeof(f->type), "%s", line + 7);
	} else if (strncmp(line, "data: ", 6) == 0) {
		json_t *data = json_loads(line + 6, JSON_DECODE_ANY, NULL);

		if (data)
			f->is_over = !f->fn(f->c, f->type, data);
		json_decref(data);
	} else if (!*line) {
		f->type[0] = '\0';
	}
	return !f->is_over;
}

static size_t take_events(char *data, size_t one, size_t n, void *arg)
{
	struct follow *f = arg;
	char *end, *start;

	if (take_body(data, one, n, &f->text) != one * n)
		return 0;
	for (start = f->text.body; (end = strchr(start, '\n')); start = end + 1) {
		*end = '\0';
		if (!take_line(f, start))
			return 0;
	}
	f->text.body_len = strlen(start);
	memmove(f->text.body, start, f->text.body_len + 1);
	return one * n;
}

int client_follow(struct cli *c, const char *path, bool (*fn)(struct cli *c, const char *type, json_t *data))
{
	struct follow f = { .c = c, .fn = fn };
	struct curl_slist *headers = curl_slist_append(NULL, "Accept: text/event-stream");
	CURL *h = client_handle(c, path);
	CURLcode code;
	long status = 0;

	curl_easy_setopt(h, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_events);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, &f);
	code = curl_easy_perform(h);
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	reply_done(&f.text);
	if (f.is_over)
		return CLI_DONE;
	if (code == CURLE_COULDNT_CONNECT)
		return no_connection(c, code);
	if (status != 200 && status != 0)
		return refused("the server answered with status %ld.", status);
	return refused("the server ended the stream.");
}
