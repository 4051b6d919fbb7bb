/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli.c - the holdfast program itself against a real edge over a fake control: what it prints, where,
 * and with which status it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "../api/fake_control.h"
#include "http/http.h"

static char dir[128], program[512], why[256];

struct ran {
	int status;
	char out[200000], err[20000];
};

static void read_back(FILE *f, char *text, size_t text_bytes)
{
	size_t n;

	rewind(f);
	n = fread(text, 1, text_bytes - 1, f);
	text[n] = '\0';
	fclose(f);
}

/* line: words with single blanks between; "@" at the start of one stands for the folder. */
static void run(struct ran *r, const char *line, const char *input)
{
	char *copy = strdup(line), *words[32] = { program, (char *)"--state", dir }, *save = NULL, paths[4][300];
	FILE *out = tmpfile(), *err = tmpfile(), *in = tmpfile();
	int n = 3, path = 0;
	pid_t pid;

	if (strncmp(line, "__", 2) == 0)
		n = 1;
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (*w == '@') {
			snprintf(paths[path], sizeof(paths[0]), "%s/%s", dir, w + 1);
			w = paths[path++];
		}
		words[n++] = w;
	}
	fputs(input ? input : "", in);
	rewind(in);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(fileno(in), 0);
		dup2(fileno(out), 1);
		dup2(fileno(err), 2);
		setenv("ASAN_OPTIONS", "detect_leaks=1", 1);
		execv(program, words);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &r->status, 0), pid);
	r->status = WIFEXITED(r->status) ? WEXITSTATUS(r->status) : 128;
	fclose(in);
	read_back(out, r->out, sizeof(r->out));
	read_back(err, r->err, sizeof(r->err));
	free(copy);
}

static int setup(void **state)
{
	const char *build = getenv("HF_BUILDDIR") ? getenv("HF_BUILDDIR") : HF_BUILDDIR;
	struct http_opts o;
	char path[200];

	(void)state;
	snprintf(program, sizeof(program), "%s/server/holdfast", build);
	snprintf(dir, sizeof(dir), "/tmp/hf-cli-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/holdfast.sock", dir);
	o = (struct http_opts){ .socket_path = path, .admin_uid = geteuid() };
	fake_control_reset();
	return http_init(&o, why, sizeof(why)) < 0 ? -1 : http_start(why, sizeof(why));
}

static int teardown(void **state)
{
	static const char *const files[] = { "tls/cert.pem", "tls/key.pem", "tls/self-signed", "tls", "secret", "empty", "doc.json", "out.json" };
	char path[300];

	(void)state;
	http_stop();
	fake_control_reset();
	for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		remove(path);
	}
	return rmdir(dir);
}

