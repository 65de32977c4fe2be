"""The composition root: builds every part of the studio from the settings and hands them out together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from tts_core.access.accounts import AccountsFile
from tts_core.access.faults import AccountsMissing
from tts_core.access.login import LoginRule, LoginService
from tts_core.access.public_link import PublicLink
from tts_core.access.temporary_files import TemporaryFiles, places_of
from tts_core.access.visitor import Role
from tts_core.domain.engine import Engine
from tts_core.engines.builtin.engine import ByLanguageEngine
from tts_core.engines.espeak.engine import EspeakEngine
from tts_core.engines.hibari.engine import HibariEngine
from tts_core.engines.piper.engine import PiperEngine
from tts_core.engines.qwen.device import probe_acceleration
from tts_core.engines.qwen.engine import (
    QWEN,
    ModelChoice,
    QwenEngine,
    catalogue_engines,
    load_model,
    model_in,
    weights_bytes,
)
from tts_core.engines.qwen.folder_check import FolderCheck
from tts_core.engines.qwen.speaker_embedding import ENCODER_BYTES, SPEAKER_ENCODER, SpeakerEmbedder, load_speaker
from tts_core.engines.qwen.voice_check import VoiceCheck
from tts_core.engines.whisper.conversion import WhisperConversion
from tts_core.engines.whisper.error_rate import compare
from tts_core.engines.whisper.listening import TakeTranscriber
from tts_core.engines.whisper.transcriber import WHISPER, Transcriber, load_transcriber, weights_bytes as whisper_bytes
from tts_core.engines.yourtts.engine import YourTts, YourTtsEngine, YourTtsModel, build_yourtts
from tts_core.engines.yourtts.speaker_service import SpeakerService
from tts_core.models.cached_model import LoadProgress, ModelLoader
from tts_core.models.catalogue import Catalogue, ModelKind, load_catalogue
from tts_core.models.downloads.existing import CopyPlaces
from tts_core.models.downloads.fetch import HubFetcher
from tts_core.models.downloads.folder_lock import FolderLock
from tts_core.models.downloads.hubs.ordering import hubs
from tts_core.models.downloads.queue import Downloads, task_of
from tts_core.models.downloads.transfer.part_file import PartStore, want_of
from tts_core.models.memory import ModelCache, ModelMemory
from tts_core.models.of_kind import ModelsOfKind
from tts_core.models.status import ModelStatuses
from tts_core.models.store.store import ModelFolders
from tts_core.platform.job import JobKind
from tts_core.platform.jobs import Jobs
from tts_core.platform.paths import Paths, default_data_dir, shared_temporary_dir
from tts_core.platform.settings.studio import Settings
from tts_core.platform.system import SystemInfo
from tts_core.platform.whole_files import check_writable, close_to_others
from tts_core.speech.live import LiveStreams
from tts_core.speech.plan.store import LexiconStore
from tts_core.speech.queue import SpeechQueue
from tts_core.speech.synthesis import Synthesis
from tts_core.speech.takes import Outputs
from tts_core.studio.making.checker import Comparing, TakeChecker
from tts_core.studio.making.studio import ProjectMaking
from tts_core.studio.model import CheckMode
from tts_core.studio.projects import Projects
from tts_core.voices.engine import LibraryEngine
from tts_core.voices.exchange.transfer import VoiceTransfer
from tts_core.voices.finder import VoiceFinder
from tts_core.voices.fingerprints import VoiceFingerprints
from tts_core.voices.folders import VoiceFolders
from tts_core.voices.library import VoiceLibrary
from tts_core.voices.models import VoiceModels
from tts_core.voices.prompts import VoicePrompts
from tts_core.voices.recordings import VoiceRecordings
from tts_core.voices.store import VoiceStore

if TYPE_CHECKING:
    from tts_core.engines.qwen.cloning.speaker_model import SpeakerModel
    from tts_core.engines.qwen.speech_model import QwenModel
    from tts_core.engines.whisper.model import WhisperModel

logger = logging.getLogger(__name__)

FOLDER_ENGINE = "folder"
"""Name of the engine for a folder outside the catalogue."""
ADMIN = "admin"
"""The user whose password the environment may set."""
QWEN_KINDS = (ModelKind.CUSTOM_VOICE, ModelKind.VOICE_DESIGN, ModelKind.BASE)
MODEL_MEMORY_SHARE = 0.8
"""The share of the device's memory that all models together may take, where no setting says otherwise."""


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that all ways in work with. Building it is cheap; `start` begins background work."""

    settings: Settings
    models: ModelStatuses
    jobs: Jobs
    downloads: Downloads
    memory: ModelMemory
    qwen_models: ModelCache[QwenModel]
    whisper_models: ModelCache[WhisperModel]
    store: ModelFolders
    synthesis: Synthesis
    builtin: ByLanguageEngine
    voices: VoiceLibrary
    voice_models: VoiceModels
    transcriber: Transcriber
    conversion: WhisperConversion
    voice_transfer: VoiceTransfer
    voice_check: VoiceCheck
    embedder: SpeakerEmbedder
    yourtts: YourTts
    speaker_service: SpeakerService
    outputs: Outputs
    live: LiveStreams
    lexicon: LexiconStore
    projects: Projects
    making: ProjectMaking
    system: SystemInfo
    login: LoginService
    link: PublicLink
    temporary: TemporaryFiles

    @property
    def finder(self) -> VoiceFinder:
        """The finder of the voice that a request means."""
        return VoiceFinder(self.synthesis, self.voices, self.voice_models)

    def cache_of(self, key: str) -> ModelCache[QwenModel] | ModelCache[WhisperModel]:
        """The models in memory of that model's kind, which speaks or listens. Raises UnknownModelKey."""
        return self.whisper_models if self.models.entry(key).kind is ModelKind.WHISPER else self.qwen_models

    def start(self) -> None:
        """Make private what earlier versions did not, make room among old takes, check the models and take up the
        downloads, all in the background."""
        self._log_problems()
        Thread(target=close_to_others, args=(self.settings.paths.private,), name="make-private", daemon=True).start()
        Thread(target=self.outputs.prune, name="prune-outputs", daemon=True).start()
        Thread(target=self.projects.purge, name="purge-projects", daemon=True).start()
        self.temporary.start()
        self.models.start_background_check()
        unfinished = self.jobs.restore()
        self.downloads.restore(unfinished, resume=self.settings.sources.resume_at_start)
        self.voices.settle(unfinished)
        Thread(
            target=self.making.runner.take_up, args=(self.settings.resume,), name="resume-projects", daemon=True
        ).start()

    def _log_problems(self) -> None:
        if problem := self.settings.preferences_problem:
            logger.warning("%s What can't be used is left out.", problem)
        for sentence in (*self.settings.network.problems, *map(str, self.settings.source_problems)):
            logger.warning("%s", sentence)
        if target := self.store.unfinished_move():
            logger.warning("the models folder's move to %s has not finished: models move %s", target, target)
        self.login.log_problem()
        try:
            check_writable(self.settings.paths.data_dir)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            logger.warning(
                "Nothing can be written to %s (%s). What needs no file works.", self.settings.paths.data_dir, reason
            )

    def check_accounts(self, settings: Settings, *, is_shared: bool = False) -> None:
        """Raises AccountsMissing where everybody has to log in and nobody can; AccountsUnusable there and where people
        come by a public link."""
        if not settings.needs_login and not is_shared:
            return
        if not self.login.has_accounts() and settings.needs_login:
            data_dir = settings.paths.data_dir
            folder = "" if data_dir == default_data_dir() else f' --data-dir "{data_dir}"'
            raise AccountsMissing(host=settings.host, command=f"python -m tts_core users add NAME --role admin{folder}")

    def close(self) -> None:
        """Stop background work, keeping what it has done, and free the engines."""
        self.link.close()
        self.temporary.close()
        self.making.close()
        self.jobs.close()
        self.projects.close()
        self.models.close()
        self.synthesis.close()
        self.memory.close()


