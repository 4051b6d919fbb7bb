/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cert.c - the page's certificate: made when there is none, swapped while connections live.
 *
 * Each handshake gets copies that GnuTLS frees itself, so a swap never pulls a key from under one.
 * A "self-signed" file beside the pair says that we made it and may make it anew. */
#include "http/http_priv.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tls/tls.h"

#define SELF_SIGNED_DAYS 825u            /* what browsers take at most, even from a trusted one */
#define RENEW_BEFORE_S (30 * 24 * 3600)
#define PEM_BYTES_MAX (256u << 10)
#define NAMES_MAX 32

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static char *cert_pem, *key_pem;         /* under lock */
static char *dir;

static char *read_file(int dir_fd, const char *name)
{
	_cleanup_(closep) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	char *text;
	ssize_t n, len = 0;

	if (fd < 0)
		return NULL;
	text = calloc(1, PEM_BYTES_MAX + 1);
	while (text && len < (ssize_t)PEM_BYTES_MAX && (n = read(fd, text + len, PEM_BYTES_MAX - (size_t)len)) > 0)
		len += n;
	return text;
}

/* Whole or not at all: a new file takes the old one's name. */
static int write_file(int dir_fd, const char *name, const char *text)
{
	_cleanup_(closep) int fd = -1;
	char tmp[64];
	size_t len = strlen(text);

	snprintf(tmp, sizeof(tmp), "%s.new", name);
	fd = openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len || fsync(fd) < 0)
		return errno ? -errno : -EIO;
	return renameat(dir_fd, tmp, dir_fd, name) < 0 ? -errno : 0;
}

static int open_dir(void)
{
	int fd;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* takes both */
static void install(char *cert, char *key)
{
	pthread_rwlock_wrlock(&lock);
	free(cert_pem);
	if (key_pem)
		tls_wipe(key_pem, strlen(key_pem));
	free(key_pem);
	cert_pem = cert;
	key_pem = key;
	pthread_rwlock_unlock(&lock);
}

static void add_name(char names[][NI_MAXHOST], size_t *count, const char *name)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(names[i], name) == 0)
			return;
	if (*count < NAMES_MAX && *name)
		snprintf(names[(*count)++], NI_MAXHOST, "%s", name);
}

static size_t own_names(char names[][NI_MAXHOST])
{
	struct ifaddrs *list = NULL;
	char host[256] = "";
	size_t count = 0;

	if (gethostname(host, sizeof(host) - 1) == 0)
		add_name(names, &count, host);
	add_name(names, &count, "localhost");
	add_name(names, &count, "127.0.0.1");
	add_name(names, &count, "::1");
	if (getifaddrs(&list) < 0)
		return count;
	for (struct ifaddrs *i = list; i; i = i->ifa_next) {
		char text[NI_MAXHOST];
		int family = i->ifa_addr ? i->ifa_addr->sa_family : AF_UNSPEC;

		if ((family == AF_INET || family == AF_INET6) &&
		    getnameinfo(i->ifa_addr, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6),
				text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0 &&
		    !strchr(text, '%'))      /* link-local addresses are no names for a certificate */
			add_name(names, &count, text);
	}
	freeifaddrs(list);
	return count;
}

static int make_self_signed(int dir_fd)
{
	char (*names)[NI_MAXHOST] = calloc(NAMES_MAX, NI_MAXHOST);
	const char *list[NAMES_MAX];
	char *cert = NULL, *key = NULL, fingerprint[96] = "";
	int64_t until;
	size_t count;
	int r;

	if (!names)
		return -ENOMEM;
	count = own_names(names);
	for (size_t i = 0; i < count; i++)
		list[i] = names[i];
	r = tls_self_signed(list, count, SELF_SIGNED_DAYS, &cert, &key);
	free(names);
	if (r < 0)
		return r;
	if (dir_fd >= 0) {
		/* The mark goes first: between key and certificate the pair does not match, and only a
		 * marked pair is made anew without asking. */
		r = write_file(dir_fd, "self-signed", "made by holdfastd; replaced before it ends\n");
		if (r == 0)
			r = write_file(dir_fd, "key.pem", key);
		if (r == 0)
			r = write_file(dir_fd, "cert.pem", cert);
		if (r < 0)
			log_warn(&log_http, "certificate could not be stored, continuing with it in memory",
				 "dir=%s error=%s", dir, strerror(-r));
	}
	if (tls_cert_info(cert, &until, fingerprint) == 0)
		log_info(&log_http, "self-signed certificate made", "sha256=%s", fingerprint);
	install(cert, key);
	return 0;
}

static bool ends_soon(const char *pem)
{
	char fingerprint[96];
	int64_t until;

	return tls_cert_info(pem, &until, fingerprint) == 0 && until - (int64_t)time(NULL) < RENEW_BEFORE_S;
}

