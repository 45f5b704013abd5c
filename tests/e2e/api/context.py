# SPDX-License-Identifier: Apache-2.0
"""A server with the recorded shop in it, and docs/openapi.json, which every reply is checked against."""
import contextlib
import json
import pathlib
import tarfile
import urllib.parse

import schema
import spoor

ROOT = pathlib.Path(__file__).resolve().parents[3]


def recorded_traces():
    """Yields (content type, body) of the trace requests of the shop's protobuf recording."""
    with tarfile.open(ROOT / "tests" / "data" / "otel-js-shop" / "pb.tar.gz") as archive:
        for line in archive.extractfile("pb/index.jsonl").read().splitlines():
            entry = json.loads(line)
            if entry["signal"] == "traces":
                yield entry["contentType"], archive.extractfile(f"pb/{entry['file']}").read()


class Context:
    """A server with the shop in it, and the document."""

    def __init__(self, server):
        self.server = server
        self.document = schema.Document(ROOT / "docs" / "openapi.json")
        self.used = set()  # (path, method, parameter) that were asked with success

    def get(self, path, headers=None, method="GET"):
        return self.server.request("http", method, path, headers=headers)

    def pattern_or_none(self, path):
        """The path of the document that a request is for."""
        asked = path.partition("?")[0].split("/")
        for known in self.document.paths():
            parts = known.split("/")
            if len(parts) == len(asked) and all(p in (a, "{id}") for p, a in zip(parts, asked)):
                return known
        return None

    def pattern(self, path):
        known = self.pattern_or_none(path)
        assert known, f"{path} is not in the document"
        return known

    def check(self, path, headers=None):
        """GET with success; the reply must be one that the document knows. Returns the parsed or raw body."""
        status, reply_headers, body = self.get(path, headers)
        assert status == 200, f"GET {path}: {status} {body[:500]!r}"
        known = self.pattern(path)
        operation = self.document.operation(known)
        content = operation["responses"]["200"]["content"]
        media_type = reply_headers["content-type"].partition(";")[0]
        assert media_type in content, f"GET {path}: {media_type} is not in the document"
        names = {parameter["name"] for parameter in operation["parameters"]}
        for name, _ in urllib.parse.parse_qsl(path.partition("?")[2]):
            assert name in names, f"GET {path}: {name} is not in the document"
            self.used.add((known, "get", name))
        self.used.add((known, "get", None))
        assert reply_headers["x-content-type-options"] == "nosniff"
        if not media_type.endswith("json"):
            return body
        value = json.loads(body)
        for error in self.document.errors(value, content[media_type]["schema"]):
            raise AssertionError(f"GET {path}: {error}")
        return value

    def change(self, method, path, expected_status, body=None):
        """POST or DELETE with success; the parsed reply, if there is one."""
        status, headers, reply = self.server.request("http", method, path, body, {"content-type": "application/json"})
        assert status == expected_status, f"{method} {path}: {status} {reply[:500]!r}"
        known = self.pattern(path)
        said = self.document.operation(known, method.lower())["responses"][str(status)]
        self.used.add((known, method.lower(), None))
        if "content" not in said:
            assert reply == b"" and "content-type" not in headers, (method, path, headers, reply)
            return None
        value = json.loads(reply)
        for error in self.document.errors(value, said["content"][headers["content-type"]]["schema"]):
            raise AssertionError(f"{method} {path}: {error}")
        return value

    def problem(self, path, expected_status, **members):
        status, headers, body = self.get(path)
        assert status == expected_status, f"GET {path}: {status}, not {expected_status}: {body[:500]!r}"
        assert headers["content-type"] == "application/problem+json", f"GET {path}: {headers['content-type']}"
        problem = json.loads(body)
        schema_of_it = {"$ref": "#/components/schemas/Problem"}
        if known := self.pattern_or_none(path):
            responses = self.document.operation(known)["responses"]
            assert str(expected_status) in responses, f"GET {path}: the document does not know the answer {expected_status}"
            schema_of_it = responses[str(expected_status)]["content"]["application/problem+json"]["schema"]
        for error in self.document.errors(problem, schema_of_it):
            raise AssertionError(f"GET {path}: {error}")
        assert problem["status"] == expected_status and problem["detail"]
        for name, value in members.items():
            found = problem.get(name)
            right = value in found if name == "detail" else found == value
            assert right, f"GET {path}: {name} is {found!r}, expected {value!r}"
        return problem

    def search(self, query="{}", **parameters):
        return self.check("/v1/search?" + urllib.parse.urlencode({"q": query, **parameters}))

    def lines(self, path):
        """The lines of an answer that comes while it is made, each checked against the document."""
        status, headers, body = self.get(path, {"accept": "application/x-ndjson"})
        assert status == 200 and headers["content-type"] == "application/x-ndjson", f"GET {path}: {status} {headers} {body[:500]!r}"
        said = self.document.operation(path.partition("?")[0])["responses"]["200"]["content"]["application/x-ndjson"]["schema"]
        assert body.endswith(b"\n")
        lines = [json.loads(line) for line in body.splitlines()]
        for line in lines:
            for error in self.document.errors(line, said):
                raise AssertionError(f"GET {path}: {error}")
        return lines

    def search_all(self, query="{}", **parameters):
        """All pages of a search."""
        traces, cursor = [], None
        while True:
            page = self.search(query, **parameters, **({"cursor": cursor} if cursor else {}))
            traces += page["traces"]
            cursor = page["cursor"]
            if cursor is None:
                return traces


@contextlib.contextmanager
def make_context(binary):
    with spoor.Spoor(binary) as server:
        for content_type, body in recorded_traces():
            status, _, answer = server.request("otlp-http", "POST", "/v1/traces", body, {"content-type": content_type})
            assert status == 200, answer
        yield Context(server)
