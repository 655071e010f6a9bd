"""How things stood when a command was about to be sent: what a probe compares with."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from reactor.core.event import Event
from reactor.core.inputs import Answered, Facts


class Manner(StrEnum):
    """How the command is done, as far as a probe must know."""

    PLAIN = ""
    DETACHED = "detached"
    KEPT = "kept"


class Intent(msgspec.Struct, frozen=True, omit_defaults=True):
    """A command, and what was known before it went out.

    ``effect`` is its id, ``subject`` the device, job, node or object that it names.
    ``KEPT`` is a job that stays until it is dismissed, ``DETACHED`` a dump that is
    answered when it has begun.
    """

    effect: str
    command: str
    at: float
    subject: str = ""
    manner: Manner = Manner.PLAIN
    status: str = ""
    dump: str = ""
    migration: str = ""


class Doubt(msgspec.Struct, omit_defaults=True):
    """A command of which nobody said what became of it: ``why``, and since when.

    ``at`` moves on by all the time in which nobody could look; ``looked`` is when somebody
    did last. ``cut``: events may have been missed meanwhile. ``proof`` is what was answered
    to the question that was asked for its sake.
    """

    why: str
    at: float
    looked: float = 0.0
    cut: bool = False
    proof: Answered | None = None


_SUBJECTS: Mapping[str, tuple[str, ...]] = {
    "device_del": ("id",),
    "device_add": ("id",),
    "object-add": ("id",),
    "object-del": ("id",),
    "chardev-add": ("id",),
    "chardev-remove": ("id",),
    "block-export-add": ("id",),
    "block-export-del": ("id",),
    "blockdev-add": ("node-name",),
    "blockdev-del": ("node-name",),
    "blockdev-snapshot-sync": ("snapshot-node-name",),
    "eject": ("id", "device"),
    "blockdev-open-tray": ("id", "device"),
    "blockdev-close-tray": ("id", "device"),
    "blockdev-insert-medium": ("id",),
    "blockdev-remove-medium": ("id",),
    "nbd-server-add": ("name", "device"),
    "nbd-server-remove": ("name",),
    "blockdev-create": ("job-id",),
    "snapshot-save": ("job-id",),
    "snapshot-load": ("job-id",),
    "snapshot-delete": ("job-id",),
}
_OF_BITMAPS = frozenset({"block-dirty-bitmap-add", "block-dirty-bitmap-remove"})
_OF_JOBS = ("job-id", "device", "id")


def intent_of(  # noqa: PLR0913 - each is another fact
    effect: str,
    command: str,
    arguments: Mapping[str, object],
    *,
    status: str,
    facts: Facts,
    now: float,
) -> Intent:
    """What must be known of this command, should it come in doubt."""
    return Intent(
        effect,
        command,
        now,
        _subject(command, arguments),
        _manner(arguments),
        status,
        facts.dump,
        facts.migration,
    )


def _subject(command: str, arguments: Mapping[str, object]) -> str:
    if command in _OF_BITMAPS:
        return f"{arguments.get('node', '')}/{arguments.get('name', '')}"
    names = (arguments.get(name) for name in _SUBJECTS.get(command, _OF_JOBS))
    return next((name for name in names if isinstance(name, str)), "")


def _manner(arguments: Mapping[str, object]) -> Manner:
    if arguments.get("detach") is True:
        return Manner.DETACHED
    return Manner.KEPT if arguments.get("auto-dismiss") is False else Manner.PLAIN


_PLAIN = frozenset("RESET RESUME SHUTDOWN POWERDOWN DUMP_COMPLETED MIGRATION".split())
_HEARD_MAX = 16


def evidence(event: Event) -> str:
    """What the event says of a command in flight, as one word; empty where nothing."""
    if event.synthetic:
        return ""  # made of the facts that a probe looks at itself
    if event.name == "RESET":
        return "" if event.data.get("guest") is True else event.name
    if event.name in _PLAIN:
        return event.name
    if event.name == "DEVICE_DELETED":
        return f"{event.name} {event.data.get('device', '')}"
    if event.name == "JOB_STATUS_CHANGE":
        return f"JOB {event.data.get('id', '')}"
    if event.name.startswith("BLOCK_JOB_"):
        return f"JOB {event.data.get('device', '')}"
    return ""


def heard_with(heard: tuple[str, ...], event: Event) -> tuple[str, ...]:
    """What was heard, and this event; at most 16 different ones."""
    word = evidence(event)
    if not word or word in heard or len(heard) >= _HEARD_MAX:
        return heard
    return (*heard, word)
