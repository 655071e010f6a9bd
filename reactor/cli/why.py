"""``reactor why``: why a policy did or did not run on a guest, condition by condition."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from reactor.cli.asking import Config, Daemon, JournalPath, WholeOutput, decode
from reactor.cli.exits import Exit
from reactor.cli.screen import Screen, to_json
from reactor.cli.tables import show_data
from reactor.cli.times import read_length, read_time, shown_length, shown_time
from reactor.cli.verbs import add_verb
from reactor.errors import NoDaemonError

if TYPE_CHECKING:
    from reactor.adapters.journal import Reader
    from reactor.app.control.answers import RunLine
    from reactor.app.control.asks import AskWhy
    from reactor.app.refusals import Refused
    from reactor.app.why.reasons import Moment, Why

AROUND_S = 300.0

Policy = Annotated[str, typer.Argument(metavar="POLICY", help="The policy.")]
Guest = Annotated[str, typer.Argument(metavar="GUEST", help="The guest.")]
At = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="TIME", help="What was decided then: '2026-01-31 12:00', 12:00, 10m (ago)."
    ),
]
Around = Annotated[
    str | None,
    typer.Option("--around", metavar="DURATION", help="How far before and after --at; else 5m."),
]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        why,
        "reactor why panic-dump-reset web-1",
        "reactor why panic-dump-reset web-1 --at '2026-01-31 03:12'",
        "reactor why panic-dump-reset web-1 --at 2h --around 30m -o json",
    )


def why(  # noqa: PLR0913 - one parameter for each option
    policy: Policy,
    guest: Guest,
    *,
    at: At = None,
    around: Around = None,
    config: Config = None,
    journal: JournalPath = None,
    output: WholeOutput = "table",
) -> int:
    """Say why a policy did or did not run on a guest.

    Without --at: what stands in the way of a run now, and what became of the latest events.
    With --at: what was decided around that time, from the journal.
    """
    from reactor.app.control.asks import AskWhy
    from reactor.app.why.reasons import Why

    verb = "reactor why"
    moment = None if at is None else read_time(at, verb, time.time())
    length = None if around is None else read_length(around, verb)
    ask = AskWhy(policy, guest, moment, AROUND_S if length is None else length)
    daemon = Daemon(verb, config, journal)
    try:
        answer = daemon.ask(ask)
    except NoDaemonError:
        answer = _from_journal(daemon, ask, length)
    found: Why = decode(answer, Why)
    if output == "json":
        show_data(decode(answer), "json")
    else:
        _show(Screen(), found)
    # A typo in a script must not read as an answer.
    return Exit.REFUSED if found.unknown else Exit.OK


def _from_journal(daemon: Daemon, ask: "AskWhy", length: float | None) -> bytes:
    """What the journal tells without the daemon: the end of its life, when no time is named.

    Then as far back as the daemon would have looked.
    """
    import msgspec

    from reactor.app.absences import standing
    from reactor.app.why.asking import RECENT_S, why_at

    settings = daemon.settings
    host = {"name": settings.host.name, "labels": settings.host.labels}
    with daemon.reader() as reader:
        at, around = ask.at, ask.around
        if at is None:
            at, around = _end_of(reader), RECENT_S if length is None else length
        explained = why_at(
            reader,
            ask.policy,
            ask.guest,
            at=at,
            around=around,
            host=host,
            down=standing(reader),
        )
    return msgspec.json.encode(explained)


def _end_of(reader: "Reader") -> float:
    rows = reader.history(reader.last() - 1, 1)
    return rows[-1].at if rows else time.time()


def _show(screen: Screen, found: "Why") -> None:
    screen.line((f"{found.policy} on {found.guest}", "bold"), f": {found.verdict}")
    if not found.online:
        screen.line(("the daemon does not run: this is what its journal tells", "yellow"))
    wide = max((len(finding.check) for finding in found.findings), default=0)
    screen.line()
    for finding in found.findings:
        style = {"ok": "green", "no": "red", "note": "dim"}[finding.mark.value]
        screen.line(
            "  ",
            (finding.mark.value.ljust(4), style),
            f"  {finding.check.ljust(wide)}  ",
            finding.text,
        )
    _show_moments(screen, found)
    _show_runs(screen, found.runs)
    _show_refused(screen, found.refused)


def _show_moments(screen: Screen, found: "Why") -> None:
    screen.line()
    if not found.moments:
        screen.line("nothing that its trigger waits for came in that time")
        return
    screen.line("events:" if found.at is None else f"events around {shown_time(found.at)}:")
    for moment in found.moments:
        screen.line(
            ("  " + shown_time(moment.at), "dim"),
            "  ",
            (moment.event, "cyan"),
            f" {to_json(dict(moment.data))}" if moment.data else "",
        )
        screen.line("      ", *_decision(moment))
    if any(moment.evaluated for moment in found.moments):
        screen.line()
        screen.line((_note(found), "dim"))


def _decision(moment: "Moment") -> list[tuple[str, str]]:
    if moment.run:
        return [("started run ", ""), (moment.run, "bold"), (f": {moment.outcome}", "")]
    star = " *" if moment.evaluated else ""
    reason = f": {moment.reason}" if moment.reason else ""
    said = [(f"{moment.path}: ", "dim"), (moment.verdict, "yellow"), (f"{reason}{star}", "")]
    if moment.on_limit:
        said += [("; its on_limit is run ", ""), (moment.on_limit, "bold")]
        said += [(f": {moment.outcome}", "")]
    return said


def _note(found: "Why") -> str:
    """What the asterisk means."""
    text = "* left no trace: looked at again now, with the event's recorded data"
    revisions = list(dict.fromkeys(one.revision for one in found.moments if one.revision))
    if len(revisions) > 1:
        short = ", then ".join(revision[:12] for revision in revisions)
        return f"{text} and the policy as it was in force then: revision {short}"
    if not found.revision or revisions not in ([], [found.revision]):
        return text
    since = "" if found.in_force is None else f", in force since {shown_time(found.in_force)}"
    return f"{text} and the policy's revision {found.revision[:12]}{since}"


def _show_runs(screen: Screen, runs: "list[RunLine]") -> None:
    if not runs:
        return
    screen.line()
    screen.line("runs:")
    for run in runs:
        begin = run.started or run.admitted or run.ended
        took = (
            ""
            if run.ended is None or begin is None
            else f" after {shown_length(run.ended - begin)}"
        )
        reason = f": {run.reason}" if run.reason else ""
        screen.line(
            ("  " + shown_time(begin), "dim"),
            "  ",
            (run.run, "bold"),
            f"  {run.stands}{took}{reason}",
        )


def _show_refused(screen: Screen, refused: "list[Refused]") -> None:
    if refused:
        screen.line()
        screen.line("refused requests about this guest or policy:")
    for one in refused:
        screen.line(
            ("  " + shown_time(one.at), "dim"), "  ", (one.what, "bold"), f"  {one.sentence}"
        )
