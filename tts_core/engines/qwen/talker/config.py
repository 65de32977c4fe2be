"""The contents of a checkpoint's JSON files. Every value is read; a missing key is an error, never a guess.

The one exception is marked: the released Base models name only two values of their speaker encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tts_core.engines.qwen.talker.checkpoint_json import Section, read_json

CONFIG_FILE = "config.json"
GENERATION_FILE = "generation_config.json"
WEIGHTS_FILE = "model.safetensors"
SPEECH_TOKENIZER_FOLDER = "speech_tokenizer"
"""Folder inside a model's folder; the stand-alone tokenizer's folder has its files at the top."""
KINDS = ("custom_voice", "base", "voice_design")
GEOMETRIES = ("tiny", "0.6b", "1.7b")
"""Sizes that random checkpoints are made in."""


@dataclass(frozen=True, slots=True)
class TransformerConfig:
    """The sizes of a stack of Qwen3 blocks."""

    hidden_size: int
    intermediate_size: int
    layers: int
    query_heads: int
    kv_heads: int
    head_dim: int
    norm_eps: float
    rope_theta: float
    max_positions: int

    @classmethod
    def from_json(cls, section: Section) -> TransformerConfig:
        section.require("hidden_act", "silu")
        section.require("attention_bias", False)
        section.require("use_sliding_window", False)
        if section.data.get("rope_scaling") is not None:
            # The talker's three-axis positions are equal for speech, so they reduce to plain RoPE.
            section.section("rope_scaling").require("rope_type", "default")
        return cls(
            hidden_size=section.integer("hidden_size"),
            intermediate_size=section.integer("intermediate_size"),
            layers=section.integer("num_hidden_layers"),
            query_heads=section.integer("num_attention_heads"),
            kv_heads=section.integer("num_key_value_heads"),
            head_dim=section.integer("head_dim"),
            norm_eps=section.number("rms_norm_eps"),
            rope_theta=section.number("rope_theta"),
            max_positions=section.integer("max_position_embeddings"),
        )


@dataclass(frozen=True, slots=True)
class CodePredictorConfig:
    transformer: TransformerConfig
    vocab_size: int
    """Codes per codebook (2048)."""

    @classmethod
    def from_json(cls, section: Section) -> CodePredictorConfig:
        return cls(TransformerConfig.from_json(section), section.integer("vocab_size"))


@dataclass(frozen=True, slots=True)
class CodecIds:
    """Ids of the talker's codec vocabulary that are no sound."""

    bos: int
    eos: int
    pad: int
    think: int
    nothink: int
    think_bos: int
    think_eos: int

    @classmethod
    def from_json(cls, section: Section) -> CodecIds:
        return cls(
            bos=section.integer("codec_bos_id"),
            eos=section.integer("codec_eos_token_id"),
            pad=section.integer("codec_pad_id"),
            think=section.integer("codec_think_id"),
            nothink=section.integer("codec_nothink_id"),
            think_bos=section.integer("codec_think_bos_id"),
            think_eos=section.integer("codec_think_eos_id"),
        )


@dataclass(frozen=True, slots=True)
class TalkerConfig:
    transformer: TransformerConfig
    code_predictor: CodePredictorConfig
    vocab_size: int
    """Width of the talker's head: codes and codec ids (3072)."""
    text_vocab_size: int
    text_hidden_size: int
    code_groups: int
    """Codes per frame (16)."""
    codec_ids: CodecIds
    language_ids: Mapping[str, int]
    """Lower-case language or dialect to its codec id."""
    speaker_ids: Mapping[str, int]
    """Lower-case preset speaker to its codec id."""
    speaker_dialects: Mapping[str, str]
    """Preset speaker to the dialect it speaks instead of Chinese; others are absent."""

    @classmethod
    def from_json(cls, section: Section) -> TalkerConfig:
        language_ids = section.integer_table("codec_language_id")
        dialects = section.section("spk_is_dialect")
        for speaker, dialect in dialects.data.items():
            if dialect and dialect not in language_ids:
                raise dialects.invalid(speaker, f"names the unknown dialect {dialect!r}")
        predictor = section.section("code_predictor_config")
        predictor.require("num_code_groups", section.integer("num_code_groups"))
        return cls(
            transformer=TransformerConfig.from_json(section),
            code_predictor=CodePredictorConfig.from_json(predictor),
            vocab_size=section.integer("vocab_size"),
            text_vocab_size=section.integer("text_vocab_size"),
            text_hidden_size=section.integer("text_hidden_size"),
            code_groups=section.integer("num_code_groups"),
            codec_ids=CodecIds.from_json(section),
            language_ids=language_ids,
            speaker_ids=section.integer_table("spk_id"),
            speaker_dialects={name: str(dialect) for name, dialect in dialects.data.items() if dialect},
        )


