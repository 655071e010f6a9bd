"""Requests and messages that were refused, kept so that somebody can find them afterwards.

Whoever may publish decides how many there are. So of each reason only some are kept, the
next one with the number of those before it.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from reactor.adapters.journal import REFUSED, HistoryRow, InputRow
from reactor.core.bucket import Bucket
from reactor.core.by_hand import policy_name
from reactor.core.foreign import UNREADABLE
from reactor.core.message_telling import brief

AT_ONCE = 20
"""Refusals for one reason that are kept, one after the other."""

ONE_IN_S = 30.0
"""Seconds after which one more for that reason is kept."""

REASONS_MAX = 1000
"""Reasons that are told apart; the oldest is forgotten."""


class Refused(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was not done, and why.

    ``what`` is the topic, or the kind of an operator's order; ``more`` how many for that
    reason were not kept since the one before. ``guest`` and ``policy`` are empty where it
    names none.
    """

    at: float
    what: str
    reason: str
    fix: str = ""
    who: str = ""
    guest: str = ""
    policy: str = ""
    more: int = 0

    @property
    def sentence(self) -> str:
        """Who asked, why it was not done, and how many more there were."""
        who = f"by {self.who}: " if self.who else ""
        more = f" (and {self.more} more before it)" if self.more else ""
        return f"{who}{self.reason}{more}"

    def concerns(self, policy: str, guest: str) -> bool:
        """Whether it is about one of them, and about nobody else."""
        mine = (self.policy in {"", policy}, self.guest in {"", guest})
        return all(mine) and bool(self.policy or self.guest)


class Refusals:
    """Writes them down.

    Args:
        write: takes rows for the journal, some time soon.
        now: the engine's clock.
    """

    def __init__(
        self, write: Callable[[Sequence[InputRow]], None], now: Callable[[], float]
    ) -> None:
        self._write = write
        self._now = now
        self._kept: dict[str, tuple[Bucket, int]] = {}

    def note(  # noqa: PLR0913 - what is said of it
        self,
        why: str,
        what: str,
        reason: str,
        *,
        fix: str = "",
        who: str = "",
        about: tuple[str, str] = ("", ""),
    ) -> None:
        """Keep it, unless there were too many for that reason, ``why``.

        Args:
            about: the policy and the guest that it names.
        """
        now = self._now()
        bucket, untold = self._kept.pop(why, (Bucket(1 / ONE_IN_S, AT_ONCE), 0))
        if len(self._kept) >= REASONS_MAX:
            del self._kept[next(iter(self._kept))]
        if not bucket.take(now):
            self._kept[why] = (bucket, untold + 1)
            return
        self._kept[why] = (bucket, 0)
        policy, guest = map(brief, about)
        kept = Refused(now, brief(what), brief(reason), brief(fix), who, guest, policy, untold)
        self._write([InputRow(now, guest, REFUSED, kept.what, msgspec.json.encode(kept))])


def refused_of(row: HistoryRow) -> Refused | None:
    """What a row of that kind says; None when another version of reactor wrote it."""
    try:
        return msgspec.json.decode(row.body, type=Refused)
    except UNREADABLE:
        return None


def about_order(order: Mapping[str, object]) -> tuple[str, str]:
    """The policy and the guest that the members of an operator's order name."""
    command = order.get("command")
    policy = policy_name(str(command)) if command else order.get("policy", "")
    return str(policy), str(order.get("guest", ""))
