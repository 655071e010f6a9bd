"""Finding what is asked for: by its name, or by a glob."""

from collections.abc import Callable, Iterator, Mapping

from reactor.app.catalogue.commands import agent_entry, command_entry
from reactor.app.catalogue.entry import Entry
from reactor.app.catalogue.events import OWN, event_entry, own_entry
from reactor.app.catalogue.verbs import MEANINGS, verb_entry
from reactor.core.text import closest, glob
from reactor.qapi.facts import facts

_VERB = "guest: "


def _tables() -> Iterator[tuple[Mapping[str, str], Callable[[str], Entry]]]:
    """The meanings of all names, and what tells more of each."""
    known = facts()
    yield {name: one.meaning for name, one in known.events.items()}, event_entry
    yield OWN, own_entry
    yield {name: one.meaning for name, one in known.commands.items()}, command_entry
    yield MEANINGS, verb_entry
    yield {name: one.meaning for name, one in known.agent.items()}, agent_entry


def meanings() -> dict[str, str]:
    """Everything that is known, by its name: events, commands, verbs, the agent's commands."""
    return {name: meaning for table, _ in _tables() for name, meaning in table.items()}


def entry_of(name: str) -> Entry | None:
    """What is known of it; None where nobody knows it.

    A verb of a guest is known without its ``guest:``, too, where no command has its name;
    so is a name in other letters, where it is that of one only.
    """
    for known in _names(name):
        for table, tell in _tables():
            if known in table:
                return tell(known)
    return None


def _names(name: str) -> Iterator[str]:
    """What the name may stand for; others are looked through only where it is none itself."""
    yield name
    yield _spelled(name)
    alike = [one for one in meanings() if _flat(one) == _flat(name)]
    if len(alike) == 1:
        yield alike[0]


def fitting(pattern: str) -> dict[str, str]:
    """The meanings of the names that fit the glob, and what has it somewhere in its name.

    Capital letters do not matter, and a hyphen is as good as an underscore.
    """
    wanted = _flat(pattern)
    is_glob = any(sign in pattern for sign in "*?[")
    return {
        name: said
        for name, said in meanings().items()
        if (glob(_flat(name), wanted) if is_glob else wanted in _flat(name))
    }


def _flat(name: str) -> str:
    return name.lower().replace("-", "_")


def guess(name: str) -> str | None:
    """The name that was probably meant."""
    return closest(_spelled(name), (*meanings(), *(one.removeprefix(_VERB) for one in MEANINGS)))


def _spelled(name: str) -> str:
    before, colon, after = name.partition(":")
    if colon and before.strip() == _VERB.strip(" :"):
        return _VERB + after.strip()
    return _VERB + name if _VERB + name in MEANINGS else name
