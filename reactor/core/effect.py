"""Everything the engine can ask for, as data: who delivers it is not its business."""

from collections.abc import Mapping

import msgspec

from reactor.core.event import Event
from reactor.core.marks import Mark


class Execute(msgspec.Struct, frozen=True, tag="execute"):
    """Send a QMP command; the reply comes back as ``Answered`` with the same id.

    ``deadline`` is on the engine's clock: a reply that is later counts as lost.
    ``changes`` is false for queries, which need no intent in the journal.
    ``step`` is the path of the step that sends it; empty for what is only asked
    because a guard or condition wants to know.
    """

    id: str
    guest: str
    command: str
    arguments: Mapping[str, object]
    deadline: float
    changes: bool = True
    run: str = ""
    step: str = ""


class AskPath(msgspec.Struct, frozen=True, tag="ask-path"):
    """Ask whether a dump may be written to ``path``; answered with ``Answered``.

    The result is null when it may; an error names the reason. ``memory_bytes`` is what the guest
    has, 0 where unknown. ``is_told``: a ``Dumped`` or a ``Discard`` will say what became of it.

    With ``size`` the question is what a dump has left there: the result is its bytes, null
    where it is not.
    """

    id: str
    path: str
    size: bool = False
    guest: str = ""
    run: str = ""
    policy: str = ""
    memory_bytes: int = 0
    is_told: bool = False


class AskFree(msgspec.Struct, frozen=True, tag="ask-free"):
    """Ask how many bytes are free where ``path`` is; the result is a whole number."""

    id: str
    path: str


class CallAgent(msgspec.Struct, frozen=True, tag="call-agent"):
    """Send a command to the guest agent of a guest.

    ``deadline`` is on the engine's clock. ``replies`` False: the command answers
    by what it does only (``guest-shutdown``); it is answered once it is sent.
    """

    id: str
    guest: str
    command: str
    arguments: Mapping[str, object]
    deadline: float
    replies: bool = True
    run: str = ""
    step: str = ""


class CallHttp(msgspec.Struct, frozen=True, tag="call-http"):
    """Send an HTTP request; ``json`` goes as its body where ``has_body``.

    The result is ``{status, body, json}``; a status that is not in ``expect`` is an error.
    """

    id: str
    guest: str
    method: str
    url: str
    headers: Mapping[str, str]
    deadline: float
    json: object = None
    has_body: bool = False
    expect: tuple[int, ...] = (200,)
    run: str = ""
    step: str = ""


class StartProgram(msgspec.Struct, frozen=True, tag="start-program"):
    """Run a program of the host, never through a shell, and wait for its end.

    The result is ``{code, stdout, stderr}``; an exit code that is not 0 is an error.
    """

    id: str
    guest: str
    program: str
    arguments: tuple[str, ...]
    deadline: float
    run: str = ""
    policy: str = ""
    step: str = ""


class Reply(msgspec.Struct, frozen=True, tag="reply"):
    """What became of an operator's order; ``text`` is the sentence that he reads.

    ``data`` is for programs: ``{"run": ID}``, ``{"silence": ID}``. ``fix`` is what to do where
    it was refused.
    """

    id: str
    ok: bool
    text: str
    data: Mapping[str, object] = {}
    fix: str = ""


class Discard(msgspec.Struct, frozen=True, tag="discard"):
    """Remove what a failed dump of ours left at ``path``."""

    path: str


class Dumped(msgspec.Struct, frozen=True, tag="dumped"):
    """The dump at ``path`` is whole."""

    path: str
    guest: str
    run: str


class Publish(msgspec.Struct, frozen=True, tag="publish"):
    """Put a message into the outbox.

    ``topic`` stands below ``<prefix>/<host>/`` unless ``absolute``. After ``expiry_s``
    seconds nobody wants it any more; None: somebody always does.
    """

    topic: str
    payload: object
    qos: int = 1
    retain: bool = False
    absolute: bool = False
    properties: Mapping[str, str] = {}
    run: str = ""
    step: str = ""
    expiry_s: float | None = None


class MarkSet(msgspec.Struct, frozen=True, tag="mark-set"):
    """A mark was set or renewed."""

    mark: Mark


class MarkCleared(msgspec.Struct, frozen=True, tag="mark-cleared"):
    """A mark is gone: cleared by a policy or expired."""

    mark: Mark


class EventSeen(msgspec.Struct, frozen=True, tag="event-seen"):
    """An event that the engine made (``REACTOR_*``, synthetic) or found to be its own doing.

    Any other event stands in the journal as it came in; no effect is spent on it.
    """

    event: Event


class RunChanged(msgspec.Struct, frozen=True, tag="run-changed"):
    """What the world is told of a run: its state, present step and outcome.

    ``state`` is a sentence for people, ``word`` the same for programs (``waiting-approval``),
    ``ask`` what an operator is asked before the run begins, if he is.
    ``step`` is the path of the step that begins and ``verb`` what it does.
    ``role`` is ``run``, or ``on_limit`` for the handler of a refused match.
    ``ended`` is None while the run is open, its handlers included.
    """

    run: str
    policy: str
    guest: str
    state: str
    word: str = ""
    ask: str = ""
    role: str = "run"
    step: str = ""
    verb: str = ""
    outcome: str = ""
    error: str = ""
    admitted: float | None = None
    started: float | None = None
    ended: float | None = None


class GuestChanged(msgspec.Struct, frozen=True, tag="guest-changed"):
    """What the world is told of a guest."""

    guest: str
    status: str
    since: float
    connected: bool
    uuid: str = ""
    kind: str = "vm"
    qemu_version: str = ""
    labels: Mapping[str, str] = {}
    gone: bool = False


class Trace(msgspec.Struct, frozen=True, tag="trace", omit_defaults=True):
    """Why something was or was not done; ``path`` is the place in the policy.

    ``reason`` is the sentence that the operator reads; ``values`` are what the
    decision was made from.
    """

    at: float
    policy: str
    guest: str
    path: str
    verdict: str
    reason: str = ""
    run: str = ""
    values: Mapping[str, object] = {}


class Log(msgspec.Struct, frozen=True, tag="log"):
    """A line for the operator's log; ``level`` is ``debug``, ``info`` or ``warning``.

    ``title`` says who speaks, or what it is about: a policy, an operator, the engine.
    """

    level: str
    text: str
    policy: str = ""
    guest: str = ""
    run: str = ""
    step: str = ""
    title: str = "policy says"


class Keep(msgspec.Struct, frozen=True, tag="keep"):
    """State that must survive: ``value`` replaces what ``kind``/``key`` held.

    None takes it away. Everything that the engine wants to know after a
    restart leaves as a ``Keep``: their fold IS the engine's snapshot.
    """

    kind: str
    key: str
    value: bytes | None


Effect = (
    Execute
    | AskPath
    | AskFree
    | CallAgent
    | CallHttp
    | StartProgram
    | Reply
    | Discard
    | Dumped
    | Publish
    | MarkSet
    | MarkCleared
    | EventSeen
    | RunChanged
    | GuestChanged
    | Trace
    | Log
    | Keep
)