int cert_init(const char *state_dir, char *why, size_t why_bytes)
{
	_cleanup_(closep) int dir_fd = -1;
	char *cert, *key;
	bool is_ours;
	int r;

	if (asprintf(&dir, "%s/tls", state_dir) < 0) {
		dir = NULL;
		return -ENOMEM;
	}
	dir_fd = open_dir();
	if (dir_fd < 0) {
		snprintf(why, why_bytes, "The folder %s cannot be used: %s.", dir, strerror(-dir_fd));
		return dir_fd;
	}
	cert = read_file(dir_fd, "cert.pem");
	key = read_file(dir_fd, "key.pem");
	is_ours = faccessat(dir_fd, "self-signed", F_OK, 0) == 0;
	if (cert && key && tls_cert_matches_key(cert, key) == 0 && !(is_ours && ends_soon(cert))) {
		if (ends_soon(cert))
			log_warn(&log_http, "certificate ends within 30 days", "file=%s/cert.pem", dir);
		install(cert, key);
		return 0;
	}
	if ((cert || key) && !is_ours) {
		/* Somebody's own files: never overwritten. */
		log_error(&log_http, "certificate and key do not fit, continuing with a temporary self-signed one",
			  "dir=%s", dir);
		r = make_self_signed(-1);
	} else {
		r = make_self_signed(dir_fd);
	}
	free(cert);
	free(key);
	if (r < 0)
		snprintf(why, why_bytes, "No certificate could be made: %s.", strerror(-r));
	return r;
}

void cert_renew(void)
{
	_cleanup_(closep) int dir_fd = dir ? open_dir() : -1;
	bool due;

	if (dir_fd < 0 || faccessat(dir_fd, "self-signed", F_OK, 0) < 0)
		return;
	pthread_rwlock_rdlock(&lock);
	due = cert_pem && ends_soon(cert_pem);
	pthread_rwlock_unlock(&lock);
	if (due)
		(void)make_self_signed(dir_fd);
}

int cert_set(const char *cert, const char *key)
{
	_cleanup_(closep) int dir_fd = -1;
	char *cert_copy, *key_copy;
	int r;

	if (tls_cert_matches_key(cert, key) < 0)
		return -EINVAL;
	cert_copy = strdup(cert);
	key_copy = strdup(key);
	if (!cert_copy || !key_copy) {
		free(cert_copy);
		free(key_copy);
		return -ENOMEM;
	}
	dir_fd = dir ? open_dir() : -ENOENT;
	if (dir_fd >= 0) {
		unlinkat(dir_fd, "self-signed", 0);
		r = write_file(dir_fd, "key.pem", key);
		if (r == 0)
			r = write_file(dir_fd, "cert.pem", cert);
		if (r < 0)
			log_warn(&log_http, "certificate could not be stored, continuing with it in memory",
				 "dir=%s error=%s", dir, strerror(-r));
	}
	install(cert_copy, key_copy);
	return 0;
}

int http_set_certificate(const char *cert, const char *key)
{
	return cert_set(cert, key);
}

void cert_done(void)
{
	install(NULL, NULL);
	free(dir);
	dir = NULL;
}

int cert_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **ret_certs,
		  unsigned *ret_count, gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_count,
		  gnutls_privkey_t *ret_key, unsigned *ret_flags)
{
	gnutls_x509_crt_t *chain = NULL;
	gnutls_privkey_t key = NULL;
	gnutls_pcert_st *certs = NULL;
	gnutls_datum_t cert_text, key_text;
	unsigned count = 0;
	int r = -1;

	(void)session, (void)info;
	pthread_rwlock_rdlock(&lock);
	if (cert_pem && key_pem) {
		cert_text = (gnutls_datum_t){ (unsigned char *)cert_pem, (unsigned)strlen(cert_pem) };
		key_text = (gnutls_datum_t){ (unsigned char *)key_pem, (unsigned)strlen(key_pem) };
		if (gnutls_x509_crt_list_import2(&chain, &count, &cert_text, GNUTLS_X509_FMT_PEM, 0) >= 0 &&
		    gnutls_privkey_init(&key) >= 0 &&
		    gnutls_privkey_import_x509_raw(key, &key_text, GNUTLS_X509_FMT_PEM, NULL, 0) >= 0)
			certs = gnutls_calloc(count, sizeof(*certs));
		if (certs)
			r = gnutls_pcert_import_x509_list(certs, chain, &count, 0);
	}
	pthread_rwlock_unlock(&lock);
	for (unsigned i = 0; chain && i < count; i++)
		gnutls_x509_crt_deinit(chain[i]);
	gnutls_free(chain);
	if (r < 0) {
		gnutls_free(certs);
		if (key)
			gnutls_privkey_deinit(key);
		return -1;
	}
	*ret_certs = certs;
	*ret_count = count;
	*ret_ocsp = NULL;
	*ret_ocsp_count = 0;
	*ret_key = key;
	*ret_flags = GNUTLS_CERT_RETR_DEINIT_ALL;
	return 0;
}
