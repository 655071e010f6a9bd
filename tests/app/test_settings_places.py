"""Which files, variables and flags make up the settings, and which of them counts."""

from pathlib import Path

import pytest

from reactor.app.settings import NamedGuest, SettingsFileError
from reactor.app.settings_layers import Flags
from reactor.app.settings_load import load_settings
from reactor.core.policy import Enforcement
from tests.app.settings_files import Machine


def name(text: str) -> str:
    """A settings file that calls the host so."""
    return f"host: {{name: {text}}}\n"


@pytest.mark.parametrize(
    ("files", "flag", "variable", "host"),
    [
        pytest.param(["flag", "variable", "etc", "home"], True, True, "flag", id="-c is first"),
        pytest.param(["variable", "etc", "home"], False, True, "variable", id="then the variable"),
        pytest.param(["etc", "home"], False, False, "etc", id="then /etc"),
        pytest.param(["home"], False, False, "home", id="then the home"),
    ],
)
def test_the_first_place_that_has_settings_is_used(
    machine: Machine, files: list[str], flag: bool, variable: bool, host: str
) -> None:
    """And no other one."""
    places = {
        "flag": "here/flag.yaml",
        "variable": "here/variable.yaml",
        "etc": "etc/reactor.yaml",
        "home": "home/.config/reactor/reactor.yaml",
    }
    written = {file: machine.write(places[file], name(file)) for file in files}
    environment = {"REACTOR_CONFIG": str(written["variable"])} if variable else {}
    flags = Flags(config=written["flag"]) if flag else Flags()
    settings = machine.settings(flags, environment)
    assert settings.host.name == host
    assert settings.sources == (written[host],)


def test_the_home_of_settings_may_be_elsewhere(machine: Machine) -> None:
    """$XDG_CONFIG_HOME says where."""
    machine.write("here/xdg/reactor/reactor.yaml", name("xdg"))
    environment = {"XDG_CONFIG_HOME": str(machine.here / "xdg")}
    assert machine.settings(environment=environment).host.name == "xdg"


def test_guests_on_the_command_line_keep_the_systems_settings_out(machine: Machine) -> None:
    """Who tries something on one guest does not take up those of production."""
    machine.write("etc/reactor.yaml", "guests: [{discover: /prod/*}]\n" + name("prod"))
    settings = machine.settings(Flags(qmp=["/lab/a.sock"]))
    assert (settings.discoveries, settings.sources) == ((), ())
    assert settings.guests == (NamedGuest("a", "unix:/lab/a.sock"),)
    assert settings.host.name != "prod"


@pytest.mark.parametrize("by", ["flag", "variable"])
def test_a_file_that_is_named_is_read_although_guests_are_named_too(
    machine: Machine, by: str
) -> None:
    """Its guests are replaced, the rest counts."""
    file = machine.write("here/a.yaml", "guests: [{discover: /prod/*}]\n" + name("prod"))
    flags = Flags(config=file if by == "flag" else None, qmp=["/lab/a.sock"])
    environment = {"REACTOR_CONFIG": str(file)} if by == "variable" else {}
    settings = machine.settings(flags, environment)
    assert settings.discoveries == ()
    assert settings.guests == (NamedGuest("a", "unix:/lab/a.sock"),)
    assert settings.host.name == "prod"


def test_without_any_place_the_settings_are_the_defaults(machine: Machine) -> None:
    """Nobody is watched, and nothing is read."""
    settings = machine.settings()
    assert (settings.guests, settings.discoveries, settings.rules) == ((), (), ())
    assert (settings.mqtt, settings.enforcement, settings.sources) == (None, None, ())


def test_an_empty_file_is_no_error(machine: Machine) -> None:
    """It says nothing."""
    settings = machine.of("# nothing yet\n")
    assert (settings.guests, settings.rules) == ((), ())


