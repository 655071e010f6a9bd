"""``count`` within ``within``: windows of event times, one for each trigger and key."""

from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reactor.core.identity import policy_in
from reactor.core.windows import KEYS_KEPT


def arrive(times: list[float], at: float, count: int, within: float) -> bool:
    """Take in one event; true when it completes ``count``, and the window is empty then.

    ``times`` stay sorted, at most ``count`` of them. A window is (t - within, t]. Times
    need not come in order, and a clock that was set back by hours begins anew: a
    time that none of the kept ones lies near to pushes out the one that is farthest.
    """
    if not times or at >= times[-1]:
        del times[: bisect_right(times, at - within)]
    insort(times, at)
    if _complete(times, at, count, within):
        times.clear()
        return True
    if len(times) > count:
        del times[0 if at - times[0] > times[-1] - at else -1]
    return False


def _complete(times: list[float], at: float, count: int, within: float) -> bool:
    return any(
        times[end - 1] - within < times[end - count] <= at <= times[end - 1]
        for end in range(count, len(times) + 1)
    )


@dataclass(slots=True)
class Window:
    """The times of the events that count, sorted; ``within`` is its length in seconds."""

    within: float
    times: list[float]

    @property
    def over(self) -> float:
        """When the latest event leaves the window."""
        return self.times[-1] + self.within


class EventWindows:
    """The windows of all triggers with ``count``, by policy and name, the last used at the end.

    A window's name begins with that of its policy.
    """

    __slots__ = ("_policies",)

    def __init__(self) -> None:
        self._policies: dict[str, OrderedDict[str, Window]] = {}

    def __iter__(self) -> Iterator[tuple[str, Window]]:
        """All windows with their names."""
        return (item for windows in self._policies.values() for item in windows.items())

    def of(self, policy: str) -> Mapping[str, Window]:
        """The windows of a policy, by name."""
        return self._policies.get(policy, {})

    def use(self, name: str, within: float) -> Window:
        """The window of this name, new or not; it is the last used now."""
        windows = self._policies.setdefault(policy_in(name), OrderedDict())
        window = windows.get(name)
        if window is None:
            window = windows[name] = Window(within, [])
        else:
            windows.move_to_end(name)
        return window

    def find(self, name: str) -> Window:
        """The window of this name, which there is."""
        return self._policies[policy_in(name)][name]

    def drop(self, name: str) -> None:
        """Forget a window."""
        policy = policy_in(name)
        windows = self._policies[policy]
        del windows[name]
        if not windows:
            del self._policies[policy]

    def surplus(self, policy: str) -> str | None:
        """The least recently used window of a policy that has one too many."""
        windows = self._policies[policy]
        return next(iter(windows)) if len(windows) > KEYS_KEPT else None
