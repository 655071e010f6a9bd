"""The index finds exactly the triggers that an event could start."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.event import Event
from reactor.core.identity import trigger_names
from reactor.core.matching import PLANS_KEPT, Index, Selection, named
from reactor.core.plans import Part, Plan, look_up
from reactor.core.policy import (
    EventTrigger,
    MessageTrigger,
    Policy,
    ScheduleTrigger,
    Selector,
    StateTrigger,
    Trigger,
)
from tests.core.simulation import policy
from tests.core.triggers import absent, condition, match, on, tree, with_triggers


def _policy(name: str, trigger: str, more: str = "") -> Policy:
    return policy(f"policy: {name}\ndescription: d\n{more}trigger: {trigger}\nsteps:\n  - log: x\n")


def _selection(*policies: Policy) -> Selection:
    return Index(policies).selection("web-1", {})


def _found(policies: list[Policy], event: str, **data: object) -> list[str]:
    selection = Index(policies).selection("web-1", {})
    plan = selection.plan(event)
    if plan is None:
        return []
    return sorted(c.policy.name for c in plan.candidates(Event(event, "web-1", data)))


@pytest.mark.parametrize(
    ("trigger", "event", "data", "found"),
    [
        pytest.param("{event: A}", "A", {}, True, id="name"),
        pytest.param("{event: A}", "B", {}, False, id="another name"),
        pytest.param("{event: [A, B]}", "B", {}, True, id="list"),
        pytest.param("{event: 'A*'}", "AB", {}, True, id="glob"),
        pytest.param("{event: 'A*'}", "BA", {}, False, id="glob that does not fit"),
        pytest.param("{event: [A, 'A*']}", "A", {}, True, id="name and glob: once"),
        pytest.param('{event: A, where: data.x == "y"}', "A", {"x": "y"}, True, id="equal"),
        pytest.param('{event: A, where: data.x == "y"}', "A", {"x": "z"}, False, id="not equal"),
        pytest.param('{event: A, where: data.x == "y"}', "A", {}, False, id="absent"),
        pytest.param("{event: A, where: data.x == 1}", "A", {"x": True}, False, id="true is not 1"),
        pytest.param("{event: A, where: data.x == true}", "A", {"x": True}, True, id="boolean"),
        pytest.param("{event: A, where: data.x == 1}", "A", {"x": [1]}, False, id="a list"),
        pytest.param(
            '{event: A, where: data.node_name == "n"}', "A", {"node-name": "n"}, True, id="hyphen"
        ),
        pytest.param(
            '{event: A, where: data.a.b == "n"}', "A", {"a": {"b": "n"}}, True, id="nested"
        ),
        pytest.param(
            '{event: A, where: data.a.b == "n"}', "A", {"a": "n"}, False, id="nested in a text"
        ),
        pytest.param(
            '{event: A, where: data.a == "n" && data.b == 2}',
            "A",
            {"a": "n", "b": 3},
            False,
            id="the second equality counts",
        ),
        pytest.param(
            '{event: A, where: data.a == "n" && data.b == 2}',
            "A",
            {"a": "n", "b": 2},
            True,
            id="both",
        ),
    ],
)
def test_candidates(trigger: str, event: str, data: dict[str, object], found: bool) -> None:
    """A trigger is a candidate when its name and its equalities hold."""
    assert _found([_policy("p", trigger)], event, **data) == (["p"] if found else [])


def test_what_the_index_cannot_decide_is_left_as_residue() -> None:
    """Equalities are taken out of the condition, the rest is for CEL."""
    selection = _selection(_policy("p", '{event: A, where: data.x == "y" && data.n > 3}'))
    plan = selection.plan("A")
    assert plan is not None
    (candidate,) = plan.candidates(Event("A", "g", {"x": "y"}))
    assert candidate.checks == ((("x",), "y"),)
    assert candidate.residue is not None
    assert candidate.residue.reads == {"data.n"}


@pytest.mark.parametrize(
    ("guests", "name", "labels", "selected"),
    [
        pytest.param("", "web-1", {}, True, id="default: every guest"),
        pytest.param("guests: {name: web-1}\n", "web-1", {}, True, id="name"),
        pytest.param("guests: {name: web-1}\n", "web-2", {}, False, id="another name"),
        pytest.param("guests: {name: [web-2, 'db-*']}\n", "db-9", {}, True, id="list of globs"),
        pytest.param("guests: {labels: {tier: prod}}\n", "x", {"tier": "prod"}, True, id="label"),
        pytest.param("guests: {labels: {tier: prod}}\n", "x", {"tier": "dev"}, False, id="other"),
        pytest.param("guests: {labels: {tier: prod}}\n", "x", {}, False, id="no label"),
        pytest.param(
            "guests: {labels: {tier: [prod, 'st*']}}\n", "x", {"tier": "stage"}, True, id="any"
        ),
        pytest.param(
            "guests: {name: 'web-*', labels: {tier: prod}}\n", "web-1", {}, False, id="both hold"
        ),
        pytest.param("guests: {except: {name: web-1}}\n", "web-1", {}, False, id="except by name"),
        pytest.param(
            "guests: {except: {labels: {keep: '*'}}}\n", "x", {"keep": "y"}, False, id="by label"
        ),
        pytest.param("guests: {except: {labels: {keep: '*'}}}\n", "x", {}, True, id="not excepted"),
    ],
)
def test_selection(guests: str, name: str, labels: dict[str, str], selected: bool) -> None:
    """Which guests a policy is for."""
    index = Index([_policy("p", "{event: A}", guests)])
    assert [p.name for p in index.selection(name, labels).policies] == (["p"] if selected else [])


def test_guests_with_the_same_policies_share_one_selection() -> None:
    """Ten thousand guests cost one plan."""
    index = Index([_policy("p", "{event: A}", "guests: {name: 'web-*'}\n")])
    assert index.selection("web-1", {}) is index.selection("web-2", {})
    assert index.selection("db-1", {}) is not index.selection("web-1", {})


def test_a_hostile_monitor_cannot_fill_the_memory_with_names() -> None:
    """Only so many names are remembered; the others are still answered."""
    selection = _selection(_policy("p", "{event: 'A*'}"))
    for number in range(PLANS_KEPT + 10):
        assert selection.plan(f"A{number}") is not None
    assert len(selection.plans) == PLANS_KEPT


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c-d", "e_f"]),
        st.one_of(st.integers(-2, 2), st.booleans(), st.sampled_from(["x", "y"]), st.none()),
    )
)
def test_the_index_agrees_with_the_whole_condition(data: dict[str, object]) -> None:
    """Whatever an event carries, the hash look-up and CEL give the same answer."""
    sources = [
        'data.a == "x"',
        "data.a == 1 && data.b == true",
        'data.c_d == "y" && data.a != 2',
        "data.e_f == 0 || data.a == 1",
    ]
    policies = [
        _policy(f"p{n}", f"{{event: A, where: '{source}'}}") for n, source in enumerate(sources)
    ]
    from reactor.core.expr import Scope  # noqa: PLC0415

    scope = Scope({"data": data})
    whole = sorted(
        p.name
        for p in policies
        if isinstance(t := p.triggers[0], EventTrigger)
        and t.where is not None
        and t.where.holds(scope).truth
    )
    plan = Index(policies).selection("g", {}).plan("A")
    assert plan is not None
    matched = sorted(
        c.policy.name
        for c in plan.candidates(Event("A", "g", data))
        if c.residue is None or c.residue.holds(scope).truth
    )
    assert matched == whole


def test_a_member_with_both_signs_is_found() -> None:
    """`a-b_c` reads as a_b_c."""
    assert look_up({"a-b_c": 1}, ("a_b_c",)) == 1


def test_named() -> None:
    """A name, or a glob."""
    assert named("BLOCK_JOB_READY", ["RESET", "BLOCK_JOB_*"])
    assert not named("BLOCK_IO_ERROR", ["RESET", "BLOCK_JOB_*"])


def test_a_plan_is_made_once() -> None:
    """The second look-up of a name costs a look-up."""
    selection = _selection(_policy("p", "{event: A}"))
    assert selection.plan("A") is selection.plan("A")
    assert selection.plan("B") is None


def _plan(policies: list[Policy], event: str = "A") -> Plan:
    plan = Index(policies).selection("web-1", {}).plan(event)
    assert plan is not None
    return plan


def test_the_equality_that_fewest_share_is_looked_up() -> None:
    """Where a thousand policies ask for one action, the device tells them apart."""
    policies = [
        _policy(f"p{n}", f'{{event: A, where: data.action == "pause" && data.device == "d{n}"}}')
        for n in range(50)
    ]
    plan = _plan(policies)
    (table,) = plan.tables
    assert table.path == ("device",)
    assert _found(policies, "A", action="pause", device="d7") == ["p7"]
    assert _found(policies, "A", action="stop", device="d7") == []


def test_among_equalities_that_tell_as_much_the_same_member_is_looked_up() -> None:
    """One table costs one look-up."""
    policies = [
        _policy("p", '{event: A, where: data.x == "1" && data.device == "d1"}'),
        _policy("q", '{event: A, where: data.device == "d2"}'),
    ]
    assert [table.path for table in _plan(policies).tables] == [("device",)]


def test_policies_that_name_single_guests_share_the_plans_of_the_others() -> None:
    """A policy for each of many guests does not cost a plan of all for each of them."""
    common = [_policy(f"c{n}", "{event: A}") for n in range(3)]
    single = [_policy(f"s{n}", "{event: A}", f"guests: {{name: web-{n}}}\n") for n in range(3)]
    index = Index([*common, *single])
    plans = [index.selection(f"web-{n}", {}).plan("A") for n in range(3)]
    shared = {id(plan.below[1]) for plan in plans if plan is not None}
    assert len(shared) == 1
    found = [sorted(c.policy.name for c in p.candidates(Event("A", "g"))) for p in plans if p]
    assert found == [["c0", "c1", "c2", f"s{n}"] for n in range(3)]


def test_an_event_that_only_the_others_name_has_their_plan() -> None:
    """Nothing is put together where there is nothing to put together."""
    common = _policy("c", "{event: B}")
    single = _policy("s", "{event: A}", "guests: {name: web-1}\n")
    index = Index([common, single])
    assert index.selection("web-1", {}).plan("B") is index.selection("web-2", {}).plan("B")


def test_second_events_are_found_by_name_and_stand_apart() -> None:
    """A first event of another trigger does not ask for them."""
    sequel = on("A", sequel=absent("B", where='data.x == "y"'), cancel_on=(match("C*"),))
    selection = Index([with_triggers(sequel, on("B"))]).selection("web-1", {})
    second, cancel, first = (selection.plan(name) for name in ("B", "CX", "A"))
    assert first is not None
    assert first.sequels is None
    assert second is not None
    assert second.sequels is not None
    parts = [c.part for c in second.candidates(Event("B", "web-1", {"x": "y"}))]
    assert parts == [Part.OPENS]
    later = second.sequels
    assert [c.part for c in later.candidates(Event("B", "g", {"x": "y"}))] == [Part.FOLLOWS]
    assert later.candidates(Event("B", "g", {"x": "z"})) == []
    assert cancel is not None
    assert cancel.sequels is not None
    assert [c.part for c in cancel.sequels.candidates(Event("CX", "g"))] == [Part.CANCELS]
    assert cancel.candidates(Event("CX", "g")) == []


def test_second_events_of_both_kinds_of_policies() -> None:
    """Those that name the guest and those that select it by a pattern."""
    policies = [
        with_triggers(on("A", sequel=absent("B")), name="common"),
        with_triggers(
            on("A", sequel=absent("B")), name="single", guests=Selector(names=("web-1",))
        ),
    ]
    plan = _plan(policies, "B")
    assert plan.sequels is not None
    found = [c.policy.name for c in plan.sequels.candidates(Event("B", "web-1"))]
    assert found == ["single", "common"]


def test_the_names_of_triggers() -> None:
    """Of what is written, not of where it stands; of those only of which something is kept."""
    counted = on("A", count=2, within=5.0)
    one, two = with_triggers(counted, on("B"), counted), with_triggers(on("B"), counted)
    first, plain, again = trigger_names(one)
    assert plain == ""
    assert again == f"{first}~1"
    assert trigger_names(two) == ("", first)
    others: list[Trigger] = [
        StateTrigger(condition("true")),
        ScheduleTrigger(every=5.0),
        ScheduleTrigger(every=5.0, jitter=1.0),
        MessageTrigger("x", tree({"a": ["${topic[0]}", 1]})),
    ]
    kept = [bool(name) for name in trigger_names(with_triggers(*others))]
    assert kept == [True, False, True, False]


def test_what_a_trigger_is_made_of_is_known() -> None:
    """A value of another kind would have no name that lasts."""
    odd = on("A", within=object())
    with pytest.raises(TypeError):
        trigger_names(with_triggers(odd))


def test_the_trigger_of_a_name() -> None:
    """None when the policy or the trigger is not loaded."""
    policy = with_triggers(on("B"), on("A", count=2, within=5.0))
    index = Index([policy])
    name = trigger_names(policy)[1]
    placed = index.trigger(name)
    assert placed is not None
    assert (placed.policy, placed.index, placed.trigger) == (policy, 1, policy.triggers[1])
    assert index.trigger("p|0000") is None
    assert Index().trigger(name) is None
