"""A QEMU that comes back under another name while a step has reset it and not yet let it go.

A run has its hand on a guest by its name. Who renames a guest in between would leave it in
``prelaunch`` for good, and no event would tell of it.
"""

from reactor.core.effect import Execute, Log
from reactor.core.facts import QUERY_LIMIT
from reactor.core.guards import AFTER_RESET
from reactor.core.guest import Guest
from reactor.core.holds import held
from reactor.core.machine import outcome_unknown
from reactor.core.owed import owes
from reactor.core.run import Phase, Run
from reactor.core.world import World


def look_for(world: World, guest: Guest) -> None:
    """Look whether this QEMU, that was just connected, is one that a run owes its ``cont``."""
    for run in list(world.runs.values()):
        if run.guest == guest.name or run.epoch != guest.epoch:
            continue
        if world.guests[run.guest].connected or run.phase not in {Phase.RUNNING, Phase.HANDLING}:
            continue
        if owes(world, run):
            _found(world, run, guest)
            return


def _found(world: World, run: Run, guest: Guest) -> None:
    if not _is_proved(world.guests[run.guest], guest):
        text = (
            f"{guest.name} may be the guest {run.guest} under another name: a run has reset that "
            "and cannot let it go. Where it stands in `prelaunch`, and is that one, send it `cont`"
        )
        world.emit(Log("warning", text, run.policy, guest.name, run.id, title="engine says"))
        return
    told = f"the guest was reset, and its QEMU came back as {guest.name}"
    if guest.status != AFTER_RESET:
        told += f": it stands in `{guest.status}` there"
    elif why := held(world, guest.name):
        told += f", where it stands in `{AFTER_RESET}`: {why}. Send it `cont`"
    else:
        name = run.new_id()
        world.asked[name] = guest.name
        deadline = world.now + QUERY_LIMIT
        world.emit(Execute(name, guest.name, "cont", {}, deadline, changes=True, run=run.story))
        told += ": `cont` is sent to it there"
    world.emit(Log("warning", told, run.policy, run.guest, run.id, title="engine says"))
    world.wakeups.append(run.id)
    outcome_unknown(world, run, f"{told}. What comes behind that in this step was not done")


def _is_proved(before: Guest, guest: Guest) -> bool:
    """Whether it is the same QEMU for sure.

    A process may be a manager that listens for all of its guests, so that the UUID must be the
    same, too. One ``/`` is the epoch of UUID and thread alone (TCP): a QEMU in a container has
    the same again after each start, and stands in ``prelaunch`` when it begins.
    """
    uuid = guest.facts.uuid
    return bool(uuid) and before.facts.uuid == uuid and guest.epoch.count("/") != 1
