"""A record through today's policies: what would have been done, and what was otherwise."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.adapters.journal import HistoryRow
from reactor.app.records import input_row
from reactor.app.replay.differences import Difference, differences
from reactor.app.replay.player import Player
from reactor.app.replay.recording import Header, Line, Ran, input_of
from reactor.app.replay.sources import Moment, ReplayError, Source
from reactor.app.replay.tally import Tally, Told
from reactor.core.config import EngineConfig
from reactor.core.effect import EventSeen
from reactor.core.event import Event
from reactor.core.inputs import Happened, Input
from reactor.core.policy import Policy
from tests.core.simulation import Host, policy

PANIC = """
policy: panic
description: d
arm: [{guest: preserve-on-panic}]
trigger: {event: GUEST_PANICKED, where: data.action == "pause"}
if: guest.status == "guest-panicked"
mode: queued
limits: [2 per 1h per guest]
steps:
  - guest: dump
    to: "${guest.name}-${run.id}.kdump"
  - guest: reset
  - publish: alert/info
    payload: {guest: "${guest.name}"}
"""
OTHER = """
policy: other
description: d
trigger: {event: STOP}
steps: [{delay: 10s}, {check: guest.status == "paused"}, {guest: resume}]
"""


class Recorder:
    """Keeps what a host's engine took in, as the journal would."""

    def __init__(self, host: Host) -> None:
        self.host, self.moments, self.tally = host, list[Moment](), Tally(None, None)
        handle = host.engine.handle
        self._seen = 0

        def recorded(input_: Input, now: float) -> object:
            effects = handle(input_, now)
            if isinstance(input_, Happened):
                own = [e.event for e in effects if isinstance(e, EventSeen) and e.event.own]
                input_ = Happened(own[0]) if own else input_
            row = input_row(now, input_)
            history = HistoryRow(0, row.at, row.guest, row.kind, row.name, row.body)
            if (kept := input_of(history)) is not None:
                self.moments.append(Moment(now, kept))
            for effect in effects:
                self.tally.watch(now, effect)
            return effects

        host.engine.handle = recorded  # type: ignore[method-assign,assignment]


def play(moments: list[Moment], *policies: str | Policy) -> Tally:
    """What these policies would have done."""
    tally = Tally(None, None)
    built = [policy(p) if isinstance(p, str) else p for p in policies]
    Player(built, EngineConfig(host="h1"), tally.watch).play(moments)
    return tally


def recorded(moves: list[tuple[float, str]], *policies: str) -> Recorder:
    """A history of these moves."""
    host = Host(policies)
    recorder = Recorder(host)
    host._name("web-1")  # noqa: SLF001 - again: this time it is recorded
    host.connect()
    guest = host.guests["web-1"]
    for pause, move in moves:
        host.run(pause)
        if move == "panic":
            guest.panic(host)
        elif move == "stop" and guest.status == "running":
            guest.status = "paused"
            host.event("web-1", "STOP", {})
        elif move == "cont" and guest.status == "paused":
            guest.status = "running"
            host.event("web-1", "RESUME", {})
        elif move == "cut":
            host.disconnect("web-1")
            host.connect()
    host.run(100.0)
    return recorder


def test_the_same_policies_do_the_same() -> None:
    """Two panics are dumped and reset, the third is limited; then nothing differs."""
    record = recorded([(1.0, "panic"), (60.0, "panic"), (60.0, "panic")], PANIC)
    tally = play(record.moments, PANIC)
    panic = tally.policies["panic"]
    assert panic.runs == {"succeeded": 2}
    assert panic.refused == {"limited": 1}
    assert panic.matches == 3
    assert panic.commands == {"dump-guest-memory": 2, "system_reset": 2, "cont": 2}
    assert panic.published == {"alert/info": 2}
    assert differences(record.tally.ran, tally.ran) == []


