"""What the operator's verbs share: where the daemon is, asking it, and what it answers."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from reactor.cli.exits import NotRunningError, RefusedError, UsageError
from reactor.cli.screen import Screen, to_json
from reactor.errors import (
    ControlError,
    JournalError,
    LostReply,
    NoDaemonError,
    ReactorError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reactor.adapters.control import Answer
    from reactor.adapters.journal import Reader
    from reactor.app.absences import Absence
    from reactor.app.control.asks import Ask
    from reactor.app.settings import Settings
    from reactor.core.orders import Order

OPEN_MAX = 1000
"""Open runs that are counted where the daemon does not run."""

Listed = Literal["table", "json", "jsonl"]
Whole = Literal["table", "json"]
Said = Literal["text", "json"]

Config = Annotated[
    Path | None,
    typer.Option(
        "-c",
        "--config",
        metavar="FILE",
        readable=False,
        help="The settings file of the daemon; else it is looked for as `reactor run` does.",
    ),
]
JournalPath = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        metavar="PATH",
        readable=False,
        help="The journal of the daemon, where the settings name another.",
    ),
]
ListOutput = Annotated[
    Listed, typer.Option("-o", "--output", help="For people (table) or for programs.")
]
WholeOutput = Annotated[
    Whole, typer.Option("-o", "--output", help="For people (table) or for programs.")
]
SaidOutput = Annotated[
    Said, typer.Option("-o", "--output", help="For people (text) or for programs.")
]
Comment = Annotated[
    str, typer.Option("--comment", metavar="TEXT", help="Why; kept with who and when.")
]


def said(comment: str, verb: str) -> str:
    """The comment, where one is demanded.

    Raises:
        UsageError: it says nothing.
    """
    if not comment.strip():
        fix = "say why, for who looks next: --comment 'disk swap'"
        raise UsageError(verb, "the comment is empty", fix)
    return comment


def named(guest: str | None, verb: str) -> str:
    """The guest that is meant; empty, for all, only where none was named.

    Raises:
        UsageError: an empty name, as a variable of a script that is not set: not all are meant.
    """
    if guest is not None and not guest.strip():
        fix = "name a guest, or leave --guest out for all"
        raise UsageError(verb, "the name of the guest is empty", fix)
    return guest or ""


def still_sentence(absence: "Absence", count: int) -> str:
    """Since when the daemon does not run, and that open runs do not go on, as one line."""
    if not count:
        return absence.last
    number = f"{count} or more" if count == OPEN_MAX else str(count)
    are = "open run stands" if count == 1 else "open runs stand"
    return f"{absence.last}; {number} {are} still until it is started"


class Daemon:
    """The daemon that these settings belong to, whether or not it runs.

    Args:
        verb: who asks, such as ``reactor runs show``.
    """

    def __init__(self, verb: str, config: Path | None, journal: Path | None) -> None:
        from reactor.app.settings_layers import Flags
        from reactor.app.settings_load import load_settings

        self.verb = verb
        self.settings: Settings = load_settings(Flags(config=config, journal=journal))

    def ask(self, what: "Ask") -> bytes:
        """The daemon's answer to a question, as JSON.

        Raises:
            NoDaemonError: it does not run.
            ForbiddenError: this user may not ask it.
            RefusedError: there is no answer to that.
            ControlError, LostReply: it cannot be asked.
        """
        answer = self._send(what)
        _demand(self.verb, answer)
        return bytes(answer.data)

    def give(self, order: "Order", output: Said) -> int:
        """Have an order carried out, and print what was done.

        Raises:
            NoDaemonError: it does not run.
            RefusedError: it is not carried out, and why.
            ForbiddenError, ControlError, LostReply: as ``ask``.
        """
        from reactor.app.control.asks import GiveOrder

        answer = self._send(GiveOrder(order))
        _demand(self.verb, answer)
        if output == "json":
            print(to_json({"text": answer.text, "data": decode(bytes(answer.data))}))
        else:
            Screen().line(answer.text)
        return 0

    @contextmanager
    def reader(self) -> "Iterator[Reader]":
        """The journal, for what it can tell without the daemon.

        Raises:
            NotRunningError: there is no journal.
            JournalError: it cannot be read.
        """
        from reactor.adapters.journal import Reader

        path = self.settings.journal.path
        try:
            path.stat()
        except FileNotFoundError:
            fix = "start the daemon first (`reactor run`), or name its settings with -c"
            raise NotRunningError(path, "there is no journal here", fix) from None
        except OSError as error:
            problem = f"the journal cannot be read: {error.strerror}"
            raise JournalError(path, problem, "run this as the user that runs the daemon") from None
        reader = Reader(path)
        try:
            yield reader
        finally:
            reader.close()

    def down(self, error: NoDaemonError) -> NoDaemonError:
        """The same, with since when it does not run and what stands still, as its journal tells.

        Where the journal tells nothing, such as one that is damaged, just the same.
        """
        from reactor.app.absences import standing

        try:
            with self.reader() as reader:
                absence = standing(reader)
                count = len(reader.runs(OPEN_MAX, only_open=True))
        except ReactorError:
            return error
        if absence is None:
            return error
        problem = f"{error.problem}; {still_sentence(absence, count)}"
        fix = f"{error.fix}; `reactor runs --open` lists what is open" if count else error.fix
        return NoDaemonError(error.place, problem, fix)

    def _send(self, what: "Ask") -> "Answer":
        import msgspec

        from reactor.adapters.control import ask

        return ask(self.settings.control_socket, msgspec.json.encode(what))


def decode(data: bytes, kind: Any = Any) -> Any:  # noqa: ANN401 - as it was asked
    """What the daemon answered, as values of this kind.

    Raises:
        ControlError: another version of reactor answered.
    """
    import msgspec

    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        problem = f"the daemon's answer is not understood: {error}"
        fix = "use the reactor command of the version that the daemon is"
        raise ControlError("reactor", problem, fix) from None


def _demand(verb: str, answer: "Answer") -> None:
    from reactor.adapters.control import Code

    match answer.code:
        case Code.DONE:
            return
        case Code.REFUSED:
            fix = answer.fix or "`reactor status` and `reactor why` show how it stands"
            raise RefusedError(verb, answer.text, fix)
        case Code.LATE:
            raise LostReply(verb, answer.text, answer.fix)
        case Code.WRONG | Code.VERSION | Code.BUSY | Code.FAILED | Code.FORBIDDEN:
            raise ControlError(verb, answer.text, answer.fix)
