"""``reactor status``: how the daemon, its guests and its policies are."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import typer

from reactor.cli.asking import Config, Daemon, JournalPath, WholeOutput, decode
from reactor.cli.journal_shown import shown_commits, shown_figures
from reactor.cli.screen import Screen
from reactor.cli.tables import show_data, show_table
from reactor.cli.times import shown_age, shown_length, shown_time
from reactor.cli.verbs import add_verb
from reactor.errors import NoDaemonError

if TYPE_CHECKING:
    from reactor.app.control.answers import DaemonLine, LackLine, RunLine, Status
    from reactor.core.marks import Mark


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        status,
        "reactor status",
        "reactor status -c /etc/reactor/reactor.yaml",
        "reactor status -o json | jq .not_ready",
    )


def status(
    *, config: Config = None, journal: JournalPath = None, output: WholeOutput = "table"
) -> int:
    """Show the daemon, its guests, policies, open runs and marks.

    For each policy that may not act on a guest yet, cannot fire or would fail it says why.
    """
    from reactor.app.control.answers import Status
    from reactor.app.control.asks import AskStatus

    daemon = Daemon("reactor status", config, journal)
    try:
        answer = daemon.ask(AskStatus())
    except NoDaemonError as error:
        raise daemon.down(error) from None
    if output == "json":
        show_data(decode(answer), "json")
        return 0
    _show(decode(answer, Status))
    return 0


def _show(found: "Status") -> None:
    screen = Screen()
    now = found.daemon.now
    _show_daemon(screen, found.daemon)
    _show_guests(screen, found, now)
    _show_policies(screen, found)
    _show_runs(screen, found, now)
    if found.marks:
        screen.line()
        screen.line(f"marks: {found.mark_count}")
        show_table(screen, ("GUEST", "ON", "AS", "REASON"), map(_mark_row, found.marks))
    _show_restraints(screen, found)


def _show_daemon(screen: Screen, daemon: "DaemonLine") -> None:
    up = shown_length(daemon.now - daemon.since)
    screen.line(
        ("reactor ", ""),
        (daemon.version, "bold"),
        f" on {daemon.host}, process {daemon.pid}, since {shown_time(daemon.since)} ({up})",
    )
    problem = daemon.journal_problem
    screen.line("journal:  ", daemon.journal, ": ", (problem or "ok", "red" if problem else ""))
    if problem:
        screen.line("          ", ("nothing is done to any guest until it can be written", "red"))
    if (line := daemon.journal_figures) is not None:
        if line.figures is not None:
            screen.line("          ", shown_figures(line.figures))
        screen.line("          ", shown_commits(line))
        if line.trouble:
            screen.line("          ", (line.trouble, "red"))
    screen.line("broker:   ", _broker(daemon))
    screen.line("waiting:  ", _counts(daemon.waiting))
    screen.line("dropped:  ", _counts(daemon.dropped))
    if daemon.audit:
        screen.line("audit:    ", "the settings let no policy act")
    if daemon.policy_problems:
        errors = "1 error" if daemon.policy_problems == 1 else f"{daemon.policy_problems} errors"
        screen.line("rules:    ", (f"{errors}: `{daemon.check}` shows what is wrong", "red"))


def _broker(daemon: "DaemonLine") -> str:
    if daemon.broker == "none":
        return "none in the settings"
    return f"{daemon.broker_url}: {daemon.broker}"


def _counts(counts: Mapping[str, int]) -> str:
    parts = (f"{name.replace(': ', ', ')}: {count}" for name, count in counts.items() if count)
    return "; ".join(parts) or "nothing"


def _show_guests(screen: Screen, found: "Status", now: float) -> None:
    screen.line()
    screen.line(f"guests: {found.guests}, {found.connected} connected")
    if found.away:
        rows = [(g.guest, g.status, shown_age(g.since, now), g.trouble) for g in found.away]
        show_table(screen, ("GUEST", "STATUS", "FOR", "REASON"), rows)


def _show_policies(screen: Screen, found: "Status") -> None:
    screen.line()
    screen.line(f"policies: {found.daemon.policies}")
    if found.policies:
        rows = [
            (p.policy, p.enforcement, str(p.guests), str(p.ready), str(p.runs))
            for p in found.policies
        ]
        show_table(screen, ("POLICY", "ENFORCEMENT", "GUESTS", "READY", "OPEN RUNS"), rows)
        _more(screen, found.daemon.policies - len(rows))
    if found.not_ready:
        screen.line()
        screen.line(f"not ready: {found.not_ready_count}")
        rows_of = [(n.policy, n.guest, n.state, n.reason) for n in found.not_ready]
        show_table(screen, ("POLICY", "GUEST", "STATE", "REASON"), rows_of)
        _more(screen, found.not_ready_count - len(rows_of))
    if found.lacks:
        screen.line()
        screen.line(f"lacking: {found.lack_count}, see `reactor readiness`")
        lacks = [(one.policy, one.state, _some(one), one.reason) for one in found.lacks]
        show_table(screen, ("POLICY", "STATE", "GUESTS", "REASON"), lacks)
        _more(screen, found.lack_count - len(lacks))


def _some(lack: "LackLine") -> str:
    """The first of the guests, and how many there are besides."""
    more = lack.guests - 2
    named = ", ".join(lack.some[:2])
    return f"{named} and {more} more" if more > 0 else named


def _show_runs(screen: Screen, found: "Status", now: float) -> None:
    screen.line()
    screen.line(f"open runs: {found.run_count}")
    if found.runs:
        rows = (_run_row(run, now) for run in found.runs)
        show_table(screen, ("RUN", "POLICY", "GUEST", "FOR", "STATE", "REASON"), rows)
        _more(screen, found.run_count - len(found.runs))


def _run_row(run: "RunLine", now: float) -> tuple[str, ...]:
    return (
        run.run,
        run.policy,
        run.guest,
        shown_age(run.admitted, now),
        run.stands,
        run.reason,
    )


def _mark_row(mark: "Mark") -> tuple[str, ...]:
    return (mark.guest, f"{mark.kind.value} {mark.id}", mark.word, mark.reason)


def _show_restraints(screen: Screen, found: "Status") -> None:
    from reactor.core.holds import hold_sentence, silence_sentence

    sentences = [
        *map(hold_sentence, found.holds),
        *map(silence_sentence, found.silences),
        *(
            f"{row.by} inhibits `{row.policies}` on {row.guest} until {shown_time(row.until)}"
            for row in found.inhibitions
        ),
    ]
    _show_sentences(screen, sentences)


def _show_sentences(screen: Screen, sentences: Iterable[str]) -> None:
    for number, sentence in enumerate(sentences):
        if not number:
            screen.line()
        screen.line((sentence, "yellow"))


def _more(screen: Screen, count: int) -> None:
    if count > 0:
        screen.line((f"and {count} more: `-o json` has the counts", "dim"))
