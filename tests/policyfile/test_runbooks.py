"""Runbooks: documents of steps that policies run, and what belongs to a policy that runs them."""

from pathlib import Path

import pytest

from reactor.core import steps
from reactor.core.policy import Policy
from reactor.core.steps import ParamKind
from reactor.errors import Place, PolicyError
from reactor.policyfile.check import build_policy, load, load_text
from reactor.policyfile.runbooks import DEPTH_MAX, STEPS_MAX, built_in
from reactor.policyfile.schema_runbook import value_problem
from tests.policyfile.test_builder import shown


def policy(*step: str, name: str = "p") -> str:
    """A policy with these steps."""
    lines = "".join(f"  - {one}\n" for one in step)
    return f"policy: {name}\ndescription: d\ntrigger: {{event: RESET}}\nsteps:\n{lines}"


def runbook(name: str, *step: str, params: str = "{}") -> str:
    """A runbook with these steps; each behind it begins its own document."""
    lines = "".join(f"  - {one}\n" for one in step or ("log: x",))
    return f"---\nrunbook: {name}\ndescription: d\nparams: {params}\nsteps:\n{lines}"


def said(text: str) -> str:
    """Every problem of a text, in order."""
    return "\n".join(f"{found} [{found.path}]" for found in load_text(text, "f").problems)


def loaded(text: str) -> Policy:
    """The one policy of a text without problems."""
    found = load_text(text, "f")
    assert [str(problem) for problem in found.problems] == []
    (one,) = found.policies
    return one


def only(found: tuple[steps.Step, ...]) -> steps.RunbookStep:
    """The one step that runs a runbook."""
    (step,) = found
    assert isinstance(step, steps.RunbookStep)
    return step


def test_a_runbook_stands_in_the_place_of_the_step_that_runs_it() -> None:
    """With paths below that step's, and the places of the runbook's own text."""
    text = policy("{run: tell, with: {to: '${data.reason}', more: [a]}, save: told}", "log: ok")
    text += runbook(
        "tell",
        "publish: ${params.to}",
        "{log: '${params.n} ${guest.name} ${event.name} ${run.id} ${trigger.count}', save: a}",
        "check: steps.a.ok",
        params="{to: string, n: {type: integer, default: 3, enum: [1, 3]}, more: list}",
    )
    found = loaded(text).steps[0]
    assert isinstance(found, steps.RunbookStep)
    assert (found.runbook, found.options.path, found.options.save) == ("tell", "steps/0", "told")
    assert shown(found.arguments) == {"to": "template: ${data.reason}", "n": 3, "more": ("a",)}
    assert found.kinds == (
        ("to", ParamKind.STRING),
        ("n", ParamKind.INTEGER),
        ("more", ParamKind.LIST),
    )
    assert found.choices == (("n", (1, 3)),)
    assert [(step.options.path, step.options.place) for step in found.steps] == [
        ("steps/0/run/steps/0", Place("f", 12, 5)),
        ("steps/0/run/steps/1", Place("f", 13, 5)),
        ("steps/0/run/steps/2", Place("f", 14, 5)),
    ]


def test_runbooks_run_runbooks() -> None:
    """As deep as they may; each inside of the other."""
    text = policy("run: a") + runbook("a", "run: b") + runbook("b", "run: c") + runbook("c")
    inner = only(only(only(loaded(text).steps).steps).steps)
    assert [step.options.path for step in inner.steps] == [
        "steps/0/run/steps/0/run/steps/0/run/steps/0"
    ]


def test_the_order_of_documents_and_files_means_nothing(tmp_path: Path) -> None:
    """A runbook may stand behind its policy, or in another file."""
    (tmp_path / "a.yaml").write_text(policy("run: tell"), encoding="utf-8")
    (tmp_path / "b.yaml").write_text(runbook("tell"), encoding="utf-8")
    apart = load([tmp_path])
    assert apart.problems == ()
    turned = load([tmp_path / "b.yaml", tmp_path / "a.yaml"])
    assert [one.revision for one in apart.policies] == [one.revision for one in turned.policies]
    assert loaded(runbook("tell") + "---\n" + policy("run: tell")).name == "p"


def test_the_source_holds_the_runbooks_and_no_others() -> None:
    """All that a policy is made of, each once, in the order of their names."""
    text = policy("run: b", "run: b", "run: destroy") + runbook("a") + runbook("b", "run: c")
    one = loaded(text + runbook("c") + runbook("d"))
    names = [line for line in one.source.splitlines() if line.startswith(("policy:", "runbook:"))]
    assert names == ["policy: p", "runbook: b", "runbook: c", "runbook: destroy"]


