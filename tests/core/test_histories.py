"""What must hold in every history: whatever happens, in whatever order, killed at any moment."""

import subprocess
import sys
from collections import Counter

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reactor.core.config import EngineConfig
from reactor.core.effect import Execute
from reactor.core.inputs import Connected, GuestForgotten, GuestKnown
from reactor.core.orders import (
    AddSilence,
    Approve,
    CancelRun,
    ExpireSilence,
    HoldGuests,
    Order,
    ReleaseGuests,
    SetMark,
    StartRun,
)
from reactor.core.policy import Limit, LimitScope
from tests.core.simulation import Host, document
from tests.core.test_panic_runbook import PANIC

IDEMPOTENT = {"set-action", "stop"}

SLOW = document(
    "slow",
    "[{mark: {disk: '${data.n}', as: busy, reason: r, expires: 20s}}, {delay: 5s}, "
    "{qmp: stop}, {guest: resume}, {publish: 'slow/${run.id}'}, {clear: {disk: '${data.n}'}}]",
    trigger="{event: GO, by: data.n}",
    more="mode: queued\nmax: 2\nlimits: [2 per 30s per key, 2 at once per host]\n"
    "on_limit: [{publish: limited}, {delay: 3s}]\nfinally: [{publish: last}]\n",
)
ECHO = document("echo", "[{log: x}]", trigger="{event: 'REACTOR_*'}", more="cooldown: 7s\n")
ASKED = document(
    "asked",
    "[{delay: 2s}, {qmp: stop}, {delay: 2s}, {guest: resume}]",
    trigger="{event: GO, by: data.n}",
    more="arm: [{qmp: set-action, args: {panic: pause}}]\nmode: restart\n"
    "debounce: {quiet: 1s, at_most: 3s}\ninhibit_if: marked('disk', 'x', 'bad')\n"
    "approval: {ask: '${data.n}?', expires: 8s}\nlimits: [1 at once per host]\n"
    "finally: [{delay: 3s}]\n",
)
HUSH = document("hush", "[{inhibit: {policies: ['s*', 'asked'], for: 9s}}]", "{event: HUSH}")
POLICIES = [PANIC, SLOW, ECHO, ASKED, HUSH]
CONFIG = EngineConfig(
    host="h1",
    limits={
        "reset": (Limit(4, 60.0, LimitScope.HOST, "4 per 1m per host"),),
        "dump": (Limit(1, None, LimitScope.HOST, "1 at once per host"),),
    },
)
GUESTS = ("web-1", "web-2")
MOVES = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0005, 0.0015, 0.3, 1.1, 7.0, 31.0]),
        st.sampled_from(GUESTS),
        st.sampled_from(
            "panic panic go go other cut back new-qemu restart reload without forget known "
            "again hush silence expire hold release yes yes no cancel start mark".split()
        ),
    ),
    max_size=14,
)
Move = tuple[float, str, str]


def _move(host: Host, guest: str, what: str) -> None:  # noqa: C901 - one case for each kind
    match what:
        case "panic":
            host.guests[guest].panic(host)
        case "go" | "other":
            host.event(guest, "GO", {"n": what}, after=0)
        case "hush":
            host.event(guest, "HUSH", {}, after=0)
        case "restart":
            host.restart()
        case "reload":
            host.load(POLICIES)
        case "without":
            host.load(POLICIES[:1])
        case "forget":
            host.give(GuestForgotten(guest))
        case "known":
            host.give(GuestKnown(guest))
        case "cut" | "back" | "again" | "new-qemu":
            _link(host, guest, what)
        case _:
            host.order(_order(host, guest, what))


def _link(host: Host, name: str, what: str) -> None:
    guest = host.guests[name]
    if what in {"cut", "new-qemu"}:
        host.disconnect(name)
    if what == "new-qemu":
        guest.epoch += "x"
        guest.status, guest.dump = "running", "none"
    if what == "again":  # and at once, so that the match waits for the arm
        host.give(Connected(name, guest.epoch, guest.facts()))
        host.event(name, "GO", {"n": "go"}, after=0)
    elif what != "cut":
        host.connect(name)


def _order(host: Host, guest: str, what: str) -> Order:
    last = next(reversed(host.engine.world.runs), "")
    orders: dict[str, Order] = {
        "silence": AddSilence(("a*",), (guest,), 6.0),
        "expire": ExpireSilence("s-1"),
        "hold": HoldGuests(guest, 20.0),
        "release": ReleaseGuests(guest),
        "yes": Approve(last),
        "no": Approve(last, yes=False),
        "cancel": CancelRun(last),
        "start": StartRun("asked", guest, {"n": "go"}),
        "mark": SetMark(guest, "disk", "x", "bad", seconds=4.0),
    }
    return orders[what]


def _play(moves: list[Move]) -> Host:
    host = Host(POLICIES, guests=GUESTS, config=CONFIG).connect()
    for pause, guest, what in moves:
        host.run(pause)
        _move(host, guest, what)
    return host


