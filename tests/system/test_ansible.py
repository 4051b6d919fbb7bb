# SPDX-License-Identifier: GPL-3.0-or-later
"""packaging/ansible by Ansible itself: a document is made true over the socket and over HTTPS, a second run changes nothing, a
check tells and changes nothing, a refusal says why."""
import json
import os
import re
import shutil
import ssl
import subprocess

import pytest

from harness import LONG, SRC

pytestmark = pytest.mark.skipif(not LONG, reason="Ansible takes its time (--long)")


@pytest.fixture
def play(daemon, tmp_path):
    """play(variables, *flags): status, what was printed, and the counts of the one machine."""
    program = shutil.which("ansible-playbook")
    if not program:
        pytest.skip("needs ansible-playbook (package ansible-core)")
    book = tmp_path / "play.yml"

    def run(*flags, **variables):
        book.write_text(json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "roles": [{"role": "holdfast"}],
                                     "vars": {"holdfast_install": False, "holdfast_configuration": str(tmp_path / "document.json"), **variables}}]))
        environment = {**os.environ, "HOME": str(tmp_path), "ANSIBLE_ROLES_PATH": str(SRC / "packaging/ansible/roles"), "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8",
                       "ANSIBLE_LOCALHOST_WARNING": "False", "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3"}
        r = subprocess.run([program, "-i", "localhost,", *flags, book], capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, env=environment, cwd=tmp_path)
        said = r.stdout + r.stderr
        counts = re.search(r"(?m)^localhost +: ok=\d+ +changed=(\d+) .*failed=(\d+)", said)
        assert counts, said
        assert (r.returncode == 0) == (counts.group(2) == "0"), said
        return int(counts.group(1)), int(counts.group(2)), said
    return run


def write(tmp_path, document):
    (tmp_path / "document.json").write_text(json.dumps(document))


def test_a_document_is_made_true(daemon, play, tmp_path):
    daemon.pool("p")
    daemon.cli("volume", "create", "v", "--size", "16M", "--plugin", "ram")
    document = json.loads(daemon.cli("config", "export", "-"))
    local = {"holdfast_socket": str(daemon.state / "holdfast.sock")}
    write(tmp_path, document)
    assert play(**local)[:2] == (0, 0), "it is so already"

    document["volumes"][0]["comment"] = "by a play"
    write(tmp_path, document)
    changed, failed, said = play("--check", **local)
    assert (changed, failed) == (1, 0) and "change volume v" in said, said
    assert "by a play" not in daemon.cli("volume", "show", "v"), "a check changes nothing"
    assert play(**local)[:2] == (1, 0)
    assert "by a play" in daemon.cli("volume", "show", "v")
    assert play(**local)[:2] == (0, 0), "the second time"

    # What the document does not name stays, unless it is to go.
    del document["volumes"]
    write(tmp_path, document)
    assert play(**local)[:2] == (0, 0)
    assert daemon.cli("volume", "list", "-o", "name").split() == ["v"]
    assert play(holdfast_prune=True, **local)[:2] == (1, 0)
    assert daemon.cli("volume", "list", "-o", "name").split() == []
    changed, failed, said = play(holdfast_prune=True, **local)
    assert (changed, failed) == (0, 0), said

    document["volumes"] = [{"name": "w", "plugin": "no-such", "size_bytes": 1 << 20}]
    write(tmp_path, document)
    changed, failed, said = play(**local)
    assert (changed, failed) == (0, 1) and "no-such" in said, said


def test_with_a_token_over_https(daemon, play, tmp_path):
    daemon.cli("account", "create", "ada", "--role", "admin", "--password-file", "-", stdin="a long sentence of mine")
    token = daemon.cli("token", "create", "t", "--account", "ada", "--role", "admin").split()[-1]
    port = daemon.portal("https")
    (tmp_path / "ca.pem").write_text(ssl.get_server_certificate(("127.0.0.1", port)))
    write(tmp_path, {**json.loads(daemon.cli("config", "export", "-")), "pools": [{"name": "q", "path": str(daemon.base / "q")}]})
    (daemon.base / "q").mkdir()
    remote = {"holdfast_url": f"https://127.0.0.1:{port}", "holdfast_token": token, "holdfast_ca_file": str(tmp_path / "ca.pem")}
    changed, failed, said = play(**{**remote, "holdfast_token": "hf_wrong_token"})
    assert (changed, failed) == (0, 1), said
    assert "q" not in daemon.cli("pool", "list", "-o", "name").split()
    changed, failed, said = play(**{**remote, "holdfast_ca_file": ""})
    assert (changed, failed) == (0, 1) and "CERTIFICATE_VERIFY_FAILED" in said, said
    changed, failed, said = play("-vvv", **remote)
    assert (changed, failed) == (1, 0), said
    assert token not in said, "not even when it tells much"
    assert "q" in daemon.cli("pool", "list", "-o", "name").split()
    assert play(**remote)[:2] == (0, 0)
