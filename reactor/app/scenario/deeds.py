"""What was done in a test: the effects of policies as their authors think of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reactor.core.text import render_json

_WORDS = ("guest", "qmp", "agent", "log", "publish", "run")
"""Verbs whose own member is a word that is shown without its key."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One effect, ``at`` so many seconds after the start.

    ``members`` are its members as they were rendered, that of the verb itself among
    them; ``written`` what the policy writes for some of them. ``inner``: it is a command
    inside of a `guest:` step, which is the effect itself.
    """

    at: float
    verb: str
    members: Mapping[str, object]
    target: str
    policy: str = ""
    run: str = ""
    path: str = ""
    written: Mapping[str, object] = field(default_factory=dict)
    inner: bool = False

    def described(self) -> str:
        """The effect as one line: ``web-1  publish: alert/critical  {payload: ...}``."""
        return f"{self.target or '-'}  {describe(self.verb, self.members)}"


def describe(verb: str, members: Mapping[str, object]) -> str:
    """A verb with its members on one line, without those that are as they always are."""
    own = members[verb]
    shown = own if verb in _WORDS and isinstance(own, str) else render_json(own)
    more = [
        f"{key}: {value if isinstance(value, str) else render_json(value)}"
        for key, value in members.items()
        if key != verb and value not in _USUAL.get(key, (None,))
    ]
    return "  ".join([f"{verb}: {shown}", *more])


_USUAL: Mapping[str, tuple[object, ...]] = {
    "args": ({},),
    "payload": (None,),
    "properties": ({},),
    "qos": (1,),
    "retain": (False,),
}
