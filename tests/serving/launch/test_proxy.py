"""What stands between Ray and HAProxy, and how the end of either is noticed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast_serving.launch.keeper import mended
from holdfast_serving.launch.ports import free_port
from holdfast_serving.launch.proxy import prepare_proxy, stop_proxies

CONFIG = """global
    stats socket {folder}/admin.sock mode 666 level admin expose-fd listeners
    maxconn 4096
defaults
    mode http
    errorfile 503 {folder}/500.http
frontend prometheus
    bind :9101
frontend http_frontend
    bind 127.0.0.1:8000
    default_backend default_backend
backend default_backend
    http-request return status 404 content-type text/plain string "not found"
listen stats
  bind *:8404
"""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A copy of the environment that `prepare_proxy` may change."""
    copy = {name: value for name, value in os.environ.items() if not name.startswith("RAY_SERVE")}
    monkeypatch.setattr(os, "environ", copy)
    return copy


def test_haproxy_listens_at_the_servers_sockets_alone_and_answers_in_the_one_shape(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast_serving.launch.proxy._binary", lambda: "/bin/echo")
    listening = prepare_proxy(tmp_path, ("127.0.0.1", "::1"), free_port("localhost"), 2.5)
    assert listening is not None
    listening.close()
    config = CONFIG.format(folder=tmp_path / "node")
    found = mended(config, tmp_path, tmp_path / "worker.sock", "fd@3,fd@4")
    binds = [line.split()[1] for line in found.splitlines() if line.split()[0] == "bind"]
    assert binds == ["fd@3,fd@4"]
    assert f"stats socket {tmp_path}/worker.sock mode 600 level admin\n    maxconn 4096\ndefaults\n" in found
    assert "timeout http-request 3s" in found
    assert "http-request set-header x-request-disconnect-disabled ?1" in found
    assert "http-request deny deny_status 503" in found
    assert "status 404" not in found
    assert f"errorfile 503 {tmp_path}/503.http" in found
    for file, status, code in (
        (tmp_path / "503.http", 503, "not_ready"),
        (tmp_path / "408.http", 408, "request_timeout"),
        (tmp_path / "400.http", 400, "bad_request"),
    ):
        head, body = file.read_bytes().split(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} ".encode())
        assert (b"Retry-After: 1" in head) == (status == 503)
        assert f"Content-Length: {len(body)}".encode() in head
        assert json.loads(body)["error"]["code"] == code
    assert (tmp_path / "haproxy").stat().st_mode & 0o077 == 0


def test_the_user_may_choose_serves_own_proxy(environment: dict[str, str], tmp_path: Path) -> None:
    environment["RAY_SERVE_ENABLE_HA_PROXY"] = "0"
    assert prepare_proxy(tmp_path, ("127.0.0.1",), free_port(), 30) is None
    assert "RAY_SERVE_HAPROXY_BINARY_PATH" not in environment


def test_a_killed_server_takes_its_proxy_with_it(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = subprocess.Popen(["sleep", "60"])
    monkeypatch.setattr("holdfast_serving.launch.proxy._binary", lambda: "/bin/sleep")
    monkeypatch.setattr(os, "getpid", lambda: server.pid)
    listening = prepare_proxy(tmp_path, ("127.0.0.1",), free_port(), 30)
    assert listening is not None
    listening.close()
    proxy = subprocess.Popen([str(tmp_path / "worker"), "60"])
    # As the keeper starts it, in the background.
    subprocess.run([str(tmp_path / "watcher"), str(proxy.pid)], check=True, timeout=10)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            proxy.wait(1.5)
        server.kill()
        server.wait()
        assert proxy.wait(10) == -9
    finally:
        proxy.kill()
        server.kill()


def test_left_over_proxies_are_ended_and_nobody_else(tmp_path: Path) -> None:
    ours = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", str(tmp_path)])
    other = subprocess.Popen(["sleep", "60"])
    try:
        (tmp_path / "haproxy.pids").write_text(f"{ours.pid}\n{other.pid}\n999999999\n")
        stop_proxies(tmp_path)
        assert ours.wait(10) == -9
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_the_end_of_ray_is_noticed() -> None:
    code = (
        "import subprocess, time\n"
        "from holdfast_serving.launch.local_ray import ray_has_ended\n"
        "stays = subprocess.Popen(['sleep', '60'])\n"
        "print(ray_has_ended(), end=' ')\n"
        "ends = subprocess.Popen(['true'])\n"
        "time.sleep(0.5)\n"
        "print(ray_has_ended(), ray_has_ended())\n"
        "stays.kill()\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "True", "True"]
