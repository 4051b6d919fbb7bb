// SPDX-License-Identifier: GPL-3.0-or-later
// shell.tsx - the frame: masthead, menu, and the page that the address names.
import {
  Dropdown,
  DropdownGroup,
  DropdownItem,
  DropdownList,
  Label,
  Masthead,
  MastheadBrand,
  MastheadContent,
  MastheadLogo,
  MastheadMain,
  MastheadToggle,
  MenuToggle,
  Nav,
  NavGroup,
  NavItem,
  NavList,
  NotificationBadge,
  Page,
  PageSidebar,
  PageSidebarBody,
  PageToggleButton,
  SkipToContent,
  Toolbar,
  ToolbarContent,
  ToolbarItem,
} from "@patternfly/react-core";
import { BarsIcon, UserIcon } from "@patternfly/react-icons";
import { useQueryClient } from "@tanstack/react-query";
import { Suspense, useEffect, useState, type ReactNode } from "react";
import { Link, Redirect, Route, Switch, useLocation } from "wouter";
import { request } from "~/api/client";
import { roleReaches, useItems, useLiveState } from "~/api/data";
import type { Live } from "~/api/live";
import { useHas } from "~/api/nas";
import type { Alert, Me } from "~/api/types";
import icon from "~/icon.svg";
import { _, _n } from "~/lib/i18n";
import { Screen } from "~/parts/page";
import { Faults, Loading, Nothing } from "~/parts/states";
import { LanguageSelect, ThemeSelect } from "~/shell/prefs";
import { groups, pages } from "~/shell/routes";

const MAIN = "main";

function LiveLabel({ live }: { live: Live }) {
  const state = useLiveState(live);
  const words = { live: _("live"), connecting: _("connecting"), lost: _("not connected") };
  return (
    <Label isCompact variant="outline" status={state === "live" ? "success" : state === "lost" ? "danger" : "info"} className="hf-live">
      <span role="status">{words[state]}</span>
    </Label>
  );
}

function UserMenu({ me }: { me: Me }) {
  const [isOpen, setOpen] = useState(false);
  const [, go] = useLocation();
  const client = useQueryClient();
  const logout = async () => {
    try {
      await request("POST", "/logout", { raw: true });
    } finally {
      await client.resetQueries();
    }
  };
  const roles = { admin: _("Administrator"), operator: _("Operator"), viewer: _("Viewer") };
  return (
    <Dropdown
      isOpen={isOpen}
      onOpenChange={setOpen}
      onSelect={() => setOpen(false)}
      popperProps={{ position: "right" }}
      toggle={(ref) => (
        <MenuToggle ref={ref} onClick={() => setOpen(!isOpen)} isExpanded={isOpen} icon={<UserIcon />} variant="plainText" aria-label={_("Menu of {name}", { name: me.name })}>
          <span className="hf-user">{me.name}</span>
        </MenuToggle>
      )}
    >
      <DropdownGroup label={`${me.name} – ${roles[me.role]}`}>
        <DropdownList>
          <DropdownItem key="profile" onClick={() => go("/profile")}>
            {_("My profile")}
          </DropdownItem>
          {me.via === "cookie" && (
            <DropdownItem key="logout" onClick={() => void logout()}>
              {_("Log out")}
            </DropdownItem>
          )}
        </DropdownList>
      </DropdownGroup>
    </Dropdown>
  );
}

function AlertBadge() {
  const { rows } = useItems<Alert>("alerts", {}, { refreshMs: 60_000 });
  const [, go] = useLocation();
  const open = rows.filter((a) => !a.acknowledged_by).length;
  return (
    <NotificationBadge
      variant={open ? "attention" : "read"}
      count={open}
      onClick={() => go("/alerts")}
      aria-label={open ? _n("{n} alert", "{n} alerts", open) : _("No alerts")}
    />
  );
}

/** Shows what the server can do, and nothing else. */
function OnlyWith({ route, children }: { route: string; children: ReactNode }) {
  return useHas(route) ? <>{children}</> : null;
}

