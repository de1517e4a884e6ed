"""Configuration: `HOME/config/healthkit.yaml`, strict and typed, read once and handed on by argument.

Every key is optional; an unknown key or a wrong type is a `ConfigError` naming key, file and line. This is the only
module below the command line that looks at the environment: `$HEALTHKIT_HOME` for the home, `$HEALTHKIT_SMTP_PASSWORD`
for the mail password.
"""

from __future__ import annotations

import os
import re
import socket
import stat
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from healthkit import colours
from healthkit.errors import ConfigError, ParameterError

Ratio = Annotated[float, Meta(ge=0, le=1)]
Port = Annotated[int, Meta(ge=1, le=65535)]
Positive = Annotated[float, Meta(gt=0)]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s/]+\S*$")]
T = TypeVar("T")


class Duration(float):
    """Seconds, written as `90s`, `5m`, `1h`, `30d` or `2w`."""

    __slots__ = ()
    UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}  # noqa: RUF012 - read only

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Seconds.

        Raises:
            ValueError: Not written so.
        """
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", text)
        if not match:
            raise ValueError(f"{text!r} is not a duration: write 90s, 5m, 1h, 30d or 2w")
        return cls(float(match[1]) * cls.UNITS[match[2]])


class Size(int):
    """Bytes, written as `512MiB` or `1GiB` (powers of 1024) or `1GB` (powers of 1000)."""

    __slots__ = ()
    _PREFIXES = " KMGTP"

    @classmethod
    def parse(cls, text: str) -> Size:
        """Bytes.

        Raises:
            ValueError: Not written so.
        """
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:([KMGTP])(i?))?B\s*", text)
        if not match:
            raise ValueError(f"{text!r} is not a size: write 512MiB or 1GB")
        power = cls._PREFIXES.index(match[2] or " ")
        return cls(float(match[1]) * (1024 if match[3] else 1000) ** power)


class _Strict(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every section of the file."""


class Recipient(_Strict, frozen=True):
    """Somebody who gets a part of a report."""

    address: str
    """Where it goes."""
    hosts: tuple[str, ...] = ()
    """Names of hosts or groups; empty for all."""
    severity: Literal["critical", "warning", "unknown"] = "unknown"
    """The least severity of what needs a hand."""


class Recipients(_Strict, frozen=True):
    """Who gets which mail. Reports go to the first three; operators hear of failures and alerts."""

    weekly: tuple[str | Recipient, ...] = ()
    """Of the scheduled weekly report."""
    monthly: tuple[str | Recipient, ...] = ()
    """Of the monthly report."""
    quarterly: tuple[str | Recipient, ...] = ()
    """Of the quarterly report."""
    operators: tuple[str, ...] = ()
    """Of alerts, and of reports that failed."""

    def of(self, cadence: str) -> tuple[Recipient, ...]:
        """Who gets the reports of a cadence; nobody, if it is none of the three."""
        listed = getattr(self, cadence) if cadence in {"weekly", "monthly", "quarterly"} else ()
        return tuple(Recipient(address=one) if isinstance(one, str) else one for one in listed)


class Mail(_Strict, frozen=True):
    """The SMTP server, and who gets what."""

    host: str = "localhost"
    """Name or address of the server."""
    port: Port = 587
    """587 for starttls, 465 for tls."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls`: encrypted from the login on, or not at all; `tls`: from the first byte; `none`: not encrypted, and without a password except on this machine."""
    user: str | None = None
    """Whom to log in as; null: no login."""
    password_file: str | None = None
    """Its first line is the password, unless $HEALTHKIT_SMTP_PASSWORD is set. Mode 0600."""
    ca_file: str | None = None
    """Certificates to trust instead of the system's."""
    sender: str = ""
    """Address in From; empty: healthkit@ and the host."""
    timeout: Positive = 30
    """Seconds that one try may take."""
    recipients: Recipients = Recipients()

    def password(self) -> str | None:
        """The password: `$HEALTHKIT_SMTP_PASSWORD`, else the first line of `password_file`.

        Raises:
            ConfigError: The file cannot be read, or others may read it.
        """
        if "HEALTHKIT_SMTP_PASSWORD" in os.environ:
            return os.environ["HEALTHKIT_SMTP_PASSWORD"]
        return read_secret(Path(self.password_file)) if self.password_file else None


