"""Files in, policies and every problem out."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.errors import Place, PolicyError
from reactor.policyfile.check import build_policy, load, load_text

SOUND = "policy: {name}\ndescription: d\ntrigger: {{event: RESET}}\nsteps: [{{log: x}}]\n"


def sound(name: str) -> str:
    """A policy without problems."""
    return SOUND.format(name=name)


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def result(*paths: str) -> tuple[list[str], str]:
    """The names of the policies, and the problems as people read them."""
    loaded = load([Path(path) for path in paths])
    return [policy.name for policy in loaded.policies], "\n".join(map(str, loaded.problems))


def write(name: str, text: str) -> None:
    """A file with this text."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text, encoding="utf-8")


def test_one_pass_reports_everything_and_keeps_what_is_sound() -> None:
    """Broken YAML, a wrong value, a wrong expression: the others are loaded."""
    write("r/a.yaml", f"{sound('one')}---\na: [\n---\n{sound('two')}mode: serial\n")
    write("r/b.yaml", f"{sound('three')}if: guest.staus == 1\nmax: 0\n---\n{sound('four')}")
    write("r/c.yaml", "policy: *x\n")
    names, problems = result("r", "gone")
    assert names == ["one", "four"]
    assert problems == (
        "gone: R011 there is no such file or folder\n"
        "  fix: name a policy file, or a folder of them\n"
        "r/a.yaml:6:4: R001 the [ that opens here is never closed\n  fix: close it with ]\n"
        "r/a.yaml:12:7: R005 `serial` is not known here\n"
        "  fix: write `queued`\n"
        "r/b.yaml:5:11: R008 guest has no member 'staus'\n  fix: write guest.status\n"
        "r/b.yaml:6:6: R005 `0` is out of range\n"
        "  fix: write a whole number from 1 to 1000\n"
        "r/c.yaml:1:1: R006 the key `description` is missing\n  fix: add `description:`\n"
        "r/c.yaml:1:1: R006 the key `trigger` is missing\n  fix: add `trigger:`\n"
        "r/c.yaml:1:1: R006 the key `steps` is missing\n  fix: add `steps:`\n"
        "r/c.yaml:1:9: R004 `*x` is a YAML alias, which is not allowed\n"
        "  fix: put it in single quotes: '*x'"
    )


def test_what_is_counted() -> None:
    """Files that were read; sound means that there is no error."""
    write("r/a.yaml", sound("one"))
    write("r/b.yaml", sound("two").replace("{log: x}", "{qmp: system_reset}"))
    loaded = load([Path("r")])
    assert (loaded.files, len(loaded.policies), len(loaded.problems)) == (2, 2, 1)
    assert loaded.is_sound
    write("r/c.yaml", "x")
    assert not load([Path("r")]).is_sound


def test_two_policies_of_one_name_are_both_left_out() -> None:
    """The order of files decides nothing; a broken one counts too."""
    write("r/a.yaml", sound("one") + "---\n" + sound("two"))
    write("r/b.yaml", sound("three") + "---\n" + sound("one"))
    write("r/c.yaml", sound("two") + "max: 0\n---\n" + sound("one"))
    names, problems = result("r")
    assert names == ["three"]
    assert problems == (
        "r/b.yaml:6:9: R009 the policy `one` stands twice, first in r/a.yaml:1:9\n"
        "  fix: rename one of them\n"
        "r/c.yaml:1:9: R009 the policy `two` stands twice, first in r/a.yaml:6:9\n"
        "  fix: rename one of them\n"
        "r/c.yaml:5:6: R005 `0` is out of range\n"
        "  fix: write a whole number from 1 to 1000\n"
        "r/c.yaml:7:9: R009 the policy `one` stands twice, first in r/a.yaml:1:9\n"
        "  fix: rename one of them"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "polcy: x\ndescription: y\n",
            "f:1:1: R003 a document cannot begin with `polcy`\n  fix: did you mean `policy`?",
            id="misspelt",
        ),
        pytest.param(
            "zoo: []\n",
            "f:1:1: R003 a document cannot begin with `zoo`\n"
            "  fix: begin it with `runbook:` or `policy:` or `test:`",
            id="something else",
        ),
        pytest.param(
            "- policy: x\n",
            "f:1:1: R005 the document is no mapping with keys\n  fix: begin it with"
            " `runbook:` or `policy:` or `test:`; of several, write `---` between them",
            id="a list",
        ),
        pytest.param(
            "{}\n",
            "f:1:1: R005 the document is no mapping with keys\n"
            "  fix: begin it with `runbook:` or `policy:` or `test:`",
            id="an empty mapping",
        ),
        pytest.param(
            "!policy {a: b}\n",
            "f:1:1: R004 `!policy` is a YAML tag, which is not allowed\n  fix: take it out",
            id="a tag on everything",
        ),
        pytest.param("", "", id="nothing"),
        pytest.param(
            "description: d\n" + sound("x").replace("description: d\n", ""), "", id="order"
        ),
    ],
)
def test_kinds_of_documents(text: str, message: str) -> None:
    """The first key says the kind; `policy` may stand further below."""
    assert "\n".join(map(str, load_text(text, "f").problems)) == message


