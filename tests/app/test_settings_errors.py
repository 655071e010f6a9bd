"""What an admin reads about wrong settings: every text whole, all of them in one pass."""

import pytest

from reactor.app.settings import SettingsFileError
from reactor.app.settings_layers import Flags
from tests.app.settings_files import Machine

NAMES_NO_GUEST = "  fix: write `discover:`, or `name:` and `qmp:`"
NO_ADDRESS = "  fix: write mqtt://host:port, or mqtts://host:port for TLS"
LIMIT_FORM = "  fix: write it as `3 per 1h per guest` or `1 at once per host`"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            "rules: [\n",
            "try.yaml:1:8: R001 the [ that opens here is never closed\n  fix: close it with ]",
            id="no YAML",
        ),
        pytest.param(
            "rules: [a]\nrules: [b]\n",
            "try.yaml:2:1: R002 the key `rules` stands twice, first in line 1\n"
            "  fix: keep one of them",
            id="a key twice",
        ),
        pytest.param(
            "rulse: [a]\n",
            "try.yaml:1:1: R003 `rulse` is no key here\n  fix: did you mean `rules`?",
            id="an unknown key with a near one",
        ),
        pytest.param(
            "zzz: 1\n",
            "try.yaml:1:1: R003 `zzz` is no key here\n  fix: write one of: guests, rules, mqtt, "
            "journal, control, host, qmp, exec, dumps, limits, enforcement",
            id="an unknown key",
        ),
        pytest.param(
            "journal: {pth: x}\n",
            "try.yaml:1:11: R003 `pth` is no key here\n  fix: did you mean `path`?",
            id="an unknown key in a section",
        ),
        pytest.param(
            "- a\n",
            "try.yaml:1:1: R005 settings are a mapping of keys\n  fix: write them as `key: value`",
            id="a list",
        ),
        pytest.param(
            "rules: [a]\n---\nqmp: {allow: [quit]}\n",
            "try.yaml:3:1: R005 settings are one document, this is a second one\n"
            "  fix: put all keys into one document",
            id="two documents",
        ),
        pytest.param(
            "rules: a\n",
            "try.yaml:1:8: R005 a list is expected here, not the string 'a'\n"
            "  fix: begin each entry with `- `",
            id="a text where a list belongs",
        ),
        pytest.param(
            "dumps: {keep_last: 0}\n",
            "try.yaml:1:20: R005 `0` is out of range\n  fix: write a whole number from 1 to 10000",
            id="no dump is kept",
        ),
        pytest.param(
            "journal: {keep: 59m}\n",
            "try.yaml:1:17: R005 this is too little\n  fix: write 1h or more",
            id="a journal of less than an hour",
        ),
        pytest.param(
            "journal: {max: 15MiB}\n",
            "try.yaml:1:16: R005 this is too little\n  fix: write 16MiB or more",
            id="a journal that is too small",
        ),
        pytest.param(
            "journal: {max: 4GB}\n",
            "try.yaml:1:16: R005 '4GB' has an unknown unit 'GB'\n  fix: write 4GiB",
            id="a size with a power of ten",
        ),
        pytest.param(
            "journal: {max: large}\n",
            "try.yaml:1:16: R005 'large' is not a size\n  fix: write 512MiB or 4GiB",
            id="a word for a size",
        ),
        pytest.param(
            "journal: {max: '8193PiB'}\n",
            "try.yaml:1:16: R005 '8193PiB' is larger than 8 EiB\n  fix: write 512MiB or 4GiB",
            id="a size beyond all",
        ),
        pytest.param(
            "journal: {max: true}\n",
            "try.yaml:1:16: R005 a size is expected here\n  fix: write 512MiB or 4GiB",
            id="no size at all",
        ),
        pytest.param(
            "rules:\n",
            "try.yaml:1:7: R005 the value is missing\n  fix: write it, or take the key out",
            id="a list without its value",
        ),
        pytest.param(
            "mqtt:\n",
            "try.yaml:1:6: R005 the value is missing\n  fix: write it, or take the key out",
            id="a section without keys",
        ),
        pytest.param(
            "host: {name: 12}\n",
            "try.yaml:1:14: R005 a string is expected here, not the number 12\n"
            "  fix: put it in single quotes",
            id="a number where a string belongs",
        ),
        pytest.param(
            "host: {name: ' '}\n",
            "try.yaml:1:14: R005 ` ` is no name\n  fix: write visible characters",
            id="a blank name",
        ),
        pytest.param(
            'journal: {path: "a\\0b"}\n',
            "try.yaml:1:17: R005 `a\0b` is no path\n  fix: write the path of a file or folder",
            id="a path that no file can have",
        ),
        pytest.param(
            "host: {labels: {rack: 12}}\n",
            "try.yaml:1:23: R005 a string is expected here, not the number 12\n"
            "  fix: put it in single quotes",
            id="a label that is a number",
        ),
        pytest.param(
            "enforcement: aduit\n",
            "try.yaml:1:14: R005 `aduit` is not known here\n  fix: did you mean `audit`?",
            id="an unknown enforcement",
        ),
        pytest.param(
            "qmp: {allow: ['no such']}\n",
            "try.yaml:1:15: R005 `no such` is no QMP command\n"
            "  fix: write the command's own name; it is never a template",
            id="no command",
        ),
        pytest.param(
            "guests: [{}]\n",
            f"try.yaml:1:10: R005 the entry names no guest\n{NAMES_NO_GUEST}",
            id="an empty guest",
        ),
        pytest.param(
            "guests: [{labels: {a: b}}]\n",
            f"try.yaml:1:10: R005 the entry names no guest\n{NAMES_NO_GUEST}",
            id="only labels",
        ),
        pytest.param(
            "guests: [{name: a}]\n",
            "try.yaml:1:10: R005 the key `qmp` is missing\n  fix: add `qmp:`",
            id="a name without an address",
        ),
        pytest.param(
            "guests: [{qmp: a.sock}]\n",
            "try.yaml:1:10: R005 the key `name` is missing\n  fix: add `name:`",
            id="an address without a name",
        ),
        pytest.param(
            "guests: [{discover: '*.sock', name: a, qmp: a.sock}]\n",
            "try.yaml:1:21: R005 `discover` finds guests, `name` and `qmp` name one: "
            "an entry does one of them\n  fix: make them two entries",
            id="both kinds of a guest",
        ),
        pytest.param(
            "guests: [{discoverx: a}]\n",
            "try.yaml:1:11: R003 `discoverx` is no key here\n  fix: did you mean `discover`?",
            id="a misspelt guest is told once",
        ),
        pytest.param(
            "guests: [{name: a, qmp: '/a,server=on'}]\n",
            "try.yaml:1:25: R005 QEMU's own options stand behind the path\n  fix: write unix:/a",
            id="QEMU's options in an address",
        ),
        pytest.param(
            "guests: [{name: a, qmp: 'host:99999'}]\n",
            "try.yaml:1:25: R005 99999 is not a port\n  fix: use a port from 1 to 65535",
            id="no port",
        ),
        pytest.param(
            "guests: [{discover: '/run/{name}-*.sock'}]\n",
            "try.yaml:1:21: R005 a wildcard stands beside {name}: where the name ends is not "
            "clear\n  fix: keep *, ? and [ out of the part of the path that holds {name}",
            id="a pattern that does not say where the name ends",
        ),
        pytest.param(
            "guests:\n  - {name: a, qmp: a.sock}\n  - {name: a, qmp: b.sock}\n",
            "try.yaml:3:12: R009 the guest `a` stands twice, first at try.yaml:2:12\n"
            "  fix: give it another name",
            id="a guest twice",
        ),
        pytest.param(
            "guests: [{discover: /a/*}, {discover: /a/*}]\n",
            "try.yaml:1:39: R009 the pattern `/a/*` stands twice, first at try.yaml:1:21\n"
            "  fix: keep one of them",
            id="a pattern twice",
        ),
        pytest.param(
            "guests: [{agent: /a}]\n",
            f"try.yaml:1:10: R005 the entry names no guest\n{NAMES_NO_GUEST}",
            id="only an agent",
        ),
        pytest.param(
            "guests: [{discover: /a/*, agent: /a/agent}]\n",
            "try.yaml:1:34: R005 one agent cannot be that of every guest that is found\n"
            "  fix: write {name} where the guest's name stands",
            id="one agent for all",
        ),
        pytest.param(
            "guests: [{name: a, qmp: a.sock, agent: 'h:1'}]\n",
            "try.yaml:1:40: R005 this is not a unix socket\n"
            "  fix: write unix:/path/to/socket, or a plain path",
            id="an agent on TCP",
        ),
        pytest.param(
            "guests: [{name: a, qmp: a.sock, agent: 'unix:'}]\n",
            "try.yaml:1:40: R005 this is not a unix socket\n"
            "  fix: write unix:/path/to/socket, or a plain path",
            id="an agent nowhere",
        ),
        pytest.param(
            "guests: [{name: a, qmp: a.sock, agent: '/a,server=on,wait=off'}]\n",
            "try.yaml:1:40: R005 QEMU's own options stand behind the path\n  fix: write unix:/a",
            id="QEMU's options behind an agent",
        ),
        pytest.param(
            "guests: [{name: a, qmp: a.sock, agent: x}, {name: b, qmp: b.sock, agent: x}]\n",
            "try.yaml:1:74: R009 the agent `x` stands twice, first at try.yaml:1:40\n"
            "  fix: name each guest's own: a command must not reach another one",
            id="an agent twice",
        ),
        pytest.param(
            "exec: {allow: [page]}\n",
            "try.yaml:1:16: R005 `page` is no absolute path\n"
            "  fix: write the whole path, as the policies that start it do",
            id="a program without its path",
        ),
        pytest.param(
            "mqtt: {prefix: a}\n",
            "try.yaml:1:7: R006 the key `url` is missing\n  fix: add `url:`",
            id="a broker without its address",
        ),
        pytest.param(
            "mqtt: {url: 'http://x'}\n",
            f"try.yaml:1:13: R005 url 'http://x' is not an address\n{NO_ADDRESS}",
            id="no address of a broker",
        ),
        pytest.param(
            "mqtt: {url: 'http://x', prefix: a//b}\n",
            f"try.yaml:1:13: R005 url 'http://x' is not an address\n{NO_ADDRESS}\n"
            "try.yaml:1:33: R005 the prefix 'a//b' has a slash too many\n"
            "  fix: write words, with single slashes between them",
            id="two problems of the broker",
        ),
        pytest.param(
            "mqtt: {url: 'mqtt://x', allow: [aprove, set/hold]}\n",
            "try.yaml:1:33: R005 `aprove` is not known here\n  fix: did you mean `approve`?",
            id="mqtt, allow something else",
        ),
        pytest.param(
            "mqtt: {url: 'mqtt://broker', commands: [stop]}\n",
            "try.yaml:1:40: R005 commands may not come over a plain connection: "
            "mqtt://broker:1883 is not this machine\n"
            "  fix: write `mqtts://` in `url`, or take `commands` out\n"
            "try.yaml:1:40: R005 commands may not come to an anonymous client: "
            "nobody could keep others out\n"
            "  fix: give reactor a user of its own: `username` and `password_file`, or `cert_file`",
            id="commands over a plain connection, and nobody knows who we are",
        ),
        pytest.param(
            "mqtt: {url: 'mqtt://127.0.0.1', commands: [stop]}\n",
            "try.yaml:1:43: R005 commands may not come to an anonymous client: "
            "nobody could keep others out\n"
            "  fix: give reactor a user of its own: `username` and `password_file`, or `cert_file`",
            id="commands to an anonymous client, on this machine too",
        ),
        pytest.param(
            "mqtt: {url: 'mqtt://u@x', allow: [cmd], "
            "commands: [stpo, 'block*', 'x*y', 'a b', 7]}\n",
            "try.yaml:1:35: R005 `cmd` is not known here\n"
            "  fix: write one of: approve, set/mark, set/silence, set/policy, set/hold, "
            "set/inhibit, set/run, set/trigger, ask\n"
            "try.yaml:1:51: R005 commands may not come over a plain connection: "
            "mqtt://x:1883 is not this machine\n"
            "  fix: write `mqtts://` in `url`, or take `commands` out\n"
            "try.yaml:1:52: R005 no QEMU has a command `stpo`\n  fix: did you mean `stop`?\n"
            "try.yaml:1:58: R005 `block*` would also allow `block-commit`, which changes a guest\n"
            "  fix: name commands that change something in full, one by one\n"
            "try.yaml:1:68: R005 no command fits `x*y`\n"
            "  fix: write such as `query-*`, or a command's name\n"
            "try.yaml:1:75: R005 `a b` is no QMP command\n"
            "  fix: write a command's own name\n"
            "try.yaml:1:82: R005 a string is expected here, not the number 7\n"
            "  fix: put it in single quotes",
            id="commands that are none, or too many",
        ),
        pytest.param(
            "mqtt: {url: 'mqtts://u@x', commands: [quit, object-add, stop]}\n"
            "qmp: {allow: [quit]}\n",
            "try.yaml:1:45: R005 `object-add` is dangerous, and `qmp.allow` does not name it\n"
            "  fix: add `object-add` to `qmp.allow` too, or take it out here",
            id="a dangerous command that is allowed in one place only",
        ),
        pytest.param(
            "mqtt: {url: 'mqtts://u@x', commands: quit}\nqmp: 1\n",
            "try.yaml:1:38: R005 a list is expected here, not the string 'quit'\n"
            "  fix: begin each entry with `- `\n"
            "try.yaml:2:6: R005 a mapping is expected here, not the number 1\n"
            "  fix: write it as `key: value`",
            id="commands that are no list",
        ),
        pytest.param(
            "mqtt: {url: 'mqtt://u:p@x'}\n",
            "try.yaml:1:13: R005 the url holds a password, which everybody who lists processes "
            "or settings can read\n"
            "  fix: put the password into a file of its own and name it as password_file",
            id="a password in the address",
        ),
        pytest.param(
            "mqtt: {url: 'mqtt://x', password_file: /secret}\n",
            "try.yaml:1:40: R005 password_file is given without a user\n"
            "  fix: write username as well",
            id="a password without a user",
        ),
        pytest.param(
            "mqtt: {url: 'mqtt://x', ca_file: /ca}\n",
            "try.yaml:1:34: R005 ca_file is given, and the url does not use TLS\n"
            "  fix: write mqtts:// in the url, or leave the file out",
            id="certificates without TLS",
        ),
        pytest.param(
            "mqtt: {url: 'mqtts://x', key_file: /key}\n",
            "try.yaml:1:36: R005 key_file is given without cert_file\n"
            "  fix: write cert_file as well: the certificate that belongs to the key",
            id="a key without its certificate",
        ),
        pytest.param(
            "limits: {reset: [3 an hour]}\n",
            f"try.yaml:1:18: R005 `3 an hour` is no limit\n{LIMIT_FORM}",
            id="no limit",
        ),
        pytest.param(
            "limits: {reset: 3 per 1h per key}\n",
            "try.yaml:1:17: R005 a key belongs to one policy, and this limit counts over all "
            "of them\n  fix: use `per guest` or `per host`",
            id="a limit over keys",
        ),
        pytest.param(
            "limits: {reset: 3 per 1h per fleet}\n",
            "try.yaml:1:17: R007 `per fleet` is part of the language but not built yet\n"
            "  fix: use `per host`",
            id="a limit over the fleet",
        ),
        pytest.param(
            "limits: {reset: []}\n",
            "try.yaml:1:17: R005 the list is empty\n  fix: write at least one entry",
            id="no limits",
        ),
    ],
)
def test_wrong_settings_are_told_with_place_problem_and_fix(
    machine: Machine, text: str, told: str
) -> None:
    """The whole text is this."""
    assert machine.complaint(text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            "libvirt: [qemu:///system]\n",
            "try.yaml:1:1: R007 `libvirt` is part of the settings but not built yet\n"
            "  fix: take it out; name the guests' QMP sockets under `guests`",
            id="libvirt",
        ),
        pytest.param(
            "web: {listen: 127.0.0.1:8787}\n",
            "try.yaml:1:1: R007 `web` is part of the settings but not built yet\n"
            "  fix: take it out",
            id="web",
        ),
    ],
)
def test_a_setting_of_a_later_version_is_refused(machine: Machine, text: str, told: str) -> None:
    """It is never ignored, and never called unknown."""
    assert machine.complaint(text) == told


