"""Errors in a request that its caller can mend."""

from __future__ import annotations

from tts_core.domain.errors.base import InvalidRequest


class EmptyText(InvalidRequest):
    code = "empty_text"
    template = "There is no text to speak. Type at least one letter or digit."


class TextTooLong(InvalidRequest):
    code = "text_too_long"
    template = "The text has {length} characters; at most {limit} are spoken at once. Shorten it or split it in parts."


class InvalidValue(InvalidRequest):
    code = "invalid_value"
    template = "{name} must lie between {low} and {high}."


class UnknownLanguage(InvalidRequest):
    code = "unknown_language"
    template = "This voice does not speak {language!r}. Choose Auto or one of the voice's languages."


class UnsupportedFormat(InvalidRequest):
    code = "unsupported_format"
    template = "Audio can't be written as {format!r}. Choose one of: {choices}."


class InstructNotSupported(InvalidRequest):
    code = "instruct_not_supported"
    template = (
        "The voice {voice!r} does not follow style instructions. Leave the instruction empty or choose another voice."
    )


class InstructRequired(InvalidRequest):
    code = "instruct_required"
    template = "The voice {voice!r} is made from a description. Say in the instruction how it should sound."


class SpeedNotSupported(InvalidRequest):
    code = "speed_not_supported"
    template = "The voice {voice!r} speaks at its own speed. Leave the speed at 1 or choose another voice."


class CloneNotSupported(InvalidRequest):
    code = "clone_not_supported"
    template = "The voice {voice!r} can't imitate a recording. Choose a Base model."


class ReferenceRequired(InvalidRequest):
    code = "reference_required"
    template = "The voice {voice!r} imitates a recording. Give one, with its transcript for the closest likeness."


class TranscriptMissing(InvalidRequest):
    code = "transcript_missing"
    template = "What is said in the recording is not known. Type it, have it transcribed, or take over the timbre only."


class UnknownSpokenLanguage(InvalidRequest):
    code = "unknown_spoken_language"
    template = "{model} does not understand the language {language!r}. Choose Auto to let it find out the language."


class AmbiguousVoice(InvalidRequest):
    code = "ambiguous_voice"
    template = "Several voices are called {voice!r}. Name one by its id: {choices}."


class AudioUnreadable(InvalidRequest):
    code = "audio_unreadable"
    template = "The recording {path} can't be read: {reason}. Choose a WAV, FLAC, MP3, OGG, M4A or WebM file."


class RecordingWithoutSound(AudioUnreadable):
    code = "recording_without_sound"
    template = "{path} is a film without sound. Choose a recording, or a film in which somebody speaks."


class RecordingSilent(InvalidRequest):
    code = "recording_silent"
    template = "No speech is heard in the recording. Check the microphone and record again."


class RecordingTooLong(InvalidRequest):
    code = "recording_too_long"
    template = "The recording is longer than {limit_s} seconds. Cut it to the part that is needed."


class CodesUnreadable(InvalidRequest):
    code = "codes_unreadable"
    template = "The codes in {path} can't be used: {reason}. Choose a file that `codec encode` or --codes wrote."


class VoicePromptInvalid(InvalidRequest):
    code = "voice_prompt_invalid"
    template = "The prepared voice {path} can't be used: {reason}. Prepare the voice again."


class PrecisionNotSupported(InvalidRequest):
    code = "precision_not_supported"
    template = "Models can't compute in {precision} here. Choose one of: {choices}."


class DeviceUnavailable(InvalidRequest):
    code = "device_unavailable"
    template = "The device {device!r} can't be used: {reason}. Choose auto or cpu."


class OutputExists(InvalidRequest):
    code = "out_exists"
    template = "{path} exists and is not replaced. Choose another name or add --force."


class OutputUnwritable(InvalidRequest):
    code = "out_unwritable"
    template = "{path} can't be written: {reason}"


class UnknownProvider(InvalidRequest):
    """The code names two hubs only: it is older than the mirror, and clients know it."""

    code = "provider_must_be_hf_or_modelscope"
    template = "Models don't come from {provider!r}. Choose one of: {choices}."
