import hashlib
import io
import json
import threading

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from pydantic import ValidationError

from holdfast.base import InvalidImageError, StoreError
from holdfast.models import CosFaceConfig, Encoder, ModelConfig, Preprocessing, SimplexConfig

SMALL = ModelConfig(width=0.25, dimension=16)


@pytest.fixture
def encoder():
    """A small encoder that has seen a few batches, so that its running statistics have moved."""
    torch.manual_seed(0)
    made = Encoder(SMALL)
    for _ in range(3):
        made(torch.rand(32, 1, 28, 28))
    return made


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (50, 1, 28, 28), np.uint8)


def test_embeddings_are_float32_of_unit_norm(encoder):
    for pixels in (torch.rand(8, 1, 28, 28), torch.randint(0, 256, (8, 1, 28, 28), dtype=torch.uint8)):
        embeddings = encoder(pixels)
        assert (embeddings.dtype, embeddings.shape) == (torch.float32, (8, 16))
        torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(8))


def test_under_autocast_only_the_trunk_loses_precision(encoder):
    pixels = torch.rand(8, 1, 28, 28)
    seen = []
    encoder.trunk.register_forward_hook(lambda _, __, output: seen.append(output.dtype))
    encoder.linear.register_forward_hook(lambda _, __, output: seen.append(output.dtype))
    encoder.norm.register_forward_hook(lambda _, __, output: seen.append(output.dtype))
    plain = encoder.eval()(pixels)
    seen.clear()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        embeddings = encoder(pixels)
    assert seen == [torch.bfloat16, torch.float32, torch.float32]
    assert embeddings.dtype == torch.float32
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(8))
    assert (embeddings * plain).sum(1).min() > 0.99


def test_training_under_autocast_gives_finite_float32_gradients(encoder):
    assert encoder.trunk.layers[3].weight.is_contiguous(memory_format=torch.channels_last)
    head = CosFaceConfig().build(16, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = head(encoder(torch.rand(16, 1, 28, 28)), torch.arange(16) % 4)
    loss.backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad.dtype == torch.float32, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_embed_agrees_with_forward_and_leaves_the_mode(encoder, images):
    assert encoder.training
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    embeddings = encoder.embed(images)
    assert encoder.training
    assert encoder.trunk.training
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
    with torch.no_grad():
        np.testing.assert_allclose(encoder.eval()(torch.tensor(images)).numpy(), embeddings, atol=1e-6)
    encoder.embed(images)
    assert not encoder.training


@pytest.mark.parametrize("batch_size", [1, 7, 50, 512])
def test_an_embedding_does_not_depend_on_its_batch(encoder, images, batch_size):
    np.testing.assert_allclose(encoder.embed(images, batch_size), encoder.embed(images), atol=1e-5)


def test_embed_takes_pillow_images_bytes_and_read_only_arrays(encoder, images):
    expected = encoder.embed(images)
    pictures = [Image.fromarray(image[0]) for image in images]
    files = []
    for picture in pictures:
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        files.append(buffer.getvalue())
    images.flags.writeable = False
    for given_images in (pictures, files, tuple(pictures), images):
        np.testing.assert_array_equal(encoder.embed(given_images), expected)
    assert encoder.embed([]).shape == (0, 16)
    assert encoder.embed(images[:0]).shape == (0, 16)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 1, 28, 28), np.float32),
        np.zeros((2, 3, 28, 28), np.uint8),
        np.zeros((2, 1, 32, 32), np.uint8),
        np.zeros((28, 28), np.uint8),
        np.array(5),
    ],
)
def test_embed_refuses_other_arrays(encoder, wrong):
    with pytest.raises(InvalidImageError, match=r"uint8 of shape \(n, 1, 28, 28\)"):
        encoder.embed(wrong)


def test_one_bad_image_is_refused_and_the_mode_restored(encoder, images):
    with pytest.raises(InvalidImageError):
        encoder.embed([Image.fromarray(images[0, 0]), b"no image"])
    assert encoder.training


