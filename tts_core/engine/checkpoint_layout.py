"""Names and shapes of all weights in the published layout, from the settings in config.json. No torch, no weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Config = Mapping[str, Any]
"""A JSON object of a config file."""
Shapes = Iterator[tuple[str, tuple[int, ...]]]

_MEL_BINS = 128


def model_shapes(config: Config) -> Shapes:
    """Of a model's model.safetensors."""
    talker: Config = config["talker_config"]
    hidden, text = talker["hidden_size"], talker["text_hidden_size"]
    yield from _qwen3_blocks("talker.model", talker)
    yield "talker.model.codec_embedding.weight", (talker["vocab_size"], hidden)
    yield "talker.model.text_embedding.weight", (talker["text_vocab_size"], text)
    yield from _linear("talker.text_projection.linear_fc1", text, text)
    yield from _linear("talker.text_projection.linear_fc2", text, hidden)
    yield "talker.codec_head.weight", (talker["vocab_size"], hidden)
    yield from _code_predictor(talker["code_predictor_config"], hidden)
    if config["tts_model_type"] == "base":
        yield from _speaker_encoder(config["speaker_encoder_config"])


def speech_tokenizer_shapes(config: Config) -> Shapes:
    """Of the speech tokenizer's model.safetensors."""
    yield from _decoder(config["decoder_config"])
    yield from _encoder(config["encoder_config"])


def _qwen3_blocks(prefix: str, config: Config) -> Shapes:
    hidden, head = config["hidden_size"], config["head_dim"]
    query, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    for layer in range(config["num_hidden_layers"]):
        name = f"{prefix}.layers.{layer}"
        yield from _attention_and_mlp(name, config, query, keys)
        yield f"{name}.self_attn.q_norm.weight", (head,)
        yield f"{name}.self_attn.k_norm.weight", (head,)
    yield f"{prefix}.norm.weight", (hidden,)


def _attention_and_mlp(name: str, config: Config, query: int, keys: int) -> Shapes:
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    yield f"{name}.self_attn.q_proj.weight", (query, hidden)
    yield f"{name}.self_attn.k_proj.weight", (keys, hidden)
    yield f"{name}.self_attn.v_proj.weight", (keys, hidden)
    yield f"{name}.self_attn.o_proj.weight", (hidden, query)
    yield f"{name}.mlp.gate_proj.weight", (inner, hidden)
    yield f"{name}.mlp.up_proj.weight", (inner, hidden)
    yield f"{name}.mlp.down_proj.weight", (hidden, inner)
    yield f"{name}.input_layernorm.weight", (hidden,)
    yield f"{name}.post_attention_layernorm.weight", (hidden,)


def _code_predictor(config: Config, talker_hidden: int) -> Shapes:
    prefix, hidden = "talker.code_predictor", config["hidden_size"]
    yield from _qwen3_blocks(f"{prefix}.model", config)
    for group in range(config["num_code_groups"] - 1):
        yield f"{prefix}.model.codec_embedding.{group}.weight", (config["vocab_size"], talker_hidden)
        yield f"{prefix}.lm_head.{group}.weight", (config["vocab_size"], hidden)
    if hidden != talker_hidden:
        yield from _linear(f"{prefix}.small_to_mtp_projection", talker_hidden, hidden)