def test_drop_ins_are_laid_over_the_file_in_the_order_of_their_names(machine: Machine) -> None:
    """Mappings are merged, lists added up, and the later of two values counts."""
    main = machine.write(
        "etc/reactor.yaml",
        "rules: [base]\nhost: {name: one, labels: {a: '1', b: '1'}}\nqmp: {allow: [quit]}\n",
    )
    second = machine.write("etc/conf.d/20.yaml", "host: {name: three}\nrules: [/late]\n")
    first = machine.write(
        "etc/conf.d/10.yml", "host: {name: two, labels: {b: '2'}}\nqmp: {allow: [memsave]}\n"
    )
    settings = machine.settings()
    assert settings.host.name == "three"
    assert settings.host.labels == {"a": "1", "b": "2"}
    assert settings.rules == (machine.etc / "base", Path("/late"))
    assert settings.qmp.allow == {"quit", "memsave"}
    assert settings.sources == (main, first, second)


@pytest.mark.parametrize(
    ("drop_in", "counts"),
    [
        pytest.param("conf.d/a.yaml", True, id="yaml"),
        pytest.param("conf.d/a.yml", True, id="yml"),
        pytest.param("conf.d/.a.yaml", False, id="hidden"),
        pytest.param("conf.d/a.yaml.bak", False, id="another ending"),
    ],
)
def test_a_drop_in_is_known_by_its_name(machine: Machine, drop_in: str, counts: bool) -> None:
    """What an editor or a package manager leaves there is none."""
    machine.write("etc/reactor.yaml", name("main"))
    machine.write(f"etc/{drop_in}", name("drop-in"))
    assert machine.settings().host.name == ("drop-in" if counts else "main")


def test_a_file_of_another_name_has_no_drop_ins(machine: Machine) -> None:
    """`-c try.yaml` means that one file."""
    machine.write("here/conf.d/a.yaml", name("drop-in"))
    assert machine.of(name("main")).host.name == "main"


def test_a_wrong_drop_in_is_told_with_its_own_place(machine: Machine) -> None:
    """Beside what is wrong in the main file, and behind it."""
    machine.write("here/reactor.yaml", "host: {nme: x}\n")
    machine.write("here/conf.d/a.yaml", "\nhost: {labls: x}\n")
    with pytest.raises(SettingsFileError) as refused:
        machine.settings(Flags(config=Path("reactor.yaml")))
    assert machine.told(refused.value) == (
        "reactor.yaml:1:8: R003 `nme` is no key here\n  fix: did you mean `name`?\n"
        "conf.d/a.yaml:2:8: R003 `labls` is no key here\n  fix: did you mean `labels`?"
    )


@pytest.mark.parametrize(
    ("variable", "value", "host", "labels"),
    [
        pytest.param("REACTOR_HOST__NAME", "b", "b", {"x": "1"}, id="a value"),
        pytest.param(
            "REACTOR_HOST__LABELS", "{y: '2'}", "a", {"x": "1", "y": "2"}, id="a mapping is merged"
        ),
        pytest.param("REACTOR_HOST__NAME", "", "a", {"x": "1"}, id="an empty one is not set"),
        pytest.param("REACTOR_HOST__NAME", "# b", "a", {"x": "1"}, id="nor is a comment"),
        pytest.param("REACTOR_PORT", "tcp://1:2", "a", {"x": "1"}, id="another program's"),
        pytest.param("XREACTOR_HOST__NAME", "b", "a", {"x": "1"}, id="another prefix"),
        pytest.param("REACTOR_HOST__", "b", "a", {"x": "1"}, id="no key"),
    ],
)
def test_the_environment_beats_the_file(
    machine: Machine, variable: str, value: str, host: str, labels: dict[str, str]
) -> None:
    """Only variables that are settings count."""
    file = machine.write("here/a.yaml", "host: {name: a, labels: {x: '1'}}\n")
    settings = machine.settings(Flags(config=file), {variable: value})
    assert (settings.host.name, settings.host.labels) == (host, labels)


def test_a_list_in_the_environment_takes_the_place_of_the_files(machine: Machine) -> None:
    """It can take permissions away, too."""
    file = machine.write("here/a.yaml", "qmp: {allow: [quit, memsave]}\n")
    settings = machine.settings(Flags(config=file), {"REACTOR_QMP__ALLOW": "[screendump]"})
    assert settings.qmp.allow == {"screendump"}
    settings = machine.settings(Flags(config=file), {"REACTOR_QMP__ALLOW": "[]"})
    assert settings.qmp.allow == frozenset()


