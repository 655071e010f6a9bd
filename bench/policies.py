"""The policies of the bench, as YAML, and the events that fit them."""

from dataclasses import dataclass

from bench.lines import KINDS, Kind
from bench.talk import COMMAND, DEAF_EVENT, EVENT

OTHER_EVENTS = (
    "BLOCK_IO_ERROR",
    "BLOCK_JOB_ERROR",
    "BLOCK_EXPORT_DELETED",
    "WATCHDOG",
    "BLOCK_WRITE_THRESHOLD",
)
GLOBS = (
    ("QUORUM_REPORT_BAD", "QUORUM_*"),
    ("MEM_UNPLUG_ERROR", "MEM_*"),
    ("VSERPORT_CHANGE", "VSERPORT_*"),
)
OTHER_GLOBS = ("BLOCK_JOB_*", "BALLOON*", "MEMORY_FAIL*")

REACTION = f"""\
policy: react
description: The reaction that the row `latency` times.
trigger: {{event: {EVENT}}}
steps:
  - qmp: {COMMAND}
"""

PATIENT = f"""\
policy: react
description: The reaction of the rows `load` and `soak`; in a flood it may wait.
trigger: {{event: {EVENT}}}
mode: queued
max: 1000
steps:
  - qmp: {COMMAND}
"""

STORM = f"""\
policy: storm-each
description: Every guest that panics gets one command.
trigger: {{{{event: GUEST_PANICKED}}}}
steps:
  - qmp: {COMMAND}
---
policy: storm-limited
description: A few of them get more.
trigger: {{{{event: GUEST_PANICKED}}}}
limits: [{{limit}} per 10m per host]
steps:
  - log: admitted
---
policy: deaf
description: A command that is never read, larger than any socket takes at once.
trigger: {{{{event: {DEAF_EVENT}}}}}
mode: queued
max: 100
steps:
  - qmp: human-monitor-command
    args: {{{{command-line: {{padding}}}}}}
    timeout: 1s
"""
"""What the row `load` has beside PATIENT; to be formatted with ``limit`` and ``padding``."""


LIFELIKE = (
    """\
policy: panic-PLACE
description: Kernel panic on the guests of group PLACE. Keep the evidence, bring it back.
guests: {name: 'group-PLACE-*', labels: {tier: [prod, stage]}}
arm:
  - guest: preserve-on-panic
trigger:
  event: GUEST_PANICKED
  where: data.action == "pause"
if: guest.status == "guest-panicked" && guest.labels.?rack.orValue("") != "rack-PLACE"
mode: queued
max: 1
limits:
  - 3 per 1h per guest
  - 1 at once per host
steps:
  - guest: dump
    to: "${guest.name}-${run.id}.kdump"
    timeout: 30m
  - guest: reset
  - publish: panic/PLACE
    payload: {guest: "${guest.name}", nth: "${run.nth}", group: PLACE}
on_failure:
  - publish: alert/critical
    payload: {guest: "${guest.name}", step: "${run.failed_step}", error: "${run.error}"}
""",
    """\
policy: full-disk-PLACE
description: The disk of group PLACE had no room. Wait, try again, then call people.
guests: {name: 'group-PLACE-*'}
trigger:
  event: BLOCK_IO_ERROR
  where: data.action == "stop" && data.device != "scratch-PLACE"
  by: data.device
cooldown: 10m
if: guest.status == "io-error"
steps:
  - log: "${guest.name}: ${data.device} had no room"
  - delay: 1m
  - choose:
      - when: guest.status == "io-error" && run.nth < 4
        steps:
          - guest: resume
          - wait: {stays: guest.status == "running", for: 30s, timeout: 5m}
      - default:
          - publish: alert/disk
            payload: {guest: "${guest.name}", disk: "${data.device}", group: PLACE}
""",
    """\
policy: quorum-PLACE
description: A copy of a disk in group PLACE reads badly again and again. Mark it.
guests: {labels: {group: 'PLACE'}}
trigger:
  event: QUORUM_REPORT_BAD
  where: data.type == "read"
  by: data.node_name
  count: 5
  within: 10m
limits: [10 per 1h per host]
vars: {disk: "${trigger.data.node_name}"}
steps:
  - mark: {disk: "${vars.disk}", as: degraded, reason: "group PLACE: ${trigger.count} bad reads"}
  - publish: disk/degraded
    payload: {guest: "${guest.name}", disk: "${vars.disk}", group: PLACE}
    retain: true
""",
)
"""To be made different by what stands for PLACE."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """A policy that an event of ``kind`` with the key of ``place`` fits; ``extra`` must hold."""

    policy: str
    kind: Kind
    place: int
    extra: bool


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Policies as YAML documents, and those of them that an event can fit."""

    documents: list[str]
    keyed: list[Keyed]


