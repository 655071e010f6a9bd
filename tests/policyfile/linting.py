"""What the lints say of a policy, for tables of tests."""

from reactor.errors import Problem
from reactor.policyfile.check import load_text

HEAD = "policy: p\ndescription: d\n"
EVENT = "trigger: {event: SUSPEND}\n"
ENDS = "timeout: 1h\n"


def found(text: str) -> tuple[Problem, ...]:
    """All findings of a text of sound documents."""
    loaded = load_text(text, "f")
    assert loaded.is_sound, loaded.problems
    return loaded.problems


def codes(text: str) -> list[str]:
    """Code and path of each finding about a policy, without its head and with a timeout."""
    return [f"{one.code.value} {one.path}" for one in found(HEAD + text + ENDS)]


def sentences(text: str) -> str:
    """The findings about a policy as people read them, with their severities."""
    return "".join(f"{one.severity}: {one}\n" for one in found(HEAD + text + ENDS))