@dataclass(frozen=True, slots=True)
class SpeakerEncoderConfig:
    """The sizes of a speaker encoder: ECAPA-TDNN over a log-mel spectrogram."""

    embedding_size: int
    sample_rate: int
    """Hertz of the sound that it reads."""
    mel_bins: int
    channels: tuple[int, ...]
    kernel_sizes: tuple[int, ...]
    dilations: tuple[int, ...]
    attention_channels: int
    res2net_scale: int
    se_channels: int

    @classmethod
    def from_json(cls, section: Section) -> SpeakerEncoderConfig:
        """The released Base models state the first two values only; the rest is how they were made."""

        def integer(key: str, released: int) -> int:
            return section.integer(key) if key in section.data else released

        def integers(key: str, released: tuple[int, ...]) -> tuple[int, ...]:
            return section.integers(key) if key in section.data else released

        return cls(
            embedding_size=section.integer("enc_dim"),
            sample_rate=section.integer("sample_rate"),
            mel_bins=integer("mel_dim", 128),
            channels=integers("enc_channels", (512, 512, 512, 512, 1536)),
            kernel_sizes=integers("enc_kernel_sizes", (5, 3, 3, 3, 1)),
            dilations=integers("enc_dilations", (1, 2, 3, 4, 1)),
            attention_channels=integer("enc_attention_channels", 128),
            res2net_scale=integer("enc_res2net_scale", 8),
            se_channels=integer("enc_se_channels", 128),
        )


@dataclass(frozen=True, slots=True)
class SpeechModelConfig:
    """A speaking model's config.json."""

    kind: str
    """The kind of model, one of KINDS."""
    size: str
    """The size of the model, "0b6" or "1b7"."""
    talker: TalkerConfig
    speaker_encoder: SpeakerEncoderConfig | None
    """The encoder's sizes; None for all models but Base models."""
    tts_bos_id: int
    tts_eos_id: int
    tts_pad_id: int

    @classmethod
    def from_json(cls, section: Section) -> SpeechModelConfig:
        section.require("model_type", "qwen3_tts")
        section.require("tokenizer_type", "qwen3_tts_tokenizer_12hz")
        kind = section.text("tts_model_type")
        if kind not in KINDS:
            raise section.invalid("tts_model_type", f"is {kind!r}, which this engine does not know")
        encoder = SpeakerEncoderConfig.from_json(section.section("speaker_encoder_config")) if kind == "base" else None
        return cls(
            kind=kind,
            size=section.text("tts_model_size"),
            talker=TalkerConfig.from_json(section.section("talker_config")),
            speaker_encoder=encoder,
            tts_bos_id=section.integer("tts_bos_token_id"),
            tts_eos_id=section.integer("tts_eos_token_id"),
            tts_pad_id=section.integer("tts_pad_token_id"),
        )

    @property
    def obeys_instruct(self) -> bool:
        """Whether style instructions reach the model: voice design, and custom voice except its 0.6B size."""
        return self.kind == "voice_design" or (self.kind == "custom_voice" and self.size != "0b6")

    @property
    def languages(self) -> tuple[str, ...]:
        """Names people may ask for, in the file's order; dialects come with their speakers."""
        return tuple(name for name in self.talker.language_ids if "dialect" not in name)


