"""The facts in a model's config.json: its kind, size, languages and preset speakers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tts_core.models.catalogue import ModelEntry, ModelKind

PUBLISHED_LANGUAGES = (
    "chinese",
    "english",
    "german",
    "italian",
    "portuguese",
    "spanish",
    "japanese",
    "korean",
    "french",
    "russian",
)
PUBLISHED_SPEAKERS = ("serena", "vivian", "uncle_fu", "ryan", "aiden", "ono_anna", "sohee", "eric", "dylan")
"""The preset speakers of the custom voice models; the others have none."""

_MAX_CONFIG_BYTES = 4_000_000
_SPEAKING_MODEL = "qwen3_tts"
_TOKENIZER_MODEL = "qwen3_tts_tokenizer_12hz"
_WHISPER_MODEL = "whisper"
_SIZE_NAMES = {"0b6": "0.6B", "1b7": "1.7B"}
_WHISPER_SIZES = {
    (384, 4): "tiny",
    (512, 6): "base",
    (768, 12): "small",
    (1024, 24): "medium",
    (1280, 32): "large",
    (1280, 4): "large-v3-turbo",
}
"""Whisper's sizes by width and the number of the decoder's layers; other models have no size name."""
_WHISPER_HEADS = {
    (8, (1, 0)): "tiny",
    (6, (2, 2)): "tiny",
    (5, (3, 3)): "base",
    (8, (3, 1)): "base",
    (19, (6, 6)): "small",
    (10, (5, 3)): "small",
    (18, (11, 4)): "medium",
    (6, (13, 15)): "medium",
    (9, (9, 19)): "large",
    (23, (10, 12)): "large",
    (10, (7, 0)): "large",
    (6, (2, 4)): "large-v3-turbo",
}
"""Whisper's sizes by number and first of the heads that time words: all that CTranslate2's config.json says of it."""
_CTRANSLATE2_WHISPER = frozenset({"suppress_ids", "suppress_ids_begin"})
"""The fields of a Whisper model's config.json in CTranslate2's form, which names no type."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    kind: ModelKind | None
    """The kind of model; None if the studio can't run it as it is."""
    size: str
    """The size as in the catalogue, "" if the file does not say."""
    obeys_instruct: bool
    """Whether style instructions reach the model: voice design, and custom voice except its 0.6B size."""
    label: str
    """The size and kind in the file's own words, for people."""
    languages: tuple[str, ...] = ()
    """The languages' codes without "auto" and without dialects; empty if the file lists none."""
    speakers: tuple[str, ...] = ()
    converts_to: ModelKind | None = None
    """The kind of model that it becomes by conversion; None if there is no need or no way."""

    def fits(self, entry: ModelEntry) -> bool:
        """Whether such a model may lie in this entry's folder: same kind, and no other size."""
        return self.kind is entry.kind and (not self.size or not entry.size or self.size == entry.size)


def parse_config(text: str | bytes) -> ModelConfig | None:
    """The facts of a config's text; None unless it is a JSON object of a known form."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    if data.keys() >= _CTRANSLATE2_WHISPER:
        size = _size_by_heads(data.get("alignment_heads"))
        label = f"{size} {ModelKind.WHISPER.value}".strip()
        return ModelConfig(ModelKind.WHISPER, size, obeys_instruct=False, label=label)
    if not isinstance(data.get("model_type"), str):
        return None
    model_type = data["model_type"]
    voice_type = str(data.get("tts_model_type"))
    kinds = {kind.value: kind for kind in ModelKind if kind.speaks}
    kind: ModelKind | None = None
    label = model_type
    if model_type == _TOKENIZER_MODEL:
        kind, label = ModelKind.TOKENIZER, ModelKind.TOKENIZER.value
    elif model_type == _SPEAKING_MODEL:
        kind, label = kinds.get(voice_type), voice_type
    elif model_type == _WHISPER_MODEL:
        size = _size_by_shape(data)
        label = f"{size} {label}".strip()
        return ModelConfig(None, size, obeys_instruct=False, label=label, converts_to=ModelKind.WHISPER)
    size_name = str(data.get("tts_model_size"))
    size = _SIZE_NAMES.get(size_name, "")
    talker = _mapping(data.get("talker_config"))
    languages = [name.lower() for name in _mapping(talker.get("codec_language_id"))]
    return ModelConfig(
        kind=kind,
        size=size,
        obeys_instruct=kind is ModelKind.VOICE_DESIGN or (kind is ModelKind.CUSTOM_VOICE and size_name != "0b6"),
        label=f"{size} {label}".strip(),
        languages=tuple(name for name in languages if not name.endswith("_dialect")),
        speakers=tuple(_mapping(talker.get("spk_id"))),
    )


def read_config(file: Path) -> ModelConfig | None:
    """The facts of a config file; None if it is missing, unreadable or no model's config."""
    try:
        if not file.is_file():  # opening a pipe would wait for ever
            return None
        with file.open("rb") as stream:
            return parse_config(stream.read(_MAX_CONFIG_BYTES))
    except OSError:
        return None


def expected_label(entry: ModelEntry) -> str:
    return f"{entry.size} {entry.kind.value}".strip()


def _size_by_heads(heads: object) -> str:
    match heads:
        case [[int(layer), int(head)], *_]:
            return _WHISPER_HEADS.get((len(heads), (layer, head)), "")
    return ""


def _size_by_shape(data: Mapping[str, object]) -> str:
    width, layers = data.get("d_model"), data.get("decoder_layers")
    return _WHISPER_SIZES.get((width, layers), "") if isinstance(width, int) and isinstance(layers, int) else ""


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
