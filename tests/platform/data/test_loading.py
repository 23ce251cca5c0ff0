from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from holdfast.base import DataError
from holdfast.data import DataConfig, load_evaluation, load_training
from holdfast.models import Preprocessing

MakeParquet = Callable[..., Path]


def config(path: Path, queries: str | float = 0.25, **more: object) -> DataConfig:
    return DataConfig.model_validate(
        {
            "source": f"parquet:{path}",
            "train": {"split": "train"},
            "evaluate": {"split": "test", "queries": queries},
            "columns": {"drawer": {"of": "sample_id", "pattern": r"_(\d+)$"}},
            **more,
        }
    )


def test_training_images(make_parquet: MakeParquet, decoder: Preprocessing) -> None:
    images = load_training(config(make_parquet(classes=6)), decoder)
    assert sorted(set(images.labels)) == ["class0", "class1", "class2"]


def test_queries_by_expression(make_parquet: MakeParquet, decoder: Preprocessing) -> None:
    evaluation = load_evaluation(config(make_parquet(), "drawer < 2"), decoder, seed=0)
    assert evaluation.queries.sample_ids.tolist() == ["s2_00", "s2_01", "s3_00", "s3_01"]
    assert evaluation.gallery.columns["drawer"].tolist() == [2, 3, 4, 2, 3, 4]


def test_evaluation_images_are_mapped(make_parquet: MakeParquet, decoder: Preprocessing, cache: Path) -> None:
    path = make_parquet()
    evaluation = load_evaluation(config(path), decoder, seed=0)
    for part in (evaluation.queries, evaluation.gallery):
        assert isinstance(part.images, np.memmap)
        assert not part.images.flags.writeable
        labels = np.char.add("class", (part.images[:, 0, 0, 0] // 5).astype(str))
        assert labels.tolist() == part.labels.tolist()
    for file in cache.glob("*/rows-*.bin"):
        content = bytearray(file.read_bytes())
        file.unlink()
        file.write_bytes(bytes(len(content)))
    again = load_evaluation(config(path), decoder, seed=0)
    assert np.array_equal(again.gallery.images, evaluation.gallery.images), "a damaged copy is made anew"


@pytest.mark.parametrize(("share", "expected"), [(0.25, 5), (0.001, 1), (0.999, 19), (0.5, 10)])
def test_queries_by_share(
    make_parquet: MakeParquet, decoder: Preprocessing, share: float, expected: int
) -> None:
    path = make_parquet(instances=20)
    evaluation = load_evaluation(config(path, share), decoder, seed=0)
    for part, count in ((evaluation.queries, expected), (evaluation.gallery, 20 - expected)):
        assert np.unique(part.labels, return_counts=True)[1].tolist() == [count, count]
    assert set(evaluation.queries.sample_ids).isdisjoint(evaluation.gallery.sample_ids)
    again = load_evaluation(config(path, share), decoder, seed=0)
    other = load_evaluation(config(path, share), decoder, seed=1)
    assert again.queries.fingerprint == evaluation.queries.fingerprint
    assert other.queries.fingerprint != evaluation.queries.fingerprint


def test_a_lone_image_goes_to_the_gallery(make_parquet: MakeParquet, decoder: Preprocessing) -> None:
    path = make_parquet(label=[*["a", "b"] * 5, "lone", *["c", "d", "c"] * 3])
    evaluation = load_evaluation(config(path, 0.9), decoder, seed=0)
    assert "lone" in evaluation.gallery.labels
    assert sorted(set(evaluation.queries.labels)) == ["c", "d"]


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ("drawer > 100", "selects no query among the 10"),
        ("drawer >= 0", "selects all 10"),
        ("label == 'class2'", "leaves 1 classes without a gallery image: class2"),
        ("drawr == 1", "names drawr; the columns are"),
    ],
)
def test_impossible_queries(
    make_parquet: MakeParquet, decoder: Preprocessing, queries: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_evaluation(config(make_parquet(), queries), decoder, seed=0)


def test_one_class_is_not_enough(make_parquet: MakeParquet, decoder: Preprocessing) -> None:
    path = make_parquet(label=["only"] * 20)
    with pytest.raises(DataError, match=r"training images .* all of one class \(only\)"):
        load_training(config(path), decoder)
    with pytest.raises(DataError, match=r"evaluation images .* all of one class"):
        load_evaluation(config(path), decoder, seed=0)


def test_the_omniglot_protocol(shared_data: Path) -> None:
    evaluate = {"split": "evaluation", "where": "drawer in [4, 5, 6]", "queries": "drawer <= 5"}
    omniglot = config(shared_data / "omniglot.parquet", evaluate=evaluate)
    evaluation = load_evaluation(omniglot, Preprocessing(), seed=0)
    assert (len(evaluation.queries), len(evaluation.gallery)) == (659 * 2, 659)
    assert len(set(evaluation.queries.labels)) == 659
    assert set(np.unique(evaluation.queries.images)) == {0, 255}
