"""The resolved configuration. The only reader of environment variables."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tts_core.platform.addresses import is_this_machine
from tts_core.platform.faults import InvalidSetting
from tts_core.platform.paths import Paths, default_data_dir
from tts_core.platform.settings.compute import (
    AUTO,
    PRECISION_VARIABLE,
    THREADS_VARIABLE,
    checked_precision,
    checked_threads,
)
from tts_core.platform.settings.environ import Environ
from tts_core.platform.settings.network import NetworkVariables, system_proxies
from tts_core.platform.settings.preferences import (
    CHOOSABLE,
    MIRROR_VARIABLE,
    MODELS_DIR_VARIABLE,
    SOURCES_VARIABLE,
    PreferencesFile,
)
from tts_core.platform.settings.projects import ProjectLimits, ResumePolicy
from tts_core.platform.settings.server import (
    ORIGIN_VARIABLE,
    Certificate,
    ProxySettings,
    ShareSettings,
    allowed_origins,
)
from tts_core.platform.settings.sources import SourceSettings
from tts_core.platform.settings.yourtts import YourTtsSettings

DEFAULT_HOST = "127.0.0.1"
FIRST_PORT = 7860
AUTH_VARIABLE = "TTS_STUDIO_AUTH"
DEFAULT_KEEP_ALIVE_S = 300.0
WILDCARD_HOSTS = ("0.0.0.0", "::", "")  # noqa: S104 - recognised, never the default
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Limits:
    """The caps on a single caller's requests; each has its own clear error."""

    max_text_chars: int = 20_000
    max_body_bytes: int = 1_000_000
    """The most bytes of a JSON request."""
    max_float_body_bytes: int = 32_000_000
    """The most bytes of a JSON request with sound as numbers: a minute at 16 kHz, however the digits are written."""
    max_upload_bytes: int = 50_000_000
    """The most bytes of a multipart request, all files together."""
    body_pause_s: float = 30.0
    """The longest pause within a request's body."""
    min_body_bytes_per_s: int = 500
    """The least average speed of a body, after the first such pause: even an old telephone line is faster."""
    smallest_body_s: float = 60.0
    """The seconds that every body has, from its begin to its end."""
    largest_body_bytes_per_s: int = 100_000
    """The speed at which the largest body that a route takes must come, beyond the time that every body has."""
    max_waiting: int = 16
    """The most requests that may wait at once for the engines of one pool."""
    keep_outputs_days: float = 7.0
    max_output_bytes: int = 4_000_000_000
    """The size of the outputs folder beyond which the oldest takes are removed."""


