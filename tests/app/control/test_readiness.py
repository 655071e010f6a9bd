"""Which policies are well on which guests, from the engine's state and what was found out."""

import pytest

from reactor.app.control import readiness
from reactor.app.control.answers import Matrix, ReadyLine
from reactor.app.control.readiness import lack_lines, matrix, unanswerable
from reactor.app.lacks.judge import Judge
from reactor.core.equipment import Equipment
from reactor.core.guest import Readiness
from reactor.core.inputs import GuestForgotten
from reactor.core.readiness import NOT_SENT
from reactor.policyfile.lacks import NO_AGENT, LackKind, Standing
from reactor.qapi.shipped import schema_of
from tests.core.simulation import Host, document

PANIC = document("panic", "[{log: x}]", "{event: GUEST_PANICKED}")
QUORUM = document("quorum", "[{log: x}]", "{event: QUORUM_FAILURE}")
REBOOT = document("reboot", "[{guest: reboot}, {agent: guest-ping}]", "{event: GO}")
ARMED = document("armed", "[{log: x}]", more="arm: [{qmp: set-action, args: {panic: pause}}]\n")

BARE = Standing(equipment=Equipment(panic=False, quorum=False), agent=NO_AGENT)
FULL = Standing(equipment=Equipment(panic=True, quorum=True))

NO_PANIC = "no panic device (such as -device pvpanic)"


def host(*names: str) -> Host:
    """A host with these guests, on which one policy cannot be armed; the last one is away."""
    made = Host([PANIC, QUORUM, REBOOT, ARMED], names)
    for guest in made.guests.values():
        guest.failing["set-action"] = "no"
    return made.connect(*names[:-1])


def rows(
    made: Host, judge: Judge, policy: str = "*", guest: str = "*", *, whole: bool = False
) -> list[tuple[str, str, str, str]]:
    """The rows of the matrix, in its order."""
    found = matrix(made.engine.world, judge, policy, guest, whole=whole)
    assert not found.cut
    return [(row.policy, row.guest, row.state, row.reason) for row in found.rows]


def test_what_is_not_well() -> None:
    """Nothing is said of a policy that has nothing to watch, nor of a guest not looked at."""
    made = host("a", "b", "c", "x-away")
    assert rows(made, Judge({"a": BARE, "b": FULL})) == [
        ("armed", "a", "not ready", "set-action: GenericError: no"),
        ("panic", "a", "cannot fire", NO_PANIC),
        ("reboot", "a", "fails", f"steps/0: {NO_AGENT}"),
        ("reboot", "a", "fails", f"steps/1: {NO_AGENT}"),
        ("armed", "b", "not ready", "set-action: GenericError: no"),
        ("armed", "c", "not ready", "set-action: GenericError: no"),
        ("armed", "x-away", "not ready", NOT_SENT),
    ]


def test_the_whole_matrix() -> None:
    """A line for each policy and guest; for each lack, where there are several."""
    made = host("a", "b", "c", "x-away")
    found = rows(made, Judge({"a": BARE, "b": FULL}), whole=True)
    assert [row for row in found if row[0] in {"panic", "quorum"}] == [
        ("panic", "a", "cannot fire", NO_PANIC),
        ("quorum", "a", "nothing to watch", "no disk is a quorum"),
        ("panic", "b", "ready", ""),
        ("quorum", "b", "ready", ""),
        ("panic", "c", "not looked at yet", ""),
        ("quorum", "c", "not looked at yet", ""),
        ("panic", "x-away", "away", ""),
        ("quorum", "x-away", "away", ""),
    ]
    assert [row[1:3] for row in found if row[0] == "reboot"] == [
        ("a", "fails"),
        ("a", "fails"),
        ("b", "ready"),
        ("c", "not looked at yet"),
        ("x-away", "away"),
    ]
    assert {row[2] for row in found if row[0] == "armed"} == {"not ready"}


def test_a_guest_that_went_away_is_told_with_its_reason() -> None:
    """What was known of it is not told any more."""
    made = host("a", "b")
    made.disconnect("a", "QEMU closed it")
    judge = Judge({"a": BARE})
    assert rows(made, judge, "panic", "a", whole=True) == [("panic", "a", "away", "QEMU closed it")]
    assert rows(made, judge, "panic") == []


@pytest.mark.parametrize(
    ("policy", "guest", "found"),
    [
        pytest.param("pan*", "*", {("panic", "a"), ("panic", "b")}, id="policies by a glob"),
        pytest.param("*", "b", {("panic", "b"), ("reboot", "b")}, id="one guest"),
        pytest.param("panic", "[ab]", {("panic", "a"), ("panic", "b")}, id="both"),
    ],
)
def test_what_is_asked_for(policy: str, guest: str, found: set[tuple[str, str]]) -> None:
    """Globs, over the names."""
    made = Host([PANIC, REBOOT], ("a", "b")).connect()
    told = rows(made, Judge({"a": BARE, "b": BARE}), policy, guest)
    assert {row[:2] for row in told} == found
    assert unanswerable(made.engine.world, policy, guest) is None


