"""MQTT topic filters: what they match, and how few of them cover many.

Source: MQTT 5.0, 4.7: ``+`` is one level, ``#`` what is left and the level above
it, and neither stands for a first level that begins with ``$``.
"""

from collections.abc import Iterable


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
    """Whether there is a topic that both filters match.

    A first level that begins with ``$`` counts as any other: at worst two filters
    are joined that need not be.
    """
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
