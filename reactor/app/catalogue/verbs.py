"""What is known of the verbs of a guest (``guest: reset``): what they are made of."""

from collections.abc import Mapping, Sequence
from functools import cache

from reactor.app.catalogue.entry import Entry
from reactor.app.catalogue.examples import verb_example
from reactor.app.catalogue.guards import states_of
from reactor.core import catalog, guest_ops
from reactor.core.catalog import EffectClass
from reactor.core.ops import Call, Guard, Op, Send
from reactor.core.steps import GuestAction, GuestStep, StepOptions
from reactor.errors import Place

_NOWHERE = StepOptions("", Place(""))

MEANINGS: Mapping[str, str] = {
    "guest: dump": "writes the guest's memory into a file, and waits until it is whole",
    "guest: reset": "resets the guest, and lets it run where it stood in a fault",
    "guest: pause": "stops the guest",
    "guest: resume": "lets a guest that stands still run, and looks whether it does",
    "guest: shutdown": "presses the power button and waits until the guest has shut down",
    "guest: reboot": "has the guest's own system reboot, by its agent",
    "guest: start": "lets a guest run that waits to be started",
    "guest: destroy": "ends QEMU, and the guest with it",
    "guest: inject-nmi": "sends the guest an interrupt at which most panic, or dump by themselves",
    "guest: preserve-on-panic": "has QEMU keep the guest at a panic, so that it can be dumped",
}
"""What the verbs do, by the names that a policy gives them."""


def _made_of(verb: str) -> Sequence[Op]:
    action = verb.removeprefix("guest: ")
    if action == "dump":
        return guest_ops.dump("", "", 0)
    return guest_ops.guest(GuestStep(_NOWHERE, GuestAction(action)), 0)


@cache
def sent_by(verb: str) -> tuple[str, ...]:
    """The commands that a verb may send, in their order."""
    sent = (
        op.command if isinstance(op, Send) else getattr(op.step, "command", "")
        for op in _made_of(verb)
        if isinstance(op, Send | Call)
    )
    return tuple(dict.fromkeys(sent))


@cache
def better_than(command: str) -> str:
    """The verb that does what the command does with more care; empty where there is none."""
    fitting = (verb for verb in MEANINGS if sent_by(verb)[0] == command)
    return next(fitting, "guest: resume" if command == "cont" else "")


def verb_entry(name: str) -> Entry:
    """All about a verb of a guest."""
    sent = sent_by(name)
    rule = next((op.rule for op in _made_of(name) if isinstance(op, Guard)), None)
    effects = [catalog.effect_of(one) for one in sent if one in catalog.known_commands()]
    effects += [catalog.agent_effect_of(one) for one in sent if one in catalog.agent_commands()]
    needed = [one for one in sent if catalog.is_known(one) and catalog.needs_allow(one)]
    return Entry(
        name=name,
        kind="verb of a guest",
        meaning=MEANINGS[name],
        effect=max(effects, key=list(EffectClass).index).value,
        allow=f"always, as `{needed[0]}`" if needed else "never",
        counts_as=next((word for one in sent if (word := catalog.limited_as(one))), ""),
        sends=sent,
        states=None if rule is None else states_of(rule),
        example=verb_example(name, needed),
    )
