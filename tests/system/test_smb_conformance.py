# SPDX-License-Identifier: GPL-3.0-or-later
"""test_smb_conformance.py - smbtorture's suites against shares as we configure them; which tests do not pass, and why, is data:
tests/conformance/smbtorture.json."""
import json
import re
import subprocess

import pytest
from harness import LONG, SRC, need
from nas_rig import ENV, PASSWORD, Nas

TABLE = json.loads((SRC / "tests/conformance/smbtorture.json").read_text())


@pytest.fixture(scope="module")
def nas():
    need("smbtorture", "samba-testsuite")
    n = Nas()
    try:
        n.apply(shares=[n.share(name, **words) for name, words in TABLE["shares"].items()], users=[n.user("alice", 20001)])
        yield n
    finally:
        n.close()


@pytest.mark.parametrize("suite", [s for s in TABLE["suites"] if LONG or not s.get("long")], ids=lambda s: s["name"])
def test_suite(nas, suite):
    run = subprocess.run(["smbtorture", "-p", str(nas.port), "-U", f"alice%{PASSWORD}", f"//127.0.0.1/{suite['share']}", suite["name"]], capture_output=True,
                         text=True, errors="replace", env=dict(ENV, HOME=str(nas.base)), cwd=nas.base, timeout=600, stdin=subprocess.DEVNULL, check=False)
    passed = re.findall(r"^success: (.+)$", run.stdout, re.M)
    failed = {n.removesuffix(" [") for n in re.findall(r"^(?:failure|error): (.+)$", run.stdout, re.M)}
    print(f"{suite['name']}: {len(passed)} passed, {len(failed)} did not")
    assert passed, run.stdout[-3000:] + run.stderr[-1000:]
    if suite.get("optional"):
        return                          # long runs print their figures; they are read, not judged
    unexpected = failed - set(suite.get("not", {}))
    assert not unexpected, "\n".join(b for b in re.split(r"^test: ", run.stdout, flags=re.M) if any(b.startswith(u) for u in unexpected))[-6000:]
