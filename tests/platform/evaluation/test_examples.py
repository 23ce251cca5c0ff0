import io

import numpy as np
import pytest
from PIL import Image

from holdfast.evaluation import example_queries, score, thumbnail


@pytest.mark.parametrize(("shape", "mode"), [((28, 40), "L"), ((1, 28, 40), "L"), ((3, 28, 40), "RGB")])
def test_a_thumbnail_keeps_pixels_and_proportions(shape, mode):
    image = np.random.default_rng(0).integers(0, 256, size=shape, dtype=np.uint8)
    picture = Image.open(io.BytesIO(thumbnail(image)))
    assert (picture.format, picture.mode, picture.size) == ("PNG", mode, (40, 28))
    plain = image if image.ndim == 2 else image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    assert (np.asarray(picture) == plain).all()
    assert Image.open(io.BytesIO(thumbnail(image, side=20))).size == (20, 14)


@pytest.mark.parametrize(("wrong", "expected_right"), [(0, 6), (1, 5), (10, 3), (18, 2), (20, 0)])
def test_half_of_the_examples_are_wrong_where_there_are_as_many(wrong, expected_right):
    labels = np.arange(20)
    query_labels = np.where(labels < wrong, (labels + 1) % 20, labels)
    space = np.eye(20, dtype=np.float32)
    pictures = (np.ones((20, 1, 8, 8)) * labels[:, None, None, None]).astype(np.uint8)
    versions = np.array(["v1", "v2"])[labels % 2]
    examples = example_queries(
        pictures, query_labels, pictures, labels, score(space, query_labels, space, labels), versions, count=6
    )
    assert len(examples) == 6
    assert sum(example["hits"][0]["right"] for example in examples) == expected_right
    for example in examples:
        entry = int(example["hits"][0]["label"])
        assert example["hits"][0]["embedded_by"] == versions[entry]
        assert example["hits"][0]["score"] == 1.0
        assert np.asarray(Image.open(io.BytesIO(example["hits"][0]["png"])))[0, 0] == entry
        assert len(example["hits"]) == 5