def test_enforcement_has_a_variable_without_a_section(machine: Machine) -> None:
    """REACTOR_ENFORCEMENT."""
    settings = machine.settings(environment={"REACTOR_ENFORCEMENT": "audit"})
    assert settings.enforcement is Enforcement.AUDIT


def test_flags_beat_everything(machine: Machine) -> None:
    """File and environment; what no flag names stays."""
    file = machine.write(
        "here/a.yaml",
        "rules: [file]\nhost: {name: file}\njournal: {path: file.db}\nenforcement: enforce\n"
        "mqtt: {url: 'mqtt://file', prefix: lab}\nguests: [{discover: /file/*}]\n",
    )
    flags = Flags(
        config=file,
        rules=[Path("flag"), Path("/flag")],
        qmp=["/flag/*.sock"],
        mqtt="mqtt://flag",
        journal=Path("flag.db"),
        host="flag",
        audit=True,
    )
    settings = machine.settings(flags, {"REACTOR_HOST__NAME": "variable"})
    assert settings.rules == (machine.here / "flag", Path("/flag"))
    assert [found.discover for found in settings.discoveries] == ["/flag/*.sock"]
    assert settings.mqtt is not None
    assert (settings.mqtt.url, settings.mqtt.prefix) == ("mqtt://flag", "lab")
    assert settings.journal.path == machine.here / "flag.db"
    assert settings.host.name == "flag"
    assert settings.enforcement is Enforcement.AUDIT


@pytest.mark.parametrize(
    ("text", "guest"),
    [
        pytest.param("/run/web-1.sock", NamedGuest("web-1", "unix:/run/web-1.sock"), id="a path"),
        pytest.param("unix:/run/a.qmp", NamedGuest("a", "unix:/run/a.qmp"), id="a unix address"),
        pytest.param(
            "127.0.0.1:4444", NamedGuest("127.0.0.1:4444", "127.0.0.1:4444"), id="a TCP address"
        ),
        pytest.param("tcp:h:1", NamedGuest("h:1", "h:1"), id="QEMU's form of it"),
    ],
)
def test_an_address_on_the_command_line_is_one_guest(
    machine: Machine, text: str, guest: NamedGuest
) -> None:
    """Called as discovery would call it, or like its address."""
    settings = machine.settings(Flags(qmp=[text]))
    assert (settings.guests, settings.discoveries) == ((guest,), ())


@pytest.mark.parametrize("text", ["/run/*.sock", "/run/a?", "/run/[ab]", "/run/{name}/qmp"])
def test_a_pattern_on_the_command_line_is_a_discovery(machine: Machine, text: str) -> None:
    """Guests appear and disappear with their sockets."""
    settings = machine.settings(Flags(qmp=[text]))
    assert [found.discover for found in settings.discoveries] == [text]
    assert settings.guests == ()


@pytest.mark.parametrize(
    ("place", "journal"),
    [
        pytest.param(None, "home/.local/state/reactor/journal.db", id="flags only"),
        pytest.param(
            "home/.config/reactor/reactor.yaml",
            "home/.local/state/reactor/journal.db",
            id="the user's file",
        ),
        pytest.param("etc/reactor.yaml", "var/journal.db", id="the system's file"),
        pytest.param("here/reactor.yaml", "var/journal.db", id="any other file"),
    ],
)
def test_where_the_journal_is_by_default(
    machine: Machine, tmp_path: Path, place: str | None, journal: str
) -> None:
    """In the user's folder for what needs no rights, else in the system's."""
    flags = Flags(config=machine.write(place, "")) if place else Flags(qmp=["/a.sock"])
    assert machine.settings(flags).journal.path == tmp_path / journal


def test_a_user_without_a_home_needs_none(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container, for one, where nobody knows the user."""

    def unknown(_uid: int) -> None:
        raise KeyError

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    file = machine.write("here/a.yaml", name("a"))
    assert load_settings(Flags(config=file), {}).host.name == "a"
    assert load_settings(Flags(qmp=["/a.sock"]), {}).guests


def test_the_users_state_may_be_elsewhere(machine: Machine) -> None:
    """$XDG_STATE_HOME says where."""
    settings = machine.settings(environment={"XDG_STATE_HOME": "/state"})
    assert settings.journal.path == Path("/state/reactor/journal.db")
