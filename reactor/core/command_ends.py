"""What became of a command by hand, for who sent it over MQTT.

What was refused at once is answered as every order is. What became a run is told by the run's
end, through the outbox: it may take long, and the daemon may be another one by then.
"""

import msgspec

from reactor.core import by_hand
from reactor.core.effect import Publish
from reactor.core.run import Outcome, Run
from reactor.core.text import render_size
from reactor.core.topics import CORRELATION
from reactor.core.world import World

RETURN_MAX = 1 << 19
"""Bytes of the longest answer of QEMU's, as JSON, that its sender is told."""

REPLY_EXPIRY_S = 600.0
"""Seconds after which nobody waits for the end of a command any more."""


def ended(world: World, run: Run) -> None:
    """Tell who ordered the command what became of it, and forget its policy."""
    if all(other.revision != run.revision for other in world.runs.values()):
        world.programs.pop(run.revision, None)
    answer = run.answer
    if answer is None or not world.config.has_broker:
        return
    payload: dict[str, object] = {"topic": answer.topic}
    payload |= _done(run) if run.outcome is Outcome.SUCCEEDED else _not_done(run)
    payload |= {"id": answer.id} if answer.id else {}
    properties = {}
    if answer.correlation:
        payload["correlation"] = properties[CORRELATION] = answer.correlation
    world.emit(
        Publish(answer.reply, payload, properties=properties, expiry_s=REPLY_EXPIRY_S, run=run.id)
    )


def _done(run: Run) -> dict[str, object]:
    command = by_hand.command_of(run.policy)
    text = f"{command} on {run.guest}: done"
    returned = run.saved[by_hand.RETURNED].result
    data: dict[str, object] = {"run": run.id}
    size = len(msgspec.json.encode(returned))
    if size > RETURN_MAX:
        text = f"{text}; what QEMU answered has {render_size(size)}, too much to be told"
    else:
        data["return"] = returned
    return {"ok": True, "text": text, "data": data}


def _not_done(run: Run) -> dict[str, object]:
    outcome = run.outcome.value if run.outcome is not None else ""
    data: dict[str, object] = {"run": run.id, "outcome": outcome}
    if run.refusal is not None:
        data |= {"class": run.refusal.error_class, "desc": run.refusal.description}
    fix = f"`reactor runs show {run.id}` (over MQTT: ask/run/{run.id}) tells what it did"
    if run.outcome is Outcome.UNKNOWN:
        fix = f"look at the guest before you send it again; {fix}"
    return {"ok": False, "error": run.error, "fix": fix, "data": data}
