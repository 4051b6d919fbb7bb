// SPDX-License-Identifier: GPL-3.0-or-later
// name-link.tsx - a name that leads to the details.
import { Link } from "wouter";

export function NameLink({ plural, name, id }: { plural: string; name: string | null | undefined; id?: string }) {
  if (!name) return <>–</>;
  return <Link href={`/${plural}/${encodeURIComponent(id ?? name)}`}>{name}</Link>;
}
