"""MQTT topic filters: what they match, and how few of them cover many.

Source: MQTT 5.0, 4.7: ``+`` is one level, ``#`` what is left and the level above
it, and neither stands for a first level that begins with ``$``.
"""

from collections.abc import Iterable

from reactor.core.topics import TOPIC_BYTES_MAX


def fits(topic_filter: str, topic: str) -> bool:
    """Whether a message on the topic comes to who subscribed to the filter."""
    if topic.startswith("$") and topic_filter[:1] in {"+", "#"}:
        return False
    levels = topic.split("/")
    wanted = topic_filter.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        if len(levels) < len(wanted):
            return False
    elif len(levels) != len(wanted):
        return False
    return all(
        want in {"+", level} for want, level in zip(wanted, levels[: len(wanted)], strict=True)
    )


def overlap(one: str, other: str) -> bool:
    """Whether there is a topic that both filters match."""
    if one.startswith("$") != other.startswith("$") and {one[:1], other[:1]} & {"+", "#"}:
        return False
    ours, theirs = one.split("/"), other.split("/")
    for mine, its in zip(ours, theirs, strict=False):
        if "#" in {mine, its}:
            return True
        if mine != its and "+" not in {mine, its}:
            return False
    # `a/#` matches `a` too, so a filter may end one level above the other's `#`.
    rest = [*ours[len(theirs) :], *theirs[len(ours) :]]
    return rest in ([], ["#"])


def joined(one: str, other: str) -> str:
    """The narrowest filter that matches all that these two match, when they overlap."""
    ours, theirs = one.split("/"), other.split("/")
    levels: list[str] = []
    for mine, its in zip(ours, theirs, strict=False):
        if "#" in {mine, its}:
            return "/".join([*levels, "#"])
        levels.append(mine if mine == its else "+")
    return "/".join(levels if len(ours) == len(theirs) else [*levels, "#"])


def disjoint(filters: Iterable[str]) -> tuple[str, ...]:
    """Filters of which no two overlap, that together match at least what these match.

    A broker may deliver a message once for each subscription that it matches; with
    these it has one. Sorted.
    """
    result: list[str] = []
    for found in sorted(set(filters)):
        wider = found
        # What was apart may overlap once the filter has become wider.
        while clashing := [other for other in result if overlap(wider, other)]:
            for other in clashing:
                result.remove(other)
                wider = joined(wider, other)
        result.append(wider)
    return tuple(sorted(result))


def filter_problem(topic_filter: str) -> str | None:
    """Why MQTT would refuse to subscribe to this filter, or None.

    Shared subscriptions are refused too: of two hosts only one would hear.

    Source: MQTT 5.0, 4.7 (``+`` and ``#`` stand for whole levels, ``#`` last) and 4.8.2.
    """
    *above, last = topic_filter.split("/")
    problem = None
    if not topic_filter:
        problem = "the topic filter is empty"
    elif "${" in topic_filter:
        problem = "a topic filter is never a template"
    elif "\0" in topic_filter:
        problem = "the topic filter holds a NUL character"
    elif "#" in "".join(above) or ("#" in last and last != "#"):
        problem = f"in the topic filter {topic_filter!r} `#` is not the last level"
    elif any("+" in level and level != "+" for level in (*above, last)):
        problem = f"in the topic filter {topic_filter!r} `+` is not a whole level"
    elif above and above[0] == "$share":
        problem = "a shared subscription would hide messages from the other hosts"
    elif len(topic_filter.encode(errors="replace")) > TOPIC_BYTES_MAX:
        problem = "the topic filter is longer than 65,535 bytes"
    return problem
