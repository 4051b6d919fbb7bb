/* SPDX-License-Identifier: GPL-3.0-or-later */
/* domain_keytab.c - nfs/HOST as a name of this machine in its domain, and a keytab with the keys of all its names: what NFS with
 * Kerberos needs.
 *
 * winbindd changes the machine's password from time to time, and the keys with it.  So the keytab goes with a note of the password
 * that it was made of; one look at the domain tells whether that is still the one.  Keys of before stay in the file: tickets that
 * clients have are good until they end. */
#include "broker/domain_priv.h"

#include <fcntl.h>
#include <string.h>

#define KEYTAB "smb/private/krb5.keytab"
#define NOTE "smb/domain/keytab-of"

static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER; /* guards failed, and the file while it is made */
static char failed[256];

static bool noted(const char *password_of)
{
	char path[PATH_MAX], line[160];
	_cleanup_(closep) int fd = open(keeper_path(path, NOTE), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : TEMP_FAILURE_RETRY(read(fd, line, sizeof(line) - 1));
	if (n < 0 || access(keeper_path(path, KEYTAB), R_OK) < 0)
		return false;
	line[n] = '\0';
	return strcmp(line, password_of) == 0;
}

int domain_keytab_keep(const char *password_of, char *why, size_t why_bytes)
{
	static char out[16384];
	if (noted(password_of))
		return 0;
	pthread_mutex_lock(&one);
	/* The machine's own account may add names of its own host to itself. */
	const char *const name[] = { "ads", "keytab", "add_update_ads", "nfs", "-P", "--option=kerberos method=secrets and keytab", NULL };
	const char *const all[] = { "ads", "keytab", "create", "-P", "--option=kerberos method=secrets and keytab", NULL };
	int r = domain_tool("net", name, NULL, out, sizeof(out), 20);
	r = r == 0 ? domain_tool("net", all, NULL, out, sizeof(out), 20) : r;
	if (r != 0) {
		char said[512];
		domain_explain(out, "making a keytab failed", said, sizeof(said));
		snprintf(why, why_bytes, "%s", r == -ETIMEDOUT ? "no domain controller answers in time" : said);
		log_warn(&log_keeper, "the domain gives no keytab, continuing without NFS by Kerberos", "why=\"%s\"", why);
		r = r < 0 ? r : -EIO;
	} else {
		why[0] = '\0';
		r = keeper_write(NOTE, password_of, strlen(password_of), 0600, NULL);
	}
	snprintf(failed, sizeof(failed), "%s", r < 0 ? why : "");
	pthread_mutex_unlock(&one);
	return r;
}

void domain_keytab_why(char *buf, size_t bytes)
{
	pthread_mutex_lock(&one);
	snprintf(buf, bytes, "%s", failed);
	pthread_mutex_unlock(&one);
}

void domain_keytab_forget(void)
{
	char path[PATH_MAX];
	unlink(keeper_path(path, KEYTAB));
	unlink(keeper_path(path, NOTE));
}
