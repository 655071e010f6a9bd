"""The kinds of values that policies are written with, each with its own sentences."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler
from pydantic.annotated_handlers import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue, WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from reactor.core.policy import Limit
from reactor.core.text import closest, parse_duration
from reactor.policyfile.foreign import Foreign, fix_of
from reactor.policyfile.limits import LIMIT_PATTERN, LimitError, parse_limit
from reactor.policyfile.mistakes import brief

_LONGEST = 3650 * 86400.0
_NUMBER = r"[0-9]+(\.[0-9]+)?"
_UNITS = "".join(f"({_NUMBER}{unit})?" for unit in ("d", "h", "m", "s", "ms"))
_DURATION_PATTERN = f"^(?=[0-9]){_UNITS}$"
_DURATION_FIX = "write it with a unit, such as 500ms, 30s, 10m, 2h, 1d or 1h30m"


def wrong(problem: str, fix: str) -> PydanticCustomError:
    """The error of a value that cannot be."""
    return PydanticCustomError("wrong", "{problem}", {"problem": problem, "fix": fix})


def meant(word: str, words: Iterable[str]) -> str:
    """The fix for a word that is none of these: what was meant, or all there are."""
    known = list(words)
    guess = closest(word, known)
    return f"did you mean `{guess}`?" if guess else f"write one of: {', '.join(known)}"


@dataclass(frozen=True, slots=True)
class Many:
    """In ``Annotated[tuple[T, ...], Many()]``: a YAML list, with ``least`` items or more.

    pydantic's own ``min_length`` counts the sound items only, and so would
    find a list empty whose one item is wrong.
    """

    least: int = 0

    def check(self, value: object) -> object:
        """The list as a tuple; what is no list is left to the tuple's own check."""
        if value == [] and self.least:
            raise wrong("the list is empty", "write at least one entry")
        return tuple(value) if isinstance(value, list) else value

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """The check before the tuple's own."""
        return core_schema.no_info_before_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The list with its bound."""
        return handler(schema) | ({"minItems": self.least} if self.least else {})


@dataclass(frozen=True, slots=True)
class OneOrMany(Many):
    """The same, where a single T may stand for the list of it."""

    def check(self, value: object) -> object:
        """What is no list is wrapped into one."""
        return Many.check(self, value if isinstance(value, list) else [value])

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Either the item or the list of items."""
        many = Many.__get_pydantic_json_schema__(self, schema, handler)
        return {"anyOf": [many["items"], many]}


