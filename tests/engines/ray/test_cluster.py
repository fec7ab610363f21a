"""How many workers of which size a cluster has room for, and clusters that are none."""

import signal
import socket
import sys
from types import SimpleNamespace

import pytest

from taskcodec.engines.ray.cluster import Workers, cluster, sized
from taskcodec.errors import TERMINATED, ProcessError, UsageError

TWO = [(8, 0), (8, 0)]


@pytest.mark.parametrize(
    ("nodes", "workers", "images", "device", "expected"),
    [
        (TWO, None, True, None, Workers(4, 4, 0)),
        (TWO, None, False, None, Workers(16, 1, 0)),
        (TWO, 2, True, None, Workers(2, 8, 0)),
        (TWO, 3, True, None, Workers(3, 4, 0)),
        (TWO, 16, True, "cpu", Workers(16, 1, 0)),
        (TWO, 3, False, None, Workers(3, 1, 0)),
        ([(2, 0)], None, True, None, Workers(1, 2, 0)),
        ([(2, 0), (32, 4)], None, True, None, Workers(4, 8, 1)),
        ([(2, 0), (32, 4)], 2, True, "cuda", Workers(2, 8, 1)),
        ([(32, 4)], 2, True, "cpu", Workers(2, 16, 0)),
        ([(1, 4)], None, True, None, Workers(4, 1, 1)),
        ([(32, 4)], 2, False, None, Workers(2, 1, 0)),
    ],
)
def test_workers_fit_the_nodes(nodes, workers, images, device, expected):
    assert sized(nodes, workers, images, device) == expected


@pytest.mark.parametrize(
    ("nodes", "workers", "device", "says"),
    [
        (TWO, 17, None, "--workers 17: the cluster has 16 processors"),
        ([(8, 2)], 3, "cuda", "--workers 3: the cluster has 2 GPUs"),
        (TWO, None, "cuda", "--device cuda: the cluster has no GPU"),
        (TWO, None, "cuda:1", "--device cuda:1: workers run on cpu or cuda"),
    ],
)
def test_what_there_is_no_room_for_is_refused(nodes, workers, device, says):
    with pytest.raises(UsageError, match=says):
        sized(nodes, workers, True, device)


def test_an_address_where_no_cluster_answers():
    pytest.importorskip("ray")
    with pytest.raises(ProcessError, match=r"^ray:nowhere: no Ray cluster") as raised, cluster("nowhere", None):
        pass
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_an_address_where_nobody_listens_is_told_before_ray_is_asked(monkeypatch, address):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = address.format(free.getsockname()[1])
    ray = SimpleNamespace(is_initialized=lambda: False, init=lambda **_: pytest.fail("asked"), shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", ray)
    with pytest.raises(ProcessError, match=f"^ray:{address}: nothing answers there"), cluster(address, None):
        pass


@pytest.mark.parametrize("mode", [None, "disabled"])
def test_a_cluster_that_refuses_may_want_a_token(monkeypatch, mode):
    """Ray says only that it could not connect; it asks for tokens by itself where one lies in the home folder."""

    def refuses(**_):
        raise ConnectionError("Failed to connect")

    ray = SimpleNamespace(is_initialized=lambda: False, init=refuses, shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    if mode is not None:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
    with pytest.raises(ProcessError, match="no Ray cluster to work with") as raised, cluster("somewhere", None):
        pass
    assert ("RAY_AUTH_MODE=token" in str(raised.value)) == (mode is None)


def test_sigterm_while_a_cluster_is_joined_ends_the_command(monkeypatch):
    def waits(*_):
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("taskcodec.engines.ray.cluster.joined", waits)
    with pytest.raises(SystemExit) as raised, cluster(None, None):
        pass
    assert raised.value.code == TERMINATED


def test_what_ray_ends_by_itself_says_how_to_go_on(monkeypatch):
    def ended(*_):
        raise SystemExit(1)

    monkeypatch.setattr("taskcodec.engines.ray.cluster.joined", ended)
    with pytest.raises(ProcessError, match="run the same command again"), cluster(None, None):
        pass


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("address", [None, "somewhere"])
def test_a_terminal_is_told_that_ray_starts(monkeypatch, capsys, terminal, address):
    """Before it does: for a quarter of a minute nothing else is to be seen."""
    said = list[str]()
    ray = SimpleNamespace(
        is_initialized=lambda: False, init=lambda **_: said.append(capsys.readouterr().err), shutdown=lambda: None
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with cluster(address, None):
        pass
    starts = terminal and address is None
    assert said == ["taskcodec: starting Ray on this machine ...\n" if starts else ""]


def test_many_times_more_workers_than_this_machine_has_processors(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False, shutdown=lambda: None))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    says = "--workers 9: this machine has 2 processors, for 8 workers at most"
    with pytest.raises(UsageError, match=says), cluster(None, 9):
        pass
