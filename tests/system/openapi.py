# SPDX-License-Identifier: GPL-3.0-or-later
"""openapi.py - docs/openapi.yaml for tests: loaded, its references followed, answers held against it."""
import re

import jsonschema
import yaml

from harness import SRC

DOC = yaml.safe_load((SRC / "docs/openapi.yaml").read_text())
METHODS = ("get", "post", "patch", "delete", "put", "head", "options")


def follow(node):
    """The node itself, or what its $ref names."""
    while isinstance(node, dict) and "$ref" in node:
        path = node["$ref"]
        assert path.startswith("#/"), path
        node = DOC
        for part in path[2:].split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


def operations():
    """(method, path, operation with the path's own parameters) of every operation."""
    for path, item in DOC["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, dict(item[method], parameters=item.get("parameters", []) + item[method].get("parameters", []))


def parameters(operation, where):
    return [follow(p) for p in operation["parameters"] if follow(p)["in"] == where]


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def check(value, schema):
    """Fails when the value is not what the schema says."""
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": DOC["components"], **schema}
    validator = jsonschema.Draft202012Validator(whole)
    errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(value)]
    assert not errors, "\n".join(errors[:5])


def operation_of(method, path):
    """The operation that describes a real address."""
    for m, pattern, operation in operations():
        if m == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path.split("?")[0]):
            return operation
    raise AssertionError(f"the document has no {method} {path}")


def check_answer(method, path, status, headers, body):
    """Holds a real answer against the document: its status, its type, its content."""
    operation = operation_of(method, path)
    assert str(status) in operation["responses"], f"{method} {path}: {status} is not described"
    content = follow(operation["responses"][str(status)]).get("content")
    if not content:
        assert not body, f"{method} {path}: {status} has a body"
        return
    kind = headers["Content-Type"].split(";")[0]
    assert kind in content, f"{method} {path}: {kind} is not described"
    if kind.endswith("json"):
        check(body, content[kind]["schema"])
