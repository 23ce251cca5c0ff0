"""Submission as a user meets it, against a dashboard that answers whatever a test wants."""

import inspect
import json
import os
import pkgutil
import socket
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from holdfast import cli
from holdfast.cli.learn import run
from holdfast.jobs.submission import job as submitting
from holdfast.jobs.submission import luggage
from holdfast_serving.launch import free_port

TRUNK = """
from holdfast.models import TrunkConfig
class Small(TrunkConfig):
    def build(self, channels, size):
        raise NotImplementedError
"""


class Cluster:
    """What the dashboard was told, and what it is to say: the job's status at each question."""

    def __init__(self) -> None:
        self.url = ""
        self.statuses = ["SUCCEEDED"]
        self.refuses: tuple[int, str] | None = None
        self.hangs_up = False
        self.submitted: dict[str, Any] = {}
        self.package = b""
        self.job: dict[str, Any] = {}
        self.ray = ray.__version__
        self.stopped = False

    def status(self) -> str:
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    def packed(self, file: str) -> str:
        """A file of the job's folder."""
        with zipfile.ZipFile(BytesIO(self.package)) as package:
            (name,) = (name for name in package.namelist() if f"/{name}".endswith(f"/{file}"))
            return package.read(name).decode()


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    state = Cluster()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            job = {"type": "SUBMISSION", "entrypoint": "", "submission_id": "job-1", "message": "said so"}
            job |= {"metadata": {"holdfast": "run tiny.yaml"}, "start_time": 1_700_000_000_000, **state.job}
            if self.path.endswith("/version"):
                self.answer(
                    200, {"ray_version": state.ray, "version": "4", "ray_commit": "", "session_name": ""}
                )
            elif "/packages/" in self.path:
                self.answer(404, {})
            elif self.path.endswith("/logs"):
                self.answer(200, {"logs": "learning\nat postgresql://u:s3cr3t@h/d\n"})
            elif state.hangs_up:
                self.close_connection = True
                self.connection.close()
            elif self.path.endswith("/jobs/"):
                self.answer(200, [{**job, "status": state.status()}])
            else:
                self.answer(200, {**job, "status": state.status()})

        def do_PUT(self) -> None:
            state.package = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(200, {})

        def do_POST(self) -> None:
            if self.path.endswith("/stop"):
                state.stopped = True
                self.answer(200, {"stopped": True})
                return
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


@pytest.fixture
def holdfast(capsys: pytest.CaptureFixture[str]) -> Callable[..., SimpleNamespace]:
    """Run `holdfast ARGUMENTS` in this process."""

    def call(*arguments: object) -> SimpleNamespace:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return SimpleNamespace(code=int(ended.value.code or 0), out=captured.out, sentence=captured.err)

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
    assert f"The job goes on. holdfast jobs logs job-1 --follow --address {cluster.url} shows it" in said


