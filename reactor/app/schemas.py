"""The QEMUs that policies are checked for: shipped schemas, and one that runs."""

from collections.abc import Callable
from pathlib import Path

from reactor.core.text import closest
from reactor.errors import SettingsError
from reactor.policyfile.targets import Target, shipped_target, shipped_targets
from reactor.qapi.shipped import versions


def targets_of(
    named: str | None, live: Path | None, ask: Callable[[Path], Target]
) -> tuple[Target, ...]:
    """The targets that were asked for; all that are shipped where none was.

    Args:
        named: versions with commas between them, such as ``7.2,11.1``.
        live: the QMP socket of a QEMU that is asked.
        ask: how to ask it.

    Raises:
        SettingsError: a version is not shipped.
        MonitorError: nobody answers at the socket.
    """
    found = [] if named is None else [_shipped(one.strip()) for one in named.split(",")]
    if live is not None:
        found.append(ask(live))
    return tuple(found) or shipped_targets()


def _shipped(version: str) -> Target:
    if version not in versions():
        guess = closest(version, versions())
        fix = f"did you mean {guess}?" if guess else f"write some of: {', '.join(versions())}"
        problem = f"no schema of QEMU {version or 'without a version'} comes with reactor"
        raise SettingsError("--target", problem, f"{fix}; or ask a QEMU that runs, with --live")
    return shipped_target(version)