@dataclass(frozen=True, slots=True)
class GenerationConfig:
    """The sampling a checkpoint was published with."""

    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float
    predictor_temperature: float
    predictor_top_k: int
    predictor_top_p: float
    max_new_tokens: int
    """Code-0 tokens of the longest take, the end included."""

    @classmethod
    def from_json(cls, section: Section) -> GenerationConfig:
        return cls(
            temperature=section.number("temperature"),
            top_k=section.integer("top_k"),
            top_p=section.number("top_p"),
            repetition_penalty=section.number("repetition_penalty"),
            predictor_temperature=section.number("subtalker_temperature"),
            predictor_top_k=section.integer("subtalker_top_k"),
            predictor_top_p=section.number("subtalker_top_p"),
            max_new_tokens=section.integer("max_new_tokens"),
        )


@dataclass(frozen=True, slots=True)
class CodecDecoderConfig:
    """The sizes of the codec's decoder, which makes samples of codes."""

    codebook_size: int
    codebook_dim: int
    quantizers: int
    semantic_quantizers: int
    hidden_size: int
    latent_dim: int
    intermediate_size: int
    layers: int
    query_heads: int
    kv_heads: int
    head_dim: int
    sliding_window: int
    """Frames (before upsampling) that a position sees, itself included."""
    rope_theta: float
    norm_eps: float
    decoder_dim: int
    upsample_rates: tuple[int, ...]
    upsampling_ratios: tuple[int, ...]

    @classmethod
    def from_json(cls, section: Section) -> CodecDecoderConfig:
        section.require("hidden_act", "silu")
        section.require("attention_bias", False)
        return cls(
            codebook_size=section.integer("codebook_size"),
            codebook_dim=section.integer("codebook_dim"),
            quantizers=section.integer("num_quantizers"),
            semantic_quantizers=section.integer("num_semantic_quantizers"),
            hidden_size=section.integer("hidden_size"),
            latent_dim=section.integer("latent_dim"),
            intermediate_size=section.integer("intermediate_size"),
            layers=section.integer("num_hidden_layers"),
            query_heads=section.integer("num_attention_heads"),
            kv_heads=section.integer("num_key_value_heads"),
            head_dim=section.integer("head_dim"),
            sliding_window=section.integer("sliding_window"),
            rope_theta=section.number("rope_theta"),
            norm_eps=section.number("rms_norm_eps"),
            decoder_dim=section.integer("decoder_dim"),
            upsample_rates=section.integers("upsample_rates"),
            upsampling_ratios=section.integers("upsampling_ratios"),
        )


@dataclass(frozen=True, slots=True)
class SpeechTokenizerConfig:
    """The contents of speech_tokenizer/config.json."""

    decoder: CodecDecoderConfig
    encoder: Section
    """The encoder's settings, for transformers' MimiConfig."""
    encoder_quantizers: int
    """Codebooks that are kept of those the encoder has (16 of 32)."""
    input_sample_rate: int
    output_sample_rate: int
    samples_per_frame: int
    """Output samples per frame (1920)."""
    input_samples_per_frame: int

    @classmethod
    def from_json(cls, section: Section) -> SpeechTokenizerConfig:
        section.require("model_type", "qwen3_tts_tokenizer_12hz")
        return cls(
            decoder=CodecDecoderConfig.from_json(section.section("decoder_config")),
            encoder=section.section("encoder_config"),
            encoder_quantizers=section.integer("encoder_valid_num_quantizers"),
            input_sample_rate=section.integer("input_sample_rate"),
            output_sample_rate=section.integer("output_sample_rate"),
            samples_per_frame=section.integer("decode_upsample_rate"),
            input_samples_per_frame=section.integer("encode_downsample_rate"),
        )


def read_model_config(folder: Path) -> SpeechModelConfig:
    return SpeechModelConfig.from_json(read_json(folder / CONFIG_FILE))


def read_generation_config(folder: Path) -> GenerationConfig:
    return GenerationConfig.from_json(read_json(folder / GENERATION_FILE))


def read_speech_tokenizer_config(folder: Path) -> SpeechTokenizerConfig:
    """Read the tokenizer's own config.json; `folder` is `<model>/speech_tokenizer`."""
    return SpeechTokenizerConfig.from_json(read_json(folder / CONFIG_FILE))
