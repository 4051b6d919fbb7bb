// SPDX-License-Identifier: GPL-3.0-or-later
// share-connect.tsx - what to type on a client to reach a share: Windows, macOS, Linux, ESXi, Kubernetes.
import { useAll } from "~/api/data";
import type { Share } from "~/api/nas";
import type { Portal } from "~/api/types";
import { _ } from "~/lib/i18n";
import { ConnectTabs } from "~/parts/copy";

type Wanted = Pick<Share, "name" | "smb" | "nfs" | "preset" | "guest" | "nfs_versions" | "read_only">;

/** A word of a shell: as it is when it is plain, in quotes otherwise. */
const word = (s: string): string => (/^[\w@%+=:,./\\-]+$/.test(s) ? s : `'${s.replaceAll("'", "'\\''")}'`);

/** Lines by system; server is the name or address that clients know. */
export function linesOf(share: Wanted, server: string, smbPort: number, nfsPort: number): Record<string, string[]> {
  const host = server.includes(":") ? `[${server}]` : server;
  const who = share.guest ? "guest" : _("NAME");
  const newest = [...share.nfs_versions].sort().at(-1) ?? "4.2";
  const ro = share.read_only ? ",ro" : "";
  const windows = share.smb
    ? [smbPort === 445 ? `net use * \\\\${server}\\${share.name} /user:${who}` : _("# Windows reaches SMB only by port 445; this server has it at {port}.", { port: smbPort }), ...(smbPort === 445 ? [_("# or type this into the Explorer:"), `\\\\${server}\\${share.name}`] : [])]
    : [];
  const smbLinux = share.smb ? [_("# SMB; asks for the password"), `sudo mount -t cifs //${host}/${word(share.name)} /mnt -o ${share.guest ? "guest" : `username=${who}`},vers=3.1.1${smbPort === 445 ? "" : `,port=${smbPort}`}${ro}`] : [];
  const nfsOptions = (version: string) => `vers=${version}${nfsPort === 2049 ? "" : `,port=${nfsPort}`}${ro}`;
  const nfsLinux = share.nfs ? ["# NFS", `sudo mount -t nfs -o ${nfsOptions(newest)} ${host}:/${word(share.name)} /mnt`] : [];
  const macos = [
    ...(share.smb ? [`open smb://${share.guest ? "guest" : who}@${host}${smbPort === 445 ? "" : `:${smbPort}`}/${encodeURIComponent(share.name)}`] : []),
    ...(share.smb && share.preset === "time-machine" ? [_("# or choose it in System Settings, Time Machine; by hand:"), `sudo tmutil setdestination -a 'smb://${who}@${host}/${encodeURIComponent(share.name)}'`] : []),
    ...(share.nfs ? [`sudo mount -t nfs -o ${newest.startsWith("4") ? "vers=4" : "vers=3,resvport"} ${host}:/${word(share.name)} /Volumes/${word(share.name)}`] : []),
  ];
  const is3 = share.nfs_versions.length === 0 || share.nfs_versions.includes("3");
  const esxi = share.nfs ? [is3 ? `esxcli storage nfs add --host=${server} --share=/${word(share.name)} --volume-name=${word(share.name)}` : `esxcli storage nfs41 add --hosts=${server} --share=/${word(share.name)} --volume-name=${word(share.name)}`, _("# The same share by NFS 3 on one host and by NFS 4.1 on another damages files: choose one for all.")] : [];
  const kubernetes =
    share.nfs && share.preset === "kubernetes"
      ? ["apiVersion: v1", "kind: PersistentVolume", `metadata: {name: ${share.name.toLowerCase().replace(/[^a-z0-9.-]/g, "-")}}`, "spec:", "  capacity: {storage: 100Gi}", "  accessModes: [ReadWriteMany]", `  mountOptions: [nfsvers=${newest}]`, `  nfs: {server: "${server}", path: "/${share.name}"}`]
      : [];
  return { windows, macos, linux: [...smbLinux, ...nfsLinux], esxi: share.preset === "vmware" || share.nfs ? esxi : [], kubernetes };
}

export function ShareConnect({ share }: { share: Wanted }) {
  const portals = useAll<Portal>("portals").rows;
  const portOf = (p: string, usual: number) => portals.find((x) => x.protocol === p && x.enabled)?.port ?? usual;
  const server = window.location.hostname.replace(/^\[|\]$/g, "");
  if (!share.smb && !share.nfs) return <p className="hf-quiet">{_("It is served over no protocol yet.")}</p>;
  return (
    <>
      <p className="hf-quiet">{_("This browser reaches the server as {server}; clients may know it by another name or address.", { server })}</p>
      <ConnectTabs connect={linesOf(share, server, portOf("smb", 445), portOf("nfs", 2049))} />
    </>
  );
}
