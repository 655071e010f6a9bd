"""The policies of the histories: the shipped ones, and some that are nasty."""

from collections.abc import Mapping
from pathlib import Path

from reactor.core.policy import Policy
from reactor.errors import Place
from reactor.policyfile.check import build_policy

SHIPPED = Path(__file__).resolve().parents[2] / "rules" / "guest-panic.yaml"

GUESTS: Mapping[str, Mapping[str, str]] = {
    "web-1": {"tier": "prod"},
    "db-1": {"tier": "prod"},
    "db-2": {"tier": "test"},
}

DELAY_S = 30.0
LIMIT = 2
LIMIT_S = 600.0
COOLDOWN_S = 7.0
QUIET_S = 4.0
QUIET_MOST_S = 12.0
ABSENT_S = 15.0
PATIENCE_S = 45.0
"""Longer than what is awaited is spared after a restart."""

CALM_S = 25.0

# The shipped policy with its limits, for one guest of three.
_LIMITED_PANIC = SHIPPED.read_text(encoding="utf-8").replace(
    "trigger:", "guests: {name: 'web-*'}\ntrigger:", 1
)

_PANIC = """
policy: panic-always
description: Dump and reset, however often.
guests: {name: "db-*"}
arm: [{guest: preserve-on-panic}]
trigger: {event: GUEST_PANICKED, where: data.action == "pause"}
if: guest.status == "guest-panicked"
mode: queued
max: 1
steps:
  - {guest: dump, to: "${guest.name}-${run.id}.kdump", format: kdump-zlib, timeout: 30m}
  - {guest: reset, timeout: 20s, retry: {times: 20, backoff: [1s]}}
  - {publish: "worked/${run.id}"}
on_failure: [{publish: "failed/${run.id}", payload: "${run.error}"}]
finally: [{publish: "over/${run.id}"}]
"""

_RESUME = """
policy: resume
description: An I/O error has passed. Go on.
trigger: {event: BLOCK_IO_ERROR, where: data.action == "stop"}
if: guest.status == "io-error"
mode: queued
max: 1
steps:
  - {delay: 2s}
  - {guest: resume, retry: {times: 2, backoff: [1s]}}
on_failure: [{publish: "failed/${run.id}", payload: "${run.error}"}]
finally: [{publish: "over/${run.id}"}]
"""

_SLOW = f"""
policy: slow
description: Says when it begins and when its delay is over.
trigger: {{event: GO}}
mode: parallel
max: 5
steps:
  - {{publish: "begun/${{run.id}}", payload: "${{string(now())}}"}}
  - {{delay: {DELAY_S:g}s}}
  - {{publish: "late/${{run.id}}"}}
  - {{wait: {{event: [GO, STOP, REACTOR_GUEST_LOST], timeout: 50s}}, on_error: continue}}
finally: [{{publish: "over/${{run.id}}"}}]
"""

_COUNTED = f"""
policy: counted
description: At most two in ten minutes and guest.
trigger: {{event: GO}}
mode: queued
max: 3
limits: [{LIMIT} per {LIMIT_S:g}s per guest, 1 at once per host]
on_limit: [{{publish: "limited/${{guest.name}}"}}]
steps:
  - parallel:
      - [{{publish: "left/${{run.id}}"}}, {{delay: 1s}}]
      - [{{delay: 500ms}}, {{publish: "right/${{run.id}}"}}]
  - {{mark: {{disk: "${{data.disk}}", as: seen, reason: "${{run.id}}", expires: 20m}}}}
  - {{qmp: stop}}
  - {{guest: resume, retry: {{times: 3, backoff: [1s]}}}}
on_failure: [{{publish: "failed/${{run.id}}", payload: "${{run.error}}"}}]
finally: [{{publish: "over/${{run.id}}"}}]
"""

_ABSENT = """
policy: absent
description: Nothing came in time.
trigger:
  event: GO
  by: data.disk
  not_followed_by: {event: BLOCK_IO_ERROR, by: data.device, within: 20s}
  cancel_on: [REACTOR_GUEST_LOST]
steps:
  - {clear: {disk: "${data.disk}", as: seen}}
  - {inhibit: {policies: [counted], for: 3s}}
finally: [{publish: "over/${run.id}"}]
"""

_ECHO = """
policy: echo
description: What reactor itself makes happen.
trigger: {event: 'REACTOR_*'}
cooldown: SECONDS
debounce: {quiet: 1s, at_most: 3s}
steps: [{log: heard}]
finally: [{publish: "over/${run.id}"}]
""".replace("SECONDS", f"{COOLDOWN_S:g}s")

_ASKED = """
policy: asked
description: Done one after the other, once an operator has said yes.
trigger: {event: ASK}
mode: parallel
max: 5
limits: [1 at once per host]
approval: {ask: "disk ${data.disk}?", expires: 40s}
steps:
  - {publish: "asked/${run.id}"}
  - {delay: 5m}
finally: [{publish: "over/${run.id}"}]
"""

_TOLD = """
policy: told
description: Passes on what is compared over a break.
trigger: {event: [VSERPORT_CHANGE, DEVICE_DELETED], own: true}
mode: parallel
max: 1000
steps:
  - publish: "told/${guest.name}"
    payload:
      at: "${string(event.received)}"
      made: "${event.synthetic}"
      event: "${event.name}"
      data: "${data}"
finally: [{publish: "over/${run.id}"}]
"""

_QUIETED = f"""
policy: quieted
description: Once it is quiet again.
trigger: {{event: NOISE}}
mode: parallel
max: 20
debounce: {{quiet: {QUIET_S:g}s, at_most: {QUIET_MOST_S:g}s}}
steps: [{{log: quiet}}]
finally: [{{publish: "over/${{run.id}}"}}]
"""

_UNANSWERED = f"""
policy: unanswered
description: Nobody ever answers.
trigger: {{event: NOISE, not_followed_by: {{event: ANSWER, within: {ABSENT_S:g}s}}}}
mode: parallel
max: 20
steps: [{{log: nobody}}]
finally: [{{publish: "over/${{run.id}}"}}]
"""

_PATIENT = f"""
policy: patient
description: Waits for what never comes.
trigger: {{event: NOISE}}
mode: parallel
max: 20
steps:
  - wait: {{event: REACTOR_MARK_SET, where: data.as == "never", timeout: {PATIENCE_S:g}s}}
    on_error: continue
finally: [{{publish: "over/${{run.id}}"}}]
"""

_CALM = f"""
policy: calm
description: Keeps another policy away.
trigger: {{event: CALM}}
mode: parallel
max: 20
steps: [{{inhibit: {{policies: [patient], for: {CALM_S:g}s}}}}]
finally: [{{publish: "over/${{run.id}}"}}]
"""

_WAITING = (_QUIETED, _UNANSWERED, _PATIENT, _CALM)


def built(*texts: str) -> tuple[Policy, ...]:
    """The policies of these texts."""
    return tuple(build_policy(text, Place("simulation", 1, 1)) for text in texts)


ALL = built(
    _LIMITED_PANIC, _PANIC, _RESUME, _SLOW, _COUNTED, _ABSENT, _ECHO, _ASKED, _TOLD, *_WAITING
)
CHANGED = built(
    _LIMITED_PANIC,
    _PANIC.replace("however often", "as often as it takes"),
    _RESUME,
    _SLOW.replace("parallel", "restart"),
    _COUNTED,
    _TOLD,
    *_WAITING,
)
"""Another revision of two policies, and two that are gone; the panics are seen to all the same."""
