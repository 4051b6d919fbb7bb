// SPDX-License-Identifier: GPL-3.0-or-later
// pool-use.tsx - how full a pool is, as a bar.
import { Progress } from "@patternfly/react-core";
import type { Pool } from "~/api/types";
import { _ } from "~/lib/i18n";

export const usedShare = (p: Pool): number | null => (p.total_bytes && p.free_bytes !== null ? (100 * (p.total_bytes - p.free_bytes)) / p.total_bytes : null);

export function PoolUse({ pool }: { pool: Pool }) {
  const share = usedShare(pool);
  if (share === null) return <>–</>;
  return <Progress aria-label={_("Space used in {name}", { name: pool.name })} value={Math.round(share)} size="sm" variant={share > 95 ? "danger" : share > 85 ? "warning" : undefined} className="hf-bar" />;
}
