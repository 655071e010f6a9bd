"""What is said to be made up for is made up for, and nothing else."""

import ast
import itertools
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from reactor.core import cut_waits, resync
from reactor.core.guest import Guest
from reactor.core.inputs import Facts
from reactor.core.made_up import BY_STATE, MadeUp, made_up_for
from reactor.core.resync import missed
from reactor.core.subjects import SUBJECTS
from reactor.qapi.facts import facts
from reactor.qapi.members import parts_of
from reactor.qapi.shipped import schema_of, versions

QEMU = schema_of(versions()[-1])
STATES = parts_of(QEMU, QEMU.commands["query-status"].reply)["status"].values
"""Every state that a guest can be in."""

MAY_STILL_COME = {"BLOCK_JOB_CANCELLED", "BLOCK_JOB_ERROR"}
"""Of a job that works: the wait goes on. Of one that is gone nobody knows."""


def named_in(module: ModuleType) -> set[str]:
    """The events of QEMU that the module's code names."""
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    texts = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return texts & set(facts().events)


def test_what_a_connect_can_make_up_for_is_written_down() -> None:
    """Whatever the guest was in before and is in now, and what became of its dump."""
    found: set[str] = set()
    for before, after, dump in itertools.product(STATES, STATES, ("active", "completed", "")):
        guest = Guest("g", epoch="e", facts=Facts(status=before, dump="active"))
        found |= {name for name, _ in missed(guest, Facts(status=after, dump=dump), "e")}
    said = {name for name, one in BY_STATE.items() if not one.waits}
    assert found <= said
    assert said == named_in(resync)


def test_what_only_a_wait_is_decided_by_is_written_down() -> None:
    """It is what `cut_waits` names, and a connect does not make up for."""
    only_waits = {name for name, one in BY_STATE.items() if one.waits}
    assert only_waits == named_in(cut_waits) - named_in(resync) - MAY_STILL_COME


def test_what_subjects_prove_is_said_by_themselves() -> None:
    """Then a policy starts, whatever a wait alone would have made of it."""
    for subject in SUBJECTS.values():
        for event in subject.events:
            found = made_up_for(event)
            assert found is not None
            assert not found.waits
            assert subject.name in found.shown_by
    assert made_up_for("VSERPORT_CHANGE") == MadeUp(
        "ports before and after differ (qom-list), where a policy or an open run needs the event"
    )
    assert made_up_for("GUEST_PANICKED") == BY_STATE["GUEST_PANICKED"]
    assert made_up_for("MEMORY_FAILURE") is None


def test_what_has_two_proofs_is_said_with_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of a wait alone is left out: the other starts policies."""
    more = {"x": replace(SUBJECTS["ports"], name="x", events=("STOP", "BLOCK_JOB_READY"))}
    monkeypatch.setattr("reactor.core.made_up.SUBJECTS", more)
    differ = "x before and after differ (qom-list), where a policy or an open run needs the event"
    stop = BY_STATE["STOP"].shown_by
    assert made_up_for("STOP") == MadeUp(f"{stop}; {differ}")
    assert made_up_for("BLOCK_JOB_READY") == MadeUp(differ)


def test_what_is_made_up_for_leaves_a_trace_in_qemu() -> None:
    """Or it is RESET, which a guest that stood still shows by its state."""
    known = facts().events
    made_up = {name for name in known if made_up_for(name) is not None}
    assert set(BY_STATE) <= made_up
    assert {name for name in made_up if known[name].trace.kept == "none"} == {"RESET"}