def test_ctrl_c_leaves_the_job_and_says_how_to_look(cluster, submit, monkeypatch):
    def interrupted(*arguments: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(submitting, "follow_job", interrupted)
    code, _, said = submit(cluster.url)
    assert code == 130
    assert "The job goes on. holdfast jobs logs job-1 --follow" in said
    assert "goes on where it stopped" not in said


def test_no_option_of_the_run_is_lost(cluster, submit, tmp_path):
    """Each parameter of the verb is passed on, in the command or in the file."""
    given = ("--fresh", "--verbose", "--json", "--publish-anyway", "--workers", "3")
    given += ("--track", "tensorboard", "--set", "learning.epochs=7")
    assert submit(cluster.url, *given, "--store", str(tmp_path / "store"))[0] == 0
    command = cluster.submitted["entrypoint"].split()
    assert {"--fresh", "--verbose", "--json", "--publish-anyway", str(tmp_path / "store")} <= set(command)
    assert command[command.index("--workers") + 1] == "3"
    assert command[command.index("--track") + 1] == "tensorboard"
    assert "epochs: 7" in cluster.packed("experiment.yaml")
    given_here = {"experiment", "set_", "store", "artifacts", "workers", "fresh", "verbose", "publish_anyway"}
    assert set(inspect.signature(run).parameters) == given_here | {"track", "as_json"}


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


def test_no_secret_is_in_the_command_or_the_output(cluster, submit, tiny_file, tmp_path, monkeypatch):
    """Those of the experiment's file are in the package alone, those that are named are in a file of it."""
    cluster.job = {"driver_exit_code": 3}
    cluster.statuses = ["FAILED"]
    tiny_file.write_text(
        tiny_file.read_text().replace("glyphs:", "parquet:s3://KEY:s3cr3t@bucket/images.parquet?")
    )
    monkeypatch.setenv("SHOP_TOKEN", "s3cr3t'; false")
    code, out, said = submit(
        cluster.url.replace("//", "//user:s3cr3t@"),
        "--store",
        "$HOLDFAST_STORE",
        options=("--json", "--env", "SHOP_TOKEN", "--env", "SHOP=eu"),
    )
    assert code == 3
    assert json.loads(out)["exit_code"] == 3
    assert "s3cr3t" not in json.dumps(cluster.submitted) + out + said
    assert "--store" not in cluster.submitted["entrypoint"]
    assert "s3cr3t" in cluster.packed("experiment.yaml")
    assert cluster.submitted["entrypoint"].startswith(". ./secrets.env && python -m holdfast run")
    read = ["sh", "-c", '. /dev/stdin; printf %s "$SHOP_TOKEN"']
    found = subprocess.run(read, input=cluster.packed("secrets.env"), capture_output=True, text=True)
    assert found.stdout == "s3cr3t'; false"
    # So do the processes of Ray's that work for it, wherever they are.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secrets.env").write_text(cluster.packed("secrets.env"))
    monkeypatch.delenv("SHOP_TOKEN")
    pkgutil.resolve_name(cluster.submitted["runtime_env"]["worker_process_setup_hook"])()
    assert os.environ["SHOP_TOKEN"] == "s3cr3t'; false"
    variables = cluster.submitted["runtime_env"]["env_vars"]
    assert variables == {"SHOP": "eu", "HOLDFAST_SUBMITTED_BY": version("holdfast")}


@pytest.mark.parametrize(
    ("options", "command", "said"),
    [
        (("--env", "API_KEY=s3cr3t"), (), "pass its name alone: --env API_KEY"),
        (("--env", "SHOP=postgresql://me:s3cr3t@h/d"), (), "pass its name alone: --env SHOP"),
        (("--env", "SHOP_TOKEN", "--runtime-env", "{tmp}/hook.yaml"), (), "cannot go with a secret of --env"),
        (("--env", "NOWHERE_SET"), (), "no such variable here"),
        (("--env", "A B=1"), (), "names no variable"),
        ((), ("--set", 'data.source="parquet:s3://K:s3cr3t@b/i.parquet"'), "holds a secret"),
        (("--runtime-env", "{tmp}/secret.yaml"), (), "pass its name alone: --env WANDB_API_KEY"),
        (("--runtime-env", "{tmp}/far.yaml"), (), "Name a folder of this machine"),
        (("--runtime-env", "{tmp}/none.yaml"), (), "cannot be read"),
        ((), ("--set", "stream.manifest=nowhere.csv"), "nowhere.csv is not here"),
        ((), ("--set", "data.source=parquet:nowhere.parquet"), "nowhere.parquet is not here"),
        ((), ("--set", "data.source=parquet:huge.parquet"), "too large to travel"),
    ],
)
def test_what_cannot_travel_is_refused_before_anything_is_submitted(
    options, command, said, cluster, submit, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.yaml").write_text("env_vars: {WANDB_API_KEY: s3cr3t}")
    (tmp_path / "hook.yaml").write_text("worker_process_setup_hook: mine.begin")
    monkeypatch.setenv("SHOP_TOKEN", "s3cr3t")
    (tmp_path / "far.yaml").write_text("working_dir: s3://bucket/code.zip")
    with (tmp_path / "huge.parquet").open("wb") as huge:
        huge.truncate(luggage.LIMIT + 1)
    given = tuple(each.format(tmp=tmp_path) for each in options)
    code, _, sentence = submit(cluster.url, *command, options=given)
    assert code == 2
    assert said in sentence
    assert "s3cr3t" not in sentence
    assert not cluster.submitted


def test_a_cluster_of_another_ray_gets_no_job(cluster, submit):
    cluster.ray = "2.9.0"
    code, _, said = submit(cluster.url)
    assert code == 2
    assert "runs Ray 2.9.0" in said
    assert not cluster.submitted


def test_another_release_of_holdfast_does_not_begin(holdfast, monkeypatch):
    monkeypatch.setenv("HOLDFAST_SUBMITTED_BY", "0.0.1")
    ended = holdfast("versions")
    assert ended.code == 2
    assert "Holdfast 0.0.1 submitted this job" in ended.sentence


def test_a_store_that_only_the_submitter_reaches_is_told_with_the_machine(holdfast, tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_SUBMITTED_BY", version("holdfast"))
    where = ("--store", f"postgresql://me@127.0.0.1:{free_port()}/photos", "--artifacts", tmp_path)
    ended = holdfast("versions", *where)
    assert ended.code == 2
    assert f"So it is on {socket.gethostname()}, where the job ran" in ended.sentence
    monkeypatch.delenv("HOLDFAST_SUBMITTED_BY")
    assert "the job ran" not in holdfast("versions", *where).sentence


def test_what_is_named_by_a_relative_path_travels(cluster, submit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lists").mkdir()
    for name in ("tasks.csv", "lists/tasks.csv", "images.parquet"):
        (tmp_path / name).write_text(name)
    (tmp_path / "acme_parts").mkdir()
    (tmp_path / "acme_parts" / "__init__.py").write_text("")
    (tmp_path / "acme_parts" / "trunks.py").write_text(TRUNK)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "helper.py").write_text("HELP = 1")
    (tmp_path / "env.yaml").write_text("{pip: [acme==1.0], working_dir: code, env_vars: {SHOP: eu}}")
    monkeypatch.syspath_prepend(str(tmp_path))
    changes = [
        "stream.manifest=lists/tasks.csv",
        "data.source=parquet:images.parquet",
        "model.trunk={kind: 'acme_parts.trunks:Small'}",
    ]
    given = [word for change in changes for word in ("--set", change)]
    options = ("--no-follow", "--runtime-env", "env.yaml", "--entrypoint-num-cpus", "2")
    ended = submit(cluster.url, *given, options=options)
    assert ended[0] == 0, ended[2]
    experiment = cluster.packed("experiment.yaml")
    assert "manifest: files/tasks.csv" in experiment
    assert "source: parquet:files/images.parquet" in experiment
    assert cluster.packed("files/tasks.csv") == "lists/tasks.csv"
    assert cluster.packed("acme_parts/trunks.py") == TRUNK
    assert cluster.packed("helper.py") == "HELP = 1"
    assert cluster.submitted["entrypoint_num_cpus"] == 2
    environment = cluster.submitted["runtime_env"]
    assert "acme==1.0" in str(environment["pip"])
    assert environment["env_vars"]["SHOP"] == "eu"


@pytest.mark.parametrize(
    ("command", "entrypoint"),
    [
        (["versions"], None),
        (["backfill", "frobnicate"], None),
        (["embed", "v1", "glyphs:", "-o", "here.parquet"], None),
        (["gallery", "delete", "--filter", "{}", "--yes"], None),
        (["gallery", "import", "lancedb:photos/table"], None),
        (["gallery", "import", "/there/v1.parquet"], "gallery import /there/v1.parquet"),
        (["gallery", "import", "small.parquet", "--version", "v1"],
         "gallery import files/small.parquet --version v1"),
        (["backfill", "start", "live", "--sources", "photos"], None),
        (["backfill", "start", "live", "--sources", "/photos", "--sources", "/more", "--detach"],
         "backfill start live --sources /photos --sources /more --detach"),
        (["embed", "v1", "parquet:small.parquet", "-o", "/there/v1.parquet", "--split", "test"],
         "embed v1 parquet:files/small.parquet --output /there/v1.parquet --split test"),
        (["adopt", "clip", "onnx:model.onnx", "--preprocessing", "model.yaml"],
         "adopt clip onnx:files/model.onnx --preprocessing files/model.yaml"),
    ],
)  # fmt: skip
def test_other_verbs_are_jobs_too(command, entrypoint, cluster, holdfast, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("small.parquet", "model.onnx", "model.yaml"):
        (tmp_path / name).write_text(name)
    ended = holdfast("submit", "--address", cluster.url, "--no-follow", "--", *command)
    assert ended.code == (2 if entrypoint is None else 0), ended.sentence
    if entrypoint is not None:
        store = f" --store {tmp_path}/holdfast-store"
        assert cluster.submitted["entrypoint"] == f"python -m holdfast {entrypoint}{store}"


def test_jobs_are_listed_shown_and_stopped(cluster, holdfast):
    ended = holdfast("jobs", "list", "--address", cluster.url, "--json")
    assert [(each["job"], each["status"], each["what"]) for each in json.loads(ended.out)] == [
        ("job-1", "SUCCEEDED", "run tiny.yaml")
    ]
    assert "job-1" in holdfast("jobs", "list", "--address", cluster.url).out
    shown = holdfast("jobs", "logs", "job-1", "--address", cluster.url).out
    assert "learning" in shown
    assert "s3cr3t" not in shown
    assert holdfast("jobs", "stop", "job-1", "--address", cluster.url).code == 0
    assert cluster.stopped
    missing = holdfast("jobs", "stop", "job-2", "--address", cluster.url)
    assert missing.code == 2
    assert "has no job 'job-2': there are job-1" in missing.sentence


def test_the_exit_code_of_a_job_that_is_followed_later_is_its_own(cluster, holdfast):
    cluster.statuses, cluster.job = ["RUNNING", "FAILED"], {"driver_exit_code": 3}
    assert holdfast("jobs", "logs", "job-1", "--follow", "--address", cluster.url).code == 3
