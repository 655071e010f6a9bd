"""Rules about waiting and about memory that no linter knows."""

import ast

import pytest

from tests.house.checkout import calls, dotted, modules

SLEEPS = {"asyncio.sleep", "time.sleep"}
QUEUES = {"asyncio.Queue", "asyncio.LifoQueue", "asyncio.PriorityQueue", "queue.Queue"}
UNBOUNDED = {"queue.SimpleQueue", "multiprocessing.SimpleQueue"}


def guessed_sleeps(text: str) -> list[int]:
    """The lines that sleep for a fixed time outside a loop.

    In a loop it is the pause of a poll. `sleep(0)` only lets others run.
    """
    if "sleep" not in text:  # to parse every file costs seconds, and few hold the word
        return []
    tree = ast.parse(text)
    polls = {
        id(call)
        for loop in ast.walk(tree)
        if isinstance(loop, ast.For | ast.AsyncFor | ast.While)
        for call, _ in calls(loop)
    }
    return [
        call.lineno
        for call, name in calls(tree)
        if name in SLEEPS
        and id(call) not in polls
        and isinstance(call.args[0], ast.Constant)
        and call.args[0].value != 0
    ]


def unbounded_queues(text: str) -> list[int]:
    """The lines that make a queue without a bound."""
    if "Queue" not in text:
        return []
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and (
            dotted(node.func) in UNBOUNDED
            or (dotted(node.func) in QUEUES and not node.args and not node.keywords)
        )
    ]


def test_no_test_sleeps_and_hopes() -> None:
    """A test waits for what it needs, in a loop with a limit, never for a guessed time."""
    found = {name: guessed_sleeps(text) for name, text in modules("tests", "bench")}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_every_queue_has_a_bound() -> None:
    """No queue of reactor can eat the memory of the host."""
    found = {name: unbounded_queues(text) for name, text in modules("reactor")}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("asyncio.sleep(0.2)", [1], id="a guess"),
        pytest.param("time.sleep(1)", [1], id="a guess that blocks"),
        pytest.param("asyncio.sleep(0)", [], id="lets others run"),
        pytest.param("while not there():\n    time.sleep(0.1)", [], id="a poll"),
        pytest.param("asyncio.sleep(delay)", [], id="a fake that is told to be slow"),
    ],
)
def test_a_guessed_sleep_is_found(text: str, lines: list[int]) -> None:
    """Fixed times outside loops are guesses, everything else has a reason."""
    assert guessed_sleeps(text) == lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("asyncio.Queue()", [1], id="no bound"),
        pytest.param("asyncio.Queue(100)", [], id="bound"),
        pytest.param("queue.Queue(maxsize=n)", [], id="bound by name"),
        pytest.param("queue.SimpleQueue()", [1], id="a kind that cannot be bounded"),
    ],
)
def test_a_queue_without_a_bound_is_found(text: str, lines: list[int]) -> None:
    """A bound is an argument of the constructor."""
    assert unbounded_queues(text) == lines