Command = Annotated[tuple[str, ...], Meta(min_length=1)]
"""Program and arguments; no shell reads them."""


class Service(_Strict, frozen=True):
    """A service to watch: what answers, and what runs it."""

    name: str
    """What it is called in reports and as device of its samples."""
    url: str | None = None
    """Asked with GET at every tick."""
    unit: str | None = None
    """Its systemd unit."""
    process: str | None = None
    """Name of its process; healthkit's own do not count."""
    timeout: Positive = 5
    """Seconds until an answer counts as failed."""
    expect: Annotated[int, Meta(ge=100, le=599)] | None = None
    """The only good status; null: any from 200 to 399."""
    start: Command | None = None
    """How it is started where `unit` is not the way."""
    stop: Command | None = None
    """How it is stopped, likewise."""
    restart: Command | None = None
    """How it is restarted, likewise."""


class Database(_Strict, frozen=True):
    """An SQLite database that the service lives on."""

    name: str
    """What it is called in reports and backups."""
    path: str
    """The database file."""


Count = Annotated[int, Meta(ge=0)]


class Keep(_Strict, frozen=True):
    """Which backups are kept: the newest of each of so many days, weeks and months that have one."""

    daily: Annotated[int, Meta(ge=1)] = 14
    """Days."""
    weekly: Count = 0
    """Weeks."""
    monthly: Count = 0
    """Months."""


class Restic(_Strict, frozen=True):
    """A restic repository that every backup is copied to."""

    repository: str
    """As `restic -r` takes it."""
    password_file: str
    """Mode 0600."""
    check: Annotated[str, Meta(pattern=r"^([0-9]+(\.[0-9]+)?%|[0-9]+[KMGT]|[0-9]+/[0-9]+)$")] = "5%"
    """How much of the data each verification reads: `restic check --read-data-subset`."""


_ENDPOINT = re.compile(r"https?://[^\s/]+\S*|(\[[0-9A-Fa-f:.]+\]|[\w.-]+):[0-9]{1,5}")


class Drill(_Strict, frozen=True):
    """How the service is started from a restored backup, and how quickly it must be back."""

    command: Command
    """`{port}`, `{folder}` (all that was restored), `{databases}`, `{config}` and `{work}` are filled in."""
    health: Annotated[str, Meta(pattern=r"^/\S*$")] = "/"
    """Path of its health endpoint on the port."""
    expect: Annotated[int, Meta(ge=100, le=599)] | None = None
    """Status of a healthy answer; any of 2xx by default."""
    port: Port | None = None
    """The one it listens on; a spare one by default."""
    isolate: bool = True
    """Whether it gets a network of its own, where we are root: then it reaches nothing but itself."""
    user: str | None = None
    """Whom it runs as; by default as the drill itself."""
    environment: dict[str, str] = field(default_factory=dict)
    """Of the service, with the same placeholders; of ours it gets nothing."""
    dependencies: tuple[str | Command, ...] = ()
    """What the service needs besides its data: a URL, `host:port`, or a command that ends with 0."""
    start_timeout: Duration = Duration(60)
    """How long it may take until it first answers."""
    timeout: Positive = 5
    """Seconds that one answer may take."""
    rto: Duration = Duration(4 * 3600)
    """Recovery time objective: from the beginning of the restore to the first healthy answer."""
    rpo: Duration = Duration(24 * 3600)
    """Recovery point objective: age of the data that came back."""
    every_months: Annotated[int, Meta(ge=1, le=12)] = 3
    """How often there is to be a drill."""

    def __post_init__(self) -> None:
        # Not by a pattern on the type: msgspec 0.22 frees the pattern of a union with an array twice, and aborts.
        for one in self.dependencies:
            if isinstance(one, str) and not _ENDPOINT.fullmatch(one):
                raise ValueError(f"`{one}` is neither a URL nor host:port, nor a command as a list")


class Backups(_Strict, frozen=True):
    """Where backups are, how old the newest may be, what is in them and which are kept."""

    directory: str = "/backup/project-health"
    """Each backup is a folder in it, named by its UTC time."""
    max_age_hours: Positive = 24
    """Older than this is a warning, an hour more is critical."""
    metrics: bool = True
    """Whether the samples in HOME/metrics are in them too."""
    keep: Keep = Keep()
    restic: Restic | None = None


