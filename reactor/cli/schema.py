"""``reactor schema``: the policy language for editors."""

import typer

from reactor.cli.screen import to_json
from reactor.cli.verbs import add_verb


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        schema,
        "reactor schema > policy.schema.json",
        "# and as the first line of a policy file:",
        "# yaml-language-server: $schema=policy.schema.json",
    )


def schema() -> int:
    """Print the JSON Schema of policy files, for editors."""
    print(schema_text(), end="")
    return 0


def schema_text() -> str:
    """The schema as it is written to a file."""
    from reactor.policyfile.json_schema import json_schema

    return to_json(json_schema(), indent=2) + "\n"
