"""Commands whose answers or arguments are not what one expects; paths that others choose."""

import pytest

from tests.policyfile.linting import EVENT, HEAD, codes, found, sentences


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param(
            "- {qmp: human-monitor-command, args: {command-line: info}}\n",
            ["R050 steps/0"],
            id="nobody looks at its answer",
        ),
        pytest.param(
            "- {qmp: human-monitor-command, args: {command-line: info}, save: x}\n",
            [],
            id="somebody may",
        ),
        pytest.param(
            "- {qmp: blockdev-reopen, args: {options: []}}\n",
            ["R051 steps/0/args/options"],
            id="it would end QEMU",
        ),
        pytest.param(
            "- {qmp: blockdev-reopen, args: {options: '${[]}'}}\n", [], id="what nobody knows yet"
        ),
        pytest.param("- qmp: blockdev-reopen\n", [], id="without arguments"),
    ],
)
def test_commands(steps: str, expected: list[str]) -> None:
    """Each with the step or argument that it is about."""
    assert codes(f"{EVENT}steps:\n{steps}") == expected


WISH = "trigger: {mqtt: wish/+, guest: '${message.json.guest}'}\n"
PANIC = "trigger: {event: [GUEST_PANICKED, GUEST_CRASHLOADED]}\n"
GONE = "trigger: {event: DEVICE_DELETED}\n"
PORT = "trigger: {event: VSERPORT_CHANGE}\n"
MARKED = "trigger: {event: REACTOR_MARK_SET}\n"


def shot(name: str) -> str:
    """Steps that write a picture to this path."""
    return f"steps:\n- qmp: screendump\n  args: {{filename: '{name}'}}\n"


def call(argument: str) -> str:
    """Steps that call a program with this argument behind another."""
    return f"steps:\n- exec: [/bin/x, -v, '{argument}']\n"


FILE = ["R053 steps/0/args/filename"]
ARGUMENT = ["R053 steps/0/exec/2"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(WISH + shot("/d/${message.json.name}.ppm"), FILE, id="a client's"),
        pytest.param(WISH + shot('/d/${message.json.?name.orValue("x")}'), FILE, id="perhaps"),
        pytest.param(WISH + shot("${message.payload}"), FILE, id="all of it"),
        pytest.param(WISH + shot("/d/${topic[1]}"), FILE, id="a level of the topic"),
        pytest.param(WISH + shot("/d/${slug(message.json.name)}.ppm"), [], id="made safe"),
        pytest.param(WISH + shot("/d/${guest.name}-${run.id}.ppm"), [], id="our own names"),
        pytest.param(WISH + shot("/d/x.ppm"), [], id="no template"),
        pytest.param(PANIC + shot("/d/${data.action}"), [], id="one of a few words"),
        pytest.param(GONE + shot("/d/${data.path}"), FILE, id="a text of the event"),
        pytest.param(GONE + shot("/d/${trigger.data.path}"), FILE, id="by its longer name"),
        pytest.param(PORT + shot("/d/${data.id}"), [], id="an id of QEMU"),
        pytest.param(MARKED + shot("/d/${data.id}"), FILE, id="an id that a person gave"),
        pytest.param(
            "trigger: {event: BLOCK_WRITE_THRESHOLD}\n" + shot("/d/${data.write_threshold}"),
            [],
            id="a number",
        ),
        pytest.param(
            "trigger: {event: __ACME_X}\n" + shot("/d/${data.what}"), [], id="nobody knows it"
        ),
        pytest.param(GONE + shot("/d/${data}"), [], id="all of the data"),
        pytest.param(
            f"{GONE}vars: {{a: '${{data.path}}', b: 5}}\n" + shot("/d/${vars.a}"),
            FILE,
            id="through a variable",
        ),
        pytest.param(
            f"{GONE}vars: {{a: 'x ${{slug(data.path)}}', b: 5}}\n" + shot("/d/${vars.a}${vars.b}"),
            [],
            id="through one that is safe",
        ),
        # programs
        pytest.param(WISH + call("/d/${message.json.name}"), ARGUMENT, id="a path of a program"),
        pytest.param(WISH + call("--to=/d/${message.json.a}"), ARGUMENT, id="behind an option"),
        pytest.param(WISH + call("file:/d/${guest.name}/${message.json.a}"), ARGUMENT, id="b"),
        pytest.param(WISH + call("../${message.json.a}"), ARGUMENT, id="from where it is"),
        pytest.param(WISH + call("${message.json.a}"), [], id="no path"),
        pytest.param(WISH + call("an i/o error: ${message.json.a}"), [], id="a sentence"),
        pytest.param(WISH + call("https://x/${message.json.a}"), [], id="an address"),
        # other commands
        *(
            pytest.param(f"{WISH}steps:\n- qmp: {command}\n  args: {args}\n", [found], id=command)
            for command, args, found in (
                (
                    "dump-guest-memory",
                    "{paging: false, protocol: 'file:/d/${message.json.a}'}",
                    "R053 steps/0/args/protocol",
                ),
                (
                    "blockdev-add",
                    "{driver: raw, file: {driver: file, filename: '${message.json.a}'}}",
                    "R053 steps/0/args/file/filename",
                ),
                (
                    "drive-mirror",
                    "{device: d, sync: full, target: '${message.json.a}'}",
                    "R053 steps/0/args/target",
                ),
                (
                    "chardev-add",
                    "{id: c, backend: {type: file, data: {out: '${message.json.a}'}}}",
                    "R053 steps/0/args/backend/data/out",
                ),
                (
                    "object-add",
                    "{qom-type: x, id: m, mem-path: '${message.json.a}'}",
                    "R053 steps/0/args/mem-path",
                ),
                ("migrate", "{uri: '${message.json.a}'}", "R053 steps/0/args/uri"),
                (
                    "blockdev-reopen",
                    "{options: [{driver: file, filename: '${message.json.a}'}]}",
                    "R053 steps/0/args/options/0/filename",
                ),
            )
        ),
        pytest.param(
            f"{WISH}steps:\n- qmp: qom-get\n  args: {{path: '${{message.json.a}}', property: x}}\n",
            [],
            id="a path inside of QEMU",
        ),
        pytest.param(
            f"{WISH}steps:\n- qmp: blockdev-mirror\n"
            "  args: {device: d, target: '${message.json.a}', sync: full}\n",
            [],
            id="a node",
        ),
    ],
)
def test_paths(text: str, expected: list[str]) -> None:
    """Told where somebody else may write `/` and `..` into a path of the host."""
    assert codes(text) == expected


