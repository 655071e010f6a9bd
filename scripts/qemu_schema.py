"""Takes the schema of a QEMU into the package, and says what changed since the version before.

    .venv/bin/python scripts/qemu_schema.py                    of the QEMU that is installed
    .venv/bin/python scripts/qemu_schema.py --qemu PROGRAM     of another one
    .venv/bin/python scripts/qemu_schema.py --socket PATH      of one that runs
    .venv/bin/python scripts/qemu_schema.py --file REPLY.json --version 11.2

It writes ``reactor/qapi/data/qemu-X.Y.json`` and brings ``facts.json`` beside it up to
date. With ``--check`` it writes nothing and ends with 1 where the schema is another one
than the shipped one. CONTRIBUTING.md says what is left to do afterwards.
"""

import argparse
import json
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from reactor.qapi.changes import PartChange, changed_commands, changed_events, in_words, report
from reactor.qapi.entities import CommandEntity, Entity, EventEntity, convert_entities
from reactor.qapi.schema import decode_schema, schema_from
from reactor.qapi.shipped import in_order
from reactor.qapi.tidy import tidy_text
from reactor.qapi.types import Schema

DATA = Path(__file__).resolve().parents[1] / "reactor" / "qapi" / "data"
LIMIT = 30.0
"""Seconds that QEMU has to start and to answer."""

_COMMANDS = ("qmp_capabilities", "query-version", "query-qmp-schema", "quit")


class SchemaError(Exception):
    """The schema cannot be had, or is not one to be shipped."""


