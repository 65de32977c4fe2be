"""Encodes sound to codes: transformers' Mimi encoder with the speech tokenizer's weights. Loaded only for cloning.

It always computes in fp32, whatever the rest does: a code is the nearest of 2048 vectors, and rounding picks another.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tts_core.engines.qwen.talker.checkpoint_json import Section
from tts_core.engines.qwen.talker.config import CONFIG_FILE, SpeechTokenizerConfig, rope_theta
from tts_core.engines.qwen.talker.expected import check_codec, compare_shapes
from tts_core.engines.qwen.talker.stored import is_derived, read_header
from tts_core.engines.qwen.talker.weights import Placement, build_on_meta, load_weights

PREFIX = "encoder."
"""The beginning of the encoder's names in the speech tokenizer's file."""
OTHER_PREFIXES = ("decoder.",)
"""The beginnings of all other names in that file."""

_WHOLE_NUMBERS = (
    "audio_channels",
    "codebook_dim",
    "codebook_size",
    "compress",
    "dilation_growth_rate",
    "head_dim",
    "hidden_size",
    "intermediate_size",
    "kernel_size",
    "last_kernel_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_filters",
    "num_hidden_layers",
    "num_key_value_heads",
    "num_quantizers",
    "num_residual_layers",
    "num_semantic_quantizers",
    "residual_kernel_size",
    "sampling_rate",
    "sliding_window",
    "upsample_groups",
    "vector_quantization_hidden_dimension",
)
_FLAGS = ("use_causal_conv", "use_conv_shortcut")
_TEXTS = ("hidden_act", "pad_mode")
_DECODER_PARTS = ("decoder", "decoder_transformer", "upsample")
_NESTED_PARTS = {
    "encoder.": "encoder.encoder_seanet.",
    "encoder_transformer.": "encoder.encoder_transformer.",
    "downsample.": "encoder.downsample.",
}
"""The places of transformers 5.23 for parts that older ones, and the checkpoint, have at the top."""


class CodecEncoder:
    """The encoder half of the speech tokenizer."""

    def __init__(self, model: Any, config: SpeechTokenizerConfig, device: torch.device) -> None:
        """`model` is a MimiModel with its weights; `load` makes one."""
        self._model = model
        self._device = device
        self._codebooks = config.encoder_quantizers
        self._samples_per_frame = config.input_samples_per_frame
        self.sample_rate = config.input_sample_rate
        """Hertz that `encode` expects."""

    @classmethod
    def load(cls, file: Path, config: SpeechTokenizerConfig, device: torch.device) -> CodecEncoder:
        """Read the encoder from the speech tokenizer's model.safetensors.

        Raises ModelConfigInvalid, ModelFileMissing, WeightsUnreadable or WeightsMismatch.
        """
        stored = read_header(file)
        check_codec(config, stored, file.with_name(CONFIG_FILE))
        own = {
            name: tensor.shape for name, tensor in stored.items() if name.startswith(PREFIX) and not is_derived(name)
        }
        compare_shapes(encoder_names(config.encoder), own, file)  # before memory is taken
        model = _build(config.encoder)
        names = {_stored_name(name): name for name in model.state_dict()}
        placement = Placement(device, torch.float32)
        load_weights(
            model, file, placement, skip=OTHER_PREFIXES, rename=lambda name: names.get(name, name.removeprefix(PREFIX))
        )
        return cls(model.to(device).eval(), config, device)

    @torch.inference_mode()
    def encode(self, samples: Tensor) -> Tensor:
        """samples [N], fp32 at `sample_rate` -> codes [ceil(N / 1920), 16], whole numbers."""
        frames = -(-samples.shape[0] // self._samples_per_frame)
        sound = samples.to(self._device, torch.float32)[None, None]
        codes = self._model.encode(sound, num_quantizers=self._codebooks).audio_codes  # [1, 16, T]
        return codes[0, :, :frames].T.contiguous()  # type: ignore[no-any-return]


def _build(section: Section) -> nn.Module:
    """An encoder-only MimiModel whose weights are not set yet."""
    from transformers import MimiConfig, MimiModel  # noqa: PLC0415 - seconds to load, and only cloning needs it

    settings = _settings(section)
    try:
        model: nn.Module = MimiModel(MimiConfig.from_dict(settings))
    except MemoryError:
        raise
    except Exception as error:  # settings that contradict each other fail in any way
        raise section.invalid("", f"does not describe a Mimi encoder ({error})") from error
    for part in _DECODER_PARTS:  # before 5.23 transformers builds them in any case
        model._modules.pop(part, None)
    return model


def _settings(section: Section) -> dict[str, object]:
    """The settings of MimiConfig that shape the encoder; its own defaults stand for those that are left out."""
    return {
        **{key: section.integer(key) for key in _WHOLE_NUMBERS if key in section.data},
        **{key: section.flag(key) for key in _FLAGS if key in section.data},
        **{key: section.text(key) for key in _TEXTS if key in section.data},
        "norm_eps": section.number("norm_eps", 1e-5),
        "rope_parameters": {"rope_type": "default", "rope_theta": rope_theta(section, 10_000.0)},
        "upsampling_ratios": list(section.integers("upsampling_ratios", (8, 6, 5, 4))),
        "decoder_config": None,
    }


def encoder_names(section: Section) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight as the speech tokenizer's file has them."""
    model = build_on_meta(lambda: _build(section))
    return {_stored_name(name): tuple(weight.shape) for name, weight in model.state_dict().items()}


def _stored_name(name: str) -> str:
    """The name in the file of the weight that the installed transformers calls `name`."""
    for part, nested in _NESTED_PARTS.items():
        if name.startswith(nested):
            return PREFIX + part + name.removeprefix(nested)
    return PREFIX + name
