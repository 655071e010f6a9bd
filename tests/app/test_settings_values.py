"""What the settings say becomes values for the engine and the adapters."""

import socket
from pathlib import Path

import pytest

from reactor.adapters.qmp.pattern import parse_pattern
from reactor.app.requests.kinds import Kind
from reactor.app.settings import Discovery, NamedGuest
from reactor.app.settings_layers import Flags
from reactor.core.config import EngineConfig
from reactor.core.policy import Enforcement, Limit, LimitScope
from tests.app.settings_files import Machine

EVERYTHING = """\
guests:
  - discover: /run/qemu/*.sock
    agent: unix:/run/qemu/{name}.agent
    labels: {tier: web}
  - {name: db-1, qmp: /run/db.sock, agent: /run/db.agent, labels: {tier: db}}
  - {name: lab, qmp: '[::1]:4444'}
rules: [/rules]
mqtt:
  url: mqtts://broker
  username: me
  password_file: /secret
  prefix: lab/reactor
  ca_file: /ca
  cert_file: /cert
  key_file: /key
  client_id: my-id
  allow: [set/hold, ask, set/hold]
journal: {path: /journal.db, keep: 30d, max: 2GiB}
host: {name: host-1, labels: {rack: '12'}}
qmp: {allow: [quit, memsave]}
exec: {allow: [/usr/local/bin/page, /bin/true]}
dumps: {folder: /crash, allow: [/other/a.kdump], quota: 5GiB, keep: 1d, keep_last: 3, free: 1GiB}
limits:
  reset: [3 per 1h per guest, 10 per 10m per host]
  dump: 1 at once per host
  destroy: [1 per 1h per host]
enforcement: audit
"""


def test_the_journal_has_bounds(machine: Machine) -> None:
    """Those of the settings, else 90 days and 10 GiB."""
    journal = machine.of(EVERYTHING).journal
    assert (journal.keep, journal.max) == (30 * 86_400.0, 2 << 30)
    journal = machine.of("rules: [/rules]\n").journal
    assert (journal.keep, journal.max) == (90 * 86_400.0, 10 << 30)


def test_orders_over_mqtt_are_off_but_those_that_are_named(machine: Machine) -> None:
    """Each once."""
    mqtt = machine.of(EVERYTHING).mqtt
    assert mqtt is not None
    assert mqtt.allow == (Kind.HOLD, Kind.ASK)
    assert mqtt.kinds == mqtt.allow
    plain = machine.of("mqtt: {url: 'mqtt://b'}\n").mqtt
    assert plain is not None
    assert plain.allow == ()


@pytest.mark.parametrize(
    "connection",
    [
        pytest.param("url: 'mqtts://u@broker'", id="TLS"),
        pytest.param("url: 'mqtts://broker', cert_file: /cert", id="a client certificate"),
        pytest.param("url: 'mqtt://127.0.0.1', username: u", id="on this machine"),
        pytest.param("url: 'mqtt://u@[::1]:1884'", id="on this machine, IPv6"),
    ],
)
def test_commands_over_mqtt_need_a_connection_that_others_are_kept_from(
    machine: Machine, connection: str
) -> None:
    """And are named one by one; vendors' own are nobody's business."""
    names = "['query-*', stop, __vendor.stop, quit]"
    settings = machine.of(f"mqtt: {{{connection}, commands: {names}}}\nqmp: {{allow: [quit]}}\n")
    assert settings.mqtt is not None
    assert settings.mqtt.kinds == (Kind.COMMAND,)
    assert settings.engine_config().commands == {"query-*", "stop", "__vendor.stop", "quit"}
    assert machine.of("rules: [/rules]\n").engine_config().commands == frozenset()


def test_dumps_have_bounds(machine: Machine) -> None:
    """Those of the settings, else none; one dump of each guest is never too old."""
    dumps = machine.of(EVERYTHING).dumps
    assert (dumps.quota, dumps.free) == (5 << 30, 1 << 30)
    assert (dumps.keep, dumps.keep_last) == (86_400.0, 3)
    dumps = machine.of("rules: [/rules]\n").dumps
    assert (dumps.quota, dumps.keep, dumps.keep_last, dumps.free) == (None, None, 1, None)


