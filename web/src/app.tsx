// SPDX-License-Identifier: GPL-3.0-or-later
// app.tsx - what is shown first: setup while nobody is an administrator, login, or the page itself.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import { get } from "~/api/client";
import { followLive, meQuery } from "~/api/data";
import { Live } from "~/api/live";
import type { Me, SetupState } from "~/api/types";
import { Failed, Loading } from "~/parts/states";
import { Toasts } from "~/parts/toast";
import { PasswordGate } from "~/shell/confirm";
import { LoginPage } from "~/shell/login";
import { Shell } from "~/shell/shell";
import { useLanguage } from "~/shell/prefs";

const SetupPage = lazy(() => import("~/pages/setup"));

/** The one stream of this tab while somebody is logged in. */
function LiveShell({ me, serverName }: { me: Me; serverName: string }) {
  const client = useQueryClient();
  const [live] = useState(() => new Live("/api/v1/events"));
  useEffect(() => {
    const stop = followLive(client, live);
    live.start();
    return () => {
      stop();
      live.stop();
    };
  }, [client, live]);
  return <Shell me={me} live={live} serverName={serverName} />;
}

export function App() {
  const language = useLanguage(); // drawn anew when it changes
  const client = useQueryClient();
  const [drawnIn, setDrawnIn] = useState(language);
  useEffect(() => {
    if (language === drawnIn) return;
    setDrawnIn(language);
    void client.invalidateQueries(); // what the server said comes in the new language
  }, [language, drawnIn, client]);
  const setup = useQuery<SetupState>({ queryKey: ["setup"], queryFn: () => get<SetupState>("/setup"), staleTime: Infinity });
  const me = useQuery({ ...meQuery, enabled: setup.data !== undefined });
  const [inSetup, setInSetup] = useState(false);
  const leave = useCallback(() => void client.setQueryData(["me"], null), [client]);
  useEffect(() => {
    if (setup.data?.needed) setInSetup(true);
  }, [setup.data?.needed]);

  const name = setup.data?.server_name ?? "";
  let shown;
  if (setup.error || me.error) shown = <Failed error={setup.error ?? me.error} retry={() => void (setup.error ? setup.refetch() : me.refetch())} />;
  else if (setup.isLoading || me.isLoading || me.data === undefined) shown = <Loading />;
  else if (inSetup && setup.data)
    shown = (
      <Suspense fallback={<Loading />}>
        <SetupPage state={setup.data} onEnd={() => setInSetup(false)} />
      </Suspense>
    );
  else if (!me.data) shown = <LoginPage serverName={name} />;
  else shown = <LiveShell key={me.data.name} me={me.data} serverName={name} />;
  return (
    <Toasts>
      {shown}
      <PasswordGate onLeave={leave} />
    </Toasts>
  );
}