def test_a_document_that_the_reader_refused_is_not_loaded() -> None:
    """An anchor changes nothing in the values; foreign characters could stand anywhere."""
    assert load_text(sound("a").replace("log: x", "log: &x x"), "f").policies == ()
    assert load_text(sound("a") + "# \x85\n", "f").policies == ()


def test_a_policy_is_built_again_from_its_source() -> None:
    """At its place it is the one it was, places of its steps included."""
    text = f"# first\n---\n\n{sound('one')}# inside\nmax: 3\n\n---\n--- {{{'policy: two'}, x: y}}\n"
    policy = load_text(text, "f").policies[0]
    assert build_policy(policy.source, policy.place) == policy
    flow = "{policy: p, description: d, trigger: {event: RESET}, steps: [{log: x}]}"
    policy = load_text(f"--- {flow}\n", "f").policies[0]
    assert build_policy(policy.source, policy.place) == policy


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param(
            sound("one") + "max: 0\nmode: x\n",
            "f:11:6: R005 `0` is out of range\n  fix: write a whole number from 1 to 1000\n"
            "f:12:7: R005 `x` is not known here\n"
            "  fix: write one of: single, restart, queued, parallel",
            id="refused by this version",
        ),
        pytest.param(
            "# nothing\n",
            "f:7:1: R001 this is not one policy\n  fix: write it again",
            id="none",
        ),
        pytest.param(
            sound("one") + "---\n" + sound("two"),
            "f:7:1: R001 this is not one policy\n  fix: write it again",
            id="two",
        ),
        pytest.param(
            sound("one") + "---\n[\n",
            "runbook of f:1:1: R001 the [ that opens here is never closed\n  fix: close it with ]",
            id="one and something broken",
        ),
    ],
)
def test_a_source_that_cannot_be_built(source: str, message: str) -> None:
    """The error has every problem, at the lines where the policy once stood."""
    with pytest.raises(PolicyError) as raised:
        build_policy(source, Place("f", 7, 1))
    assert str(raised.value) == message


WORDS = st.sampled_from(
    "policy description enforcement guests arm trigger if cooldown mode max limits timeout vars"
    " steps on_failure on_limit finally event where by guest qmp wait until check delay publish"
    " mark clear log fail stop name retry times backoff on_error save args to format payload"
    " debounce schedule agent choose labels except disk as reason dump reset RESET p x 5s 0"
    " state every for mqtt topic followed_by not_followed_by count within cancel_on timezone"
    " quiet at_most inhibit_if approval ask expires when default repeat parallel run with http"
    " url json headers expect exec inhibit policies stays params type enum string destroy"
    " data.x guest.name ${guest.name} ${ 'true' 3_per_1h_per_guest".split()
)
VALUES = st.recursive(
    st.one_of(WORDS, st.integers(-5, 5), st.booleans(), st.none(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=5)),
    max_leaves=12,
)


@given(st.sampled_from(["policy", "runbook"]), st.dictionaries(WORDS, VALUES, max_size=8))
def test_any_tree_gives_a_policy_or_problems(kind: str, tree: dict[str, object]) -> None:
    """Whatever stands under the words of the language, nothing raises."""
    text = render({kind: "p", **tree})
    loaded = load_text(text, "f")
    assert loaded.policies or loaded.problems or kind == "runbook"
    for policy in loaded.policies:
        assert build_policy(policy.source, policy.place).revision == policy.revision


def render(value: object) -> str:
    """The value as YAML in braces; single quotes around every string."""
    match value:
        case dict():
            return "{" + ", ".join(f"{render(k)}: {render(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(render, value)) + "]"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case bool():
            return str(value).lower()
        case None:
            return "null"
        case _:
            return str(value)


SOUND_LINES = (Path(__file__).resolve().parents[2] / "rules" / "guest-panic.yaml").read_text(
    encoding="utf-8"
)


@given(st.integers(0, len(SOUND_LINES)), st.integers(0, 30), st.text(max_size=6))
def test_a_shipped_policy_with_a_bite_out_of_it(start: int, length: int, put: str) -> None:
    """Cut anywhere and patched with anything: a policy or problems, all inside the file."""
    text = SOUND_LINES[:start] + put + SOUND_LINES[start + length :]
    loaded = load_text(text, "f")
    assert loaded.policies or loaded.problems
    assert all(problem.place.line <= text.count("\n") + 2 for problem in loaded.problems)