def test_another_runbook_is_another_revision() -> None:
    """A policy is what its steps do; one that nobody runs changes nothing."""
    text = policy("run: a")
    one = loaded(text + runbook("a", "run: b") + runbook("b", "log: x") + runbook("c", "log: x"))
    other = loaded(text + runbook("a", "run: b") + runbook("b", "log: y") + runbook("c", "log: x"))
    same = loaded(text + runbook("a", "run: b") + runbook("b", "log: x") + runbook("c", "log: y"))
    assert one.revision != other.revision
    assert one.revision == same.revision


def test_a_policy_is_built_again_from_its_source_alone() -> None:
    """Also when the runbooks of today are others, built-in ones among them."""
    text = policy("{run: a, with: {n: 3}}", "run: coredump-restart")
    one = loaded(text + runbook("a", "run: b", params="{n: integer}") + runbook("b"))
    again = build_policy(one.source, one.place)
    assert (again.source, again.revision) == (one.source, one.revision)
    assert shown(again.steps) == shown(one.steps)
    assert again.steps[0].options == one.steps[0].options
    inner = again.steps[0]
    assert isinstance(inner, steps.RunbookStep)
    assert inner.steps[0].options.place == Place("runbook of f", 5, 5)
    changed = build_policy(one.source.replace("guest: reset", "log: instead"), one.place)
    restart = changed.steps[1]
    assert isinstance(restart, steps.RunbookStep)
    assert isinstance(restart.steps[1], steps.LogStep)


