"""Which loaded policies lack what on which guest: judged when somebody asks, then remembered.

Nothing is kept for each policy and guest: guests with the same policies and the same
equipment, as most of 5,000 are, are judged once.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from reactor.core.guest import Guest
from reactor.core.matching import Selection
from reactor.core.policy import Policy
from reactor.core.world import World
from reactor.policyfile.lacks import Lack, Standing, lacks
from reactor.policyfile.needs import Needs, needs_of

JUDGED_MAX = 100_000
"""Judgements that are remembered; beyond it all are made anew."""


class Lacking(NamedTuple):
    """A policy with something that it lacks."""

    policy: str
    lack: Lack


class Lackings(NamedTuple):
    """What policies lack on all guests of one kind: one object for all of them.

    ``policies`` is how many of them cannot do what they are for.
    """

    all: tuple[Lacking, ...] = ()
    policies: int = 0


NONE = Lackings()


class Judge:
    """Judges by what was found out of the guests.

    Args:
        standings: what is known of each guest that is connected and was looked at.
    """

    def __init__(self, standings: Mapping[str, Standing]) -> None:
        self._standings = standings
        self._needs: dict[str, Needs] = {}
        self._judged: dict[tuple[str, Standing], tuple[Lack, ...]] = {}
        self._groups: dict[tuple[int, Standing], tuple[Selection, Lackings]] = {}

    def adopt(self, policies: Iterable[Policy]) -> None:
        """Forget what was judged of policies that are no more."""
        revisions = {policy.revision for policy in policies}
        self._needs = {one: needs for one, needs in self._needs.items() if one in revisions}
        self._judged.clear()
        self._groups.clear()

    def needs(self, policy: Policy) -> Needs:
        """What the policy needs."""
        found = self._needs.get(policy.revision)
        if found is None:
            found = self._needs[policy.revision] = needs_of(policy)
        return found

    def standing(self, guest: Guest) -> Standing | None:
        """What is known of the guest; None before it was looked at, and while it is away."""
        return self._standings.get(guest.name) if guest.connected else None

    def of(self, policy: Policy, guest: Guest) -> tuple[Lack, ...]:
        """What this policy lacks on this guest, as far as is known."""
        standing = self.standing(guest)
        return () if standing is None else self._judge(policy, standing)

    def of_guest(self, world: World, guest: Guest) -> Lackings:
        """What the policies that select this guest lack on it."""
        standing = self.standing(guest)
        if standing is None:
            return NONE
        selection = world.selections[guest.name]
        key = (id(selection), standing)
        known = self._groups.get(key)
        if known is not None:
            return known[1]
        everything = tuple(self._all(selection, standing))
        number = len({one.policy for one in everything if one.lack.hinders})
        found = Lackings(everything, number)
        if len(self._groups) >= JUDGED_MAX:
            self._groups.clear()
        # The selection is kept with it, so that no other one gets its number.
        self._groups[key] = (selection, found)
        return found

    def _all(self, selection: Selection, standing: Standing) -> Iterator[Lacking]:
        for policy in selection.policies:
            for lack in self._judge(policy, standing):
                yield Lacking(policy.name, lack)

    def _judge(self, policy: Policy, standing: Standing) -> tuple[Lack, ...]:
        key = (policy.revision, standing)
        found = self._judged.get(key)
        if found is None:
            if len(self._judged) >= JUDGED_MAX:
                self._judged.clear()
            found = self._judged[key] = lacks(self.needs(policy), standing)
        return found
