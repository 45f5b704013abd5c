# SPDX-License-Identifier: Apache-2.0
"""OTLP trace messages in Python, as an oracle that shares no code with Spoor.

Protobuf and JSON bodies become the same plain form, in which two spans are equal when OTLP says nothing else about one than about
the other: fields at their default are left out, 64-bit integers are numbers, ids are lower-case hex. Field numbers and JSON rules:
opentelemetry-proto, common/v1, resource/v1, trace/v1 and docs/specification.md.
"""
import base64
import json
import struct
from collections import Counter, defaultdict

# message: field number -> (name, type, repeated). A type that is a message's name nests.
MESSAGES = {
    "TracesData": {1: ("resourceSpans", "ResourceSpans", True)},
    "ResourceSpans": {1: ("resource", "Resource", False), 2: ("scopeSpans", "ScopeSpans", True), 3: ("schemaUrl", "string", False)},
    "Resource": {1: ("attributes", "KeyValue", True), 2: ("droppedAttributesCount", "varint", False)},
    "ScopeSpans": {1: ("scope", "Scope", False), 2: ("spans", "Span", True), 3: ("schemaUrl", "string", False)},
    "Scope": {1: ("name", "string", False), 2: ("version", "string", False), 3: ("attributes", "KeyValue", True),
              4: ("droppedAttributesCount", "varint", False)},
    "Span": {1: ("traceId", "id", False), 2: ("spanId", "id", False), 3: ("traceState", "string", False),
             4: ("parentSpanId", "id", False), 5: ("name", "string", False), 6: ("kind", "varint", False),
             7: ("startTimeUnixNano", "fixed64", False), 8: ("endTimeUnixNano", "fixed64", False),
             9: ("attributes", "KeyValue", True), 10: ("droppedAttributesCount", "varint", False), 11: ("events", "Event", True),
             12: ("droppedEventsCount", "varint", False), 13: ("links", "Link", True), 14: ("droppedLinksCount", "varint", False),
             15: ("status", "Status", False), 16: ("flags", "fixed32", False)},
    "Event": {1: ("timeUnixNano", "fixed64", False), 2: ("name", "string", False), 3: ("attributes", "KeyValue", True),
              4: ("droppedAttributesCount", "varint", False)},
    "Link": {1: ("traceId", "id", False), 2: ("spanId", "id", False), 3: ("traceState", "string", False),
             4: ("attributes", "KeyValue", True), 5: ("droppedAttributesCount", "varint", False), 6: ("flags", "fixed32", False)},
    "Status": {2: ("message", "string", False), 3: ("code", "varint", False)},
    "KeyValue": {1: ("key", "string", False), 2: ("value", "AnyValue", False)},
    "AnyValue": {1: ("stringValue", "string", False), 2: ("boolValue", "bool", False), 3: ("intValue", "int64", False),
                 4: ("doubleValue", "double", False), 5: ("arrayValue", "ArrayValue", False),
                 6: ("kvlistValue", "KeyValueList", False), 7: ("bytesValue", "bytes", False)},
    "ArrayValue": {1: ("values", "AnyValue", True)},
    "KeyValueList": {1: ("values", "KeyValue", True)},
}
# Here the presence of a field matters even at its default: a value of "" is not an absent value.
KEEPS_DEFAULTS = {"AnyValue"}


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7


def scalar(kind, raw):
    """A protobuf scalar in the plain form; raw is an integer (varint), or bytes."""
    if kind == "string":
        return raw.decode("utf-8")
    if kind == "id":
        return raw.hex()
    if kind == "bytes":
        return base64.b64encode(raw).decode()
    if kind == "double":
        return plain_double(struct.unpack("<d", raw)[0])
    if kind in ("fixed64", "fixed32"):
        return int.from_bytes(raw, "little")
    if kind == "bool":
        return raw != 0
    if kind == "int64":
        return raw - (1 << 64) if raw >> 63 else raw
    return raw


def plain_double(value):
    return ["double", struct.pack(">d", float(value)).hex()]  # NaN equals itself, and 1.0 is not the integer 1


def from_protobuf(data, message="TracesData"):
    fields, result, at = MESSAGES[message], {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        wire = tag & 7
        if wire == 0:
            raw, at = read_varint(data, at)
        elif wire == 1:
            raw, at = data[at:at + 8], at + 8
        elif wire == 5:
            raw, at = data[at:at + 4], at + 4
        else:
            length, at = read_varint(data, at)
            raw, at = data[at:at + length], at + length
            if len(raw) != length:
                raise ValueError(f"truncated {message}")
        if tag >> 3 not in fields:
            continue
        name, kind, repeated = fields[tag >> 3]
        value = from_protobuf(raw, kind) if kind in MESSAGES else scalar(kind, raw)
        if repeated:
            result.setdefault(name, []).append(value)
        elif message in KEEPS_DEFAULTS or value not in ("", 0, False, {}):
            result[name] = value
    return result


def json_scalar(kind, value):
    if kind == "id":
        return value.lower()
    if kind == "double":
        return plain_double(value)
    if kind in ("fixed64", "int64", "fixed32", "varint"):
        return int(value)
    return value


def from_json(value, message="TracesData"):
    """The same from parsed OTLP JSON; unknown members are ignored, as the specification says."""
    result = {}
    for name, kind, repeated in MESSAGES[message].values():
        if value.get(name) is None:
            continue
        read = (lambda item, kind=kind: from_json(item, kind)) if kind in MESSAGES else \
            (lambda item, kind=kind: json_scalar(kind, item))
        if repeated:
            if value[name]:
                result[name] = [read(item) for item in value[name]]
        else:
            plain = read(value[name])
            if message in KEEPS_DEFAULTS or plain not in ("", 0, False, {}):
                result[name] = plain
    return result


def decode(body, content_type):
    if "json" in content_type:
        return from_json(json.loads(body))
    return from_protobuf(body)


def spans(data):
    """Yields (trace id, span with all that stands above it) of a message in plain form."""
    for resource_spans in data.get("resourceSpans", []):
        for scope_spans in resource_spans.get("scopeSpans", []):
            for span in scope_spans.get("spans", []):
                yield span.get("traceId", ""), {
                    "resource": resource_spans.get("resource", {}), "resourceSchemaUrl": resource_spans.get("schemaUrl", ""),
                    "scope": scope_spans.get("scope", {}), "scopeSchemaUrl": scope_spans.get("schemaUrl", ""), "span": span}


def service_of(item):
    for attribute in item["resource"].get("attributes", []):
        if attribute["key"] == "service.name":
            return attribute["value"].get("stringValue", "")
    return ""


class Expected:
    """What was acknowledged: for each trace its spans, each as often as it was sent."""

    def __init__(self):
        self.traces = defaultdict(Counter)
        self.services = Counter()
        self.errors = Counter()

    def add(self, data):
        for trace_id, item in spans(data):
            self.traces[trace_id][json.dumps(item, sort_keys=True)] += 1
            self.services[service_of(item)] += 1
            self.errors[service_of(item)] += item["span"].get("status", {}).get("code") == 2

    def span_count(self):
        return sum(self.services.values())


def difference(expected, data):
    """How a stored trace differs from what was sent: a sentence, or None."""
    found = Counter(json.dumps(item, sort_keys=True) for _, item in spans(data))
    if found == expected:
        return None
    missing, extra = expected - found, found - expected
    words = [f"{sum(missing.values())} spans missing or changed, {sum(extra.values())} not expected"]
    words += [f"  sent:   {text[:1500]}" for text in list(missing)[:1]] + [f"  stored: {text[:1500]}" for text in list(extra)[:1]]
    return "\n".join(words)
