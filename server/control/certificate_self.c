/* SPDX-License-Identifier: GPL-3.0-or-later */
/* certificate_self.c - the certificate that the server gives itself: at its first start, and anew before it
 * ends; and what earlier versions left in the folder tls/. */
#include "control/certificate_priv.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tls/tls.h"

#define SELF_SIGNED_DAYS 825u            /* what browsers take at most, even from a trusted one */
#define NAMES_MAX 32

static void add_name(json_t *names, const char *name)
{
	json_t *v;
	size_t i;

	json_array_foreach(names, i, v)
		if (strcmp(json_string_value(v), name) == 0)
			return;
	if (*name && json_array_size(names) < NAMES_MAX)
		json_array_append_new(names, json_string(name));
}

/* What browsers on the network may call this machine; returns owned. */
static json_t *own_names(void)
{
	json_t *names = json_array();
	struct ifaddrs *list = NULL;
	char host[256] = "";

	if (gethostname(host, sizeof(host) - 1) == 0)
		add_name(names, host);
	add_name(names, "localhost");
	add_name(names, "127.0.0.1");
	add_name(names, "::1");
	if (getifaddrs(&list) < 0)
		return names;
	for (struct ifaddrs *i = list; i; i = i->ifa_next) {
		char text[NI_MAXHOST];
		int family = i->ifa_addr ? i->ifa_addr->sa_family : AF_UNSPEC;
		if ((family == AF_INET || family == AF_INET6) &&
		    getnameinfo(i->ifa_addr, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6), text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0 &&
		    !strchr(text, '%'))      /* link-local addresses are no names for a certificate */
			add_name(names, text);
	}
	freeifaddrs(list);
	return names;
}

int self_signed_make(const json_t *names, char **ret_chain, char **ret_key)
{
	json_t *own = json_array_size(names) ? json_incref((json_t *)names) : own_names();
	const char *list[100];
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(own) && count < ARRAY_COUNT(list); i++)
		list[count++] = json_string_value(json_array_get(own, i));
	int r = count ? tls_self_signed(list, count, SELF_SIGNED_DAYS, ret_chain, ret_key) : -EINVAL;
	json_decref(own);
	return r;
}

int self_signed_renew(const json_t *row, struct config_error *e)
{
	char *chain, *key;
	int r = self_signed_make(json_object_get(row, "names"), &chain, &key);

	if (r)
		return config_fail(e, r, "", "a self-signed certificate cannot be made: %s", strerror(-r));
	json_t *body = json_pack("{s:s, s:s}", "chain_pem", chain, "key_pem", key);
	free(chain);
	secret_freep(&key);
	return certificate_change(CONTROL_UPDATE, text_of(row, "id"), body, NULL, e);
}

/* ---- the folder of earlier versions -------------------------------------------------------------------------------- */
static char *read_pem(const char *name)
{
	char path[4200];
	snprintf(path, sizeof(path), "%s/tls/%s", ctl.state_dir, name);
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = fd >= 0 ? calloc(1, PEM_MAX + 1) : NULL;
	ssize_t n, len = 0;

	while (text && len < PEM_MAX && (n = read(fd, text + len, (size_t)(PEM_MAX - len))) > 0)
		len += n;
	return text;
}

static void forget_files(void)
{
	static const char *const names[] = { "tls/key.pem", "tls/cert.pem", "tls/self-signed" };
	char path[4200];

	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", ctl.state_dir, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/tls", ctl.state_dir);
	rmdir(path);
}

/* -ENOENT: there is nothing to take over. */
static int take_files(struct config_error *e)
{
	char mark[4200];
	_cleanup_(freep) char *chain = read_pem("cert.pem");
	_cleanup_(secret_freep) char *key = read_pem("key.pem");

	if (!chain || !key || tls_cert_matches_key(chain, key) < 0)
		return -ENOENT;
	snprintf(mark, sizeof(mark), "%s/tls/self-signed", ctl.state_dir);
	bool ours = access(mark, F_OK) == 0;
	json_t *body = json_pack("{s:s, s:s, s:s, s:s, s:b}", "name", ours ? "self-signed" : "imported", "source", ours ? "self-signed" : "upload", "chain_pem", chain,
				 "key_pem", key, "active", 1);
	int r = certificate_change(CONTROL_CREATE, NULL, body, NULL, e);
	if (r == 0)
		forget_files();
	return r;
}

int certificate_first(struct config_error *e)
{
	struct config_error ignored;
	json_t *row;
	int r = take_files(e);

	if (r != -ENOENT)
		return r;
	*e = (struct config_error){ 0 };
	if (config_get(ctl.db, MODEL_CERTIFICATE, "self-signed", &row, &ignored) == 0) {
		r = self_signed_renew(row, e);
		if (!r)
			r = certificate_change(CONTROL_UPDATE, text_of(row, "id"), json_pack("{s:b}", "active", 1), NULL, e);
		json_decref(row);
		return r;
	}
	return certificate_change(CONTROL_CREATE, NULL, json_pack("{s:s, s:s, s:b}", "name", "self-signed", "source", "self-signed", "active", 1), NULL, e);
}
