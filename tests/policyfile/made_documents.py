"""Documents by chance: made from the JSON Schema, and damaged."""

import copy
import re
from collections.abc import Iterator
from random import Random
from typing import Any

Json = Any
DEEP = 7
SHALLOW = {"LogStep", "FailStep", "StopStep", "DelayStep"}
STRINGS = (
    *("a", "web-1", "a_b", "b-2", "x y", " ", "", "A", "/a", "a/b", "a/+", "#", "$x", "${", "é😀"),
    *("5m", "1h30m", "10ms", "0s", "5", "1d", "99999d", "1.5h", "m"),
    *("3 per 1h per guest", "1 at once per host", "2 per 1m per fleet", "0 per 1h per key"),
    *("RESET", "BLOCK_*", "__ACME_X", "GUEST_PANICKED", "stop", "guest-ping", "X-Header"),
    *("0 3 * * *", "@daily", "UTC", "Mars/Base", "/bin/true", "http://h/x", "2026-01-01T00:00:00Z"),
    *(
        "11.1",
        "4GiB",
        "true",
        "data.x == 1",
        "guest.status == 'running'",
        "1 +",
        "${guest.name}",
        "${1 +}",
    ),
    *("dump", "reset", "absolute", "self", "fail", "enforce", "string", "integer"),
)
BY_FORMAT = {
    "cel-condition": ("true", "guest.status == 'running'", "guest.name != ''", "1 +", "nobody"),
    "cel-value": ("guest.name", "guest.memory", "1 +"),
    "template": ("x", "a/b", "${guest.name}", "${guest.status}-x", "http://h/x", "${1 +}"),
}
ODD: tuple[Json, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    5,
    1001,
    1.5,
    [],
    {},
    ["a"],
    [[]],
    {"a": 1},
    *STRINGS,
)


class Maker:
    """Makes documents that fit a schema, as far as the schema tells what fits."""

    def __init__(self, schema: Json, random: Random) -> None:
        self._definitions = schema["$defs"]
        self._random = random

    def document(self) -> Json:
        """One of any kind."""
        kind = self._random.choice(("Policy", "Policy", "Policy", "Runbook", "Test"))
        return self.make({"$ref": f"#/$defs/{kind}"})

    def make(self, schema: Json, depth: int = 0) -> Json:
        """A value that fits."""
        if "$ref" in schema:
            return self.make(self._definitions[schema["$ref"].rpartition("/")[2]], depth)
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices and "properties" not in schema:
            return self.make(self._one_of(choices, depth), depth)
        if "enum" in schema:
            return self._random.choice(schema["enum"])
        kinds = schema.get("type", "any")
        kind = self._random.choice(kinds) if isinstance(kinds, list) else kinds
        return self._of_kind(kind, schema, depth)

    def _of_kind(self, kind: str, schema: Json, depth: int) -> Json:
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "integer":
                least, most = schema.get("minimum", 0), schema.get("maximum", 1000)
                return self._random.choice((least, most, self._random.randint(least, most)))
            case "boolean":
                return self._random.random() < 0.5
            case "string":
                return self._string(schema)
            case _:
                return self._random.choice(ODD)

    def _array(self, schema: Json, depth: int) -> Json:
        first = [self.make(one, depth + 1) for one in schema.get("prefixItems", ())]
        least = max(schema.get("minItems", 0) - len(first), 0)
        count = self._random.randint(least, least + (depth < DEEP))
        return [*first, *(self.make(schema["items"], depth + 1) for _ in range(count))]

    def _one_of(self, choices: list[Json], depth: int) -> Json:
        names = {choice.get("$ref", "").rpartition("/")[2]: choice for choice in choices}
        shallow = [choice for name, choice in names.items() if name in SHALLOW]
        return self._random.choice(shallow if shallow and depth > DEEP else choices)

    def _object(self, schema: Json, depth: int) -> Json:
        made = {}
        for key, inner in schema.get("properties", {}).items():
            if key in schema.get("required", ()) or self._random.random() < 0.2:
                made[key] = self.make(inner, depth + 1)
        more = schema.get("additionalProperties")
        if isinstance(more, dict) and self._random.random() < 0.5:
            name = schema.get("propertyNames") or {"type": "string"}
            made[self._string(name) or "a"] = self.make(more, depth + 1)
        return made

    def _string(self, schema: Json) -> str:
        if found := BY_FORMAT.get(schema.get("format", "")):
            return self._random.choice(found)
        pattern = re.compile(schema.get("pattern", ""))
        return self._random.choice([one for one in STRINGS if pattern.search(one)])


def damaged(document: Json, random: Random) -> Json:
    """The document with a few things in it that are otherwise."""
    document = copy.deepcopy(document)
    for _ in range(random.randint(1, 3)):
        holders = [one for one in parts(document) if one]
        if not holders:
            return document
        holder = random.choice(holders)
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        _damage(holder, random.choice(list(keys)), [*holders, *ODD], random)
    return document


def _damage(holder: Json, key: Json, pool: list[Json], random: Random) -> None:
    value = holder[key]
    match random.randrange(5):
        case 0:
            del holder[key]
        case 1:
            holder[key] = copy.deepcopy(random.choice(pool))
        case 2:
            holder[key] = [value]
        case 3 if isinstance(value, list) and value:
            holder[key] = value[0]
        case _ if isinstance(holder, dict):
            words = [word for part in pool if isinstance(part, dict) for word in part]
            holder[random.choice([*words, "steps", "if", "for", "event", "args"])] = value
        case _:
            holder.append(copy.deepcopy(random.choice(pool)))


def parts(document: Json) -> Iterator[Json]:
    """Every mapping and list in it, itself included."""
    if isinstance(document, dict | list):
        yield document
        for inner in document.values() if isinstance(document, dict) else document:
            yield from parts(inner)
