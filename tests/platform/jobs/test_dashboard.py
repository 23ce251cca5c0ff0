"""Submission as a user meets it, against a dashboard that answers whatever a test wants."""

import inspect
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import pytest

from holdfast import cli
from holdfast.cli.learn import run
from holdfast.cli.submit import FLAGS
from holdfast.jobs import submit as submitting
from holdfast_serving.launch import free_port


class Cluster:
    """What the dashboard was told, and what it is to say: the job's status at each question."""

    def __init__(self) -> None:
        self.url = ""
        self.statuses = ["SUCCEEDED"]
        self.refuses: tuple[int, str] | None = None
        self.hangs_up = False
        self.submitted: dict[str, Any] = {}
        self.package = b""

    def status(self) -> str:
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    @property
    def experiment(self) -> str:
        with zipfile.ZipFile(BytesIO(self.package)) as package:
            (name,) = (name for name in package.namelist() if name.endswith("experiment.yaml"))
            return package.read(name).decode()


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    state = Cluster()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            job = {"type": "SUBMISSION", "entrypoint": "", "submission_id": "job-1", "message": "said so"}
            if self.path.endswith("/version"):
                self.answer(
                    200, {"ray_version": "2.60.0", "version": "4", "ray_commit": "", "session_name": ""}
                )
            elif "/packages/" in self.path:
                self.answer(404, {})
            elif self.path.endswith("/logs"):
                self.answer(200, {"logs": "learning\nat postgresql://u:s3cr3t@h/d\n"})
            elif state.hangs_up:
                self.close_connection = True
                self.connection.close()
            else:
                self.answer(200, {**job, "status": state.status()})

        def do_PUT(self) -> None:
            state.package = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(200, {})

        def do_POST(self) -> None:
            state.submitted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(200, {"job_id": "job-1", "submission_id": "job-1"})

        def answer(self, status: int, body: Any) -> None:
            status, text = state.refuses or (status, json.dumps(body))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "HOLDFAST_STORE", "HOLDFAST_ARTIFACTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setattr(submitting, "SILENT_SECONDS", 0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def submit(tiny_file, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run `holdfast submit --address ADDRESS OPTIONS -- run tiny.yaml COMMAND`."""

    def call(address: str, *command: str, options: tuple[str, ...] = ()) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(["submit", "--address", address, *options, "--", "run", str(tiny_file), *command])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return int(ended.value.code or 0), captured.out, captured.err

    return call


@pytest.mark.parametrize(
    ("status", "code"), [("SUCCEEDED", 0), ("FAILED", 1), ("STOPPED", 1)], ids=lambda value: str(value)
)
def test_the_exit_code_is_that_of_the_job(status, code, cluster, submit):
    cluster.statuses = ["PENDING", "RUNNING", status]
    ended, _, said = submit(cluster.url)
    assert ended == code
    assert "learning" in said
    assert (f"has {status}. said so" in said) == (code == 1)
    assert "waits to be started: said so" in said


@pytest.mark.parametrize("form", ["{}", "{}/", " {} ", "{bare}"])
def test_the_address_may_be_written_in_some_ways(form, cluster, submit, monkeypatch):
    """Whatever Ray's own variables say, which Ray puts before what it is given."""
    monkeypatch.setenv("RAY_ADDRESS", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", f"http://127.0.0.1:{free_port()}")
    address = form.format(cluster.url, bare=cluster.url.removeprefix("http://"))
    assert submit(address, options=("--no-follow",))[0] == 0


@pytest.mark.parametrize(
    "address",
    ["auto", "local", "nonsense", "ray://head:10001", "head:port", "ftp://head:21", "http://", "::1"],
)
def test_an_address_of_another_form_says_what_is_wanted(address, submit):
    code, _, said = submit(address)
    assert code == 2
    assert "No Ray cluster answers at" in said
    assert "such as http://127.0.0.1:8265" in said


def test_an_address_where_nobody_listens_is_one_sentence(submit):
    code, _, said = submit(f"http://127.0.0.1:{free_port()}")
    assert code == 2
    assert "No Ray cluster answers at" in said


@pytest.mark.parametrize(
    ("refuses", "said"),
    [
        ((401, "Unauthorized"), "wants another token"),
        ((403, "Forbidden"), "wants another token"),
        ((404, "nothing"), "No Ray cluster answers at"),
        ((200, "<html>"), "No Ray cluster answers at"),
        ((200, "{}"), "No Ray cluster answers at"),
        ((502, "bad gateway"), "No Ray cluster answers at"),
    ],
)
def test_a_dashboard_that_refuses_is_one_sentence(refuses, said, cluster, submit):
    cluster.refuses = refuses
    code, _, sentence = submit(cluster.url)
    assert code == 2
    assert said in sentence


def test_a_lost_dashboard_says_that_the_job_goes_on_and_how_to_look(cluster, submit):
    cluster.hangs_up = True
    code, _, said = submit(cluster.url)
    assert code == 2
    assert f"The job goes on. ray job logs --address {cluster.url} --follow job-1 shows it" in said


def test_ctrl_c_leaves_the_job_and_says_how_to_look(cluster, submit, monkeypatch):
    def interrupted(*arguments: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(submitting, "_follow", interrupted)
    code, _, said = submit(cluster.url)
    assert code == 130
    assert "The job goes on. ray job logs" in said
    assert "goes on where it stopped" not in said


def test_no_option_of_the_run_is_lost(cluster, submit, tmp_path):
    """Each parameter of the verb is passed on, in the command or in the file."""
    given = ("--fresh", "--verbose", "--json", "--workers", "3", "--set", "learning.epochs=7")
    assert submit(cluster.url, *given, "--store", str(tmp_path / "store"))[0] == 0
    command = cluster.submitted["entrypoint"].split()
    assert {"--fresh", "--verbose", "--json", str(tmp_path / "store")} <= set(command)
    assert "workers: 3" in cluster.experiment
    assert "epochs: 7" in cluster.experiment
    elsewhere = {"experiment", "set_", "store", "artifacts", "workers"}
    assert set(inspect.signature(run).parameters) == elsewhere | set(FLAGS)


@pytest.mark.parametrize(
    "options",
    [
        ("--store", "postgresql://user:s3cr3t@host/database"),
        ("--store", "postgresql://host/database?user=user&password=s3cr3t"),
        ("--store", "postgresql://user@host/database", "--artifacts", "s3://KEY:s3cr3t@bucket/holdfast"),
    ],
)
def test_a_secret_is_refused_rather_than_shown(options, cluster, submit):
    code, _, said = submit(cluster.url, *options)
    assert code == 2
    assert "holds a secret" in said
    assert "s3cr3t" not in said
    assert not cluster.submitted


def test_no_secret_is_in_the_command_or_the_output(cluster, submit):
    cluster.statuses = ["FAILED"]
    source = 'data.source="parquet:s3://KEY:s3cr3t@bucket/images.parquet"'
    code, out, said = submit(
        cluster.url.replace("//", "//user:s3cr3t@"),
        "--store",
        "$HOLDFAST_STORE",
        "--set",
        source,
        options=("--json",),
    )
    assert code == 1
    assert "s3cr3t" not in json.dumps(cluster.submitted) + out + said
    assert "--store" not in cluster.submitted["entrypoint"]
    assert "s3cr3t" in cluster.experiment
