"""Which part of a selector fits a guest, and which does not."""

from collections.abc import Mapping

import pytest

from reactor.app.why.selecting import selection
from reactor.core.policy import Selector

WEB = Selector(names=("web-*", "db-1"))
PROD = Selector(labels=(("tier", ("prod", "stage")), ("rack", ("1*",))))


@pytest.mark.parametrize(
    ("selector", "labels", "sentence"),
    [
        pytest.param(Selector(), {}, "the policy selects every guest", id="everybody"),
        pytest.param(
            WEB,
            {},
            "the policy selects this guest: its name is one of `web-*` or `db-1`",
            id="by its name",
        ),
        pytest.param(
            PROD,
            {"tier": "prod", "rack": "12"},
            "the policy selects this guest: its label `tier` is 'prod', its label `rack` is '12'",
            id="by its labels",
        ),
        pytest.param(
            Selector(excludes=Selector(labels=(("on-panic", ("keep",)),))),
            {},
            "the policy selects every guest",
            id="not excluded",
        ),
    ],
)
def test_a_guest_that_is_selected(
    selector: Selector, labels: Mapping[str, str], sentence: str
) -> None:
    """By what is told; the core agrees."""
    assert selection(selector, "web-1", labels) == (True, sentence)
    assert selector.selects("web-1", labels)


@pytest.mark.parametrize(
    ("selector", "labels", "sentence"),
    [
        pytest.param(
            Selector(names=("db-*",)),
            {},
            "the policy does not select this guest: its name is none of `db-*`",
            id="another name",
        ),
        pytest.param(
            PROD,
            {"tier": "test", "rack": "12"},
            "the policy does not select this guest: its label `tier` is 'test', "
            "not `prod` or `stage`",
            id="another value",
        ),
        pytest.param(
            PROD,
            {"tier": "prod", "host": "h"},
            "the policy does not select this guest: it has no label `rack`, which must be `1*` "
            "(its labels: host=h, tier=prod)",
            id="a label that it lacks",
        ),
        pytest.param(
            PROD,
            {},
            "the policy does not select this guest: it has no label `tier`, which must be "
            "`prod` or `stage` (it has none)",
            id="no labels at all",
        ),
        pytest.param(
            Selector(excludes=Selector(labels=(("on-panic", ("keep",)),))),
            {"on-panic": "keep"},
            "`guests.except` excludes this guest: its label `on-panic` is 'keep'",
            id="excluded by a label",
        ),
        pytest.param(
            Selector(names=("web-*",), excludes=Selector(names=("web-1",))),
            {},
            "`guests.except` excludes this guest: its name is one of `web-1`",
            id="excluded by its name",
        ),
    ],
)
def test_a_guest_that_is_not_selected(
    selector: Selector, labels: Mapping[str, str], sentence: str
) -> None:
    """The first part that does not fit is told, with the guest's value."""
    assert selection(selector, "web-1", labels) == (False, sentence)
    assert not selector.selects("web-1", labels)