def test_the_sentences() -> None:
    """Whole, with places and fixes."""
    assert sentences(
        f"{WISH}steps:\n- {{qmp: human-monitor-command, args: {{command-line: x}}}}\n"
        "- {qmp: blockdev-reopen, args: {options: []}}\n"
        "- exec: [/bin/x, '/d/${message.json.name}']\n"
    ) == (
        "note: f:5:3: R050 `human-monitor-command` gives its errors as a success:"
        " nobody looks at it\n"
        "  fix: add `save: NAME` and a `check` of `steps.NAME.result`, or use a QMP command\n"
        "warning: f:6:42: R051 `blockdev-reopen` without options ends QEMU: it is never sent\n"
        "  fix: name each node that is to be opened anew, with all its options\n"
        "warning: f:7:18: R053 message.json.name may hold `/` and `..`: it leads to any file\n"
        "  fix: write slug(message.json.name) instead\n"
    )


@pytest.mark.parametrize(
    ("given", "is_told"),
    [
        pytest.param("${message.json.name}", True, id="a client's"),
        pytest.param("${slug(message.json.name)}", False, id="made safe"),
        pytest.param("${guest.name}", False, id="our own name"),
        pytest.param("picture", False, id="no template"),
    ],
)
def test_a_path_in_a_runbook_is_told_where_it_is_run(given: str, *, is_told: bool) -> None:
    """There it is known who chooses the param, also through a runbook that passes it on."""
    text = (
        f"{HEAD}{WISH}steps:\n- run: outer\n  with: {{name: '{given}'}}\n"
        "---\nrunbook: outer\ndescription: d\nparams: {name: {type: string}}\n"
        "steps:\n- run: inner\n  with: {what: '${params.name}', size: 5}\n"
        "---\nrunbook: inner\ndescription: d\n"
        "params: {what: {type: string}, size: {type: integer}}\n"
        "steps:\n- {qmp: screendump, args: {filename: '/d/${params.what}-${params.size}'}}\n"
    )
    said = "".join(map(str, found(text)))
    assert said == is_told * (
        "f:5:3: R053 params.what may hold `/` and `..`: it leads to any file\n"
        "  fix: write slug(params.what) instead"
    )
