"""Everything that is published is as the reference says: its topic, and its JSON Schema."""

import json
import re
from collections.abc import Iterable

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.fakes.broker import Received
from tests.house.checkout import ROOT

SCHEMA = json.loads((ROOT / "docs/reference/mqtt-messages.schema.json").read_text("utf-8"))
DEFINED = {"$defs": SCHEMA["$defs"]}
VALIDATORS = {
    re.compile(re.sub(r"<\w+>", "[^/]+", topic)): Draft202012Validator({**DEFINED, **part})
    for topic, part in SCHEMA["properties"].items()
}


def wrong(messages: Iterable[Received], base: str) -> list[str]:
    """What of these messages is not as the schema of their topic says."""
    found = []
    for message in messages:
        below = message.topic.removeprefix(f"{base}/")
        if not message.payload or below == message.topic:
            continue
        for topic, validator in VALIDATORS.items():
            if topic.fullmatch(below):
                text = message.payload.decode()
                # Availability is text as it stands, all others are JSON objects.
                value = json.loads(text) if text.startswith("{") else text
                errors = validator.iter_errors(value)
                found += [f"{message.topic}: {error.message}" for error in errors]
    return found
