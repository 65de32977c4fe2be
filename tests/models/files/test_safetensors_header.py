from __future__ import annotations

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given, strategies as st
from safetensors.numpy import save

from tts_core.models.files.safetensors_header import declared_size


def with_header(header: object) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


@given(shapes=st.lists(st.lists(st.integers(0, 5), max_size=3), min_size=1, max_size=5))
def test_a_file_of_the_real_library_declares_its_own_size(shapes: list[list[int]]) -> None:
    data = save({f"t{number}": np.ones(shape, np.float32) for number, shape in enumerate(shapes)}, {"note": "x"})
    assert declared_size(io.BytesIO(data)) == len(data)


@given(cut=st.integers(9, 100))
def test_a_file_that_ends_within_its_header_has_no_declared_size(cut: int) -> None:
    data = save({"a_tensor_with_a_name_long_enough": np.ones(4, np.float32)}, {"note": "x" * 50})
    assert declared_size(io.BytesIO(data[:cut])) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x02\0\0\0",
        b"<!DOCTYPE html><html>",
        b'{"error": "not found"}',
        struct.pack("<Q", 200_000_000) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 5) + b"{nope",
        with_header({}),
        with_header({"__metadata__": {}}),
        with_header({"a": 1}),
        with_header({"a": {"data_offsets": [0]}}),
        with_header({"a": {"data_offsets": ["0", "4"]}}),
        with_header({"a": {"data_offsets": [0, 1e300]}}),
        with_header({"a": {"data_offsets": [4, 0]}}),
        with_header({"a": {"data_offsets": [0, 4]}, "b": {"data_offsets": [8, 12]}}),
        struct.pack("<Q", 100_001) + b"{" + b"[" * 100_000,
    ],
)
def test_what_is_no_safetensors_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        declared_size(io.BytesIO(data))


@given(data=st.binary(max_size=200))
def test_any_bytes_give_a_size_or_a_refusal(data: bytes) -> None:
    try:
        size = declared_size(io.BytesIO(data))
    except ValueError:
        return
    assert size is None or size > 8
