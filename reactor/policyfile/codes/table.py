"""All codes, in their order; every finding of `reactor check` has one of these."""

from collections.abc import Mapping
from operator import attrgetter
from types import MappingProxyType

from reactor.errors import Code
from reactor.policyfile.codes.calls import CALLS
from reactor.policyfile.codes.entry import Entry
from reactor.policyfile.codes.files import FILES
from reactor.policyfile.codes.lints import COMMANDS, FLOW, IGNORES, SETS, STATES, WAITS
from reactor.policyfile.codes.texts import TEXTS

ENTRIES: Mapping[Code, Entry] = MappingProxyType(
    {
        one.code: one
        for one in sorted(
            (*FILES, *CALLS, *WAITS, *STATES, *COMMANDS, *FLOW, *SETS, *IGNORES, *TEXTS),
            key=attrgetter("code"),
        )
    }
)
"""What each code means."""
