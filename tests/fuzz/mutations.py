"""Inputs that nobody would write: real ones, damaged in ways that a parser has to bear.

A strategy for hypothesis, so that what fails is made small before it is shown.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]

CPU_SECONDS = 2.0
"""What no input may cost, on any machine: whoever sends it could stop all else with it."""

Change = Callable[[bytes], bytes]

_NASTY = (
    b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\n", b"\t", b"\x1b[2J",
    b"{", b"}", b"[" * 40, b"]", b'"', b"'", b"\\", b"\\u0000", b"\\ud800", b":", b",", b"#", b"&a",
    b"*a", b"!!python/object:os.system", b"<<: ", b"${", b"${'${1}'}", b"$${", b"}}", b"0", b"-1",
    b"1e999", b"NaN", b"9" * 400, b"18446744073709551616", b"0x", b"null", b"true", b"~", b"---\n",
    b"...", b"?", b"%", b"|", b">", b"'" * 3, b"(" * 200, b"!" * 200, b"-" * 200, b"a" * 3000,
    "\u202e\u2028\u00a0".encode(), "\U0001f4a9".encode(),
)  # fmt: skip


def damaged(seeds: Sequence[bytes], words: Sequence[bytes] = ()) -> st.SearchStrategy[bytes]:
    """One of the seeds after up to eight changes; ``words`` are what its language is made of."""
    inserts = st.sampled_from([*_NASTY, *words])
    place = st.floats(0, 1)
    change = st.one_of(
        st.builds(_put, place, inserts),
        st.builds(_put, place, st.binary(max_size=8)),
        st.builds(_cut, place, st.integers(1, 60)),
        st.builds(_double, place, st.integers(1, 60), st.integers(1, 40)),
        st.builds(_flip, place, st.integers(0, 7)),
        st.builds(_graft, place, st.sampled_from(list(seeds)), place),
    )
    return st.builds(_all, st.sampled_from(list(seeds)), st.lists(change, max_size=8))


def _all(seed: bytes, changes: Sequence[Change]) -> bytes:
    for change in changes:
        seed = change(seed)[:200_000]
    return seed


def _put(at: float, what: bytes) -> Change:
    def change(text: bytes) -> bytes:
        index = int(at * len(text))
        return text[:index] + what + text[index:]

    return change


def _cut(at: float, length: int) -> Change:
    def change(text: bytes) -> bytes:
        index = int(at * len(text))
        return text[:index] + text[index + length :]

    return change


def _double(at: float, length: int, times: int) -> Change:
    def change(text: bytes) -> bytes:
        index = int(at * len(text))
        return text[:index] + text[index : index + length] * times + text[index:]

    return change


def _flip(at: float, bit: int) -> Change:
    def change(text: bytes) -> bytes:
        index = int(at * len(text))
        one = text[index : index + 1]
        return text[:index] + bytes(byte ^ 1 << bit for byte in one) + text[index + 1 :]

    return change


def _graft(at: float, other: bytes, its: float) -> Change:
    def change(text: bytes) -> bytes:
        return text[: int(at * len(text))] + other[int(its * len(other)) :]

    return change


def files(*patterns: str) -> list[bytes]:
    """What stands in these files of the checkout, in a fixed order."""
    found = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return [path.read_bytes() for path in found]


@contextmanager
def cheap() -> Iterator[None]:
    """Fail when the block takes more of the processor than any input may cost."""
    start = time.thread_time()
    yield
    spent = time.thread_time() - start
    assert spent < CPU_SECONDS, f"this input costs {spent:.1f} s of the processor"
