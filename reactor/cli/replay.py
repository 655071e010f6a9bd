"""``reactor replay``: what today's policies would have done."""

import contextlib
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reactor.cli.exits import Exit, RefusedError, UsageError
from reactor.cli.moments import parse_moment
from reactor.cli.problems import show_problems
from reactor.cli.screen import Lines, Screen, until_readers_leave
from reactor.cli.verbs import add_verb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reactor.app.replay.replaying import Replayed, Request
    from reactor.app.replay.sources import Skipped, Source
    from reactor.app.settings import Settings
    from reactor.core.policy import Policy

_PLACE = "reactor replay"

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        readable=False,
        allow_dash=True,
        help="A journal, what `reactor record` wrote, or QMP events as JSON lines; several are "
        "played one behind the other. `-` is standard input.",
        show_default=False,
    ),
]
Rules = Annotated[
    list[Path] | None,
    typer.Option("--rules", metavar="PATH", readable=False, help="Policies. Repeatable."),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "-c",
        "--config",
        metavar="FILE",
        readable=False,
        help="Settings: rules, allow lists, limits, labels of guests; else those of then.",
    ),
]
Recorded = Annotated[
    bool, typer.Option("--recorded", help="The policies that were in force then, not today's.")
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Tell what is from then on: a time, or 30d ago."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Play up to then.")]
Guest = Annotated[
    str | None, typer.Option("--guest", metavar="NAME", help="Tell of these only; a name or glob.")
]
Name = Annotated[
    str | None, typer.Option("--policy", metavar="NAME", help="Tell of these only; a name or glob.")
]
As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="GUEST",
        help="Whose the QMP events are that name no guest; else the file's name is the guest's.",
    ),
]
Diff = Annotated[
    bool, typer.Option("--diff", help="Compare with what was done then; exit 1 if it differs.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Lines that cannot be read: exit 1.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="The time line, too.")]
Form = Annotated[
    Lines, typer.Option("-o", "--output", help="Counts for people or programs; jsonl: a time line.")
]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        replay,
        "reactor replay /var/lib/reactor/journal.db --rules rules/ --since 30d",
        "reactor replay week.jsonl -c reactor.yaml --diff",
        "reactor replay capture.jsonl --rules rules/ --as web-1 -v",
    )


def replay(  # noqa: PLR0913 - one parameter for each option
    files: Files,
    *,
    rules: Rules = None,
    config: Config = None,
    recorded: Recorded = False,
    since: Since = None,
    until: Until = None,
    guest: Guest = None,
    policy: Name = None,
    as_: As = None,
    diff: Diff = False,
    strict: Strict = False,
    verbose: Verbose = False,
    output: Form = "text",
) -> int:
    """Play a record through today's policies, in virtual time.

    What would have been done, and what limits held back. Nothing is sent to any guest, and
    nothing is published: what is assumed instead is told.
    """
    from reactor.app.replay.replaying import Request
    from reactor.app.replay.tally import Wanted
    from reactor.cli.replay_shown import teller

    chosen = _chosen(rules, config, recorded=recorded)
    if chosen is None:
        return Exit.FINDINGS
    request = Request(
        policies=chosen.policies,
        config=chosen.settings.engine_config() if chosen.settings else None,
        labels=_labels(chosen.settings),
        wanted=Wanted(policy, guest, _moment(since, 0.0)),
        until=_moment(until, float("inf")),
        compares=diff,
        tell=teller(output, is_verbose=verbose),
    )
    code = until_readers_leave(partial(_replay, files, request, as_, output, is_strict=strict))
    return code if isinstance(code, int) else Exit.OK


def _moment(text: str | None, default: float) -> float:
    return default if text is None else parse_moment(text, place=_PLACE)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What shall be played; ``policies`` None: those of then."""

    policies: "Sequence[Policy] | None"
    settings: "Settings | None"


def _chosen(rules: list[Path] | None, config: Path | None, *, recorded: bool) -> _Chosen | None:
    """The policies and settings; None, all told, when a policy is wrong."""
    from reactor.app.settings_layers import Flags
    from reactor.app.settings_load import load_settings
    from reactor.policyfile.check import load

    if recorded and rules:
        fix = "leave one of them out"
        raise UsageError(_PLACE, "--recorded means other policies than --rules", fix)
    settings = None
    if config is not None or not (rules or recorded):
        settings = load_settings(Flags(config=config))
        if not (settings.sources or rules):
            fix = "name them with --rules, settings with -c, or those of then with --recorded"
            raise UsageError(_PLACE, "no policies are named", fix)
    if recorded:
        return _Chosen(None, settings)
    loaded = load(rules or (settings.rules if settings else ()))
    if loaded.is_sound:
        return _Chosen(loaded.policies, settings)
    show_problems(loaded.problems, Screen(sys.stderr))
    return None


def _labels(settings: "Settings | None") -> dict[str, dict[str, str]]:
    guests = settings.guests if settings else ()
    return {guest.name: dict(guest.labels) for guest in guests}


def _replay(
    files: list[Path], request: "Request", guest: str | None, output: Lines, *, is_strict: bool
) -> int:
    from reactor.app.replay.replaying import replay as play
    from reactor.app.replay.sources import Skipped
    from reactor.cli.replay_shown import show

    skipped = Skipped(_tell_skipped)
    with _opened(files, skipped, guest) as sources:
        result = play(sources, request)
    if request.compares and not result.knows_runs:
        fix = "replay a journal, or what `reactor record` wrote"
        raise UsageError(_PLACE, "a capture of events does not know what was done", fix)
    _demand_names(result)
    show(result, skipped, output, is_compared=request.compares)
    return Exit.FINDINGS if _has_findings(result, skipped, is_strict=is_strict) else Exit.OK


def _demand_names(result: "Replayed") -> None:
    """Refuse a name that nothing has: "nothing would have been done" must be no typo."""
    from reactor.app.known import instead

    wanted = result.tally.wanted
    if wanted.policy is not None and not any(map(wanted.wants_policy, result.policies)):
        fix = instead("policy", wanted.policy, result.policies)
        raise RefusedError(_PLACE, f"no policy {wanted.policy!r} was played", fix)
    if wanted.guest is not None and not result.has_guest:
        fix = instead("guest", wanted.guest, result.guests)
        raise RefusedError(_PLACE, f"no guest {wanted.guest!r} is in the record", fix)


def _has_findings(result: "Replayed", skipped: "Skipped", *, is_strict: bool) -> bool:
    return bool(result.differing or (is_strict and skipped.count))


def _tell_skipped(line: str) -> None:
    Screen(sys.stderr).line(("skipped ", "yellow"), line)


@contextlib.contextmanager
def _opened(
    files: list[Path], skipped: "Skipped", guest: str | None
) -> "Iterator[Sequence[Source]]":
    from reactor.app.replay.sources import open_source

    with contextlib.ExitStack() as stack:
        sources = []
        for file in files:
            source = open_source(file, skipped, guest)
            stack.callback(source.close)
            sources.append(source)
        yield sources
