"""What other rooms know of QEMU by themselves is what its schemas and the facts say."""

import re
from collections.abc import Collection, Iterable

import pytest

from reactor.app.scenario.queries import _gives_a_list
from reactor.core import catalog
from reactor.core.disk_probes import ALL
from reactor.core.facts import _MIGRATING, QUERIES
from reactor.core.guards import _CONT_STATES, _NO_RESET, _SAVING, AFTER_RESET, FAULT_STATES
from reactor.policyfile.lints.counts import _THINGS
from reactor.policyfile.lints.waits import _ANSWERS, _ASKED_LATER, _PROOFS
from reactor.policyfile.schema_verbs import DUMP_FORMATS
from reactor.qapi.facts import facts
from reactor.qapi.members import parts_of
from reactor.qapi.shipped import schema_of, versions
from reactor.qapi.types import ListOf
from tests.house.checkout import modules

NEWEST = schema_of(versions()[-1])


def replied(command: str, way: str) -> Collection[str]:
    """What an enum in the reply of a command may be."""
    return parts_of(NEWEST, NEWEST.commands[command].reply)[way].values


def members_of(event: str) -> set[str]:
    """The members of an event, in any shipped version, as a policy writes them."""
    found: set[str] = set()
    for version in versions():
        schema = schema_of(version)
        if event in schema.events:
            found |= set(parts_of(schema, schema.events[event].data))
    return {way.replace("-", "_") for way in found}


@pytest.mark.parametrize(
    ("words", "known"),
    [
        pytest.param(
            FAULT_STATES | _SAVING | _NO_RESET | _CONT_STATES | {AFTER_RESET},
            replied("query-status", "status"),
            id="run states of the guards",
        ),
        pytest.param(_MIGRATING, replied("query-migrate", "status"), id="states of a migration"),
        pytest.param(
            DUMP_FORMATS,
            parts_of(NEWEST, NEWEST.commands["dump-guest-memory"].arguments)["format"].values,
            id="formats of a dump",
        ),
        pytest.param(ALL, catalog.known_commands(), id="commands that can be found out about"),
        pytest.param(QUERIES.values(), NEWEST.commands, id="queries of the guards"),
        pytest.param(_ANSWERS, catalog.known_commands(), id="commands that events follow"),
        pytest.param(
            frozenset().union(*_ASKED_LATER.values()),
            NEWEST.commands,
            id="commands that tell later",
        ),
    ],
)
def test_words_of_qemu_are_words_of_its_schema(
    words: Iterable[str], known: Collection[str]
) -> None:
    """A misspelt one would never come."""
    assert set(words) - set(known) == set()


def test_every_format_of_a_dump_can_be_asked_for() -> None:
    """Also those that only a newer QEMU knows."""
    wanted = parts_of(NEWEST, NEWEST.commands["dump-guest-memory"].arguments)["format"].values
    assert set(DUMP_FORMATS) == set(wanted)


def test_the_events_that_follow_a_command_are_those_of_its_facts() -> None:
    """Under any of their names."""
    for command, events in _ANSWERS.items():
        told = facts().commands[command].events
        told = facts().commands["blockdev-mirror"].events if told.startswith("as ") else told
        for event in events:
            other = catalog.RENAMED[event].name if event in catalog.RENAMED else event
            assert event in told or other in told, (command, event)


def test_members_that_other_rooms_read_are_there() -> None:
    """In some version."""
    for event, members in _THINGS.items():
        assert set(members) <= members_of(event), event
    for event, paths in _PROOFS.items():
        assert {path.removeprefix("data.") for path in paths} <= members_of(event), event


def test_the_facts_name_what_the_schemas_know() -> None:
    """Events behind commands, members that rate limits count by, commands that show a trace."""
    known = facts()
    for name, command in known.commands.items():
        named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", command.events))
        assert named <= set(known.events), name
    for name, event in known.events.items():
        if event.rate_limit is not None:
            keys = {key.replace("-", "_") for key in event.rate_limit.key}
            assert keys <= members_of(name), name
            assert set(event.rate_limit.present) <= set(event.present), name
        asked = {one.query.split()[0] for one in event.trace.how} - {"process"}
        assert asked <= set(known.commands), name
        for change in event.changes:
            there = change.path.replace("-", "_") in members_of(name)
            assert there == bool(change.after), (name, change.path)


def test_a_simulated_qemu_answers_with_a_list_where_a_real_one_does() -> None:
    """In the newest version that has the command."""
    lists = {name for name in NEWEST.commands if _gives_a_list(name)}
    assert lists == {
        name
        for name, command in NEWEST.commands.items()
        if isinstance(NEWEST.types[command.reply], ListOf)
    }
    assert {"query-block", "query-jobs"} < lists
    assert not _gives_a_list("x-query-profile")
    assert not _gives_a_list("query-cpus")


def test_sentences_name_the_newest_version_that_is_known() -> None:
    """So that a new QEMU makes none of them wrong unseen."""
    named = {
        version
        for name, text in modules("reactor")
        for version in re.findall(r"\bno [^\n]*(?:up to|from 5\.2 to) (?:QEMU )?(\d+\.\d)\b", text)
    }
    assert named == {facts().versions[-1]}
    assert facts().versions[0] == "5.2"
