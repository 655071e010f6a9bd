"""``reactor trigger``: a policy starts by hand, as its trigger would start it."""

from typing import Annotated

import typer

from reactor.cli.asking import Config, Daemon, JournalPath, SaidOutput
from reactor.cli.exits import UsageError
from reactor.cli.verbs import add_verb

Policy = Annotated[str, typer.Argument(metavar="POLICY", help="The policy.")]
Guest = Annotated[str, typer.Argument(metavar="GUEST", help="The guest.")]
Data = Annotated[
    str | None,
    typer.Option("--data", metavar="JSON", help="`data` of the event, as expressions see it."),
]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        trigger,
        "reactor trigger panic-dump-reset web-1",
        'reactor trigger quorum-bad web-1 --data \'{"node-name": "disk0"}\'',
    )


def trigger(  # noqa: PLR0913 - one parameter for each option
    policy: Policy,
    guest: Guest,
    *,
    data: Data = None,
    config: Config = None,
    journal: JournalPath = None,
    output: SaidOutput = "text",
) -> int:
    """Start a policy on a guest by hand.

    Its conditions, limits and holds are kept as for any event; only the trigger is skipped.
    """
    from reactor.core.orders import StartRun

    order = StartRun(policy, guest, _read(data))
    return Daemon("reactor trigger", config, journal).give(order, output)


def _read(text: str | None) -> dict[str, object]:
    import json

    if text is None:
        return {}
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        fix = 'write an object in single quotes: --data \'{"device": "disk0"}\''
        raise UsageError("reactor trigger", f"--data is no JSON: {error}", fix) from None
    if not isinstance(data, dict):
        fix = 'write an object: --data \'{"device": "disk0"}\''
        raise UsageError("reactor trigger", "--data is no JSON object", fix)
    return data
