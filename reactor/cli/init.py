"""``reactor init``: settings and a first policy to begin with."""

from pathlib import Path
from typing import Annotated

import typer

from reactor.cli.exits import RefusedError
from reactor.cli.screen import Screen, shown_path
from reactor.cli.verbs import add_verb

Folder = Annotated[
    Path, typer.Argument(metavar="[FOLDER]", help="Where to write; it is made where missing.")
]

# What can be switched on is commented out without a space: `#mqtt:`, and stays
# right when the sign is taken away; a test does so.
SETTINGS = """\
# Settings of reactor. Paths are relative to this file. All keys, with what they
# mean: docs/reference/settings.md. Take the # away from what you need.

# Which guests are watched: QMP sockets that appear and vanish, found by a
# pattern (a guest is called like its file), or guests named one by one.
guests:
  - discover: /run/qemu/*.sock
    #agent: /run/qemu/{name}.agent
    #labels: {tier: web}
  #- {name: db-1, qmp: /run/qemu/db-1.qmp, labels: {tier: db}}
  #- {name: lab-1, qmp: '127.0.0.1:4444'}

# Policies: folders or files. A change is taken over at once, if all of it is right.
rules:
  - rules

# audit: nothing is done to any guest, what would have been done is recorded.
# Take this line out when you trust what you see.
enforcement: audit

# Where everything is kept that must survive a restart.
journal:
  path: journal.db

# Events, runs and marks for the rest of the world.
#mqtt:
  #url: mqtt://127.0.0.1:1883
  #username: reactor
  #password_file: mqtt-password

# Memory dumps: QEMU writes them, and they hold secrets of the guests. A folder that
# reactor makes is for its own user (0700): when QEMU runs as another one, make it yourself.
#dumps:
  #folder: /var/crash

# Over all policies together: a bound for what a mistake in them can do.
#limits:
  #reset: [3 per 1h per guest, 10 per 10m per host]
  #dump: [1 at once per host]

# Commands that destroy or reach the host go out only when they stand here.
#qmp:
  #allow: [quit]

# Programs that policies may start; whoever may write policies may start these.
#exec:
  #allow: [/usr/local/bin/page]

# This machine's name in topics and policies; else its hostname.
#host:
  #name: host-1
  #labels: {rack: '12'}
"""

POLICY = """\
# yaml-language-server: $schema=policy.schema.json
# A guest's kernel panicked: say so. Try it: reactor check {folder}
policy: first-policy
description: Kernel panic. Says so in the log and on MQTT, and leaves the guest alone.
trigger:
  event: GUEST_PANICKED
limits:
  - 10 per 1h per host
steps:
  - log: "${guest.name} panicked, QEMU does this about it: ${data.action}"
  - publish: alert/critical
    payload: {guest: "${guest.name}", text: kernel panic}
"""


def add_to(app: typer.Typer) -> None:
    """Give the program this verb."""
    add_verb(
        app,
        init,
        "reactor init",
        "reactor init /etc/reactor",
    )


def init(folder: Folder = Path()) -> int:
    """Write settings and a policy to begin with.

    A commented reactor.yaml, a first policy and the schema for editors. Nothing is overwritten.
    """
    from reactor.cli.schema import schema_text

    rules = folder / "rules"
    files = {
        folder / "reactor.yaml": SETTINGS,
        rules / "first-policy.yaml": POLICY.replace("{folder}", shown_path(rules)),
        rules / "policy.schema.json": schema_text(),
    }
    _refuse_to_overwrite(list(files))
    screen = Screen()
    for path, text in files.items():
        _write(path, text)
        screen.line("wrote ", (shown_path(path), "bold"))
    settings = shown_path(folder / "reactor.yaml")
    screen.line(f"next: look at {settings}, then `reactor run -c {settings}`")
    return 0


def _refuse_to_overwrite(files: list[Path]) -> None:
    there = [path for path in files if path.exists() or path.is_symlink()]
    if there:
        names = ", ".join(path.name for path in there)
        fix = "name another folder, or move what is there away"
        problem = f"these files exist already: {names}"
        raise RefusedError("reactor init", problem, fix)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        fix = "name a folder that you may write to"
        problem = f"it cannot be written: {error.strerror}"
        raise RefusedError(path, problem, fix) from None