class Reopen(_Strict, frozen=True):
    """How writers are told, after a rotation, to open their logs anew: a signal to a process, or a command."""

    pid_file: str | None = None
    """File with the number of the process."""
    signal: Literal["HUP", "USR1", "USR2"] = "USR1"
    """What is sent to it."""
    command: tuple[str, ...] = ()
    """Program and arguments; no shell reads them."""


class Logs(_Strict, frozen=True):
    """Which logs are rotated and kept, and for how long."""

    directories: tuple[str, ...] = ("/var/log/project-health",)
    """Where the logs are."""
    compress_after: Duration = Duration(86400)
    """Age at which a rotated log is compressed."""
    keep: Duration = Duration(30 * 86400)
    """Age at which an archive is removed."""
    max_total: Size = Size(1024**3)
    """Above it the oldest archives go."""
    reopen: Reopen | None = None


class Application(_Strict, frozen=True):
    """What the security and configuration checks look at."""

    directory: str = "/opt/project-health"
    """Its program files."""
    config: str = "/etc/project-health"
    """Its configuration files."""


Listener = Annotated[str, Meta(pattern=r"^[0-9]{1,5}/(tcp|udp)$")]


class Security(_Strict, frozen=True):
    """What the security checks allow, and where else they look."""

    ports: tuple[Port | Listener, ...] | None = None
    """Where the host may be reached from outside: `22` (TCP) or `68/udp`. None: there is no such list."""
    certificates: tuple[str, ...] = ()
    """Certificates on disk, files or folders, besides those of the application."""
    environments: tuple[str, ...] = ()
    """Python environments to look for vulnerable packages in; the application's, else healthkit's own by default."""
    failed_logins: Positive = 100
    """How many failed logins a day are usual."""
    index_age: Duration = Duration(3 * 86400)
    """How old the package index may be to say that there is no update."""


class Limits(_Strict, frozen=True):
    """Where a value becomes a warning."""

    cpu: Ratio = 0.80
    """Share of processor time busy."""
    memory: Ratio = 0.85
    """Share of memory in use."""
    disk: Ratio = 0.80
    """Share of a file system in use."""
    inodes: Ratio = 0.80
    """Share of its inodes in use."""
    swap: Ratio = 0.50
    """Share of swap in use."""
    response_seconds: Positive = 5
    """95th percentile of a service's answers."""
    days_to_full: Positive = 30
    """Days until a resource reaches its limit."""
    certificate_days: Positive = 21
    """Days that a certificate has left."""


class OnCall(_Strict, frozen=True):
    """Whom an incident is escalated to."""

    name: str = ""
    """Who is on call."""
    contact: str = ""
    """A telephone number, or whatever reaches them."""
    mail: tuple[str, ...] = ()
    """Addresses that escalations go to, besides the operators'."""


class Incidents(_Strict, frozen=True):
    """What is done about a service that is down."""

    confirm_after: Duration = Duration(5)
    """How long it must not answer, asked twice, to be down."""
    restarts_per_hour: Annotated[int, Meta(ge=0)] = 3
    """Of each service; then people have to look."""
    settle: Duration = Duration(30)
    """How long a service may take to answer after it was started."""
    escalate_after: Duration = Duration(1800)
    """When whoever is on call is called, if it is neither acknowledged nor over."""
    on_call: OnCall = OnCall()
    """Who that is."""


class Growth(_Strict, frozen=True):
    """Which growth a capacity plan points out although no limit is near."""

    ratio_per_day: Positive = 0.001
    """Of CPU, memory and disks: a significant slope above it is pointed out."""
    response_seconds_per_day: Positive = 0.001
    """The same of answers."""
    per_month: Positive = 0.20
    """Mean of 30 days over that of the 30 days before."""