@dataclass(frozen=True, slots=True)
class Settings:
    paths: Paths
    fixed: frozenset[str] = frozenset()
    """The variables that are set, so that choices made in the app in their place don't count."""
    preferences_problem: str = ""
    """The parts of the preferences that can't be used, in English; "" if all is well."""
    network: NetworkVariables = field(default_factory=NetworkVariables)
    """The variables of proxies and certificates that libraries could not read; entry points apply the changes."""
    host: str = DEFAULT_HOST
    port: int | None = None
    """The port to listen on; None takes the first free one from FIRST_PORT on."""
    allowed_hosts: tuple[str, ...] = LOOPBACK_HOSTS
    """The host names, without port, that requests may name."""
    allowed_origins: tuple[str, ...] = ()
    """The origins, besides its own, whose pages may use the routes for programs."""
    auth: str = AUTO
    """Whether people have to log in: "on", "off", or "auto": wherever others than this machine can reach the studio."""
    admin_password: str = field(default="", repr=False)
    """The password of the user "admin", who then exists for this run."""
    share: ShareSettings = field(default_factory=ShareSettings)
    certificate: Certificate | None = None
    """The certificate that https is served with; None is plain http."""
    proxies: ProxySettings = field(default_factory=ProxySettings)
    catalogue_file: Path | None = None
    """A file that adds or overrides catalogue entries."""
    piper_dir: Path | None = None
    """The folder of Piper voices besides the downloaded ones; None is the data folder's own place."""
    has_desktop: bool = False
    """Whether there is a desktop that can show a folder to a user at this machine."""
    device: str = AUTO
    """The device that models compute on: "auto" or torch's name of a device."""
    precision: str = AUTO
    """The precision that models compute in: "auto" or one of PRECISIONS; as it was at the start."""
    threads: int | None = None
    """The threads that compute on a CPU; None uses as many as help."""
    wait_policy: str = ""
    """OMP_WAIT_POLICY: whether torch's threads that wait keep a core busy (ACTIVE) or not; "" if it is not set."""
    keep_alive_s: float | None = DEFAULT_KEEP_ALIVE_S
    """The seconds that an idle model stays in memory; 0 lets it go at once, None keeps it."""
    model_memory_bytes: int | None = None
    """The most memory that all loaded models may take together; None is a share of the device's memory."""
    sources: SourceSettings = field(default_factory=SourceSettings)
    yourtts: YourTtsSettings = field(default_factory=YourTtsSettings)
    limits: Limits = field(default_factory=Limits)
    projects: ProjectLimits = field(default_factory=ProjectLimits)
    resume: ResumePolicy = ResumePolicy.ASK
    """The handling of projects whose making an earlier process left unfinished."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read `environ`; raises InvalidSetting naming the variable that can't be used.

        Variables: QWEN_TTS_MODELS_DIR, TTS_STUDIO_DATA_DIR, TTS_STUDIO_HOST, TTS_STUDIO_PORT,
        TTS_STUDIO_ALLOWED_HOSTS (comma-separated, added to the loopback names), TTS_STUDIO_ALLOWED_ORIGINS
        (comma-separated), TTS_STUDIO_CATALOG, TTS_STUDIO_PIPER_DIR,
        TTS_STUDIO_AUTH ("auto", "on", "off"), TTS_STUDIO_ADMIN_PASSWORD; for a public link: see ShareSettings;
        TTS_STUDIO_SSL_CERTFILE, TTS_STUDIO_SSL_KEYFILE and TTS_STUDIO_SSL_KEYFILE_PASSWORD (see Certificate),
        TTS_STUDIO_ROOT_PATH and TTS_STUDIO_TRUSTED_PROXIES (see ProxySettings),
        TTS_STUDIO_DEVICE, TTS_STUDIO_PRECISION, TTS_STUDIO_THREADS,
        TTS_STUDIO_KEEP_ALIVE (as Ollama's: "0", "5m", "-1", "1h30m", seconds), TTS_STUDIO_MODEL_MEMORY ("8GB", bytes);
        where models come from: see SourceSettings, YourTtsSettings; how much projects may hold: see ProjectLimits,
        ResumePolicy. The
        user's choices in the app stand for variables that are not set (see Preferences).
        """
        data_dir = Environ(environ).path("TTS_STUDIO_DATA_DIR") or default_data_dir()
        paths = Paths(data_dir=data_dir, models_dir=data_dir)
        stored = PreferencesFile(paths.preferences_file).read()
        is_set = {name: value for name, value in environ.items() if value.strip()}
        fixed = frozenset(name for name in is_set if name in CHOOSABLE)
        given = Environ({**stored.preferences.as_variables(fixed), **is_set})
        host = given.text("TTS_STUDIO_HOST", DEFAULT_HOST)
        return cls(
            paths=replace(paths, models_dir=given.path(MODELS_DIR_VARIABLE) or paths.default_models_dir),
            fixed=fixed,
            preferences_problem=stored.problem,
            network=NetworkVariables.of(environ, system_proxies()),
            host=host,
            port=given.port("TTS_STUDIO_PORT"),
            allowed_hosts=allowed_hosts(host, given.names("TTS_STUDIO_ALLOWED_HOSTS")),
            allowed_origins=allowed_origins(given.names(ORIGIN_VARIABLE)),
            auth=given.choice(AUTH_VARIABLE, (AUTO, "on", "off")),
            admin_password=given.secret("TTS_STUDIO_ADMIN_PASSWORD"),
            share=ShareSettings.from_env(given),
            certificate=Certificate.from_env(given),
            proxies=ProxySettings.from_env(given),
            catalogue_file=given.path("TTS_STUDIO_CATALOG"),
            piper_dir=given.path("TTS_STUDIO_PIPER_DIR"),
            has_desktop=_has_desktop(given),
            device=given.text("TTS_STUDIO_DEVICE", AUTO).lower(),
            precision=checked_precision(PRECISION_VARIABLE, given.text(PRECISION_VARIABLE)),
            threads=checked_threads(THREADS_VARIABLE, given.text(THREADS_VARIABLE)),
            wait_policy=given.text("OMP_WAIT_POLICY"),
            keep_alive_s=given.seconds("TTS_STUDIO_KEEP_ALIVE", DEFAULT_KEEP_ALIVE_S),
            model_memory_bytes=given.size("TTS_STUDIO_MODEL_MEMORY"),
            sources=SourceSettings.from_env(given),
            yourtts=YourTtsSettings.from_env(given),
            projects=ProjectLimits.from_env(given),
            resume=ResumePolicy.from_env(given),
        )

    @property
    def needs_login(self) -> bool:
        """Whether everybody has to log in at the studio's own address; users of a public link always have to."""
        return self.auth == "on" or (self.auth == AUTO and not is_loopback(self.host))

    @property
    def source_problems(self) -> tuple[InvalidSetting, ...]:
        """The reasons why downloads, of some or all models, can't begin."""
        return (*self.sources.problems, *([self.yourtts.url_problem] if self.yourtts.url_problem else []))

    def precision_now(self) -> str:
        """`precision` with the choice made in the app since the start."""
        if PRECISION_VARIABLE in self.fixed:
            return self.precision
        return PreferencesFile(self.paths.preferences_file).read().preferences.precision or AUTO

    def sources_now(self) -> SourceSettings:
        """`sources` with the choices made in the app since the start."""
        chosen = PreferencesFile(self.paths.preferences_file).read().preferences.as_variables(self.fixed)
        now = SourceSettings.from_env(Environ(chosen))
        return replace(
            self.sources,
            order=self.sources.order if SOURCES_VARIABLE in self.fixed else now.order,
            mirror_endpoint=self.sources.mirror_endpoint if MIRROR_VARIABLE in self.fixed else now.mirror_endpoint,
        )


def allowed_hosts(bind_host: str, extra: Sequence[str]) -> tuple[str, ...]:
    """The loopback names, the address bound to (unless it is a wildcard) and `extra`, lower-case, without repeats."""
    named = [] if bind_host in WILDCARD_HOSTS else [f"[{bind_host}]" if ":" in bind_host else bind_host]
    return tuple(dict.fromkeys(name.lower() for name in (*LOOPBACK_HOSTS, *named, *extra) if name))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens there; an unknown name counts as another machine's."""
    return is_this_machine(host.strip("[]")) or host.lower() == "localhost"


def _has_desktop(environ: Environ) -> bool:
    always = sys.platform in ("win32", "darwin")
    return always or any(environ.text(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
