# SPDX-License-Identifier: GPL-3.0-or-later
"""guides.py - our pages as programs: the shell blocks of a Markdown page, in order, as one script.

What a page needs besides what a reader sees stands in comments, which no reader sees:

    <!-- test: skip on Windows -->          the next block is not run, for this reason
    <!-- test: run                          these lines are run here, too: preparation, or a look at
    iscsi-ls -s iscsi://192.0.2.10/             what the page has brought about
    -->
    <!-- test: where IQN=$(..) -->          from here on the word in the page stands for that
    <!-- test: own daemon -->               the page starts its own
    <!-- test: root -->                     the page needs root

A fence without a language, or ``sh``, is run; so is `holdfast ..` in the text, unless there are words in
capitals in it that nothing stands for.  A fence ``output`` holds lines that what ran before must have
printed, in this order; ``..`` is anything."""
import dataclasses
import re

PLACEHOLDER = re.compile(r"\b[A-Z][A-Z-]*[A-Z]\b|\.\.")
TOKEN = re.compile(
    r"^<!-- test: (?P<mark>\w+)\b *(?P<rest>.*?)\s*-->|^(?P<indent> *)```(?P<language>[\w-]*)\n(?P<body>.*?)^ *```$|`(?P<inline>holdfast [^`]+)`",
    re.M | re.S)


@dataclasses.dataclass
class Step:
    line: int
    kind: str            # run (hidden), block, inline, output, skip
    text: str


class Wrong(Exception):
    pass


def read(text):
    """(steps, whether the page starts its own daemon)."""
    steps, words, skip, own = [], {}, None, False

    def filled(body):
        for word, name in words.items():
            body = re.sub(rf"(?<![\w-]){re.escape(word)}(?![\w-])", f"${{{name}}}", body)
        return body

    for m in TOKEN.finditer(text):
        line = text.count("\n", 0, m.start()) + 1
        mark, rest = m["mark"], m["rest"] or ""
        if mark == "skip":
            if len(rest.split()) < 2:
                raise Wrong(f"line {line}: skipped without a reason")
            skip = rest
        elif mark == "run":
            steps.append(Step(line, "run", filled(rest)))
        elif mark == "where":
            word, _, value = rest.partition("=")
            words[word] = name = "W_" + re.sub(r"\W", "_", word)
            steps.append(Step(line, "run", f"{name}={value}"))
        elif mark == "own":
            own = True
        elif mark == "root":
            pass                                 # the test looks for it: the page needs root
        elif mark:
            raise Wrong(f"line {line}: no such mark: {mark}")
        elif m["inline"]:
            command = filled(m["inline"].replace("\n", " "))
            plain = re.sub(r"\$\{\w+\}", "", command)
            if (len(command.split()) > 3 or command.endswith(" list")) and not PLACEHOLDER.search(plain):
                steps.append(Step(line, "inline", command))  # more than the name of a noun and verb
        elif m["language"] == "output":
            steps.append(Step(line, "output", m["body"]))
        elif m["language"] in ("", "sh"):
            steps.append(Step(line, "skip", skip) if skip else Step(line, "block", filled(m["body"])))
            skip = None
    if skip:
        raise Wrong("the last mark skips nothing")
    return steps, own


def script(steps, token):
    """What bash is to run; before each step it says token and the line of the page."""
    lines = ["set -eo pipefail", "shopt -s expand_aliases"]
    for s in steps:
        if s.kind in ("run", "block", "inline"):
            lines += [f"echo; echo {token} {s.line}", s.text.rstrip()]
    return "\n".join([*lines, f"echo; echo {token} 0", ""])


def said(output, token):
    """Line of the page to what its step printed."""
    parts = re.split(rf"(?m)^{token} (\d+)\n", output)
    return dict(zip(map(int, parts[1::2]), parts[2::2])), int(parts[-2]) if len(parts) > 1 else None


def missing(step, printed):
    """Lines of an output step that were not printed in this order."""
    lines, at = printed.splitlines(), 0
    for wanted in step.text.splitlines():
        pattern = re.compile(r"\s+".join(re.escape(w).replace(r"\.\.", ".*") for w in wanted.split()))
        found = next((i for i in range(at, len(lines)) if pattern.search(lines[i])), None)
        if found is None:
            return wanted
        at = found + 1
    return None
