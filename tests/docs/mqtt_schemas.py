"""JSON Schemas of what may be sent to reactor over MQTT, by topic; run to write them anew."""

import json
from typing import Any

import msgspec

from reactor.app.requests.routes import ROUTES
from tests.house.checkout import ROOT

SCHEMAS = ROOT / "docs" / "reference" / "mqtt-requests.schema.json"


def schemas() -> dict[str, Any]:
    """One schema for each topic of an order; a word alone may stand for the object."""
    forms = tuple(dict.fromkeys(route.form for route in ROUTES))
    found, parts = msgspec.json.schema_components(forms, ref_template="#/$defs/{name}")
    by_form = dict(zip(forms, found, strict=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Orders to reactor over MQTT, by their topics below <prefix>/<host>/",
        "properties": {route.topic: by_form[route.form] for route in ROUTES},
        "$defs": parts,
    }


if __name__ == "__main__":
    SCHEMAS.write_text(json.dumps(schemas(), indent=2) + "\n", encoding="utf-8")
