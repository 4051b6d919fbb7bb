// SPDX-License-Identifier: GPL-3.0-or-later
// notice.tsx - a message inside the page.  PatternFly would make its title a heading of a fixed level, which rarely
// is the one that fits; ours is a paragraph.
import { Alert, type AlertProps } from "@patternfly/react-core";

export function Notice(props: AlertProps) {
  return <Alert {...props} component={"p" as "h4"} />;
}
