/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs_priv.h - inside the keeper: what the NFS server is to serve, and the two servers that can.
 *
 * The daemon sends a description, never a configuration text: the keeper takes it apart, checks each word, and writes
 * the texts by itself.  So no path, name or client can smuggle an option in, and both providers serve the same model.
 *
 *   holdfast-nfs 1
 *   provider auto|ganesha|kernel       listen ADDRESS PORT       (no such line: nothing is served)
 *   ports MOUNTD LOCKD STATD           times GRACE LEASE         threads N          identity WORD
 *   export ID                          one share; what follows belongs to it
 *   name NAME    path FOLDER           versions MASK             security MASK
 *   squash none|root|all               anon UID GID              sync 0|1
 *   client none|ro|rw root|- WHO       any number, the first that fits a host counts */
#ifndef HOLDFAST_BROKER_NFS_PRIV_H
#define HOLDFAST_BROKER_NFS_PRIV_H

#include <stdio.h>

#include "broker/keeper_priv.h"

enum nfs_provider { NFS_AUTO, NFS_GANESHA, NFS_KERNEL, NFS_PROVIDERS };
enum nfs_version { NFS_V3 = 1, NFS_V40 = 2, NFS_V41 = 4, NFS_V42 = 8, NFS_V4 = 14, NFS_VERSIONS = 15 };
enum nfs_security { NFS_SYS = 1, NFS_KRB5 = 2, NFS_KRB5I = 4, NFS_KRB5P = 8, NFS_KRB5_ANY = 14, NFS_SECURITIES = 15 };
enum nfs_squash { NFS_SQUASH_NONE, NFS_SQUASH_ROOT, NFS_SQUASH_ALL };
enum nfs_access { NFS_NONE, NFS_READ, NFS_WRITE };

struct nfs_client {
	enum nfs_access access;
	bool root;                       /* its root stays root */
	char who[256];                   /* "10.0.0.0/8", "fd00::/64", "host.example", "*.example", "@netgroup", "*" */
};
struct nfs_export {
	unsigned id;                     /* 1..65535, for the life of the share: part of file handles */
	char name[81];                   /* clients mount /NAME */
	char *path;
	unsigned versions, security;
	enum nfs_squash squash;
	unsigned anon_uid, anon_gid;
	bool sync;
	bool own_fsid;                   /* one file system, so it may be told by our number */
	struct nfs_client *clients;
	size_t client_count;
	char failed[256];                /* why it is not served; "" */
};
struct nfs_spec {
	enum nfs_provider provider;
	char address[64];                /* "": nothing is served */
	unsigned port, mountd_port, lockd_port, statd_port; /* 0: any */
	unsigned grace_s, lease_s, threads;
	char identity[65];
	struct nfs_export *exports;
	size_t export_count;
};
/* Takes a description apart and checks it.  -EINVAL with why; *ret is then empty. */
int nfs_spec_parse(char *text, struct nfs_spec *ret, char *why, size_t why_bytes) _must_check_;
void nfs_spec_done(struct nfs_spec *s);

/* ---- NFS-Ganesha ----------------------------------------------------------------------------------------- */
/* Its two texts: what needs a new start, and the exports, one line each, that SIGHUP reads again.
 * dir: the keeper's folder.  graceless: nobody has anything to reclaim. */
struct nfs_krb5;
void nfs_ganesha_core(FILE *f, const struct nfs_spec *s, const char *dir, bool v3, const struct nfs_krb5 *krb5, bool graceless);
void nfs_ganesha_exports(FILE *f, const struct nfs_spec *s, bool v3);
/* The line of the exports' text that a line of its log refuses; 0: it says no such thing. */
unsigned nfs_ganesha_refused_line(const char *log_line);

/* Serves this; shares it cannot serve get their `failed`.  -errno with why: none is served (or those of before). */
int nfs_ganesha_apply(struct nfs_spec *s, char *why, size_t why_bytes) _must_check_;
void nfs_ganesha_stop(void);
bool nfs_ganesha_can(char *why, size_t why_bytes);

