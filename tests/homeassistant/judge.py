"""Run by Home Assistant's Python: does it take what reactor announces, and read what it says?

Reads the JSON of ``announced.py`` from its standard input. Exit code 0: all is taken and
read as it is meant.
"""

import asyncio
import importlib
import json
import logging
import re
import sys
import tempfile
from typing import Any

from homeassistant.components.mqtt import discovery
from homeassistant.const import __version__
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template

WANTED = {
    "running": ["ON", "OFF"],
    "problem": ["OFF", "ON"],
    "status": ["running", "guest-panicked"],
    "last_run": ["none", "failed"],
}
"""What each entity shows for the guest's first state and for its last one."""


def tell(*lines: str) -> None:
    """Say it to whoever runs this."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def components(payload: str) -> dict[str, dict[str, Any]]:
    """The entities of a device, each with what it shares with the others."""
    device = json.loads(payload)
    shared = {key: value for key, value in device.items() if key != "components"}
    return {name: {**shared, **one} for name, one in device["components"].items()}


def judge(announced: dict[str, str]) -> list[str]:
    """What Home Assistant's own schemas say against the announcements."""
    wrong = []
    for topic, payload in announced.items():
        found = discovery.TOPIC_MATCHER.match(topic.removeprefix("homeassistant/"))
        if found is None and hasattr(discovery, "SHARED_OPTIONS"):
            wrong.append(f"{topic}: no topic of the discovery")
        for name, one in components(payload).items():
            entity = importlib.import_module(f"homeassistant.components.mqtt.{one.pop('platform')}")
            try:
                entity.DISCOVERY_SCHEMA(one)
            except Exception as error:  # noqa: BLE001 - whatever its schemas raise
                wrong.append(f"{topic}: {name}: {error}")
    return wrong


def judge_whole(hass: HomeAssistant, announced: dict[str, str]) -> list[str]:
    """The same of the whole payload, where this version knows such (2024.12 and later)."""
    parse = getattr(discovery, "_parse_device_payload", None)
    if parse is None:
        tell("this version does not know device payloads: only the entities were looked at")
        return []
    return [
        f"{topic}: the device is refused"
        for topic, payload in announced.items()
        if not parse(hass, payload, topic.split("/")[2], None)
    ]


def rendered(hass: HomeAssistant, one: dict[str, Any], payload: str) -> str:
    """What the entity makes of this payload."""
    template = Template(one["value_template"], hass)
    return str(template.async_render_with_possible_json_value(payload, "ERROR"))


def read(hass: HomeAssistant, announced: dict[str, str], said: list[list[str]]) -> list[str]:
    """Where an entity shows something else than it should."""
    (guest,) = (components(p) for t, p in announced.items() if t.count("_") > 1)
    states = [payload for topic, payload in said if topic.endswith("/state")]
    ends = (states[0], states[-1])
    (disk,) = (name for name in guest if name.startswith("disk_"))
    wrong = []
    for name, wanted in {**WANTED, disk: ["OFF", "ON"]}.items():
        got = [rendered(hass, guest[name], state) for state in ends]
        if got != wanted:
            wrong.append(f"{name} shows {got}, not {wanted}")
    (event,) = (p for t, p in said if re.search("/event/", t))
    seen = json.loads(rendered(hass, guest["event"], event))
    types = guest["event"]["event_types"]
    if seen["event_type"] not in types or seen["data"] != {"action": "pause"}:
        wrong.append(f"the event is read as {seen}")
    pressed = Template(guest["start_p"]["command_template"], hass).async_render(parse_result=False)
    if json.loads(pressed)["sent_at"] < 1_700_000_000:
        wrong.append(f"the button says {pressed}")
    return wrong


async def main() -> int:
    """Judge, and tell."""
    logging.disable(logging.CRITICAL)
    given = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        hass = HomeAssistant(folder)
        announced = given["announced"]
        wrong = [*judge(announced), *judge_whole(hass, announced)]
        wrong += read(hass, announced, given["said"])
        await hass.async_stop(force=True)
    count = sum(len(components(payload)) for payload in announced.values())
    tell(f"Home Assistant {__version__}: {len(announced)} devices with {count} entities")
    tell("all are taken and read as they are meant" if not wrong else "WRONG:", *wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
