"""Files made from a seed: written and hashed block by block, so that they may be larger than the memory."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BLOCK_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file on the disk of a hub."""

    source: Path
    size: int
    sha256: str
    git_sha1: str
    """git's name for the content, the ETag of small files on Hugging Face."""


def write_weights(target: Path, size: int, seed: int) -> StoredFile:
    """A sound safetensors file of exactly `size` bytes with two tensors of noise; no block of it comes twice."""
    data = size - 512  # the header, with its length, takes exactly that much
    half = data // 2
    header = json.dumps(
        {
            "talker.a": {"dtype": "U8", "shape": [half], "data_offsets": [0, half]},
            "talker.b": {"dtype": "U8", "shape": [data - half], "data_offsets": [half, data]},
        }
    ).encode()
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size)
    noise = np.random.Generator(np.random.SFC64(seed))
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as stream:
        block, left = struct.pack("<Q", 504) + header.ljust(504), data
        while block:
            stream.write(block)
            sha256.update(block)
            sha1.update(block)
            block = noise.bytes(min(BLOCK_BYTES, left))
            left -= len(block)
    return StoredFile(target, size, sha256.hexdigest(), sha1.hexdigest())


def write_bytes(target: Path, data: bytes) -> StoredFile:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    git_sha1 = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return StoredFile(target, len(data), hashlib.sha256(data).hexdigest(), git_sha1)
