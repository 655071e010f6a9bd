"""A command comes to a simulated QEMU: what is done, what is answered, and when."""

import functools
from collections.abc import Callable, Mapping

from reactor.app.scenario import devices, jobs, migrations, queries, run_commands
from reactor.app.scenario.happenings import happen
from reactor.app.scenario.qemu import Qemu
from reactor.core import catalog
from reactor.core.inputs import Refusal
from reactor.policyfile.policy_tests import Answering

_Handler = Callable[[Qemu, Mapping[str, object], Answering], run_commands.Result]

_HANDLERS: Mapping[str, _Handler] = {
    "stop": run_commands.stop,
    "cont": run_commands.cont,
    "system_reset": run_commands.system_reset,
    "system_powerdown": run_commands.system_powerdown,
    "system_wakeup": run_commands.system_wakeup,
    "inject-nmi": run_commands.inject_nmi,
    "set-action": run_commands.set_action,
    "quit": run_commands.quit_,
    "dump-guest-memory": run_commands.dump_guest_memory,
    "migrate": migrations.migrate,
    "migrate_cancel": migrations.migrate_cancel,
    "migrate-set-capabilities": migrations.set_capabilities,
    "migrate-set-parameters": migrations.set_parameters,
    "device_del": devices.device_del,
    "job-complete": jobs.complete,
    "block-job-complete": jobs.complete,
    "job-finalize": jobs.finalize,
    "block-job-finalize": jobs.finalize,
    "job-dismiss": jobs.dismiss,
    "block-job-dismiss": jobs.dismiss,
    "job-cancel": jobs.cancel,
    "block-job-cancel": jobs.cancel,
    **{command: functools.partial(jobs.begin, command) for command in jobs.KINDS},
}

_TAKES_ITS_TIME = frozenset(
    {"system_powerdown", "dump-guest-memory", "migrate", "device_del", *jobs.KINDS}
)
"""Commands that are answered at once, and done later: `takes` is about their work."""

_OF_A_MACHINE = frozenset(
    """
    stop cont system_reset system_powerdown system_wakeup inject-nmi set-action
    dump-guest-memory migrate migrate_cancel migrate-set-capabilities migrate-set-parameters
    device_del device_add query-status query-dump query-migrate query-memory-size-summary
    query-memory-devices query-balloon query-uuid query-name query-acpi-ospm-status
    """.split()
)
"""What a storage daemon, which has no guest, does not know."""


def execute(
    qemu: Qemu,
    command: str,
    arguments: Mapping[str, object],
    reply: Callable[[object], None],
) -> None:
    """Carry a command out; ``reply`` gets its result, or a ``Refusal``, unless it is lost."""
    wait = qemu.deaf_until - qemu.agenda.now
    if wait > 0:
        qemu.later(wait, lambda: execute(qemu, command, arguments, reply))
        return
    answering = qemu.answerer.take(command)
    if answering.silent:
        return
    result = _result(qemu, command, arguments, answering)
    if not isinstance(result, Refusal):
        follow(qemu, answering)
    wait = qemu.deaf_until - qemu.agenda.now
    if answering.takes is not None and command not in _TAKES_ITS_TIME:
        wait = answering.takes
    if wait > 0:
        qemu.later(wait, lambda: reply(result))
    else:
        reply(result)


def knows(qemu: Qemu, command: str) -> bool:
    """Whether this QEMU has the command: a storage daemon has none that is about a guest."""
    of_a_machine = qemu.traits.kind == "storage-daemon" and command in _OF_A_MACHINE
    return catalog.is_known(command) and not of_a_machine


def follow(qemu: Qemu, answering: Answering) -> None:
    """Let the events happen that the test lets follow."""
    for event in answering.then:
        qemu.later(event.after, functools.partial(happen, qemu, event.event, event.data))


def _result(
    qemu: Qemu, command: str, arguments: Mapping[str, object], answering: Answering
) -> object:
    if not knows(qemu, command):
        return Refusal("CommandNotFound", f"The command {command} has not been found")
    if answering.fails is not None:
        return Refusal("GenericError", answering.fails)
    handler = _HANDLERS.get(command)
    if handler is None:
        result = queries.answer(qemu, command, arguments)
    else:
        result = handler(qemu, arguments, answering)
    if isinstance(result, Refusal):
        return result
    qemu.belongings.obey(command, arguments)
    if answering.returns is not None:
        return answering.returns
    return {} if result is None else result
