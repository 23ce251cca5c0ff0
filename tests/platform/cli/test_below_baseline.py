"""`holdfast run` over a pretrained network that a destructive rate spoils."""

from pathlib import Path

import pytest
import torch
import transformers
import yaml

from holdfast.cli import main
from tests.fixtures.two_towers import save


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A tiny network of transformers that nobody trained: its random filters tell one glyph from another all
    the same."""
    torch.manual_seed(0)
    config = transformers.ResNetConfig(embedding_size=32, hidden_sizes=[64, 128], depths=[1, 1])
    processor = {
        "image_processor_type": "ConvNextImageProcessor",
        "size": {"shortest_edge": 64},
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    return save(tmp_path / "network", transformers.ResNetModel(config), **processor)


def test_it_is_refused_with_what_to_try_and_published_when_that_is_asked_for(
    tmp_path: Path, network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {
        "name": "spoilt",
        "data": {
            "source": "glyphs:?classes=36&instances=16",
            "train": {"split": "train"},
            "evaluate": {"split": "evaluation"},
        },
        "stream": {"tasks": 1, "validation": 0.5},
        "model": {
            "trunk": {"kind": "transformers", "weights": str(network)},
            "dimension": 16,
            "preprocessing": {"size": 64},
        },
        "learning": {
            "epochs": 1,
            "batch_size": 16,
            "precision": "float32",
            "optimizer": {"learning_rate": 1e-3, "trunk_learning_rate": 0.3},
        },
        "scaling": {"workers": 0, "cpus_per_worker": 1},
    }
    file = tmp_path / "spoilt.yaml"
    file.write_text(yaml.safe_dump(values))

    def run(*options: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["run", str(file), "--store", str(tmp_path / "store"), *options])
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out + captured.err

    code, said = run()
    print(said)
    assert code == 3
    for words in ("below the", "of the trunk as it was", "trunk_learning_rate", "'lora'", "--publish-anyway"):
        assert words in said
    code, said = run("--publish-anyway")
    assert code == 0
    assert "\N{BALLOT X} beside the trunk as it was" in said