def test_a_source_without_its_runbook_is_refused() -> None:
    """The runbooks of today are not those of yesterday: not even the built-in ones."""
    with pytest.raises(PolicyError, match="there is no runbook `destroy`"):
        build_policy(policy("run: destroy"), Place("f", 1, 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            policy("run: tel") + runbook("tell"),
            "f:5:10: R005 there is no runbook `tel`\n  fix: did you mean `tell`? [steps/0/run]",
            id="a misspelt name",
        ),
        pytest.param(
            policy("{run: xyzzy, with: {a: 1}}"),
            "f:5:11: R005 there is no runbook `xyzzy`\n"
            "  fix: write a document that begins with `runbook:` and this name [steps/0/run]",
            id="a name like no other",
        ),
        pytest.param(
            policy("{run: a, with: {x: 1, no: 2, nn: z}}")
            + runbook("a", params="{n: integer, m: {type: list}, nn: integer}"),
            "f:5:11: R006 the runbook `a` needs the param `n`\n"
            "  fix: add `with: {n: ...}` [steps/0/run]\n"
            "f:5:11: R006 the runbook `a` needs the param `m`\n"
            "  fix: add `with: {m: ...}` [steps/0/run]\n"
            "f:5:21: R003 the runbook `a` has no param `x`\n"
            "  fix: its params are: n, m, nn [steps/0/with/x]\n"
            "f:5:27: R003 the runbook `a` has no param `no`\n"
            "  fix: did you mean `n`? [steps/0/with/no]\n"
            "f:5:38: R005 `nn` of the runbook `a`: it takes an integer, not the string 'z'\n"
            "  fix: write an integer [steps/0/with/nn]",
            id="what it is given",
        ),
        pytest.param(
            policy("{run: a, with: {x: 1}}") + runbook("a"),
            "f:5:21: R003 the runbook `a` has no param `x`\n"
            "  fix: its params are: none [steps/0/with/x]",
            id="a runbook without params",
        ),
        pytest.param(
            policy("{run: a, with: {x: *b}}") + runbook("a", params="{x: integer}"),
            "f:5:24: R004 `*b` is a YAML alias, which is not allowed\n"
            "  fix: put it in single quotes: '*b' []".replace(" [steps/0/with/x]", " []"),
            id="what the reader refused is not refused again",
        ),
        pytest.param(
            policy("log: x")
            + runbook("a", "log: ${vars.x}", "check: params.n == 1 && message.qos == 1")
            + runbook("b", "log: ${params.m}", "check: run.outcome == ''", params="{n: integer}")
            + runbook("c", "{log: '${trigger.next.data.x}', save: s}", "check: steps.t.ok"),
            "f:11:12: R008 `vars` is not known in a runbook\n"
            "  fix: add it to the runbook's `params`, and give it with `with` [steps/0/log]\n"
            "f:12:19: R008 params has no member 'n'\n"
            "  fix: add it to the runbook's `params` [steps/1/check]\n"
            "f:12:29: R008 `message` is not known in a runbook\n"
            "  fix: add it to the runbook's `params`, and give it with `with` [steps/1/check]\n"
            "f:18:19: R008 params has no member 'm'\n  fix: known are: n [steps/0/log]\n"
            "f:19:16: R008 run.outcome is not known in a runbook\n"
            "  fix: add it to the runbook's `params`, and give it with `with` [steps/1/check]\n"
            "f:25:22: R008 trigger.next is not known in a runbook\n"
            "  fix: add it to the runbook's `params`, and give it with `with` [steps/0/log]\n"
            "f:26:18: R008 steps has no member 't'\n  fix: known are: s [steps/1/check]",
            id="names in runbooks that nobody runs",
        ),
        pytest.param(
            policy("{log: x, save: told}", "run: a", "log: ${params.n}")
            + runbook("a", "log: ${steps.told.ok}"),
            "f:6:10: R005 the runbook `a` has problems of its own\n"
            "  fix: mend them first [steps/1/run]\n"
            "f:7:12: R008 `params` is not known in a step\n"
            "  fix: use `vars`: `params` belong to runbooks [steps/2/log]\n"
            "f:13:18: R008 steps has no member 'told'\n"
            "  fix: give an earlier step `save:` and this name [steps/0/log]",
            id="inside and outside know nothing of each other",
        ),
        pytest.param(
            policy("run: a") + runbook("a", "lg: x"),
            "f:5:10: R005 the runbook `a` has problems of its own\n"
            "  fix: mend them first [steps/0/run]\n"
            "f:11:5: R003 unknown step `lg`\n  fix: write `log` [steps/0]",
            id="a runbook that cannot be read",
        ),
        pytest.param(
            policy("run: b")
            + runbook("a", "lg: x")
            + runbook("b", "run: a", "{run: a, with: {x: 1}}"),
            "f:5:10: R005 the runbook `b` has problems of its own\n"
            "  fix: mend them first [steps/0/run]\n"
            "f:11:5: R003 unknown step `lg`\n  fix: write `log` [steps/0]\n"
            "f:17:10: R005 the runbook `a` has problems of its own\n"
            "  fix: mend them first [steps/0/run]\n"
            "f:18:11: R005 the runbook `a` has problems of its own\n"
            "  fix: mend them first [steps/1/run]",
            id="a runbook that runs one that cannot be read",
        ),
        pytest.param(
            policy("run: a") + runbook("a") + runbook("a"),
            "f:5:10: R005 the runbook `a` has problems of its own\n"
            "  fix: mend them first [steps/0/run]\n"
            "f:13:10: R009 the runbook `a` stands twice, first in f:7:10\n"
            "  fix: rename one of them [runbook]",
            id="two of one name",
        ),
        pytest.param(
            policy("run: restart") + runbook("restart"),
            "f:7:10: R009 `restart` is a built-in runbook\n  fix: choose another name [runbook]",
            id="the name of a built-in one",
        ),
        pytest.param(
            "runbook: a\n",
            "f:1:1: R006 the key `description` is missing\n  fix: add `description:` []\n"
            "f:1:1: R006 the key `steps` is missing\n  fix: add `steps:` []",
            id="what a runbook needs",
        ),
        pytest.param(
            "runbook: [a]\ndescription: d\nsteps: [{log: x}]\n",
            "f:1:10: R005 a string is expected here, not a list\n  fix: write one text [runbook]",
            id="a name that is none",
        ),
    ],
)
def test_what_is_said(text: str, message: str) -> None:
    """Everything in one pass: the runbooks, and those who run them."""
    assert said(text) == message


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        pytest.param(
            [runbook("a", "run: a")],
            "f:11:10: R005 the runbook `a` runs itself\n"
            "  fix: take this step out: a runbook comes to an end",
            id="itself",
        ),
        pytest.param(
            [runbook("b", "run: a"), runbook("a", "log: x", "run: b")],
            "f:18:10: R005 the runbook `a` runs itself, through `b`\n"
            "  fix: take this step out: a runbook comes to an end",
            id="through another one: said once",
        ),
        pytest.param(
            [runbook("a", "run: a"), runbook("b", "run: b"), runbook("c", "run: a")],
            "f:11:10: R005 the runbook `a` runs itself\n"
            "  fix: take this step out: a runbook comes to an end\n"
            "f:17:10: R005 the runbook `b` runs itself\n"
            "  fix: take this step out: a runbook comes to an end\n"
            "f:23:10: R005 the runbook `a` has problems of its own\n  fix: mend them first",
            id="two of them, and one that runs such a one",
        ),
    ],
)
def test_a_runbook_that_runs_itself(texts: list[str], message: str) -> None:
    """It would never end."""
    assert (
        "\n".join(map(str, load_text(policy("log: x") + "".join(texts), "f").problems)) == message
    )


