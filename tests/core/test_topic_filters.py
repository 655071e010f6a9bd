"""MQTT topic filters: what they match, and how few of them cover many."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.core.topic_filters import disjoint, filter_problem, fits, joined, overlap

LEVEL = st.sampled_from(["a", "b", "", "+"])
FILTER = st.builds(
    lambda first, levels, rest: "/".join([first, *levels, *rest]),
    st.sampled_from(["a", "b", "", "+", "$x"]),
    st.lists(LEVEL, max_size=2),
    st.sampled_from([[], ["#"]]),
)
TOPIC = st.builds(
    lambda first, levels: "/".join([first, *levels]),
    st.sampled_from(["a", "b", "", "$x"]),
    st.lists(st.sampled_from(["a", "b", ""]), max_size=4),
)


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        pytest.param("a/b", "a/b", True, id="equal"),
        pytest.param("a/b", "a/B", False, id="capital letters matter"),
        pytest.param("a/b", "a", False, id="shorter"),
        pytest.param("a/b", "a/b/c", False, id="longer"),
        pytest.param("a/+", "a/b", True, id="plus is one level"),
        pytest.param("a/+", "a/", True, id="plus is an empty level"),
        pytest.param("a/+", "a", False, id="plus is not no level"),
        pytest.param("a/+", "a/b/c", False, id="plus is not two levels"),
        pytest.param("+/b", "a/b", True, id="plus comes first"),
        pytest.param("a/#", "a/b/c", True, id="hash is all the rest"),
        pytest.param("a/#", "a", True, id="hash is the level above it"),
        pytest.param("a/b/#", "a", False, id="hash is not two levels above it"),
        pytest.param("a/#", "b/a", False, id="hash has a level before it"),
        pytest.param("#", "a/b", True, id="hash is everything"),
        pytest.param("#", "$SYS/a", False, id="hash is not the broker's own"),
        pytest.param("+/a", "$SYS/a", False, id="plus is not the broker's own"),
        pytest.param("$SYS/#", "$SYS/a", True, id="the broker's own by name"),
        pytest.param("/a", "a", False, id="a slash before is a level"),
    ],
)
def test_a_filter_matches_as_the_standard_says(
    topic_filter: str, topic: str, *, expected: bool
) -> None:
    """Level by level."""
    assert fits(topic_filter, topic) is expected


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        pytest.param([], (), id="none"),
        pytest.param(["a/b", "a/b"], ("a/b",), id="the same twice"),
        pytest.param(["b", "a"], ("a", "b"), id="apart: sorted"),
        pytest.param(["a/+", "a/b"], ("a/+",), id="one covers the other"),
        pytest.param(["a/#", "a/b/c", "a"], ("a/#",), id="hash covers all"),
        pytest.param(["a/+/c", "a/b/+"], ("a/+/+",), id="they cross"),
        pytest.param(["a/+", "b/+"], ("a/+", "b/+"), id="two trees"),
        pytest.param(["a/+/#", "a"], ("a", "a/+/#"), id="the level above a plus is not in it"),
        pytest.param(["a/b/#", "a/+"], ("a/+/#",), id="they share the level above the hash"),
        pytest.param(["+/x", "a/+", "b/y"], ("+/+",), id="wider meets another"),
        pytest.param(["#", "a/b", "x"], ("#",), id="everything"),
        pytest.param(["#", "$SYS/a"], ("#", "$SYS/a"), id="the broker's own is not in everything"),
        pytest.param(["$SYS/+", "$SYS/a"], ("$SYS/+",), id="the broker's own"),
    ],
)
def test_overlapping_filters_become_one(filters: list[str], expected: tuple[str, ...]) -> None:
    """So that a broker delivers no message twice."""
    assert disjoint(filters) == expected
    assert disjoint(reversed(filters)) == expected


@given(st.lists(FILTER, max_size=6), st.lists(TOPIC, min_size=1, max_size=20))
def test_of_disjoint_filters_exactly_one_matches_what_any_matched(
    filters: list[str], topics: list[str]
) -> None:
    """Nothing is lost and nothing comes twice."""
    found = disjoint(filters)
    for topic in topics:
        matched = sum(fits(one, topic) for one in found)
        assert matched <= 1
        assert matched or not any(fits(one, topic) for one in filters)


@given(FILTER, FILTER, TOPIC)
def test_what_two_filters_match_their_join_matches(one: str, other: str, topic: str) -> None:
    """And two that match one topic are known to overlap."""
    if fits(one, topic) and fits(other, topic):
        assert overlap(one, other)
    if overlap(one, other) and (fits(one, topic) or fits(other, topic)):
        assert fits(joined(one, other), topic)


@given(FILTER, FILTER)
def test_filters_that_overlap_have_a_topic_in_common(one: str, other: str) -> None:
    """The first of all short topics that both match is found."""
    topics = (
        "/".join([first, *levels])
        for size in range(4)
        for first in ("a", "b", "", "$x")
        for levels in itertools.product(["a", "b", ""], repeat=size)
    )
    assert overlap(one, other) is any(fits(one, t) and fits(other, t) for t in topics)


@pytest.mark.parametrize(
    ("topic_filter", "problem"),
    [
        pytest.param("request/+/dump", None, id="sound"),
        pytest.param("#", None, id="everything"),
        pytest.param("+", None, id="one level"),
        pytest.param("/a//b/#", None, id="empty levels"),
        pytest.param("$SYS/#", None, id="the broker's own"),
        pytest.param("", "the topic filter is empty", id="empty"),
        pytest.param("a/${x}", "a topic filter is never a template", id="template"),
        pytest.param("a\0", "the topic filter holds a NUL character", id="nul"),
        pytest.param(
            "a/#/b", "in the topic filter 'a/#/b' `#` is not the last level", id="hash inside"
        ),
        pytest.param("a/b#", "in the topic filter 'a/b#' `#` is not the last level", id="b hash"),
        pytest.param("a/b+", "in the topic filter 'a/b+' `+` is not a whole level", id="b plus"),
        pytest.param("+a/b", "in the topic filter '+a/b' `+` is not a whole level", id="plus a"),
        pytest.param(
            "$share/g/a",
            "a shared subscription would hide messages from the other hosts",
            id="shared",
        ),
        pytest.param("$share", None, id="no subscription that is shared"),
        pytest.param("a" * 65_535, None, id="the longest"),
        pytest.param(
            "a" * 65_534 + "\u00e9", "the topic filter is longer than 65,535 bytes", id="too long"
        ),
    ],
)
def test_what_mqtt_would_refuse(topic_filter: str, problem: str | None) -> None:
    """Said when it is loaded, not when the broker closes the connection."""
    assert filter_problem(topic_filter) == problem
