"""YAML text becomes documents of nodes with places; every problem is found in one pass."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NoReturn

import yaml
from yaml import MappingEndEvent, ScalarEvent, SequenceEndEvent

from reactor.errors import Code, Place, Problem
from reactor.policyfile.chunks import MAX_DOCUMENTS, Chunk, clean, is_empty, split
from reactor.policyfile.flow_text import value_around
from reactor.policyfile.mistakes import Finding, Spot, explain, in_quotes, spot_of
from reactor.policyfile.nodes import Broken, Dictionary, Entry, Node, PlainValue, Scalar, Sequence
from reactor.policyfile.odd_texts import TEMPLATE, comment_behind
from reactor.policyfile.scalars import NumberError, resolve

MAX_DEPTH = 50
MAX_NODES = 20_000

# libyaml, where PyYAML was built with it, is ten times as fast. Both give the
# same events for what we let pass; our sentences never use theirs.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its tree, and the text from which alone it can be read again.

    ``place`` is where its first key stands; ``source`` begins with that line.
    ``is_sound`` is false when the reader found a problem in it. At the ``odd`` places
    stand texts that may not be what their author sees.
    """

    root: Node
    source: str
    place: Place
    is_sound: bool
    odd: frozenset[Place] = frozenset()


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in one text; a document may be there although it has problems."""

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]


def read(text: str, file: str, first_line: int = 1) -> Reading:
    """All documents of a YAML stream, with all its problems in the order of the file.

    Never raises. Tags, anchors, aliases, ``<<``, duplicate keys and keys that
    are not strings are problems; their values are ``Broken``. A syntax error
    costs its own document only.

    Args:
        text: the stream, as decoded.
        file: the name for places.
        first_line: the number of the text's first line in that file.
    """
    text, problems = clean(text, file, first_line)
    is_clean = not problems
    documents: list[Document] = []
    chunks = (chunk for chunk in split(text, first_line) if not is_empty(chunk))
    for chunk in islice(chunks, MAX_DOCUMENTS):
        composer = _Composer(chunk, file)
        root = composer.compose()
        problems.extend(composer.problems)
        if root is not None:
            is_sound = is_clean and not composer.problems
            documents.append(_document(chunk, root, frozenset(composer.odd), is_sound=is_sound))
    beyond = next(chunks, None)
    if beyond is not None:
        problem = f"a file cannot hold more than {MAX_DOCUMENTS} documents"
        place = Place(file, beyond.line, 1)
        problems.append(Problem(place, Code.YAML, problem, "split it into several files"))
    return Reading(tuple(documents), tuple(sorted(problems, key=lambda found: found.place)))


def _document(chunk: Chunk, root: Node, odd: frozenset[Place], *, is_sound: bool) -> Document:
    first, *others = chunk.text.split("\n")
    # A mapping in braces may stand behind the marker; its column must stay.
    lines = [first.replace("---", "   ", 1) if first.startswith("---") else first, *others]
    source = "\n".join(lines[root.place.line - chunk.line :])
    return Document(root, source, root.place, is_sound, odd)


# Half of a pair, which an escape can write and nobody can read.
_SURROGATE = re.compile("[\ud800-\udfff]")


_END_OF_KEY = re.compile(r"\s*:(?:\s|$)")


class _GiveUpError(Exception):
    """The document is too deep or too large; the problem is noted already."""


@dataclass(slots=True)
class _Composer:
    """Builds the tree of one chunk from the parser's events."""

    chunk: Chunk
    file: str
    problems: list[Problem] = field(default_factory=list)
    event: Callable[[], yaml.Event] = field(init=False)
    nodes: int = 0
    flow: list[Spot] = field(default_factory=list)
    odd: list[Place] = field(default_factory=list)
    lines: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.lines = [*self.chunk.text.split("\n"), ""]  # a value may end behind the text

    def compose(self) -> Node | None:
        """The root of the document, or None when YAML itself cannot be read."""
        if number := next((n for n, line in enumerate(self.lines) if line[:1] == "%"), -1) + 1:
            finding = Finding("a YAML directive is not allowed", "take the line out")
            self._note(self._place(Spot(number - 1, 0)), finding)
            return None
        # Each call is a piece of the document: there are tens of thousands in a set of policies.
        self.event = _LOADER(self.chunk.text).get_event
        try:
            self.event()  # the stream's start
            self.event()  # the document's start
            root = self._node(self.event(), 1)
            self.event()  # the document's end
            self.event()  # the stream's end, or a syntax error behind the document
        except yaml.MarkedYAMLError as error:
            innermost = self.flow[-1] if self.flow else None
            spot, finding = explain(error, self.chunk.text, innermost)
            # What is told of the same line already may be why it cannot be read.
            if all(one.place.line != self._place(spot).line for one in self.problems):
                self._note(self._place(spot), finding, Code.YAML)
            return None
        except _GiveUpError:
            return None
        return root

    def _note(self, place: Place, finding: Finding, code: Code = Code.FORBIDDEN_YAML) -> None:
        self.problems.append(Problem(place, code, finding.problem, finding.fix))

    def _place(self, spot: Spot) -> Place:
        return Place(self.file, self.chunk.line + spot.line, spot.column + 1)

    def _at(self, mark: Any) -> Place:  # noqa: ANN401 - a `Mark`: all that we ask about has one
        return Place(self.file, self.chunk.line + mark.line, mark.column + 1)

    def _node(self, event: yaml.Event, depth: int) -> Node:
        place = self._at(event.start_mark)
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            self._give_up(place, depth)
        if isinstance(event, ScalarEvent) and event.anchor is None and event.tag is None:
            return self._scalar(event, place)
        if isinstance(event, yaml.AliasEvent):
            problem = f"`*{event.anchor}` is a YAML alias, which is not allowed"
            self._note(place, Finding(problem, in_quotes(self._meant(place))))
            return Broken(place)
        forbidden = isinstance(event, yaml.NodeEvent) and self._forbidden(event, place)
        node: Node = Broken(place)
        if isinstance(event, yaml.MappingStartEvent):
            node = self._collection(event, place, depth, self._dictionary)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._collection(event, place, depth, self._sequence)
        return Broken(place) if forbidden else node

    def _give_up(self, place: Place, depth: int) -> NoReturn:
        if depth > MAX_DEPTH:
            finding = Finding(f"values are nested deeper than {MAX_DEPTH}", "nest them less")
        else:
            problem = f"a document cannot hold more than {MAX_NODES} values"
            finding = Finding(problem, "split it into several")
        self._note(place, finding, Code.YAML)
        raise _GiveUpError

    def _forbidden(self, event: yaml.NodeEvent, place: Place) -> bool:
        """Whether the node has an anchor or a tag; each is noted."""
        tag = getattr(event, "tag", None)
        if event.anchor is None and tag is None:
            return False
        if event.anchor is not None:
            problem = f"`&{event.anchor}` is a YAML anchor, which is not allowed"
            self._note(place, Finding(problem, "take it out; write the value where it is needed"))
        if tag is not None:
            tag = tag.replace("tag:yaml.org,2002:", "!!")
            problem = f"`{tag}` is a YAML tag, which is not allowed"
            self._note(place, Finding(problem, self._without_tag(event, tag, place)))
        return True

    def _without_tag(self, event: yaml.NodeEvent, tag: str, place: Place) -> str:
        if not isinstance(event, ScalarEvent):
            return "take it out"
        if tag.startswith("!!"):
            return f"take it out; {in_quotes(event.value)} if it is a text"
        return in_quotes(self._meant(place))

    def _meant(self, place: Place) -> str:
        """The value that begins here, as it stands there; empty where nobody can tell."""
        line, at = self.lines[place.line - self.chunk.line], place.column - 1
        if not self.flow:
            return _END_OF_KEY.split(line[at:])[0].strip()
        opening = self.lines[self.flow[-1].line][self.flow[-1].column]
        return value_around(line, at, is_list=opening == "[")

    def _scalar(self, event: ScalarEvent, place: Place) -> Node:
        end = self._at(event.end_mark)
        text = event.value
        if "{" in text and TEMPLATE.search(text):
            self.odd.append(place)
        if event.style:
            if _SURROGATE.search(text):
                problem = "half a surrogate pair is no character"
                self._note(place, Finding(problem, "write the whole character"), Code.YAML)
                return Broken(place)
            return Scalar(place, end, text, event.style)
        if self.flow and "?" in text:
            # libyaml would take it, PyYAML's own parser not.
            problem = "inside { } or [ ] a value without quotes cannot hold `?`"
            self._note(place, Finding(problem, in_quotes(self._meant(place) or text)), Code.YAML)
            return Broken(place)
        line = self.lines[end.line - self.chunk.line]
        comment = line[end.column - 1 :] if "#" in line else ""
        if not comment.lstrip().startswith("#"):
            comment = ""
        elif comment_behind(text, comment):
            self.odd.append(place)
        try:
            return Scalar(place, end, resolve(text), "", comment)
        except NumberError:
            problem = f"`{text[:40]}` is no number that QEMU could take"
            fix = "use a finite number of at most 64 bits, or put it in single quotes"
            self._note(place, Finding(problem, fix), Code.WRONG_VALUE)
            return Broken(place)

    def _collection(
        self,
        event: yaml.CollectionStartEvent,
        place: Place,
        depth: int,
        inside: Callable[[Place, int], Node],
    ) -> Node:
        if not event.flow_style:
            return inside(place, depth)
        # Not popped when the parser fails: then it tells what was open.
        self.flow.append(spot_of(event.start_mark))
        node = inside(place, depth)
        self.flow.pop()
        return node

    def _sequence(self, place: Place, depth: int) -> Sequence:
        items = []
        while not isinstance(event := self.event(), SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Sequence(place, tuple(items))

    def _dictionary(self, place: Place, depth: int) -> Dictionary:
        entries: dict[str, Entry] = {}
        while not isinstance(event := self.event(), MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(self.event(), depth + 1)
            name = self._key(key, entries)
            if name is not None:
                entries[name] = Entry(key.place, value)
        return Dictionary(place, entries)

    def _key(self, key: Node, entries: dict[str, Entry]) -> str | None:
        """The key's name, or None, with a note, when its entry cannot be kept."""
        if isinstance(key, Scalar) and isinstance(key.value, str):
            return self._name(key.value, key.style, key.place, entries)
        match key:
            case Broken():
                return None
            case Scalar(_, _, value):
                problem = f"a key must be a string, not {_spell(value)}"
                self._note(key.place, Finding(problem, "put it in single quotes"))
            case Sequence() | Dictionary():
                self._note(key.place, self._key_of_parts(key.place))
        return None

    def _key_of_parts(self, place: Place) -> Finding:
        line, at = self.lines[place.line - self.chunk.line], place.column - 1
        if line[at - 1 : at + 1] == "{{":
            inner = line[at + 1 :].partition("}")[0].strip()
            return Finding("`{{ }}` is no template here", in_quotes(f"${{{inner}}}"))
        return Finding("a key must be a string, not a list or a mapping", "give it a name")

    def _name(self, name: str, style: str, place: Place, entries: dict[str, Entry]) -> str | None:
        if name == "<<" and not style:
            self._note(place, Finding("`<<` (merge) is not allowed", "write the keys out"))
            return None
        if name in entries:
            problem = f"the key `{name}` stands twice, first in line {entries[name].key_place.line}"
            self._note(place, Finding(problem, "keep one of them"), Code.DUPLICATE_KEY)
            return None
        return name


def _spell(value: PlainValue) -> str:
    if value is None:
        return "nothing"
    kind = "boolean" if isinstance(value, bool) else "number"
    return f"the {kind} {str(value).lower()}"
