"""What all machines reach by the network: a PostgreSQL that asks for a password, and S3 by moto."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem
from sqlalchemy import create_engine, text

from experiments.benchmarks.harness.postgres import own_postgres
from experiments.benchmarks.nodes.network import Network

PORT = 5000
MOTO = "5.2.5"
START_SECONDS = 60.0
KEYS = {"AWS_ACCESS_KEY_ID": "holdfast", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}


@contextmanager
def running_database(network: Network) -> Iterator[str]:
    """The URL of an empty database, password and all. Raises FileNotFoundError where none is installed."""
    password = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="holdfast-nodes-") as place:
        # PostgreSQL is another user.
        Path(place).chmod(0o755)
        who = Path(place) / "pg_hba.conf"
        who.write_text(f"local all all trust\nhost all all {network.subnet} scram-sha-256\n")
        settings = {
            "listen_addresses": network.gateway,
            "hba_file": str(who),
            "max_connections": "200",
        }
        with own_postgres(settings=settings) as server:
            engine = create_engine(server.url)
            with engine.begin() as connection:
                connection.execute(text(f"ALTER ROLE holdfast PASSWORD '{password}'"))
            engine.dispose()
            yield f"postgresql+psycopg://holdfast:{password}@{network.gateway}/postgres"


@contextmanager
def running_objects(network: Network, bucket: str) -> Iterator[dict[str, str]]:
    """The variables by which every S3 client of the network reaches an object storage with an empty bucket.

    Raises FileNotFoundError where moto is not installed.
    """
    url = f"http://{network.gateway}:{PORT}"
    process = subprocess.Popen(
        [_moto(), "--host", network.gateway, "--port", str(PORT)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A program of its own, perhaps of another Python.
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                httpx.put(f"{url}/{bucket}", timeout=10).raise_for_status()
                break
            except httpx.HTTPError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        reach = {**KEYS, "AWS_SECRET_ACCESS_KEY": secrets.token_hex(16), "AWS_ENDPOINT_URL": url}
        _require_whole_uploads(reach, bucket)
        yield reach
    finally:
        process.kill()
        process.wait()


def _require_whole_uploads(reach: Mapping[str, str], bucket: str) -> None:
    """Raises FileNotFoundError for a release of moto whose answers pyarrow does not take."""
    files = S3FileSystem(
        access_key=reach["AWS_ACCESS_KEY_ID"],
        secret_key=reach["AWS_SECRET_ACCESS_KEY"],
        endpoint_override=reach["AWS_ENDPOINT_URL"],
        region=reach["AWS_REGION"],
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=1),
    )
    try:
        with files.open_output_stream(f"{bucket}/whole") as stream:
            stream.write(b"whole")
    except OSError as error:
        raise FileNotFoundError(
            f"moto's server does not end an upload, as releases before {MOTO} do not: pip install "
            f"'moto[server]>={MOTO}' ({error})"
        ) from error


def put_object(reach: Mapping[str, str], place: str, content: bytes) -> None:
    """Write an object to `BUCKET/NAME`. moto takes it from anybody."""
    httpx.put(f"{reach['AWS_ENDPOINT_URL']}/{place}", content=content, timeout=60).raise_for_status()


def _moto() -> str:
    beside = Path(sys.executable).with_name("moto_server")
    found = str(beside) if beside.is_file() else shutil.which("moto_server")
    if found is None:
        raise FileNotFoundError(f"no S3 server is installed: pip install 'moto[server]>={MOTO}'")
    return found
