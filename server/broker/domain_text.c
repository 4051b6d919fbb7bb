/* SPDX-License-Identifier: GPL-3.0-or-later */
/* domain_text.c - texts of a member of an Active Directory domain: what may stand in them, what they are, what Samba's programs
 * say in ours.  Pure: no files, no programs; has its unit test. */
#include "broker/domain_priv.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- what may stand in them ------------------------------------------------------------------------------------- */
/* 15 bytes are all that NetBIOS has; the sixteenth is its own. */
bool domain_name_fits(const char *s)
{
	size_t n = strlen(s);
	return n >= 1 && n <= 15 && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == n && s[0] != '-' && s[n - 1] != '-' &&
	       strspn(s, "0123456789") != n;
}

static bool is_realm(const char *s)
{
	size_t n = strlen(s), label = 0;
	bool dot = false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '.') {
			if (!label || s[i - 1] == '-')
				return false;
			dot = true;
			label = 0;
		} else if ((isupper((unsigned char)s[i]) || isdigit((unsigned char)s[i]) || (s[i] == '-' && label)) && label < 63) {
			label++;
		} else {
			return false;
		}
	}
	return dot && label && n <= 253 && s[n - 1] != '-';
}

static void capitals(char *s)
{
	for (; *s; s++)
		*s = (char)toupper((unsigned char)*s);
}

int domain_check(struct domain *d, const char **ret_why)
{
	unsigned char address[16];
	capitals(d->realm);
	capitals(d->name);
	capitals(d->workgroup);
	if (!is_realm(d->realm))
		*ret_why = "a domain is named as in DNS, such as corp.example.com";
	else if (!domain_name_fits(d->name))
		*ret_why = "this machine's name in the domain has 1 to 15 letters, digits and dashes, and not only digits";
	else if (d->workgroup[0] && !domain_name_fits(d->workgroup))
		*ret_why = "the domain's short name has 1 to 15 letters, digits and dashes";
	else if (strcmp(d->name, d->workgroup) == 0)
		*ret_why = "this machine has the domain's own short name; give it another";
	else if (d->dns[0] && inet_pton(AF_INET, d->dns, address) != 1 && inet_pton(AF_INET6, d->dns, address) != 1)
		*ret_why = "a name server is given by its address";
	else if (d->first_id < DOMAIN_FIRST_ID_MIN || d->first_id > DOMAIN_LAST_ID / 2)
		*ret_why = "numbers of the domain's people begin between 300000 and 999999999, behind those of local users";
	else
		return 0;
	return -EINVAL;
}

/* ---- the note ------------------------------------------------------------------------------------------------------ */
void domain_note(const struct domain *d, char *buf, size_t bytes)
{
	snprintf(buf, bytes, "%s %s %s %u %s\n", d->realm, d->workgroup, d->name, d->first_id, d->dns[0] ? d->dns : "-");
}

int domain_note_parse(const char *line, struct domain *ret)
{
	struct domain d = { 0 };
	const char *why;
	if (sscanf(line, "%255s %15s %15s %u %63s", d.realm, d.workgroup, d.name, &d.first_id, d.dns) != 5)
		return -EINVAL;
	if (strcmp(d.dns, "-") == 0)
		d.dns[0] = '\0';
	if (domain_check(&d, &why) < 0 || !d.workgroup[0])
		return -EINVAL;
	*ret = d;
	return 0;
}

/* ---- configurations -------------------------------------------------------------------------------------------------- */
void domain_smb_lines(const struct domain *d, FILE *f)
{
	fprintf(f, "\tserver role = member server\n\tsecurity = ads\n\trealm = %s\n\tnetbios name = %s\n", d->realm, d->name);
	/* The same person is the same number on every server that counts from the same first one. */
	if (d->workgroup[0])
		fprintf(f, "\tworkgroup = %s\n\tidmap config %s : backend = rid\n\tidmap config %s : range = %u-%u\n", d->workgroup, d->workgroup, d->workgroup,
			d->first_id, DOMAIN_LAST_ID);
	fprintf(f, "\twinbind use default domain = no\n\twinbind enum users = no\n\twinbind enum groups = no\n\twinbind offline logon = yes\n"
		"\twinbind refresh tickets = no\n\ttemplate homedir = /nonexistent\n\ttemplate shell = /usr/sbin/nologin\n"
		"\tname resolve order = host\n\tkerberos method = secrets only\n\tclient ldap sasl wrapping = sign\n");
}

