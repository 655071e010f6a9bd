"""What is said to be made up for is made up for, and nothing else."""

import ast
import itertools
from pathlib import Path
from types import ModuleType

from reactor.core import cut_waits, resync
from reactor.core.guest import Guest
from reactor.core.inputs import Facts
from reactor.core.made_up import MADE_UP
from reactor.core.resync import missed
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
    said = {name for name, one in MADE_UP.items() if not one.waits}
    assert found <= said
    assert said == named_in(resync)


def test_what_only_a_wait_is_decided_by_is_written_down() -> None:
    """It is what `cut_waits` names, and a connect does not make up for."""
    only_waits = {name for name, one in MADE_UP.items() if one.waits}
    assert only_waits == named_in(cut_waits) - named_in(resync) - MAY_STILL_COME


def test_what_is_made_up_for_leaves_a_trace_in_qemu() -> None:
    """Or it is RESET, which a guest that stood still shows by its state."""
    known = facts().events
    assert set(MADE_UP) <= set(known)
    assert {name for name in MADE_UP if known[name].trace.kept == "none"} == {"RESET"}