/* ---- what version 3 needs beside (nfs_helpers.c) ------------------------------------------------------------ */
/* Makes sure that a port mapper and a status monitor run: the machine's, or children of ours. */
bool nfs_helpers_start(char *why, size_t why_bytes);
void nfs_helpers_stop(void);
bool nfs_rpcbind_runs(void);
/* Which TCP port has this program?  0: none. RFC 1833 3. */
unsigned nfs_rpcbind_port(unsigned program, unsigned version);

/* ---- the kernel's server --------------------------------------------------------------------------------- */
/* The table that rpc.mountd reads; its root is nfs/root of the keeper's folder. */
void nfs_kernel_exports(FILE *f, const struct nfs_spec *s);
int nfs_kernel_apply(struct nfs_spec *s, char *why, size_t why_bytes) _must_check_;
void nfs_kernel_stop(void);
bool nfs_kernel_can(char *why, size_t why_bytes);
/* NFS 4 clients that the kernel knows: lines "client NUMBER ADDRESS VERSION NAME". */
void nfs_kernel_clients(FILE *f);
int nfs_kernel_expire(unsigned number);

/* ---- what exports have moved (nfs_stats.c) ------------------------------------------------------------------- */
/* Lines "io EXPORT-ID READ-BYTES READS WRITTEN-BYTES WRITES", any number for one export, to be added up ("-": not counted);
 * or "no-io WHY". */
void nfs_ganesha_io(FILE *f);
void nfs_kernel_io(FILE *f, const struct nfs_spec *s);
void nfs_kernel_io_read(FILE *from, FILE *f, const struct nfs_spec *s, const char *root);
/* The bus on which NFS-Ganesha tells; nobody waits for it. */
void nfs_bus_start(void);
void nfs_bus_stop(void);
const char *const *nfs_bus_env(void);    /* for Ganesha; constant */

/* ---- Kerberos: keytab.c (pure), nfs_krb5.c -------------------------------------------------------------------- */
struct keytab_key {
	char principal[512];             /* "nfs/nas1.corp.example.com@CORP.EXAMPLE.COM" */
	size_t realm_at;                 /* behind the @ */
	uint32_t version, type;          /* of the key, of its encryption (RFC 3961 8) */
};
/* Calls key() for each; how many there were, or -EINVAL: this is no keytab. */
int keytab_each(const void *bytes, size_t len_bytes, void (*key)(void *arg, const struct keytab_key *k), void *arg) _must_check_;
void keytab_type_name(uint32_t type, char buf[32]);

enum nfs_keytab { NFS_KEYTAB_NONE, NFS_KEYTAB_GIVEN, NFS_KEYTAB_DOMAIN, NFS_KEYTAB_MACHINE };
struct nfs_krb5 {
	enum nfs_keytab source;          /* none: Kerberos cannot be had, and why */
	char keytab[PATH_MAX], realm[256];
	char domain[256];                /* that this machine is a member of; "" */
	char why[256];
};
void nfs_krb5_look(struct nfs_krb5 *ret);
/* Has it a key of nfs/HOST?  Its realm; -EINVAL with why. */
int nfs_keytab_check(const void *bytes, size_t len_bytes, char realm[256], char *why, size_t why_bytes) _must_check_;
/* Who is who for libnfsidmap (idmapd.conf(5)), and what the Kerberos library is told beside /etc/krb5.conf. */
void nfs_krb5_idmap(FILE *f, const struct nfs_krb5 *k);
void nfs_krb5_conf(FILE *f, const struct nfs_krb5 *k);
int nfs_krb5_write(const struct nfs_krb5 *k) _must_check_;
const char *nfs_krb5_env(void);          /* for the server; constant */

/* ---- both -------------------------------------------------------------------------------------------------- */
/* The description applied last; *ret is the caller's.  -ENOENT: none. */
int nfs_spec_load(struct nfs_spec *ret, char *why, size_t why_bytes) _must_check_;
/* Does something accept connections there?  address as in a spec. */
bool nfs_port_answers(const char *address, unsigned port);

#endif
