"""``reactor replay``: what today's policies would have done."""

import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reactor.cli.exits import Exit, UsageError
from reactor.cli.moments import parse_moment, show_moment
from reactor.cli.problems import show_problems
from reactor.cli.screen import Lines, Screen, to_json, until_readers_leave
from reactor.cli.verbs import add_verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reactor.app.replay.differences import Difference
    from reactor.app.replay.player import Player
    from reactor.app.replay.recording import Ran
    from reactor.app.replay.sources import Source
    from reactor.app.replay.tally import Tally, Told
    from reactor.core.config import EngineConfig
    from reactor.core.policy import Policy

_PLACE = "reactor replay"

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        readable=False,
        help="A journal, what `reactor record` wrote, or QMP events as JSON lines.",
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
        "-c", "--config", metavar="FILE", readable=False, help="Settings: rules, allow lists, host."
    ),
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="From then on: a time, or 30d ago.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Up to then.")]
Guest = Annotated[str | None, typer.Option("--guest", metavar="NAME", help="Only this guest.")]
Name = Annotated[str | None, typer.Option("--policy", metavar="NAME", help="Only this policy.")]
Diff = Annotated[
    bool, typer.Option("--diff", help="Compare with what was done then; exit 1 if it differs.")
]
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
        "reactor replay capture.jsonl --rules rules/ -o jsonl",
    )


def replay(  # noqa: PLR0913 - one parameter for each option
    file: File,
    *,
    rules: Rules = None,
    config: Config = None,
    since: Since = None,
    until: Until = None,
    guest: Guest = None,
    policy: Name = None,
    diff: Diff = False,
    output: Form = "text",
) -> int:
    """Play a record through today's policies, in virtual time.

    What would have been done, and what limits held back. Nothing is sent to any guest; commands
    are answered as a QEMU 7.2 would that does what it is told.
    """
    from reactor.app.replay.sources import Source
    from reactor.app.replay.tally import Tally

    start = 0.0 if since is None else parse_moment(since, place=_PLACE)
    end = float("inf") if until is None else parse_moment(until, place=_PLACE)
    policies, engine = _policies(rules, config)
    if policies is None:
        return Exit.FINDINGS
    source = Source(file, start, end, guest)
    tally = Tally(policy, _show_told if output == "jsonl" else None)
    begun = time.monotonic()
    player = _play(source, policies, engine, tally)
    if diff and not source.knows_runs:
        fix = "replay a journal, or what `reactor record` wrote"
        raise UsageError(_PLACE, "a capture of events does not know what was done", fix)
    differing = _differing(source, tally, policy) if diff else []
    report = _Report(source, tally, player.inputs, time.monotonic() - begun, differing, diff)
    until_readers_leave(partial(report.show, output))
    return Exit.FINDINGS if differing else Exit.OK


def _policies(
    rules: list[Path] | None, config: Path | None
) -> "tuple[Sequence[Policy] | None, EngineConfig]":
    """The policies that shall be played; None, all told, when one of them is wrong."""
    from reactor.core.config import EngineConfig
    from reactor.policyfile.check import load

    settings = None
    if config is not None:
        from reactor.app.settings_layers import Flags
        from reactor.app.settings_load import load_settings

        settings = load_settings(Flags(config=config))
    paths = rules or (settings.rules if settings else ())
    if not paths:
        fix = "name them with --rules, or settings with -c"
        raise UsageError(_PLACE, "no policies are named", fix)
    loaded = load(paths)
    engine = settings.engine_config() if settings else EngineConfig()
    if loaded.is_sound:
        return loaded.policies, engine
    show_problems(loaded.problems, Screen(sys.stderr))
    return None, engine


def _play(
    source: "Source", policies: "Sequence[Policy]", engine: "EngineConfig", tally: "Tally"
) -> "Player":
    from reactor.app.replay.dumps import recorded_dumps
    from reactor.app.replay.player import Player

    ends = source.dump_ends()
    dumps = recorded_dumps(source.ran, ends)
    player = Player(policies, engine, tally.watch, source.run, dumps)
    player.play(source.moments())
    return player


