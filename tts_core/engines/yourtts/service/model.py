"""A YourTTS model in memory: loaded by Coqui's Synthesizer from a folder, never from the network."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from TTS.utils.synthesizer import Synthesizer

from tts_core.engines.yourtts.framing import Floats
from tts_core.engines.yourtts.model_folder import open_folder

PAUSE_S = 0.3
"""Silence between sentences at speed 1."""


class LoadedModel:
    def __init__(self, synthesizer: Synthesizer) -> None:
        self._synthesizer = synthesizer
        self._model = synthesizer.tts_model
        self._rate = int(synthesizer.output_sample_rate)
        self._length_scale = float(self._model.length_scale)
        manager = self._model.speaker_manager
        self._speakers = {name.strip(): name for name in reversed(manager.embedding_names)}
        self._speakers |= {name: name for name in manager.embedding_names if name == name.strip()}

    def facts(self) -> dict[str, Any]:
        return {
            "languages": list(self._model.language_manager.name_to_id),
            "speakers": sorted(self._speakers),
            "sample_rate": self._rate,
            "vector_size": int(self._model.args.d_vector_dim),
            "device": str(self._model.device),
        }

    def vector(self, samples: Floats, rate: int) -> Floats:
        """The speaker encoder's vector of a recording, shape (vector_size,)."""
        with tempfile.TemporaryDirectory(prefix="tts-studio-") as folder:
            file = Path(folder) / "reference.wav"
            soundfile.write(file, samples, rate, subtype="FLOAT")
            vector = self._model.speaker_manager.compute_embedding_from_clip(file)
        return np.asarray(vector, np.float32)

    def speak(self, wanted: Mapping[str, Any], vector: Floats) -> Iterator[Floats]:
        """Yield the sentences' sound, mono, each with the pause before it. `vector`: (vector_size,) or empty."""
        speed = float(wanted["speed"])
        if wanted["seed"] is not None:
            torch.manual_seed(int(wanted["seed"]))
        # VITS stretches its own durations: the pitch stays.
        self._model.length_scale = self._length_scale / speed
        pause = np.zeros(round(PAUSE_S / speed * self._rate), np.float32)
        more = {}
        if len(vector):
            more["d_vectors"] = torch.tensor(vector, device=self._model.device).unsqueeze(0)
        speaker = self._speakers.get(str(wanted["speaker"]), next(iter(self._speakers.values())))
        language = str(wanted["language"])
        is_first = True
        for sentence in self._synthesizer.split_into_sentences(str(wanted["text"]), language):
            if not self._is_spelt(sentence, language):
                continue  # nothing of it is in the model's alphabet
            with torch.inference_mode():
                made = self._model.synthesize(sentence, speaker=speaker, language=language, extra_aux_input=more)
            sound = np.asarray(made["wav"], np.float32).reshape(-1)
            yield sound if is_first else np.concatenate([pause, sound])
            is_first = False

    def _is_spelt(self, sentence: str, language: str) -> bool:
        tokenizer = self._model.tokenizer
        blank = tokenizer.characters.blank_id if tokenizer.add_blank else None
        return any(letter != blank for letter in tokenizer.text_to_ids(sentence, language=language))


def load_model(folder: str, *, gpu: bool) -> LoadedModel:
    """Load a model's folder. Coqui reads only tensors from its pickles (`weights_only`); the folder is not changed."""
    found = open_folder(Path(folder))
    with tempfile.TemporaryDirectory(prefix="tts-studio-") as scratch:
        config = Path(scratch) / "config.json"
        config.write_text(json.dumps(found.config()), encoding="utf-8")
        synthesizer = Synthesizer(
            tts_checkpoint=found.checkpoint,
            tts_config_path=config,
            use_cuda=gpu and torch.cuda.is_available(),
        )
    return LoadedModel(synthesizer)
