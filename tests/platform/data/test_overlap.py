import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from holdfast.base import DataError
from holdfast.data import DataConfig, load_evaluation, load_training, require_disjoint
from holdfast.models import Preprocessing

MakeParquet = Callable[..., Path]


def check(decoder: Preprocessing, path: Path, **more: Any) -> tuple[str, ...]:
    config = DataConfig.model_validate(
        {"source": f"parquet:{path}", "train": {"split": "train"}, "evaluate": {"split": "test"}, **more}
    )
    training = load_training(config, decoder)
    return require_disjoint(config, training, load_evaluation(config, decoder, seed=0))


def test_parts_without_a_common_image(make_parquet: MakeParquet, decoder: Preprocessing) -> None:
    assert check(decoder, make_parquet()) == ()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"train": {}}, r"10 of 10 evaluation images .* data\.train selects all rows, .* split 'test': "),
        ({"train": {"where": "label != 'class3'"}}, r"5 of 10 .* for example 's2_0\d'\. "),
        ({"evaluate": {"where": "label >= 'class1'"}}, r"5 of 15 .* where \"label >= 'class1'\""),
    ],
)
def test_rows_in_both_parts(
    make_parquet: MakeParquet, decoder: Preprocessing, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        check(decoder, make_parquet(), **more)


def test_the_same_image_under_another_name(
    make_parquet: MakeParquet, decoder: Preprocessing, make_png: Callable[..., bytes]
) -> None:
    images = [make_png(number) for number in range(20)]
    again = io.BytesIO()
    Image.open(io.BytesIO(images[2])).save(again, "BMP")
    images[15] = again.getvalue()
    with pytest.raises(DataError, match=r"1 of 10 .* 's3_00' \(in training 's0_02'\)"):
        check(decoder, make_parquet(image=images))


def test_it_can_be_meant(make_parquet: MakeParquet, decoder: Preprocessing) -> None:
    with pytest.warns(UserWarning, match="10 of 10 evaluation images are training images too"):
        (note,) = check(decoder, make_parquet(), train={}, allow_overlap=True)
    assert "allow_overlap" in note
    everything: dict[str, Any] = {"train": {}, "evaluate": {}, "allow_overlap": True}
    with pytest.warns(UserWarning, match="20 of 20"):
        check(decoder, make_parquet(), **everything)


def test_without_digests_the_pixels_are_compared(make_parquet: MakeParquet, decoder: Preprocessing) -> None:
    config = DataConfig.model_validate({"source": f"parquet:{make_parquet()}", "evaluate": {"split": "test"}})
    training = replace(load_training(config, decoder), digests=None)
    with pytest.raises(DataError, match="10 of 10"):
        require_disjoint(config, training, load_evaluation(config, decoder, seed=0))
    others = replace(training, images=np.array(training.images) // 2 + 128)
    assert require_disjoint(config, others, load_evaluation(config, decoder, seed=0)) == ()
