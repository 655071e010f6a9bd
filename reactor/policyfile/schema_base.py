"""What every model of the policy language shares."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator

from reactor.core.text import closest
from reactor.policyfile.foreign import Foreign, fix_of, ours_of


class Complaint(NamedTuple):
    """What is wrong with a mapping as a whole, or, with ``key``, with one entry of it.

    A ``key`` that is a tuple leads further down.
    """

    key: str | tuple[str | int, ...] | None
    problem: str
    fix: str

    @property
    def way(self) -> tuple[str | int, ...]:
        """The keys and indices from the mapping down to the entry."""
        match self.key:
            case None:
                return ()
            case str():
                return (self.key,)
            case tuple():
                return self.key


class Witness(Protocol):
    """Told, as pydantic's context, which model was laid on which mapping."""

    def saw(self, model: type["Model"], data: Mapping[str, object]) -> None:
        """The model and the very mapping that it checks."""
        ...


class Model(BaseModel):
    """A mapping of the policy language: strict types, no unknown keys."""

    # Built at the first use: a model inside of others is never used by itself.
    model_config = ConfigDict(defer_build=True, strict=True, extra="forbid", frozen=True)

    misplaced: ClassVar[Mapping[str, str]] = {}
    """Keys that people look for here and that stand elsewhere, each with a fix."""

    foreign: ClassVar[Foreign] = {}
    """Keys that others have for ours."""

    @classmethod
    def words(cls) -> tuple[str, ...]:
        """The keys as they are written."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())

    @classmethod
    def fix_of(cls, key: str) -> str:
        """What to do about a key that is none of ours; empty where nobody knows it."""
        return cls.misplaced.get(key) or fix_of(key, cls.foreign)

    @classmethod
    def is_meant(cls, key: str, data: Iterable[str]) -> bool:
        """Whether one of these keys is none of ours, and stands for this one."""
        unknown = set(data) - set(cls.words())
        near = (ours_of(word, cls.foreign) or closest(word, cls.words()) for word in unknown)
        return key in near

    @classmethod
    def complaints(cls, data: Mapping[str, object]) -> Iterator[Complaint]:
        """What is wrong between the keys of one mapping; said beside all other problems."""
        del data
        yield from ()

    @model_validator(mode="before")
    @classmethod
    def _tell(cls, data: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - whatever YAML holds
        if info.context is not None and isinstance(data, dict):
            info.context.saw(cls, data)
        return data
