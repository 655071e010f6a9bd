"""The agent inside a simulated guest: what it answers, and what the guest then does."""

from collections.abc import Mapping

from reactor.app.scenario.qemu import Qemu
from reactor.policyfile.policy_tests import Answering

OBEYS_AFTER = 5.0


def answer(
    qemu: Qemu, command: str, arguments: Mapping[str, object], answering: Answering
) -> object:
    """The result of a command that the agent carries out.

    `guest-shutdown` is a shutdown or, with mode `reboot`, a reset some seconds later.
    """
    if command == "guest-shutdown" and answering.obeys:
        mode = arguments.get("mode", "powerdown")
        takes = OBEYS_AFTER if answering.takes is None else answering.takes
        qemu.later(takes, lambda: _shut_down(qemu, reboots=mode == "reboot"))
        return {}
    if answering.returns is not None:
        return answering.returns
    return _result(command, arguments)


def _shut_down(qemu: Qemu, *, reboots: bool) -> None:
    if not qemu.is_running:
        return
    if reboots:
        qemu.reset("guest-reset", by_guest=True)
    else:
        qemu.shut_down("guest-shutdown", by_guest=True)


def _result(command: str, arguments: Mapping[str, object]) -> object:
    match command:
        case "guest-sync" | "guest-sync-delimited":
            return arguments.get("id", 0)
        case "guest-fsfreeze-status":
            return "thawed"
        case "guest-fsfreeze-freeze" | "guest-fsfreeze-thaw" | "guest-fsfreeze-freeze-list":
            return 1
        case _:
            return {}
