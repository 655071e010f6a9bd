"""The schemas and facts that come with the package."""

import pytest

from reactor.core import catalog
from reactor.policyfile.event_shapes import known_events
from reactor.qapi.facts import facts
from reactor.qapi.shipped import in_order, schema_of, versions
from reactor.qapi.values import FREE_COMMANDS

OF_OTHERS = {
    "dump-skeys",
    "query-cpu-model-baseline",
    "query-cpu-model-comparison",
    "query-gic-capabilities",
}
"""Commands that the QEMU 7.2 for x86_64 leaves out: they are of other machines."""


def test_each_known_version_is_shipped() -> None:
    """The oldest first, as numbers; each says which it is, and is read once."""
    assert versions()[:2] == ("7.2", "11.1")
    assert list(versions()) == sorted(versions(), key=in_order)
    assert [schema_of(version).version for version in versions()] == list(versions())
    assert schema_of("7.2") is schema_of("7.2")
    assert facts() is facts()


def test_a_version_that_is_not_shipped_names_those_that_are() -> None:
    """Whatever stands in its place, a path as well."""
    with pytest.raises(LookupError, match=r"^no schema of QEMU 9\.0 is shipped, only of 7\.2, 11"):
        schema_of("9.0")
    with pytest.raises(LookupError, match="no schema of QEMU"):
        schema_of("../7.2")


@pytest.mark.parametrize("version", versions())
def test_facts_and_schemas_do_not_contradict_each_other(version: str) -> None:
    """What is there, what is deprecated and what may overtake others."""
    schema, known = schema_of(version), facts()
    assert version in known.versions
    assert set(schema.events) == {
        name for name, one in known.events.items() if version in one.present
    }
    missing = OF_OTHERS if version == "7.2" else set()
    assert set(schema.commands) | missing == {
        name for name, one in known.commands.items() if version in one.present
    }
    for name, command in schema.commands.items():
        assert command.deprecated == _is_deprecated(known.commands[name].deprecated, version), name
        assert command.oob == known.commands[name].oob, name
    for name, event in schema.events.items():
        assert event.deprecated == _is_deprecated(known.events[name].deprecated, version), name


def _is_deprecated(since: str, version: str) -> bool:
    return bool(since) and in_order(since) <= in_order(version)


def test_what_was_removed_is_not_there_any_more() -> None:
    """And what came later is not there yet; what replaces something is known itself."""
    known = facts()
    names = known.events.keys() | known.commands.keys()
    for name, one in (*known.events.items(), *known.commands.items()):
        for version in known.versions:
            at = in_order(version)
            over = one.removed and at >= in_order(one.removed)
            if at < in_order(one.since) or over:
                assert version not in one.present, (name, version)
        assert not one.replaced_by or one.replaced_by in names, name


def test_the_core_decides_by_commands_that_the_facts_know() -> None:
    """Each has an effect class there and a meaning here, and none stands in one place only."""
    known = facts()
    there = {name for name, one in known.commands.items() if one.present}
    assert catalog.known_commands() == there
    assert catalog.agent_commands() == set(known.agent)
    assert {name for name, one in known.commands.items() if one.open} == FREE_COMMANDS
    nowhere = set(known.commands) - there
    assert nowhere == {"cpu-add"}
    assert all(known.commands[name].removed for name in nowhere)


def test_events_are_the_same_everywhere() -> None:
    """Those that a policy may name, and those that QEMU renamed."""
    known = facts().events
    assert {name for name in known_events() if not name.startswith("REACTOR_")} == set(known)
    assert {name: one.replaced_by for name, one in known.items() if one.replaced_by} == {
        old: catalog.RENAMED[old].name for old in catalog.RENAMED if known[old].removed
    }
    for old, new in catalog.RENAMED.items():
        assert catalog.RENAMED[new.name].name == old
        assert "5.2" in known[old].present or "5.2" in known[new.name].present


def test_every_fact_is_a_sentence_that_can_be_read() -> None:
    """On one line, without a full stop, whatever it is about."""
    known = facts()
    meanings = [
        one.meaning
        for table in (known.events, known.commands, known.agent)
        for one in table.values()
    ]
    for meaning in meanings:
        assert meaning, "empty"
        assert meaning == meaning.strip(" ."), meaning
        assert "\n" not in meaning, meaning
