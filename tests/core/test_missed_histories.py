"""Whatever happens while the monitor comes and goes, each change is told once."""

import json
from collections import defaultdict
from collections.abc import Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reactor.core.effect import Log
from reactor.core.event import Event
from reactor.core.inputs import Connected, Happened
from tests.core.holdings import Holdings
from tests.core.simulation import Host, document

POLICY = document(
    "keeper",
    "[{log: '${event.name} ${data}'}]",
    "{event: [VSERPORT_CHANGE, JOB_STATUS_CHANGE, BALLOON_CHANGE, DEVICE_DELETED]}",
    "mode: queued\nmax: 1000\n",
)

Change = tuple[str, str, object]
"""The name of the event that tells of it, the key and its new state."""

CHANGES = st.one_of(
    st.tuples(st.just("VSERPORT_CHANGE"), st.sampled_from("pq"), st.booleans()),
    st.tuples(
        st.just("JOB_STATUS_CHANGE"),
        st.sampled_from("jk"),
        st.sampled_from(["created", "running", "ready", "concluded", "null"]),
    ),
    st.tuples(st.just("BALLOON_CHANGE"), st.just("actual"), st.integers(1, 3)),
    st.tuples(st.just("DEVICE_DELETED"), st.sampled_from("de"), st.none()),
)
MOVES = st.one_of(
    CHANGES,
    st.sampled_from(["break", "restart", "another QEMU", "reload", "hang"]),
    st.lists(CHANGES, max_size=4).map(tuple),
)
"""A change, something that befalls us, or a connect with what changes while QEMU is asked.

`hang`: the next connect gets no answer in time, and only then one.
"""


class Story:
    """A guest that changes, and what must have been told of it, by key."""

    def __init__(self) -> None:
        self.host = Host([POLICY])
        self.holds = self.host.guests["web-1"].holds = Holdings(balloon=1, devices={"d", "e"})
        self.truth = self._first()
        self.told = dict(self.truth)
        self.expected: dict[tuple[str, str], list[object]] = defaultdict(list)
        self.first_sight = self.hangs = False
        self.host.connect()

    def _first(self) -> dict[tuple[str, str], object]:
        state: dict[tuple[str, str], object] = {("BALLOON_CHANGE", "actual"): 1}
        state |= {("VSERPORT_CHANGE", port): False for port in "pq"}
        state |= {("JOB_STATUS_CHANGE", job): "null" for job in "jk"}
        return state | {("DEVICE_DELETED", device): True for device in "de"}

    def change(self, change: Change) -> Event | None:
        """Let it come true; the event of it, if it is one."""
        name, key, state = change
        if self.truth[name, key] == state:
            return None
        self.truth[name, key] = state
        data: dict[str, object] = {"id": key}
        match name:
            case "VSERPORT_CHANGE":
                self.holds.ports[key] = state is True
                data["open"] = state
            case "JOB_STATUS_CHANGE":
                self.holds.jobs[key] = str(state)
                if state == "null":
                    del self.holds.jobs[key]
                data["status"] = state
            case "DEVICE_DELETED":
                self.holds.devices.discard(key)
                data = {"device": key, "path": f"/machine/peripheral/{key}"}
            case _:
                self.holds.balloon = int(str(state))
                data = {"actual": state}
        return Event(name, "web-1", data)

    def heard(self, change: Change, event: Event | None, *, foretold: bool = False) -> None:
        """Let the event arrive."""
        if event is not None:
            self.host.give(Happened(Event(event.name, "web-1", event.data, foretold=foretold)))
            if not self.hangs:
                self.host.run(2)
            self._tell(*change)

    def _tell(self, name: str, key: str, state: object) -> None:
        self.expected[name, key].append(state)
        self.told[name, key] = state

    def connect(self, meanwhile: Sequence[Change]) -> None:
        """Connect while all this changes."""
        events = [(change, self.change(change)) for change in meanwhile]
        held = [event for _, event in events if event is not None]
        stirred = {change[:2] for change, event in events if event is not None}
        if self.first_sight:
            self.told = dict(self.truth)
            self.first_sight = False
        for key, state in self.truth.items():
            if self.told[key] != state and key not in stirred:
                if state == "null" and self.told[key] not in {"created", "concluded"}:
                    self._tell(*key, "concluded")
                self._tell(*key, state)
        engine, guest = self.host.engine, self.host.guests["web-1"]
        asked = engine.compared("web-1", {})
        compared = self.holds.asked(asked, [(event.name, event.data) for event in held])
        self.host.give(Connected("web-1", guest.epoch, guest.facts({} if self.hangs else compared)))
        if not self.hangs:
            self.host.run(1)
        for change, event in events:
            self.heard(change, event, foretold=True)
        self.hangs = False
        self.host.run(2)  # what was asked since, QEMU answers behind all of them

    def another_qemu(self) -> None:
        """What was known is no more; what is there is seen for the first time."""
        guest = self.host.guests["web-1"]
        guest.epoch += "1"
        self.holds = guest.holds = Holdings(balloon=1, devices={"d", "e"})
        self.truth = self._first()
        self.first_sight = True

    def found(self) -> dict[tuple[str, str], list[object]]:
        """What the policy was told, by key and in order."""
        told: dict[tuple[str, str], list[object]] = defaultdict(list)
        for effect in self.host.seen(Log):
            assert isinstance(effect, Log)
            name, _, text = effect.text.partition(" ")
            if name.isupper():
                data = json.loads(text)
                key = data.get("id", data.get("device", "actual"))
                told[name, key].append(data.get("open", data.get("status", data.get("actual"))))
        return told


@example(
    [
        "break",
        ("BALLOON_CHANGE", "actual", 2),
        (("BALLOON_CHANGE", "actual", 1),),
    ]
)
@given(st.lists(MOVES, max_size=25))
@settings(max_examples=60, deadline=None)
def test_every_change_is_told_once(  # noqa: C901 - one for each kind of move
    moves: Sequence[object],
) -> None:
    """As it came, or by the next connect: what is there then, if it was not told yet."""
    story = Story()
    connected = True
    for move in [*moves, ()]:
        match move:
            case "break" | "restart" | "another QEMU":
                story.host.disconnect("web-1")
                connected = False
                if move == "restart":
                    story.host.restart(connect=False)
                elif move == "another QEMU":
                    story.another_qemu()
            case "reload":
                story.host.load([POLICY])
            case "hang":
                story.hangs = not connected
            case (str(), str(), _):
                event = story.change(move)  # type: ignore[arg-type]
                if connected:
                    story.heard(move, event)  # type: ignore[arg-type]
            case tuple():
                if not connected:
                    story.connect(move)
                    connected = True
            case _:
                raise AssertionError(move)
        story.host.run(1)
    assert story.found() == story.expected