class Alerting(_Strict, frozen=True):
    """Where alerts go besides mail."""

    webhook: Url | None = None
    """Gets every alert as JSON by POST."""
    webhook_token_file: str | None = None
    """Whose first line is sent as a bearer token (mode 0600)."""
    alertmanager: Url | None = None
    """The base of a Prometheus Alertmanager: `http://localhost:9093`."""
    apprise: tuple[str, ...] = ()
    """Addresses as Apprise writes them; needs the extra `apprise`."""
    timeout: Positive = 10
    """Seconds that one try of one of them may take."""

    def token(self) -> str | None:
        """The webhook's bearer token, if there is one.

        Raises:
            ConfigError: The file cannot be read, or others may read it.
        """
        return read_secret(Path(self.webhook_token_file)) if self.webhook_token_file else None


NotebookName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]+(-[A-Za-z0-9_]+)*$")]


class Schedule(_Strict, frozen=True):
    """How the maintenance tasks are started."""

    random_delay: Duration = Duration(0)
    """systemd starts each task up to so much later, so that a fleet does not start at once."""
    user: Annotated[str, Meta(pattern=r"^[a-z_][a-z0-9_.-]*$")] = "root"
    """Whom they run as."""
    notebooks: dict[NotebookName, Literal["weekly", "monthly", "quarterly"]] = {}
    """Notebooks of one's own, in HOME/notebooks, that are run and mailed like ours of that cadence."""


class Collect(_Strict, frozen=True):
    """How the resident collector measures."""

    every: Duration = Duration(60)
    """Time between two samples."""
    keep_raw: Duration = Duration(90 * 86400)
    """How long raw samples are kept. Daily statistics are kept for ever."""


Colour = Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}$")]


class Brand(_Strict, frozen=True):
    """Whose reports these are."""

    name: str = ""
    """Stands above every page, and in the mail."""
    logo: str | None = None
    """An image file (PNG, JPEG, WebP or SVG, at most 64 KiB) that is put into every page."""
    accent: Colour = "#1a5fd0"
    """Colour of links and lines; what cannot be read on the page is refused."""
    accent_dark: Colour = "#7fb0ff"
    """The same on a dark screen."""

    def __post_init__(self) -> None:
        for colour, grounds in ((self.accent, colours.LIGHT), (self.accent_dark, colours.DARK)):
            if (found := colours.least_contrast(colour, grounds)) < colours.READABLE:
                raise ValueError(
                    f"`{colour}` on {grounds[0]} has a contrast of {found:.1f}, text needs {colours.READABLE}"
                )


class Reports(_Strict, frozen=True):
    """How reports look, and how long they stay."""

    brand: Brand = Brand()
    keep: Duration | None = None
    """How long a report is kept after the end of its period; null: for ever. The newest of each series always stays."""


class Weights(_Strict, frozen=True):
    """What each component of the score weighs; only the proportions count."""

    availability: Annotated[float, Meta(ge=0)] = 25
    """Services answer."""
    data_safety: Annotated[float, Meta(ge=0)] = 25
    """Backups, restores, databases."""
    resources: Annotated[float, Meta(ge=0)] = 20
    """CPU, memory, disks."""
    security: Annotated[float, Meta(ge=0)] = 15
    """Updates, certificates, permissions, ports, logins."""
    operations: Annotated[float, Meta(ge=0)] = 10
    """Tasks, logs, clock, freshness."""
    trend: Annotated[float, Meta(ge=0)] = 5
    """Against the host's own history."""


class Config(_Strict, frozen=True):
    """The whole file. `Config()` is what an absent file means."""

    host: str = field(default_factory=socket.gethostname)
    """What this host is called in samples and reports."""
    groups: dict[str, tuple[str, ...]] = {}
    """Hosts that are reported on together: names, or patterns such as `web-*`, by name of the group."""
    mail: Mail = Mail()
    services: tuple[Service, ...] = ()
    """What is watched."""
    databases: tuple[Database, ...] = ()
    """Looked after, and in every backup."""
    backups: Backups | None = None
    drill: Drill | None = None
    logs: Logs | None = None
    application: Application | None = None
    security: Security = Security()
    limits: Limits = Limits()
    growth: Growth = Growth()
    weights: Weights = Weights()
    alerting: Alerting = Alerting()
    incidents: Incidents = Incidents()
    schedule: Schedule = Schedule()
    collect: Collect = Collect()
    reports: Reports = Reports()
    timezone: str = "UTC"
    """Of times in reports. Samples are in UTC."""
    demonstration: bool = False
    """The home of `healthkit demo`, which may write it again."""


