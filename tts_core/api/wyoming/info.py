"""The answer to `describe`: the voices that can speak now and the models that can listen."""

from __future__ import annotations

from wyoming.info import AsrModel, AsrProgram, Attribution, Info, TtsProgram, TtsVoice

import tts_core
from tts_core.domain.languages import short_code
from tts_core.domain.values import AUTO_LANGUAGE, Capabilities, Voice
from tts_core.engines.whisper.languages import LANGUAGES
from tts_core.services import Services

NAME, TITLE = "tts-studio", "TTS Studio"
_MAKER = Attribution(name=TITLE, url="https://github.com/QwenLM/Qwen3-TTS")
_ENGLISH_ONLY = ".en"


def describe(services: Services) -> Info:
    voices, models = [_voice(voice, can) for voice, can in plain_voices(services)], _models(services)
    speaking = TtsProgram(
        name=NAME,
        description=TITLE,
        attribution=_MAKER,
        installed=True,
        version=tts_core.__version__,
        voices=voices,
        supports_synthesize_streaming=True,
    )
    listening = AsrProgram(
        name=NAME,
        description=f"{TITLE}: Whisper",
        attribution=_MAKER,
        installed=True,
        version=tts_core.__version__,
        models=models,
    )
    return Info(tts=[speaking], asr=[listening] if models else [])


def plain_voices(services: Services) -> list[tuple[Voice, Capabilities]]:
    """The voices that need neither a recording nor a description to speak, best first."""
    found = [(voice, services.synthesis.capabilities(voice.id)) for voice in services.synthesis.voices()]
    return [(voice, can) for voice, can in found if not (can.can_clone or can.can_design)]


def language_codes(can: Capabilities) -> list[str]:
    codes = (short_code(language) for language in can.languages if language.code != AUTO_LANGUAGE)
    return list(dict.fromkeys(codes))


def _voice(voice: Voice, can: Capabilities) -> TtsVoice:
    return TtsVoice(
        name=voice.id,
        description=voice.name,
        attribution=Attribution(name=voice.engine, url=""),
        installed=True,
        version=None,
        languages=language_codes(can),
    )


def _models(services: Services) -> list[AsrModel]:
    return [
        AsrModel(
            name=status.key,
            description=status.entry.display_name,
            attribution=Attribution(name="Whisper", url="https://github.com/openai/whisper"),
            installed=True,
            version=None,
            languages=["en"] if status.key.endswith(_ENGLISH_ONLY) else list(LANGUAGES),
        )
        for status in services.transcriber.ready()
    ]
