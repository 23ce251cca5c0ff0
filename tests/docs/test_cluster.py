"""`cluster.yaml` is what Ray's own cluster launcher accepts."""

import resource
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

FILE = Path(__file__).parents[2] / "cluster.yaml"


@pytest.fixture
def config() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return loaded


def test_rays_launcher_accepts_it(config: dict[str, Any]) -> None:
    """Ray's schema and checks, after its defaults were filled in, as `ray up` does it."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(config)
    validate_config(prepared)
    (workers,) = prepared["available_node_types"].values()
    assert workers["max_workers"] == len(config["provider"]["worker_ips"])


def test_rays_schema_knows_every_key(config: dict[str, Any]) -> None:
    import json

    import jsonschema
    import ray.autoscaler

    schema = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())
    jsonschema.validate(config, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**config, "providers": {}}, schema)


def test_the_cluster_asks_for_its_token_and_hides_its_dashboard(config: dict[str, Any]) -> None:
    for part in ("head", "worker"):
        *_, start = config[f"{part}_start_ray_commands"]
        assert "RAY_AUTH_MODE=token" in start
    *_, head = config["head_start_ray_commands"]
    assert "--dashboard-host=127.0.0.1" in head


def test_what_it_sets_up_is_a_target_of_the_makefile(config: dict[str, Any]) -> None:
    (setup,) = config["setup_commands"]
    target = setup.split("make ")[1]
    assert f"\n{target}:" in (FILE.parent / "Makefile").read_text()


@pytest.mark.parametrize("hard", [4096, min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 100_000)])
def test_a_low_limit_on_open_files_is_raised_as_far_as_it_goes(hard: int, config: dict[str, Any]) -> None:
    for part in ("head", "worker"):
        *_, start = config[f"{part}_start_ray_commands"]
        before, ray, _ = start.partition("ray start")
        assert ray
        script = f"ulimit -Sn 1024; ulimit -Hn {hard}; export OMP_NUM_THREADS=1; {before} ulimit -n; env"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[0] == str(min(hard, 65_536))
        # Ray's launcher sets it to 1, for all that will run there.
        assert "OMP_NUM_THREADS" not in done.stdout
