"""The figures in the documents are those of the code."""

import re

import pytest

from reactor.adapters import schedule
from reactor.adapters.journal.intake import Limits as JournalLimits
from reactor.adapters.mqtt import InLimits
from reactor.adapters.qmp.shared import Limits as MonitorLimits
from reactor.app import daemon, dispatcher, inbound
from reactor.core import (
    admission,
    cel_values,
    expr,
    facts,
    guards,
    machine,
    memory,
    operations,
    readiness,
    sending,
    text,
    windows,
    world,
)
from reactor.policyfile import chunks, reader
from tests.docs.pages import page

POLICIES = "docs/reference/policies.md"
DURABILITY = "docs/explanation/durability.md"
MQTT = "docs/reference/mqtt.md"
IN = InLimits()
BOUNDS = dispatcher.BOUNDS


def said(seconds: float) -> str:
    """A time as a sentence says it."""
    if seconds < 1:
        return f"{seconds * 1000:g} ms"
    return f"{seconds / 60:g} minutes" if seconds % 60 == 0 else f"{seconds:g} seconds"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        pytest.param(POLICIES, f"{chunks.MAX_DOCUMENTS:,} documents", id="documents of a file"),
        pytest.param(POLICIES, f"{reader.MAX_NODES:,} values", id="values of a document"),
        pytest.param(POLICIES, f"at most {reader.MAX_DEPTH} deep", id="depth of a document"),
        pytest.param(POLICIES, f"has {said(machine.HANDLER_LIMIT)}", id="handler"),
        pytest.param(POLICIES, f"{said(readiness.ARM_LIMIT)} at most", id="arm"),
        pytest.param(POLICIES, f"every {said(facts.POLL)}", id="poll"),
        pytest.param(POLICIES, f"waits for {said(operations.GUARD_LIMIT)} at most", id="guard"),
        pytest.param(POLICIES, f"until {said(guards.DUMP_PAUSE)} after", id="dump pause"),
        pytest.param(POLICIES, f"QEMU has {sending.COMMAND_LIMIT:g} seconds", id="command"),
        pytest.param(POLICIES, f"at most {expr.SOURCE_MAX:,} characters", id="expression"),
        pytest.param(POLICIES, f"more than {cel_values.LIST_MAX:,} items", id="list"),
        pytest.param(POLICIES, f"more than {cel_values.TURNS_MAX:,} turns", id="turns"),
        pytest.param(POLICIES, f"at most {admission.SLOT_LINE_MAX:,} for each", id="slot line"),
        pytest.param(POLICIES, f"within {facts.LOST_AFTER:g} s", id="lost"),
        pytest.param(DURABILITY, f"up to {facts.SETTLE_AFTER_RESTART:g} seconds", id="settle"),
        pytest.param(DURABILITY, f"up to {daemon.STOP_S:g} seconds", id="stop"),
        pytest.param(DURABILITY, f"more than {sending.COMMAND_LIMIT:g} seconds", id="in doubt"),
        pytest.param(DURABILITY, f"| {BOUNDS.line:,} in line, {BOUNDS.behind:,} behind", id="line"),
        pytest.param(DURABILITY, f"behind it, {BOUNDS.guest:,} of these", id="a guest's share"),
        pytest.param(DURABILITY, f"of one guest, {BOUNDS.bytes >> 20} MiB |", id="size of a line"),
        pytest.param(
            DURABILITY, f"QEMU | {MonitorLimits().event_bytes >> 10} KiB |", id="size of an event"
        ),
        pytest.param(
            DURABILITY,
            f"in batches of {dispatcher.TURN // dispatcher.DEAR} inputs",
            id="batch",
        ),
        pytest.param(
            DURABILITY,
            f"up to {dispatcher.AHEAD_MAX // dispatcher.DEAR} inputs that have effects are ahead",
            id="ahead of the disk",
        ),
        pytest.param(DURABILITY, f"more than {BOUNDS.long} inputs wait", id="a long line"),
        pytest.param(DURABILITY, f"fewer than {BOUNDS.few} of the same", id="few of a kind"),
        pytest.param(DURABILITY, f"{BOUNDS.ahead} of its inputs stand in", id="a guest in line"),
        pytest.param(
            DURABILITY, f"| {dispatcher.MESSAGES_MAX_BYTES >> 20} MiB |", id="messages that wait"
        ),
        pytest.param(
            DURABILITY,
            f"| {IN.rate:g} a second, {IN.burst} at once, {IN.payload >> 10} KiB each |",
            id="messages that come in",
        ),
        pytest.param(DURABILITY, f"| schedules | {schedule.SCHEDULES_MAX:,} |", id="schedules"),
        pytest.param(DURABILITY, f"triggers | {inbound.FILTERS_MAX:,} |", id="topics"),
        pytest.param(DURABILITY, f"| {readiness.HELD_MAX:,} for each", id="held back"),
        pytest.param(DURABILITY, f"| {windows.KEYS_KEPT:,} for each", id="keys"),
        pytest.param(DURABILITY, f"| {world.DERIVED_MAX:,} |", id="derived events"),
        pytest.param(DURABILITY, f"| {JournalLimits().outbox_rows:,} |", id="outbox"),
        pytest.param(DURABILITY, f"| {MonitorLimits().guests:,} |", id="guests"),
        pytest.param(MQTT, f"holds {JournalLimits().outbox_rows:,} messages", id="outbox again"),
        pytest.param(MQTT, f"more than {text.SLUG_MAX} characters", id="slug"),
    ],
)
def test_a_figure_is_the_codes(name: str, sentence: str) -> None:
    """Whoever changes the constant finds the sentence; line ends do not matter."""
    assert sentence in re.sub(r"\s+", " ", page(name))


def test_a_day_is_what_the_counts_of_a_lost_policy_are_kept_for() -> None:
    """The page says a day."""
    assert memory.GONE_KEPT == 86_400.0
    assert "kept for a day" in re.sub(r"\s+", " ", page(DURABILITY))
