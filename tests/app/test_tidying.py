"""When Python looks through everything: at rest, seldom, and in the end all the same."""

import asyncio
import gc
from collections.abc import Callable, Iterator

import pytest

from reactor.app import tidying
from reactor.app.tidying import tidy
from reactor.demo.waiting import until

pytestmark = pytest.mark.asyncio


class Looks:
    """Counts the looks through everything; nothing is really looked through."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self) -> int:
        """One more look."""
        self.number += 1
        return 0


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Looks]:
    """A minute has a hundredth of a second here."""
    made = Looks()
    monkeypatch.setattr(gc, "collect", made)
    monkeypatch.setattr(tidying, "LEAST_S", 0.01)
    monkeypatch.setattr(tidying, "LOOK_S", 0.001)
    before = gc.get_threshold()
    yield made
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def begun(is_quiet: Callable[[], bool]) -> asyncio.Task[None]:
    """A daemon that is ready."""
    ready = asyncio.Event()
    ready.set()
    return asyncio.create_task(tidy(ready, is_quiet))


async def ended(task: asyncio.Task[None]) -> None:
    """The daemon's end."""
    task.cancel()
    await asyncio.wait([task])


async def test_it_is_looked_again_and_again_when_nothing_waits(looks: Looks) -> None:
    """By us alone: Python itself takes the short looks only."""
    task = begun(lambda: True)
    await until("it looks", lambda: looks.number > 3)
    assert gc.get_threshold()[2] == tidying.NEVER
    assert gc.get_freeze_count() > 0
    await ended(task)


async def test_not_while_something_waits(looks: Looks) -> None:
    """Right after it."""
    waits = True
    asked = 0

    def is_quiet() -> bool:
        nonlocal asked
        asked += 1
        return not waits

    task = begun(is_quiet)
    await until("it wants to look", lambda: asked > 3)
    assert looks.number == 1  # that of the start
    waits = False
    await until("it looks", lambda: looks.number > 1)
    await ended(task)


async def test_what_is_never_at_rest_is_tidied_too(
    looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later."""
    monkeypatch.setattr(tidying, "PATIENCE", 3)
    task = begun(lambda: False)
    await until("it looks", lambda: looks.number > 2)
    await ended(task)


@pytest.mark.parametrize(
    ("took_s", "pause_s"),
    [
        pytest.param(0.0, 60.0, id="at once"),
        pytest.param(0.06, 60.0, id="a thousandth of a minute"),
        pytest.param(0.12, 120.0, id="twice as long"),
    ],
)
async def test_looks_take_a_thousandth_of_the_time(took_s: float, pause_s: float) -> None:
    """With thousands of guests one takes long, and is not repeated soon."""
    assert tidying.pause_after(took_s) == pytest.approx(pause_s)


async def test_a_daemon_that_never_came_up_is_not_looked_at(looks: Looks) -> None:
    """What is there then does not stay."""
    task = asyncio.create_task(tidy(asyncio.Event(), lambda: True))
    await asyncio.sleep(0)
    await ended(task)
    assert looks.number == 0
