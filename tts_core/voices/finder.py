"""Which voice somebody means: by id or by name, a voice of the library also where it can't speak yet and says why."""

from __future__ import annotations

from tts_core.domain.errors import AmbiguousVoice, InvalidRequest, ModelNotLoadable, UnknownVoice
from tts_core.domain.text import plain_name
from tts_core.domain.values import Voice
from tts_core.services import Services
from tts_core.voices.engine import NAME as LIBRARY
from tts_core.voices.record import SavedVoice
from tts_core.voices.rules import spoken_as


def voice_meant(services: Services, wanted: str) -> str:
    """The id of a voice that speaks, by its id, a saved voice's id or a name.

    Raises UnknownVoice, AmbiguousVoice; ModelNotReady, VoiceNotReady for a saved voice that can't speak yet.
    """
    speaking = services.synthesis.voices()
    for voice_id in (wanted, f"{LIBRARY}/{wanted}"):
        if any(voice.id == voice_id for voice in speaking):
            return voice_id
    plain = plain_name(wanted)
    named = [voice for voice in speaking if plain_name(voice.name) == plain]
    if len(named) > 1:
        raise AmbiguousVoice(voice=wanted, choices=", ".join(voice.id for voice in named))
    if named:
        return named[0].id
    return spoken_as(saved_voice(services, wanted), services.models)


def voice_of_request(
    services: Services, model_key: str | None, voice_id: str | None, speaker: str | None
) -> str | None:
    """The id of the voice that model, voice and speaker mean together; None leaves the choice to the studio.

    `voice_id` is the id of a voice that speaks or of a saved one. Raises what `voice_meant` raises, UnknownModelKey,
    ModelNotLoadable.
    """
    if voice_id and speaker:
        raise InvalidRequest(reason="give voice_id or speaker, not both.")
    wanted = voice_id or speaker
    if not wanted and not model_key:
        return None
    speaking = services.synthesis.voices()
    plain = plain_name(speaker) if speaker else None
    found = [
        voice
        for voice in speaking
        if _is_named(voice, voice_id, plain)
        and (not model_key or voice.engine == model_key or (wanted and model_of(services, voice) == model_key))
    ]
    found = [voice for voice in found if voice.engine == model_key] or found  # a preset, whatever saved ones are called
    if speaker and len(found) > 1 and any(voice.engine == LIBRARY for voice in found):
        raise AmbiguousVoice(voice=speaker, choices=", ".join(voice.id for voice in found))
    if found:
        return found[0].id
    if wanted:
        saved = _find_saved(services, wanted, by_name=bool(speaker))
        if saved is not None and model_key in (None, "", LIBRARY, saved.model_key):
            return spoken_as(saved, services.models)
    if model_key and not any(voice.engine == model_key for voice in speaking):
        services.models.entry(model_key)  # raises UnknownModelKey
        raise ModelNotLoadable(key=model_key)
    raise UnknownVoice(voice=wanted)


def model_of(services: Services, voice: Voice) -> str:
    """The key of the model that speaks it; "builtin" for the built-in voice."""
    if voice.engine != LIBRARY:
        return voice.engine
    try:
        return services.voices.voice(voice.id.removeprefix(f"{LIBRARY}/")).model_key
    except UnknownVoice:  # removed meanwhile
        return voice.engine


def _is_named(voice: Voice, voice_id: str | None, plain: str | None) -> bool:
    """`plain`: the plain name that is wanted, where no id is; None for any."""
    if voice_id:
        return voice.id in (voice_id, f"{LIBRARY}/{voice_id}")
    return plain is None or plain_name(voice.name) == plain


def _find_saved(services: Services, wanted: str, *, by_name: bool) -> SavedVoice | None:
    """None for one that is not there, or was deleted. Raises AmbiguousVoice."""
    try:
        return saved_voice(services, wanted, by_name=by_name)
    except UnknownVoice:
        return None


def saved_voice(services: Services, wanted: str, *, by_name: bool = True) -> SavedVoice:
    """One of the library by its id, and where `by_name` allows also by a name that only one voice has.

    Raises UnknownVoice, also for one that was deleted, and AmbiguousVoice.
    """
    voice_id = wanted.removeprefix(f"{LIBRARY}/")
    saved = services.voices.find(voice_id) if by_name else services.voices.voice(voice_id)
    if saved.is_deleted:
        raise UnknownVoice(voice=wanted)
    return saved
