"""The settings as they are written, key by key."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from reactor.adapters.agent import parse_socket
from reactor.adapters.mqtt.options import MqttOptions, parse_levels
from reactor.adapters.qmp.address import parse_address
from reactor.adapters.qmp.pattern import parse_pattern
from reactor.app.requests.kinds import NAMED
from reactor.app.settings_commands import (
    COMMANDS,
    check_command,
    connection_complaints,
    permission_complaints,
)
from reactor.core.policy import Limit, LimitScope
from reactor.core.text import parse_size
from reactor.errors import SettingsError
from reactor.policyfile.schema_base import Complaint, Model
from reactor.policyfile.spellings import CommandName
from reactor.policyfile.values import (
    Choice,
    Duration,
    LimitText,
    Many,
    Maybe,
    OneOrMany,
    Span,
    Spelling,
    Whole,
    wrong,
)

_VISIBLE = r"[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0][^\x00-\x1f\x7f-\x9f]*"

_SIZE_FIX = "write 512MiB or 4GiB"

Name = Annotated[str, Spelling(_VISIBLE, "name", "write visible characters")]
PathText = Annotated[str, Spelling(_VISIBLE, "path", "write the path of a file or folder")]
Labels = dict[str, str]


def _parses(parse: Callable[[str], object]) -> AfterValidator:
    """The text itself, when the adapter that gets it can read it."""

    def check(text: str) -> str:
        try:
            parse(text)
        except SettingsError as error:
            raise wrong(error.problem, error.fix) from None
        return text

    return AfterValidator(check)


def _over_all(limit: Limit) -> Limit:
    if limit.scope is LimitScope.KEY:
        problem = "a key belongs to one policy, and this limit counts over all of them"
        raise wrong(problem, "use `per guest` or `per host`")
    return limit


def _size(value: object) -> int:
    """Bytes of ``10GiB``.

    A number alone is refused, as everywhere.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise wrong("a size is expected here", _SIZE_FIX)
    try:
        return parse_size(str(value))
    except ValueError as error:
        problem, _, fix = str(error).rpartition(": ")
        raise wrong(problem or fix, fix if problem else _SIZE_FIX) from None


def _least(least: float, words: str) -> AfterValidator:
    """The value itself, when it is not below what the words say."""

    def check(value: float) -> float:
        if value < least:
            raise wrong("this is too little", f"write {words} or more")
        return value

    return AfterValidator(check)


def _whole(text: str) -> str:
    if not text.startswith("/"):
        problem = f"`{text}` is no absolute path"
        raise wrong(problem, "write the whole path, as the policies that start it do")
    return text


Address = Annotated[PathText, _parses(parse_address)]
Socket = Annotated[PathText, _parses(parse_socket)]
Program = Annotated[PathText, AfterValidator(_whole)]
Pattern = Annotated[PathText, _parses(parse_pattern)]
Size = Annotated[int, BeforeValidator(_size), WithJsonSchema({"type": "string"})]
KeepLast = Annotated[int, Whole(1, 10_000)]
KeepTime = Annotated[Duration, _least(3600.0, "1h")]
JournalSize = Annotated[Size, _least(16 << 20, "16MiB")]
AnyLimit = Annotated[LimitText, AfterValidator(_over_all)]
ByHand = Annotated[
    str,
    Spelling(r"[A-Za-z_*?\[][A-Za-z0-9_.*?\[\]!-]*", "QMP command", "write a command's own name"),
    AfterValidator(check_command),
]
Limits = Annotated[tuple[AnyLimit, ...], OneOrMany(1)]


class Guest(Model):
    """An entry of ``guests``: a pattern of sockets, or one guest by its name."""

    discover: Annotated[Pattern | None, Maybe()] = None
    name: Annotated[Name | None, Maybe()] = None
    qmp: Annotated[Address | None, Maybe()] = None
    agent: Annotated[Socket | None, Maybe()] = None
    labels: Annotated[Labels | None, Maybe()] = None

    @classmethod
    def complaints(cls, data: Mapping[str, object]) -> Iterator[Complaint]:
        """Exactly one of the two kinds, and that one whole."""
        named = data.keys() & {"name", "qmp"}
        if "discover" in data and named:
            problem = (
                "`discover` finds guests, `name` and `qmp` name one: an entry does one of them"
            )
            yield Complaint("discover", problem, "make them two entries")
        elif len(named) == 1 and "discover" not in data:
            missing = "qmp" if "name" in named else "name"
            yield Complaint(None, f"the key `{missing}` is missing", f"add `{missing}:`")
        elif not named and "discover" not in data and data.keys() <= {"labels", "agent"}:
            problem = "the entry names no guest"
            yield Complaint(None, problem, "write `discover:`, or `name:` and `qmp:`")
        agent = data.get("agent")
        if "discover" in data and isinstance(agent, str) and "{name}" not in agent:
            problem = "one agent cannot be that of every guest that is found"
            yield Complaint("agent", problem, "write {name} where the guest's name stands")


