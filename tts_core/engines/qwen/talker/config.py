"""The contents of a checkpoint's JSON files.

Every value is read. A missing key stands for the default of the published package (qwen-tts 0.1.1), which leaves out
what equals it when it saves; where that has none the key is required, and nothing is guessed. Sizes are compared with
the weights before anything is built (see `expected`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tts_core.engines.qwen.talker.checkpoint_json import Section, read_json

CONFIG_FILE = "config.json"
GENERATION_FILE = "generation_config.json"
MAX_POSITIONS = 2**20
"""The most positions that a talker may have; the published ones have 32768."""
MAX_WINDOW = 2**12
"""The widest window of the codec's decoder; the published one has 72 frames."""
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
    def from_json(cls, section: Section, defaults: TransformerConfig) -> TransformerConfig:
        section.require("hidden_act", "silu")
        section.require("attention_bias", False)
        section.require("use_sliding_window", False)
        hidden_size = section.integer("hidden_size", defaults.hidden_size)
        query_heads = section.integer("num_attention_heads", defaults.query_heads)
        found = cls(
            hidden_size=hidden_size,
            intermediate_size=section.integer("intermediate_size", defaults.intermediate_size),
            layers=section.integer("num_hidden_layers", defaults.layers),
            query_heads=query_heads,
            kv_heads=section.integer("num_key_value_heads", defaults.kv_heads),
            head_dim=section.integer("head_dim", defaults.head_dim or hidden_size // max(1, query_heads)),
            norm_eps=section.number("rms_norm_eps", defaults.norm_eps),
            rope_theta=rope_theta(section, defaults.rope_theta),
            max_positions=section.integer("max_position_embeddings", defaults.max_positions),
        )
        if found.kv_heads < 1 or found.query_heads % found.kv_heads:
            raise section.invalid("num_attention_heads", "must be a multiple of num_key_value_heads")
        if found.head_dim < 2 or found.head_dim % 2:
            raise section.invalid("head_dim", "must be an even number")
        if not 1 <= found.max_positions <= MAX_POSITIONS:
            raise section.invalid("max_position_embeddings", f"must lie between 1 and {MAX_POSITIONS}")
        return found


_TALKER_DEFAULTS = TransformerConfig(1024, 2048, 20, 16, 2, 0, 1e-6, 10_000.0, 32_768)
_PREDICTOR_DEFAULTS = TransformerConfig(1024, 3072, 5, 16, 8, 128, 1e-6, 10_000.0, 32_768)
_DEFAULT_CODE_GROUPS = 32


def rope_theta(section: Section, default: float) -> float:
    """The base of the rotations, in transformers 4's place or in transformers 5's; another kind of RoPE is refused."""
    # The talker's three-axis positions are equal for speech, so they reduce to plain RoPE.
    for key in ("rope_scaling", "rope_parameters"):
        rope = section.section(key, optional=True)
        rope.require("rope_type" if "rope_type" in rope.data else "type", "default")
    rope = section.section("rope_parameters", optional=True)
    theta = rope.number("rope_theta") if "rope_theta" in rope.data else section.number("rope_theta", default)
    if theta <= 0:
        raise section.invalid("rope_theta", "must be positive")
    return theta


@dataclass(frozen=True, slots=True)
class CodePredictorConfig:
    transformer: TransformerConfig
    vocab_size: int
    """Codes per codebook (2048)."""

    @classmethod
    def from_json(cls, section: Section) -> CodePredictorConfig:
        return cls(TransformerConfig.from_json(section, _PREDICTOR_DEFAULTS), section.integer("vocab_size", 2048))


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
            bos=section.integer("codec_bos_id", 4197),
            eos=section.integer("codec_eos_token_id", 4198),
            pad=section.integer("codec_pad_id", 4196),
            think=section.integer("codec_think_id", 4202),
            nothink=section.integer("codec_nothink_id", 4203),
            think_bos=section.integer("codec_think_bos_id", 4204),
            think_eos=section.integer("codec_think_eos_id", 4205),
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
    """Preset speaker, as the file spells it, to its codec id. No two differ in case only."""
    speaker_dialects: Mapping[str, str]
    """Preset speaker, lower-case, to the dialect it speaks instead of Chinese; others are absent."""

    @classmethod
    def from_json(cls, section: Section) -> TalkerConfig:
        language_ids = section.integer_table("codec_language_id")
        speaker_ids = section.integer_table("spk_id")
        dialects = section.section("spk_is_dialect", optional=True)
        for speaker, dialect in dialects.data.items():
            if dialect and (not isinstance(dialect, str) or dialect not in language_ids):
                raise dialects.invalid(speaker, f"names the unknown dialect {dialect!r}")
        if len({name.lower() for name in speaker_ids}) < len(speaker_ids):
            raise section.invalid("spk_id", "has two names that differ in case only")
        predictor = section.section("code_predictor_config", optional=True)
        groups = section.integer("num_code_groups", _DEFAULT_CODE_GROUPS)
        if predictor.integer("num_code_groups", _DEFAULT_CODE_GROUPS) != groups or groups < 2:
            raise predictor.invalid("num_code_groups", f"does not fit the talker's, {groups}")
        found = cls(
            transformer=TransformerConfig.from_json(section, _TALKER_DEFAULTS),
            code_predictor=CodePredictorConfig.from_json(predictor),
            vocab_size=section.integer("vocab_size", 3072),
            text_vocab_size=section.integer("text_vocab_size"),
            text_hidden_size=section.integer("text_hidden_size", 2048),
            code_groups=groups,
            codec_ids=CodecIds.from_json(section),
            language_ids=language_ids,
            speaker_ids=speaker_ids,
            speaker_dialects={name.lower(): str(dialect) for name, dialect in dialects.data.items() if dialect},
        )
        ids = {**asdict(found.codec_ids), **language_ids, **speaker_ids}
        for name, number in ids.items():
            if number >= found.vocab_size:
                raise section.invalid("vocab_size", f"is {found.vocab_size}, but {name} has the id {number}"[:200])
        return found

    def speaker_id(self, name: str) -> int | None:
        """The codec id of a preset speaker in any spelling; None if there is none of that name."""
        wanted = name.lower()
        return next((number for speaker, number in self.speaker_ids.items() if speaker.lower() == wanted), None)


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
        """The released Base models state the first two values only."""
        found = cls(
            embedding_size=section.integer("enc_dim", 1024),
            sample_rate=section.integer("sample_rate", 24_000),
            mel_bins=section.integer("mel_dim", 128),
            channels=section.integers("enc_channels", (512, 512, 512, 512, 1536)),
            kernel_sizes=section.integers("enc_kernel_sizes", (5, 3, 3, 3, 1)),
            dilations=section.integers("enc_dilations", (1, 2, 3, 4, 1)),
            attention_channels=section.integer("enc_attention_channels", 128),
            res2net_scale=section.integer("enc_res2net_scale", 8),
            se_channels=section.integer("enc_se_channels", 128),
        )
        if not 3 <= len(found.channels) == len(found.kernel_sizes) == len(found.dilations):
            raise section.invalid("enc_channels", "must be as long as enc_kernel_sizes and enc_dilations")
        if not 2 <= found.res2net_scale <= min(found.channels) or not 8_000 <= found.sample_rate <= 192_000:
            raise section.invalid("enc_res2net_scale", "or sample_rate is out of range")
        return found


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
        encoder_section = section.section("speaker_encoder_config", optional=True)
        found = cls(
            kind=kind,
            size=section.text("tts_model_size", ""),
            talker=TalkerConfig.from_json(section.section("talker_config")),
            speaker_encoder=SpeakerEncoderConfig.from_json(encoder_section) if kind == "base" else None,
            tts_bos_id=section.integer("tts_bos_token_id", 151_672),
            tts_eos_id=section.integer("tts_eos_token_id", 151_673),
            tts_pad_id=section.integer("tts_pad_token_id", 151_671),
        )
        if max(found.tts_bos_id, found.tts_eos_id, found.tts_pad_id) >= found.talker.text_vocab_size:
            raise section.invalid("talker_config.text_vocab_size", "is smaller than the ids of tts_…_token_id")
        if kind == "custom_voice" and not found.talker.speaker_ids:
            raise section.invalid("talker_config.spk_id", "names no speaker, and a custom voice model needs one")
        return found

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
    """The sampling a checkpoint was published with; what it does not say is as in the published package."""

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
            temperature=section.number("temperature", 0.9),
            top_k=section.integer("top_k", 50),
            top_p=section.number("top_p", 1.0),
            repetition_penalty=section.number("repetition_penalty", 1.05),
            predictor_temperature=section.number("subtalker_temperature", 0.9),
            predictor_top_k=section.integer("subtalker_top_k", 50),
            predictor_top_p=section.number("subtalker_top_p", 1.0),
            max_new_tokens=section.integer("max_new_tokens", 2048),
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
        hidden_size = section.integer("hidden_size", 1024)
        query_heads = section.integer("num_attention_heads", 16)
        found = cls(
            codebook_size=section.integer("codebook_size", 2048),
            codebook_dim=section.integer("codebook_dim"),
            quantizers=section.integer("num_quantizers", 16),
            semantic_quantizers=section.integer("num_semantic_quantizers"),
            hidden_size=hidden_size,
            latent_dim=section.integer("latent_dim", 1024),
            intermediate_size=section.integer("intermediate_size", 3072),
            layers=section.integer("num_hidden_layers", 8),
            query_heads=query_heads,
            kv_heads=section.integer("num_key_value_heads", 16),
            head_dim=section.integer("head_dim", hidden_size // max(1, query_heads)),
            sliding_window=section.integer("sliding_window", 72),
            rope_theta=rope_theta(section, 10_000.0),
            norm_eps=section.number("rms_norm_eps", 1e-5),
            decoder_dim=section.integer("decoder_dim", 1536),
            upsample_rates=section.integers("upsample_rates", (8, 5, 4, 3)),
            upsampling_ratios=section.integers("upsampling_ratios", (2, 2)),
        )
        if not 1 <= found.sliding_window <= MAX_WINDOW:
            raise section.invalid("sliding_window", f"must lie between 1 and {MAX_WINDOW}")
        return found


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
            encoder_quantizers=section.integer("encoder_valid_num_quantizers", 16),
            input_sample_rate=section.integer("input_sample_rate", 24_000),
            output_sample_rate=section.integer("output_sample_rate", 24_000),
            samples_per_frame=section.integer("decode_upsample_rate", 1920),
            input_samples_per_frame=section.integer("encode_downsample_rate", 1920),
        )


def read_model_config(folder: Path) -> SpeechModelConfig:
    return SpeechModelConfig.from_json(read_json(folder / CONFIG_FILE))


def read_generation_config(folder: Path) -> GenerationConfig:
    """Read how the checkpoint draws; the published package's own way where the file is missing."""
    file = folder / GENERATION_FILE
    return GenerationConfig.from_json(read_json(file) if file.exists() else Section({}, file))


def read_speech_tokenizer_config(folder: Path) -> SpeechTokenizerConfig:
    """Read the tokenizer's own config.json; `folder` is `<model>/speech_tokenizer`."""
    return SpeechTokenizerConfig.from_json(read_json(folder / CONFIG_FILE))
