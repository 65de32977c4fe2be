"""Rules for saved voices: the values of their fields, and when they can speak."""

from __future__ import annotations

import json

from tts_core.domain.errors import CloneNotSupported, InvalidRequest, InvalidValue, UnknownLanguage, UnknownVoice
from tts_core.domain.languages import find_language
from tts_core.domain.text import find_name
from tts_core.voices.engine import NAME as LIBRARY
from tts_core.voices.faults import VoiceNotReady
from tts_core.voices.models import VoiceModels
from tts_core.voices.record import SavedVoice, VoiceKind, VoiceStatus, to_json

MAX_NAME, MAX_TEXT = 100, 2000
"""The most characters of a name, and of a text."""


def check_record(voice: SavedVoice, models: VoiceModels) -> None:
    """Check the fields of a record. Raises InvalidValue, InvalidRequest, UnknownModelKey."""
    if not 0 < len(voice.name.strip()) <= MAX_NAME or not voice.name.isprintable():
        raise InvalidValue(name="The length of the voice's name", low=1, high=MAX_NAME)
    texts = (voice.ref_text, voice.instruct, voice.language, voice.speaker, voice.notes, *voice.tags)
    if max(map(len, texts)) > MAX_TEXT:
        raise InvalidValue(name="The length of transcript and instruction", low=0, high=MAX_TEXT)
    try:
        json.dumps(to_json(voice), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(reason="a text holds half a character, which can't be kept.") from error
    models.model(voice.model_key)


def check_abilities(voice: SavedVoice, models: VoiceModels) -> None:
    """Check that the voice's model can do what the voice needs. Raises CloneNotSupported, UnknownVoice,
    UnknownLanguage."""
    can = models.model(voice.model_key).capabilities()
    is_role = voice.kind is VoiceKind.CUSTOM_ROLE
    if not is_role and not can.can_clone:
        raise CloneNotSupported(voice=voice.model_key)
    if is_role and find_name(voice.speaker, can.speakers) is None:
        raise UnknownVoice(voice=f"{voice.model_key}/{voice.speaker}")
    if find_language(voice.language, can.languages) is None:
        raise UnknownLanguage(language=voice.language)


def spoken_as(voice: SavedVoice, models: VoiceModels) -> str:
    """The saved voice's id among all voices that can speak. Raises ModelNotReady, VoiceNotReady."""
    models.ready(voice.model_key)
    if voice.status is not VoiceStatus.READY:
        raise VoiceNotReady(voice=voice.name)
    return f"{LIBRARY}/{voice.id}"
