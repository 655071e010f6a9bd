"""What the payload of each request may hold, as it is written."""

from typing import Annotated, Any, Literal

import msgspec

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Length = Annotated[str, msgspec.Meta(description="a duration: 30s, 10m, 2h, 1d")]


class Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every request may say of itself.

    ``id`` tells it from all others and stands in the answer, ``sent_at`` is when it was sent
    (seconds since 1970 or RFC 3339), ``by`` who asks, as far as one believes it.
    """

    id: Name | int | None = None
    sent_at: float | str | None = None
    by: Annotated[str, msgspec.Meta(max_length=100)] = ""


class ApproveForm(Form, frozen=True, kw_only=True):
    """The answer to a run that waits for approval."""

    do: Literal["yes", "no"]
    comment: str = ""


class MarkForm(Form, frozen=True, kw_only=True):
    """A mark on a guest or device.

    ``device`` is its id as it is, where a topic cannot hold it: its slug stands in the topic.
    """

    do: Literal["set", "clear"]
    reason: str = ""
    length: Length | None = msgspec.field(name="for", default=None)
    device: Name | None = None


class ClearForm(Form, frozen=True, kw_only=True):
    """All marks of one device."""

    do: Literal["clear"]
    device: Name | None = None


class SilenceForm(Form, frozen=True, kw_only=True):
    """A new silence; policies and guests are names or globs."""

    do: Literal["add"]
    policies: tuple[str, ...]
    guests: tuple[str, ...] = ("*",)
    length: Length = msgspec.field(name="for")
    comment: str = ""


class ExpireForm(Form, frozen=True, kw_only=True):
    """The end of a silence."""

    do: Literal["expire"]


class PolicyForm(Form, frozen=True, kw_only=True):
    """One policy, switched off for a time on all guests, or on again."""

    do: Literal["off", "on"]
    length: Length | None = msgspec.field(name="for", default=None)
    comment: str = ""


class HoldForm(Form, frozen=True, kw_only=True):
    """The big red button, pressed (without ``for``: until it is released) or released."""

    do: Literal["on", "off"]
    length: Length | None = msgspec.field(name="for", default=None)
    comment: str = ""


class InhibitForm(Form, frozen=True, kw_only=True):
    """The end of what policies inhibit on a guest."""

    do: Literal["off"]


class RunForm(Form, frozen=True, kw_only=True):
    """The end of an open run."""

    do: Literal["cancel"]
    comment: str = ""


class TriggerForm(Form, frozen=True, kw_only=True):
    """A run of a policy; ``data`` is the event's data as its expressions see it."""

    do: Literal["start"]
    data: dict[str, Any] = {}


class CommandForm(Form, frozen=True, kw_only=True):
    """A QMP command: its arguments as QEMU's schema has them, and how long it may take."""

    arguments: dict[str, Any] = {}
    timeout: Length | None = None