def test_all_problems_are_told_in_one_pass(machine: Machine) -> None:
    """Whoever found them: reader, models, values; in the order of the file."""
    text = (
        "guests:\n"
        "  - {name: a, qmp: 'x,server'}\n"
        "  - {name: a, qmp: &anchor b}\n"
        "web: {}\n"
        "mqtt: {url: x, typo: 1}\n"
        "host: {name: 1, name: 2}\n"
    )
    told = machine.complaint(text).splitlines()[::2]
    assert told == [
        "try.yaml:2:20: R005 QEMU's own options stand behind the path",
        "try.yaml:3:12: R009 the guest `a` stands twice, first at try.yaml:2:12",
        "try.yaml:3:20: R004 `&anchor` is a YAML anchor, which is not allowed",
        "try.yaml:4:1: R007 `web` is part of the settings but not built yet",
        "try.yaml:5:13: R005 url 'x' is not an address",
        "try.yaml:5:16: R003 `typo` is no key here",
        "try.yaml:6:14: R005 a string is expected here, not the number 1",
        "try.yaml:6:17: R002 the key `name` stands twice, first in line 6",
    ]


def test_a_file_that_is_not_there_is_told(machine: Machine) -> None:
    """With the way to make one."""
    with pytest.raises(SettingsFileError) as refused:
        machine.settings(Flags(config=machine.here / "none.yaml"))
    assert machine.told(refused.value) == (
        "none.yaml: R011 there is no such settings file\n"
        "  fix: check the path; `reactor init` writes settings to begin with"
    )


