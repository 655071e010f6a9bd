"""All codes, in their order; every finding of `reactor check` has one of these."""

from collections.abc import Mapping
from types import MappingProxyType

from reactor.errors import Code
from reactor.policyfile.codes.entry import Entry
from reactor.policyfile.codes.files import FILES
from reactor.policyfile.codes.lints import COMMANDS, FLOW, SETS, STATES, WAITS

ENTRIES: Mapping[Code, Entry] = MappingProxyType(
    {one.code: one for one in (*FILES, *WAITS, *STATES, *COMMANDS, *FLOW, *SETS)}
)
"""What each code means."""
