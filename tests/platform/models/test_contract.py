import hashlib

import pytest

from holdfast.models import Contract, Preprocessing

CONTRACT = Contract(weights_sha256="ab", preprocessing=Preprocessing(), backbone="conv4", dimension=128)


def test_the_id_is_the_hash_of_the_canonical_json():
    canonical = (
        '{"backbone":"conv4","dimension":128,"normalization":"l2","preprocessing":{"background":255,'
        '"channels":1,"fit":"stretch","mean":0.5,"size":28,"std":0.5},"weights_sha256":"ab"}'
    )
    assert CONTRACT.id == "hf1-" + hashlib.sha256(canonical.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    "change",
    [
        {"weights_sha256": "ac"},
        {"backbone": "resnet18"},
        {"dimension": 64},
        {"preprocessing": Preprocessing(size=32)},
        {"preprocessing": Preprocessing(channels=3)},
        {"preprocessing": Preprocessing(fit="pad")},
        {"preprocessing": Preprocessing(mean=0.4)},
        {"preprocessing": Preprocessing(std=0.4)},
        {"preprocessing": Preprocessing(background=0)},
    ],
)
def test_any_change_gives_another_id(change):
    assert CONTRACT.model_copy(update=change).id != CONTRACT.id
