import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from holdfast.store.tensors import pack, unpack

ARRAYS = npst.arrays(
    st.sampled_from([np.float32, np.float16, np.int64, np.uint8, np.bool_]),
    npst.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5),
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text("abc._", min_size=1, max_size=5), ARRAYS, max_size=4), st.data())
def test_arrays_come_back_and_no_changed_byte_goes_unnoticed(
    tensors: dict[str, np.ndarray], data: st.DataObject
) -> None:
    packed = pack(tensors)
    found = unpack(packed)
    assert found.keys() == tensors.keys()
    for name, array in tensors.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
    position = data.draw(st.integers(0, len(packed) - 1))
    changed = bytearray(packed)
    changed[position] ^= 1 << data.draw(st.integers(0, 7))
    try:
        again = unpack(bytes(changed))
    except ValueError:
        return
    # Padding and the order of the header may differ without any meaning.
    assert again.keys() == tensors.keys()
    assert all(again[name].tobytes() == array.tobytes() for name, array in tensors.items())


@pytest.mark.parametrize("data", [b"", b"short", b"\xff" * 100])
def test_what_is_no_pack_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="safetensors"):
        unpack(data)
