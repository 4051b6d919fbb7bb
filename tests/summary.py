# SPDX-License-Identifier: GPL-3.0-or-later
"""summary.py [--again GROUP] RESULTS BUILDDIR - one closing line over all groups of ./dev test.

Reads what each group left behind: TAP files and JUnit XML in RESULTS, automake's .trs and .log below
BUILDDIR/tests, RESULTS/broken (a group that could not run counts as a failure) and RESULTS/durations.

A test that failed was run once more, alone; what came of that is in RESULTS/again (same names), and
for automake's programs in BUILDDIR, with what they said at first in RESULTS/first.  Who passes then is
told as FLAKY and counted as passed, up to LIMIT of them in a run; more are a failure.

--again GROUP: print what to run once more of that group: programs for "unit", else the group's own name;
nothing when all passed, or so much failed that it is no accident.  Why: HACKING.md."""
import pathlib
import re
import sys
import xml.etree.ElementTree as xml

LIMIT = 10
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class Outcome:
    """What became of each test: name to (state, reason); whoever speaks of a name twice, the worse counts."""

    def __init__(self):
        self.tests = {}

    def add(self, name, state, reason=""):
        while state != FAILED and name in self.tests and self.tests[name][0] != FAILED:
            name += "'"                          # another one of the same name
        if name not in self.tests or self.tests[name][0] != FAILED:
            self.tests[name] = (state, reason)

    def names(self, state):
        return [n for n, (s, _) in self.tests.items() if s == state]


def tap(path):
    out = Outcome()
    for line in path.read_text(errors="replace").splitlines():
        m = re.match(r"(not )?ok\b[ \d]*-? ?(.*)", line)
        if not m:
            continue
        name, _, reason = m[2].partition("# SKIP")
        if "# SKIP" in m[2]:
            out.add(name.strip(), SKIPPED, reason.strip() or "no reason given")
        else:
            out.add(re.sub(r" # time=.*", "", m[2]), FAILED if m[1] else PASSED)
    return out


def junit(path):
    out = Outcome()
    for case in xml.parse(path).iter("testcase"):
        name = f"{case.get('classname', '').rsplit('.', 1)[-1]}::{case.get('name')}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            out.add(name, FAILED)
        elif skip is not None:
            out.add(name, SKIPPED, skip.get("message") or "no reason given")
        else:
            out.add(name, PASSED)
    return out


def trs(path):
    """automake's own file has no names in it (that of one of its drivers has): the log beside it has."""
    out = Outcome()
    log = path.with_suffix(".log")
    text = log.read_text(errors="replace") if log.exists() else ""
    reasons = [a or b for a, b in re.findall(r"(?i)^SKIP:? .*?# *SKIP *(.*)|^ok .*# *skip *(.*)", text, re.M)]
    rows = re.findall(r"(?m)^:test-result: (\w+) ?(.*)", path.read_text())
    told = re.findall(r"(?m)^(PASS|XPASS|FAIL|XFAIL|SKIP|ERROR): \S+ ?(.*)", text)
    if [state for state, _ in rows] == [state for state, _ in told]:
        rows = told
    for number, (state, name) in enumerate(rows, 1):
        name = re.sub(r"^[0-9]+ *-? *", "", name).partition("# SKIP")[0].strip() or f"test {number}"
        if state in ("PASS", "XFAIL"):
            out.add(name, PASSED)
        elif state == "SKIP":
            out.add(name, SKIPPED, next((w for w in reasons if w), "see its log"))
        else:
            out.add(f"{name} ({state})", FAILED)
    return out


def settle(first, again):
    """(outcome, flaky names) of a set of tests whose failures were run once more (again: None if they were not)."""
    if again is None or not first.names(FAILED):
        return first, []
    out, flaky = Outcome(), []
    out.tests = {n: t for n, t in first.tests.items() if t[0] != FAILED}
    lost = {re.sub(r" \([A-Z]+\)$", "", n): n for n in first.names(FAILED)}  # without automake's word for how it failed
    missed = {re.sub(r" \([A-Z]+\)$", "", n): n for n in again.names(FAILED)}
    fine = bool(again.names(PASSED)) and not missed
    for bare, name in lost.items():
        if again.tests.get(bare, (None,))[0] == PASSED:
            out.tests[bare] = (PASSED, "")
            flaky.append(name)
        elif fine and bare not in again.tests:   # a crash has no name; all it belongs to passes now
            flaky.append(name)
        else:
            out.tests[name] = (FAILED, "")
    for name, outcome in again.tests.items():    # what a crash had kept from running
        if outcome[0] != FAILED:
            out.tests.setdefault(name, outcome)
    for bare, name in missed.items():            # it passed at first: once of two, too
        if out.tests.get(bare, (None,))[0] == PASSED:
            flaky.append(name)
        elif bare not in lost:
            out.tests[name] = (FAILED, "")
    return out, flaky


def sources(results, build):
    """(group, where, first, again) of every set of tests that left something behind."""
    for pattern, read in (("*.tap", tap), ("*.xml", junit)):
        for f in sorted(results.glob(pattern)):
            second = results / "again" / f.name
            yield f.stem, f.stem + ": ", read(f), read(second) if second.exists() else None
    if (results / "unit.log").exists():
        for f in sorted((build / "tests").rglob("*.trs")):
            name = str(f.relative_to(build).with_suffix(""))
            first = results / "first" / f"{name}.trs"
            yield "unit", name + " ", *((trs(first), trs(f)) if first.exists() else (trs(f), None))


def again(group, results, build):
    found = [(where, len(first.names(FAILED))) for g, where, first, _ in sources(results, build) if g == group]
    found = [(where, count) for where, count in found if count]
    if 0 < sum(count for _, count in found) <= LIMIT:
        print(" ".join(where.strip(" ") if group == "unit" else group for where, _ in found))


def closing(results, build):
    passed, failed, skipped, flaky, lines = 0, [], [], [], []
    for _, where, first, second in sources(results, build):
        outcome, mended = settle(first, second)
        passed += len(outcome.names(PASSED))
        failed += [f"{where}{n}".strip() for n in outcome.names(FAILED)]
        skipped += [(f"{where}{n}".strip(), outcome.tests[n][1]) for n in outcome.names(SKIPPED)]
        flaky += [f"{where}{n}".strip() for n in mended]
    if (results / "broken").exists():
        failed += [": ".join(s.split("\t", 1)) for s in (results / "broken").read_text().splitlines()]
    if len(flaky) > LIMIT:
        failed.append(f"{len(flaky)} tests passed only when they were run once more, more than {LIMIT}")
    if (results / "durations").exists():
        times = [s.split("\t") for s in (results / "durations").read_text().splitlines()]
        lines.append("took: " + ", ".join(f"{what} {int(s) // 60}:{int(s) % 60:02}" for what, s in times))
    lines += [f"skipped: {name}: {reason}" for name, reason in skipped]
    lines += [f"FLAKY: {name}: failed once, passed once" for name in flaky]
    lines += [f"FAILED: {name}" for name in failed]
    lines.append(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    print("\n".join(lines), flush=True)
    (results / "summary.txt").write_text("\n".join(lines) + "\n")
    return 1 if failed or not passed else 0


words = sys.argv[1:]
folders = [pathlib.Path(w) for w in words[-2:]]
sys.exit(again(words[1], *folders) if words[0] == "--again" else closing(*folders))
