"""Why an event started no run: told to who asks, from what was seen then."""

from reactor.core.misses import Miss
from tests.core.simulation import Host, document
from tests.core.triggers import happen, misses, on, with_triggers


def test_a_false_condition_is_explained_when_it_is_read() -> None:
    """Not before: most near misses never are."""
    host = Host([with_triggers(on("GO", where="data.n > 3 && guest.status == 'paused'"))]).connect()
    happen(host, "GO", {"n": 5})
    (record,) = host.engine.world.near["p"]
    assert isinstance(record, Miss)
    assert not isinstance(record.told, str)
    assert misses(host) == [("`where` is false", 'data.n is 5, guest.status is "running"')]


def test_it_is_explained_by_what_was_seen_then() -> None:
    """Whatever became of the guest since."""
    host = Host([with_triggers(on("GO", where="guest.status != 'running'"))]).connect()
    happen(host, "GO")
    host.disconnect("web-1")
    assert misses(host) == [("`where` is false", 'guest.status is "running"')]


def test_a_trace_of_a_refusal_has_its_place() -> None:
    """The time, the policy, the guest and the path of the trigger."""
    host = Host([with_triggers(on("OTHER"), on("GO", where="data.bad"))]).connect()
    happen(host, "GO", {"bad": False})
    (miss,) = host.engine.near_misses("p")
    assert (miss.at, miss.policy, miss.guest, miss.path) == (host.now, "p", "web-1", "trigger/1")
    assert miss.values == {"event": "GO"}


def test_each_condition_finds_what_it_reads() -> None:
    """The variables of an event are made as far as some condition asks for them."""
    host = Host(
        [
            with_triggers(on("GO", where="data.n == 1 || data.n == 2"), name="a"),
            with_triggers(on("GO", where="event.name == 'GO' && host.name == 'h1'"), name="b"),
            with_triggers(on("GO", where="guest.name == 'web-1'", by="guest.uuid"), name="c"),
        ]
    ).connect()
    happen(host, "GO", {"n": 1})
    assert len(host.published()) == 3


def test_a_name_that_is_not_known_at_its_place_makes_no_match() -> None:
    """`check` refuses it; here it is false, with its reason."""
    host = Host([with_triggers(on("GO", where="message.qos == 1"))]).connect()
    happen(host, "GO")
    assert misses(host) == [("`where` is false", "`message` is not known here")]


def test_refusals_of_admission_stand_in_the_same_ring() -> None:
    """In the order in which they came."""
    slow = document("p", "[{delay: 1h}]", trigger="{event: GO, where: data.n > 0}")
    host = Host([slow]).connect()
    for number in (1, 0, 2):
        happen(host, "GO", {"n": number})
    assert [verdict for verdict, _ in misses(host)] == [
        "`where` is false",
        "a run of this key is still open",
    ]