def test_guests_are_patterns_and_names(machine: Machine) -> None:
    """In their order, each with its labels."""
    settings = machine.of(EVERYTHING)
    assert settings.discoveries == (
        Discovery("/run/qemu/*.sock", {"tier": "web"}, "/run/qemu/{name}.agent"),
    )
    assert settings.discoveries[0].agent_of("web-1") == "/run/qemu/web-1.agent"
    assert settings.guests == (
        NamedGuest("db-1", "unix:/run/db.sock", {"tier": "db"}, "/run/db.agent"),
        NamedGuest("lab", "[::1]:4444"),
    )


def test_the_engine_gets_what_it_decides_by(machine: Machine) -> None:
    """Every member of its configuration has a setting."""
    assert machine.of(EVERYTHING).engine_config() == EngineConfig(
        host="host-1",
        host_labels={"rack": "12"},
        allow=frozenset({"quit", "memsave"}),
        dumps_folder="/crash",
        dumps_allow=frozenset({"/other/a.kdump"}),
        exec_allow=frozenset({"/usr/local/bin/page", "/bin/true"}),
        limits={
            "reset": (
                Limit(3, 3600.0, LimitScope.GUEST, "3 per 1h per guest"),
                Limit(10, 600.0, LimitScope.HOST, "10 per 10m per host"),
            ),
            "dump": (Limit(1, None, LimitScope.HOST, "1 at once per host"),),
            "destroy": (Limit(1, 3600.0, LimitScope.HOST, "1 per 1h per host"),),
        },
        enforcement=Enforcement.AUDIT,
        has_broker=True,
    )


def test_without_settings_the_engine_gets_its_defaults(machine: Machine) -> None:
    """But for the host's name, and there is no broker."""
    settings = machine.settings()
    assert settings.engine_config() == EngineConfig(host=socket.gethostname(), has_broker=False)
    assert settings.mqtt_options() is None


def test_the_broker_gets_all_its_settings(machine: Machine) -> None:
    """Files that exist are passed on."""
    for name in ("secret", "ca", "cert", "key"):
        machine.write(f"here/{name}", "x")
    here = machine.here
    text = EVERYTHING
    for name in ("secret", "ca", "cert", "key"):
        text = text.replace(f": /{name}\n", f": {name}\n")
    options = machine.of(text).mqtt_options()
    assert options is not None
    assert str(options.address) == "mqtts://broker:8883"
    assert (options.host, options.prefix, options.client_id) == ("host-1", "lab/reactor", "my-id")
    assert (options.username, options.password_file) == ("me", here / "secret")
    assert (options.ca_file, options.cert_file) == (here / "ca", here / "cert")
    assert options.key_file == here / "key"


def test_the_broker_has_defaults(machine: Machine) -> None:
    """Only the address is needed."""
    options = machine.of("mqtt: {url: 'mqtt://b'}\nhost: {name: h}\n").mqtt_options()
    assert options is not None
    assert (options.prefix, options.client_id) == ("reactor", "reactor-h")
    assert (options.username, options.password_file) == (None, None)


def test_the_last_will_stands_where_the_other_topics_do(machine: Machine) -> None:
    """A host's name that is no level of a topic is slugged in both."""
    options = machine.of("mqtt: {url: 'mqtt://b'}\nhost: {name: my host/1}\n").mqtt_options()
    assert options is not None
    assert options.availability == "reactor/my-host-1/availability"


def test_a_password_file_that_is_missing_is_the_links_business(machine: Machine) -> None:
    """Neither `reactor events` nor a start at 3 am may fail because of it."""
    text = "mqtt: {url: 'mqtt://b', username: me, password_file: /no/such/file}\n"
    options = machine.of(text).mqtt_options()
    assert options is not None
    assert options.password_file == Path("/no/such/file")