static void write_file(const char *name, const char *text)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_a_day_of_an_admin(void **state)
{
	/* In this order; each sees what those before it did. */
	static const struct {
		const char *line;
		int status;
		const char *out, *err;   /* pieces; NULL: that one is empty */
	} steps[] = {
		{ "volume list", 0, NULL, "There is no volume." },
		{ "volume list -o json", 0, "[]", NULL },
		{ "pool create main --path /srv", 0, "pool \"main\" created\n", NULL },
		{ "volume create v1 --size 10G --pool main", 0, "volume \"v1\" created\n", NULL },
		{ "volume create v2 --size 1.5T --option mode=direct -o json", 0, "\"mode\": \"direct\"", NULL },
		{ "volume create v3 --size 1M -o name", 0, "v3\n", NULL },
		{ "volume create v1 --size 10G", 1, NULL, "holdfast: The name is taken." },
		{ "volume create v4 --size 1M --dry-run", 0, "Nothing was changed.", NULL },
		{ "volume show v4", 1, NULL, "none called that" },
		{ "volume list", 0, "v1    -       10 GiB     -  main  file      512  no\n", NULL },
		{ "volume list -o name", 0, "v1\nv2\nv3\n", NULL },
		{ "volume list --pool main -o name", 0, "v1\n", NULL },
		{ "volume show v2", 0, "1.5 TiB (1649267441664)", NULL },
		{ "volume show v2", 0, "options mode         direct", NULL },
		{ "volume resize v1 --size 20G", 0, "volume \"v1\" is 20 GiB now\n", NULL },
		{ "volume set v1 --comment hello", 0, "changed", NULL },
		{ "volume set v1", 2, NULL, "say what to change" },
		{ "target create t1", 0, "target \"t1\" created", NULL },
		{ "target attach t1 v1 --lun 3 --read-only", 0, "volume \"v1\" is LUN 3 of target \"t1\"\n", NULL },
		{ "target allow t1", 2, NULL, "--any, --host HOST or --group GROUP" },
		{ "target allow t1 --any", 0, "access granted to target \"t1\"", NULL },
		{ "target show t1", 0, "allow any               yes", NULL },
		{ "target deny t1 --any", 0, "taken away", NULL },
		{ "host create h1 --iqn iqn.2026-11.test:a --chap-user u --chap-secret-file @secret", 0, "host \"h1\" created", NULL },
		{ "host create h2 --chap-secret-file @nothing", 1, NULL, "cannot be read" },
		{ "host create h2 --chap-secret-file @empty", 2, NULL, "is empty" },
		{ "target allow t1 --host h1 --host h2 --luns 3", 0, "granted", NULL },
		{ "target deny t1 --host h1", 0, "taken away", NULL },
		{ "target deny t1 --host h1", 1, NULL, "\"h1\" has no access to target \"t1\"" },
		{ "target detach t1 v1", 0, "volume \"v1\" detached", NULL },
		{ "target detach t1 v1", 1, NULL, "is not attached" },
		{ "host-group create g --host h1", 0, "created", NULL },
		{ "host-group add g h3", 0, "host \"h3\" is in group \"g\"", NULL },
		{ "host-group remove g h1", 0, "no longer", NULL },
		{ "host-group remove g h1", 1, NULL, "is not in group" },
		{ "host-group show g", 0, "hosts         h3", NULL },
		{ "key generate dhchap", 0, "DHHC-1:00:", NULL },
		{ "key generate dhchap --hash sha512", 0, "DHHC-1:03:", NULL },
		{ "key generate psk", 0, "NVMeTLSkey-1:01:", NULL },
		{ "key generate psk --hash sha384 -o json", 0, "\"key\": \"NVMeTLSkey-1:02:", NULL },
		{ "key generate dhchap --hash sha256 --length 48", 2, NULL, "32 bytes" },
		{ "key generate psk --hash sha512", 2, NULL, "32 bytes (sha256) or 48" },
		{ "key generate psk --ctrl", 2, NULL, "--ctrl goes with dhchap" },
		{ "key generate rsa", 2, NULL, "dhchap or psk" },
		{ "key generate dhchap --host h1", 0, "DHHC-1:00:", NULL },
		{ "key generate dhchap --host h9", 1, NULL, "none called that" },
		{ "portal add iscsi 127.0.0.1:3260", 0, "portal iscsi 127.0.0.1:3260 added", NULL },
		{ "portal add iscsi [::1]:3260", 0, "added", NULL },
		{ "portal add fc 127.0.0.1:3260", 2, NULL, "none of https" },
		{ "portal add iscsi 127.0.0.1", 2, NULL, "ADDRESS:PORT" },
		{ "portal list -o name", 0, "127.0.0.1:3260\n[::1]:3260\n", NULL },
		{ "portal set [::1]:3260 --nvme-tls required", 0, "portal [::1]:3260 changed", NULL },
		{ "portal set [::1]:3260", 2, NULL, "say what to change" },
		{ "portal disable [::1]:3260", 0, "portal [::1]:3260 disabled", NULL },
		{ "portal show [::1]:3260", 0, "enabled       no", NULL },
		{ "portal delete [::1]:3260", 0, "deleted", NULL },
		{ "portal delete [::1]:3260", 1, NULL, "there is no portal at [::1]:3260" },
		{ "portal list", 0, "iscsi     127.0.0.1  3260", NULL },
		{ "session list", 0, "iqn.2026-11.test:b", NULL },
		{ "session close 7", 0, "session 7 closes", NULL },
		{ "session close 9", 1, NULL, "no such session" },
		{ "plugin list", 0, "ram", NULL },
		{ "plugin show ram -o json", 0, "\"name\": \"ram\"", NULL },
		{ "plugin show rom", 1, NULL, "no plugin \"rom\"" },
		{ "event list --limit 5", 0, NULL, "There is no event." },
		{ "event list --limit x", 2, NULL, "--limit" },
		{ "audit list", 0, NULL, "There is no audit." },
		{ "task list", 0, NULL, "There is no task." },
		{ "task cancel 1", 1, NULL, "no such task" },
		{ "status", 0, "Holdfast test on this machine", NULL },
		{ "status -o json", 0, "\"version\": \"test\"", NULL },
		{ "config export", 0, "\"pools\": []", NULL },
		{ "config export @out.json", 0, NULL, NULL },
		{ "config import @out.json --dry-run", 0, "Nothing was changed", NULL },
		{ "config import @doc.json", 1, NULL, "is not JSON" },
		{ "config import @nothing", 1, NULL, "cannot be read" },
		{ "setting get nothing", 1, NULL, "none called that" },
		{ "volume delete v3", 0, "volume \"v3\" deleted\n", NULL },
		{ "volume delete v3", 1, NULL, "none called that" },
		{ "volume delete v3 -o json", 1, NULL, "\"type\": \"urn:holdfast:problem:not-found\"" },
		{ "volume delete v2 -o json", 0, "{}", NULL },
		{ "volum list", 2, NULL, "did you mean \"volume\"?" },
		{ "--help", 0, "Nouns:", NULL },
		{ "volume --help", 0, "holdfast volume resize NAME --size SIZE", NULL },
		{ "volume create --help", 0, "usage: holdfast volume create NAME --size SIZE", NULL },
		{ "help volume create", 0, "usage: holdfast volume create NAME --size SIZE", NULL },
		{ "--version", 0, "holdfast ", NULL },
	};
	struct ran *r = malloc(sizeof(*r));

	(void)state;
	write_file("secret", "0123456789abcdef\n");
	write_file("empty", "\n");
	write_file("doc.json", "{\"a\":1,\"a\":2}");
	for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
		run(r, steps[i].line, NULL);
		if (r->status != steps[i].status || (steps[i].out ? !strstr(r->out, steps[i].out) : *r->out) ||
		    (steps[i].err ? !strstr(r->err, steps[i].err) : *r->err))
			fail_msg("%s: status %d\nout: %s\nerr: %s", steps[i].line, r->status, r->out, r->err);
		if (strchr(r->out, '\033') || strchr(r->err, '\033'))
			fail_msg("%s: colours in a file", steps[i].line);
	}
	free(r);
}