def _differing(source: "Source", tally: "Tally", policy: str | None) -> "list[Difference]":
    from reactor.app.replay.differences import differences

    then = [ran for ran in source.ran if policy in {None, ran.policy}]
    return differences(then, tally.ran)


def _show_told(told: "Told") -> None:
    from reactor.app.projection import instant

    line = {
        "at": instant(told.at),
        "what": told.what,
        "policy": told.policy,
        "guest": told.guest,
        "run": told.run,
        "text": told.text,
        "reason": told.reason,
    }
    print(to_json({key: value for key, value in line.items() if value}))


class _Report:
    """What is shown at the end."""

    def __init__(  # noqa: PLR0913, PLR0917 - what is shown
        self,
        source: "Source",
        tally: "Tally",
        inputs: int,
        seconds: float,
        differing: "list[Difference]",
        compared: bool,
    ) -> None:
        self._source, self._tally = source, tally
        self._inputs, self._seconds = inputs, seconds
        self._differing, self._compared = differing, compared

    def show(self, output: Lines) -> None:
        """Print it in the form that was asked for; a time line has been printed."""
        if output == "json":
            print(to_json(self._data(), indent=2))
        elif output == "text":
            self._text()
        for line in self._source.skipped if output != "json" else ():
            Screen(sys.stderr).line(("skipped ", "yellow"), line)

    def _text(self) -> None:
        screen = Screen()
        screen.line(f"{self._inputs} inputs in {self._seconds:.1f} s; nothing was executed")
        for name, tally in sorted(self._tally.policies.items()):
            runs = ", ".join(f"{count} {word}" for word, count in tally.runs.most_common())
            refused = [f"{count} {word}" for word, count in tally.refused.most_common()]
            parts = "; ".join(filter(None, [runs, *refused]))
            screen.line((name, "bold"), f": {tally.matches} matches: {parts}")
            for what, counts in (("sent", tally.commands), ("published", tally.published)):
                if counts:
                    listed = ", ".join(f"{count} {word}" for word, count in counts.most_common())
                    screen.line(f"  {what}: {listed}")
        if not self._tally.policies:
            screen.line("no policy would have done anything")
        if self._source.skipped_count:
            screen.line(f"{self._source.skipped_count} lines could not be read")
        if self._compared:
            self._show_differences(screen)

    def _show_differences(self, screen: Screen) -> None:
        if not self._differing:
            screen.line("no difference to what was done")
        for one in self._differing:
            for sign, style, ran in (("-", "red", one.then), ("+", "green", one.now)):
                if ran is not None:
                    screen.line((f"{sign} {_line(ran)}", style))

    def _data(self) -> dict[str, object]:
        return {
            "inputs": self._inputs,
            "seconds": round(self._seconds, 3),
            "skipped": self._source.skipped_count,
            "policies": {
                name: {
                    "matches": tally.matches,
                    "runs": dict(tally.runs),
                    "refused": dict(tally.refused),
                    "commands": dict(tally.commands),
                    "published": dict(tally.published),
                }
                for name, tally in sorted(self._tally.policies.items())
            },
            "differences": [
                {"then": _as_data(one.then), "now": _as_data(one.now)} for one in self._differing
            ],
        }


def _line(ran: "Ran") -> str:
    sent = f" ({', '.join(ran.commands)})" if ran.commands else ""
    error = f": {ran.error}" if ran.error else ""
    return f"{show_moment(ran.at)} {ran.guest} {ran.policy} {ran.outcome}{error}{sent}"


def _as_data(ran: "Ran | None") -> dict[str, object] | None:
    if ran is None:
        return None
    return {
        "at": ran.at,
        "policy": ran.policy,
        "guest": ran.guest,
        "run": ran.run,
        "outcome": ran.outcome,
        "error": ran.error,
        "commands": list(ran.commands),
    }
