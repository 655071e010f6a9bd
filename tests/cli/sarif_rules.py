"""What SARIF 2.1.0 demands of the part of it that we write, as JSON Schema.

Stricter than OASIS's own schema: a property that we do not mean to write is an error.
Source: OASIS, SARIF 2.1.0, by section; what GitHub demands beyond it: its page "SARIF
support for code scanning".
"""

from typing import Any

Schema = dict[str, Any]

LEVEL: Schema = {"enum": ["error", "warning", "note"]}  # 3.27.10
TEXT: Schema = {"type": "string", "minLength": 1}
RELATIVE: Schema = {"type": "string", "format": "uri-reference", "pattern": "^[^/:][^:]*$"}
ABSOLUTE: Schema = {"type": "string", "format": "uri", "pattern": "^file:///[^/]"}


def mapping(required: Schema, **optional: Any) -> Schema:  # noqa: ANN401 - any JSON
    """An object that has the one and may have the other properties."""
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
        "additionalProperties": False,
    }


def listed(items: Schema, least: int = 1, most: int | None = None) -> Schema:
    """A list of these."""
    bound = {} if most is None else {"maxItems": most}
    return {"type": "array", "items": items, "minItems": least, **bound}


MESSAGE = mapping({"text": TEXT})  # 3.11
RULE = mapping(  # 3.49; GitHub shows the descriptions and the help
    {
        "id": {"type": "string", "pattern": r"^R\d{3}$"},
        "shortDescription": MESSAGE,
        "fullDescription": MESSAGE,
        "help": mapping({"text": TEXT, "markdown": TEXT}),
        "defaultConfiguration": mapping({"level": LEVEL}),
    }
)
COUNT: Schema = {"type": "integer", "minimum": 1}
REGION = mapping({"startLine": COUNT}, startColumn=COUNT)  # 3.30; GitHub wants a line
ARTIFACT: Schema = {  # 3.4: relative to a base, or absolute and then without one
    "oneOf": [
        mapping({"uri": RELATIVE, "uriBaseId": {"const": "SRCROOT"}}),
        mapping({"uri": ABSOLUTE}),
    ]
}
LOCATION = mapping(  # 3.28
    {"physicalLocation": mapping({"artifactLocation": ARTIFACT, "region": REGION})},
    logicalLocations=listed(mapping({"fullyQualifiedName": TEXT}), most=1),
)
RESULT = mapping(  # 3.27
    {
        "ruleId": TEXT,
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": LEVEL,
        "message": MESSAGE,
        "locations": listed(LOCATION, most=1),
        "partialFingerprints": mapping(
            {"reactorFinding/v1": {"type": "string", "pattern": r"^[0-9a-f]{16}:[1-9]\d*$"}}
        ),
    }
)
DRIVER = mapping({"name": TEXT, "version": TEXT, "rules": listed(RULE)})  # 3.19
RUN = mapping(  # 3.14
    {
        "tool": mapping({"driver": DRIVER}),
        "originalUriBaseIds": mapping({"SRCROOT": mapping({"description": MESSAGE})}),
        "columnKind": {"const": "utf16CodeUnits"},
        "results": listed(RESULT, least=0),
    }
)
LOG = mapping(  # 3.13
    {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": listed(RUN, most=1),
    }
)