def build_services(settings: Settings) -> Services:
    """Raises CatalogueInvalid. Folders are made when something is first put there."""
    paths, limits = settings.paths, settings.limits
    outputs, system = Outputs(paths.outputs_dir, limits), SystemInfo(settings, probe_acceleration)
    catalogue, parts = load_catalogue(settings.catalogue_file), PartStore(paths.parts_dir)
    jobs, memory = Jobs(paths.jobs_file), build_memory(settings, system)
    models = build_statuses(catalogue, paths, jobs, parts)
    fetcher = HubFetcher(models, parts, lambda: CopyPlaces.of(paths, settings.sources, catalogue), settings.sources_now)
    downloads = Downloads(models, jobs, fetcher, FolderLock(paths.parts_dir), paths.downloads_file)
    qwen_models = build_qwen_models(settings, memory, models.folder, models.display_name)
    whisper_models = build_whisper_models(settings, memory, models)
    transcriber = build_transcriber(models, whisper_models, paths.transcription_dir, jobs)
    voice_store, voice_folders = VoiceStore(paths.voices_file), VoiceFolders(paths.voices_dir, paths.data_dir)
    recordings = VoiceRecordings(voice_folders)
    qwen = {kind: catalogue_engines(models, qwen_models, kind) for kind in QWEN_KINDS}
    speakers: dict[str, Engine] = {engine.name: engine for engines in qwen.values() for engine in engines}
    yourtts_engine = YourTtsEngine(yourtts := build_yourtts(settings, memory))
    voice_models = VoiceModels(models, speakers, [YourTtsModel(yourtts, yourtts_engine)])
    prompts = VoicePrompts(voice_folders, recordings, voice_models)
    library = LibraryEngine(voice_store, prompts, voice_models)
    espeak, lexicon = EspeakEngine(), LexiconStore(paths.lexicon_file)
    builtin = ByLanguageEngine(build_hibari(models, memory), espeak)
    engines = build_engines(qwen, (*builtin.engines, build_piper(settings, models, memory), library, yourtts_engine))
    synthesis = Synthesis(engines, SpeechQueue(limits.max_waiting), outputs, limits, lexicon.lexicon)
    fingerprints = VoiceFingerprints(voice_store, voice_folders, voice_models, synthesis)
    projects = Projects(paths.projects_dir, settings.projects, fingerprints, lexicon.lexicon)
    checker = build_checker(transcriber, espeak, lexicon, system)
    login, embedder = build_login(settings), build_embedder(settings, models, memory)
    voices = VoiceLibrary(voice_store, voice_folders, recordings, prompts, voice_models, synthesis, jobs)
    store = ModelFolders(settings, catalogue, models, memory, downloads, lambda: hubs(settings.sources_now()))
    return Services(
        settings=settings,
        models=models,
        jobs=jobs,
        downloads=downloads,
        memory=memory,
        qwen_models=qwen_models,
        whisper_models=whisper_models,
        store=store,
        synthesis=synthesis,
        builtin=builtin,
        voices=voices,
        voice_models=voice_models,
        transcriber=transcriber,
        conversion=build_conversion(models, store, jobs),
        voice_transfer=VoiceTransfer(voices, voice_models, voice_store, voice_folders, recordings, prompts),
        voice_check=VoiceCheck(embedder),
        embedder=embedder,
        yourtts=yourtts,
        speaker_service=SpeakerService(yourtts, synthesis, models, paths.transcription_dir),
        outputs=outputs,
        live=LiveStreams(),
        lexicon=lexicon,
        projects=projects,
        making=ProjectMaking(projects, synthesis, checker, fingerprints, jobs),
        system=system,
        login=login,
        link=PublicLink(settings.share, login, paths.share_certificate_file),
        temporary=build_temporary(paths, jobs, login),
    )


