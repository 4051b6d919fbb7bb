# SPDX-License-Identifier: GPL-3.0-or-later
"""Every conversation of tests/wire/nvmf, against one running daemon: what the NVMe documents expect."""
import sys

import pytest

from harness import SRC, Daemon

sys.path.insert(0, str(SRC / "tests/wire/nvmf"))
from conversation import ADMIN, IO, Talk, load  # noqa: E402

CORPUS = load()


@pytest.fixture(scope="module")
def served():
    """(daemon, port, NQN): namespaces 1 to 4 as tests/wire/nvmf/README.md says."""
    d = Daemon().start()
    volumes = [("one", "64M", "ram", 512, {}), ("two", "64M", "ram", 4096, {}), ("three", "8M", "ram", 512, {}),
               ("four", "16M", "fault:ram", 512, {"bad_offset": "1048576", "bad_length": "4096"})]
    d.cli("target", "create", "wire", "--protocol", "nvme")
    for nsid, (name, size, plugin, block, options) in enumerate(volumes, 1):
        words = [w for k, v in options.items() for w in ("--option", f"{k}={v}")]
        d.cli("volume", "create", name, "--size", size, "--plugin", plugin, "--block-size", block, *words)
        d.cli("target", "attach", "wire", name, "--lun", nsid, *(["--read-only"] if name == "three" else []))
    d.cli("target", "allow", "wire", "--any")
    yield d, d.portal("nvme-tcp"), d.json("target", "show", "wire")["qualified_name"]
    d.close()


def test_there_are_enough():
    """Every command stands in the corpus, and names do not repeat."""
    assert len(CORPUS) >= 300
    names = [c.name for c in CORPUS]
    assert len(set(names)) == len(names), [n for n in names if names.count(n) > 1]
    said = {words for c in CORPUS for _, line in c.lines for words in line.split("->")[0].split()}
    assert not (set(ADMIN) | set(IO)) - said - {"write-uncorrectable"}


@pytest.mark.parametrize("conversation", CORPUS, ids=[c.name for c in CORPUS])
def test_conversation(served, conversation):
    _, port, nqn = served
    Talk(port, nqn, None).hold(conversation)
