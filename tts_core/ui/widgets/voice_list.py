"""Every voice that a picker offers, as data for assets/scripts/voice_picker.js: those that speak, and those that could
with the reason why they don't yet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from tts_core.domain.errors import ModelNotReady, StudioError
from tts_core.domain.languages import short_code
from tts_core.domain.sample_texts import SAMPLE_TEXTS
from tts_core.domain.values import AUTO_LANGUAGE, Capabilities, Language, Voice
from tts_core.engines.builtin.engine import NAME as BUILTIN
from tts_core.engines.hibari.voices import NAME as HIBARI, VOICES as HIBARI_VOICES
from tts_core.engines.piper.engine import NAME as PIPER
from tts_core.engines.yourtts.engine import NAME as YOURTTS
from tts_core.models.catalogue import ModelEntry, ModelKind
from tts_core.models.files.piper_voices import language_code
from tts_core.models.speakers import PublishedSpeaker, preset_speakers, speaker_title
from tts_core.models.status import ModelState, ModelStatus
from tts_core.services import Services
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.voice_choices import COMMON_LANGUAGES, speaking_voices
from tts_core.ui.words import Words
from tts_core.voices.engine import NAME as LIBRARY
from tts_core.voices.public import public_voice
from tts_core.voices.record import SavedVoice, VoiceStatus

PREPARE = "prepare"
"""The act that makes a saved voice ready; the other one leads to the Models tab."""
_GENDER = re.compile(r"\b(?:(female|woman|girl)|(male|man|boy))\b", re.IGNORECASE)
_ON_ITS_WAY = (ModelState.DOWNLOADING, ModelState.WAITING)


@dataclass(frozen=True, slots=True)
class VoiceCard:
    """A voice as the picker shows it."""

    id: str
    name: str
    line: str
    """The voice's character in one line."""
    group: str
    """The key of the model or engine that speaks it; LIBRARY for saved voices."""
    languages: tuple[str, ...]
    """The short codes of the languages that it speaks."""
    language: str = ""
    """The short code of its own language; "" where it has none of its own."""
    gender: str = ""
    is_favourite: bool = False
    version: str = ""
    """A text that changes when the voice sounds different."""
    reason: str = ""
    """The reason why it can't speak yet; "" for a voice that can."""
    act: str = ""
    """The act that makes it ready: PREPARE, the id of a tab, or "" where there is none."""


def character(words: Words, voice: Voice) -> str:
    """The character of a voice that can speak, in one line. Descriptions are written in English; pages in other
    languages have lines of their own."""
    parts = (words("picker.saved") if voice.engine == LIBRARY else _own_line(words, voice), words.engine(voice))
    return " · ".join(dict.fromkeys(part for part in parts if part))


def _own_line(words: Words, voice: Voice) -> str:
    if speaker := _preset_of(voice):
        return speaker.about[words.language]
    described = voice.description if words.language == "en" else ""
    return words.get(f"voice_line.{voice.id}", described)


def _preset_of(voice: Voice) -> PublishedSpeaker | None:
    """The described speaker that a voice is; None for voices of other kinds and for speakers of somebody's own."""
    name = voice.id.rpartition("/")[2]
    return None if voice.engine in (LIBRARY, BUILTIN, HIBARI, PIPER, YOURTTS) else preset_speakers().get(name)


def voice_list(services: Services, words: Words) -> dict[str, Any]:
    """The whole list: groups in their order, each with its voices, the languages to filter by, and the sentences that
    voices introduce themselves with."""
    return _Lister(services, words).listed()


