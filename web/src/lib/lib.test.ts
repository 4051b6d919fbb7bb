// SPDX-License-Identifier: GPL-3.0-or-later
// lib.test.ts - the pure functions: tables of cases with an input and the answer.
import { describe, expect, it } from "vitest";
import { differences } from "~/lib/diff";
import { bodyOf, changesOf, compareEdits, errorsByField, type FieldSpec, randomSecret, startOf } from "~/lib/form";
import { _, _n, loadLanguage } from "~/lib/i18n";
import { rate } from "~/lib/rates";
import { searchRows, sortRows, windowOf } from "~/lib/rows";
import { editBytes, formatAgo, formatBytes, formatMicros, formatSeconds, parseSize } from "~/lib/units";
import { composeSource, splitSource } from "~/lib/source";

describe("sizes that people type", () => {
  it.each([
    ["1.5 TiB", 1.5 * 2 ** 40],
    ["1,5 TiB", 1.5 * 2 ** 40],
    ["2T", 2 * 2 ** 40],
    ["2t", 2 * 2 ** 40],
    ["1Gi", 2 ** 30],
    ["10 GB", 10e9],
    ["10GiB", 10 * 2 ** 30],
    ["512", 512],
    ["512 b", 512],
    ["4096 bytes", 4096],
    [" 1 PiB ", 2 ** 50],
    ["1.3 KiB", 1331],
    ["", null],
    ["GiB", null],
    ["-1 GiB", null],
    ["1 XiB", null],
    ["1e9", null],
    ["10000000 PiB", null],
    ["1..5 G", null],
  ])("%j is %j", (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it.each([2 ** 30, 1.5 * 2 ** 40, 512, 1000, 10e9, 3 * 2 ** 20 + 512, 2 ** 50])("%j is edited and read back unchanged", (n) => expect(parseSize(editBytes(n))).toBe(n));

  it.each([
    [0, "0 B"],
    [1023, "1,023 B"],
    [1024, "1 KiB"],
    [1.5 * 2 ** 40, "1.5 TiB"],
    [null, "–"],
  ])("%j bytes are shown as %j", (n, text) => expect(formatBytes(n)).toBe(text));
});

describe("times", () => {
  it.each([
    [3, "3 s"],
    [61, "1 min 1 s"],
    [7260, "2 h 1 min"],
    [90000, "1 d 1 h"],
  ])("%j seconds are %j", (n, text) => expect(formatSeconds(n)).toBe(text));
  it.each([
    [250, "250 µs"],
    [1500, "1.5 ms"],
    [2_000_000, "2 s"],
  ])("%j µs are %j", (n, text) => expect(formatMicros(n)).toBe(text));
  it("says how long ago", () => expect(formatAgo("2026-01-01T00:00:00Z", Date.parse("2026-01-01T03:00:00Z"))).toBe("3 hours ago"));
});

describe("rows", () => {
  const rows = [{ n: "lun 10", s: 3 }, { n: "lun 9", s: null }, { n: "Alpha", s: 20 }];
  const columns = [{ key: "n", value: (r: (typeof rows)[0]) => r.n }, { key: "s", value: (r: (typeof rows)[0]) => r.s }];
  it("finds rows with every word", () => expect(searchRows(rows, columns, "LUN 9").map((r) => r.n)).toEqual(["lun 9"]));
  it("counts as people do", () => expect(sortRows(rows, columns[0], false).map((r) => r.n)).toEqual(["Alpha", "lun 9", "lun 10"]));
  it("sorts numbers by value, the unknown last in both directions", () => {
    expect(sortRows(rows, columns[1], false).map((r) => r.s)).toEqual([3, 20, null]);
    expect(sortRows(rows, columns[1], true).map((r) => r.s)).toEqual([20, 3, null]);
  });
  it("leaves the rows it was given alone", () => {
    sortRows(rows, columns[0], true);
    expect(rows[0]!.n).toBe("lun 10");
  });
  it.each([
    ["the top", 0, { first: 0, end: 22 }],
    ["the middle", 4000, { first: 88, end: 122 }],
    ["past the end", 1e9, { first: 10000, end: 10000 }],
  ])("draws what is on the screen at %s", (_what, top, win) => expect(windowOf(10000, 40, top, 400)).toEqual(win));
});

const fields: FieldSpec[] = [
  { name: "name", label: "Name", kind: "text", isRequired: true },
  { name: "size_bytes", label: "Size", kind: "size", isRequired: true },
  { name: "iqns", label: "IQNs", kind: "texts" },
  { name: "secret", label: "Secret", kind: "secret" },
  { name: "user", label: "User", kind: "text", isNullable: true },
  { name: "options", label: "Options", kind: "options" },
  { name: "fixed", label: "Fixed", kind: "text", isFixed: true },
  { name: "read_only", label: "Read-only", kind: "bool" },
];

describe("forms", () => {
  const object = { name: "v", size_bytes: 2 ** 30, iqns: ["a"], secret: true, user: "u", options: { cache: "direct", old: "1" }, fixed: "f", read_only: false };
  it("a creation has only what was given", () => {
    const state = { ...startOf(fields, null), name: " v ", size_bytes: "1 GiB" };
    expect(bodyOf(fields, state, null)).toEqual({ body: { name: "v", size_bytes: 2 ** 30, read_only: false }, errors: {} });
  });
  it("an untouched form changes nothing", () => expect(bodyOf(fields, startOf(fields, object), object).body).toEqual({}));
  it("a change has only what differs, and null for what goes", () => {
    const state = { ...startOf(fields, object), size_bytes: "2 GiB", iqns: "a\n b ,c", secret: "s3 cret", user: "", options: { cache: "writeback" } };
    expect(bodyOf(fields, state, object).body).toEqual({ size_bytes: 2 ** 31, iqns: ["a", "b", "c"], secret: "s3 cret", user: null, options: { old: null, cache: "writeback" } });
  });
  it("reads maps as lines", () => {
    const map: FieldSpec[] = [{ name: "headers", label: "Headers", kind: "map" }];
    const old = { headers: { "X-A": "1", "X-B": "2" } };
    expect(startOf(map, old)).toEqual({ headers: "X-A=1\nX-B=2" });
    expect(bodyOf(map, { headers: "X-A=1\nX-C: a=b" }, old).body).toEqual({ headers: { "X-B": null, "X-C": "a=b" } });
    expect(Object.keys(bodyOf(map, { headers: "nothing" }, old).errors)).toEqual(["headers"]);
  });
  it("a secret can be taken away", () => expect(bodyOf(fields, { ...startOf(fields, object), secret: null }, object).body).toEqual({ secret: null }));
  it("says what is wrong at the field", () => {
    const { errors } = bodyOf(fields, { ...startOf(fields, null), size_bytes: "much" }, null);
    expect(Object.keys(errors)).toEqual(["name", "size_bytes"]);
  });
  it("puts the server's errors at their fields", () => {
    const found = errorsByField(fields, [{ pointer: "/name", detail: "bad" }, { pointer: "/iqns/3", detail: "no iqn" }, { pointer: "/iqns~14", detail: "nor this" }, { pointer: "", detail: "all wrong" }]);
    expect(found).toEqual({ byField: { name: "bad", iqns: "no iqn nor this" }, other: ["all wrong"] });
  });
  it("tells conflicts from changes that fit together", () => {
    const theirs = { ...object, size_bytes: 2 ** 33, read_only: true, user: "x" };
    const { conflicts, others } = compareEdits(object, { size_bytes: 2 ** 32, user: "x" }, theirs, fields.map((f) => f.name));
    expect(conflicts.map((c) => c.name)).toEqual(["size_bytes"]);
    expect(others.map((c) => c.name)).toEqual(["read_only"]);
  });
  it("makes secrets of the length that was asked", () => {
    expect(randomSecret(16)).toMatch(/^[A-Za-z2-9]{16}$/);
    expect(randomSecret(16)).not.toBe(randomSecret(16));
  });
});

describe("rates", () => {
  const at = (atMs: number, ops: number) => ({ atMs, values: { ops } });
  it.each([
    ["the first sample", undefined, at(1000, 5), null],
    ["growth", at(0, 10), at(2000, 30), 10],
    ["a counter that started anew", at(0, 10), at(2000, 3), null],
    ["no time in between", at(5, 10), at(5, 30), null],
  ])("%s", (_what, before, now, answer) => expect(rate(before, now, "ops")).toBe(answer));
});

describe("differences", () => {
  it("leaves out what always changes", () => expect(differences({ a: 1, b: [1], revision: 1 }, { a: 1, b: [2], revision: 2 })).toEqual([{ field: "b", before: [1], after: [2] }]));
  it("shows all of something new", () => expect(differences(null, { a: 1 }).map((d) => d.field)).toEqual(["a"]));
});

describe("languages", () => {
  it("fills words in and has one and many", async () => {
    await loadLanguage("en");
    expect(_("Delete {kind} {name}?", { kind: "volume", name: "v" })).toBe("Delete volume v?");
    expect(_n("{n} row", "{n} rows", 1)).toBe("1 row");
    expect(_n("{n} row", "{n} rows", 1234)).toBe("1,234 rows");
  });
  it("speaks German", async () => {
    await loadLanguage("de");
    expect(_("Volumes")).toBe("Volumes");
    expect(_("Cancel")).toBe("Abbrechen");
    await loadLanguage("en");
  });
});

describe("where an import comes from", () => {
  const cases = [
    [{ kind: "smb", server: "nas:4450", share: "my data", folder: "a/ü %41 #", version: "" }, "smb://nas:4450/my%20data/a/%C3%BC%20%2541%20%23"],
    [{ kind: "smb", server: "nas", share: "data", folder: "", version: "" }, "smb://nas/data"],
    [{ kind: "nfs", server: "192.0.2.7", share: "", folder: "/export/home", version: "3" }, "nfs://192.0.2.7/export/home?version=3"],
    [{ kind: "nfs", server: "2001:db8::1", share: "", folder: "export", version: "" }, "nfs://[2001:db8::1]/export"],
    [{ kind: "iscsi", server: "[2001:db8::1]:3260", share: "iqn.2003-01.org.x:db", folder: "", version: "" }, "iscsi://[2001:db8::1]:3260/iqn.2003-01.org.x:db/0"],
    [{ kind: "iscsi", server: "array", share: "iqn.2003-01.org.x:db", folder: "7", version: "" }, "iscsi://array/iqn.2003-01.org.x:db/7"],
  ] as const;
  it.each(cases)("%j", (from, text) => {
    expect(composeSource({ ...from })).toBe(text);
    expect(composeSource(splitSource(text)!)).toBe(text);
  });
  it.each(["", "ftp://x/y", "nas/data"])("none: %s", (text) => expect(splitSource(text)).toBeNull());
});

describe("what a patch changes, in words", () => {
  const fields: FieldSpec[] = [
    { name: "size", label: "Size", kind: "size" },
    { name: "on", label: "On", kind: "bool" },
    { name: "how", label: "How", kind: "enum", options: [["a", "the first"], ["b", "the second"]] },
    { name: "who", label: "Who", kind: "texts" },
    { name: "secret", label: "Secret", kind: "secret" },
    { name: "map", label: "Map", kind: "map" },
  ];
  const before = { size: 1024, on: true, how: "a", who: [], secret: true, map: { x: "1" } };
  it.each([
    [{ size: 1649267441664 }, ["Size: 1 KiB becomes 1.5 TiB"]],
    [{ on: false, how: "b" }, ["On: yes becomes no", "How: the first becomes the second"]],
    [{ who: ["anna", "@crew"] }, ["Who: empty becomes anna, @crew"]],
    [{ secret: "x" }, ["Secret: a new one"]],
    [{ secret: null }, ["Secret: removed"]],
    [{ map: { x: null, y: "2" } }, ["Map: x=1 becomes x=–, y=2"]],
    [{ other: 1 }, []],
  ])("%j", (patch, words) => expect(changesOf(fields, before, patch)).toEqual(words));
});
