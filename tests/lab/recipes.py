"""QMP sequences that make a guest send one event or another, each as a real operator would."""

from reactor.demo.control import Control, Seen
from reactor.demo.guests import Guest, GuestPlan
from reactor.demo.waiting import until_async

NOWHERE = "exec:cat >/dev/null"
"""A place to migrate to that takes everything."""

MEMORY_SLOTS = "128M,slots=2,maxmem=1G"


async def dump(
    guest: Guest, target: str, dump_format: str = "kdump-zlib", *, settled: bool = True
) -> Seen:
    """The DUMP_COMPLETED of a detached dump to ``target``, such as ``file:/path``.

    Args:
        settled: wait until QEMU has cleaned up, too; a reset or a second dump before
            that can abort QEMU.
    """
    control = guest.control
    mark = control.seen
    await start_dump(guest, target, dump_format)
    completed = await control.event("DUMP_COMPLETED", after=mark)
    if settled:
        await until_async("the run state leaves save-vm", lambda: _not_saving(control))
    return completed


async def start_dump(guest: Guest, target: str, dump_format: str = "kdump-zlib") -> None:
    """Start a detached dump, and do not wait for it."""
    arguments = {"paging": False, "protocol": target, "detach": True, "format": dump_format}
    await guest.control.command("dump-guest-memory", arguments)


async def _not_saving(control: Control) -> bool:
    return await control.status() != "save-vm"


async def tell_migration(guest: Guest) -> None:
    """Switch on MIGRATION and MIGRATION_PASS, which QEMU does not send by itself."""
    capability = {"capability": "events", "state": True}
    await guest.control.command("migrate-set-capabilities", {"capabilities": [capability]})


async def migrate(guest: Guest, *, bytes_per_second: int, downtime_ms: int = 1) -> None:
    """Start a migration to nowhere; a guest that writes faster than that is never done."""
    parameters = {"max-bandwidth": bytes_per_second, "downtime-limit": downtime_ms}
    await guest.control.command("migrate-set-parameters", parameters)
    await guest.control.command("migrate", {"uri": NOWHERE})


def memory_plan(boot: bytes) -> GuestPlan:
    """A guest to which memory can be added, and from which it can be taken."""
    return GuestPlan(boot=boot, machine="q35", memory=MEMORY_SLOTS)


async def plug_memory(guest: Guest, device: str) -> None:
    """Add 128 MiB as a memory device of that name."""
    backend = f"{device}-backend"
    size = {"qom-type": "memory-backend-ram", "id": backend, "size": 128 << 20}
    await guest.control.command("object-add", size)
    dimm = {"driver": "pc-dimm", "id": device, "memdev": backend}
    await guest.control.command("device_add", dimm)


async def unplug_memory(guest: Guest, device: str) -> None:
    """Ask the guest to give a memory device back; QEMU's reply does not say whether it will."""
    await guest.control.command("device_del", {"id": device})


async def break_unplugging(guest: Guest) -> None:
    """Make every ejection fail inside QEMU, the only way to MEM_UNPLUG_ERROR on x86.

    The machine's controller forgets that it can unplug memory; call it while the guest
    is paused, after `unplug_memory`.
    """
    await _can_unplug(guest, able=False)


async def mend_unplugging(guest: Guest) -> None:
    """Take `break_unplugging` back."""
    await _can_unplug(guest, able=True)


async def _can_unplug(guest: Guest, *, able: bool) -> None:
    folder = "/machine/unattached"
    children = await guest.control.command("qom-list", {"path": folder})
    controller = next(c["name"] for c in children if c["type"] == "child<ICH9-LPC>")
    await guest.control.command(
        "qom-set",
        {
            "path": f"{folder}/{controller}",
            "property": "memory-hotplug-support",
            "value": able,
        },
    )
