# SPDX-License-Identifier: GPL-3.0-or-later
"""summary.py RESULTS BUILDDIR - one closing line over all groups of ./dev test.

Reads what each group left behind: TAP files and JUnit XML in RESULTS, automake's .trs and .log below
BUILDDIR/tests, and RESULTS/broken (a group that could not run counts as a failure)."""
import pathlib
import re
import sys
import xml.etree.ElementTree as xml

passed, failed, skipped = 0, [], []


def tap(path):
    global passed
    for line in path.read_text(errors="replace").splitlines():
        m = re.match(r"(not )?ok\b[ \d]*-? ?(.*)", line)
        if not m:
            continue
        name, _, reason = m[2].partition("# SKIP")
        if "# SKIP" in m[2]:
            skipped.append((f"{path.stem}: {name.strip()}", reason.strip() or "no reason given"))
        elif m[1]:
            failed.append(f"{path.stem}: {m[2]}")
        else:
            passed += 1


def junit(path):
    global passed
    for case in xml.parse(path).iter("testcase"):
        name = f"{path.stem}: {case.get('classname', '').rsplit('.', 1)[-1]}::{case.get('name')}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(name)
        elif skip is not None:
            skipped.append((name, skip.get("message") or "no reason given"))
        else:
            passed += 1


def trs(path, root):
    global passed
    log = path.with_suffix(".log")
    text = log.read_text(errors="replace") if log.exists() else ""
    reasons = re.findall(r"(?i)^SKIP:? .*?# *SKIP *(.*)|^ok .*# *skip *(.*)", text, re.M)
    for line in path.read_text().splitlines():
        m = re.match(r":test-result: (\w+) ?(.*)", line)
        if not m:
            continue
        name = f"{path.relative_to(root).with_suffix('')} {re.sub(r'^[0-9]+ *-? *', '', m[2])}".strip()
        if m[1] in ("PASS", "XFAIL"):
            passed += 1
        elif m[1] == "SKIP":
            words = [a or b for a, b in reasons]
            skipped.append((name, next((w for w in words if w), "see its log")))
        else:
            failed.append(f"{name} ({m[1]})")


results, build = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
for f in sorted(results.glob("*.tap")):
    tap(f)
for f in sorted(results.glob("*.xml")):
    junit(f)
if (results / "unit.log").exists():
    for f in sorted((build / "tests").rglob("*.trs")):
        trs(f, build)
if (results / "broken").exists():
    failed += [": ".join(s.split("\t", 1)) for s in (results / "broken").read_text().splitlines()]

for name, reason in skipped:
    print(f"skipped: {name}: {reason}")
for name in failed:
    print(f"FAILED: {name}")
print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped", flush=True)
sys.exit(1 if failed or not passed else 0)
