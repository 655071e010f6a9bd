"""The operator's hand: every order is answered once, with a sentence that says what was done."""

from reactor.core import operator_commands, operator_rules, operator_runs
from reactor.core.effect import Log, Reply
from reactor.core.inputs import Operated
from reactor.core.order_checks import Answer, OrderRefused
from reactor.core.orders import (
    AddSilence,
    Approve,
    CancelRun,
    ClearMark,
    EndInhibitions,
    ExpireSilence,
    HoldGuests,
    Order,
    ReleaseGuests,
    RunCommand,
    SetMark,
    StartRun,
    SwitchPolicy,
)
from reactor.core.world import World


def operate(world: World, input_: Operated) -> None:
    """Carry an order out, and answer it; what was done is a line for people too."""
    try:
        text, data = _carry_out(world, input_.order, input_.who)
    except OrderRefused as refused:
        world.emit(
            Reply(input_.id, ok=False, text=str(refused), data=refused.data, fix=refused.fix)
        )
        return
    world.emit(Log("info", f"{input_.who}: {text}", title="operator"))
    world.emit(Reply(input_.id, ok=True, text=text, data=data))


def _carry_out(world: World, order: Order, who: str) -> Answer:  # noqa: C901 - one for each kind
    match order:
        case Approve():
            return operator_runs.approve(world, order, who)
        case CancelRun():
            return operator_runs.cancel(world, order, who)
        case StartRun():
            return operator_runs.start(world, order, who)
        case RunCommand():
            return operator_commands.start(world, order, who)
        case AddSilence():
            return operator_rules.silence(world, order, who)
        case ExpireSilence():
            return operator_rules.expire(world, order)
        case SwitchPolicy():
            return operator_rules.switch(world, order, who)
        case HoldGuests():
            return operator_rules.hold(world, order, who)
        case ReleaseGuests():
            return operator_rules.release(world, order)
        case EndInhibitions():
            return operator_rules.end_inhibitions(world, order)
        case SetMark():
            return operator_rules.set_mark(world, order, who)
        case ClearMark():
            return operator_rules.clear_mark(world, order, who)
