"""Turns sound into a speaker embedding (x-vector): ECAPA-TDNN (arXiv 2005.07143) over a log-mel spectrogram.

Attribute names are the checkpoint's below `speaker_encoder.`. Feature maps travel as [B, C, T], T mel frames.
It computes in fp32 whatever the model's precision: it runs once per voice.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from tts_core.engines.qwen.talker.config import SpeakerEncoderConfig
from tts_core.engines.qwen.talker.weights import Placement, build_on_meta, load_weights

PREFIX = "speaker_encoder."
"""The beginning of the speaker encoder's names in the model's file."""
OTHER_PREFIXES = ("talker.",)
"""The beginnings of all other names in that file."""
VARIANCE_FLOOR = 1e-12

FFT_SIZE = 1024
"""Samples of a transform and of its window."""
HOP = 256
"""Samples between mel frames."""
MEL_MAGNITUDE_FLOOR = 1e-9
"""A small number that is added to the squared magnitude."""
MEL_FLOOR = 1e-5
"""Least mel energy before the logarithm."""


class TimeDelayBlock(nn.Module):
    """Convolution as long as its input (mirrored at the ends), then ReLU."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(
            channels_in, channels_out, kernel, dilation=dilation, padding="same", padding_mode="reflect"
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.conv(x))


class Res2NetBlock(nn.Module):
    """The channels in `scale` groups: the first passes, each other is convolved after adding the result before it."""

    def __init__(self, channels: int, scale: int, kernel: int, dilation: int) -> None:
        super().__init__()
        width = channels // scale
        self.blocks = nn.ModuleList(TimeDelayBlock(width, width, kernel, dilation) for _ in range(scale - 1))

    def forward(self, x: Tensor) -> Tensor:
        first, *groups = x.chunk(len(self.blocks) + 1, dim=1)
        done = [first]
        for number, (block, group) in enumerate(zip(self.blocks, groups, strict=True)):
            done.append(block(group + done[-1] if number else group))
        return torch.cat(done, dim=1)


class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate computed from the means of all."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(channels, squeezed, 1)
        self.conv2 = nn.Conv1d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=2, keepdim=True)
        return x * torch.sigmoid(self.conv2(functional.relu(self.conv1(mean))))


class SqueezeRes2NetBlock(nn.Module):
    """TDNN, Res2Net, TDNN and squeeze-excitation beside the identity."""

    def __init__(self, config: SpeakerEncoderConfig, layer: int) -> None:
        super().__init__()
        channels = config.channels[layer]
        self.tdnn1 = TimeDelayBlock(config.channels[layer - 1], channels, 1, 1)
        self.res2net_block = Res2NetBlock(
            channels, config.res2net_scale, config.kernel_sizes[layer], config.dilations[layer]
        )
        self.tdnn2 = TimeDelayBlock(channels, channels, 1, 1)
        self.se_block = SqueezeExcitation(channels, config.se_channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.se_block(self.tdnn2(self.res2net_block(self.tdnn1(x))))  # type: ignore[no-any-return]


class AttentivePooling(nn.Module):
    """Mean and standard deviation over time, weighted by attention that knows the unweighted ones."""

    def __init__(self, channels: int, attention_channels: int) -> None:
        super().__init__()
        self.tdnn = TimeDelayBlock(3 * channels, attention_channels, 1, 1)
        self.conv = nn.Conv1d(attention_channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, T] -> [B, 2C, 1]."""
        even = x.new_full((1, 1, x.shape[2]), 1.0 / x.shape[2])
        context = torch.cat((x, *(value.expand_as(x) for value in _statistics(x, even))), dim=1)
        weights = self.conv(torch.tanh(self.tdnn(context))).softmax(dim=2)
        return torch.cat(_statistics(x, weights), dim=1)


def _statistics(x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [B, C, 1] of x [B, C, T]; the weights add up to one over T."""
    mean = (weights * x).sum(dim=2, keepdim=True)
    variance = (weights * (x - mean).square()).sum(dim=2, keepdim=True)
    return mean, variance.clamp(min=VARIANCE_FLOOR).sqrt()


class SpeakerEncoder(nn.Module):
    """The speaker encoder of a Base model."""

    def __init__(self, config: SpeakerEncoderConfig) -> None:
        super().__init__()
        first, last = config.channels[0], config.channels[-1]
        inner = range(1, len(config.channels) - 1)
        self.blocks = nn.ModuleList(
            [
                TimeDelayBlock(config.mel_bins, first, config.kernel_sizes[0], config.dilations[0]),
                *(SqueezeRes2NetBlock(config, layer) for layer in inner),
            ]
        )
        joined = sum(config.channels[layer] for layer in inner)
        self.mfa = TimeDelayBlock(joined, last, config.kernel_sizes[-1], config.dilations[-1])
        self.asp = AttentivePooling(last, config.attention_channels)
        self.fc = nn.Conv1d(2 * last, config.embedding_size, 1)
        self.mel_bins = config.mel_bins
        self.sample_rate = config.sample_rate
        """Hertz that `embed` expects."""

    @classmethod
    def load(cls, file: Path, config: SpeakerEncoderConfig, device: torch.device) -> SpeakerEncoder:
        """Read the speaker encoder from the model's model.safetensors.

        Raises ModelFileMissing, WeightsUnreadable or WeightsMismatch.
        """
        module = build_on_meta(lambda: cls(config))
        load_weights(
            module,
            file,
            Placement(device, torch.float32),
            skip=OTHER_PREFIXES,
            rename=lambda name: name.removeprefix(PREFIX),
        )
        return module.eval()

    def forward(self, mel: Tensor) -> Tensor:
        """mel [B, bins, T] -> embedding [B, D]."""
        x = self.blocks[0](mel)
        outputs = []
        for block in self.blocks[1:]:
            x = block(x)
            outputs.append(x)
        return self.fc(self.asp(self.mfa(torch.cat(outputs, dim=1))))[..., 0]  # type: ignore[no-any-return]

    @torch.inference_mode()
    def embed(self, samples: Tensor) -> Tensor:
        """samples [N], fp32 at `sample_rate` -> embedding [D], fp32."""
        mel = log_mel(samples.to(self.fc.weight.device, torch.float32), self.mel_bins, self.sample_rate)
        return self(mel[None])[0]  # type: ignore[no-any-return]


def log_mel(samples: Tensor, bins: int, sample_rate: int) -> Tensor:
    """Logarithm of the mel magnitudes: samples [N] -> [bins, N // HOP]; N must exceed (FFT_SIZE - HOP) / 2."""
    from librosa.filters import mel  # noqa: PLC0415 - takes a second to load, and only recordings need it

    margin = (FFT_SIZE - HOP) // 2
    padded = functional.pad(samples[None], (margin, margin), mode="reflect")[0]
    window = torch.hann_window(FFT_SIZE, device=samples.device)
    spectrum = torch.stft(padded, FFT_SIZE, HOP, window=window, center=False, return_complex=True)
    magnitude = (torch.view_as_real(spectrum).square().sum(dim=-1) + MEL_MAGNITUDE_FLOOR).sqrt()
    # The published package takes its filters from librosa, too, with these defaults (Slaney's, of equal area).
    filters = torch.from_numpy(mel(sr=sample_rate, n_fft=FFT_SIZE, n_mels=bins)).to(samples.device)
    return (filters @ magnitude).clamp(min=MEL_FLOOR).log()
