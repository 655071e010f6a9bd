"""Virtual time jumps from one entry to the next."""

import pytest

from reactor.app.scenario import agenda as module
from reactor.app.scenario.agenda import Agenda, Restless


def test_entries_are_done_in_the_order_of_their_times_and_of_their_coming() -> None:
    """Two of the same time keep their order; the clock stands where the entry was due."""
    agenda, done = Agenda(100.0), []
    for name, after in (("late", 2.0), ("first", 1.0), ("second", 1.0)):
        agenda.after(after, lambda name=name: done.append((name, agenda.now)))  # type: ignore[misc]
    while agenda.next() is not None:
        agenda.take()()
    assert done == [("first", 101.0), ("second", 101.0), ("late", 102.0)]


def test_the_clock_never_goes_back() -> None:
    """What should have been done before is done now."""
    agenda = Agenda(100.0)
    agenda.jump(110.0)
    agenda.jump(105.0)
    agenda.at(90.0, lambda: None)
    assert (agenda.now, agenda.next()) == (110.0, 110.0)


def test_a_simulation_that_feeds_itself_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of entries that wait has a bound."""
    monkeypatch.setattr(module, "ENTRIES_MAX", 3)
    agenda = Agenda(0.0)
    for _ in range(3):
        agenda.after(1.0, lambda: None)
    with pytest.raises(Restless, match="more than 3 things wait to happen"):
        agenda.after(1.0, lambda: None)
