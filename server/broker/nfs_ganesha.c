/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs_ganesha.c - the configuration of NFS-Ganesha, written from a checked description.
 * Facts were found by running 4.3: ganesha-core-config(8), ganesha-export-config(8). */
#include "broker/nfs_priv.h"

#include <string.h>

/* Within double quotes a backslash takes the next character as it is.  nfs_spec.c lets no text through that ends in
 * one: the scanner of 4.3 takes \\" for an escaped quotation mark. */
static void escaped(FILE *f, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			fputc('\\', f);
		fputc(*p, f);
	}
}

static void quoted(FILE *f, const char *before, const char *text)
{
	fputc('"', f);
	escaped(f, before);
	escaped(f, text);
	fputc('"', f);
}

static const char *yes(bool b)
{
	return b ? "true" : "false";
}

void nfs_ganesha_core(FILE *f, const struct nfs_spec *s, const char *dir, bool v3, const struct nfs_krb5 *krb5, bool graceless)
{
	fputs("# Written by holdfastd --keeper; changes are lost.\nNFS_CORE_PARAM {\n", f);
	if (strcmp(s->address, "0.0.0.0") != 0 && strcmp(s->address, "::") != 0)
		fprintf(f, "\tBind_addr = %s;\n", s->address);
	fprintf(f, "\tProtocols = %s;\n\tNFS_Port = %u;\n", v3 ? "3, 4" : "4", s->port);
	if (v3)
		fprintf(f, "\tMNT_Port = %u;\n\tNLM_Port = %u;\n", s->mountd_port, s->lockd_port);
	fprintf(f, "\tEnable_NLM = %s;\n", yes(v3));
	/* 4.3 offers ACLs over NFSv3, also with Enable_NFSACL off, but cannot read one that a client sets, so that `cp -p` fails.  By a number
	 * that nobody asks for, clients learn that it has none. */
	fputs("\tNFSACL_Program = 1073742051;\n", f);
	/* ESXi takes file handles of 56 bytes; the same for all, or handles would change with the first such share. */
	fputs("\tEnable_RQUOTA = false;\n\tEnable_UDP = false;\n\tShort_File_Handle = true;\n"
	      "\tMount_Path_Pseudo = true;\n}\n", f);
	fputs("NFSV4 {\n", f);
	fprintf(f, "\tGraceless = %s;\n\tGrace_Period = %u;\n\tLease_Lifetime = %u;\n", yes(graceless), s->grace_s, s->lease_s);
	fputs("\tRecoveryBackend = fs;\n\tRecoveryRoot = ", f);
	quoted(f, dir, "/nfs/recovery");
	fputs(";\n\tIdmapConf = ", f);
	quoted(f, dir, "/nfs/etc/idmapd.conf");
	fputs(";\n\tMinor_Versions = 0, 1, 2;\n\tOnly_Numeric_Owners = true;\n\tAllow_Numeric_Owners = true;\n"
	      "\tDelegations = false;\n", f);
	/* One server through all its addresses, today and after a restart, or a host sees two datastores. */
	fprintf(f, "\tServer_Scope = \"%s\";\n\tServer_Owner = \"%s\";\n}\n", s->identity, s->identity);
	fprintf(f, "NFS_KRB5 {\n\tActive_krb5 = %s;\n", yes(krb5->source != NFS_KEYTAB_NONE));
	if (krb5->source != NFS_KEYTAB_NONE) {
		fputs("\tPrincipalName = nfs;\n\tKeytabPath = ", f);
		quoted(f, "", krb5->keytab);
		fputs(";\n\tCCacheDir = ", f);
		quoted(f, dir, "/nfs/run");
		/* Both are read once, when it starts: another domain or realm is another text. */
		fprintf(f, ";\n\t# realm %s domain %s\n", krb5->realm, krb5->domain[0] ? krb5->domain : "-");
	}
	fputs("}\n", f);
	/* Files that nobody has open are closed, be there ever so few: what is deleted beside it, as a snapshot, gives its space back. */
	fputs("MDCACHE {\n\tFD_LWMark_Percent = 0;\n\tLRU_Run_Interval = 10;\n}\n", f);
	/* Folders change beside it, over SMB and by snapshots: it believes what it has read for a second. */
	fputs("LOG {\n\tDefault_Log_Level = EVENT;\n}\n"
	      "EXPORT_DEFAULTS {\n\tTransports = TCP;\n\tAccess_Type = None;\n\tSecType = sys;\n\tSquash = Root_Squash;\n\tAttr_Expiration_Time = 1;\n}\n"
	      "%include ", f);
	quoted(f, dir, "/nfs/etc/exports.conf");
	fputc('\n', f);
}

static void write_client(FILE *f, const struct nfs_client *c, enum nfs_squash squash)
{
	static const char *const access[] = { "None", "RO", "RW" };
	static const char *const squashes[] = { "No_Root_Squash", "Root_Squash", "All_Squash" };
	fprintf(f, " CLIENT { Clients = %s; Access_Type = %s; Squash = %s; }", c->who, access[c->access],
		squashes[c->root ? NFS_SQUASH_NONE : squash]);
}

void nfs_ganesha_exports(FILE *f, const struct nfs_spec *s, bool v3)
{
	static const char *const flavours[] = { "sys", "krb5", "krb5i", "krb5p" };
	for (size_t i = 0; i < s->export_count; i++) {
		const struct nfs_export *x = &s->exports[i];
		bool with3 = v3 && (x->versions & NFS_V3), with4 = x->versions & NFS_V4;
		if (x->failed[0] || x->client_count == 0 || (!with3 && !with4)) {
			fputs("# nobody\n", f);
			continue;
		}
		/* One line each: a line of the log that refuses one tells its number. */
		fprintf(f, "EXPORT { Export_Id = %u; Path = ", x->id);
		quoted(f, "", x->path);
		fputs("; Pseudo = ", f);
		quoted(f, "/", x->name);
		if (x->own_fsid)
			fprintf(f, "; Filesystem_Id = %u.%u", x->id, 1u);
		fprintf(f, "; Protocols = %s; SecType = ", with3 && with4 ? "3, 4" : with3 ? "3" : "4");
		for (unsigned k = 0, n = 0; k < ARRAY_COUNT(flavours); k++)
			if (x->security & (1u << k))
				fprintf(f, "%s%s", n++ ? ", " : "", flavours[k]);
		fprintf(f, "; Anonymous_uid = %u; Anonymous_gid = %u; FSAL { Name = VFS; }", x->anon_uid, x->anon_gid);
		for (size_t k = 0; k < x->client_count; k++)
			write_client(f, &x->clients[k], x->squash);
		fputs(" }\n", f);
	}
}

unsigned nfs_ganesha_refused_line(const char *line)
{
	static const char file[] = "/exports.conf:", what[] = "Errors processing block (EXPORT)";
	const char *at = strstr(line, file);
	if (!at || !strstr(at, what))
		return 0;
	return (unsigned)strtoul(at + sizeof(file) - 1, NULL, 10);
}
