"""The lines of the control socket: JSON, one request, one answer."""

from enum import StrEnum

import msgspec

from reactor.core.foreign import UNREADABLE

VERSION = 1
"""Of the protocol: a daemon answers its own version only, and says which that is."""

LINE_MAX = 64 * 1024
"""Bytes of the longest request."""

ANSWER_MAX = 64 * 2**20
"""Bytes of the longest answer that a client takes."""


class Code(StrEnum):
    """How a request ended; everything but ``done`` is a reason why it was not done."""

    DONE = "done"
    REFUSED = "refused"
    FORBIDDEN = "forbidden"
    WRONG = "wrong"
    VERSION = "version"
    BUSY = "busy"
    LATE = "late"
    FAILED = "failed"


class Request(msgspec.Struct, frozen=True):
    """A question or an order: ``ask`` is for the application, and is not looked at here."""

    version: int
    ask: msgspec.Raw


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a request: ``text`` for people, ``data`` (JSON) for programs.

    Where it was not done, ``text`` is the problem and ``fix`` what to do about it.
    """

    code: Code = Code.DONE
    text: str = ""
    fix: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    version: int = VERSION


class Misread(Exception):  # noqa: N818 - the answer that the sender gets
    """A line is no request; ``answer`` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


class _Version(msgspec.Struct):
    version: int


_as_request = msgspec.json.Decoder(Request).decode
_as_version = msgspec.json.Decoder(_Version).decode
_as_answer = msgspec.json.Decoder(Answer).decode


def read_request(line: bytes) -> bytes:
    """What is asked for.

    Raises:
        Misread: it is not a request of this version.
    """
    try:
        # By itself, because another version may look otherwise beyond it.
        version = _as_version(line).version
        if version != VERSION:
            raise Misread(_other_version(version))
        return bytes(_as_request(line).ask)
    except UNREADABLE as error:
        text = f"the request cannot be read: {error}"
        fix = 'send one line of JSON: {"version": 1, "ask": {...}}'
        raise Misread(Answer(Code.WRONG, text, fix)) from None


def write_request(ask: bytes) -> bytes:
    """The line that asks for it."""
    return msgspec.json.encode(Request(VERSION, msgspec.Raw(ask))) + b"\n"


def read_answer(line: bytes) -> Answer:
    """The answer that the line holds.

    Raises:
        msgspec.MsgspecError: it is none of this version.
    """
    return _as_answer(line)


def write_answer(answer: Answer) -> bytes:
    """The line that says it."""
    return msgspec.json.encode(answer) + b"\n"


def _other_version(version: int) -> Answer:
    text = f"the daemon speaks version {VERSION} of the control protocol, not {version}"
    return Answer(Code.VERSION, text, "use the reactor command of the version that the daemon is")
