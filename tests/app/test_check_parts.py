"""Policies that several processes take come to what one finds."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from reactor.app import check_parts
from reactor.app.check_parts import take_in_parts
from reactor.errors import Code
from reactor.policyfile.check import Loaded, load
from reactor.policyfile.lints import others
from reactor.policyfile.taking import take

Work = Callable[..., object]

TEXTS = {
    "runs a runbook": """\
policy: asks
description: It asks.
trigger: {event: GUEST_PANICKED, where: data.action == "pause"}
steps:
  - run: ask
    with: {command: query-status}
---
runbook: ask
description: It asks.
params: {command: string}
steps:
  - qmp: query-status
  - log: "${params.command}"
""",
    "armed by another": """\
policy: dumps
description: The guest must be there still.
trigger: {event: GUEST_PANICKED, where: data.info.arg1 == 5}
steps:
  - guest: dump
    timeout: 5m
""",
    "of one name": """\
policy: twice
description: It stands twice.
trigger: {event: STOP}
steps: [{log: stopped}]
""",
    "with errors": """\
policy: wrong
description: It has errors.
trigger: {event: STOPP, where: data.x ==}
steps: [{logg: stopped}]
""",
    "arms the others": """\
policy: arms
description: Guests pause at a panic.
trigger: {event: SHUTDOWN}
arm: [{guest: preserve-on-panic}]
steps: [{log: it is down}]
""",
    "of one name too": """\
policy: twice
description: It stands twice.
trigger: {event: RESUME}
steps: [{log: resumed}]
""",
    "opposing, and a test": """\
policy: resets
description: It does away with what another keeps.
trigger: {event: GUEST_PANICKED, where: data.info.arg1 == 5}
steps: [{guest: reset}]  # reactor: ignore R042 it is meant
---
policy: turns
description: It starts itself.
trigger: {event: RESUME}
steps: [{guest: pause}, {guest: resume}]
---
test: it resets
policy: resets
""",
}
"""Documents that need each other, one file each; what belongs together falls into two parts."""


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of them, for which several processes pay; all are gone behind it."""
    monkeypatch.setattr(check_parts, "LEAST", 1)
    for number, text in enumerate(TEXTS.values()):
        (tmp_path / f"{number}.yaml").write_text(text, encoding="utf-8")
    yield tmp_path
    assert multiprocessing.active_children() == []


def shown(loaded: Loaded) -> tuple[object, ...]:
    """All that is told of a set, and what its policies were made of."""
    policies = (*loaded.policies, *loaded.rests)
    made = [(policy.name, policy.revision, policy.place) for policy in policies]
    about_tests = (loaded.tests, loaded.test_problems)
    return (made, loaded.problems, loaded.files, about_tests, loaded.asks, loaded.ignores)


@pytest.mark.parametrize("cores", [1, 2, 3, 4])
def test_parts_come_to_what_one_process_finds(
    rules: Path, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    """The same findings in the same order, whatever depends on policies of another part."""
    alone = load([rules])
    if cores > 1:
        monkeypatch.setattr(check_parts, "take_and_lint", partial(pytest.fail, "one took all"))
    assert shown(load([rules], take=partial(take_in_parts, cores=cores))) == shown(alone)
    codes = {problem.code for problem in alone.problems}
    assert codes >= {Code.UNKNOWN_KEY, Code.EXPRESSION, Code.DUPLICATE_NAME, Code.OPPOSED}


def breaks_elsewhere(
    work: Callable[..., object], how: Callable[[], object]
) -> Callable[..., object]:
    """The same work, but in another process something happens first."""
    here = os.getpid()

    def broken(*given: object) -> object:
        if os.getpid() != here:
            how()
        return work(*given)

    return broken


@pytest.mark.parametrize("where", ["take", "lint"])
def test_a_process_that_dies_is_not_needed(
    rules: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Before it has said anything, and after."""
    alone = load([rules])
    work = getattr(check_parts, where)
    monkeypatch.setattr(check_parts, where, breaks_elsewhere(work, partial(os._exit, 9)))
    assert shown(load([rules], take=partial(take_in_parts, cores=3))) == shown(alone)


def test_a_process_that_hangs_is_not_waited_for(
    rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ended at the deadline."""
    alone = load([rules])
    hangs = breaks_elsewhere(take, multiprocessing.Event().wait)
    monkeypatch.setattr(check_parts, "take", hangs)
    monkeypatch.setattr(check_parts, "DEADLINE_S", 0.05)
    assert shown(load([rules], take=partial(take_in_parts, cores=2))) == shown(alone)


def test_a_process_that_cannot_be_started_is_not_needed(
    rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no more are allowed, for example."""
    alone = load([rules])

    def refused() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refused)
    assert shown(load([rules], take=partial(take_in_parts, cores=2))) == shown(alone)


@pytest.mark.parametrize(
    ("policies", "cores", "parts"),
    [(3, 2, 1), (4, 2, 2), (6, 8, 3), (40, 8, check_parts.MOST), (40, 1, 1)],
)
def test_processes_must_pay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policies: int, cores: int, parts: int
) -> None:
    """Few policies, or one core, are for one; no more than are of use."""
    seen = [1]
    monkeypatch.setattr(check_parts, "LEAST", 2)
    together = others.together

    def counted(told: list[others.Others]) -> others.Others:
        seen.append(len(told))
        return together(told)

    monkeypatch.setattr(check_parts, "together", counted)
    text = "policy: p{}\ndescription: One.\ntrigger: {{event: STOP}}\nsteps: [{{log: it}}]\n"
    whole = "---\n".join(text.format(number) for number in range(policies))
    (tmp_path / "all.yaml").write_text(whole, encoding="utf-8")
    loaded = load([tmp_path], take=partial(take_in_parts, cores=cores))
    assert [policy.name for policy in loaded.policies] == [f"p{n}" for n in range(policies)]
    assert seen[-1] == parts
