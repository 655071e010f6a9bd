"""``reactor run``: the daemon."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reactor.app.log_options import LogFormat, LogLevel
from reactor.cli.exits import UsageError
from reactor.cli.verbs import add_verb

if TYPE_CHECKING:
    from reactor.app.settings import Settings

# Whoever uses a path says what is wrong with it, and better than typer would (readable=False).
Config = Annotated[
    Path | None,
    typer.Option(
        "-c",
        "--config",
        metavar="FILE",
        readable=False,
        help="The settings file; else $REACTOR_CONFIG, /etc/reactor/reactor.yaml, "
        "~/.config/reactor/reactor.yaml.",
    ),
]
Rules = Annotated[
    list[Path] | None,
    typer.Option(
        "--rules",
        metavar="PATH",
        readable=False,
        help="A folder or file of policies, instead of those of the settings file. Repeatable.",
    ),
]
Monitors = Annotated[
    list[str] | None,
    typer.Option(
        "--qmp",
        metavar="PATTERN|ADDRESS",
        help="QMP sockets to watch, instead of the guests of the settings file: a quoted pattern "
        "such as '/run/qemu/*.sock', a socket, or host:port. Repeatable.",
    ),
]
Broker = Annotated[
    str | None,
    typer.Option("--mqtt", metavar="URL", help="The broker: mqtt://host:port or mqtts://host."),
]
JournalPath = Annotated[
    Path | None,
    typer.Option("--journal", metavar="PATH", readable=False, help="The journal's file."),
]
Host = Annotated[
    str | None, typer.Option("--host", metavar="NAME", help="What to call this machine.")
]
Audit = Annotated[
    bool,
    typer.Option("--audit", help="Do nothing to any guest; record what would have been done."),
]
Format = Annotated[
    LogFormat,
    typer.Option(
        "--log-format", help="The log on standard error; auto: console on a terminal, else json."
    ),
]
Level = Annotated[LogLevel, typer.Option("--log-level", help="The least severe line to log.")]


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    # What the shell makes of an unquoted pattern behind --qmp comes as extra words.
    add_verb(
        app,
        run,
        "reactor run -c reactor.yaml",
        "reactor run --rules rules/ --qmp '/run/qemu/*.sock' --mqtt mqtt://127.0.0.1:1883",
        "reactor run --rules rules/ --qmp /run/qemu/web-1.sock --audit",
        extra_words=True,
    )


def run(  # noqa: PLR0913 - one parameter for each option
    context: typer.Context,
    *,
    config: Config = None,
    rules: Rules = None,
    qmp: Monitors = None,
    mqtt: Broker = None,
    journal: JournalPath = None,
    host: Host = None,
    audit: Audit = False,
    log_format: Format = "auto",
    log_level: Level = "info",
) -> int:
    """Watch guests and carry out policies.

    SIGTERM or Ctrl-C stops it, SIGHUP reloads the policies. A flag beats the settings file. With
    --qmp and without -c no settings file is looked for.
    """
    _ignore_early_reloads()
    from reactor.app.logs import set_up_logs
    from reactor.app.settings_layers import Flags
    from reactor.app.settings_load import load_settings

    if not qmp:
        _refuse(context.args)
    flags = Flags(
        config=config,
        rules=rules or (),
        qmp=[*(qmp or ()), *context.args],
        mqtt=mqtt,
        journal=journal,
        host=host,
        audit=audit,
    )
    settings = load_settings(flags)
    _demand_something(settings)
    set_up_logs(log_format, log_level)
    if context.args:
        _tell_of_the_shell()
    return _serve(settings)


def _ignore_early_reloads() -> None:
    """SIGHUP would end the program until the daemon listens; the policies are not read yet."""
    import signal

    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _refuse(words: Sequence[str]) -> None:
    if words:
        fix = "`reactor run --help` shows what it takes"
        raise UsageError("reactor run", f"`{words[0]}` is not expected here", fix)


def _demand_something(settings: "Settings") -> None:
    if settings.sources or settings.guests or settings.discoveries:
        return
    raise UsageError(
        "reactor run",
        "there is no settings file, and no guest is named",
        "write `reactor init` for settings to begin with, or name guests: "
        "reactor run --rules rules/ --qmp '/run/qemu/*.sock'",
    )


def _tell_of_the_shell() -> None:
    import structlog

    structlog.get_logger("reactor").warning(
        "--qmp was given several sockets: guests that appear later are not found",
        fix="put the pattern in single quotes",
    )


def _serve(settings: "Settings") -> int:
    from reactor.app.daemon import serve

    try:
        import uvloop
    except ImportError:  # there is none for every platform
        import asyncio

        return asyncio.run(serve(settings))
    return uvloop.run(serve(settings))
