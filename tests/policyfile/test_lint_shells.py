"""Text from outside in what a shell or an interpreter runs."""

import pytest

from tests.policyfile.linting import HEAD, codes, found, sentences

WISH = "trigger: {mqtt: wish/log, guest: '${message.json.guest}'}\n"
ANSWER = (
    "trigger: {event: SUSPEND}\nsteps:\n- {agent: guest-get-osinfo, save: os}\n"
    "- exec: [/bin/sh, -c, 'echo ${steps.os.result.name}']\n"
)
NAME = "${message.json.name}"
CODE = ["R055 steps/0/exec/2"]


def wish(*words: str) -> str:
    """A policy that runs these words, in which `@` is what a client wrote."""
    listed = ", ".join(f"'{word.replace('@', NAME)}'" for word in words)
    return f"{WISH}steps:\n- exec: [{listed}]\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(wish("/bin/sh", "-c", "echo @"), CODE, id="sh"),
        pytest.param(wish("/usr/bin/bash", "-c", "echo @"), CODE, id="bash"),
        pytest.param(wish("/bin/dash", "-ec", "echo @"), CODE, id="options together"),
        pytest.param(wish("/bin/zsh", "-c", "@ @"), CODE * 2, id="each template"),
        pytest.param(wish("/bin/ash", "-e", "-c", "@"), ["R055 steps/0/exec/3"], id="options"),
        pytest.param(wish("/usr/bin/env", "sh", "-c", "@"), ["R055 steps/0/exec/3"], id="env"),
        pytest.param(wish("/usr/bin/python3.11", "-c", "print(@)"), CODE, id="python"),
        pytest.param(wish("/usr/bin/perl", "-e", "print @"), CODE, id="perl"),
        pytest.param(wish("/usr/bin/ssh", "host", "echo", "@"), ["R055 steps/0/exec/3"], id="ssh"),
        pytest.param(wish("/usr/bin/ssh", "-p", "22", "host"), [], id="ssh without a template"),
        pytest.param(wish("/bin/sh", "-c", "echo $1", "sh", "@"), [], id="a word behind the code"),
        pytest.param(wish("/bin/sh", "/opt/script", "@"), [], id="a script"),
        pytest.param(wish("/bin/sh", "-c"), [], id="no code at all"),
        pytest.param(wish("/opt/page", "-c", "@"), [], id="another program"),
        pytest.param(
            wish("/bin/@sh", "-c", "x").replace("/bin/$", "/bin/x', '$"), [], id="no name"
        ),
        pytest.param(
            wish("/bin/sh", "-c", "@").replace("message.json.name", "slug(message.json.name)"),
            [],
            id="made safe",
        ),
        pytest.param(
            wish("/bin/sh", "-c", "@").replace("message.json.name", "size(message.payload)"),
            [],
            id="a number",
        ),
        pytest.param(
            wish("/bin/sh", "-c", "@").replace("message.json.name", "guest.name"), [], id="our own"
        ),
        pytest.param(ANSWER, ["R055 steps/1/exec/2"], id="the answer of an agent"),
        pytest.param(
            ANSWER.replace("agent: guest-get-osinfo", "qmp: query-status").replace(
                "name", "status"
            ),
            [],
            id="the answer of QEMU",
        ),
        pytest.param(
            "trigger: {event: BLOCK_IO_ERROR}\nsteps:\n"
            "- exec: [/bin/sh, -c, 'echo ${data.reason} ${data.device} ${data.action}']\n",
            CODE,
            id="a text of an event; not its ids, nor words of an enum",
        ),
        pytest.param(
            f"{WISH}vars: {{n: '{NAME}'}}\nsteps:\n- exec: [/bin/sh, -c, 'echo ${{vars.n}}']\n",
            CODE,
            id="by a var",
        ),
        pytest.param(
            f"{WISH}steps:\n- parallel:\n    - - exec: [/bin/sh, -c, '{NAME}']\n    - - log: x\n",
            ["R055 steps/0/parallel/0/0/exec/2"],
            id="inside",
        ),
    ],
)
def test_commands(text: str, expected: list[str]) -> None:
    """Told where somebody else may write `;` into what is run; ids, enums and numbers are safe."""
    assert codes(text) == expected


def test_the_sentences() -> None:
    """Each says how to hand the text over without running it."""
    text = wish("/bin/sh", "-c", "echo @")
    text += f"- exec: [/bin/ssh, h, '{NAME}']\n- exec: [/bin/node, -e, '{NAME}']\n"
    held = "message.json.name may hold anything, and what stands in it is run as a command"
    assert sentences(text) == (
        f"warning: f:5:27: R055 {held}\n"
        '  fix: write slug(message.json.name), or "$1" in the command, and `sh` and'
        " `${message.json.name}` as words behind it\n"
        f"warning: f:6:23: R055 {held}\n"
        "  fix: write slug(message.json.name), or run a program here that sends it\n"
        f"warning: f:7:25: R055 {held}\n"
        "  fix: write slug(message.json.name), or let the code read it from a word of its own"
        " behind it\n"
    )


def test_a_runbook_is_judged_by_what_it_is_given() -> None:
    """Its own agent's answers count too."""
    text = (
        f"{HEAD}{WISH}steps:\n- run: tell\n  with: {{what: '{NAME}'}}\n"
        "---\nrunbook: tell\ndescription: d\nparams: {what: {type: string}}\nsteps:\n"
        "- {agent: guest-get-osinfo, save: os}\n"
        "- exec: [/bin/sh, -c, 'echo ${params.what}']\n"
        "- exec: [/bin/sh, -c, 'echo ${steps.os.result.name}']\n"
    )
    said = [one.problem.partition(" ")[0] for one in found(text) if one.code.value == "R055"]
    assert said == ["params.what", "steps.os.result.name"]
