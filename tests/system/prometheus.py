# SPDX-License-Identifier: GPL-3.0-or-later
"""prometheus.py - a strict reader of the text format 0.0.4: what it accepts, Prometheus accepts, and more.

parse(text) gives {family: Family}; anything that the format or its conventions forbid raises Wrong with the line."""
import collections
import math
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
UNITS = ("_seconds", "_bytes", "_total", "_info")
ENDS = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
Family = collections.namedtuple("Family", "name type help samples")


class Wrong(Exception):
    pass


def labels_of(text, line):
    labels, at = {}, 0
    while at < len(text):
        m = LABEL.match(text, at)
        if not m:
            raise Wrong(f"labels: {line}")
        if m[1] in labels or m[1].startswith("__"):
            raise Wrong(f"label {m[1]}: {line}")
        labels[m[1]] = re.sub(r"\\(.)", lambda e: "\n" if e[1] == "n" else e[1], m[2])
        at = m.end()
        if at < len(text):
            if text[at] != ",":
                raise Wrong(f"labels: {line}")
            at += 1
    return labels


def sample_of(line):
    m = re.fullmatch(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)", line)
    if not m:
        raise Wrong(f"no sample: {line}")
    return m[1], labels_of(m[2] or "", line), float(m[3].replace("Inf", "inf"))


def check_histogram(f):
    groups = collections.defaultdict(dict)
    for name, labels, value in f.samples:
        key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        if name.endswith("_bucket"):
            groups[key].setdefault("bucket", []).append((float(labels["le"].replace("Inf", "inf")), value))
        else:
            groups[key][name[len(f.name):]] = value
    for key, g in groups.items():
        edges, counts = zip(*g["bucket"])
        if list(edges) != sorted(set(edges)) or not math.isinf(edges[-1]):
            raise Wrong(f"{f.name}{key}: edges {edges}")
        if list(counts) != sorted(counts) or counts[-1] != g["_count"]:
            raise Wrong(f"{f.name}{key}: buckets {counts}, count {g['_count']}")
        if g["_sum"] < 0 or (g["_count"] and not g["_sum"]):
            raise Wrong(f"{f.name}{key}: sum {g['_sum']}")


def check_family(f):
    seen = set()
    for name, labels, value in f.samples:
        key = (name, tuple(sorted(labels.items())))
        if key in seen:
            raise Wrong(f"twice: {key}")
        seen.add(key)
        if f.type == "counter" and not value >= 0:
            raise Wrong(f"a counter below 0: {key}")
    if (f.type == "counter") != f.name.endswith("_total"):
        raise Wrong(f"{f.name} is a {f.type}")
    if not f.help.endswith("."):
        raise Wrong(f"{f.name}: its help is no sentence")
    if f.type == "histogram":
        check_histogram(f)


def parse(text):
    families, now = {}, None
    if not text.endswith("\n"):
        raise Wrong("the last line has no end")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, words = line[7:].split(" ", 1)
            if name in families:
                raise Wrong(f"{name} comes in two places")
            now = families[name] = Family(name, None, words, [])
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            if not now or now.name != name or now.type or kind not in ENDS:
                raise Wrong(f"TYPE out of place: {line}")
            now = families[name] = now._replace(type=kind)
        elif line.startswith("#") or not line:
            raise Wrong(f"neither HELP, TYPE nor sample: {line!r}")
        else:
            name, labels, value = sample_of(line)
            if not now or not now.type or name not in {now.name + end for end in ENDS[now.type]}:
                raise Wrong(f"outside its family: {line}")
            now.samples.append((name, labels, value))
    for f in families.values():
        check_family(f)
    return families
