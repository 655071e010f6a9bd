"""Which policies, steps and ways of a `choose` the tests reached."""

from collections.abc import Iterable
from dataclasses import dataclass

from reactor.app.scenario.recorder import Recorder
from reactor.app.scenario.steps_of import Spot, spots
from reactor.core.policy import Policy
from reactor.policyfile.runbooks import built_in


@dataclass(frozen=True, slots=True)
class Owner:
    """A policy or runbook with what can be reached in it, and what was."""

    name: str
    spots: tuple[Spot, ...]
    missed: tuple[Spot, ...]
    tested: bool

    @property
    def reached(self) -> int:
        """How many of the spots were reached."""
        return len(self.spots) - len(self.missed)


class Coverage:
    """Grows with every test that was played.

    The steps of a runbook count once, whichever policy runs them; those of the built-in
    runbooks do not count.
    """

    def __init__(self, policies: Iterable[Policy]) -> None:
        given = {f"runbook {name}" for name in built_in().books}
        self._reached: set[tuple[str, str]] = set()
        self._tested: set[str] = set()
        self._spots: dict[tuple[str, str], Spot] = {}
        self._keys: dict[str, dict[str, tuple[str, str]]] = {}
        for policy in policies:
            own = self._keys[policy.name] = {}
            for spot in spots(policy):
                if spot.owner not in given:
                    key = own[spot.path] = spot.owner, spot.own_path
                    self._spots.setdefault(key, spot)

    def add(self, names: Iterable[str], recorder: Recorder) -> None:
        """Count what a test of these policies has reached."""
        self._tested.update(names)
        for policy, path in recorder.reached:
            key = self._keys.get(policy, {}).get(path)
            if key is not None:
                self._reached.add(key)

    def owners(self) -> list[Owner]:
        """Every policy and runbook, in the order of their names."""
        found: dict[str, list[Spot]] = {name: [] for name in self._keys}
        for spot in self._spots.values():
            found.setdefault(spot.owner, []).append(spot)
        return [self._owner(name, mine) for name, mine in sorted(found.items())]

    def _owner(self, name: str, mine: list[Spot]) -> Owner:
        missed = [spot for spot in mine if (spot.owner, spot.own_path) not in self._reached]
        tested = name in self._tested or name not in self._keys
        return Owner(name, tuple(mine), tuple(missed), tested)

    def percent(self) -> float:
        """How much of all that can be reached was; 100 where there is nothing."""
        total = len(self._spots)
        return 100.0 * len(self._reached) / total if total else 100.0