@pytest.mark.parametrize(
    ("depth", "problems"),
    [
        pytest.param(DEPTH_MAX, [], id="as deep as it may be"),
        pytest.param(
            DEPTH_MAX + 1,
            [
                f"runbooks run each other deeper than {DEPTH_MAX}",
                "the runbook `r0` has problems of its own",
            ],
            id="one more",
        ),
    ],
)
def test_the_depth_is_bounded(depth: int, problems: list[str]) -> None:
    """Runbooks that run each other, from a policy down to the last."""
    chain = [runbook(f"r{n}", f"run: r{n + 1}") for n in range(depth - 1)]
    text = policy("run: r0") + "".join(chain) + runbook(f"r{depth - 1}")
    found = [problem.problem for problem in load_text(text, "f").problems]
    assert sorted(found) == sorted(problems)


def test_the_number_of_steps_is_bounded() -> None:
    """Ten times ten times ten ...: each step counts as often as it is run."""
    ten = [runbook(f"r{n}", *[f"run: r{n + 1}"] * 10) for n in range(3)]
    text = "".join(ten) + runbook("r3", *["log: x"] * 5)
    found = load_text(policy("run: r0", "log: x", "log: x") + text, "f")
    assert len(found.policies) == 1
    found = load_text(policy(*["run: r0"] * 2) + text, "f")
    assert [problem.problem for problem in found.problems] == [
        f"with its runbooks it has 12222 steps, and {STEPS_MAX} are the most"
    ]
    more = text.replace("log: x", "log: x\n  - log: y")
    assert said(policy("log: x") + more) == (
        "f:7:1: R005 with its runbooks it has 11110 steps, and 10000 are the most\n"
        "  fix: run fewer, or smaller ones []"
    )


@pytest.mark.parametrize(
    "name", ["destroy", "restart", "preserve", "coredump-destroy", "coredump-restart"]
)
def test_the_built_in_runbooks_have_libvirts_names(name: str) -> None:
    """Each is run without saying more, and is sound."""
    found = only(loaded(policy(f"run: {name}")).steps)
    assert found.steps
    assert set(built_in().books) == {
        *("destroy", "restart", "preserve", "coredump-destroy", "coredump-restart")
    }


