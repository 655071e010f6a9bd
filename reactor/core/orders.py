"""What an operator's hand may ask of the engine, from the command line, a page or MQTT."""

from collections.abc import Mapping

import msgspec


class Approve(msgspec.Struct, frozen=True, tag="approve"):
    """Answer a run that waits for approval; ``yes`` False cancels it."""

    run: str
    yes: bool = True
    comment: str = ""


class CancelRun(msgspec.Struct, frozen=True, tag="cancel-run"):
    """End an open run as ``cancelled``, once its command in flight is answered."""

    run: str
    comment: str = ""


class StartRun(msgspec.Struct, frozen=True, tag="start-run"):
    """Let a policy match on a guest, as its trigger would: admission follows.

    ``data`` is the event's data as the policy's expressions see it.
    """

    policy: str
    guest: str
    data: Mapping[str, object] = {}


class AnswerTo(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the end of a run is told to who ordered it over MQTT.

    ``reply`` is a topic below ``<prefix>/<host>/``; ``id``, ``topic`` and ``correlation``
    (base64) are those of the order, by which its sender knows the answer.
    """

    reply: str
    topic: str
    id: str = ""
    correlation: str = ""


class RunCommand(msgspec.Struct, frozen=True, tag="run-command"):
    """Send one QMP command to one guest, as a run of its own; ``timeout`` in seconds.

    ``answer`` None: nobody waits for what QEMU says.
    """

    guest: str
    command: str
    arguments: Mapping[str, object] = {}
    timeout: float = 30.0
    answer: AnswerTo | None = None


class AddSilence(msgspec.Struct, frozen=True, tag="add-silence"):
    """Refuse new runs of these policies on these guests (globs) for ``seconds``."""

    policies: tuple[str, ...]
    guests: tuple[str, ...]
    seconds: float
    comment: str = ""


class ExpireSilence(msgspec.Struct, frozen=True, tag="expire-silence"):
    """End a silence now."""

    silence: str


class SwitchPolicy(msgspec.Struct, frozen=True, tag="switch-policy"):
    """Keep one policy from starting runs for ``seconds``, or (``on``) let it start them again.

    Off is a silence of that policy on all guests; on ends all such silences.
    """

    policy: str
    on: bool
    seconds: float = 0.0
    comment: str = ""


class HoldGuests(msgspec.Struct, frozen=True, tag="hold"):
    """The big red button, for one guest, or (``guest`` empty) for all.

    ``seconds`` None: until it is released.
    """

    guest: str = ""
    seconds: float | None = None
    comment: str = ""


class ReleaseGuests(msgspec.Struct, frozen=True, tag="release"):
    """End a hold: that of one guest, or (``guest`` empty) that of all."""

    guest: str = ""


class EndInhibitions(msgspec.Struct, frozen=True, tag="end-inhibitions"):
    """Let policies run again on a guest that other policies keep away from it."""

    guest: str


class SetMark(msgspec.Struct, frozen=True, tag="set-mark"):
    """Put a mark on a guest by hand; ``seconds`` None: it does not expire."""

    guest: str
    kind: str
    id: str
    word: str
    reason: str = ""
    seconds: float | None = None


class ClearMark(msgspec.Struct, frozen=True, tag="clear-mark"):
    """Take marks away by hand; ``word`` empty: all of that id."""

    guest: str
    kind: str
    id: str
    word: str = ""


Order = (
    Approve
    | CancelRun
    | StartRun
    | RunCommand
    | AddSilence
    | ExpireSilence
    | SwitchPolicy
    | HoldGuests
    | ReleaseGuests
    | EndInhibitions
    | SetMark
    | ClearMark
)
