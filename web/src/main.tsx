// SPDX-License-Identifier: GPL-3.0-or-later
// main.tsx - where the page starts.
import "@patternfly/react-core/dist/styles/base.css";
import "~/app.css";
import { QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import { makeQueryClient } from "~/api/data";
import { App } from "~/app";
import { loadLanguage, preferredLanguage } from "~/lib/i18n";
import { startTheme } from "~/lib/theme";

startTheme();
const root = createRoot(document.getElementById("root")!);
const draw = () =>
  root.render(
    <QueryClientProvider client={makeQueryClient()}>
      <App />
    </QueryClientProvider>,
  );
// Without the table of the language the page is in English, which is better than none.
void loadLanguage(preferredLanguage()).then(draw, draw);
