"""The form in which schemas are shipped."""

import random
from importlib.resources import files

import msgspec
import pytest

from reactor.qapi.entities import convert_entities, decode_entities
from reactor.qapi.shipped import versions
from reactor.qapi.tidy import tidy_text

REPLY: list[dict[str, object]] = [
    {"meta-type": "command", "name": "quit", "arg-type": "0", "ret-type": "0"},
    {"meta-type": "object", "name": "0", "members": []},
    {"meta-type": "event", "name": "JOB", "arg-type": "1", "features": ["unstable"]},
    {
        "meta-type": "object",
        "name": "1",
        "members": [
            {"name": "type", "type": "2"},
            {"name": "next", "type": "[1]", "default": None, "features": ["deprecated"]},
            {"name": "size", "type": "3"},
        ],
        "tag": "type",
        "variants": [{"case": "a", "type": "4"}, {"case": "b", "type": "0"}],
    },
    {"meta-type": "enum", "name": "2", "values": ["a", "b"]},
    {"meta-type": "array", "name": "[1]", "element-type": "1"},
    {"meta-type": "alternate", "name": "3", "members": [{"type": "int"}, {"type": "4"}]},
    {"meta-type": "object", "name": "4", "members": [{"name": "x", "type": "int"}]},
    {"meta-type": "builtin", "name": "int", "json-type": "int"},
    {"meta-type": "enum", "name": "9", "members": [{"name": "nobody uses it"}]},
    {
        "meta-type": "command",
        "name": "ask",
        "arg-type": "1",
        "ret-type": "[1]",
        "allow-oob": True,
    },
]

TIDY = """\
[
{"meta-type":"event","name":"JOB","arg-type":"JOB:data","features":["unstable"]},
{"meta-type":"command","name":"ask","arg-type":"JOB:data","ret-type":"[JOB:data]","allow-oob":true},
{"meta-type":"command","name":"quit","arg-type":"empty","ret-type":"empty"},
{"meta-type":"object","name":"JOB:data","members":[{"name":"type","type":"JOB:data.type"},\
{"name":"next","type":"[JOB:data]","default":null,"features":["deprecated"]},\
{"name":"size","type":"JOB:data.size"}],"tag":"type",\
"variants":[{"case":"a","type":"JOB:data.<type=a>"},{"case":"b","type":"empty"}]},
{"meta-type":"object","name":"JOB:data.<type=a>","members":[{"name":"x","type":"int"}]},
{"meta-type":"alternate","name":"JOB:data.size",\
"members":[{"type":"int"},{"type":"JOB:data.<type=a>"}]},
{"meta-type":"enum","name":"JOB:data.type","members":[{"name":"a"},{"name":"b"}]},
{"meta-type":"array","name":"[JOB:data]","element-type":"JOB:data"},
{"meta-type":"object","name":"empty","members":[]},
{"meta-type":"builtin","name":"int","json-type":"int"}
]
"""


def test_a_type_is_named_after_what_uses_it_first() -> None:
    """One entity a line, sorted; what nothing uses is gone, and nothing else."""
    assert tidy_text(convert_entities(REPLY)).decode() == TIDY


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_reply_does_not_matter(seed: int) -> None:
    """QEMU may list its entities as it likes."""
    shuffled = list(REPLY)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - the same order again for a seed
    assert tidy_text(convert_entities(shuffled)).decode() == TIDY


@pytest.mark.parametrize("version", versions())
def test_a_shipped_schema_is_tidy(version: str) -> None:
    """To tidy it again changes nothing; no type is named twice."""
    text = files("reactor.qapi").joinpath("data", f"qemu-{version}.json").read_bytes()
    entities = decode_entities(text)
    assert tidy_text(entities) == text
    assert len({one.name for one in entities}) == len(entities)
    assert len(text.splitlines()) == len(entities) + 2


def test_only_what_is_wholly_empty_is_called_so() -> None:
    """An object without members can say something all the same."""
    told = [
        {"meta-type": "event", "name": "A", "arg-type": "1"},
        {"meta-type": "event", "name": "B", "arg-type": "2"},
        {"meta-type": "object", "name": "1", "members": [], "features": ["fdset"]},
        {"meta-type": "object", "name": "2", "members": []},
    ]
    found = {one.name for one in decode_entities(tidy_text(convert_entities(told)))}
    assert found == {"A", "B", "A:data", "empty"}


def test_a_schema_that_names_a_type_it_does_not_have_is_refused() -> None:
    """It is not written half."""
    with pytest.raises(KeyError, match="7"):
        tidy_text(convert_entities([{"meta-type": "event", "name": "X", "arg-type": "7"}]))
    with pytest.raises(msgspec.ValidationError):
        decode_entities(b'[{"meta-type":"event"}]')
