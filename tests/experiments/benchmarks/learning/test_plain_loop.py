"""The opponent of Holdfast's training is an honest one."""

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from experiments.benchmarks.learning import plain_loop
from holdfast.data import Augmentation, AugmentConfig
from holdfast.models import Encoder, ModelConfig


def test_the_plain_loop_has_the_same_network() -> None:
    encoder = Encoder(ModelConfig(dimension=32)).eval()
    plain = plain_loop.plain_network(encoder).eval()
    ours = [value for name, value in encoder.state_dict().items() if name != "rotation"]
    plain.load_state_dict(dict(zip(plain.state_dict(), ours, strict=True)))
    images = torch.rand(4, 1, 28, 28)
    expected = encoder(images)
    normalized = encoder.preprocessing.normalize(images).contiguous()
    torch.testing.assert_close(F.normalize(plain(normalized)), expected, atol=1e-5, rtol=1e-4)


def test_the_plain_loop_has_the_same_loss() -> None:
    embeddings, labels = torch.randn(8, 16), torch.arange(8) % 3
    head = ModelConfig(dimension=16).head.build(16, 3)
    plain = plain_loop.CosFace(16, 3)
    plain.weight.data = head.directions.data.clone()
    torch.testing.assert_close(plain(embeddings, labels), head(F.normalize(embeddings), labels))


def test_the_plain_loop_distorts_as_holdfast_does() -> None:
    smooth = np.full((28, 28), 255, np.uint8)
    smooth[8:20, 10:17] = np.linspace(0, 200, 12, dtype=np.uint8)[:, None]
    augmentation = Augmentation(AugmentConfig())
    parameters = augmentation.draw(16, torch.Generator().manual_seed(3))
    images = torch.from_numpy(smooth)[None, None].expand(16, 1, 28, 28)
    expected = augmentation.apply(images, parameters)
    for row, theirs in zip(parameters[:, :6].tolist(), expected, strict=True):
        ours = plain_loop.to_tensor(plain_loop.distort(Image.fromarray(smooth), tuple(row)))
        assert (ours * 0.5 + 0.5 - theirs).abs().max() < 0.03


def test_the_plain_loop_draws_from_the_same_range() -> None:
    config = AugmentConfig()
    drawn = np.array([plain_loop.draw_matrix(config) for _ in range(4000)])
    theirs = Augmentation(config).draw(4000, torch.Generator().manual_seed(0))[:, :6].numpy()
    np.testing.assert_allclose(drawn.std(0), theirs.std(0), rtol=0.1, atol=0.01)
    np.testing.assert_allclose(drawn.mean(0), theirs.mean(0), atol=0.02)
