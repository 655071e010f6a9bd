"""The auditor of the kill loop: it finds what is wrong, and nothing where all is right."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from reactor.adapters.journal import Batch, Journal, OutboxRow
from reactor.demo.control import Seen
from tests.lab.killing import witness
from tests.lab.killing.ledger import (
    Life,
    Owed,
    Window,
    acts_without_journal,
    miscounted,
    out_of_order,
    unheard,
    unpublished,
    violations,
    wrong_files,
)

Told = tuple[str, Mapping[str, Any]]

PANIC: Told = ("GUEST_PANICKED", {"action": "pause"})
STOP: Told = ("STOP", {})
DUMP: Told = ("DUMP_COMPLETED", {"result": {"status": "completed"}})
BROKEN: Told = ("DUMP_COMPLETED", {"result": {"status": "failed"}, "error": "no room"})
RESET: Told = ("RESET", {"guest": False, "reason": "host-qmp-system-reset"})
FIRMWARE: Told = ("RESET", {"guest": True, "reason": "guest-reset"})
RESUME: Told = ("RESUME", {})
WELL: Sequence[Told] = (PANIC, STOP, DUMP, RESET, RESUME, FIRMWARE)


def life(*told: Told, killed: bool = False, console: int | None = None, dropped: int = 0) -> Life:
    """A life of one QEMU, with an event a second."""
    events = [
        Seen(number, name, data, occurred=float(number), arrived=0.0)
        for number, (name, data) in enumerate(told, start=1)
    ]
    return Life("web-1", 1, events, killed, console, dropped)


@pytest.mark.parametrize(
    ("told", "killed", "found"),
    [
        pytest.param([], False, [], id="no panic"),
        pytest.param([RESUME, *WELL, *WELL], False, [], id="each panic with its dump and reset"),
        pytest.param([RESET], False, ["before any panic: 1 resets instead of 0"], id="stale reset"),
        pytest.param([DUMP], False, ["before any panic: 1 dumps instead of 0"], id="stale dump"),
        pytest.param(
            [*WELL, PANIC, STOP, RESET, RESUME],
            False,
            ["panic 2: 0 dumps instead of 1", "panic 2: it was reset before it was dumped"],
            id="no dump",
        ),
        pytest.param(
            [PANIC, RESET, DUMP],
            False,
            ["panic 1: it was reset before it was dumped"],
            id="the reset came first",
        ),
        pytest.param(
            [PANIC, DUMP, *WELL], False, ["panic 1: 0 resets instead of 1"], id="no reset"
        ),
        pytest.param(
            [PANIC, DUMP, DUMP, RESET], False, ["panic 1: 2 dumps instead of 1"], id="two dumps"
        ),
        pytest.param(
            [PANIC, DUMP, RESET, RESET], False, ["panic 1: 2 resets instead of 1"], id="two resets"
        ),
        pytest.param(
            [PANIC, BROKEN, DUMP, RESET], False, ["panic 1: a dump failed: no room"], id="failed"
        ),
        pytest.param(
            [PANIC, DUMP, RESUME, RESET],
            False,
            ["panic 1: its dead kernel was let run on"],
            id="resumed before its reset",
        ),
        pytest.param([*WELL, PANIC, DUMP], True, [], id="killed between dump and reset"),
        pytest.param(
            [PANIC, DUMP, *WELL],
            True,
            ["panic 1: 0 resets instead of 1"],
            id="killed later: what came before counts",
        ),
        pytest.param(
            [PANIC, DUMP, DUMP], True, ["panic 1: 2 dumps instead of 1"], id="killed, and twice"
        ),
    ],
)
def test_what_is_wrong_with_a_life(told: Sequence[Told], found: list[str], *, killed: bool) -> None:
    """One dump that succeeded, then one reset for each panic, and nothing else."""
    assert [each.text for each in violations(life(*told, killed=killed))] == [
        f"web-1 (QEMU 1), {text}" for text in found
    ]


@pytest.mark.parametrize(
    ("known", "text"),
    [
        pytest.param(
            life(*WELL, console=2),
            "it panicked 2 times by its console, 1 by its monitor",
            id="a panic that no monitor told",
        ),
        pytest.param(life(*WELL, dropped=3), "the auditor lost 3 events", id="lost events"),
    ],
)
def test_the_auditor_doubts_itself(known: Life, text: str) -> None:
    """What it may not have seen is a violation, too."""
    assert [each.text for each in violations(known)] == [text]


def test_a_violation_says_from_when_to_when() -> None:
    """From its panic to the next one: the part of the time line that is shown."""
    (found,) = violations(life(*WELL, PANIC, DUMP, *WELL))
    assert (found.since, found.until) == (7.0, 9.0)


@pytest.mark.parametrize(
    ("window", "found"),
    [
        pytest.param((0.5, 2.5), [], id="room before anything was done"),
        pytest.param((0.5, 3.5), ["DUMP_COMPLETED"], id="dumped without a journal"),
        pytest.param((0.5, 4.5), ["DUMP_COMPLETED", "RESET"], id="and reset"),
        pytest.param((1.0, 4.5), [], id="the panic had come before it was told"),
    ],
)
def test_what_was_done_without_a_journal(window: tuple[float, float], found: list[str]) -> None:
    """A panic that came while the journal could not be written waits until there is room."""
    told = [each.text for each in acts_without_journal(life(*WELL), [Window(*window)])]
    assert told == [f"{name} while the journal could not be written" for name in found]


def test_a_run_that_was_never_heard_of() -> None:
    """Each run that ended owes a message; one that did not arrive is named."""
    ended = {"r-1": "web-1", "r-2": "web-2"}
    assert [str(each) for each in unheard(ended, frozenset({"r-1"}))] == [
        "web-2: run r-2 ended and its message never arrived"
    ]


def owes(*words: str, retain: bool = False) -> list[Owed]:
    """What an outbox let go: each word is a topic and a payload."""
    return [
        Owed(number, float(number), *as_heard(word), retain=retain)
        for number, word in enumerate(words, start=1)
    ]


def as_heard(word: str) -> tuple[str, bytes]:
    """``a=1`` as a subscriber gets it."""
    topic, _, payload = word.partition("=")
    return topic, payload.encode()


def lost(number: int, topic: str) -> str:
    """The sentence of a message that was lost."""
    return f"broker: message {number} on {topic} left the outbox and never arrived"


@pytest.mark.parametrize(
    ("owed", "heard", "found"),
    [
        pytest.param("a=1 a=2 b=1", "a=1 b=1 a=2", [], id="all of them"),
        pytest.param("a=1 a=2", "a=1 a=1 a=2 a=1 a=2", [], id="some twice"),
        pytest.param("a=1", "z=9 a=1 z=9", [], id="and others of which the outbox knows nothing"),
        pytest.param("a=1 a=2 b=1", "a=1 b=1", [lost(2, "a")], id="one is lacking"),
        pytest.param("a=1 b=1", "a=1", [lost(2, "b")], id="the only one of its topic"),
        pytest.param("a=1 b=1", "a=1 c=1", [lost(2, "b")], id="the same words on another topic"),
        pytest.param("a=1 a=1", "a=1", [lost(2, "a")], id="one of two alike"),
        pytest.param("a=1 b=1", "", [lost(1, "a"), lost(2, "b")], id="none arrived"),
    ],
)
def test_a_message_that_left_the_outbox_and_arrived_nowhere(
    owed: str, heard: str, found: list[str]
) -> None:
    """What was removed before the broker had it, and then lost with the daemon, is named."""
    told = unpublished(owes(*owed.split()), map(as_heard, heard.split()))
    assert [str(each) for each in told] == found


@pytest.mark.parametrize(
    ("owed", "heard", "found"),
    [
        pytest.param("a=1 a=2 a=3", "a=1 a=2 a=3", [], id="in order"),
        pytest.param("a=1 a=2 a=3", "a=1 a=2 a=1 a=2 a=3", [], id="again, and on from there"),
        pytest.param("a=1 b=1", "b=1 a=1", [], id="two topics"),
        pytest.param("a=1 a=2", "a=2", [], id="lost is another thing"),
        pytest.param("a=1 a=2 a=1", "a=1 a=2 a=1", [], id="alike: nobody can tell"),
        pytest.param("a=1 a=2", "a=2 a=1", ["message 2 on a arrived before 1"], id="overtaken"),
        pytest.param(
            "a=1 a=2 a=3",
            "a=3 a=1 a=2",
            ["message 3 on a arrived before 2"],
            id="overtaken by the last one",
        ),
    ],
)
def test_messages_that_overtake_each_other(owed: str, heard: str, found: list[str]) -> None:
    """On each topic a message arrives first when all before it have arrived."""
    words = owed.split()
    told = out_of_order(owes(*words), [as_heard(word) for word in heard.split()])
    assert [each.text for each in told] == found


def test_retained_messages_are_told_at_each_connect() -> None:
    """So their order says nothing: the last word is the right one."""
    assert list(out_of_order(owes("a=1", "a=2", retain=True), [("a", b"2"), ("a", b"1")])) == []


@pytest.mark.asyncio
async def test_the_witness_remembers_what_the_outbox_forgets(tmp_path: Path) -> None:
    """A message that waits is not owed yet; one that left the outbox is, and the next start on."""
    path = tmp_path / "journal.db"
    witness.install(path)
    for kept in ("a", "b"):
        journal = Journal.open(path, now=time.time)
        rows = [OutboxRow(kept, b"gone"), OutboxRow(kept, b"waits", retain=True)]
        await journal.commit(Batch(messages=rows))
        first = (await journal.outbox.pending(0, 10))[-2]
        journal.outbox.done([first.seq])
        await journal.close()
    assert [(each.seq, each.topic, each.payload) for each in witness.owed(path)] == [
        (1, "a", b"gone"),
        (3, "b", b"gone"),
    ]


CUT = life(*WELL, PANIC, DUMP, killed=True)
RESET_AND_CUT = life(*WELL, PANIC, DUMP, RESET, killed=True)
TWO = ["2 recoveries by its monitor, 1 by its runs"]


@pytest.mark.parametrize(
    ("lives", "outcomes", "found"),
    [
        pytest.param([life(*WELL, *WELL)], "succeeded succeeded", [], id="as many"),
        pytest.param([life(*WELL, *WELL)], "succeeded stopped", [], id="it had gone on"),
        pytest.param([life(*WELL)], "succeeded skipped", [], id="one that was not needed"),
        pytest.param([life(*WELL, *WELL)], "succeeded", TWO, id="too few"),
        pytest.param([life(*WELL, *WELL)], "succeeded skipped", TWO, id="skipped is no recovery"),
        pytest.param(
            [life(*WELL)],
            "succeeded succeeded",
            ["1 recoveries by its monitor, 2 by its runs"],
            id="too many",
        ),
        pytest.param(
            [life(*WELL)],
            "succeeded unknown",
            ["runs ended unknown, 0 of them because QEMU was killed"],
            id="unknown",
        ),
        pytest.param([CUT, life(*WELL)], "succeeded succeeded failed", [], id="cut: it failed"),
        pytest.param([CUT, life(*WELL)], "succeeded succeeded", [], id="cut: it had not begun"),
        pytest.param(
            [CUT, life(*WELL)],
            "succeeded succeeded failed timed-out",
            ["runs ended failed, timed-out, 1 of them because QEMU was killed"],
            id="cut once, and failed twice",
        ),
        pytest.param(
            [RESET_AND_CUT, life(*WELL)], "succeeded succeeded unknown", [], id="cut before cont"
        ),
        pytest.param(
            [RESET_AND_CUT, life(*WELL)], "succeeded succeeded succeeded", [], id="cut behind it"
        ),
    ],
)
def test_runs_that_tell_less_or_more(lives: list[Life], outcomes: str, found: list[str]) -> None:
    """The runs and the monitor agree on how often the guest was brought back."""
    assert [each.text for each in miscounted("web-1", lives, outcomes.split())] == found


@pytest.mark.parametrize(
    ("lives", "whole", "found"),
    [
        pytest.param([life(*WELL), life(*WELL)], 2, [], id="each dump is whole"),
        pytest.param(
            [life(*WELL), life(*WELL)],
            1,
            ["2 dumps by its monitor, 0 cut short by a kill, 1 whole files"],
            id="one is not",
        ),
        pytest.param(
            [life(*WELL)],
            2,
            ["1 dumps by its monitor, 0 cut short by a kill, 2 whole files"],
            id="one more than was told",
        ),
        pytest.param(
            [life(*WELL, PANIC, STOP, killed=True)], 2, [], id="killed before it told of its dump"
        ),
        pytest.param(
            [life(*WELL, PANIC, STOP, killed=True)], 1, [], id="killed before it had dumped"
        ),
        pytest.param(
            [life(*WELL, PANIC, STOP, killed=True)],
            3,
            ["1 dumps by its monitor, 1 cut short by a kill, 3 whole files"],
            id="a kill cuts one dump short at most",
        ),
        pytest.param(
            [life(*WELL, killed=True)],
            2,
            ["1 dumps by its monitor, 0 cut short by a kill, 2 whole files"],
            id="killed behind its dump",
        ),
    ],
)
def test_files_are_held_against_what_was_told(
    lives: Sequence[Life], whole: int, found: Sequence[str]
) -> None:
    """By number; a QEMU that is killed may have dumped all, and said nothing any more."""
    assert [one.text for one in wrong_files(lives, whole)] == found
