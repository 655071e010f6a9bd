"""The names of all events: a misspelt one is found before it is waited for in vain."""

import re

from reactor.core.matching import named
from reactor.core.text import closest
from reactor.policyfile.event_shapes import known_events
from reactor.policyfile.foreign import EVENTS, fix_of


def no_such_event(event: str) -> tuple[str, str] | None:
    """Problem and fix of a name that no QEMU sends; vendors' own begin with two underscores."""
    if event in known_events() or event.startswith("__"):
        return None
    if any(named(known, (event,)) for known in known_events()):
        return None
    fix = event_fix(event) or "`reactor docs` lists all events"
    return f"no QEMU from 5.2 to 11.1 sends `{event}`", fix


_LIBVIRT = re.compile(r"(?i)^(vir_domain_event_)?(id_)?")


def event_fix(event: str) -> str:
    """Which event was meant; empty where nobody can tell."""
    if fix := fix_of(_LIBVIRT.sub("", event), EVENTS):
        return fix
    guess = closest(event.upper().replace("-", "_"), known_events())
    return f"did you mean `{guess}`?" if guess else ""