def build_checker(
    transcriber: Transcriber, espeak: EspeakEngine, lexicon: LexiconStore, system: SystemInfo
) -> TakeChecker:
    """Build the check of takes. Its usual extent suits the machine: on a CPU listening takes longer than speaking."""

    def usual() -> CheckMode:
        known = system.acceleration_if_known()
        return CheckMode.ALL if known is not None and known.preferred_device.startswith("cuda") else CheckMode.FLAGGED

    comparing = Comparing(TakeTranscriber(transcriber), compare, espeak.pronounce)
    return TakeChecker(comparing, lexicon.lexicon, usual)


def build_statuses(catalogue: Catalogue, paths: Paths, jobs: Jobs, parts: PartStore) -> ModelStatuses:
    return ModelStatuses(
        catalogue,
        paths.models_dir,
        paths.hash_cache_file,
        task_of=lambda key: task_of(jobs, key),
        part_bytes=lambda entry, file: parts.present_bytes(want_of(file, entry.hf)),
        judge=FolderCheck(),
    )


def build_engines(qwen: Mapping[ModelKind, Sequence[Engine]], others: Sequence[Engine]) -> tuple[Engine, ...]:
    """List all engines, best first: the first voice of the first one that has any speaks where nobody chose another."""
    return (
        *qwen[ModelKind.CUSTOM_VOICE],
        *others,
        # They can't be the voice of somebody who chose none: they must be told how to sound.
        *qwen[ModelKind.VOICE_DESIGN],
        *qwen[ModelKind.BASE],
    )