def _rest(host: Host) -> Host:
    """Let everything come to its end, with the monitors back."""
    for guest in host.guests:
        host.give(GuestKnown(guest))
    host.connect()
    return host.run(5000)


def _fold(host: Host) -> dict[tuple[str, str], object]:
    return {key: msgspec.json.decode(value) for key, value in host.kept.items()}


def _snapshot(host: Host) -> dict[tuple[str, str], object]:
    rows = host.engine.snapshot()
    return {(r.kind, r.key): msgspec.json.decode(r.value) for r in rows if r.value is not None}


@settings(max_examples=60, deadline=None)
@given(moves=MOVES)
def test_every_run_that_was_admitted_ends(moves: list[Move]) -> None:
    """With an outcome, once; nothing is left open, held or waited for."""
    host = _rest(_play(moves))
    admitted = {t.run for t in host.traces("admitted")}
    ended = [run.run for run in host.ended() if run.role == "run"]
    assert sorted(ended) == sorted(admitted)
    assert all(run.outcome for run in host.ended())
    world = host.engine.world
    assert (world.runs, world.asked) == ({}, {})
    restraints = world.restraints
    assert (restraints.silences, restraints.holds, restraints.inhibitions) == ({}, {}, {})
    for guest in world.guests.values():
        assert (guest.hand, list(guest.line), guest.held) == ("", [], {})
        assert (guest.listeners, guest.watchers) == ({}, {})
    for state in world.states.values():
        assert (state.open, state.slots, list(state.slot_line)) == ({}, {}, [])
        assert (state.open_count, state.debounced) == (0, {})


@settings(max_examples=60, deadline=None)
@given(moves=MOVES)
def test_no_command_that_changes_a_guest_is_sent_twice_by_one_step(moves: list[Move]) -> None:
    """Not by a restart, not by a reconnect: only those that leave the same when sent again."""
    host = _rest(_play(moves))
    sent = Counter(
        (e.run, e.command)
        for e in host.seen(Execute)
        if isinstance(e, Execute) and e.changes and e.command not in IDEMPOTENT
    )
    again = {key for key, times in sent.items() if times > 1}
    assert again == set()
    assert not any(guest.died for guest in host.guests.values())


@settings(max_examples=60, deadline=None)
@given(moves=MOVES)
def test_the_fold_of_what_is_kept_is_the_snapshot_after_every_input(moves: list[Move]) -> None:
    """Also when windows, marks and commands expire and policies go and come."""
    host = Host(POLICIES, guests=GUESTS, config=CONFIG)
    host.after_each = lambda: _agree(host)
    host.connect()
    for pause, guest, what in moves:
        host.run(pause)
        _move(host, guest, what)
    host.run(200)


def _agree(host: Host) -> None:
    assert _fold(host) == _snapshot(host)


@settings(max_examples=30, deadline=None)
@given(moves=MOVES)
def test_what_is_kept_does_not_grow_with_time(moves: list[Move]) -> None:
    """Two days later only the guests, the number and what the last hours counted are left."""
    host = _rest(_play(moves))
    host.run(2 * 86_400)
    host.restart()
    for guest in GUESTS:
        host.event(guest, "GO", {"n": "z"}, after=0)
    host.run(60)
    kinds = Counter(kind for kind, _ in host.kept)
    assert kinds["run"] == kinds["mark"] == kinds["told"] == 0
    assert kinds["number"] <= 2
    assert kinds["silence"] == kinds["hold"] == kinds["inhibition"] == kinds["held"] == 0
    assert kinds["command"] <= 4
    assert kinds["ledger"] <= 25


@settings(max_examples=25, deadline=None)
@example(
    # The run that was armed last asked for another arm of a guest that was gone by then.
    moves=[
        (0.0, "web-1", "panic"),
        (0.0, "web-1", "back"),
        (0.0, "web-1", "back"),
        (0.0, "web-1", "forget"),
        (31.0, "web-1", "panic"),
    ]
)
@given(moves=MOVES)
def test_the_same_inputs_give_the_same_effects(moves: list[Move]) -> None:
    """To the byte."""
    one, other = _play(moves), _play(moves)
    assert msgspec.json.encode(one.effects) == msgspec.json.encode(other.effects)


SCRIPT = """
import hashlib, msgspec
from tests.core.test_histories import play_long
print(hashlib.sha256(msgspec.json.encode(play_long().effects)).hexdigest())
"""


def play_long() -> Host:
    """A history in which many runs listen, watch and wait at the same time."""
    watch = [
        document(
            f"w{n}",
            "[{wait: {until: 'guest.status == \"guest-panicked\"', timeout: 1m}}, "
            "{wait: {event: STOP, timeout: 5s}, on_error: continue}, {publish: 'w'}]",
        )
        for n in range(8)
    ]
    host = Host([*watch, PANIC], guests=GUESTS, config=CONFIG).connect()
    for guest in host.guests.values():
        host.event(guest.name, "GO", {})
        guest.panic(host, after=3)
    return host.run(100)


def test_another_process_finds_the_same_effects_in_the_same_order() -> None:
    """Python hashes texts differently in every process; nothing may depend on it."""
    digests = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
