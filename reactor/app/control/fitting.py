"""Commands by hand, held against QEMU's schema before anything is journaled or sent."""

import asyncio
from typing import cast

from reactor.adapters.control import Answer, Code
from reactor.app.lacks.judge import Judge
from reactor.core.by_hand import allowed
from reactor.core.guest import Guest
from reactor.core.orders import Order, RunCommand
from reactor.core.text import closest
from reactor.core.world import World
from reactor.qapi.shipped import schema_of, versions
from reactor.qapi.types import Schema
from reactor.qapi.values import Value, fit_call

SHOWN = 5
"""Misfits that a refusal names."""


async def misfit(world: World, judge: Judge, order: Order) -> Answer | None:
    """Why QEMU would not take the command of this order; None where it may.

    Held against the schema that the guest's own QEMU told. Until it has, against the one of
    its version that comes with reactor, as far as that has the command; else QEMU judges.
    """
    guest = world.guests.get(order.guest) if isinstance(order, RunCommand) else None
    if guest is None or not isinstance(order, RunCommand):
        return None  # who carries the order out knows what to say
    if not allowed(world.config.commands, order.command):
        return None  # so it does here
    standing = judge.standing(guest)
    own = standing.schema if standing is not None else None
    schema = own or await asyncio.to_thread(_shipped, guest)
    if schema is None or (own is None and order.command not in schema.commands):
        return None
    qemu = f"QEMU {guest.facts.qemu_version}"
    if order.command not in schema.commands:
        guess = closest(order.command, schema.commands)
        fix = f"did you mean {guess!r}?" if guess else "`query-commands` lists those that it has"
        return Answer(Code.REFUSED, f"{qemu} of {guest.name} has no command {order.command!r}", fix)
    found = fit_call(schema, order.command, cast("Value", order.arguments)).misfits
    if not found:
        return None
    problems = list(dict.fromkeys(one.problem for one in found))
    text = "; ".join(problems[:SHOWN])
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return Answer(Code.REFUSED, f"{qemu} would refuse it: {text}{more}", found[0].fix)


def _shipped(guest: Guest) -> Schema | None:
    version = ".".join(guest.facts.qemu_version.split(".")[:2])
    return schema_of(version) if version in versions() else None
