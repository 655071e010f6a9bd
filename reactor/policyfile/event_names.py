"""The names of all events: a misspelt one is found before it is waited for in vain."""

from reactor.core.matching import named
from reactor.core.text import closest
from reactor.policyfile.event_shapes import known_events


def no_such_event(event: str) -> tuple[str, str] | None:
    """Problem and fix of a name that no QEMU sends; vendors' own begin with two underscores."""
    if event in known_events() or event.startswith("__"):
        return None
    if any(named(known, (event,)) for known in known_events()):
        return None
    guess = closest(event, known_events())
    fix = f"did you mean `{guess}`?" if guess else "look it up with `reactor docs`"
    return f"no QEMU from 5.2 to 11.1 sends `{event}`", fix