@dataclass(frozen=True, slots=True)
class Choice:
    """In ``Annotated[str, Choice(...)]``: one of the words.

    ``near`` are words that other models take at the same place, ``foreign`` such that
    others have for ours.
    """

    words: tuple[str, ...]
    near: tuple[str, ...] = ()
    foreign: Foreign = field(default_factory=dict, hash=False)

    def check(self, value: str) -> str:
        """The value itself, when it is one of the words."""
        if value not in self.words:
            fix = fix_of(value, self.foreign) or meant(value, (*self.words, *self.near))
            raise wrong(f"`{brief(value)}` is not known here", fix)
        return value

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """The check behind the string's own."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The words as an ``enum``."""
        return {**handler(schema), "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Whole:
    """In ``Annotated[int, Whole(...)]``: a whole number from ``least`` to ``most``."""

    least: int
    most: int

    def check(self, value: int) -> int:
        """The value itself, when it is in the range."""
        if not self.least <= value <= self.most:
            fix = f"write a whole number from {self.least} to {self.most}"
            raise wrong(f"`{value}` is out of range", fix)
        return value

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """The check behind the number's own."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The bounds."""
        return {**handler(schema), "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Maybe:
    """In ``Annotated[T | None, Maybe()]``: may be left out, but not written without a value.

    An ``if:`` whose condition was forgotten must not pass as no condition.
    """

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Refuses the null that stands for a default elsewhere."""
        return core_schema.no_info_before_validator_function(_present, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The schema without its null."""
        choices = [part for part in handler(schema)["anyOf"] if part != {"type": "null"}]
        return choices[0] if len(choices) == 1 else {"anyOf": choices}


def _present(value: object) -> object:
    if value is None:
        raise wrong("the value is missing", "write it, or take the key out")
    return value


def _no_guess(_word: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Spelling:
    """In ``Annotated[str, Spelling(...)]``: a string that matches as a whole.

    ``guess`` gives the fix for a word that is near to one that is known, or nothing.
    """

    pattern: str
    what: str
    fix: str
    guess: Callable[[str], str] = _no_guess

    def check(self, value: str) -> str:
        """The value itself, when it matches."""
        if not re.fullmatch(self.pattern, value):
            raise wrong(f"`{brief(value)}` is no {self.what}", self.guess(value) or self.fix)
        return value

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """The check behind the string's own."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The pattern, anchored."""
        return {**handler(schema), "pattern": f"^({self.pattern})$"}


OFFERED = "x-offered"
"""Marks, in what pydantic makes of a model, where editors can offer names."""


@dataclass(frozen=True, slots=True)
class Offered:
    """In ``Annotated[str, Spelling(...), Offered("events")]``: editors offer those there are."""

    kind: str

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The schema with a mark on it."""
        return {**handler(schema), OFFERED: self.kind}


def _duration(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise wrong("a duration is expected here", _DURATION_FIX)
    try:
        seconds = parse_duration(str(value))
    except ValueError as error:
        problem, _, fix = str(error).rpartition(": ")
        raise wrong(problem or fix, fix if problem else _DURATION_FIX) from None
    if seconds > _LONGEST:
        raise wrong(f"{value!r} is longer than ten years", "write a shorter duration")
    return seconds


def _above_zero(seconds: float) -> float:
    if seconds == 0:
        raise wrong("this duration cannot be zero", "write a longer one, or take the key out")
    return seconds


def _condition(value: object) -> object:
    # YAML reads `true` as a boolean; CEL knows the same two words.
    return str(value).lower() if isinstance(value, bool) else value


def _limit(value: object) -> Limit:
    try:
        return parse_limit(value)
    except LimitError as error:
        if error.is_unbuilt:
            context = {"problem": error.problem, "fix": error.fix}
            raise PydanticCustomError("not_built", "{problem}", context) from None
        raise wrong(error.problem, error.fix) from None


def _not_blank(value: str) -> str:
    if not value.strip():
        raise wrong("the text is empty", "write something that helps at 3 am")
    return value


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": _DURATION_PATTERN}),
]
"""Seconds; written with units."""

Span = Annotated[Duration, AfterValidator(_above_zero)]
"""Seconds, more than zero."""

Condition = Annotated[
    str,
    BeforeValidator(_condition),
    WithJsonSchema({"type": ["string", "boolean"], "format": "cel-condition"}),
]
"""The text of a CEL expression that is true or false."""

Value = Annotated[str, WithJsonSchema({"type": "string", "format": "cel-value"})]
"""The text of a CEL expression of any type."""

Template = Annotated[str, WithJsonSchema({"type": "string", "format": "template"})]
"""A string that may hold ``${...}``."""

AnyTemplate = Annotated[Any, WithJsonSchema({"format": "template"})]
"""Any YAML value; its strings may hold ``${...}``."""

Text = Annotated[str, AfterValidator(_not_blank), Field(json_schema_extra={"pattern": r"\S"})]


def _no_template(value: str) -> str:
    if "${" in value:
        raise wrong("a step's name cannot hold a template", "write plain text")
    return value


Label = Annotated[str, AfterValidator(_no_template)]
"""A name for people; it is shown before anything can be rendered."""

LimitText = Annotated[
    Limit,
    BeforeValidator(_limit),
    WithJsonSchema({"type": "string", "pattern": LIMIT_PATTERN}),
]