static void test_secret_from_standard_input(void **state)
{
	struct config_error e;
	struct ran *r = malloc(sizeof(*r));
	json_t *o = NULL;

	(void)state;
	run(r, "host create h --chap-user u --chap-secret-file -", "from-a-pipe-12\n");
	assert_int_equal(r->status, 0);
	assert_int_equal(control_get(MODEL_HOST, "h", &o, &e), 0);
	assert_string_equal(json_string_value(json_object_get(o, "chap_secret")), "from-a-pipe-12");
	json_decref(o);
	free(r);
}

static void test_field_errors_name_the_flag(void **state)
{
	struct ran *r = malloc(sizeof(*r));

	(void)state;
	fake_control_fail(-EINVAL, "size_bytes", "It is not a multiple of the block size.");
	run(r, "volume create v --size 1000", NULL);
	assert_int_equal(r->status, 1);
	assert_non_null(strstr(r->err, "not a multiple"));
	assert_non_null(strstr(r->err, "--size"));
	fake_control_fail(-EBUSY, "", "Target t1 serves it.");
	run(r, "volume delete v", NULL);
	assert_int_equal(r->status, 1);
	assert_non_null(strstr(r->err, "Target t1 serves it."));
	assert_non_null(strstr(r->err, "--force"));
	free(r);
}

static void test_what_hosts_say_is_tamed(void **state)
{
	struct ran *r = malloc(sizeof(*r));
	struct control_result res;
	struct control_change c = { .verb = CONTROL_CREATE, .kind = MODEL_VOLUME };
	json_t *body = json_pack("{s:s, s:i, s:s}", "name", "evil\033[2J", "size_bytes", 512, "comment", "\033]0;x\a");

	(void)state;
	c.body = body;
	assert_int_equal(control_change(&c, &res), 0);
	control_result_done(&res);
	json_decref(body);
	run(r, "volume list", NULL);
	assert_non_null(strstr(r->out, "evil?[2J"));
	assert_null(strchr(r->out, '\033'));
	free(r);
}

static void test_no_server(void **state)
{
	struct ran *r = malloc(sizeof(*r));

	(void)state;
	run(r, "volume list --state @nowhere", NULL);
	assert_int_equal(r->status, 1);
	assert_non_null(strstr(r->err, "holdfastd --state"));
	free(r);
}