def test_other_policies_would_do_something_else() -> None:
    """Every run of then is gone or otherwise, and new ones are told."""
    record = recorded([(1.0, "panic"), (60.0, "panic")], PANIC)
    changed = PANIC.replace('  - guest: dump\n    to: "${guest.name}-${run.id}.kdump"\n', "")
    tally = play(record.moments, changed)
    found = differences(record.tally.ran, tally.ran)
    assert [(one.then is not None, one.now is not None) for one in found] == [(True, True)] * 2
    assert found[0].now is not None
    assert found[0].now.commands == ("system_reset", "cont")

    renamed = differences(record.tally.ran, play(record.moments, OTHER).ran)
    assert {(one.then is None) != (one.now is None) for one in renamed} == {True}


MOVES = st.lists(
    st.tuples(
        st.sampled_from([0.5, 3.0, 15.0, 120.0, 1900.0]),
        st.sampled_from("panic panic stop cont cut".split()),
    ),
    max_size=10,
)


@settings(max_examples=60, deadline=None)
@given(moves=MOVES)
def test_a_replay_with_the_same_policies_never_differs(moves: list[tuple[float, str]]) -> None:
    """Whatever happened: admissions, outcomes and commands of every run are those of then."""
    record = recorded(moves, PANIC, OTHER)
    tally = play(record.moments, PANIC, OTHER)
    assert differences(record.tally.ran, tally.ran) == []
    for name in ("panic", "other"):
        then, now = record.tally.policies.get(name), tally.policies.get(name)
        assert (then and then.refused) == (now and now.refused)


def test_a_replay_gives_the_same_each_time() -> None:
    """Run ids and times too."""
    record = recorded([(1.0, "panic"), (60.0, "stop"), (60.0, "panic")], PANIC, OTHER)
    assert play(record.moments, PANIC, OTHER).ran == play(record.moments, PANIC, OTHER).ran


def test_schedules_fire_in_the_time_of_the_record() -> None:
    """Today's schedules, whatever fired then."""
    hourly = "policy: h\ndescription: d\ntrigger: {every: 1h}\nsteps: [{log: x}]\n"
    record = recorded([(1.0, "stop"), (3 * 3600.0, "cont")], PANIC)
    assert play(record.moments, hourly).policies["h"].runs == {"succeeded": 3}


def test_the_time_line_tells_each_step() -> None:
    """Commands, messages, ends and refusals, in their order."""
    told: list[Told] = []
    record = recorded([(1.0, "panic"), (60.0, "panic"), (60.0, "panic")], PANIC)
    tally = Tally("panic", told.append)
    Player([policy(PANIC)], EngineConfig(host="h1"), tally.watch).play(record.moments)
    assert [one.what for one in told] == [*["command"] * 3, "publish", "run"] * 2 + ["refused"]
    assert [one.text for one in told][-1] == "limited"
    assert told[-1].reason == "2 per 1h per guest"


# --------------------------------------------------------------------- files


def lines(tmp_path: Path, *objects: object) -> Source:
    """A file of these JSON lines."""
    path = tmp_path / "web-1.jsonl"
    path.write_bytes(
        b"\n".join(o if isinstance(o, bytes) else msgspec.json.encode(o) for o in objects)
    )
    return Source(path)


EVENT = {"event": "STOP", "timestamp": {"seconds": 100, "microseconds": 500000}}


def test_a_capture_of_qmp_is_read(tmp_path: Path) -> None:
    """Its file's name is the guest's, unless a line names one."""
    source = lines(tmp_path, EVENT, {**EVENT, "guest": "db-1", "data": {"a": 1}})
    assert list(source.moments()) == [
        Moment(100.5, Happened(Event("STOP", "web-1", {}, 100.5, 100.5))),
        Moment(100.5, Happened(Event("STOP", "db-1", {"a": 1}, 100.5, 100.5))),
    ]
    assert not source.knows_runs


