"""What holds runs back: an operator's silences and holds, and inhibitions by other policies."""

from fnmatch import fnmatchcase

import msgspec


class Silence(msgspec.Struct, frozen=True, omit_defaults=True):
    """New runs of these policies on these guests (globs) are refused until then."""

    id: str
    policies: tuple[str, ...]
    guests: tuple[str, ...]
    since: float
    until: float
    who: str
    comment: str = ""

    def covers(self, policy: str, guest: str) -> bool:
        """Whether this policy on this guest is meant."""
        return self.covers_policy(policy) and self.covers_guest(guest)

    def covers_policy(self, policy: str) -> bool:
        """Whether this policy is meant, on some guest."""
        return any(fnmatchcase(policy, glob) for glob in self.policies)

    def covers_guest(self, guest: str) -> bool:
        """Whether this guest is meant, for some policy."""
        return any(fnmatchcase(guest, glob) for glob in self.guests)


class Hold(msgspec.Struct, frozen=True, omit_defaults=True):
    """The big red button for one guest, or (``guest`` empty) for all; ``until`` None: for ever."""

    guest: str
    since: float
    who: str
    until: float | None = None
    comment: str = ""


class Inhibition(msgspec.Struct, frozen=True, omit_defaults=True):
    """New runs of the policies of one glob are refused on one guest, but never those of ``by``."""

    guest: str
    policies: str
    by: str
    run: str
    until: float

    @property
    def key(self) -> str:
        """The identity as one string; each part has its ``/`` and ``%`` escaped."""
        parts = (self.by, self.policies, self.guest)
        return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)


class Restraints:
    """All that stands now; ``number`` is that of the latest silence there ever was."""

    __slots__ = ("_guests", "holds", "inhibitions", "number", "silences")

    def __init__(self) -> None:
        self.number = 0
        self.silences: dict[str, Silence] = {}
        self.holds: dict[str, Hold] = {}
        self.inhibitions: dict[str, Inhibition] = {}
        self._guests: dict[str, dict[str, Inhibition]] = {}

    def rows(self) -> list[tuple[str, str, object]]:
        """All that must survive: kind, key, value."""
        rows: list[tuple[str, str, object]] = []
        if self.number:
            rows.append(("number", "silence", self.number))
        rows += [("silence", name, silence) for name, silence in self.silences.items()]
        rows += [("hold", name, hold) for name, hold in self.holds.items()]
        rows += [("inhibition", key, row) for key, row in self.inhibitions.items()]
        return rows

    def silence(self, policy: str, guest: str, now: float) -> Silence | None:
        """The silence that covers the policy on the guest, the longest of several."""
        found = [s for s in self.silences.values() if s.until > now and s.covers(policy, guest)]
        return max(found, key=lambda silence: silence.until, default=None)

    def hold(self, guest: str, now: float) -> Hold | None:
        """The hold under which the guest stands: its own, or else that of all."""
        for name in (guest, ""):
            hold = self.holds.get(name)
            if hold is not None and (hold.until is None or hold.until > now):
                return hold
        return None

    def inhibition(self, policy: str, guest: str, now: float) -> Inhibition | None:
        """What inhibits the policy on the guest, the longest of several."""
        found = [
            row
            for row in self._guests.get(guest, {}).values()
            if row.until > now and row.by != policy and fnmatchcase(policy, row.policies)
        ]
        return max(found, key=lambda row: row.until, default=None)

    def inhibit(self, row: Inhibition) -> bool:
        """Inhibit; false when what stands already lasts as long: the longer of two wins."""
        known = self.inhibitions.get(row.key)
        if known is not None and known.until >= row.until:
            return False
        self.inhibitions[row.key] = self._guests.setdefault(row.guest, {})[row.key] = row
        return True

    def uninhibit(self, key: str) -> None:
        """Take an inhibition away."""
        row = self.inhibitions.pop(key)
        rows = self._guests[row.guest]
        del rows[key]
        if not rows:
            del self._guests[row.guest]
