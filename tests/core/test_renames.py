"""MEM_UNPLUG_ERROR and DEVICE_UNPLUG_GUEST_ERROR are one: either name matches both."""

import pytest

from reactor.core.event import Event
from reactor.core.matching import meant
from reactor.core.trigger_memory import RENAMES_KEPT
from tests.core.simulation import Host, document
from tests.core.triggers import (
    absent,
    fired,
    followed_by,
    happen,
    match,
    misses,
    on,
    with_triggers,
)

OLD, NEW = "MEM_UNPLUG_ERROR", "DEVICE_UNPLUG_GUEST_ERROR"
D = {"device": "dimm0"}


@pytest.mark.parametrize(
    ("patterns", "event", "data", "fits"),
    [
        pytest.param([OLD], OLD, D, True, id="the old name"),
        pytest.param([OLD], NEW, D, True, id="the new one for the old"),
        pytest.param([NEW], OLD, D, True, id="the old one for the new"),
        pytest.param(["MEM_*"], NEW, D, True, id="a glob of the old one"),
        pytest.param(["DEVICE_*"], OLD, D, True, id="a glob of the new one"),
        pytest.param([OLD, NEW], NEW, D, True, id="both"),
        pytest.param([OLD], NEW, {"path": "/x"}, False, id="without a device they are not one"),
        pytest.param([NEW], NEW, {"path": "/x"}, True, id="but it is still itself"),
        pytest.param(["RESET"], NEW, D, False, id="another"),
    ],
)
def test_either_name_means_both(
    patterns: list[str], event: str, data: dict[str, object], fits: bool
) -> None:
    """In triggers, as a second event, in `cancel_on`, and in waits; once, by both names."""
    host = Host([with_triggers(on(*patterns))]).connect()
    assert fired(happen(host, event, data)) == ([event] if fits else [])

    host = Host([with_triggers(on("A", sequel=followed_by(*patterns)))]).connect()
    happen(host, "A")
    assert len(fired(happen(host, event, data))) == fits

    trigger = on("A", sequel=absent("B"), cancel_on=(match(*patterns),))
    host = Host([with_triggers(trigger)]).connect()
    happen(host, "A")
    assert bool(happen(host, event, data).engine.world.triggers.sequels) is not fits

    assert meant(Event(event, "web-1", data), patterns) is fits


def test_a_wait_hears_the_other_name() -> None:
    """The step's `event` is any of the two."""
    waits = document("p", f"[{{wait: {{event: {OLD}, timeout: 10s}}}}, {{publish: came}}]")
    host = Host([waits]).connect()
    happen(host, "GO")
    happen(host, NEW, D)
    assert host.published() == [("came", None)]


def test_the_condition_and_the_key_see_the_event_as_it_was_sent() -> None:
    """`event.name` is as sent."""
    trigger = on(OLD, where=f'event.name == "{NEW}" && data.device == "dimm0"', by="data.device")
    host = Host([with_triggers(trigger)]).connect()
    assert fired(happen(host, NEW, D)) == [NEW]


@pytest.mark.parametrize(
    ("after", "second", "data", "guest", "runs"),
    [
        pytest.param(0.0, OLD, D, "web-1", 1, id="at once"),
        pytest.param(2.0, OLD, D, "web-1", 1, id="two seconds later"),
        pytest.param(2.1, OLD, D, "web-1", 2, id="later: another failure"),
        pytest.param(1.0, NEW, D, "web-1", 1, id="the same name again"),
        pytest.param(1.0, OLD, {"device": "dimm1"}, "web-1", 2, id="another device"),
        pytest.param(1.0, OLD, D, "web-2", 2, id="another guest"),
        pytest.param(1.0, NEW, {"path": "/x"}, "web-1", 2, id="without a device"),
    ],
)
def test_of_those_for_one_device_within_two_seconds_the_first_counts(
    after: float, second: str, data: dict[str, object], guest: str, runs: int
) -> None:
    """QEMU sends both, one after the other."""
    host = Host([with_triggers(on(OLD, NEW))], guests=("web-1", "web-2")).connect()
    happen(host, NEW, D)
    host.at(after, lambda: happen(host, second, data, guest=guest))
    host.run(5)
    assert len(fired(host)) == runs
    assert len(misses(host)) == 2 - runs


def test_a_near_miss_names_the_first_one() -> None:
    """And how long ago it was."""
    host = Host([with_triggers(on(NEW))]).connect()
    happen(host, OLD, D)
    host.run(0.5)
    happen(host, NEW, D)
    assert misses(host) == [("the same came under its other name", f"{OLD}, 500ms before")]


def test_what_was_seen_survives_a_restart_and_is_forgotten_in_time() -> None:
    """Nothing is left of it after two seconds."""
    host = Host([with_triggers(on(NEW))]).connect()
    happen(host, OLD, D)
    host.restart()
    happen(host, NEW, D)
    assert len(fired(host)) == 1
    host.run(3)
    assert not any(kind == "renamed" for kind, _ in host.kept)
    happen(host, NEW, D)
    assert len(fired(host)) == 2


def test_what_was_seen_is_bounded() -> None:
    """A guest that invents devices cannot fill the memory."""
    host = Host([with_triggers(on(NEW))]).connect()
    for number in range(RENAMES_KEPT + 5):
        happen(host, NEW, {"device": f"dimm{number}"})
    assert len(host.engine.world.triggers.seen) == RENAMES_KEPT
    assert host.engine.world.triggers.dropped["renamed"] == 5
