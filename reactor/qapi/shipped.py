"""The schemas that come with reactor: a QEMU need not run for a policy to be checked.

They are those of QEMU's x86_64 builds: a command that only other machines have may be in
the facts (``reactor.qapi.facts``) and not in here.
"""

from functools import cache
from importlib.resources import files

from reactor.qapi.schema import decode_schema
from reactor.qapi.types import Schema

_DATA = files("reactor.qapi").joinpath("data")
_PREFIX, _SUFFIX = "qemu-", ".json"


@cache
def versions() -> tuple[str, ...]:
    """The versions of QEMU whose schema is shipped, such as ``7.2``; the oldest first."""
    names = (one.name for one in _DATA.iterdir())
    found = (
        name.removeprefix(_PREFIX).removesuffix(_SUFFIX)
        for name in names
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX)
    )
    return tuple(sorted(found, key=in_order))


@cache
def schema_of(version: str) -> Schema:
    """The shipped schema of that version; it is read once.

    Raises:
        LookupError: it is none of ``versions()``.
    """
    if version not in versions():
        known = ", ".join(versions())
        raise LookupError(f"no schema of QEMU {version} is shipped, only of {known}")
    text = _DATA.joinpath(f"{_PREFIX}{version}{_SUFFIX}").read_bytes()
    return decode_schema(text, version)


def in_order(version: str) -> tuple[int, ...]:
    """A key that sorts versions as numbers: 7.2 comes before 11.1."""
    return tuple(int(part) for part in version.split("."))
