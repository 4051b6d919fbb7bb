# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/openapi.yaml against the routes and models that the program describes, in both directions."""
import functools
import json
import subprocess

import jsonschema
import pytest

from harness import BUILD
from openapi import DOC, follow, operations, parameters, references

COMMON = {"id", "revision", "created_at", "updated_at"}


@functools.lru_cache(None)
def describe(what):
    out = subprocess.run([BUILD / "server/holdfastd", "--describe", what], capture_output=True, text=True, timeout=20)
    assert out.returncode == 0, out.stderr
    return json.loads(out.stdout)


def routes():
    return {(r["method"], r["path"]): r for r in describe("routes")}


def models():
    """Models that have an address, with their routes' handlers."""
    handlers = {}
    for r in describe("routes"):
        if r["kind"]:
            handlers.setdefault(r["kind"], set()).add(r["handler"])
    return [(m, handlers[m["name"]]) for m in describe("models") if m["name"] in handlers]


def schema_name(kind):
    return "".join(word.capitalize() for word in kind.split("-"))


def test_every_route_is_described_and_every_description_is_served():
    described = {(m, p) for m, p, _ in operations()}
    assert described == set(routes())


def test_operations_say_what_the_rows_say():
    for method, path, op in operations():
        row, where = routes()[method, path], f"{method} {path}"
        assert op["x-role"] == row["role"], where
        assert op["summary"] == row["summary"], where
        assert {p["name"] for p in parameters(op, "query")} == set(row["query"]), where
        assert bool(parameters(op, "path")) == ("{id}" in path), where
        takes = set(op["requestBody"]["content"]) if "requestBody" in op else set()
        wanted = {"none": set(), "json": {"application/json"}, "merge-patch": {"application/json", "application/merge-patch+json"}}
        assert takes == wanted[row["body"]], where
        good = [follow(r) for s, r in op["responses"].items() if s < "300"]
        types = {t for r in good for t in r.get("content", {})}
        assert not types or row["type"] in types, where
        assert good, where
        headers = {p["name"] for p in parameters(op, "header")}
        assert ("If-Match" in headers) == (row["handler"] in ("update", "remove")), where
        assert ("Idempotency-Key" in headers) == (method == "POST" and not row["once"]), where
        assert op.get("x-confirm", False) == row["confirm"], where


def limits(field):
    """What a field's row says about its values, as JSON Schema would."""
    low, high = field.get("min", 0), field.get("max", 0)
    if field["type"] == "enum":
        return {"enum": field["values"].split("|")}
    if field["type"] == "int" and (low or high):
        return {"minimum": low, "maximum": high}
    if field["type"] in ("text", "secret") and high:
        return {"maxLength": high, **({"minLength": low} if low else {})}
    if field["type"] in ("texts", "refs"):
        return {"maxItems": high}
    return {}


TYPES = {"text": "string", "secret": "string", "int": "integer", "bool": "boolean", "enum": "string", "time": "string",
         "ref": "string", "texts": "array", "refs": "array", "map": "object"}


def check_field(field, schema, where):
    types = schema.get("type", [])
    types = types if isinstance(types, list) else [types]
    if field["type"] != "json":
        assert TYPES[field["type"]] in types, where
        assert set(types) <= {TYPES[field["type"]], "null"}, where
    for key, value in limits(field).items():
        have = [v for v in schema[key] if v is not None] if key == "enum" else schema.get(key)
        assert have == value, f"{where}: {key}"
    assert schema["description"].startswith(field["help"]), where


def test_schemas_have_the_fields_of_the_models():
    schemas = DOC["components"]["schemas"]
    for model, handlers in models():
        name = schema_name(model["name"])
        fields = {f["name"]: f for f in model["fields"]}
        assert set(schemas[name]["properties"]) == COMMON | set(fields), name
        for f in fields.values():
            shown = schemas[name]["properties"][f["name"]]
            if f["type"] == "secret":
                assert shown["type"] == "boolean", f"{name}.{f['name']}"
            else:
                check_field(f, shown, f"{name}.{f['name']}")
        given = {n: f for n, f in fields.items() if not f["server"]}
        if "create" in handlers:
            create = schemas[name + "Create"]
            assert create["additionalProperties"] is False
            assert set(create["properties"]) == set(given), name
            assert set(create.get("required", [])) == {n for n, f in given.items() if f["required"]}, name
            for n, f in given.items():
                check_field(f, create["properties"][n], f"{name}Create.{n}")
        if "update" in handlers:
            patch = schemas[name + "Patch"]
            assert patch["additionalProperties"] is False
            assert set(patch["properties"]) == {n for n, f in given.items() if not f["fixed"]}, name
            for n in patch["properties"]:
                check_field(given[n], patch["properties"][n], f"{name}Patch.{n}")


def test_no_schema_is_left_over():
    used = {r.rsplit("/", 1)[1] for r in references(DOC)}
    assert set(DOC["components"]["schemas"]) <= used


@pytest.mark.parametrize("name", DOC["components"]["schemas"])
def test_schemas_are_schemas(name):
    jsonschema.Draft202012Validator.check_schema(DOC["components"]["schemas"][name])


def test_references_lead_somewhere():
    for r in references(DOC):
        follow({"$ref": r})


def body_of(row):
    op = next(op for m, p, op in operations() if (m, p) == (row["method"], row["path"]))
    return follow(op["requestBody"]["content"]["application/json"]["schema"])


def members(schema):
    """Names of the members of a schema, at any depth."""
    names = set(schema.get("properties", {}))
    for inner in schema.get("properties", {}).values():
        names |= members(follow(inner))
    return names


def test_client_asks_only_for_what_there_is():
    volume_members = members(DOC["components"]["schemas"]["VolumeCreate"])  # serve takes them in its volume
    out = subprocess.run([BUILD / "server/holdfast", "__describe"], capture_output=True, text=True, timeout=10)
    for verb in json.loads(out.stdout):
        assert (verb["method"], verb["route"]) in routes(), verb["usage"]
        row = routes()[verb["method"], verb["route"]]
        fields = {f["name"] for m in describe("models") if m["name"] == row["kind"] for f in m["fields"]}
        for flag in verb["flags"]:
            where = f"{verb['usage']}: --{flag['name']}"
            if flag["where"] == "query":
                assert flag["field"] in row["query"], where
            elif flag["where"] == "body" and row["kind"]:
                assert flag["field"] in fields, where
            elif flag["where"] == "body":
                assert flag["field"] in members(body_of(row)) | volume_members, where
