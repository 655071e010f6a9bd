"""What `reactor check` says of arguments is what a real QEMU says of them."""

from collections.abc import Mapping

from reactor.qapi.types import Member, Record, Schema
from tests.lab.differing.judging import calls_of, judged
from tests.lab.differing.qemu import Judge

CALLS = 4000
SEED = 20


def test_qemu_and_the_check_agree_about_every_call() -> None:
    """Of every command, whole and broken in every way; QEMU carries none of them out."""
    with Judge() as judge:
        schema = judge.schema()
        result = judged(judge, calls_of(schema, CALLS, SEED), schema)
    assert result.disagreements == []
    assert result.commands > 200
    assert min(result.fitting, result.misfitting) > CALLS / 5


def _all_needed(schema: Schema) -> Schema:
    """A schema in which no member may be left out."""

    def needed(members: Mapping[str, Member]) -> Mapping[str, Member]:
        return {name: Member(one.type) for name, one in members.items()}

    types = {
        name: Record(needed(one.members), one.tag, one.variants) if isinstance(one, Record) else one
        for name, one in schema.types.items()
    }
    return Schema(schema.version, types, schema.commands, schema.events)


def test_a_wrong_schema_would_be_found() -> None:
    """The comparison can fail: with one that asks for more than QEMU does, it does."""
    with Judge() as judge:
        real = judge.schema()
        calls = calls_of(real, 300, SEED)
        wrong = judged(judge, calls, _all_needed(real)).disagreements
        assert len(wrong) > 20
        assert judged(judge, calls, real).disagreements == []
