# SPDX-License-Identifier: Apache-2.0
"""As much of JSON Schema 2020-12 as docs/openapi.json uses, and the document itself as a table of paths.

A keyword that is not known here is an error, so that nothing in the document goes unchecked."""
import json
import re

ANNOTATIONS = {"description", "default", "format"}
TYPES = {"object": dict, "array": list, "string": str, "null": type(None), "boolean": bool}


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


class Document:
    def __init__(self, path):
        self.document = json.loads(path.read_text(encoding="utf-8"))
        self.patterns = {}

    def operation(self, path, method="get"):
        return self.document["paths"][path][method]

    def operations(self):
        """(path, method) of all."""
        return [(path, method) for path, methods in self.document["paths"].items() for method in methods]

    def paths(self):
        return list(self.document["paths"])

    def resolve(self, reference):
        node = self.document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        return node

    def errors(self, value, schema, at="$"):
        """Yields sentences: where value is not what schema says."""
        for keyword, rule in schema.items():
            if keyword not in ANNOTATIONS:
                yield from getattr(self, "check_" + keyword.strip("$"))(value, rule, schema, at)

    def check_ref(self, value, rule, _schema, at):
        yield from self.errors(value, self.resolve(rule), at)

    def check_type(self, value, rule, _schema, at):
        if not is_type(value, rule):
            yield f"{at}: {str(value)[:80]!r} is no {rule}"

    def check_enum(self, value, rule, _schema, at):
        if value not in rule:
            yield f"{at}: {value!r} is not one of {rule}"

    def check_pattern(self, value, rule, _schema, at):
        pattern = self.patterns.setdefault(rule, re.compile(rule))
        if isinstance(value, str) and not pattern.search(value):
            yield f"{at}: {value[:80]!r} does not match {rule}"

    def check_minimum(self, value, rule, _schema, at):
        if is_type(value, "number") and value < rule:
            yield f"{at}: {value} is less than {rule}"

    def check_maximum(self, value, rule, _schema, at):
        if is_type(value, "number") and value > rule:
            yield f"{at}: {value} is more than {rule}"

    def check_maxItems(self, value, rule, _schema, at):
        if isinstance(value, list) and len(value) > rule:
            yield f"{at}: {len(value)} items, more than {rule}"

    def check_items(self, value, rule, _schema, at):
        for i, item in enumerate(value if isinstance(value, list) else []):
            yield from self.errors(item, rule, f"{at}[{i}]")

    def check_required(self, value, rule, _schema, at):
        if isinstance(value, dict):
            yield from (f"{at}: {name} is missing" for name in rule if name not in value)

    def check_properties(self, value, rule, _schema, at):
        if isinstance(value, dict):
            for name, inner in rule.items():
                if name in value:
                    yield from self.errors(value[name], inner, f"{at}.{name}")

    def check_additionalProperties(self, value, rule, schema, at):
        if not isinstance(value, dict):
            return
        for name in value:
            if name in schema.get("properties", {}):
                continue
            if rule is False:
                yield f"{at}: {name} is not documented"
            else:
                yield from self.errors(value[name], rule, f"{at}.{name}")

    def check_anyOf(self, value, rule, _schema, at):
        tried = [list(self.errors(value, inner, at)) for inner in rule]
        if all(tried):
            yield f"{at}: none of {len(rule)} alternatives: " + "; ".join(errors[0] for errors in tried)
