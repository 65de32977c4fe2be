"""The names and shapes of the weights that a config asks for, without torch, and the comparison with a file's header.

The comparison comes before anything is built: whatever numbers a config holds, no more is done than its weights, which
somebody had to make and send, are worth.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from tts_core.engines.faults import ModelConfigInvalid, WeightsMismatch
from tts_core.engines.qwen.talker.config import (
    SpeakerEncoderConfig,
    SpeechModelConfig,
    SpeechTokenizerConfig,
    TalkerConfig,
    TransformerConfig,
)
from tts_core.engines.qwen.talker.stored import StoredTensor, is_derived

SPEAKER_ENCODER = "speaker_encoder."
"""The beginning of the speaker encoder's names in a model's file."""
TOO_FEW_IDS = "talker_config.text_vocab_size is smaller than the tokenizer's ids"
_NAMED_TENSORS = 5
_MOST_OF_A_CODEC = 2**20
"""More than any number in a speech tokenizer's config: sizes, rates, positions."""
Shape = tuple[int, ...]


def check_weights(config: SpeechModelConfig, stored: Mapping[str, StoredTensor], file: Path) -> tuple[str, ...]:
    """Compare a model's weights with its config. The answer names those that are left aside; raises WeightsMismatch."""
    left_aside = {name for name in stored if is_derived(name)}
    if config.speaker_encoder is None:
        left_aside |= {name for name in stored if name.startswith(SPEAKER_ENCODER)}
    shapes = {name: tensor.shape for name, tensor in stored.items() if name not in left_aside}
    wanted: dict[str, Shape] = {}
    for name, shape in _names(config):
        wanted[name] = shape
        if len(wanted) > len(shapes):  # however many more the config asks for
            break
    compare_shapes(wanted, shapes, file)
    return tuple(sorted(left_aside))


def compare_shapes(wanted: Mapping[str, Shape], found: Mapping[str, Shape], file: Path) -> None:
    """Raises WeightsMismatch unless names and shapes are the same."""
    missing = sorted(wanted.keys() - found.keys())
    unknown = sorted(found.keys() - wanted.keys())
    misshapen = sorted(name for name in wanted.keys() & found.keys() if wanted[name] != found[name])
    if missing or unknown or misshapen:
        raise WeightsMismatch(
            file=str(file), missing=_listed(missing), unknown=_listed(unknown), misshapen=_listed(misshapen)
        )


def check_codec(config: SpeechTokenizerConfig, stored: Mapping[str, StoredTensor], file: Path) -> None:
    """Refuse a speech tokenizer's config that asks for more parts than its file has tensors, or for absurd sizes.

    Names and shapes are compared when its modules are built, which this makes cheap. Raises ModelConfigInvalid.
    """
    decoder, encoder, most = config.decoder, config.encoder, len(stored)
    counts = {"num_hidden_layers": decoder.layers, "num_quantizers": decoder.quantizers}
    for name in ("num_hidden_layers", "num_quantizers", "num_residual_layers"):
        counts[f"encoder_config.{name}"] = encoder.integer(name, 0)
    for name, count in counts.items():
        if count > most:
            raise ModelConfigInvalid(file=str(file), reason=f"{name} is {count}, but there are {most} weights")
    for name, value in encoder.data.items():
        if type(value) is int and not 0 <= value <= _MOST_OF_A_CODEC:
            raise encoder.invalid(name, f"must lie between 0 and {_MOST_OF_A_CODEC}")
    rates = (*decoder.upsample_rates, *decoder.upsampling_ratios)
    if not all(rates) or math.prod(rates) != config.samples_per_frame or config.samples_per_frame > _MOST_OF_A_CODEC:
        reason = f"decode_upsample_rate is {config.samples_per_frame}, the rates make {math.prod(rates)}"
        raise ModelConfigInvalid(file=str(file), reason=reason)