def test_a_coredump_is_written_as_guest_dump_writes_it() -> None:
    """With the same defaults, and nothing happens to the guest before."""
    plain = loaded(policy("guest: dump")).steps[0]
    assert isinstance(plain, steps.GuestDump)
    found = only(loaded(policy("run: coredump-destroy")).steps)
    assert shown(found.arguments) == {"to": shown(plain.to), "format": plain.format}
    dump, destroy = found.steps
    assert isinstance(dump, steps.GuestDump)
    assert isinstance(destroy, steps.GuestStep)
    assert destroy.action is steps.GuestAction.DESTROY


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param("{a: string, b: {type: map}, c: {type: list, default: []}}", "", id="sound"),
        pytest.param(
            "{A: string, b: text, c: {tpye: list}, d: 5}",
            "f:4:10: R005 `A` is no name for expressions\n"
            "  fix: use small letters, digits and underscores only [params/A]\n"
            "f:4:24: R005 `text` is not known here\n"
            "  fix: write one of: string, integer, number, boolean, list, map [params/b]\n"
            "f:4:34: R003 `tpye` is no key here\n  fix: did you mean `type`? [params/c/tpye]\n"
            "f:4:50: R005 a string is expected here, not the number 5\n"
            "  fix: put it in single quotes [params/d]",
            id="names and types",
        ),
        pytest.param(
            "{a: {type: integer, default: x}, b: {type: string, enum: [x, 5], default: y},"
            " c: {type: string, enum: []}, d: {type: text, default: 5, description: ' '}}",
            "f:4:38: R005 it takes an integer, not the string 'x'\n"
            "  fix: write an integer [params/a/default]\n"
            "f:4:70: R005 it takes a string, not the number 5\n"
            "  fix: put it in single quotes [params/b/enum/1]\n"
            "f:4:83: R005 it takes one of its values only, not the string 'y'\n"
            "  fix: write one of: x, 5 [params/b/default]\n"
            "f:4:111: R005 the list is empty\n"
            "  fix: write at least one entry [params/c/enum]\n"
            "f:4:126: R005 `text` is not known here\n"
            "  fix: write one of: string, integer, number, boolean, list, map [params/d/type]\n"
            "f:4:157: R005 the text is empty\n"
            "  fix: write something that helps at 3 am [params/d/description]",
            id="defaults and choices",
        ),
        pytest.param(
            "{a: {type: string, default: '${guest.name}-${run.id}'},"
            " b: {type: string, default: '${params.a}'},"
            " c: {type: integer, default: '${steps.x.result}'}}",
            "f:4:95: R008 `params` is not known in the default of a param\n"
            "  fix: known are: event, data, trigger, guest, host, run [params/b/default]\n"
            "f:4:139: R008 `steps` is not known in the default of a param\n"
            "  fix: known are: event, data, trigger, guest, host, run [params/c/default]",
            id="defaults are templates",
        ),
    ],
)
def test_params(params: str, message: str) -> None:
    """Name to type, or to a mapping that says more."""
    assert said(f"runbook: r\ndescription: d\nsteps: [{{log: x}}]\nparams: {params}\n") == message


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        pytest.param("string", "x", None, id="string"),
        pytest.param("string", 5, "it takes a string, not the number 5", id="number as string"),
        pytest.param("string", None, "it takes a string, not nothing", id="nothing as string"),
        pytest.param("integer", 5, None, id="integer"),
        pytest.param("integer", True, "it takes an integer, not the boolean true", id="boolean"),
        pytest.param("integer", 1.5, "it takes an integer, not the number 1.5", id="fraction"),
        pytest.param("number", 1.5, None, id="number"),
        pytest.param("number", 5, None, id="integer as number"),
        pytest.param("number", False, "it takes a number, not the boolean false", id="no number"),
        pytest.param("boolean", False, None, id="false"),
        pytest.param("boolean", 0, "it takes a boolean, not the number 0", id="zero"),
        pytest.param("list", [], None, id="list"),
        pytest.param("list", {}, "it takes a list, not a mapping", id="mapping as list"),
        pytest.param("map", {}, None, id="map"),
        pytest.param("map", [1], "it takes a map, not a list", id="list as map"),
        pytest.param("integer", "${data.x}", None, id="a template may be anything"),
        pytest.param(
            "integer",
            "${data.x}0",
            "it takes an integer, not the string '${data.x}0'",
            id="a text with a template in it",
        ),
        pytest.param("string", "a ${data.x}", None, id="a text with a template as string"),
        pytest.param("text", 5, None, id="of another kind nothing is known"),
    ],
)
def test_values(kind: str, value: object, problem: str | None) -> None:
    """A literal is looked at when it is loaded."""
    found = value_problem(kind, None, value)
    assert (found and found[0]) == problem


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        pytest.param("elf", None, id="one of them"),
        pytest.param("el", "did you mean `elf`?", id="nearly one of them"),
        pytest.param("x ${data.x}", None, id="a template is looked at when it is rendered"),
    ],
)
def test_choices(value: object, fix: str | None) -> None:
    """A param with an `enum` takes no other value."""
    found = value_problem("string", ["elf", "kdump-zlib"], value)
    assert (found and found[1]) == fix


def test_what_is_odd_about_a_runbook_is_said_once() -> None:
    """Not for every policy that runs it, and also when none does."""
    text = (
        policy("run: a")
        + runbook("a", "qmp: cont", "wait: {event: RESUME, timeout: 1m}")
        + runbook("b", "agent: guest-pong")
    )
    assert said(text + "---\n" + policy("run: a", name="q")) == (
        "f:12:5: R020 RESUME may come before this wait begins\n"
        "  fix: put the `wait` on the `qmp: cont` step [steps/1]\n"
        "f:18:12: R012 no guest agent up to QEMU 11.1 has the command `guest-pong`\n"
        "  fix: did you mean `guest-ping`? [steps/0/agent]"
    )