def test_relative_paths_begin_at_their_file(machine: Machine) -> None:
    """Wherever the daemon is started."""
    machine.write(
        "etc/reactor.yaml",
        "guests: [{discover: run/*.sock, agent: 'run/{name}.agent'}, "
        "{name: a, qmp: a.sock, agent: 'unix:a.agent'}, {name: b, qmp: 'unix:b.sock'}]\n"
        "rules: [rules, ../more]\njournal: {path: ./journal.db}\n"
        "dumps: {folder: dumps, allow: [one.kdump]}\n"
        "mqtt: {url: 'mqtt://b', username: me, password_file: password}\n",
    )
    settings = machine.settings()
    etc = machine.etc
    assert settings.discoveries[0].discover == f"{etc}/run/*.sock"
    assert settings.discoveries[0].agent == f"{etc}/run/{{name}}.agent"
    assert [guest.agent for guest in settings.guests] == [f"{etc}/a.agent", None]
    assert [guest.qmp for guest in settings.guests] == [f"unix:{etc}/a.sock", f"unix:{etc}/b.sock"]
    assert settings.rules == (etc / "rules", etc.parent / "more")
    assert settings.journal.path == etc / "journal.db"
    assert settings.dumps.folder == etc / "dumps"
    assert settings.dumps.allow == {f"{etc}/one.kdump"}
    assert settings.mqtt is not None
    assert settings.mqtt.password_file == etc / "password"


def test_each_file_has_its_own_folder(machine: Machine) -> None:
    """Also where their lists are added up."""
    machine.write("etc/reactor.yaml", "rules: [a]\n")
    machine.write("etc/conf.d/x.yaml", "rules: [a]\n")
    assert machine.settings().rules == (machine.etc / "a", machine.etc / "conf.d" / "a")


def test_a_file_that_is_named_relatively_has_an_absolute_folder(machine: Machine) -> None:
    """The daemon may change its folder later."""
    machine.write("here/sub/a.yaml", "rules: [r]\n")
    assert machine.settings(Flags(config=Path("sub/a.yaml"))).rules == (machine.here / "sub" / "r",)


def test_paths_of_flags_and_variables_begin_at_the_current_folder(machine: Machine) -> None:
    """Even beside a file elsewhere."""
    machine.write("etc/reactor.yaml", "journal: {path: a.db}\n")
    flags = Flags(rules=[Path("rules")])
    settings = machine.settings(flags, {"REACTOR_JOURNAL__PATH": "b.db"})
    assert settings.rules == (machine.here / "rules",)
    assert settings.journal.path == machine.here / "b.db"


def test_patterns_of_agents_may_be_the_same(machine: Machine) -> None:
    """They lead to another socket for each guest, unlike those of guests that are named."""
    entry = "{discover: '%s', agent: '/run/{name}.agent'}"
    settings = machine.of(f"guests: [{entry % '/a/*'}, {entry % '/b/*'}]\n")
    assert {found.agent for found in settings.discoveries} == {"/run/{name}.agent"}


def test_a_tilde_is_the_users_home(machine: Machine) -> None:
    """As in a shell."""
    settings = machine.of("rules: [~/rules, '~']\nguests: [{discover: ~/run/*}]\n")
    assert settings.rules == (machine.home / "rules", machine.home)
    assert settings.discoveries[0].discover == f"{machine.home}/run/*"


def test_a_folder_that_looks_like_a_pattern_is_a_folder(machine: Machine) -> None:
    """Only what the admin wrote is a pattern."""
    file = machine.write("here/[a]/try.yaml", "guests: [{discover: '*.sock'}]\n")
    machine.write("here/[a]/web-1.sock", "")
    machine.write("here/a/web-2.sock", "")
    (found,) = machine.settings(Flags(config=file)).discoveries
    assert parse_pattern(found.discover).paths() == [f"{machine.here}/[a]/web-1.sock"]


def test_where_the_daemon_is_asked(machine: Machine) -> None:
    """At the socket of the settings, by the members of their group."""
    text = "control: {socket: run/control.sock, group: operators}\n"
    settings = machine.of(text)
    assert settings.control_socket == machine.here / "run" / "control.sock"
    assert settings.control.group == "operators"


@pytest.mark.parametrize("text", ["", "control: {}\n", "control: {group: operators}\n"])
def test_the_daemon_is_asked_beside_its_journal(machine: Machine, text: str) -> None:
    """Whoever finds the journal finds the daemon, also by a link that leads to it."""
    real = machine.here / "real"
    real.mkdir()
    (machine.here / "link").symlink_to(real)
    settings = machine.of(f"journal: {{path: link/j.db}}\n{text}")
    assert settings.control_socket == real / "j.db.sock"