def home(directory: str | os.PathLike[str] | None = None) -> Path:
    """The one directory that holds everything: the argument, else `$HEALTHKIT_HOME`, else the system's place.

    That is `/var/lib/project-health` for root and the XDG data directory for others.
    Source: https://specifications.freedesktop.org/basedir-spec/

    Raises:
        ParameterError: It is the URL of a bucket, which has no room for a database: see `store_home`.
    """
    place = store_home(directory)
    if isinstance(place, str):
        raise ParameterError(f"{place}: a bucket holds samples only; name a directory here")
    return place


def store_home(directory: str | os.PathLike[str] | None = None) -> Path | str:
    """Where samples are: as `home`, or a bucket (`s3://bucket/prefix`), whose URL stays as it is."""
    named = os.fspath(directory or os.environ.get("HEALTHKIT_HOME") or "")
    if "://" in named:
        return named
    if named:
        return Path(named).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/project-health")
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "project-health"


def config_path(home: Path) -> Path:
    """Where the configuration of a home lies."""
    return home / "config" / "healthkit.yaml"


def load_config(home: Path) -> Config:
    """The configuration of a home; the defaults where there is no file.

    Raises:
        ConfigError: The file cannot be read, is no YAML, or has a key or value it cannot have.
    """
    path = config_path(home)
    text = read_text(path)
    return Config() if text is None else parse_config(text, file=str(path))


def parse_config(text: str, *, file: str = "") -> Config:
    """The configuration in a YAML text.

    Raises:
        ConfigError: Names the key, and the line of *file* it stands on.
    """
    config = parse_struct(text, Config, file=file)
    if config is None:
        return Config()
    _check_timezone(config, text, file)
    return config


def read_text(path: Path) -> str | None:
    """The text of a configuration file; None where there is none.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", file=str(path)) from error


def parse_struct(text: str, kind: type[T], *, file: str = "") -> T | None:
    """A YAML text as a strict, typed object; None where everything in it is commented out.

    Raises:
        ConfigError: Names the key, and the line of *file* it stands on.
    """
    import yaml

    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = f"not YAML: {getattr(error, 'problem', None) or error}"
        raise ConfigError(what, file=file, line=mark.line + 1 if mark else 0) from error
    if data is None:
        return None
    try:
        return msgspec.convert(data, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        message, line = _explain(str(error), text)
        raise ConfigError(message, file=file, line=line) from error


def read_secret(path: Path) -> str:
    """The first line of a file that only its owner may read.

    Raises:
        ConfigError: It cannot be read, or group or others may read it too.
    """
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(f"mode is {stat.S_IMODE(mode):04o}: a secret must be 0600", file=str(path))
        return path.read_text(encoding="utf-8").partition("\n")[0]
    except OSError as error:
        raise ConfigError(f"cannot be read: {error}", file=str(path)) from error


def _decode(kind: type, value: Any) -> Any:
    if kind in (Duration, Size) and isinstance(value, str):
        return kind.parse(value)
    raise ValueError(f"Expected a {kind.__name__.lower()} such as {'30d' if kind is Duration else '1GiB'}")


def _check_timezone(config: Config, text: str, file: str) -> None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(config.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        line = line_of(text, ["timezone"])
        raise ConfigError(f"unknown time zone {config.timezone!r} - at `$.timezone`", file=file, line=line) from error


def _explain(message: str, text: str) -> tuple[str, int]:
    """The message with the full key, and its line in the text."""
    unknown = re.search(r"unknown field `(.+?)`", message)
    place = re.search(r" - at `(\$.*?)`", message)
    path = re.findall(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]", place[1] if place else "$")
    steps: list[str | int] = [name or (int(index) if index.isdigit() else 0) for name, index in path]
    if unknown:
        steps.append(unknown[1])
        message = f"unknown key `$.{'.'.join(map(str, steps))}`"
    return message, line_of(text, steps)


def line_of(text: str, steps: list[str | int]) -> int:
    """1-based line of the node that *steps* lead to, or of the last one that exists."""
    import yaml

    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = node.start_mark.line if node else 0
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(step)]
            if not found:
                break
            line, node = found[0][0].start_mark.line, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
        else:
            break
    return int(line) + 1
