"""The reference pages of settings and command line say everything, and nothing that is not so."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import typer

from reactor.app.settings_layers import Flags
from reactor.app.settings_load import load_settings
from reactor.app.settings_schema import LATER, File
from reactor.cli.exits import Exit
from reactor.cli.program import VERBS, program_with
from reactor.policyfile.schema_base import Model

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
SETTINGS = (REFERENCE / "settings.md").read_text(encoding="utf-8")
CLI = (REFERENCE / "cli.md").read_text(encoding="utf-8")


def keys(model: type[Model], above: str = "") -> Iterator[str]:
    """Every key that stands for a value, as the page names it: ``guests[].name``."""
    for name, field in model.model_fields.items():
        inner, is_list = _model_of(field.annotation)
        if inner is None:
            yield above + name
        else:
            yield from keys(inner, f"{above}{name}[]." if is_list else f"{above}{name}.")


def _model_of(annotation: object) -> tuple[type[Model] | None, bool]:
    """The model that a value is laid on, and whether it is a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation, False
    for part in get_args(annotation):
        inner, _ = _model_of(part)
        if inner is not None:
            return inner, getattr(annotation, "__origin__", None) is tuple
    return None, False


def first_cells(text: str) -> list[str]:
    """What stands in backquotes at the beginning of the rows of all tables."""
    return re.findall(r"^\| `([^`]+)`", text, flags=re.MULTILINE)


def test_every_setting_is_documented() -> None:
    """Once, in a table; and no other is."""
    documented = first_cells(SETTINGS)
    assert sorted(documented) == sorted(keys(File))


def test_every_section_has_a_heading() -> None:
    """In the order of the schema's keys it does not matter."""
    headings = re.findall(r"^### (\w+)$", SETTINGS.partition("## Keys")[2], flags=re.MULTILINE)
    assert sorted(headings) == sorted(File.model_fields)


def test_every_setting_of_a_later_version_is_named() -> None:
    """In the paragraph about them."""
    paragraph = SETTINGS.partition("## Not built yet")[2]
    named = {name.replace("[]", "") for name in re.findall(r"`([^`]+)`", paragraph)}
    assert named == set(LATER)


def test_the_settings_of_the_page_can_be_loaded(tmp_path: Path) -> None:
    """As they stand there."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", SETTINGS, flags=re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        file = tmp_path / "page.yaml"
        file.write_text(block, encoding="utf-8")
        assert load_settings(Flags(config=file), {}).guests


def test_the_variables_of_the_page_are_settings() -> None:
    """Each of them is read."""
    lines = re.findall(r"^(REACTOR_\w+)=(.*)$", SETTINGS, flags=re.MULTILINE)
    assert len(lines) == 4
    settings = load_settings(Flags(), {name: value.strip("'") for name, value in lines})
    assert settings.mqtt is not None
    assert settings.qmp.allow
    assert settings.host.labels
    assert settings.enforcement


def sections() -> dict[str, str]:
    """The text about each verb."""
    parts = re.split(r"^## ", CLI, flags=re.MULTILINE)
    return {
        part.partition("\n")[0].removeprefix("reactor "): part
        for part in parts
        if part.startswith("reactor ")
    }


def test_every_verb_is_documented() -> None:
    """In the order of the help."""
    assert tuple(sections()) == VERBS


def options(verb: str) -> set[str]:
    """Every spelling of every option of a verb, and of the verbs below it."""
    command = typer.main.get_command(program_with(VERBS)).commands[verb]  # type: ignore[attr-defined]
    found = [command, *getattr(command, "commands", {}).values()]
    opts = [name for one in found for parameter in one.params for name in parameter.opts]
    return {name for name in opts if name.startswith("-")}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_of_a_family_is_documented(verb: str) -> None:
    """In the section of the family."""
    command = typer.main.get_command(program_with(VERBS)).commands[verb]  # type: ignore[attr-defined]
    for name in getattr(command, "commands", {}):
        assert f"`reactor {verb} {name}" in " ".join(sections()[verb].split())


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_documented(verb: str) -> None:
    """With all its spellings; and no other is."""
    rows = re.findall(r"^\| (`-[^|]*(?:\\\|[^|]*)*)\|", sections()[verb], flags=re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`(--?[\w-]+)", row)}
    assert documented == options(verb)


def test_every_exit_code_is_documented() -> None:
    """And no other is."""
    table = CLI.partition("## Exit codes")[2].partition("\n## ")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+)", table, flags=re.MULTILINE)] == list(Exit)
