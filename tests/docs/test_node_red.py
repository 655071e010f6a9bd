"""The flow of examples/node-red, held against what reactor publishes; `make node-red` runs it."""

import json
import re
from typing import Any

import pytest

from reactor.app.requests.routes import ROUTES
from reactor.core.topic_filters import fits
from tests.app.published import SCHEMA
from tests.docs.pages import page
from tests.house.checkout import ROOT
from tests.nodered.flow import behind, members, nodes

README = page("examples/node-red/README.md")
NODES = nodes()
HEARD = [node for node in NODES.values() if node["type"] == "mqtt in"]
REQUESTS = json.loads((ROOT / "docs/reference/mqtt-requests.schema.json").read_text("utf-8"))


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """The schema that is meant."""
    name = part.get("$ref", "").rpartition("/")[2]
    return SCHEMA["$defs"][name] if name else part


def schema_of(topic_filter: str) -> dict[str, Any]:
    """The one of the messages that this filter of the flow lets in."""
    kinds = {
        kind: part
        for kind, part in SCHEMA["properties"].items()
        if fits(topic_filter, f"reactor/host-1/{example(kind, topic_filter)}")
    }
    ((_, part),) = kinds.items()
    return resolved(part)


def example(kind: str, topic_filter: str) -> str:
    """A topic of this kind, with the words of the filter where it says any."""
    levels, said = kind.split("/"), topic_filter.split("/")[2:]
    if len(levels) != len(said):
        return kind
    return "/".join(
        mine if level.startswith("<") and mine not in {"+", "#"} else level
        for level, mine in zip(levels, said, strict=True)
    )


def test_every_wire_leads_to_a_node() -> None:
    """And every node that speaks MQTT has a broker, which checks certificates."""
    for node in NODES.values():
        assert all(one["id"] in NODES for one in behind(node, NODES))
        if node["type"].startswith("mqtt ") and "broker" in node:
            assert NODES[node["broker"]]["type"] == "mqtt-broker"
    broker = NODES["reactor-broker"]
    assert broker["usetls"]
    assert NODES[broker["tls"]]["verifyservercert"]
    assert "credentials" not in json.dumps(list(NODES.values()))


@pytest.mark.parametrize("node", HEARD, ids=lambda node: node["name"])
def test_what_the_flow_hears_is_published_and_has_the_members_that_it_reads(
    node: dict[str, Any],
) -> None:
    """A member that was renamed must not leave the flow behind."""
    schema = schema_of(node["topic"])
    (function,) = behind(node, NODES)
    read = members(function["func"])
    assert read
    for path in read:
        first, *rest = path.split(".")
        assert first in text_of(schema), (node["topic"], path)
        assert not rest or first == "data", path
    for word in re.findall(r"mark\.(\w+)", function["func"]):
        assert word in resolved(schema["properties"]["marks"]["items"])["properties"]


def text_of(schema: dict[str, Any]) -> set[str]:
    """The members that a payload of this schema has, whichever its form is."""
    forms = [schema, *schema.get("anyOf", []), *schema.get("oneOf", [])]
    return {name for form in forms for name in resolved(form).get("properties", {})}


def test_the_button_gives_an_order_that_there_is() -> None:
    """With members of its schema, and not retained: reactor would refuse it."""
    out = NODES["hold"]
    below = out["topic"].removeprefix("reactor/host-1/")
    (route,) = [route for route in ROUTES if route.topic == below]
    assert out["retain"] == "false"
    assert 0 < int(out["expiry"]) <= 60
    code = NODES["order"]["func"]
    (payload,) = re.findall(r"msg\.payload = \{(.+?)\};", code)
    said = set(re.findall(r"(\w+):", payload))
    form = route.form.__struct_fields__
    assert said <= {field.rstrip("_") for field in form}
    assert NODES["answers"]["topic"] in code


def test_the_acl_of_the_page_has_the_topics_of_the_flow_and_no_others() -> None:
    """Read what is heard, write what is ordered."""
    (acl,) = re.findall(r"```text\n(.+?)```", README, re.DOTALL)
    rights = re.findall(r"^topic (read|write) (\S+)$", acl, re.MULTILINE)
    heard = [("read", node["topic"]) for node in HEARD]
    assert sorted(rights) == sorted([*heard, ("write", NODES["hold"]["topic"])])
    assert all(f"`{topic}`" in README for _, topic in rights)
