import subprocess
import sys

LIST = """
import sys, types
# `import holdfast` may bring PyTorch; what the gallery itself brings is the question here.
sys.modules["holdfast.models"] = types.SimpleNamespace(Encoder=None)
from holdfast.search import Gallery
from holdfast.entries import Entries, GroupCommit
from holdfast.index import LocalIndex
print(" ".join(sys.modules))
"""


def test_the_gallery_needs_no_heavy_package() -> None:
    finished = subprocess.run([sys.executable, "-c", LIST], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in finished.stdout.split()}
    assert loaded & {"ray", "torch", "pytorch_metric_learning", "alembic", "pyarrow", "matplotlib"} == set()
