"""Orders to send a command by hand: which are carried out, and which refused."""

from reactor.core import by_hand, catalog, gate
from reactor.core.admission import Verdict
from reactor.core.hidden import holds_secrets
from reactor.core.match import Match
from reactor.core.order_checks import Answer, OrderRefused, check_word, known_guest, quoted
from reactor.core.orders import RunCommand
from reactor.core.run import Origin
from reactor.core.sending import refusal
from reactor.core.text import closest, render_duration
from reactor.core.world import World

TIMEOUT_MAX = 600.0
"""Seconds that a command may wait for the guest, its answer included."""

OPEN_MAX = 32
"""Commands by hand that may be under way, on whatever guests."""


def start(world: World, order: RunCommand, who: str) -> Answer:
    """Begin a run that sends the command, if it may be sent."""
    command = order.command
    check_word("command", command)
    _check_allowed(world, command)
    guest = known_guest(world, order.guest)
    if holds_secrets(order.arguments):
        raise OrderRefused(
            f"{command} is not sent: its arguments hold a secret, and a message over MQTT may be "
            "read by others and is kept",
            fix="give it to QEMU on the host: by a monitor of your own, or as a file "
            "(object-add of a `secret` takes `file`)",
        )
    if not guest.connected:
        text = f"the monitor of {guest.name} is away: {command} cannot be sent"
        raise OrderRefused(text, fix="`reactor guests` tells when it is back")
    if problem := refusal(world, command, order.arguments):
        raise OrderRefused(problem, fix=f"`reactor docs {quoted(command)}` says more")
    if not 0 < order.timeout <= TIMEOUT_MAX:
        most = render_duration(TIMEOUT_MAX)
        text = f"{order.timeout:g} s is no time to wait: more than 0, and at most {most}"
        raise OrderRefused(text, fix="write such as 30s or 5m")
    under_way = sum(bool(by_hand.command_of(run.policy)) for run in world.runs.values())
    if under_way >= OPEN_MAX:
        text = f"{OPEN_MAX} commands by hand are under way already"
        raise OrderRefused(text, fix="try again in a moment")
    return _begin(world, order, guest.name, who)


def _check_allowed(world: World, command: str) -> None:
    names = world.config.commands
    if by_hand.allowed(names, command):
        return
    if catalog.is_known(command):
        text = f"{command!r} may not be sent by hand: the settings' mqtt.commands do not name it"
        raise OrderRefused(text, fix="add it there, if it shall be")
    listed = [name for name in names if not by_hand.is_glob(name)]
    guess = closest(command, listed) or closest(command, catalog.known_commands())
    text = f"no QEMU that reactor knows has a command {command!r}"
    fix = f"did you mean {guess!r}?" if guess else "`reactor docs` lists the commands"
    raise OrderRefused(text, fix=fix)


def _begin(world: World, order: RunCommand, guest: str, who: str) -> Answer:
    event = by_hand.event_of(order.command, order.arguments, order.timeout, guest, world.now)
    policy = by_hand.policy_of(event)
    match_ = Match(policy.name, guest, Origin(event), "operator", who)
    decision = gate.enter(world, policy, match_)
    if decision.verdict is not Verdict.ADMITTED:
        text = f"{order.command} on {guest} is not sent: {decision.sentence}"
        raise OrderRefused(text, fix="`reactor status` shows holds, silences and open runs")
    run = world.runs[decision.run]
    if run.outcome is not None:
        why = f": {run.error}" if run.error else ""
        text = f"{order.command} on {guest} is not sent: run {run.id} {run.outcome.value}{why}"
        raise OrderRefused(text, {"run": run.id}, fix=f"`reactor runs show {run.id}` says more")
    run.answer = order.answer
    return f"run {run.id} sends {order.command} to {guest}", {"run": run.id}