def mixed(count: int) -> PolicySet:
    """So many policies as a big site has them; no event of the bench fits two of them.

    Of twenty, ten compare one member, three also hold a condition that no
    index answers, one names its event by a glob, three are for other guests,
    three for other events (one of them by a glob).
    """
    documents, keyed = list[str](), list[Keyed]()
    for place in range(count):
        document, key = _mixed(place)
        documents.append(document)
        if key is not None:
            keyed.append(key)
    return PolicySet(documents, keyed)


def one_kind(count: int) -> PolicySet:
    """So many policies for one kind of event that differ only in the value they compare."""
    kind = KINDS[0]
    keyed = [Keyed(f"disk-{place}", kind, place, extra=False) for place in range(count)]
    documents = [
        document(key.policy, kind.event, f"{kind.key} == {kind.literal(key.place)}")
        for key in keyed
    ]
    return PolicySet(documents, keyed)


def residues() -> list[str]:
    """One policy for each of the seven kinds whose condition is asked, and false, every time."""
    return [
        document(f"never-{number}", kind.event, kind.never) for number, kind in enumerate(KINDS)
    ]


def lifelike(count: int) -> list[str]:
    """So many policies as people write them: conditions, limits, several steps, handlers."""
    return [LIFELIKE[place % len(LIFELIKE)].replace("PLACE", str(place)) for place in range(count)]


def document(name: str, event: str, where: str = "", guests: str = "") -> str:
    """The YAML text of one policy with one step that asks for nothing."""
    condition = f", where: '{where}'" if where else ""
    selector = f"guests: {{name: '{guests}'}}\n" if guests else ""
    return f"""\
policy: {name}
description: One of many.
{selector}trigger: {{event: '{event}'{condition}}}
steps:
  - log: taken
"""


def _mixed(place: int) -> tuple[str, Keyed | None]:
    share, nth = place % 20, place // 20
    kind = KINDS[(nth + share) % len(KINDS)]
    equal = f"{kind.key} == {kind.literal(place)}"
    if share < 10:
        return _keyed(Keyed(f"plain-{place}", kind, place, extra=False), kind.event, equal)
    if share < 13:
        key = Keyed(f"residue-{place}", kind, place, extra=True)
        return _keyed(key, kind.event, f"{equal} && {kind.extra}")
    if share == 13:
        name, pattern = GLOBS[nth % len(GLOBS)]
        kind = next(kind for kind in KINDS if kind.event == name)
        key = Keyed(f"glob-{place}", kind, place, extra=False)
        return _keyed(key, pattern, f"{kind.key} == {kind.literal(place)}")
    if share < 17:
        return document(f"guest-{place}", kind.event, guests=f"other-{place}"), None
    if share < 19:
        return document(f"event-{place}", OTHER_EVENTS[nth % len(OTHER_EVENTS)]), None
    return document(f"block-{place}", OTHER_GLOBS[nth % len(OTHER_GLOBS)]), None


def _keyed(key: Keyed, event: str, where: str) -> tuple[str, Keyed]:
    return document(key.policy, event, where), key