static void test_completion(void **state)
{
	static const struct {
		const char *what, *words;
		int index;
		const char *offers;
	} cases[] = {
		{ "nouns", "po", 1, "pool\nportal\n" },
		{ "verbs", "volume re", 2, "resize\n" },
		{ "names", "volume show v", 3, "v1\nv2\n" },
		{ "no names for new ones", "volume create v", 3, "" },
		{ "flags of the verb", "volume create x --si", 4, "--size\n" },
		{ "values", "target create x --protocol i", 5, "iscsi\n" },
		{ "first of two words", "target attach t", 3, "t1\n" },
		{ "second of two words", "target attach t1 v", 4, "v1\nv2\n" },
		{ "value that is a name", "volume create x --pool m", 5, "main\n" },
		{ "output", "volume list -o n", 4, "name\n" },
		{ "files", "config import x", 3, "@files\n" },
		{ "protocols", "portal add nvme-t", 3, "nvme-tcp\n" },
		{ "nothing known", "nonsense x", 2, "" },
	};
	struct ran *r = malloc(sizeof(*r));

	(void)state;
	run(r, "pool create main --path /srv", NULL);
	run(r, "volume create v1 --size 1M", NULL);
	run(r, "volume create v2 --size 1M", NULL);
	run(r, "target create t1", NULL);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char line[400];

		/* "--state DIR" stands before, as on a real line: two words more */
		snprintf(line, sizeof(line), "__complete %d holdfast --state @ %s", cases[i].index + 2, cases[i].words);
		run(r, line, NULL);
		if (strcmp(r->out, cases[i].offers) != 0 || r->status != 0)
			fail_msg("%s: %s", cases[i].what, r->out);
	}
	free(r);
}

static void test_follow(void **state)
{
	struct ran *r = malloc(sizeof(*r));
	char out[4096];
	int fds[2];
	pid_t pid;
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		execl(program, program, "--state", dir, "event", "follow", (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	usleep(300000);
	for (int i = 0; i < 20; i++) {           /* whenever it has connected */
		fake_control_emit("event", json_pack("{s:s, s:s, s:s, s:s, s:s}", "at", "2026-11-20T13:00:00Z", "level", "info",
						     "type", "volume.offline", "object", "v1", "message", "gone\nforever"));
		usleep(20000);
	}
	n = read(fds[0], out, sizeof(out) - 1);
	assert_true(n > 0);
	out[n] = '\0';
	assert_non_null(strstr(out, "2026-11-20 13:00:00  info  volume.offline  v1  gone?forever\n"));
	close(fds[0]);
	fake_control_emit("event", json_pack("{s:s}", "message", "nobody reads this")); /* it ends by itself */
	usleep(50000);
	fake_control_emit("event", json_pack("{s:s}", "message", "nor this"));
	assert_int_equal(waitpid(pid, &r->status, 0), pid);
	assert_true(WIFEXITED(r->status));
	free(r);
}

static void test_thousand_volumes(void **state)
{
	struct ran *r = malloc(sizeof(*r));
	struct timespec t0, t1;
	size_t lines = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct control_change c = { .verb = CONTROL_CREATE, .kind = MODEL_VOLUME };
		struct control_result res;
		char name[32];
		json_t *body;

		snprintf(name, sizeof(name), "volume-%04d", i);
		body = json_pack("{s:s, s:i}", "name", name, "size_bytes", 1 << 20);
		c.body = body;
		assert_int_equal(control_change(&c, &res), 0);
		control_result_done(&res);
		json_decref(body);
	}
	clock_gettime(CLOCK_MONOTONIC, &t0);
	run(r, "volume list", NULL);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	for (const char *p = r->out; (p = strchr(p, '\n')); p++)
		lines++;
	assert_int_equal(lines, 1001);
	print_message("# 1000 volumes listed in %ld ms\n", (t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_day_of_an_admin, setup, teardown),
		cmocka_unit_test_setup_teardown(test_secret_from_standard_input, setup, teardown),
		cmocka_unit_test_setup_teardown(test_field_errors_name_the_flag, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_hosts_say_is_tamed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_completion, setup, teardown),
		cmocka_unit_test_setup_teardown(test_follow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_thousand_volumes, setup, teardown),
	};

	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
