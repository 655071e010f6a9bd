"""``reactor marks``: marks on guests and their devices; ``set`` and ``clear`` by hand."""

from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from reactor.cli.asking import Config, Daemon, JournalPath, ListOutput, SaidOutput, decode
from reactor.cli.exits import UsageError
from reactor.cli.screen import Screen
from reactor.cli.tables import show_data, show_table
from reactor.cli.times import read_span, shown_time
from reactor.cli.verbs import add_family, add_verb

if TYPE_CHECKING:
    from reactor.core.marks import Mark

HEAD = ("GUEST", "KIND", "ID", "AS", "SINCE", "EXPIRES", "BY", "REASON")

Guest = Annotated[
    str, typer.Option("--guest", metavar="NAME", help="Only the marks of this guest.")
]
OnGuest = Annotated[str, typer.Argument(metavar="GUEST", help="The guest.")]
Kind = Annotated[
    str,
    typer.Argument(metavar="KIND", help="guest, host, disk, memory, port or migration."),
]
MarkId = Annotated[
    str,
    typer.Argument(metavar="[ID]", help="The device, such as disk0; none for guest and host."),
]
Word = Annotated[str, typer.Option("--as", metavar="WORD", help="Such as degraded.")]
OneWord = Annotated[
    str | None,
    typer.Option("--as", metavar="WORD", help="Only the mark of this word; else all of the id."),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]
Expires = Annotated[
    str | None, typer.Option("--expires", metavar="DURATION", help="Such as 2h; else never.")
]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    family = add_family(
        app,
        marks,
        "reactor marks --guest web-1",
        "reactor marks set web-1 disk disk0 --as degraded --reason 'smells burnt' --expires 1d",
        "reactor marks clear web-1 disk disk0",
    )
    add_verb(
        family,
        set_mark,
        "reactor marks set web-1 disk disk0 --as degraded --reason 'smells burnt'",
        "reactor marks set web-1 guest --as maintenance --expires 2h",
        name="set",
    )
    add_verb(family, clear, "reactor marks clear web-1 disk disk0 --as degraded")


def marks(
    context: typer.Context,
    *,
    guest: Guest = "",
    config: Config = None,
    journal: JournalPath = None,
    output: ListOutput = "table",
) -> int:
    """List the marks that are set; `set` and `clear` them by hand."""
    if context.invoked_subcommand is not None:
        return 0
    from reactor.app.control.asks import AskMarks
    from reactor.core.marks import Mark

    answer = Daemon("reactor marks", config, journal).ask(AskMarks(guest))
    if output != "table":
        show_data(decode(answer), output)
        return 0
    show_table(Screen(), HEAD, map(_row, decode(answer, list[Mark])))
    return 0


def set_mark(  # noqa: PLR0913 - one parameter for each option
    guest: OnGuest,
    kind: Kind,
    mark_id: MarkId = "",
    *,
    word: Word,
    reason: Reason = "",
    expires: Expires = None,
    config: Config = None,
    journal: JournalPath = None,
    output: SaidOutput = "text",
) -> int:
    """Put a mark on a guest or one of its devices, or renew it."""
    from reactor.core.orders import SetMark

    verb = "reactor marks set"
    _check(kind, mark_id, f"{verb} {quote(guest)}")
    _demand_word(verb, word, "write such as --as degraded")
    seconds = None if expires is None else read_span(expires, verb)
    order = SetMark(guest, kind, mark_id, word, reason, seconds)
    return Daemon(verb, config, journal).give(order, output)


def clear(  # noqa: PLR0913 - one parameter for each option
    guest: OnGuest,
    kind: Kind,
    mark_id: MarkId = "",
    *,
    word: OneWord = None,
    config: Config = None,
    journal: JournalPath = None,
    output: SaidOutput = "text",
) -> int:
    """Take a mark away; without --as all marks of that device."""
    from reactor.core.orders import ClearMark

    verb = "reactor marks clear"
    _check(kind, mark_id, f"{verb} {quote(guest)}")
    if word is not None:
        _demand_word(verb, word, "name the word, or leave --as out for all marks of it")
    order = ClearMark(guest, kind, mark_id, word or "")
    return Daemon(verb, config, journal).give(order, output)


def _check(word: str, mark_id: str, command: str) -> None:
    """Refuse what no mark can be on; what the guest has is known to the daemon only.

    Raises:
        UsageError: no such kind, an id where there is none, or none where there must be one.
    """
    from reactor.core.marks import SELF, MarkKind
    from reactor.core.text import closest

    place = " ".join(command.split()[:3])
    kinds = [kind.value for kind in MarkKind]
    if word not in kinds:
        guess = closest(word, kinds)
        fix = f"write {guess!r}" if guess else f"write one of {', '.join(kinds)}"
        raise UsageError(place, f"{word!r} is no kind of mark", fix)
    if not MarkKind(word).has_id and mark_id not in {"", SELF}:
        problem = f"a mark on the {word} itself has no id: {mark_id!r} is one"
        fix = f"leave {mark_id!r} out, or say what it is: `{command} disk {quote(mark_id)}`"
        raise UsageError(place, problem, fix)
    if MarkKind(word).has_id and not mark_id:
        fix = f"name the {word}: `{command} {word} ID`"
        raise UsageError(place, f"it is not said which {word} of the guest", fix)


def _demand_word(verb: str, word: str, fix: str) -> None:
    """Refuse a word that says nothing, such as a variable of a script that is not set."""
    if not word.strip():
        raise UsageError(verb, "the word of the mark is empty", fix)


def _row(mark: "Mark") -> tuple[str, ...]:
    return (
        mark.guest,
        mark.kind.value,
        mark.id,
        mark.word,
        shown_time(mark.since),
        shown_time(mark.expires),
        mark.policy,
        mark.reason,
    )