void domain_krb5(const struct domain *d, const char *folder, FILE *f)
{
	fprintf(f, "[libdefaults]\n\tdefault_realm = %s\n\tdns_lookup_realm = false\n\tdns_lookup_kdc = true\n\trdns = false\n"
		"\tdefault_keytab_name = FILE:%s/smb/private/krb5.keytab\n", d->realm, folder);
}

void domain_nsswitch(const char *machine, bool dns_only, FILE *f)
{
	bool passwd = false, group = false;
	for (const char *p = machine; *p;) {
		size_t n = strcspn(p, "\n"), lead = strspn(p, " \t");
		const char *s = p + lead;
		bool is_passwd = strncmp(s, "passwd:", 7) == 0, is_group = strncmp(s, "group:", 6) == 0;
		char line[1024];
		snprintf(line, sizeof(line), "%.*s", (int)(n < sizeof(line) ? n : sizeof(line) - 1), p);
		line[strcspn(line, "#")] = '\0';
		if ((is_passwd || is_group) && !strstr(line, "winbind"))
			fprintf(f, "%s winbind\n", line);
		else if (dns_only && strncmp(s, "hosts:", 6) == 0)
			fprintf(f, "hosts: files dns\n");
		else
			fprintf(f, "%s\n", line);
		passwd |= is_passwd;
		group |= is_group;
		p += n + (p[n] == '\n');
	}
	if (!passwd)
		fprintf(f, "passwd: files winbind\n");
	if (!group)
		fprintf(f, "group: files winbind\n");
}

/* ---- what Samba's programs say ------------------------------------------------------------------------------------------- */
const char *domain_value(const char *output, const char *key, char *buf, size_t bytes)
{
	size_t n = strlen(key);
	buf[0] = '\0';
	for (const char *p = output; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		const char *s = p + strspn(p, " \t");
		if (strncmp(s, key, n) != 0 || s[n] != ':')
			continue;
		s += n + 1;
		s += strspn(s, " \t");
		snprintf(buf, bytes, "%.*s", (int)strcspn(s, "\r\n"), s);
		break;
	}
	return buf;
}

/* Their last line that says something, without what is in every one. */
static void last_line(const char *output, char *buf, size_t bytes)
{
	buf[0] = '\0';
	for (const char *p = output; *p;) {
		size_t n = strcspn(p, "\n");
		bool noise = n == 0 || strncmp(p, "Error reading password", 22) == 0 || strncmp(p, "Password for", 12) == 0 || strncmp(p, "ads_sasl", 8) == 0;
		if (!noise)
			snprintf(buf, bytes, "%.*s", (int)(n < 600 ? n : 600), p);
		p += n + (p[n] == '\n');
	}
	for (char *c = buf; *c; c++)
		if ((unsigned char)*c < 0x20)
			*c = ' ';
}

