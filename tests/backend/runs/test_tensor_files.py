from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save

from vaeviewer.backend.runs.tensor_files import check_arrays, pack, unpack
from vaeviewer.limits import MAX_TENSOR_HEADER_BYTES

dtypes = st.sampled_from(
    ["bool", "uint8", "int8", "uint16", "int32", "int64", "uint64", "float16", "float32", "float64", ">f4"]
)
arrays = dtypes.flatmap(
    lambda dtype: hnp.arrays(
        dtype,
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        elements=hnp.from_dtype(np.dtype(dtype), allow_nan=False, allow_infinity=False),
    )
)

names = st.text(st.characters(codec="utf-8"), max_size=20).filter(lambda name: name != "__metadata__")


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.dictionaries(names, arrays, max_size=4))
def test_arrays_come_back_equal(tensors: dict[str, np.ndarray]) -> None:
    written = b"".join(pack(tensors))
    assert written == save({name: array.copy() for name, array in tensors.items()}), "as the library does"
    back = unpack(written)
    assert back.keys() == tensors.keys()
    for name, array in tensors.items():
        assert back[name].dtype == array.dtype.newbyteorder("=")
        assert back[name].shape == array.shape
        np.testing.assert_array_equal(back[name], array)
        assert back[name].flags.writeable


def test_memory_in_any_order_is_written_in_its_logical_order() -> None:
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for view in (array.T, array[:, ::-1], array[:, 1:2], np.broadcast_to(array[:1], (5, 3, 4))):
        np.testing.assert_array_equal(unpack(b"".join(pack({"a": view})))["a"], view)


def test_bfloat16_travels_as_its_bits() -> None:
    bits = np.array([0x3F80, 0xC000], np.uint16)
    np.testing.assert_array_equal(unpack(b"".join(pack({"a": bits})))["a"], bits)


@pytest.mark.parametrize(
    ("tensors", "problem"),
    [
        ({"a": np.array([1.0, np.nan], np.float32)}, "a holds values that are not finite"),
        ({"a": np.array(np.inf)}, "a holds values that are not finite"),
        ({"a": np.array([object()])}, "a has dtype object"),
        ({"a": np.array(["x"])}, "a has dtype str"),
        ({"a": np.array([1j])}, "a has dtype complex128"),
        ({"__metadata__": np.zeros(1)}, "cannot name"),
        ({"x" * 257: np.zeros(1)}, "cannot name"),
        ({f"{i:0250}": np.zeros(0) for i in range(4000)}, "header"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(tensors: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        pack(tensors)


def raw(header: dict[str, Any], body: bytes = b"", length: int | None = None) -> bytes:
    text = json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234567",
        pickle.dumps({"a": np.zeros(3)}),
        raw({}, length=2**63),
        raw({}, length=MAX_TENSOR_HEADER_BYTES + 1),
        raw({}, length=1000),
        raw({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, b"1234"),
        raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"12345678"),
        raw({"a": {"dtype": "F32", "shape": [0, 2**62], "data_offsets": [0, 0]}}),
        raw({"a": {"dtype": "F32", "shape": [2**32, 2**32], "data_offsets": [0, 0]}}),
        raw({"a": {"dtype": "F32", "shape": [0] * 70, "data_offsets": [0, 0]}}),
        raw({"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}, b"1234"),
        raw({"a": {"dtype": "XXX", "shape": [1], "data_offsets": [0, 4]}}, b"1234"),
        raw({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, b"1234"),
        raw({"a": [1, 2]}),
        save({"a": np.array([np.nan], np.float32)}),
        save({"a": np.array([np.inf], np.float64)}),
    ],
)
def test_bytes_that_are_no_tensor_file_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]{5,300}$"):
        unpack(data)


def test_exactly_the_arrays_asked_for_are_accepted() -> None:
    shapes = {"a": ("float32", (2,)), "b": ("float32", (1, 2))}
    good = {"a": np.zeros(2, np.float32), "b": np.zeros((1, 2), np.float32)}
    check_arrays(good, shapes)
    with pytest.raises(ValueError, match="b is missing"):
        check_arrays({"a": good["a"]}, shapes)
    with pytest.raises(ValueError, match="c does not belong"):
        check_arrays(good | {"c": good["a"]}, shapes)
    with pytest.raises(ValueError, match=r"b is float32 \(2, 1\), but the model has float32 \(1, 2\)"):
        check_arrays(good | {"b": good["b"].T}, shapes)
    with pytest.raises(ValueError, match="a is float64"):
        check_arrays(good | {"a": np.zeros(2)}, shapes)


TOO_LITTLE = """
import resource
import numpy as np
from vaeviewer.backend.runs.tensor_files import pack, unpack
data = b"".join(pack({str(part): np.zeros(2**22, np.float32) for part in range(8)}))
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + 3 * len(data) // 4
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    unpack(data)
except MemoryError:
    print("not enough memory")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits a process as Linux does")
def test_too_little_memory_is_an_exception_like_any_other() -> None:
    """Where it runs out inside of the library, that ends the process with a trace of its own."""
    done = subprocess.run(
        [sys.executable, "-c", TOO_LITTLE], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr, done.returncode) == ("not enough memory\n", "", 0)
