// SPDX-License-Identifier: GPL-3.0-or-later
// page.tsx - what every page has: a title, its actions, where it belongs; and facts as pairs.
import {
  Breadcrumb,
  BreadcrumbItem,
  Card,
  CardBody,
  CardTitle,
  Content,
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
  Flex,
  FlexItem,
  PageSection,
  Title,
} from "@patternfly/react-core";
import { useEffect, type ReactNode } from "react";
import { Link } from "wouter";
import { _ } from "~/lib/i18n";

interface Props {
  title: string;
  /** The list that a detail page belongs to. */
  parent?: { title: string; href: string } | undefined;
  text?: ReactNode;
  label?: ReactNode;
  actions?: ReactNode[];
  children: ReactNode;
}

export function Screen({ title, parent, text, label, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} – Holdfast`;
  }, [title]);
  const shown = actions?.filter(Boolean) ?? [];
  return (
    <>
      <PageSection className="hf-head">
        {parent && (
          <Breadcrumb className="hf-crumbs" aria-label={_("Where you are")}>
            <BreadcrumbItem render={({ className }) => <Link href={parent.href} className={className}>{parent.title}</Link>} />
            <BreadcrumbItem isActive>{title}</BreadcrumbItem>
          </Breadcrumb>
        )}
        <Flex justifyContent={{ default: "justifyContentSpaceBetween" }} alignItems={{ default: "alignItemsCenter" }}>
          <FlexItem className="hf-title">
            <Flex gap={{ default: "gapMd" }} alignItems={{ default: "alignItemsCenter" }}>
              <Title headingLevel="h1" size="2xl">
                {title}
              </Title>
              {label}
            </Flex>
            {text && <Content component="p" className="hf-subtitle">{text}</Content>}
          </FlexItem>
          {shown.length > 0 && (
            <FlexItem>
              <div className="hf-buttons">{shown}</div>
            </FlexItem>
          )}
        </Flex>
      </PageSection>
      <PageSection className="hf-body" isFilled>
        {children}
      </PageSection>
    </>
  );
}

/** Pairs of a word and a value; those whose value is undefined are left out. */
export function Facts({ rows, columns = 2 }: { rows: [string, ReactNode][]; columns?: 1 | 2 | 3 }) {
  const modifier = { default: "1Col", ...(columns > 1 ? { lg: `${columns}Col` } : {}) } as { default: "1Col" };
  return (
    <DescriptionList isCompact columnModifier={modifier} className="hf-facts">
      {rows
        .filter(([, v]) => v !== undefined)
        .map(([term, value]) => (
          <DescriptionListGroup key={term}>
            <DescriptionListTerm>{term}</DescriptionListTerm>
            <DescriptionListDescription>{value === null || value === "" ? "–" : value}</DescriptionListDescription>
          </DescriptionListGroup>
        ))}
    </DescriptionList>
  );
}

/** A part of a page: its title, what can be done with it, what it shows. */
export function Section({ title, action, className, children }: { title: ReactNode; action?: ReactNode; className?: string; children: ReactNode }) {
  return (
    <Card isFullHeight>
      <CardTitle component="h2">
        {action ? (
          <span className="hf-spread">
            {title}
            {action}
          </span>
        ) : (
          title
        )}
      </CardTitle>
      <CardBody {...(className ? { className } : {})}>{children}</CardBody>
    </Card>
  );
}
