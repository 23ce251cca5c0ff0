"""What a sequence is told of the version that it starts from."""

from dataclasses import replace

from holdfast.models import Encoder, ModelConfig
from holdfast.publishing.ancestor import load_ancestor
from holdfast.store import Draft, open_store


def test_an_ancestor_knows_how_many_images_its_lineage_learned(tmp_path):
    Encoder(ModelConfig(dimension=8, width=0.125)).save(tmp_path / "encoder")
    draft = Draft(
        run="a",
        attempt=1,
        task=0,
        parent=None,
        model_folder=tmp_path / "encoder",
        experiment="name: a\n",
        data_fingerprint="data",
        metrics={"lineage_images": 30},
    )
    with open_store(tmp_path / "store") as store:
        store.versions.publish(draft)
        store.versions.publish(replace(draft, task=1, parent="v1", metrics={}))
        assert [load_ancestor(store, name, lambda _: None).images for name in ("v1", "v2")] == [30, None]
