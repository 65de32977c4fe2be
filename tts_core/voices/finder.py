"""Finding the voice that a request means, by id or by name. A saved voice is found even if it can't speak yet; the
error then says why."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from tts_core.domain.errors import MisnamedVoice, UnknownVoice
from tts_core.domain.text import nearest_names, plain_name
from tts_core.domain.values import Voice
from tts_core.speech.synthesis import Synthesis
from tts_core.voices.engine import NAME as LIBRARY
from tts_core.voices.faults import AmbiguousVoice, ModelNotLoadable
from tts_core.voices.library import VoiceLibrary
from tts_core.voices.models import VoiceModels
from tts_core.voices.record import SavedVoice, VoiceKind
from tts_core.voices.rules import spoken_as


class VoiceFinder:
    """The one place that knows what a voice is called. It keeps nothing: every call looks at the present voices."""

    def __init__(self, synthesis: Synthesis, library: VoiceLibrary, models: VoiceModels) -> None:
        self._synthesis = synthesis
        self._library = library
        self._models = models

    def find(self, *, voice_id: str | None = None, name: str | None = None, model: str | None = None) -> str | None:
        """The id of the voice with that `voice_id`, or with that `name` or id; None where nothing was asked for.

        A saved voice is known by its own id, too. Only a voice that the model with the key `model` speaks is found
        where one is given. Of several preset voices with one name the best model's is meant; a role that was named as
        a preset voice is known by its id.

        Raises UnknownVoice, UnknownModelKey, ModelNotLoadable, AmbiguousVoice where a saved voice shares its name, and
        ModelNotReady or VoiceNotReady for a saved voice that can't speak yet.
        """
        wanted = voice_id or name
        if not wanted and not model:
            return None
        speaking = self._synthesis.voices()
        found = [
            voice
            for voice in (_called(speaking, wanted, by_name=bool(name)) if wanted else speaking)
            if model in (None, "", voice.engine) or (wanted and self.model_of(voice) == model)
        ]
        found = [voice for voice in found if voice.engine == model] or found  # a preset, whatever saved ones are called
        if name and any(voice.engine != LIBRARY for voice in found):
            found = [voice for voice in found if not self._is_role(voice)]
        if name and len(found) > 1 and any(voice.engine == LIBRARY for voice in found):
            raise AmbiguousVoice(voice=name, choices=", ".join(voice.id for voice in found))
        if found:
            return found[0].id
        if wanted:
            with suppress(UnknownVoice):
                saved = self.saved(wanted) if name else self._kept(wanted)
                if model in (None, "", LIBRARY, saved.model_key):
                    return spoken_as(saved, self._models)
        if model and not any(voice.engine == model for voice in speaking):
            self._models.model(model)  # raises UnknownModelKey
            raise ModelNotLoadable(key=model)
        raise _misnamed(wanted or "", (part for voice in speaking for part in (voice.id, voice.name)))

    def saved(self, id_or_name: str, *, or_deleted: bool = False) -> SavedVoice:
        """The saved voice with that id, else the only one with that name, whether it can speak or not.

        A deleted voice is known by its id alone, and only with `or_deleted`. Raises UnknownVoice, AmbiguousVoice.
        """
        with suppress(UnknownVoice):
            return self._kept(id_or_name, or_deleted=or_deleted)
        plain = plain_name(id_or_name)
        named = [voice for voice in self._library.voices() if plain_name(voice.name) == plain]
        if len(named) > 1:
            raise AmbiguousVoice(voice=id_or_name, choices=", ".join(voice.id for voice in named))
        if not named:
            raise _misnamed(id_or_name, (voice.name for voice in self._library.voices()))
        return named[0]

    def model_of(self, voice: Voice) -> str:
        """The key of the model that speaks the voice; "builtin" for the built-in one."""
        if voice.engine != LIBRARY:
            return voice.engine
        try:
            return self._kept(voice.id, or_deleted=True).model_key
        except UnknownVoice:  # removed meanwhile
            return voice.engine

    def _is_role(self, voice: Voice) -> bool:
        with suppress(UnknownVoice):  # removed meanwhile
            return voice.engine == LIBRARY and self._kept(voice.id).kind is VoiceKind.CUSTOM_ROLE
        return False

    def _kept(self, voice_id: str, *, or_deleted: bool = False) -> SavedVoice:
        saved = self._library.voice(voice_id.removeprefix(f"{LIBRARY}/"))
        if saved.is_deleted and not or_deleted:
            raise UnknownVoice(voice=voice_id)
        return saved


def _misnamed(wanted: str, known: Iterable[str]) -> UnknownVoice:
    nearest = nearest_names(wanted, known)
    return MisnamedVoice(voice=wanted, nearest=", ".join(nearest)) if nearest else UnknownVoice(voice=wanted)


def _called(voices: tuple[Voice, ...], wanted: str, *, by_name: bool) -> tuple[Voice, ...]:
    """The voices with that id in any case, else, where `by_name`, those with that name."""
    ids = (wanted, f"{LIBRARY}/{wanted}")
    small = tuple(map(str.casefold, ids))
    exact = tuple(voice for voice in voices if voice.id in ids)
    by_id = exact or tuple(voice for voice in voices if voice.id.casefold() in small)
    if by_id or not by_name:
        return by_id
    plain = plain_name(wanted)
    return tuple(voice for voice in voices if plain_name(voice.name) == plain)
