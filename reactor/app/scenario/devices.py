"""Devices that a simulated guest is asked to give back."""

from collections.abc import Mapping

from reactor.app.scenario.qemu import Qemu
from reactor.app.scenario.run_commands import Result
from reactor.policyfile.policy_tests import Answering

UNPLUG_TAKES = 1.0


def device_del(qemu: Qemu, arguments: Mapping[str, object], answering: Answering) -> Result:
    """Accepted whether or not the guest ever obeys; a refusal is two events up to 9.0."""
    device = str(arguments.get("id", ""))
    told = {"device": device, "path": f"/machine/peripheral/{device}"}

    def refuse() -> None:
        if qemu.traits.major < 9:
            problem = f"Memory hotunplug rejected by the guest for device {device}"
            qemu.send("MEM_UNPLUG_ERROR", {"device": device, "msg": problem})
        qemu.send("DEVICE_UNPLUG_GUEST_ERROR", told)

    takes = UNPLUG_TAKES if answering.takes is None else answering.takes
    if answering.refuses:
        qemu.later(takes, refuse)
    elif answering.obeys:
        qemu.later(takes, lambda: qemu.send("DEVICE_DELETED", told))
    return None
