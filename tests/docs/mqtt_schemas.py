"""JSON Schemas of what may be sent to reactor over MQTT, by topic; run to write them anew."""

import json
from typing import Any

import msgspec

from reactor.app.requests.forms import Form
from reactor.app.requests.reading import QUESTIONS
from reactor.app.requests.routes import ROUTES
from tests.house.checkout import ROOT

SCHEMAS = ROOT / "docs" / "reference" / "mqtt-requests.schema.json"


def question(name: str) -> dict[str, Any]:
    """What may stand beside a question: its members, those of the topic included, and who asks."""
    asked = QUESTIONS[name]
    (own, form), parts = msgspec.json.schema_components((asked.ask, Form))
    (members, envelope) = (parts[one["$ref"].rpartition("/")[2]] for one in (own, form))
    properties = {key: value for key, value in members["properties"].items() if key != "type"}
    return {
        "title": asked.ask.__name__,
        "description": "A question; its payload may be empty.",
        "type": "object",
        "properties": properties | envelope["properties"],
        "additionalProperties": False,
    }


def topics_of(name: str) -> list[str]:
    """The topics of a question: with none, and with more and more of its levels."""
    levels = [f"<{level}>" for level in QUESTIONS[name].levels]
    return ["/".join(["ask", name, *levels[:count]]) for count in range(len(levels) + 1)]


def schemas() -> dict[str, Any]:
    """One schema for each topic of an order or a question.

    A word alone may stand for the object of an order that says what is to be done.
    """
    forms = tuple(dict.fromkeys(route.form for route in ROUTES))
    found, parts = msgspec.json.schema_components(forms, ref_template="#/$defs/{name}")
    by_form = dict(zip(forms, found, strict=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Orders and questions to reactor over MQTT, by topics below <prefix>/<host>/",
        "properties": {route.topic: by_form[route.form] for route in ROUTES}
        | {
            topic: {"$ref": f"#/$defs/{QUESTIONS[name].ask.__name__}"}
            for name in QUESTIONS
            for topic in topics_of(name)
        },
        "$defs": parts | {QUESTIONS[name].ask.__name__: question(name) for name in QUESTIONS},
    }


if __name__ == "__main__":
    SCHEMAS.write_text(json.dumps(schemas(), indent=2) + "\n", encoding="utf-8")