def build_login(settings: Settings) -> LoginService:
    """Build the log-in: its rule follows from the settings, its accounts are read from the file."""
    rule = LoginRule.ALL if settings.needs_login else LoginRule.NOBODY if settings.auth == "off" else LoginRule.OTHERS
    login = LoginService(AccountsFile(settings.paths.accounts_file), rule)
    if settings.admin_password:
        login.add(ADMIN, settings.admin_password, Role.ADMIN)
    return login


def build_temporary(paths: Paths, jobs: Jobs, login: LoginService) -> TemporaryFiles:
    """Build the pruning of temporary files, which reports to the quotas what is left of guests' files."""
    return TemporaryFiles(places_of(paths, shared_temporary_dir()), jobs.files_in_use, login.quotas.pruned)


def build_memory(settings: Settings, system: SystemInfo) -> ModelMemory:
    """The memory of all models, of whatever kind."""
    return ModelMemory(
        settings.keep_alive_s,
        lambda: settings.model_memory_bytes or int(system.device_memory_bytes() * MODEL_MEMORY_SHARE),
    )


def build_qwen_models(
    settings: Settings, memory: ModelMemory, folder_of: Callable[[str], Path], name_of: Callable[[str], str]
) -> ModelCache[QwenModel]:
    def load(folder: Path, progress: LoadProgress) -> QwenModel:
        return load_model(folder, ModelChoice(settings.device, settings.precision_now(), settings.threads), progress)

    return ModelCache(memory, ModelLoader(QWEN, load, folder_of, weights_bytes, name_of))


def build_whisper_models(settings: Settings, memory: ModelMemory, models: ModelStatuses) -> ModelCache[WhisperModel]:
    def load(folder: Path, progress: LoadProgress) -> WhisperModel:
        return load_transcriber(folder, settings.device, settings.threads, progress)

    return ModelCache(memory, ModelLoader(WHISPER, load, models.folder, whisper_bytes, models.display_name))


def build_transcriber(models: ModelStatuses, cache: ModelCache[WhisperModel], uploads: Path, jobs: Jobs) -> Transcriber:
    transcriber = Transcriber(models, cache, uploads)
    jobs.add_work(JobKind.TRANSCRIPTION, transcriber.do)
    return transcriber


def build_conversion(models: ModelStatuses, store: ModelFolders, jobs: Jobs) -> WhisperConversion:
    conversion = WhisperConversion(models, store)
    jobs.add_work(JobKind.CONVERSION, conversion.do)
    return conversion


def build_piper(settings: Settings, models: ModelStatuses, memory: ModelMemory) -> PiperEngine:
    """Speaks with what lies in the voices' folder and with what was downloaded, in this order."""
    downloaded = ModelsOfKind(models, ModelKind.PIPER).keys()
    own = settings.piper_dir or settings.paths.default_piper_dir
    return PiperEngine(lambda: (own, *map(models.folder, downloaded)), memory)


def build_hibari(models: ModelStatuses, memory: ModelMemory) -> HibariEngine:
    """Speaks with the voice in its package and with those that were downloaded."""

    def downloaded(key: str) -> Path | None:
        published = models.entry(key).files[0]
        file = models.folder(key) / published.path
        return file if file.is_file() and file.stat().st_size == published.size else None

    return HibariEngine(downloaded, memory)


def build_embedder(settings: Settings, models: ModelStatuses, memory: ModelMemory) -> SpeakerEmbedder:
    def load(folder: Path, _progress: LoadProgress) -> SpeakerModel:
        return load_speaker(folder, settings.device, settings.threads)

    loader = ModelLoader(SPEAKER_ENCODER, load, models.folder, lambda _folder: ENCODER_BYTES, models.display_name)
    return SpeakerEmbedder(models, ModelCache(memory, loader))


def folder_synthesis(services: Services, folder: Path) -> Synthesis:
    """Speaks with the one model in that folder, wherever it lies. Raises ModelFolderInvalid."""
    model = model_in(folder)
    cache = build_qwen_models(services.settings, services.memory, lambda _key: folder, lambda _key: model.name)
    engine = QwenEngine(FOLDER_ENGINE, lambda: model, cache)
    limits = services.settings.limits
    return Synthesis((engine,), SpeechQueue(limits.max_waiting), services.outputs, limits)