def talker_shapes(config: TalkerConfig) -> Iterator[tuple[str, Shape]]:
    """The talker's weights, as its file names them."""
    hidden, text, predictor = config.transformer.hidden_size, config.text_hidden_size, config.code_predictor
    inner = predictor.transformer.hidden_size
    yield "talker.model.codec_embedding.weight", (config.vocab_size, hidden)
    yield "talker.model.text_embedding.weight", (config.text_vocab_size, text)
    yield "talker.codec_head.weight", (config.vocab_size, hidden)
    yield from _linear("talker.text_projection.linear_fc1", text, text)
    yield from _linear("talker.text_projection.linear_fc2", hidden, text)
    if inner != hidden:
        yield from _linear("talker.code_predictor.small_to_mtp_projection", inner, hidden)
    for group in range(config.code_groups - 1):
        yield f"talker.code_predictor.model.codec_embedding.{group}.weight", (predictor.vocab_size, hidden)
        yield f"talker.code_predictor.lm_head.{group}.weight", (predictor.vocab_size, inner)
    yield from _transformer("talker.model", config.transformer)
    yield from _transformer("talker.code_predictor.model", predictor.transformer)


def encoder_shapes(config: SpeakerEncoderConfig) -> Iterator[tuple[str, Shape]]:
    """The speaker encoder's weights, as the model's file names them."""
    channels, kernels = config.channels, config.kernel_sizes
    width, last = sum(channels[1:-1]), channels[-1]
    prefix = f"{SPEAKER_ENCODER}blocks"
    yield from _linear(f"{prefix}.0.conv", channels[0], config.mel_bins, kernels[0])
    for layer in range(1, len(channels) - 1):
        whole = channels[layer]
        part = whole // config.res2net_scale
        yield from _linear(f"{prefix}.{layer}.tdnn1.conv", whole, channels[layer - 1], 1)
        for number in range(config.res2net_scale - 1):
            name = f"{prefix}.{layer}.res2net_block.blocks.{number}.conv"
            yield from _linear(name, part, part, kernels[layer])
        yield from _linear(f"{prefix}.{layer}.tdnn2.conv", whole, whole, 1)
        yield from _linear(f"{prefix}.{layer}.se_block.conv1", config.se_channels, whole, 1)
        yield from _linear(f"{prefix}.{layer}.se_block.conv2", whole, config.se_channels, 1)
    yield from _linear(f"{SPEAKER_ENCODER}mfa.conv", last, width, kernels[-1])
    yield from _linear(f"{SPEAKER_ENCODER}asp.tdnn.conv", config.attention_channels, 3 * last, 1)
    yield from _linear(f"{SPEAKER_ENCODER}asp.conv", last, config.attention_channels, 1)
    yield from _linear(f"{SPEAKER_ENCODER}fc", config.embedding_size, 2 * last, 1)


def _names(config: SpeechModelConfig) -> Iterator[tuple[str, Shape]]:
    if config.speaker_encoder is not None:
        yield from encoder_shapes(config.speaker_encoder)
    yield from talker_shapes(config.talker)


def _transformer(prefix: str, config: TransformerConfig) -> Iterator[tuple[str, Shape]]:
    hidden, head = config.hidden_size, config.head_dim
    queries, keys = config.query_heads * head, config.kv_heads * head
    yield f"{prefix}.norm.weight", (hidden,)
    for layer in range(config.layers):
        block = f"{prefix}.layers.{layer}"
        yield f"{block}.self_attn.q_proj.weight", (queries, hidden)
        yield f"{block}.self_attn.k_proj.weight", (keys, hidden)
        yield f"{block}.self_attn.v_proj.weight", (keys, hidden)
        yield f"{block}.self_attn.o_proj.weight", (hidden, queries)
        yield f"{block}.self_attn.q_norm.weight", (head,)
        yield f"{block}.self_attn.k_norm.weight", (head,)
        yield f"{block}.mlp.gate_proj.weight", (config.intermediate_size, hidden)
        yield f"{block}.mlp.up_proj.weight", (config.intermediate_size, hidden)
        yield f"{block}.mlp.down_proj.weight", (hidden, config.intermediate_size)
        yield f"{block}.input_layernorm.weight", (hidden,)
        yield f"{block}.post_attention_layernorm.weight", (hidden,)


def _linear(name: str, *shape: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED_TENSORS
    return ", ".join(names[:_NAMED_TENSORS]) + (f" and {more} more" if more > 0 else "") or "none"