class _Lister:
    def __init__(self, services: Services, words: Words) -> None:
        self._services = services
        self._words = words
        self._known: dict[str, Capabilities] = {}
        entries = map(services.models.entry, services.models.keys())
        self._genders = {one.id: one.gender for one in HIBARI_VOICES} | {
            f"{PIPER}/{_piper_name(entry).lower()}": entry.gender for entry in entries if entry.kind is ModelKind.PIPER
        }
        self._problems: dict[str, StudioError | None] = {}
        """The problems of saved voices' models: each is looked up once, however many voices it has."""
        self._names: dict[str, Language] = {}
        """The languages by short code, as the engine that speaks most of them names them."""
        self._spoken(services.builtin.capabilities().languages)

    def listed(self) -> dict[str, Any]:
        speaking = speaking_voices(self._services)
        ids = {voice.id for voice in speaking}
        saved = list(self._saved({voice.id: voice for voice in speaking}))
        others = [self._speaking(voice) for voice in speaking if voice.engine != LIBRARY]
        cards = [*saved, *others, *(card for card in self._to_come() if card.id not in ids)]
        groups: dict[str, list[VoiceCard]] = {}
        for card in cards:
            groups.setdefault(card.group, []).append(card)
        return {
            "groups": [
                {"key": key, "name": self._group_name(key), "voices": [_data(card) for card in found]}
                for key, found in groups.items()
            ],
            "languages": self._languages(cards),
            "samples": dict(SAMPLE_TEXTS),
        }

    def _speaking(self, voice: Voice) -> VoiceCard:
        languages = self._spoken(self._capabilities(voice).languages)
        return VoiceCard(
            voice.id,
            self._words.voice(voice),
            self._line(voice, languages),
            voice.engine,
            languages,
            language=self._mother_tongue(voice, languages),
            gender=self._gender_of(voice),
        )

    def _saved(self, speaking: dict[str, Voice]) -> Iterator[VoiceCard]:
        """The saved voices, those that can't speak too."""
        for voice in self._services.voices.voices():
            shown = public_voice(voice)
            reason, act = ("", "") if f"{LIBRARY}/{voice.id}" in speaking else self._why_not(voice)
            own = self._spoken([Language(shown.language, shown.language.title())])
            model = "" if self._words.is_for_guests else self._model_name(voice.model_key)
            parts = (self._words(f"voice_kind.{shown.kind.value}"), model, *map(self._language_name, own))
            yield VoiceCard(
                f"{LIBRARY}/{shown.id}",
                shown.name,
                " · ".join(part for part in parts if part),
                LIBRARY,
                own or self._spoken(self._model_languages(voice.model_key)),
                language=own[0] if own else "",
                is_favourite=voice.is_favourite and not self._words.is_for_guests,
                version="" if self._words.is_for_guests else voice.updated_at,
                reason=reason,
                act=act,
            )

    def _why_not(self, voice: SavedVoice) -> tuple[str, str]:
        """The reason why a saved voice can't speak, and the act that changes it. Guests see no more than that."""
        if self._words.is_for_guests:
            return self._words("voice_state.unprepared"), ""
        if voice.model_key not in self._problems:
            self._problems[voice.model_key] = self._problem_of(voice.model_key)
        problem = self._problems[voice.model_key]
        if isinstance(problem, ModelNotReady):
            return self._words("voice_state.model_missing"), self._for_owner("tab-models")
        if problem is not None:
            return self._words.error(problem), ""
        if voice.status is VoiceStatus.CLONING:
            return self._words("voice_state.preparing"), ""
        state = "failed" if voice.status is VoiceStatus.FAILED else "unprepared"
        return self._words(f"voice_state.{state}"), self._for_owner(PREPARE)

    def _problem_of(self, key: str) -> StudioError | None:
        """The reason why a model can't speak, an unknown one included; None for one that can."""
        try:
            return self._services.voice_models.model(key).problem()
        except StudioError as error:
            return error

    def _to_come(self) -> Iterator[VoiceCard]:
        """The preset voices of models that can't speak here yet."""
        for status in self._services.models.statuses():
            kind = status.entry.kind
            if kind is ModelKind.CUSTOM_VOICE and not status.valid:
                yield from self._speakers(status)
            elif kind is ModelKind.HIBARI:
                yield from self._hibari(status)
            elif kind is ModelKind.PIPER:
                yield self._piper(status)

    def _speakers(self, status: ModelStatus) -> Iterator[VoiceCard]:
        can = self._services.models.capabilities(status.key)
        for speaker in can.speakers:
            voice = Voice(f"{status.key}/{speaker.lower()}", speaker_title(speaker), status.key)
            yield self._unready(status, voice, can.languages)

    def _hibari(self, status: ModelStatus) -> Iterator[VoiceCard]:
        for found in HIBARI_VOICES:
            if found.model_key == status.key:
                voice = Voice(found.id, found.name, HIBARI, f"{found.language.name}, {found.gender}")
                yield self._unready(status, voice, (found.language,))

    def _piper(self, status: ModelStatus) -> VoiceCard:
        name = _piper_name(status.entry)
        code = language_code(name)
        languages = (Language(code, code.title()),) if code else ()
        label = status.entry.display_name.removeprefix("Piper ").partition(" (")[0]
        return self._unready(status, Voice(f"{PIPER}/{name.lower()}", label, PIPER), languages)

    def _unready(self, status: ModelStatus, voice: Voice, languages: Iterable[Language]) -> VoiceCard:
        spoken = self._spoken(languages)
        return VoiceCard(
            voice.id,
            self._words.voice(voice),
            self._line(voice, spoken),
            voice.engine,
            spoken,
            language=self._mother_tongue(voice, spoken),
            gender=self._gender_of(voice),
            reason=self._missing(status),
            act=self._for_owner("tab-models"),
        )

    def _line(self, voice: Voice, languages: tuple[str, ...]) -> str:
        """The line about a voice below the name of its group; its languages for one that nothing is known about."""
        own = _own_line(self._words, voice)
        tongue = self._mother_tongue(voice, languages)
        parts = [self._language_name(tongue)] if tongue and (_preset_of(voice) or not own) else []
        if own and own != self._group_name(voice.engine):
            parts.append(own)
        return " · ".join(parts) or self._words("picker.languages", {"count": len(languages)})

    def _mother_tongue(self, voice: Voice, languages: tuple[str, ...]) -> str:
        """The short code of the language that a voice speaks best; "" where it has none of its own."""
        if speaker := _preset_of(voice):
            return self._spoken([Language(speaker.language, speaker.language.title())])[0]
        return languages[0] if len(languages) == 1 else ""

    def _gender_of(self, voice: Voice) -> str:
        """The gender that a voice is known or described to have; "" for none."""
        if speaker := _preset_of(voice):
            return speaker.gender
        if known := self._genders.get(voice.id):
            return known
        found = _GENDER.search(voice.description)
        return "" if found is None else "female" if found[1] else "male"

    def _missing(self, status: ModelStatus) -> str:
        """The reason why a model does not speak."""
        if status.valid:
            return self._words("picker.package_missing", {"model": status.entry.display_name})
        if status.state in _ON_ITS_WAY:
            percent = round(100 * status.bytes_done / status.bytes_total) if status.bytes_total else 0
            return self._words("picker.on_its_way", {"percent": percent})
        if status.state is ModelState.NOT_DOWNLOADED:
            return self._words("picker.not_downloaded", {"size": fragments.size(status.bytes_total)})
        return self._words("picker.damaged" if status.state is ModelState.ERROR else "picker.incomplete")

    def _for_owner(self, act: str) -> str:
        """The act, but for guests, who may do none of them."""
        return "" if self._words.is_for_guests else act

    def _capabilities(self, voice: Voice) -> Capabilities:
        """The voice's abilities. Where an engine's voices speak different languages, those of one file speak the
        same."""
        place = (
            voice.id.rsplit("/", 1)[0] if voice.id.count("/") > 1 or voice.engine not in (PIPER, HIBARI) else voice.id
        )
        if place not in self._known:
            self._known[place] = self._services.synthesis.capabilities(voice.id)
        return self._known[place]

    def _model_languages(self, key: str) -> tuple[Language, ...]:
        try:
            return self._services.voice_models.model(key).capabilities().languages
        except StudioError:  # a model that only another catalogue knows
            return ()

    def _model_name(self, key: str) -> str:
        try:
            return self._words.model(self._services.voice_models.model(key).name)
        except StudioError:
            return key

    def _spoken(self, languages: Iterable[Language]) -> tuple[str, ...]:
        """The short codes of languages, each once; their names are kept for the filter."""
        codes: dict[str, None] = {}
        for language in languages:
            if language.code.casefold() != AUTO_LANGUAGE:
                code = _short(language)
                codes[code] = None
                self._names.setdefault(code, language)
        return tuple(codes)

    def _language_name(self, code: str) -> str:
        """The name of a language; that of a widely spoken one without its region."""
        language = self._names[code]
        name = self._words.get(f"language.{language.code.lower()}", language.name)
        return re.split(r" ?[(（]", name)[0] if code in _WITHOUT_REGION else name

    def _languages(self, cards: Iterable[VoiceCard]) -> list[list[str]]:
        """The [code, name, English name] of each language that some voice speaks, the widely spoken ones first."""
        spoken = {code for card in cards for code in card.languages}
        first = [code for code in _COMMON if code in spoken]
        others = sorted(spoken - {*first}, key=self._language_name)
        return [[code, self._language_name(code), self._names[code].name] for code in (*first, *others)]

    def _group_name(self, key: str) -> str:
        if key == LIBRARY:
            return self._words("picker.saved_group")
        name = self._words.get(f"picker.group.{key}", "")
        return name or self._model_name(key)


def _short(language: Language) -> str:
    """The short code of a language, also of one that is written in another script: "cmn-latn-pinyin" -> "zh"."""
    code = short_code(language)
    return short_code(Language(code, code))


_COMMON = tuple(dict.fromkeys(_short(Language(code, code)) for code in COMMON_LANGUAGES))
_WITHOUT_REGION = frozenset(_COMMON) - {"yue"}


def _data(card: VoiceCard) -> dict[str, Any]:
    """A card as JSON; what is empty is left out, for there may be thousands."""
    data = {
        "id": card.id,
        "name": card.name,
        "line": card.line,
        "languages": list(card.languages),
        "language": card.language,
        "gender": card.gender,
        "favourite": card.is_favourite,
        "version": card.version,
        "reason": card.reason,
        "act": card.act,
    }
    return {name: value for name, value in data.items() if value}


def _piper_name(entry: ModelEntry) -> str:
    """The name of the voice's file without its ending."""
    return PurePosixPath(next(path for path in entry.inference_files if path.endswith(".onnx"))).stem
