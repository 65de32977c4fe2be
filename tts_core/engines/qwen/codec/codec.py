"""The speech tokenizer as one thing: sound to codes and back. Works with a model's folder or the tokenizer's own."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt
import torch

from tts_core.audio.files import resample
from tts_core.domain.events import Codes, Samples
from tts_core.engines.faults import CodesUnreadable
from tts_core.engines.qwen.codec.decoder import CodecDecoder
from tts_core.engines.qwen.codec.encoder import CodecEncoder
from tts_core.engines.qwen.codec.recording import mono
from tts_core.engines.qwen.talker.config import (
    CONFIG_FILE,
    SPEECH_TOKENIZER_FOLDER,
    WEIGHTS_FILE,
    SpeechTokenizerConfig,
    read_speech_tokenizer_config,
)
from tts_core.engines.qwen.talker.weights import Placement
from tts_core.models.cached_model import LoadProgress


class Codec:
    """The speech tokenizer. It computes in float32 whatever the talker does: it is small, and people hear its sound.

    The decoder may have another type, see `placing.codec_dtype`.
    """

    def __init__(
        self, folder: Path, config: SpeechTokenizerConfig, decoder: CodecDecoder, device: torch.device
    ) -> None:
        self.config = config
        self.decoder = decoder
        self.device = device
        self._file = folder / WEIGHTS_FILE
        self._encoder: CodecEncoder | None = None
        self._lock = Lock()

    @classmethod
    def load(
        cls,
        folder: Path,
        device: torch.device,
        *,
        dtype: torch.dtype = torch.float32,
        progress: LoadProgress | None = None,
    ) -> Codec:
        """Read the codec. `folder` is a model's `speech_tokenizer`, `dtype` the decoder's.

        Raises a ModelFolderInvalid that names the file.
        """
        config = read_speech_tokenizer_config(folder)
        decoder = CodecDecoder.load(folder / WEIGHTS_FILE, config, Placement(device, dtype), progress=progress)
        return cls(folder, config, decoder, device)

    @property
    def sample_rate(self) -> int:
        """Hertz of what `decode` gives."""
        return self.config.output_sample_rate

    def encoder(self) -> CodecEncoder:
        """The encoder, loaded when it is first asked for."""
        with self._lock:
            if self._encoder is None:
                self._encoder = CodecEncoder.load(self._file, self.config, self.device)
            return self._encoder

    def encode(self, samples: npt.NDArray[np.floating], sample_rate: int) -> Codes:
        """The codes (frames, 16) of a recording [N] or [N, channels] at any rate. Raises InvalidRequest."""
        encoder = self.encoder()
        sound = resample(mono(samples, sample_rate), sample_rate, encoder.sample_rate)
        codes: Codes = encoder.encode(torch.from_numpy(sound)).cpu().numpy().astype(np.int64)
        return codes

    def decode(self, codes: npt.NDArray[np.integer]) -> Samples:
        """The sound of codes (frames, 16), decoded in one pass. Raises CodesUnreadable."""
        decoder = self.config.decoder
        if codes.ndim != 2 or codes.shape[1] != decoder.quantizers:
            raise CodesUnreadable(path="", reason=f"they must have the shape (frames, {decoder.quantizers})")
        if codes.size and not 0 <= int(codes.min()) <= int(codes.max()) < decoder.codebook_size:
            raise CodesUnreadable(path="", reason=f"they must lie between 0 and {decoder.codebook_size - 1}")
        tensor = torch.from_numpy(codes.astype(np.int64)).to(self.device).T[None]
        samples: Samples = self.decoder.decode(tensor, self.decoder.init_state(batch=1))[0].cpu().numpy()
        return samples


def codec_folder(folder: Path) -> Path:
    """The folder of the tokenizer's files: a model's subfolder, or the tokenizer's own folder itself."""
    inner = folder / SPEECH_TOKENIZER_FOLDER
    return inner if (inner / CONFIG_FILE).exists() else folder
