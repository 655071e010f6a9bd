"""Guests, disks and policies as devices of Home Assistant, by its MQTT discovery.

Each guest is one device, announced by one retained message; so is the host, with the
policies. What the entities show stands on reactor's own topics: nothing is published
twice.

Source: Home Assistant, integration "MQTT", "Device discovery payload" (2024.12 and later).
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from reactor.app.outgoing import EVENT_TYPE, Outgoing, encode
from reactor.core import catalog
from reactor.core.catalog import EffectClass
from reactor.core.effect import GuestChanged
from reactor.core.policy import MessageTrigger, Policy
from reactor.core.steps import GuestAction, GuestStep, QmpStep, Step
from reactor.core.text import slug
from reactor.policyfile.event_shapes import known_events
from reactor.policyfile.walking import every

_NOT_ID = re.compile(r"[^A-Za-z0-9_-]")

_DISRUPTS = frozenset(
    {
        GuestAction.RESET,
        GuestAction.PAUSE,
        GuestAction.SHUTDOWN,
        GuestAction.REBOOT,
        GuestAction.DESTROY,
        GuestAction.INJECT_NMI,
    }
)

_STATUS = "{{ value_json.status }}"
_RUNNING = "{{ 'ON' if value_json.status == 'running' else 'OFF' }}"
_PROBLEM = (
    "{{ 'ON' if value_json.marks or value_json.status in "
    "['guest-panicked', 'internal-error', 'io-error', 'watchdog'] else 'OFF' }}"
)
_EVENT = (
    f"{{{{ {{'event_type': value_json.type[{len(EVENT_TYPE)}:], 'time': value_json.time, "
    "'synthetic': value_json.synthetic, 'own': value_json.own, 'data': value_json.data} "
    "| tojson }}"
)
_LAST_RUN = "{{ value_json.last_run.outcome if value_json.last_run else 'none' }}"
_LAST_RUN_MORE = "{{ (value_json.last_run or {}) | tojson }}"
_PRESS = '{"user": "Home Assistant", "sent_at": {{ now().timestamp() }}}'

Component = dict[str, object]


class HomeAssistant:
    """What Home Assistant is told, and what it was told last: nothing is said twice.

    Args:
        discovery: its discovery prefix, mostly ``homeassistant``.
        base: ``<prefix>/<host>`` of reactor's own topics.
        host: the host's name as it is.
        version: of reactor.
    """

    def __init__(self, discovery: str, base: str, host: str, version: str) -> None:
        self.status_topic = f"{discovery}/status"
        self._discovery = discovery
        self._base = base
        self._host = host
        self._version = version
        self._policies: tuple[Policy, ...] = ()
        self._guests: dict[str, GuestChanged] = {}
        self._disks: dict[str, dict[str, None]] = {}
        self._said: dict[str, bytes] = {}

    def adopt(self, policies: Iterable[Policy]) -> list[Outgoing]:
        """The loaded policies are these: buttons and sensors come and go with them."""
        self._policies = tuple(policies)
        return [*self._host_again(), *(m for guest in self._guests for m in self._again(guest))]

    def follow(self, guest: GuestChanged) -> list[Outgoing]:
        """A guest is there, is another one, or is gone."""
        before = self._guests.get(guest.guest)
        if guest.gone:
            self._guests.pop(guest.guest, None)
            self._disks.pop(guest.guest, None)
            return [] if before is None else self._gone(before)
        self._guests[guest.guest] = guest
        if before is None:
            return self._again(guest.guest)
        if _shown(before) == _shown(guest):
            return []  # its status changed, and that stands on a topic of ours
        gone = self._gone(before) if self._topic(before) != self._topic(guest) else []
        return [*gone, *self._again(guest.guest)]

    def saw_disk(self, guest: str, disk: str) -> list[Outgoing]:
        """A disk of the guest has a mark: from now on it is shown, with or without one."""
        disks = self._disks.setdefault(guest, {})
        if disk in disks:
            return []
        disks[disk] = None
        return self._again(guest)

    def retained(self) -> list[Outgoing]:
        """All that was told, once more."""
        return [_retained(topic, payload) for topic, payload in self._said.items()]

    def _host_again(self) -> list[Outgoing]:
        return self._say(f"{self._discovery}/device/{self._host_id}/config", self._host_device())

    def _again(self, name: str) -> list[Outgoing]:
        guest = self._guests.get(name)
        if guest is None or not guest.qemu_version:
            # Nobody knows its UUID yet: it would be one device now and another one later.
            return []
        return self._say(self._topic(guest), self._device(guest))

    def _say(self, topic: str, device: Mapping[str, object]) -> list[Outgoing]:
        payload = encode(device)
        if self._said.get(topic) == payload:
            return []
        self._said[topic] = payload
        return [_retained(topic, payload)]

    def _gone(self, guest: GuestChanged) -> list[Outgoing]:
        topic = self._topic(guest)
        if any(self._topic(other) == topic for other in self._guests.values()):
            return []  # two names with one slug, and no UUID to tell them apart
        return [] if self._said.pop(topic, None) is None else [_retained(topic, b"")]

    @property
    def _host_id(self) -> str:
        return f"reactor_{_id(slug(self._host))}"

    def _guest_id(self, guest: GuestChanged) -> str:
        return f"{self._host_id}_{_id(guest.uuid or slug(guest.guest))}"

    def _topic(self, guest: GuestChanged) -> str:
        return f"{self._discovery}/device/{self._guest_id(guest)}/config"

    def _origin(self) -> Mapping[str, object]:
        return {"name": "reactor", "sw_version": self._version}

    # ------------------------------------------------------------ devices

    def _host_device(self) -> Mapping[str, object]:
        own = f"{self._base}/availability"
        components: dict[str, Component] = {
            # What shows whether reactor is there must not be gone together with it.
            "connected": _connectivity("Connected", own),
            "policies": _sensor(
                "Policies", f"{self._base}/info", "{{ value_json.policies }}", icon="mdi:gavel"
            ),
        }
        for policy in self._policies:
            topic = f"{self._base}/policy/{policy.name}/last"
            sensor = _sensor(f"{policy.name}, last run", topic, "{{ value_json.outcome }}")
            components[f"policy_{policy.name}"] = {**sensor, "json_attributes_topic": topic}
        return self._announcement(
            self._host_id,
            {
                "name": f"reactor on {self._host}",
                "manufacturer": "reactor",
                "model": "host",
                "sw_version": self._version,
            },
            components,
            [own],
        )

    def _device(self, guest: GuestChanged) -> Mapping[str, object]:
        base = f"{self._base}/guest/{slug(guest.guest)}"
        about = {
            "name": guest.guest,
            "manufacturer": "QEMU",
            "model": "guest" if guest.kind == "vm" else guest.kind,
            "via_device": self._host_id,
            "sw_version": guest.qemu_version,
        }
        components = dict(self._components(guest, base))
        topics = [f"{self._base}/availability", f"{base}/availability"]
        return self._announcement(self._guest_id(guest), about, components, topics)

    def _announcement(
        self,
        node: str,
        about: Mapping[str, object],
        components: Mapping[str, Component],
        availability: Iterable[str],
    ) -> Mapping[str, object]:
        named = {
            name: {**component, "unique_id": f"{node}_{_id(name)}"}
            for name, component in components.items()
        }
        return {
            "device": {"identifiers": [node], **about},
            "origin": self._origin(),
            "availability": [{"topic": topic} for topic in availability],
            "availability_mode": "all",
            "qos": 1,
            "components": named,
        }

    def _components(self, guest: GuestChanged, base: str) -> Iterator[tuple[str, Component]]:
        state = f"{base}/state"
        there = _connectivity("Monitor", f"{base}/availability")
        yield "monitor", {**there, "availability": [{"topic": f"{self._base}/availability"}]}
        yield "running", _binary("Running", state, _RUNNING, "running")
        yield "problem", _binary("Problem", state, _PROBLEM, "problem")
        yield "status", _sensor("Status", state, _STATUS, icon="mdi:state-machine")
        last = _sensor("Last run", state, _LAST_RUN, icon="mdi:script-text-play")
        more = {"json_attributes_topic": state, "json_attributes_template": _LAST_RUN_MORE}
        yield "last_run", {**last, **more}
        yield (
            "event",
            {
                "platform": "event",
                "name": "Event",
                "state_topic": f"{base}/event/+",
                "value_template": _EVENT,
                "event_types": sorted(known_events()),
            },
        )
        for disk in self._disks.get(guest.guest, ()):
            marks = f"value_json.marks | selectattr('kind', 'eq', 'disk') | {_of_id(disk)}"
            template = f"{{{{ 'ON' if {marks} | list else 'OFF' }}}}"
            yield f"disk_{slug(disk)}", _binary(f"Disk {disk}", state, template, "problem")
        for policy in self._policies:
            if _has_button(policy) and policy.guests.selects(guest.guest, guest.labels):
                yield f"start_{policy.name}", self._button(policy, guest)

    def _button(self, policy: Policy, guest: GuestChanged) -> Component:
        return {
            "platform": "button",
            "name": policy.name,
            "command_topic": f"{self._base}/trigger/{policy.name}/{slug(guest.guest)}",
            "command_template": _PRESS,
            "retain": False,
            # Nobody shall reset a guest by a tap on a list of entities that came by itself.
            "enabled_by_default": not disrupts(policy),
        }


def disrupts(policy: Policy) -> bool:
    """Whether a step of the policy stops, resets or ends a guest, or may do worse."""
    lists = (policy.steps, policy.on_failure, policy.finally_)
    return any(_disrupts(located.step) for steps in lists for located in every(steps))


def _disrupts(step: Step) -> bool:
    match step:
        case GuestStep(_, action):
            return action in _DISRUPTS
        case QmpStep(_, command):
            return catalog.effect_of(command) not in {EffectClass.READ, EffectClass.ADJUST}
        case _:
            return False


def _shown(guest: GuestChanged) -> tuple[object, ...]:
    """What the device of a guest is made from, of all that is said of the guest."""
    return guest.uuid, guest.kind, guest.qemu_version, guest.labels


def _has_button(policy: Policy) -> bool:
    return any(isinstance(trigger, MessageTrigger) for trigger in policy.triggers)


def _of_id(disk: str) -> str:
    """A filter of Jinja for marks of this disk; its name is data, and is quoted as such."""
    text = disk.replace("\\", "\\\\").replace("'", "\\'")
    return f"selectattr('id', 'eq', '{text}')"


def _connectivity(name: str, topic: str) -> Component:
    return {
        "platform": "binary_sensor",
        "name": name,
        "state_topic": topic,
        "payload_on": "online",
        "payload_off": "offline",
        "device_class": "connectivity",
        "entity_category": "diagnostic",
        "availability": [],
    }


def _binary(name: str, topic: str, template: str, device_class: str) -> Component:
    return {
        "platform": "binary_sensor",
        "name": name,
        "state_topic": topic,
        "value_template": template,
        "device_class": device_class,
    }


def _sensor(name: str, topic: str, template: str, *, icon: str = "mdi:script-text") -> Component:
    return {
        "platform": "sensor",
        "name": name,
        "state_topic": topic,
        "value_template": template,
        "icon": icon,
    }


def _id(text: str) -> str:
    """The text as Home Assistant takes it in a topic of its discovery."""
    return _NOT_ID.sub("_", text)


def _retained(topic: str, payload: bytes) -> Outgoing:
    return Outgoing(topic, payload, retain=True)
