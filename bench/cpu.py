"""The row `cpu`: processor time of the daemon for an event that no policy takes."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import msgspec

from bench.figures import Figure, Line, Pair, Wrong
from bench.helper import Helper
from bench.scale import Scale
from bench.talk import Await, Listen, Spent, Sweep, Watch

GAP_S = 0.005
"""Between two sweeps over all monitors: every reader is idle again by then."""

FLOOR_IS = "asyncio.Protocol and msgspec on uvloop"

JOURNAL_ON = Line(
    "cpu", "an unmatched event, {monitors} monitors, journal on", "us", FLOOR_IS, target=2.5
)
JOURNAL_OFF = Line(
    "cpu", "an unmatched event, {monitors} monitors, journal off", "us", FLOOR_IS, target=2.5
)


def measure(scale: Scale) -> list[Figure]:
    """Microseconds of processor time an event, journal on and off."""
    spent: dict[str, list[float]] = {"floor": [], "off": [], "on": []}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        start = stack.enter_context
        mixed = ("--mixed", str(scale.policies))
        server = start(Helper("bench.qmp_server"))
        clients = {
            "floor": start(Helper("bench.floors", "protocol")),
            "off": start(Helper("bench.subject", *mixed)),
            "on": start(Helper("bench.subject", *mixed, "--journal", f"{folder}/journal.db")),
        }
        for name, client in clients.items():
            where = f"{folder}/{name}"
            Path(where).mkdir()
            server.ask(Listen(where, scale.watched))
            client.ask(Watch(where, scale.watched))
            server.ask(Await(where))
        for number in range(scale.rounds + 1):
            for name, client in clients.items():
                cost = _spent(server, client, f"{folder}/{name}", scale)
                if number:
                    spent[name].append(cost)
    return [
        _figure(JOURNAL_ON, spent["on"], spent["floor"], scale),
        _figure(JOURNAL_OFF, spent["off"], spent["floor"], scale),
    ]


def _figure(line: Line, costs: list[float], floors: list[float], scale: Scale) -> Figure:
    figure = line.of([Pair(*both) for both in zip(costs, floors, strict=True)])
    return msgspec.structs.replace(figure, what=figure.what.format(monitors=scale.watched))


def _spent(server: Helper, client: Helper, folder: str, scale: Scale) -> float:
    events = scale.watched * scale.sweeps
    cpu, seen, *journaled = client.ask(Spent(0))
    server.ask(Sweep(folder, scale.sweeps, GAP_S))
    cpu_after, seen_after, *journaled_after = client.ask(Spent(int(seen) + events))
    if seen_after != seen + events:
        raise Wrong(f"{seen_after - seen:.0f} of {events} events came")
    written = [after - before for before, after in zip(journaled, journaled_after, strict=True)]
    if any(rows != events for rows in written):
        raise Wrong(f"{written[0]:.0f} of {events} events are in the journal")
    return (cpu_after - cpu) / events * 1e6