def ask_program(program: str) -> tuple[str, Any]:
    """Version and schema of this QEMU, which is started without a machine for it."""
    words = [program, "-machine", "none", "-nodefaults", "-display", "none", "-qmp", "stdio"]
    try:
        ended = subprocess.run(
            words,
            input=_asked(_COMMANDS),
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SchemaError(f"{program}: {error}") from error
    return _answers(ended.stdout.splitlines(), program)


def ask_socket(path: str) -> tuple[str, Any]:
    """Version and schema of the QEMU with this monitor, which goes on."""
    try:
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(LIMIT)
            monitor.connect(path)
            with monitor.makefile("rw", encoding="utf-8") as stream:
                stream.write(_asked(_COMMANDS[:-1]))
                stream.flush()
                return _answers(_until_answered(stream), path)
    except OSError as error:
        raise SchemaError(f"{path}: {error}") from error


def _asked(commands: Iterable[str]) -> str:
    return "".join(json.dumps({"execute": name, "id": name}) + "\n" for name in commands)


def _until_answered(stream: TextIO) -> Iterable[str]:
    for line in stream:
        yield line
        if json.loads(line).get("id") == "query-qmp-schema":
            return


def _answers(lines: Iterable[str], place: str) -> tuple[str, Any]:
    found = {answer.get("id"): answer for answer in map(json.loads, lines)}
    try:
        version = found["query-version"]["return"]["qemu"]
        return version_of(version), found["query-qmp-schema"]["return"]
    except KeyError as error:
        raise SchemaError(f"{place}: it did not answer {error}") from error


def version_of(told: dict[str, int]) -> str:
    """``11.1`` of what QEMU tells; one that was not released is not taken in."""
    version = f"{told['major']}.{told['minor']}"
    if told["micro"] >= 50:  # source: QEMU, VERSION: from there on it is the next one
        raise SchemaError(f"{version}.{told['micro']} is no release: its schema may change")
    return version


def take_in(version: str, reply: object, folder: Path, *, check: bool) -> tuple[int, list[str]]:
    """The exit code and what is to be told, once the files in the folder are up to date."""
    entities = convert_entities(reply)
    text = tidy_text(entities)
    path = folder / f"qemu-{version}.json"
    new = schema_from(entities, version)
    before = _before(version, folder)
    told = list(report(before, new)) if before else []
    is_new = not path.exists() or path.read_bytes() != text
    if check:
        return int(is_new), told if is_new else [f"{path.name} is what this QEMU says"]
    path.write_bytes(text)
    facts = folder / "facts.json"
    known = json.loads(facts.read_text(encoding="utf-8"))
    bring_up_to_date(known, entities, before, new)
    facts.write_text(facts_text(known), encoding="utf-8")
    since = f" since {before.version}" if before else ""
    return 0, [*told, f"{path.name} is written, with {len(told)} changes{since}"]


def _before(version: str, folder: Path) -> Schema | None:
    """The schema to compare with: the one of that version, else of the last one before it."""
    found = [path.stem.removeprefix("qemu-") for path in folder.glob("qemu-*.json")]
    older = [one for one in found if in_order(one) <= in_order(version)]
    if not older:
        return None
    best = max(older, key=in_order)
    return decode_schema((folder / f"qemu-{best}.json").read_bytes(), best)


def bring_up_to_date(
    known: dict[str, Any], entities: Iterable[Entity], old: Schema | None, new: Schema
) -> None:
    """What the schema says is written into the facts; what it does not say is left empty."""
    version = new.version
    if version not in known["versions"]:
        known["versions"] = sorted([*known["versions"], version], key=in_order)
    for entity in entities:
        if isinstance(entity, EventEntity):
            _seen(known["events"], entity, version, _EVENT)
        elif isinstance(entity, CommandEntity):
            told = _COMMAND | ({"oob": True} if entity.allow_oob else {})
            _seen(known["commands"], entity, version, told)
    _limit_goes_on(known, version)
    if old is not None and old.version != version == known["versions"][-1]:
        _write_history(known, old, new)


_EVENT: dict[str, Any] = {"class": "", "severity": "", "meaning": "", "trace": {"kept": "none"}}
_COMMAND: dict[str, Any] = {"meaning": ""}


def _write_history(known: dict[str, Any], old: Schema, new: Schema) -> None:
    """What the newest version removed and changed."""
    events, commands = changed_events(old, new), changed_commands(old, new)
    for table, changed in ((known["events"], events), (known["commands"], commands)):
        for name in changed.gone:
            table[name].setdefault("removed", new.version)
        _go_on(table, old, new.version)
    for name, parts in events.parts.items():
        changes = known["events"][name].setdefault("changes", [])
        changes += (_change(old.version, new.version, part) for part in parts)


def _seen(
    table: dict[str, Any],
    entity: EventEntity | CommandEntity,
    version: str,
    empty: dict[str, Any],
) -> None:
    """It is there in that version; of one that nobody knew its place is made."""
    fact = table.setdefault(entity.name, {"since": version, "present": [], **empty})
    fact["present"] = sorted({*fact["present"], version}, key=in_order)
    if "deprecated" in entity.features:
        fact.setdefault("deprecated", version)
    if "unstable" in entity.features:
        fact["unstable"] = True


def _limit_goes_on(known: dict[str, Any], version: str) -> None:
    """No schema tells of rate limits: they are taken to be as in the version before."""
    before = max(
        (one for one in known["versions"] if in_order(one) < in_order(version)),
        key=in_order,
        default=None,
    )
    for fact in known["events"].values():
        limit = fact.get("rate_limit", {"present": []})
        if before in limit["present"] and version in fact["present"]:
            limit["present"] = sorted({*limit["present"], version}, key=in_order)


def _go_on(table: dict[str, Any], old: Schema, version: str) -> None:
    """What this build left out already, such as commands of other machines, is still there."""
    for name, fact in table.items():
        was_left_out = name not in old.events and name not in old.commands
        if was_left_out and old.version in fact["present"] and "removed" not in fact:
            fact["present"] = sorted({*fact["present"], version}, key=in_order)


def _change(old: str, new: str, part: PartChange) -> dict[str, Any]:
    words = {"before": part.before, "after": part.after}
    told = {key: in_words(one) for key, one in words.items() if one is not None}
    return {"between": [old, new], "path": part.way, **told}


def facts_text(known: dict[str, Any]) -> str:
    """The facts as they are kept: sorted, and each fact of a command or an event on a line."""
    tables = [(name, table) for name, table in known.items() if name != "versions"]
    sections = "".join(f',\n "{name}": {{\n{_table(table)}\n }}' for name, table in tables)
    return f'{{\n "versions": {json.dumps(known["versions"])}{sections}\n}}\n'


def _table(table: dict[str, Any]) -> str:
    return ",\n".join(
        f'  "{name}": {{\n'
        + ",\n".join(
            f'   "{key}": {json.dumps(fact, ensure_ascii=False)}' for key, fact in one.items()
        )
        + "\n  }"
        for name, one in sorted(table.items())
    )


def main(arguments: Sequence[str] | None = None, folder: Path = DATA) -> int:
    """Carry out a command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--qemu", default="qemu-system-x86_64", help="the program to start")
    source.add_argument("--socket", help="the monitor of a QEMU that runs")
    source.add_argument("--file", type=Path, help="the reply of query-qmp-schema")
    parser.add_argument("--version", help="the version that the file is of")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if it differs")
    given = parser.parse_args(arguments)
    if (given.file is None) != (given.version is None):
        parser.error("--file and --version belong together")
    try:
        if given.file is not None:
            version, reply = given.version, json.loads(given.file.read_text(encoding="utf-8"))
        elif given.socket is not None:
            version, reply = ask_socket(given.socket)
        else:
            version, reply = ask_program(given.qemu)
        code, told = take_in(version, reply, folder, check=given.check)
    except (SchemaError, OSError, ValueError) as error:
        print(f"qemu_schema: {error}", file=sys.stderr)
        return 2
    print("\n".join(told))
    return code


if __name__ == "__main__":
    sys.exit(main())