@pytest.mark.parametrize(
    ("policy", "guest", "wrong"),
    [
        pytest.param(
            "panik", "*", ("no policy matches 'panik'", "write 'panic'"), id="no such policy"
        ),
        pytest.param("*", "z*", ("no guest matches 'z*'", "write one of: a, b"), id="no guest"),
        pytest.param(
            "only-b",
            "a",
            (
                "no policy that matches 'only-b' is for a guest that matches 'a'",
                "look at the `guests` of the policy; `reactor guests` lists the guests",
            ),
            id="policies for other guests",
        ),
        pytest.param("only-*", "*", None, id="policies for some guest"),
        pytest.param("*", "gone", ("no guest matches 'gone'", "write one of: a, b"), id="gone"),
    ],
)
def test_what_nobody_has_is_told(policy: str, guest: str, wrong: tuple[str, str] | None) -> None:
    """An empty answer would say that all is well."""
    only = document("only-b", "[{log: x}]", "{event: STOP}", "guests: {name: b}\n")
    made = Host([PANIC, only], ("a", "b", "gone")).connect()
    made.give(GuestForgotten("gone"))
    found = unanswerable(made.engine.world, policy, guest)
    assert (None if found is None else (found.problem, found.fix)) == wrong


def test_an_empty_daemon_has_nothing_to_tell() -> None:
    """Who asks of everything is answered, though there is nothing."""
    assert unanswerable(Host([], ()).engine.world, "*", "*") is None


def test_which_rows_hinder() -> None:
    """Those of a policy that may not act, cannot fire or would fail; not what may be harmless."""
    states = [*Readiness, *LackKind, "away", "not looked at yet"]
    hindered = {state for state in states if ReadyLine("p", "g", state).is_hindered}
    assert hindered == {Readiness.NOT_READY, Readiness.ARMING, LackKind.BLIND, LackKind.FAILS}


def test_what_may_be_harmless_is_told_and_not_counted() -> None:
    """A member that the guest's QEMU has not, beside another condition that may hold."""
    where = "data.device == 'd' || data.qom_path == 'x'"
    reads = document("reads", "[{log: x}]", f'{{event: BLOCK_IO_ERROR, where: "{where}"}}')
    made = Host([reads], ("a",)).connect()
    judge = Judge({"a": Standing(qemu="7.2.22", digest="old", schema=schema_of("7.2"))})
    reason = "trigger/where: QEMU 7.2.22: BLOCK_IO_ERROR has no member `qom_path`"
    assert rows(made, judge) == [("reads", "a", "cannot read", reason)]
    world = made.engine.world
    assert [line.state for line in lack_lines(world, world.guests.values(), judge)] == [
        "cannot read"
    ]
    assert judge.of_guest(world, world.guests["a"]).policies == 0


def test_a_guest_that_nobody_names_is_left_out() -> None:
    """It has nothing to be ready for."""
    made = Host([PANIC], ("a",)).connect()
    made.give(GuestForgotten("a"))
    assert rows(made, Judge({"a": BARE}), whole=True) == []


def test_the_matrix_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """At it everything is shown; beyond it the answer says that there is more."""
    made = Host([PANIC], ("a", "b")).connect()
    judge = Judge({"a": BARE, "b": BARE})
    monkeypatch.setattr(readiness, "ROWS_MAX", 2)
    assert len(rows(made, judge)) == 2
    monkeypatch.setattr(readiness, "ROWS_MAX", 1)
    row = ReadyLine("panic", "a", "cannot fire", NO_PANIC)
    assert matrix(made.engine.world, judge, "*", "*", whole=False) == Matrix([row], cut=True)


def test_what_is_lacking_by_policy() -> None:
    """What concerns most guests stands in front; a few of them are named."""
    names = tuple(f"web-{number}" for number in range(7))
    made = Host([PANIC, QUORUM, REBOOT], names).connect()
    known = dict.fromkeys(names, BARE) | {"web-3": Standing(agent=NO_AGENT)}
    world, judge = made.engine.world, Judge(known)
    shown = [
        (line.policy, line.state, line.guests, line.reason)
        for line in lack_lines(world, world.guests.values(), judge)
    ]
    assert shown == [
        ("reboot", "fails", 7, f"steps/0: {NO_AGENT}"),
        ("reboot", "fails", 7, f"steps/1: {NO_AGENT}"),
        ("panic", "cannot fire", 6, NO_PANIC),
    ]
    (line, *_) = lack_lines(world, world.guests.values(), judge)
    assert line.some == ["web-0", "web-1", "web-2", "web-3", "web-4"]
    found = [judge.of_guest(world, world.guests[name]).policies for name in ("web-0", "web-3")]
    assert found == [2, 1]
    assert Judge({}).of_guest(world, world.guests["web-0"]).policies == 0
