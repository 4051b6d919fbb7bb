// SPDX-License-Identifier: GPL-3.0-or-later
// main.tsx - where the page starts.
import "@patternfly/react-core/dist/styles/base.css";
import { createRoot } from "react-dom/client";

createRoot(document.getElementById("root")!).render(<h1>Holdfast</h1>);