class Mqtt(Model):
    """The broker."""

    url: Name
    username: Annotated[Name | None, Maybe()] = None
    password_file: Annotated[PathText | None, Maybe()] = None
    prefix: Annotated[Name | None, Maybe()] = None
    ca_file: Annotated[PathText | None, Maybe()] = None
    cert_file: Annotated[PathText | None, Maybe()] = None
    key_file: Annotated[PathText | None, Maybe()] = None
    client_id: Annotated[Name | None, Maybe()] = None
    allow: Annotated[tuple[Annotated[str, Choice(NAMED)], ...], Many()] = ()
    commands: Annotated[tuple[ByHand, ...], Many()] = ()
    home_assistant: Annotated[Annotated[Name, _parses(parse_levels)] | None, Maybe()] = None

    @classmethod
    def complaints(cls, data: Mapping[str, object]) -> Iterator[Complaint]:
        """What the link to the broker says of these values together."""
        known = {key: value for key, value in data.items() if key in cls.model_fields}
        for key in ("allow", COMMANDS):
            known.pop(key, None)
        texts = {key: value for key, value in known.items() if isinstance(value, str)}
        is_whole = "url" in texts and len(texts) == len(known)
        if not is_whole or not all(text.strip() for text in texts.values()):
            return  # a simpler problem is told already
        tries = [texts]
        if isinstance(_broker({"url": texts["url"]}), SettingsError):
            # With a wrong address only the prefix can be judged beside it.
            beside = {"url": "mqtt://host", "prefix": texts.get("prefix", "reactor")}
            tries = [{"url": texts["url"]}, beside]
        for values in tries:
            found = _broker(values)
            if isinstance(found, SettingsError):
                told = found.problem
                key = min((key for key in texts if key in told), key=told.find, default="url")
                yield Complaint(key, told, found.fix)
            elif values is texts:
                yield from connection_complaints(data, found)


def _broker(texts: Mapping[str, str]) -> MqttOptions | SettingsError:
    """The broker of these values of ``mqtt``, or what is wrong; no file is looked at."""
    files = {key: Path(text) for key, text in texts.items() if key.endswith("_file")}
    try:
        return MqttOptions.parse(
            texts["url"],
            host="host",
            prefix=texts.get("prefix", "reactor"),
            username=texts.get("username"),
            password_file=files.get("password_file"),
            ca_file=files.get("ca_file"),
            cert_file=files.get("cert_file"),
            key_file=files.get("key_file"),
        )
    except SettingsError as error:
        return error


class Journal(Model):
    """The journal."""

    path: Annotated[PathText | None, Maybe()] = None
    keep: Annotated[KeepTime | None, Maybe()] = None
    max: Annotated[JournalSize | None, Maybe()] = None


class Control(Model):
    """The socket by which operators ask the daemon."""

    socket: Annotated[PathText | None, Maybe()] = None
    group: Annotated[Name | None, Maybe()] = None


class Host(Model):
    """This machine."""

    name: Annotated[Name | None, Maybe()] = None
    labels: Annotated[Labels | None, Maybe()] = None


class Qmp(Model):
    """Permissions of QMP commands."""

    allow: Annotated[tuple[CommandName, ...], Many()] = ()


class Exec(Model):
    """Permissions of programs."""

    allow: Annotated[tuple[Program, ...], Many()] = ()


class Dumps(Model):
    """Where memory dumps go."""

    folder: Annotated[PathText | None, Maybe()] = None
    allow: Annotated[tuple[PathText, ...], Many()] = ()
    quota: Annotated[Size | None, Maybe()] = None
    keep: Annotated[Span | None, Maybe()] = None
    keep_last: Annotated[KeepLast | None, Maybe()] = None
    free: Annotated[Size | None, Maybe()] = None


class LimitsOf(Model):
    """Limits over all policies."""

    reset: Annotated[Limits | None, Maybe()] = None
    dump: Annotated[Limits | None, Maybe()] = None
    destroy: Annotated[Limits | None, Maybe()] = None


class File(Model):
    """Everything that a settings file may hold."""

    guests: Annotated[tuple[Guest, ...], Many()] = ()
    rules: Annotated[tuple[PathText, ...], Many()] = ()
    mqtt: Annotated[Mqtt | None, Maybe()] = None
    journal: Annotated[Journal | None, Maybe()] = None
    control: Annotated[Control | None, Maybe()] = None
    host: Annotated[Host | None, Maybe()] = None
    qmp: Annotated[Qmp | None, Maybe()] = None
    exec: Annotated[Exec | None, Maybe()] = None
    dumps: Annotated[Dumps | None, Maybe()] = None
    limits: Annotated[LimitsOf | None, Maybe()] = None
    enforcement: Annotated[Annotated[str, Choice(("audit", "enforce"))] | None, Maybe()] = None

    @classmethod
    def complaints(cls, data: Mapping[str, object]) -> Iterator[Complaint]:
        """What one part of the settings says against another."""
        yield from permission_complaints(data)


LATER: Mapping[str, str] = {
    "libvirt": "take it out; name the guests' QMP sockets under `guests`",
    "web": "take it out",
}
"""Settings that are not built yet, each with a fix."""
