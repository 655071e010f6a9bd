"""All codes, in their order; every finding of `reactor check` has one of these."""

from collections.abc import Mapping
from types import MappingProxyType

from reactor.errors import Code
from reactor.policyfile.codes.entry import Entry
from reactor.policyfile.codes.files import FILES
from reactor.policyfile.codes.lints import LINTS

ENTRIES: Mapping[Code, Entry] = MappingProxyType({one.code: one for one in (*FILES, *LINTS)})
"""What each code means."""