def _speaker_encoder(config: Config) -> Shapes:
    *channels, wide = config.get("enc_channels", (512, 512, 512, 512, 1536))
    *kernels, last = config.get("enc_kernel_sizes", (5, 3, 3, 3, 1))
    scale = config.get("enc_res2net_scale", 8)
    squeezed, attention = config.get("enc_se_channels", 128), config.get("enc_attention_channels", 128)
    yield from _conv("speaker_encoder.blocks.0.conv", config.get("mel_dim", _MEL_BINS), channels[0], kernels[0])
    for block in range(1, len(channels)):
        name, before, width = f"speaker_encoder.blocks.{block}", channels[block - 1], channels[block]
        yield from _conv(f"{name}.tdnn1.conv", before, width, 1)
        for part in range(scale - 1):
            narrow = width // scale
            yield from _conv(f"{name}.res2net_block.blocks.{part}.conv", narrow, narrow, kernels[block])
        yield from _conv(f"{name}.tdnn2.conv", width, width, 1)
        yield from _conv(f"{name}.se_block.conv1", width, squeezed, 1)
        yield from _conv(f"{name}.se_block.conv2", squeezed, width, 1)
    yield from _conv("speaker_encoder.mfa.conv", sum(channels[1:]), wide, last)
    yield from _conv("speaker_encoder.asp.tdnn.conv", 3 * wide, attention, 1)
    yield from _conv("speaker_encoder.asp.conv", attention, wide, 1)
    yield from _conv("speaker_encoder.fc", 2 * wide, config["enc_dim"], 1)


