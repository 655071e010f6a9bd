"""What members QEMU's own values have: a misspelt one is found before it is read in vain."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from reactor.core.cel_access import show
from reactor.core.cel_tree import Misuse, Path
from reactor.core.text import closest


class Kind(StrEnum):
    """What a member holds; the value is how a sentence names it."""

    TEXT = "a text"
    WHOLE = "a whole number"
    FRACTION = "a fraction"
    TRUTH = "true or false"
    MAP = "a map"
    LIST = "a list"
    NULL = "null"
    ANY = "any value"


class Member(msgspec.Struct, frozen=True):
    """A member: its kinds, all texts that it may be (None: any), whether it may be absent."""

    kinds: frozenset[Kind]
    values: frozenset[str] | None = None
    optional: bool = False


class Shape(msgspec.Struct, frozen=True):
    """All members of a value, by their dotted path with underscores; ``whose`` they are.

    ``whose`` stands in a sentence: "GUEST_PANICKED", "RESET or STOP". In a path ``[]``
    stands for any item of a list; the path of the whole value, where it is no map, is
    empty. ``events`` are those one of which it comes with, ``command`` is the one that it
    answers: of a value that QEMU sends.
    """

    whose: str
    members: Mapping[str, Member]
    events: tuple[str, ...] = ()
    command: str = ""


ITEM = "[]"
"""What stands for any item of a list in the path of a member."""

_NAMES_SHOWN = 3
_MEMBERS_SHOWN = 12


def merged(shapes: Iterable[Shape]) -> Shape:
    """What one of these values may be: each member that any of them has."""
    all_of_them = list(shapes)
    found: dict[str, Member] = {}
    for shape in all_of_them:
        for path, member in shape.members.items():
            found[path] = merged_member(found[path], member) if path in found else member
    for path, member in found.items():
        above = path.rpartition(".")[0]
        if any(path not in one.members for one in all_of_them if not above or above in one.members):
            found[path] = Member(member.kinds, member.values, optional=True)
    names = list(dict.fromkeys(shape.whose for shape in all_of_them))
    whose = " or ".join(names) if len(names) <= _NAMES_SHOWN else "any of these events"
    events = dict.fromkeys(event for shape in all_of_them for event in shape.events)
    commands = {shape.command for shape in all_of_them}
    return Shape(whose, found, tuple(events), commands.pop() if len(commands) == 1 else "")


def merged_member(one: Member, other: Member) -> Member:
    """What one of the two may be."""
    values = None
    if one.values is not None and other.values is not None:
        values = one.values | other.values
    return Member(one.kinds | other.kinds, values, one.optional or other.optional)


Shapes = Mapping[Path, Shape]
"""The values whose members are known, by the path that leads to each: ``("data",)``."""


def check_path(path: Path, offsets: tuple[int, ...], shapes: Shapes) -> None:
    """See that each member of the path may be there.

    Raises:
        Misuse: one is not a member of the value, whatever it may be.
    """
    for root, shape in shapes.items():
        if path[: len(root)] == root:
            check_members(Reading(path, path, offsets), len(root), shape)


class Reading(msgspec.Struct, frozen=True):
    """A path that is read: where it leads, as its author ``wrote`` it, and the offsets of that.

    They differ where a macro's variable stands for the items of a list.
    """

    path: Path
    wrote: Path
    offsets: tuple[int, ...]

    def shown(self, end: int) -> str:
        """The first parts of the path, as they are written."""
        return show(self.wrote[: end - len(self.path) + len(self.wrote)])

    def offset(self, end: int) -> int:
        """Where the part at this index of the path stands."""
        return self.offsets[end - len(self.path) + len(self.wrote)]


def below(above: str, part: str | int) -> str:
    """The dotted path of a member or item right below another one."""
    name = ITEM if isinstance(part, int) else part.replace("-", "_")
    return f"{above}.{name}" if above else name


def dotted(parts: Path) -> str:
    """The dotted path of these parts."""
    found = ""
    for part in parts:
        found = below(found, part)
    return found


def check_members(reading: Reading, start: int, shape: Shape) -> None:
    """See that the parts of a path from ``start`` on are members of this value.

    Raises:
        Misuse: one is not.
    """
    here = ""
    for end in range(start, len(reading.path)):
        part = reading.path[end]
        above, here = here, below(here, part)
        parent = shape.members.get(above)
        if parent is not None and Kind.ANY in parent.kinds:
            return
        if here not in shape.members:
            raise _no_member(reading, end, above, shape)


def _no_member(reading: Reading, end: int, above: str, shape: Shape) -> Misuse:
    parent, shown, at = shape.members.get(above), reading.shown(end), reading.offset(end)
    part = reading.path[end]
    if parent is not None and Kind.MAP not in parent.kinds:
        kinds = named(parent.kinds)
        problem = f"{shown} is {kinds}, it has no {'items' if part == 0 else 'members'}"
        is_list = Kind.LIST in parent.kinds
        fix = f"write {shown}[0], or {shown}.exists(x, ...)" if is_list else "take it out"
        return Misuse(at, problem, fix)
    names = _names_below(above, shape)
    near = closest(str(part).replace("-", "_"), names)
    fix = f"write {show((*reading.wrote[: end - len(reading.path)], near))}" if near else ""
    problem = f"{shown} has no member '{part}'"
    return Misuse(at, problem, fix or _known(shape, names))


def named(kinds: Iterable[Kind]) -> str:
    """These kinds in a sentence."""
    return " or ".join(sorted(kinds))


def _known(shape: Shape, names: list[str]) -> str:
    if not names:
        return f"{shape.whose} has no data"
    if len(names) > _MEMBERS_SHOWN:
        of = shape.events[0] if len(shape.events) == 1 else shape.command or "EVENT"
        return f"`reactor docs {of}` lists them"
    return f"{shape.whose} has: {', '.join(names)}"


def _names_below(above: str, shape: Shape) -> list[str]:
    prefix = f"{above}." if above else ""
    found = (path.removeprefix(prefix) for path in shape.members if path.startswith(prefix))
    return sorted(name for name in found if name and name != ITEM and "." not in name)
