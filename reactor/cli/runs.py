"""``reactor runs``: runs and their time lines; ``cancel`` ends one."""

from typing import TYPE_CHECKING, Annotated

import typer

from reactor.cli.asking import (
    OPEN_MAX,
    Comment,
    Config,
    Daemon,
    JournalPath,
    ListOutput,
    SaidOutput,
    WholeOutput,
    decode,
    still_sentence,
)
from reactor.cli.exits import RefusedError
from reactor.cli.screen import Screen
from reactor.cli.tables import show_data, show_table
from reactor.cli.timelines import show_timeline
from reactor.cli.times import shown_length, shown_time
from reactor.cli.verbs import add_family, add_verb
from reactor.errors import NoDaemonError

if TYPE_CHECKING:
    from reactor.app.control.answers import RunLine
    from reactor.app.control.asks import AskRuns

STILL = "it stands still: the daemon does not run"

HEAD = ("RUN", "POLICY", "GUEST", "ADMITTED", "TOOK", "STATE", "REASON")

Policy = Annotated[
    str | None, typer.Option("--policy", metavar="NAME", help="Only runs of this policy.")
]
Guest = Annotated[
    str | None, typer.Option("--guest", metavar="NAME", help="Only runs for this guest.")
]
Open = Annotated[bool, typer.Option("--open", help="Only runs that have not ended.")]
Number = Annotated[
    int,
    typer.Option("-n", "--lines", min=0, max=10_000, metavar="N", help="How many of the latest."),
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, such as k3v9a1-17.")]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    family = add_family(
        app,
        runs,
        "reactor runs --open",
        "reactor runs --policy panic-dump-reset --guest web-1 -n 5",
        "reactor runs show k3v9a1-17",
    )
    add_verb(family, show, "reactor runs show k3v9a1-17")
    add_verb(family, cancel, "reactor runs cancel k3v9a1-17 --comment 'wrong guest'")


def runs(  # noqa: PLR0913 - one parameter for each option
    context: typer.Context,
    *,
    policy: Policy = None,
    guest: Guest = None,
    only_open: Open = False,
    lines: Number = 20,
    config: Config = None,
    journal: JournalPath = None,
    output: ListOutput = "table",
) -> int:
    """List the latest runs; `show` tells one step by step.

    From the daemon, or from its journal when it does not run.
    """
    if context.invoked_subcommand is not None:
        return 0
    from reactor.app.control.answers import RunLine
    from reactor.app.control.asks import AskRuns

    daemon = Daemon("reactor runs", config, journal)
    ask = AskRuns(policy, guest, only_open, lines)
    note = ""
    try:
        answer = daemon.ask(ask)
    except NoDaemonError:
        answer, note = _from_journal(daemon, ask)
    if output != "table":
        show_data(decode(answer), output)
        return 0
    screen = Screen()
    show_table(screen, HEAD, map(_row, decode(answer, list[RunLine])))
    if note:
        screen.line()
        screen.line((note, "yellow"))
    return 0


def show(
    run: RunName,
    *,
    config: Config = None,
    journal: JournalPath = None,
    output: WholeOutput = "table",
) -> int:
    """Tell one run step by step: its event, decisions, commands, waits, and its end.

    From the daemon, or from its journal when it does not run.
    """
    from reactor.app.control.asks import AskRun
    from reactor.app.timeline import Timeline

    daemon = Daemon("reactor runs show", config, journal)
    try:
        answer = daemon.ask(AskRun(run))
    except NoDaemonError:
        answer = _timeline_from_journal(daemon, run)
    if output == "json":
        show_data(decode(answer), "json")
        return 0
    show_timeline(Screen(), decode(answer, Timeline))
    return 0


def cancel(
    run: RunName,
    *,
    comment: Comment = "",
    config: Config = None,
    journal: JournalPath = None,
    output: SaidOutput = "text",
) -> int:
    """End an open run as cancelled, once its command in flight is answered.

    Its `finally` steps still run.
    """
    from reactor.core.orders import CancelRun

    return Daemon("reactor runs cancel", config, journal).give(CancelRun(run, comment), output)


def _from_journal(daemon: Daemon, ask: "AskRuns") -> tuple[bytes, str]:
    """The runs that the journal knows, and that the open ones among them do not go on."""
    import msgspec

    from reactor.app.absences import standing
    from reactor.app.known import of_journal
    from reactor.app.timeline import run_line

    with daemon.reader() as reader:
        rows = reader.runs(ask.limit, policy=ask.policy, guest=ask.guest, only_open=ask.only_open)
        wrong = None if rows else of_journal(reader, ask.policy, ask.guest)
        absence = standing(reader)
        count = len(reader.runs(OPEN_MAX, only_open=True))
    if wrong is not None:
        raise RefusedError("reactor runs", wrong.problem, wrong.fix)
    lines = [
        msgspec.structs.replace(line, reason=line.reason or STILL) if line.ended is None else line
        for line in map(run_line, rows)
    ]
    note = f"the daemon does not run: {still_sentence(absence, count)}" if absence else ""
    return msgspec.json.encode(lines), note


def _timeline_from_journal(daemon: Daemon, run: str) -> bytes:
    import msgspec

    from reactor.app.absences import standing
    from reactor.app.timeline import read_timeline

    with daemon.reader() as reader:
        timeline = read_timeline(reader, run, standing(reader))
    if timeline is None:
        fix = "`reactor runs` lists them"
        raise RefusedError("reactor runs show", f"no run is called {run!r}", fix)
    return msgspec.json.encode(timeline)


def _row(run: "RunLine") -> tuple[str, ...]:
    begin = run.started or run.admitted
    took = "-" if begin is None or run.ended is None else shown_length(run.ended - begin)
    return (
        run.run,
        run.policy,
        run.guest,
        shown_time(run.admitted or run.started or run.ended),
        took,
        run.stands,
        run.reason,
    )