def test_a_file_that_a_variable_names_is_told_with_the_variable(machine: Machine) -> None:
    """Nobody wonders where that name came from."""
    with pytest.raises(SettingsFileError) as refused:
        machine.settings(environment={"REACTOR_CONFIG": str(machine.here / "none.yaml")})
    assert machine.told(refused.value) == (
        "none.yaml (named by $REACTOR_CONFIG): R011 there is no such settings file\n"
        "  fix: check the path; `reactor init` writes settings to begin with"
    )


def test_a_folder_is_no_settings_file(machine: Machine) -> None:
    """It is told what it is."""
    with pytest.raises(SettingsFileError) as refused:
        machine.settings(Flags(config=machine.etc))
    assert machine.told(refused.value) == (
        "/etc: R011 this is a folder, not a settings file\n  fix: name the file in it"
    )


def test_a_file_that_the_system_does_not_give_is_told(machine: Machine) -> None:
    """In the system's own words."""
    file = machine.write("here/try.yaml", "")
    with pytest.raises(SettingsFileError) as refused:
        machine.settings(Flags(config=file / "x.yaml"))
    assert machine.told(refused.value) == (
        "try.yaml/x.yaml: R011 it cannot be read (Not a directory)\n  fix: check the file system"
    )


def test_bytes_that_are_no_text_are_told(machine: Machine) -> None:
    """With their place."""
    file = machine.write("here/try.yaml", "")
    file.write_bytes(b"rules: [\xff]\n")
    with pytest.raises(SettingsFileError) as refused:
        machine.settings(Flags(config=file))
    assert machine.told(refused.value) == (
        "try.yaml:1:9: R011 byte 0xff is not UTF-8\n  fix: save the file as UTF-8"
    )


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        pytest.param(
            Flags(qmp=["/a,server=on"]),
            "--qmp /a,server=on: R005 QEMU's own options stand behind the path\n"
            "  fix: write unix:/a",
            id="--qmp",
        ),
        pytest.param(
            Flags(qmp=["/a/web-1.sock", "/b/web-1.sock"]),
            "--qmp /b/web-1.sock: R009 the guest `web-1` stands twice, first at "
            "--qmp /a/web-1.sock\n  fix: give it another name",
            id="two guests of one name",
        ),
        pytest.param(
            Flags(qmp=["/a"], mqtt="broker"),
            f"--mqtt: R005 url 'broker' is not an address\n{NO_ADDRESS}",
            id="--mqtt",
        ),
        pytest.param(
            Flags(qmp=["/a"], host=""),
            "--host: R005 `` is no name\n  fix: write visible characters",
            id="--host",
        ),
    ],
)
def test_a_wrong_flag_is_told_by_its_name(machine: Machine, flags: Flags, told: str) -> None:
    """A flag is checked as its setting is."""
    with pytest.raises(SettingsFileError) as refused:
        machine.settings(flags)
    assert machine.told(refused.value) == told


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        pytest.param(
            "REACTOR_MQTT__URL",
            "broker",
            f"$REACTOR_MQTT__URL:1:1: R005 url 'broker' is not an address\n{NO_ADDRESS}",
            id="a wrong value",
        ),
        pytest.param(
            "REACTOR_MQT__URL",
            "x",
            "$REACTOR_MQT__URL: R003 `mqt` is no key here\n  fix: did you mean `mqtt`?",
            id="an unknown section",
        ),
        pytest.param(
            "REACTOR_HOST__NME",
            "x",
            "$REACTOR_HOST__NME: R003 `nme` is no key here\n  fix: did you mean `name`?",
            id="an unknown key",
        ),
        pytest.param(
            "REACTOR_WEB__LISTEN",
            "'127.0.0.1:80'",
            "$REACTOR_WEB__LISTEN: R007 `web` is part of the settings but not built yet\n"
            "  fix: take it out",
            id="a setting of a later version",
        ),
        pytest.param(
            "REACTOR_QMP__ALLOW",
            "[quit",
            "$REACTOR_QMP__ALLOW:1:1: R001 the [ that opens here is never closed\n"
            "  fix: close it with ]",
            id="no YAML",
        ),
    ],
)
def test_a_wrong_variable_is_told_by_its_name(
    machine: Machine, variable: str, value: str, told: str
) -> None:
    """A variable is checked as its setting is."""
    with pytest.raises(SettingsFileError) as refused:
        machine.settings(environment={variable: value})
    assert machine.told(refused.value) == told
