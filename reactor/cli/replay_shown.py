"""What a replay shows: counts, reasons, differences, what is assumed; or a time line."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict

from reactor.app.projection import instant
from reactor.app.replay.differences import Difference
from reactor.app.replay.recording import Ran
from reactor.app.replay.replaying import Replayed
from reactor.app.replay.sources import Skipped
from reactor.app.replay.tally import PolicyTally, Told
from reactor.cli.moments import show_moment
from reactor.cli.screen import Lines, Screen, to_json
from reactor.core.text import render_duration

DAY_S = 86_400.0


def teller(output: Lines, *, is_verbose: bool) -> Callable[[Told], None] | None:
    """Who shows the time line as it comes; None where nobody wants it."""
    if output == "jsonl":
        return _tell_data
    return _tell_text if is_verbose and output == "text" else None


def _tell_data(told: Told) -> None:
    line = asdict(told) | {"at": instant(told.at)}
    print(to_json({key: value for key, value in line.items() if value}))


def _tell_text(told: Told) -> None:
    reason = f": {told.reason}" if told.reason else ""
    Screen().line(
        (show_moment(told.at), "dim"),
        "  ",
        (told.guest, "bold"),
        f"  {told.policy}  {told.what}  {told.text}{reason}",
    )


def show(result: Replayed, skipped: Skipped, output: Lines, *, is_compared: bool) -> None:
    """Print the end of it; of a time line the last line, with all counts."""
    match output:
        case "text":
            _show_text(result, skipped, is_compared=is_compared)
        case "jsonl":
            print(to_json({"what": "summary"} | _data(result, skipped)))
        case "json":
            print(to_json(_data(result, skipped), indent=2))


def _show_text(result: Replayed, skipped: Skipped, *, is_compared: bool) -> None:
    screen = Screen()
    screen.line(f"{_span(result)}{result.inputs} inputs; nothing was executed")
    tallies = sorted(result.tally.policies.items())
    for name, tally in tallies:
        screen.line((name, "bold"), f": {_counts(tally)}")
        for line in _details(tally):
            screen.line(f"  {line}")
    if len(tallies) > 1:
        screen.line(("in all", "bold"), f": {_counts(_sum(tally for _, tally in tallies))}")
    if not tallies:
        screen.line("no policy would have done anything")
    if is_compared:
        _show_differences(result.differing, screen)
    for sentence in (*result.assumed, *_oddities(skipped)):
        screen.line(("note: ", "cyan"), sentence)


def _span(result: Replayed) -> str:
    if result.first is None or result.last is None:
        return ""
    lasted = result.last - result.first
    shown = f"{lasted / DAY_S:.0f} days" if lasted >= 2 * DAY_S else render_duration(round(lasted))
    return f"{show_moment(result.first)} to {show_moment(result.last)} ({shown}): "


def _counts(tally: PolicyTally) -> str:
    runs = ", ".join(f"{count} {word}" for word, count in tally.runs.most_common())
    refused = [f"{count} {word}" for word, count in tally.refused.most_common()]
    parts = "; ".join(filter(None, [runs, *refused]))
    return f"{_counted(tally.matches, 'match', 'matches')}: {parts}" if parts else "no match"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _details(tally: PolicyTally) -> Iterator[str]:
    for what, counts in (
        ("held back", tally.because),
        ("sent", tally.commands),
        ("published", tally.published),
        ("marked", tally.marks),
    ):
        if counts:
            listed = ", ".join(f"{count} {word}" for word, count in counts.most_common())
            yield f"{what}: {listed}"


def _sum(tallies: Iterator[PolicyTally]) -> PolicyTally:
    both = PolicyTally()
    for tally in tallies:
        both.runs.update(tally.runs)
        both.refused.update(tally.refused)
    return both


def _oddities(skipped: Skipped) -> Iterator[str]:
    if skipped.count:
        yield f"{_counted(skipped.count, 'line', 'lines')} could not be read"
    if skipped.set_back:
        yield (
            f"{_counted(skipped.set_back, 'line', 'lines')} with an earlier time than one before: "
            "played as if they came with it"
        )


def _show_differences(differing: list[Difference], screen: Screen) -> None:
    if not differing:
        screen.line("no difference to what was done")
        return
    screen.line(("--- what was done", "red"))
    screen.line(("+++ what would be done", "green"))
    for one in differing:
        ran = one.then or one.now
        if ran is not None:
            screen.line((f"@@ {show_moment(ran.at)} {ran.guest} {ran.policy}", "cyan"))
        for sign, style, side in (("-", "red", one.then), ("+", "green", one.now)):
            if side is not None:
                screen.line((f"{sign} {_line(side)}", style))


def _line(ran: Ran) -> str:
    error = f" ({ran.error})" if ran.error else ""
    sent = f"; sent: {', '.join(ran.commands)}" if ran.commands else ""
    steps = ", ".join(ran.steps) or "no step"
    return f"{ran.outcome or 'open'}{error}: {steps}{sent}"


def _data(result: Replayed, skipped: Skipped) -> dict[str, object]:
    return {
        "from": None if result.first is None else instant(result.first),
        "to": None if result.last is None else instant(result.last),
        "inputs": result.inputs,
        "skipped": skipped.count,
        "exact": result.exact,
        "policies": {
            name: {
                "matches": tally.matches,
                "runs": _plain(tally.runs),
                "refused": _plain(tally.refused),
                "because": _plain(tally.because),
                "commands": _plain(tally.commands),
                "published": _plain(tally.published),
                "marks": _plain(tally.marks),
            }
            for name, tally in sorted(result.tally.policies.items())
        },
        "differences": [
            {"then": _ran_data(one.then), "now": _ran_data(one.now)} for one in result.differing
        ],
        "notes": [*result.assumed, *_oddities(skipped)],
    }


def _plain(counts: Counter[str]) -> dict[str, int]:
    return dict(counts.most_common())


def _ran_data(ran: Ran | None) -> dict[str, object] | None:
    if ran is None:
        return None
    return {
        "at": instant(ran.at),
        "policy": ran.policy,
        "guest": ran.guest,
        "run": ran.run,
        "outcome": ran.outcome,
        "error": ran.error,
        "steps": list(ran.steps),
        "commands": list(ran.commands),
    }
