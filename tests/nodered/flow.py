"""The flow of the example, and what it reads of what reactor publishes."""

import json
import re
from typing import Any

from tests.house.checkout import ROOT

FILE = ROOT / "examples" / "node-red" / "flows.json"
READ = re.compile(r"msg\.payload((?:\.\w+)+)")


def nodes() -> dict[str, dict[str, Any]]:
    """Every node by its id."""
    return {node["id"]: node for node in json.loads(FILE.read_text(encoding="utf-8"))}


def behind(node: dict[str, Any], every: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The nodes that hear directly of this one."""
    return [every[one] for wire in node.get("wires", []) for one in wire]


def members(code: str) -> set[str]:
    """What a function reads of the payload that comes in: `status`, `data.action`."""
    before = code.partition("msg.payload = ")
    read = {found.removeprefix(".") for found in READ.findall(before[0])}
    # In the new payload, the old one's members may still be read.
    read |= {found.removeprefix(".") for found in READ.findall(before[2].partition("};")[0])}
    words = ("split", "map")
    return {re.sub(rf"\.({'|'.join(words)})$", "", one) for one in read}