int domain_explain(const char *output, const char *doing, char *why, size_t why_bytes)
{
	/* Kerberos says it by sentences, RPC by codes, and both change with versions: the first that is there counts. */
	static const struct {
		const char *has, *words;
		int error;
	} rows[] = {
		{ "LOGON_FAILURE", "wrong user name or password", -EACCES },
		{ "attempted logon is invalid", "wrong user name or password", -EACCES },
		{ "Preauthentication failed", "wrong user name or password", -EACCES },
		{ "WRONG_PASSWORD", "wrong user name or password", -EACCES },
		{ "Client not found in Kerberos database", "wrong user name or password", -EACCES },
		{ "NO_SUCH_USER", "wrong user name or password", -EACCES },
		{ "ACCOUNT_LOCKED_OUT", "this account of the domain is locked", -EACCES },
		{ "ACCOUNT_DISABLED", "this account of the domain is disabled", -EACCES },
		{ "PASSWORD_EXPIRED", "the password of this account has expired", -EACCES },
		{ "PASSWORD_MUST_CHANGE", "the password of this account must be changed first", -EACCES },
		{ "Clock skew too great", "the clock of this machine and that of the domain are too far apart: let both follow one time server (chrony, systemd-timesyncd)", -ETIME },
		{ "TIME_DIFFERENCE_AT_DC", "the clock of this machine and that of the domain are too far apart: let both follow one time server (chrony, systemd-timesyncd)", -ETIME },
		{ "failed to precreate account in ou", "the organizational unit does not exist, or this account may not make computers there", -EINVAL },
		{ "No such object", "the organizational unit does not exist", -EINVAL },
		{ "MACHINE_ACCOUNT_QUOTA_EXCEEDED", "this account may add no more computers to the domain; take one that may", -EPERM },
		{ "Insufficient access", "this account may not add or remove computers in the domain; take one that may", -EPERM },
		{ "ACCESS_DENIED", "this account may not add or remove computers in the domain; take one that may", -EPERM },
		{ "NO_LOGON_SERVERS", "no domain controller answers", -EHOSTUNREACH },
		{ "No logon servers", "no domain controller answers", -EHOSTUNREACH },
		{ "DOMAIN_CONTROLLER_NOT_FOUND", "no domain controller was found: does this machine's DNS know the domain?", -EHOSTUNREACH },
		{ "failed to find DC for domain", "no domain controller was found: does this machine's DNS know the domain?", -EHOSTUNREACH },
		{ "Didn't find the cldap server", "no domain controller was found: does this machine's DNS know the domain?", -EHOSTUNREACH },
		{ "Can't contact LDAP server", "the domain controller does not answer over LDAP (port 389)", -EHOSTUNREACH },
		{ "HOST_UNREACHABLE", "the domain controller cannot be reached", -EHOSTUNREACH },
		{ "CONNECTION_REFUSED", "the domain controller refuses the connection", -EHOSTUNREACH },
		{ "IO_TIMEOUT", "the domain controller does not answer in time", -EHOSTUNREACH },
	};
	char line[640];
	last_line(output, line, sizeof(line));
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (strstr(output, rows[i].has)) {
			snprintf(why, why_bytes, "%s", rows[i].words);
			return rows[i].error;
		}
	snprintf(why, why_bytes, "%s: %s", doing, line[0] ? line : "Samba does not say why");
	return -EIO;
}

/* ---- looking for people ----------------------------------------------------------------------------------------------------- */
int domain_ldap_escape(const char *text, char *buf, size_t bytes)
{
	size_t n = 0;
	for (const char *p = text; *p; p++) {
		bool plain = !strchr("()*\\/", *p) && (unsigned char)*p >= 0x20 && *p != 0x7f;
		if (n + 4 > bytes)
			return -E2BIG;
		n += (size_t)snprintf(buf + n, bytes - n, plain ? "%c" : "\\%02x", (unsigned char)*p);
	}
	buf[n] = '\0';
	return 0;
}

size_t domain_found(const char *output, size_t max, FILE *f)
{
	size_t count = 0;
	char name[256] = "", full[256] = "", type[32] = "";
	for (const char *p = output; count < max; ) {
		size_t n = strcspn(p, "\n");
		if (n == 0 && name[0] && type[0]) {
			/* SAM_USER_OBJECT 0x30000000; the other kinds that were asked for are groups.  MS-SAMR 2.2.1.9 */
			fprintf(f, "%s\t%s\t%s\n", strcmp(type, "805306368") == 0 ? "user" : "group", name, full);
			count++;
		}
		if (n == 0)
			name[0] = full[0] = type[0] = '\0';
		char line[512];
		snprintf(line, sizeof(line), "%.*s", (int)(n < sizeof(line) ? n : sizeof(line) - 1), p);
		for (char *c = line; *c; c++)
			if ((unsigned char)*c < 0x20)
				*c = ' ';
		if (strncmp(line, "sAMAccountName: ", 16) == 0)
			snprintf(name, sizeof(name), "%.255s", line + 16);
		else if (strncmp(line, "displayName: ", 13) == 0)
			snprintf(full, sizeof(full), "%.255s", line + 13);
		else if (strncmp(line, "sAMAccountType: ", 16) == 0)
			snprintf(type, sizeof(type), "%.31s", line + 16);
		if (!p[n])
			break;
		p += n + 1;
	}
	return count;
}
