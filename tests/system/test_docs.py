# SPDX-License-Identifier: GPL-3.0-or-later
"""What our pages tell people to type is understood by the programs: every verb and every flag."""
import json
import re
import shutil
import subprocess

import pytest

from harness import BUILD, SRC

PAGES = ["README.md", "HACKING.md", *sorted(str(p.relative_to(SRC)) for p in (SRC / "docs").rglob("*.md")), "dev"]
COMMAND = re.compile(r"(?:^|[\s`/(])(?:holdfast|hf) ([a-z][a-z-]*)(?: ([a-z][a-z-]*)(?!\w))?([^`|&>\n]*)", re.M)


def commands():
    for page in PAGES:
        text = (SRC / page).read_text().replace("\\\n", " ")
        blocks = text if page == "dev" else "\n".join(re.findall(r"^```.*?^```", text, re.M | re.S)) + "\n" + "\n".join(re.findall(r"`holdfast [^`]+`", text))
        for noun, verb, rest in COMMAND.findall(blocks):
            yield pytest.param(noun, verb, re.findall(r"(--[a-z-]+)", rest), id=f"{page}: {noun} {verb}".strip())


@pytest.mark.parametrize("noun, verb, flags", commands())
def test_command_exists(noun, verb, flags):
    words = [w for w in (noun, verb) if w]
    out = subprocess.run([BUILD / "server/holdfast", *words, "--help"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert out.returncode == 0, out.stderr
    if re.match(rf"usage: holdfast {noun} [A-Z]", out.stdout):
        words = [noun]                           # it has no verbs: what follows is a name
    assert all(w in out.stdout for w in words)
    general = subprocess.run([BUILD / "server/holdfast", "--help"], capture_output=True, text=True).stdout
    for flag in flags:
        assert flag in out.stdout + general, f"{' '.join(words)} has no {flag}"


def test_the_pages_do_show_commands():
    assert len(list(commands())) > 15


@pytest.mark.parametrize("program, page", [("holdfast", "docs/man/holdfast.1"), ("holdfastd", "docs/man/holdfastd.8")])
def test_flags_of_help_are_in_the_man_page(program, page):
    if not (SRC / page).exists():
        pytest.skip(f"{page} is not written yet")
    out = subprocess.run([BUILD / "server" / program, "--help"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert out.returncode == 0
    text = (SRC / page).read_text().replace("\\-", "-")
    for flag in set(re.findall(r"--([a-z][a-z-]+)", out.stdout)) - {"flags"}:
        assert flag in text, f"{page} does not tell about --{flag}"


def test_each_noun_has_a_page_of_its_own(tmp_path):
    """holdfast-NOUN(1): as built, as the program writes it, with every verb and flag, and without a fault."""
    program = BUILD / "server/holdfast"
    subprocess.run([program, "__mdoc", tmp_path], check=True)
    verbs = json.loads(subprocess.run([program, "__describe"], capture_output=True, text=True, check=True).stdout)
    pages = {p.name: p.read_text() for p in tmp_path.iterdir()}
    assert set(pages) == {f"holdfast-{v['noun']}.1" for v in verbs}
    built = {p.name: p.read_text() for p in (BUILD / "docs/man/nouns").glob("*.1")}
    assert built == pages
    for v in verbs:
        page = pages[f"holdfast-{v['noun']}.1"].replace("\\-", "-")
        assert f".Cm {v['noun']} {v['verb']}".strip() in page
        for flag in v["flags"]:
            assert f"Fl -{flag['name']}" in page
    if shutil.which("mandoc"):
        said = subprocess.run(["mandoc", "-Tlint", "-Wwarning", *sorted(tmp_path.iterdir())], capture_output=True, text=True)
        assert said.stdout == ""


def test_the_plugin_of_the_guide_builds_outside_of_the_tree_and_serves(daemon_factory, tmp_path):
    guide = (SRC / "docs/guides/plugin.md").read_text()
    source = re.search(r"```c\n(.*?)```", guide, re.S).group(1)
    name = re.search(r"/\* (\w+)\.c \*/", source).group(1)
    (tmp_path / "holdfast").mkdir()
    shutil.copy(SRC / "plugins/sdk/plugin.h", tmp_path / "holdfast")
    (tmp_path / f"{name}.c").write_text(source)
    (tmp_path / "plugins").mkdir()
    built = subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-I", tmp_path, "-o", tmp_path / f"plugins/{name}.so", tmp_path / f"{name}.c"],
                           capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    d = daemon_factory(env={"HOLDFAST_PLUGIN_DIR": str(tmp_path / "plugins")})
    iqn = d.disk("trial", "64M", plugin=name)
    assert d.json("volume", "show", "trial")["state"] == "online"
    port = d.portal()
    load = subprocess.run([BUILD / "tests/bench/iscsi_load", "--portal", f"127.0.0.1:{port}", "--target", iqn, "--verify", "--read", "50", "--depth", "8",
                           "--seconds", "1", "--sleep"], capture_output=True, text=True, timeout=60)
    assert load.returncode == 0 and " 0 bad" in load.stdout, load.stdout + load.stderr