def test_a_served_encoder_can_be_shared_by_threads(encoder, images):
    encoder.eval()
    expected = encoder.embed(images)
    results = {}

    def work(index):
        results[index] = [encoder.embed(images, 13) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for embeddings in results.values():
        for embedding in embeddings:
            np.testing.assert_allclose(embedding, expected, atol=1e-5)


def test_save_and_load_give_the_same_embeddings(encoder, images, tmp_path):
    contract = encoder.save(tmp_path)
    loaded = Encoder.load(tmp_path)
    assert not loaded.training
    assert loaded.config == encoder.config
    assert loaded.contract() == contract == encoder.contract()
    np.testing.assert_array_equal(loaded.embed(images), encoder.embed(images))
    assert int(loaded.norm.num_batches_tracked) == 3
    state = loaded.state_dict()
    assert state.keys() == encoder.state_dict().keys()
    for name, value in encoder.state_dict().items():
        assert torch.equal(state[name], value), name


def test_saving_is_deterministic_and_ignores_the_memory_format(encoder, tmp_path):
    encoder.save(tmp_path / "a")
    encoder.to(memory_format=torch.contiguous_format).save(tmp_path / "b")
    Encoder.load(tmp_path / "a").save(tmp_path / "c")
    for file in ("weights.safetensors", "encoder.json"):
        contents = {(tmp_path / folder / file).read_bytes() for folder in "abc"}
        assert len(contents) == 1
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["encoder.json", "weights.safetensors"]
    digest = hashlib.sha256((tmp_path / "a" / "weights.safetensors").read_bytes()).hexdigest()
    assert encoder.contract().weights_sha256 == digest


def test_the_contract_follows_weights_and_preprocessing(encoder):
    first = encoder.contract().id
    assert first.startswith("hf1-")
    assert len(first) == 20
    other = Encoder(SMALL.model_copy(update={"preprocessing": Preprocessing(fit="pad")}))
    other.load_state_dict(encoder.state_dict())
    assert other.contract().weights_sha256 == encoder.contract().weights_sha256
    assert other.contract().id != first
    with torch.no_grad():
        encoder.norm.running_mean[0] += 1e-3
    assert encoder.contract().id != first


def test_the_head_is_not_part_of_the_contract(encoder):
    other = Encoder(SMALL.model_copy(update={"head": SimplexConfig(classes=8)}))
    other.load_state_dict(encoder.state_dict())
    assert other.contract() == encoder.contract()


@pytest.mark.parametrize("at", [10, 5000, -1])
def test_damaged_weights_are_noticed(encoder, tmp_path, at):
    encoder.save(tmp_path)
    path = tmp_path / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"weights\.safetensors is damaged"):
        Encoder.load(tmp_path)
    path.write_bytes(content[:100])
    with pytest.raises(StoreError, match=r"weights\.safetensors is damaged"):
        Encoder.load(tmp_path)


@pytest.mark.parametrize("file", ["weights.safetensors", "encoder.json"])
def test_a_missing_file_is_named(encoder, tmp_path, file):
    encoder.save(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(StoreError, match=rf"{file} cannot be read"):
        Encoder.load(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", '{"config": {}, "contract": {}}', "\xff"])
def test_a_damaged_description_is_named(encoder, tmp_path, text):
    encoder.save(tmp_path)
    (tmp_path / "encoder.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(StoreError, match=r"encoder\.json is damaged"):
        Encoder.load(tmp_path)


def change_config(description):
    description["config"]["preprocessing"]["fit"] = "pad"


def change_both(description):
    description["config"]["preprocessing"]["fit"] = "pad"
    description["contract"]["preprocessing"]["fit"] = "pad"


@pytest.mark.parametrize("change", [change_config, change_both])
def test_a_changed_description_is_noticed(encoder, tmp_path, change):
    encoder.save(tmp_path)
    path = tmp_path / "encoder.json"
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))
    with pytest.raises(StoreError, match=r"encoder\.json was changed"):
        Encoder.load(tmp_path)


def test_loading_does_not_move_the_random_stream(encoder, tmp_path):
    encoder.save(tmp_path)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    Encoder.load(tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_the_same_seed_gives_the_same_encoder():
    made = []
    for seed in (7, 7, 8):
        torch.manual_seed(seed)
        made.append(Encoder(SMALL).contract().id)
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize(
    "wrong",
    [
        {"trunk": "conv5"},
        {"trunk": "timm:"},
        {"dimension": 1},
        {"width": 0},
        {"head": {"kind": "nothing"}},
        {"preprocessing": {"std": 0}},
        {"preprocessing": {"channels": 2}},
        {"bakbone": "conv4"},
    ],
)
def test_impossible_configs_are_refused(wrong):
    with pytest.raises(ValidationError):
        ModelConfig.model_validate(wrong)


def test_resnet18_goes_the_same_way(tmp_path):
    torch.manual_seed(0)
    config = ModelConfig(
        trunk="resnet18", width=0.125, dimension=8, preprocessing=Preprocessing(size=64, channels=3)
    )
    encoder = Encoder(config)
    encoder.save(tmp_path)
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8))
    embedding = Encoder.load(tmp_path).embed([photo])
    assert embedding.shape == (1, 8)
    np.testing.assert_array_equal(embedding, encoder.embed([photo]))


def test_what_was_written_while_the_trunk_was_a_backbone_is_the_same_contract(encoder, tmp_path):
    contract = encoder.save(tmp_path)
    assert "backbone.layers.0.weight" in safetensors.torch.load_file(tmp_path / "weights.safetensors")
    description = json.loads((tmp_path / "encoder.json").read_text())
    description["config"]["backbone"] = description["config"].pop("trunk")
    (tmp_path / "encoder.json").write_text(json.dumps(description))
    assert Encoder.load(tmp_path).contract() == contract


def test_the_norm_follows_a_trunk_that_learns_as_it_embeds() -> None:
    encoder = Encoder(ModelConfig(width=0.25))
    assert encoder.train().norm.training
    encoder.trunk.as_it_embeds = True
    assert not encoder.train().norm.training
    assert encoder.training