def test_lines_that_cannot_be_read_are_told_and_skipped(tmp_path: Path) -> None:
    """With their numbers; the others are played."""
    source = lines(tmp_path, b"{", EVENT, {"at": 1.0}, b"", {"at": "x", "input": {}})
    assert len(list(source.moments())) == 1
    assert source.skipped_count == 3
    places = [line.split(": ")[1] for line in source.skipped]
    assert places == ["line 1", "line 3", "line 5"]


def test_a_line_without_end_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never in memory as a whole."""
    monkeypatch.setattr("reactor.app.replay.sources.LINE_MAX", 200)
    source = lines(tmp_path, b"x" * 1000, EVENT)
    assert len(list(source.moments())) == 1
    assert source.skipped == [f"{source.path}: line 1: longer than 200 bytes"]


def test_many_wrong_lines_are_counted(tmp_path: Path) -> None:
    """The first twenty are told."""
    source = lines(tmp_path, *[b"{"] * 30)
    assert list(source.moments()) == []
    assert (source.skipped_count, len(source.skipped)) == (30, 20)


def test_a_recording_of_a_newer_reactor_is_refused(tmp_path: Path) -> None:
    """With a way out."""
    source = lines(tmp_path, {"recording": 2})
    with pytest.raises(ReplayError) as refused:
        list(source.moments())
    assert refused.value.problem == (
        "a newer reactor made this recording: its version is 2, this reactor knows 1"
    )


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Said before anything is played."""
    with pytest.raises(ReplayError, match="No such file"):
        list(Source(tmp_path / "no").moments())


@pytest.mark.parametrize(
    ("since", "until", "guest", "times"),
    [
        pytest.param(0.0, 9e9, None, [1.0, 2.0, 3.0], id="all"),
        pytest.param(2.0, 9e9, None, [2.0, 3.0], id="since"),
        pytest.param(0.0, 2.0, None, [1.0, 2.0], id="until"),
        pytest.param(0.0, 9e9, "a", [1.0, 3.0], id="guest"),
    ],
)
def test_a_part_of_a_recording(
    tmp_path: Path, since: float, until: float, guest: str | None, times: list[float]
) -> None:
    """Inputs and runs of that time and guest."""
    source = lines(
        tmp_path,
        Header(1, "abc"),
        *[Line(t, run=Ran(t, "p", g)) for t, g in ((1.0, "a"), (2.0, "b"), (3.0, "a"))],
        *[Line(t, Happened(Event("X", g))) for t, g in ((1.0, "a"), (2.0, "b"), (3.0, "a"))],
    )
    source.since, source.until, source.guest = since, until, guest
    assert [moment.at for moment in source.moments()] == times
    assert [ran.at for ran in source.ran] == times
    assert source.knows_runs


def test_runs_are_paired_by_their_time() -> None:
    """A second apart is the same run; more is another one."""
    then = [Ran(1.0, "p", "g", outcome="a"), Ran(10.0, "p", "g", outcome="b")]
    now = [Ran(2.0, "p", "g", outcome="a"), Ran(11.5, "p", "g", outcome="b")]
    assert differences(then, now) == [Difference(then[1], None), Difference(None, now[1])]


def test_the_golden_capture_of_a_real_qemu() -> None:
    """What the shipped policies make of it, to the last count."""
    from reactor.app.shipped import shipped_rules  # noqa: PLC0415
    from reactor.policyfile.check import load  # noqa: PLC0415

    tally = Tally(None, None)
    source = Source(Path(__file__).parents[2] / "golden" / "capture-7.2.jsonl")
    Player(load([shipped_rules()]).policies, EngineConfig(), tally.watch).play(source.moments())
    assert source.skipped_count == 0
    counted = {
        name: (dict(one.runs), dict(one.refused)) for name, one in sorted(tally.policies.items())
    }
    assert counted == GOLDEN


GOLDEN: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "panic-dump-reset": ({"succeeded": 2, "skipped": 1}, {}),
    "quorum-failure": ({"succeeded": 1}, {}),
    "quorum-report-bad": ({"succeeded": 1}, {}),
}