function Menu({ me, onChoose }: { me: Me; onChoose: () => void }) {
  const [location] = useLocation();
  // The menu is longer than most windows: where one is must be in sight.
  useEffect(() => {
    document.querySelector(".pf-v6-c-nav__link.pf-m-current")?.scrollIntoView({ block: "nearest" });
  }, [location]);
  const isHere = (path: string) => (path === "/" ? location === "/" : location === path || location.startsWith(`${path}/`));
  const items = (group: (typeof pages)[number]["group"]): ReactNode[] =>
    pages
      .filter((p) => p.title && p.group === group && roleReaches(me.role, p.least ?? "viewer"))
      .map((p) => {
        const item = (
          <NavItem key={p.path} isActive={isHere(p.path)} itemId={p.path} onClick={onChoose}>
            <Link href={p.path}>{p.title!()}</Link>
          </NavItem>
        );
        return p.needs ? <OnlyWith key={p.path} route={p.needs}>{item}</OnlyWith> : item;
      });
  return (
    <Nav aria-label={_("Pages")}>
      {groups().map(([group, title]) =>
        group ? (
          <NavGroup key={group} title={title}>
            {items(group)}
          </NavGroup>
        ) : (
          <NavList key="top">{items(group)}</NavList>
        ),
      )}
    </Nav>
  );
}

/** PatternFly calls the cross of a dialog "Close", and asks nobody. */
function useWordsOfParts() {
  useEffect(() => {
    const name = () => document.querySelectorAll('.pf-v6-c-modal-box__close button[aria-label="Close"]').forEach((b) => b.setAttribute("aria-label", _("Close")));
    const watch = new MutationObserver(name);
    watch.observe(document.body, { childList: true, subtree: true });
    return () => watch.disconnect();
  }, []);
}

export function Shell({ me, live, serverName }: { me: Me; live: Live; serverName: string }) {
  const [location] = useLocation();
  useWordsOfParts();
  const [isNavOpen, setNavOpen] = useState(() => window.innerWidth >= 1200);
  // A new page starts at its top, and a screen reader at its title.
  useEffect(() => {
    document.getElementById(MAIN)?.scrollTo?.({ top: 0 });
  }, [location]);
  const closeOnPhone = () => {
    if (window.innerWidth < 1200) setNavOpen(false);
  };
  const masthead = (
    <Masthead display={{ default: "inline" }}>
      <MastheadMain>
        <MastheadToggle>
          <PageToggleButton aria-label={_("Menu")} isSidebarOpen={isNavOpen} onSidebarToggle={() => setNavOpen(!isNavOpen)} id="menu-toggle">
            <BarsIcon />
          </PageToggleButton>
        </MastheadToggle>
        <MastheadBrand>
          <MastheadLogo component={(props) => <Link {...props} href="/" />} className="hf-brand">
            <img src={icon} alt="" width={30} height={30} />
            <span>Holdfast</span>
            {serverName && <span className="hf-server">{serverName}</span>}
          </MastheadLogo>
        </MastheadBrand>
      </MastheadMain>
      <MastheadContent>
        <Toolbar isFullHeight>
          <ToolbarContent>
            <ToolbarItem align={{ default: "alignEnd" }} alignSelf="center" className="hf-desk">
              <LiveLabel live={live} />
            </ToolbarItem>
            <ToolbarItem className="hf-desk">
              <ThemeSelect />
            </ToolbarItem>
            <ToolbarItem className="hf-desk">
              <LanguageSelect />
            </ToolbarItem>
            <ToolbarItem align={{ default: "alignEnd", lg: "alignStart" }}>
              <AlertBadge />
            </ToolbarItem>
            <ToolbarItem>
              <UserMenu me={me} />
            </ToolbarItem>
          </ToolbarContent>
        </Toolbar>
      </MastheadContent>
    </Masthead>
  );
  const sidebar = (
    <PageSidebar isSidebarOpen={isNavOpen}>
      <PageSidebarBody>
        <Menu me={me} onChoose={closeOnPhone} />
      </PageSidebarBody>
    </PageSidebar>
  );
  return (
    <Page masthead={masthead} sidebar={sidebar} skipToContent={<SkipToContent href={`#${MAIN}`}>{_("Skip to the content")}</SkipToContent>} mainContainerId={MAIN} mainAriaLabel={_("Content")} isContentFilled>
      <Faults at={location}>
        <Suspense fallback={<Loading />}>
          <Switch>
            {pages.map((p) => (
              <Route key={p.path} path={p.path}>
                {roleReaches(me.role, p.least ?? "viewer") ? <p.page /> : <Screen title={p.title?.() ?? ""}><Nothing title={_("Not for your role")} text={_("An administrator can show you this, or give you the role it needs.")} /></Screen>}
              </Route>
            ))}
            <Route path="/login">
              <Redirect to="/" />
            </Route>
            <Route path="/setup">
              <Redirect to="/" />
            </Route>
            <Route>
              <Screen title={_("There is no such page")}><Nothing title={_("Nothing is here")} text={_("The address may be from another version.")} action={<Link href="/">{_("To the dashboard")}</Link>} /></Screen>
            </Route>
          </Switch>
        </Suspense>
      </Faults>
    </Page>
  );
}
