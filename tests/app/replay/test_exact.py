"""A record word for word: the same inputs, the same policies, the same effects."""

import msgspec
import pytest
from hypothesis import given, settings

from reactor.app.replay.exact import ExactPlayer
from reactor.app.replay.past import Past
from reactor.app.replay.texts import Texts
from tests.app.replay.keeping import Kept, KeptHost, readable, replayed
from tests.core.test_histories import CONFIG, GUESTS, MOVES, POLICIES, Move, _move


def _played(moves: list[Move]) -> KeptHost:
    host = KeptHost(POLICIES, guests=GUESTS, config=CONFIG)
    host.connect()
    for pause, guest, what in moves:
        host.run(pause)
        _move(host, guest, what)
    host.run(100)
    return host


@pytest.mark.timeout(60)
@settings(max_examples=40, deadline=None)
@given(moves=MOVES)
def test_the_policies_of_then_do_what_they_did(moves: list[Move]) -> None:
    """Over restarts, reloads, lost monitors, orders and failures: to the last byte."""
    host = _played(moves)
    found = replayed(host)
    assert found.exact
    assert readable(found.differing) == []
    assert found.assumed[0].startswith("answers: as they came then")
    assert [note for note in found.assumed if "otherwise" in note] == []
    assert found.tally.policies == host.tally.policies

    effects: list[tuple[float, object]] = []
    past = Past()
    past.take(host.beforehand())
    past.settle()
    texts = Texts(past, "kept")
    player = ExactPlayer("abc123", texts.of_book, lambda at, effect: effects.append((at, effect)))
    player.play(Kept(host).lines())
    assert msgspec.json.encode(effects) == msgspec.json.encode(host.effects)
    assert player.unasked == 0
