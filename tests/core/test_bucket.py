"""How often something may happen."""

import pytest

from reactor.core.bucket import Bucket


@pytest.mark.parametrize(
    ("times", "taken"),
    [
        pytest.param([100.0] * 4, [True, True, True, False], id="a burst, and no more"),
        pytest.param([100.0] * 3 + [101.9], [True] * 3 + [False], id="before the next token"),
        pytest.param([100.0] * 3 + [102.0], [True] * 4, id="when there is one"),
        pytest.param([100.0] * 3 + [900.0] * 4, [True] * 6 + [False], id="so many are saved"),
        pytest.param([100.0] * 3 + [50.0], [True] * 3 + [False], id="a clock that goes back"),
    ],
)
def test_so_many_a_second_and_so_many_at_once(times: list[float], taken: list[bool]) -> None:
    """Half a token a second, three at once."""
    bucket = Bucket(0.5, 3)
    assert [bucket.take(now) for now in times] == taken