def _decoder(config: Config) -> Shapes:
    latent, outer = config["latent_dim"], config["codebook_dim"]
    first, entries = config["num_semantic_quantizers"], config["codebook_size"]
    for part, books in (("first", first), ("rest", config["num_quantizers"] - first)):
        name = f"decoder.quantizer.rvq_{part}"
        yield f"{name}.input_proj.weight", (outer // 2, outer, 1)
        yield f"{name}.output_proj.weight", (outer, outer // 2, 1)
        for book in range(books):
            yield f"{name}.vq.layers.{book}._codebook.cluster_usage", (entries,)
            yield f"{name}.vq.layers.{book}._codebook.embedding_sum", (entries, outer // 2)
    yield from _conv("decoder.pre_conv.conv", outer, latent, 3)
    yield from _decoder_transformer(config)
    for place, ratio in enumerate(config["upsampling_ratios"]):
        yield from _upsampler(f"decoder.upsample.{place}", latent, ratio)
    yield from _sound_stack(config)


def _decoder_transformer(config: Config) -> Shapes:
    prefix, hidden, latent = "decoder.pre_transformer", config["hidden_size"], config["latent_dim"]
    yield from _linear(f"{prefix}.input_proj", latent, hidden)
    yield from _linear(f"{prefix}.output_proj", hidden, latent)
    head = config["head_dim"]
    for layer in range(config["num_hidden_layers"]):
        name = f"{prefix}.layers.{layer}"
        query, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
        yield from _attention_and_mlp(name, config, query, keys)
        yield f"{name}.self_attn_layer_scale.scale", (hidden,)
        yield f"{name}.mlp_layer_scale.scale", (hidden,)
    yield f"{prefix}.norm.weight", (hidden,)


def _upsampler(name: str, channels: int, ratio: int) -> Shapes:
    yield f"{name}.0.conv.weight", (channels, channels, ratio)
    yield f"{name}.0.conv.bias", (channels,)
    yield f"{name}.1.dwconv.conv.weight", (channels, 1, 7)
    yield f"{name}.1.dwconv.conv.bias", (channels,)
    yield f"{name}.1.gamma", (channels,)
    yield f"{name}.1.norm.weight", (channels,)
    yield f"{name}.1.norm.bias", (channels,)
    yield from _linear(f"{name}.1.pwconv1", channels, 4 * channels)
    yield from _linear(f"{name}.1.pwconv2", 4 * channels, channels)


def _sound_stack(config: Config) -> Shapes:
    width = config["decoder_dim"]
    yield from _conv("decoder.decoder.0.conv", config["latent_dim"], width, 7)
    place = 0
    for place, rate in enumerate(config["upsample_rates"], start=1):
        name, narrow = f"decoder.decoder.{place}.block", width // 2
        yield from _snake(f"{name}.0", width)
        yield f"{name}.1.conv.weight", (width, narrow, 2 * rate)
        yield f"{name}.1.conv.bias", (narrow,)
        for unit in (2, 3, 4):
            yield from _snake(f"{name}.{unit}.act1", narrow)
            yield from _snake(f"{name}.{unit}.act2", narrow)
            yield from _conv(f"{name}.{unit}.conv1.conv", narrow, narrow, 7)
            yield from _conv(f"{name}.{unit}.conv2.conv", narrow, narrow, 1)
        width = narrow
    yield from _snake(f"decoder.decoder.{place + 1}", width)
    yield from _conv(f"decoder.decoder.{place + 2}.conv", width, 1, 7)


def _encoder(config: Config) -> Shapes:
    """transformers' Mimi encoder, in the names that older releases gave it."""
    yield from _seanet(config)
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    query, keys = (config[key] * config["head_dim"] for key in ("num_attention_heads", "num_key_value_heads"))
    for layer in range(config["num_hidden_layers"]):
        name = f"encoder.encoder_transformer.layers.{layer}"
        for part, shape in (
            ("q", (query, hidden)),
            ("k", (keys, hidden)),
            ("v", (keys, hidden)),
            ("o", (hidden, query)),
        ):
            yield f"{name}.self_attn.{part}_proj.weight", shape
        yield f"{name}.mlp.fc1.weight", (inner, hidden)
        yield f"{name}.mlp.fc2.weight", (hidden, inner)
        yield f"{name}.self_attn_layer_scale.scale", (hidden,)
        yield f"{name}.mlp_layer_scale.scale", (hidden,)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            yield f"{name}.{norm}.weight", (hidden,)
            yield f"{name}.{norm}.bias", (hidden,)
    yield "encoder.downsample.conv.weight", (hidden, hidden, 4)
    yield from _encoder_quantizers(config)


def _encoder_quantizers(config: Config) -> Shapes:
    hidden, width = config["hidden_size"], config["vector_quantization_hidden_dimension"]
    semantic = config["num_semantic_quantizers"]
    for part, books in (("semantic", semantic), ("acoustic", config["num_quantizers"] - semantic)):
        name = f"encoder.quantizer.{part}_residual_vector_quantizer"
        yield f"{name}.input_proj.weight", (width, hidden, 1)
        yield f"{name}.output_proj.weight", (hidden, width, 1)
        for book in range(books):
            yield f"{name}.layers.{book}.codebook.cluster_usage", (config["codebook_size"],)
            yield f"{name}.layers.{book}.codebook.embed_sum", (config["codebook_size"], config["codebook_dim"])
            yield f"{name}.layers.{book}.codebook.initialized", (1,)


def _seanet(config: Config) -> Shapes:
    prefix, width = "encoder.encoder.layers", config["num_filters"]
    yield from _conv(f"{prefix}.0.conv", config["audio_channels"], width, config["kernel_size"])
    place = 1
    for ratio in reversed(config["upsampling_ratios"]):
        for _ in range(config["num_residual_layers"]):
            narrow = width // config["compress"]
            yield from _conv(f"{prefix}.{place}.block.1.conv", width, narrow, config["residual_kernel_size"])
            yield from _conv(f"{prefix}.{place}.block.3.conv", narrow, width, 1)
            place += 1
        yield from _conv(f"{prefix}.{place + 1}.conv", width, 2 * width, 2 * ratio)  # after its activation
        place, width = place + 2, 2 * width
    yield from _conv(f"{prefix}.{place + 1}.conv", width, config["hidden_size"], config["last_kernel_size"])


def _linear(name: str, inputs: int, outputs: int) -> Shapes:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _conv(name: str, inputs: int, outputs: int, kernel: int) -> Shapes:
    yield f"{name}.weight", (outputs, inputs, kernel)
    yield f"{name}.bias", (outputs,)


def _snake(name: str, channels: int) -> Shapes:
    yield f"{name}.alpha", (channels,)
    yield f"{name}.beta", (channels,)
