"""``reactor doctor``: finds what is wrong with the set-up, and says how to mend it."""

from typing import TYPE_CHECKING

import typer

from reactor.cli.asking import Config, Daemon, JournalPath, SaidOutput, decode
from reactor.cli.exits import Exit, NotRunningError
from reactor.cli.screen import Screen, to_json
from reactor.cli.verbs import add_family, add_verb
from reactor.errors import (
    ControlError,
    JournalError,
    LostReply,
    NoDaemonError,
    SettingsError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reactor.adapters.mqtt.options import MqttOptions
    from reactor.app.doctor.findings import Finding
    from reactor.app.settings import Settings

_STYLES = {"ok": "green", "untested": "dim", "warning": "yellow", "problem": "bold red"}
_WIDTH = max(map(len, _STYLES))


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    family = add_family(
        app,
        doctor,
        "reactor doctor -c /etc/reactor/reactor.yaml",
        "reactor doctor mqtt",
        "reactor doctor qmp -o json",
    )
    add_verb(family, qmp, "reactor doctor qmp -c /etc/reactor/reactor.yaml")
    add_verb(family, mqtt, "reactor doctor mqtt -c /etc/reactor/reactor.yaml")


def doctor(
    context: typer.Context,
    *,
    config: Config = None,
    journal: JournalPath = None,
    output: SaidOutput = "text",
) -> int:
    """Try out the settings: daemon, journal, monitors and broker.

    Run it as the user that runs the daemon. Nothing is changed; probes on the broker say that
    they are probes.
    """
    if context.invoked_subcommand is not None:
        return 0
    asked = Daemon("reactor doctor", config, journal)
    findings = _daemon(asked)
    more, _ = _qmp(asked)
    findings += more
    code = Exit.OK
    if asked.settings.mqtt is not None:
        more, code = _mqtt(asked)
        findings += more
    return _end(findings, output, code)


def qmp(*, config: Config = None, journal: JournalPath = None, output: SaidOutput = "text") -> int:
    """Look whether every monitor can be reached: sockets, rights, who holds them."""
    findings, code = _qmp(Daemon("reactor doctor qmp", config, journal))
    return _end(findings, output, code)


def mqtt(*, config: Config = None, journal: JournalPath = None, output: SaidOutput = "text") -> int:
    """Connect to the broker and send a probe on each tree of topics, both ways.

    TLS, credentials, the version that is spoken, and what an ACL denies without a word.
    """
    asked = Daemon("reactor doctor mqtt", config, journal)
    findings, code = _mqtt(asked)
    return _end(findings, output, code)


def _daemon(asked: Daemon) -> "list[Finding]":
    """Whether it runs, and how its journal is: asked, or looked at where nobody answers."""
    from reactor.app.control.answers import Status
    from reactor.app.control.asks import AskStatus
    from reactor.app.doctor.daemon import examine_daemon, examine_silence
    from reactor.app.doctor.findings import problem

    try:
        status: Status = decode(asked.ask(AskStatus()), Status)
    except NoDaemonError as error:
        found = examine_silence(asked.down(error))
    except (ControlError, LostReply) as error:
        return examine_silence(error)
    else:
        return examine_daemon(status.daemon)
    try:
        with asked.reader() as reader:
            # What a start would read first; `reactor journal check` reads all of it.
            reader.state(), reader.last(), reader.runs(1, only_open=True)
    except NotRunningError:
        return found  # the first start makes it
    except JournalError as error:
        found.append(problem("journal", error))
    return found


def _qmp(asked: Daemon) -> "tuple[list[Finding], Exit]":
    import asyncio

    from reactor.app.control.answers import GuestLine
    from reactor.app.control.asks import AskGuests
    from reactor.app.doctor.qmp import examine_qmp

    known: list[GuestLine] | None = None
    try:
        known = decode(asked.ask(AskGuests()), list[GuestLine])
    except (ControlError, LostReply):
        known = None  # it does not run, or not for us: then every monitor is tried
    return asyncio.run(examine_qmp(asked.settings, known)), Exit.OK


def _mqtt(asked: Daemon) -> "tuple[list[Finding], Exit]":
    import asyncio

    from reactor.app.doctor.mqtt import examine_mqtt

    options = asked.settings.mqtt_options()
    if options is None:
        fix = "write mqtt: {url: mqtt://broker} into the settings"
        raise SettingsError(asked.verb, "the settings name no broker", fix)
    discovery = asked.settings.mqtt.home_assistant if asked.settings.mqtt else None
    filters = _filters(asked.settings, options)
    filters += [f"{discovery}/status"] if discovery else []
    told = asyncio.run(examine_mqtt(options, filters, daemon=_link(asked), discovery=discovery))
    return told.findings, Exit.OK if told.connected else Exit.CANNOT_CONNECT


def _link(asked: Daemon) -> str | None:
    """How the daemon's own link to the broker is; None where no daemon tells."""
    from reactor.app.control.answers import Status
    from reactor.app.control.asks import AskStatus

    try:
        status: Status = decode(asked.ask(AskStatus()), Status)
    except (ControlError, LostReply):
        return None
    return status.daemon.broker


def _filters(settings: "Settings", options: "MqttOptions") -> list[str]:
    """What the daemon subscribes to with these settings and the policies on disk."""
    from reactor.app.inbound import filters_of
    from reactor.policyfile.check import load

    allowed = settings.mqtt.kinds if settings.mqtt else ()
    orders = [f"{options.base}/{kind}/#" for kind in allowed]
    return filters_of(load(settings.rules).policies, options.base) + orders


def _end(findings: "Sequence[Finding]", output: SaidOutput, code: Exit) -> int:
    """Show what was found; the code of the program."""
    if output == "json":
        import msgspec

        print(to_json(msgspec.to_builtins(findings), indent=2))
    else:
        _show(findings)
    if code is not Exit.OK:
        return code
    return Exit.FINDINGS if any(one.state == "problem" for one in findings) else Exit.OK


def _show(findings: "Sequence[Finding]") -> None:
    screen = Screen()
    for one in findings:
        screen.line((f"{one.state:{_WIDTH}}", _STYLES[one.state]), f"  {one.about}: {one.text}")
        if one.fix:
            screen.line((f"{'':{_WIDTH}}  fix: ", "green"), one.fix)
