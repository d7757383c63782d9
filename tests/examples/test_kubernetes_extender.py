"""The scheduler extender, asked over HTTP on loopback as kube-scheduler asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from socket import SO_LINGER, SOL_SOCKET, create_connection
from struct import pack
from threading import Thread
from typing import Any

import pytest

from examples.kubernetes_extender import Extender, quantity, server, vm_of
from placer import Faults, Session
from tests.build import gpu, host, on, snapshot, whole

H100 = gpu("H100XM", "mig", may_share=["mig", "passthrough"])
T4 = gpu("Tesla T4")


class Client:
    """Speaks to one extender."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, body: object, method: str = "POST") -> tuple[int, Any]:
        """The status and the JSON of an answer; a body of bytes is sent as it is."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, data)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


@pytest.fixture
def client() -> Iterator[Client]:
    story = snapshot(
        [host("mig", H100), host("t4-a", T4, T4), host("t4-b", T4, T4), host("plain")],
        [on("default/old", "t4-b", whole("Tesla T4", "g0"))],
    )
    with server(Extender(Session(story))) as serving:
        thread = Thread(target=serving.serve_forever)
        thread.start()
        try:
            yield Client(serving.server_address[1])
        finally:
            serving.shutdown()
            thread.join()


def pod(name: str = "p", **limits: str) -> dict[str, Any]:
    """A pod with one container."""
    named = {key.replace("__", "/").replace("_", "-"): value for key, value in limits.items()}
    resources = {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1", **named}}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [{"resources": resources}]}}


NODES = ["mig", "t4-a", "t4-b", "plain", "new"]


def test_filter_by_names_says_why_not_for_each_other_node(client: Client) -> None:
    gpus = {"metadata": {"name": "p"}, "spec": pod(**{"nvidia.com__gpu": "2"})["spec"]}
    status, answer = client.ask("/filter", {"Pod": gpus, "NodeNames": NODES})
    assert status == 200
    assert answer["NodeNames"] == ["t4-a"]
    assert answer["FailedNodes"].keys() == {"mig", "t4-b", "plain", "new"}
    assert answer["FailedNodes"]["new"] == "not known to placer"
    assert answer["FailedNodes"]["t4-b"] == "1 any GPU free, 2 asked"
    assert answer["Error"] == ""


def test_filter_by_nodes_gives_nodes_back(client: Client) -> None:
    nodes = [{"metadata": {"name": name}, "kind": "Node"} for name in NODES]
    mig = pod(**{"nvidia.com__mig-1g.10gb": "1"})
    status, answer = client.ask("/filter", {"Pod": mig, "Nodes": {"items": nodes}})
    assert status == 200
    assert answer["Nodes"]["items"] == [nodes[0]]
    assert "NodeNames" not in answer


def test_a_pod_that_fits_nowhere_is_answered_not_refused(client: Client) -> None:
    status, answer = client.ask("/filter", {"Pod": pod(**{"nvidia.com__gpu": "8"}), "NodeNames": NODES[:2]})
    assert (status, answer["NodeNames"], len(answer["FailedNodes"])) == (200, [], 2)


def test_prioritize_gives_the_best_nodes_ten(client: Client) -> None:
    status, answer = client.ask("/prioritize", {"Pod": pod(**{"nvidia.com__gpu": "1"}), "NodeNames": NODES})
    scores = {one["Host"]: one["Score"] for one in answer}
    assert status == 200
    assert list(scores) == NODES
    assert max(scores.values()) == 10
    assert all(type(score) is int and 0 <= score <= 10 for score in scores.values())
    assert scores["plain"] == scores["new"] == 0


def test_what_happens_is_known_to_the_next_pod(client: Client) -> None:
    one = pod(**{"nvidia.com__gpu": "1"})
    started = on("default/q", "t4-b", whole("Tesla T4", "g1"), cpus=1)
    assert client.ask("/events", {"kind": "vm-started", "vm": started}) == (200, {"version": 1})
    _, answer = client.ask("/filter", {"Pod": one, "NodeNames": ["t4-a", "t4-b"]})
    assert answer["NodeNames"] == ["t4-a"]


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("/filter", b"{", 400, "the request"),
        ("/filter", b"[]", 400, "expected an object"),
        ("/filter", b"\xff\xfe", 400, "the request"),
        ("/filter", {"NodeNames": ["mig"]}, 200, "Pod: expected an object"),
        ("/filter", {"Pod": pod()}, 200, "Nodes: expected an object"),
        ("/filter", {"Pod": pod(), "NodeNames": "mig"}, 200, "NodeNames: expected a list"),
        (
            "/filter",
            {"Pod": {"metadata": {"name": "p"}, "spec": {}}, "NodeNames": []},
            200,
            "spec.containers: expected",
        ),
        ("/filter", {"Pod": {"metadata": {}, "spec": {}}, "NodeNames": []}, 200, "metadata.name: expected text"),
        ("/filter", {"Pod": pod(), "NodeNames": [{"mig": 1}]}, 200, "NodeNames: expected a list of text"),
        ("/filter", {"Pod": pod(**{"nvidia.com__gpu": "many"}), "NodeNames": []}, 200, "expected a quantity"),
        ("/filter", {"Pod": pod(**{"nvidia.com__mig-9g.9gb": "1"}), "NodeNames": []}, 200, "mig-9g.9gb"),
        ("/filter", {"Pod": pod(**{"nvidia.com__gpu": "1500m"}), "NodeNames": []}, 200, "found 1.5, expected a whole"),
        ("/filter", {"Pod": pod("old"), "NodeNames": []}, 200, "which is on"),
        ("/prioritize", {"Pod": pod("old"), "NodeNames": []}, 400, "which is on"),
        ("/prioritize", {"Pod": pod(), "Nodes": {"items": [1]}}, 400, "Nodes.items: expected an object"),
        ("/events", {"kind": "vm-stopped", "vm": "nobody"}, 400, "found 'nobody'"),
        ("/bind", {}, 404, "no such path"),
    ],
)
def test_what_is_malformed_gets_an_error_in_json(
    client: Client, path: str, body: object, status: int, sentence: str
) -> None:
    found, answer = client.ask(path, body)
    assert found == status
    assert sentence in answer["Error"]
    assert "Traceback" not in answer["Error"]


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("PUT", 501), ("DELETE", 501)])
def test_only_post_is_answered(client: Client, method: str, status: int) -> None:
    found, answer = client.ask("/filter", b"", method)
    assert (found, list(answer)) == (status, ["Error"])


def test_what_speaks_no_http_gets_an_error_in_json_too(client: Client) -> None:
    with create_connection(("127.0.0.1", client.port), timeout=20) as connection:
        connection.sendall(b"nonsense \\ and more of it\r\n\r\n")
        answer = connection.makefile("rb").read()
    assert "Bad request" in json.loads(answer.partition(b"\r\n\r\n")[2] or answer)["Error"]


def test_who_hangs_up_in_the_midst_of_a_request_disturbs_nobody(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    for body in (b"", b"{", json.dumps({"Pod": pod(), "NodeNames": NODES}).encode()):
        connection = create_connection(("127.0.0.1", client.port), timeout=20)
        connection.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))  # reset, not closed
        connection.sendall(b"POST /filter HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % max(2, len(body)) + body)
        connection.close()
    assert client.ask("/filter", {"Pod": pod(), "NodeNames": NODES})[0] == 200
    assert "Traceback" not in capsys.readouterr().err


def test_many_ask_at_once_while_pods_come_and_go(client: Client) -> None:
    def ask(number: int) -> tuple[int, Any]:
        if number % 4:
            verb = "/filter" if number % 2 else "/prioritize"
            return client.ask(verb, {"Pod": pod(f"p{number}", **{"nvidia.com__gpu": "1"}), "NodeNames": NODES})
        started = on(f"default/come-{number}", "plain", cpus=0.1)
        client.ask("/events", {"kind": "vm-started", "vm": started})
        return client.ask("/events", {"kind": "vm-stopped", "vm": started["name"]})

    with ThreadPoolExecutor(16) as many:
        answers = list(many.map(ask, range(48)))
    assert {status for status, _ in answers} == {200}
    filtered = [answer["NodeNames"] for number, (_, answer) in enumerate(answers) if number % 2]
    assert filtered == [["mig", "t4-a", "t4-b"]] * 24
    assert max(answer["version"] for _, answer in answers[::4]) == 24


def test_a_body_that_is_too_long_is_not_read(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("examples.kubernetes_extender.MOST_BYTES", 10)
    assert client.ask("/filter", b"{" * 11)[0] == 413


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", 0.5),
        ("2", 2),
        ("1.5", 1.5),
        ("1Gi", 2**30),
        ("512Mi", 2**29),
        ("1k", 1000),
        ("1e3", 1000),
        ("2E", 2e18),
    ],
)
def test_quantities(text: str, number: float) -> None:
    assert quantity(text) == number


@pytest.mark.parametrize("text", ["", "-1", "1Xi", "1 Gi", "1e", "nan", "1" * 5000, "\u0664"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(Faults, match="expected a quantity"):
        quantity(text)


def test_a_length_that_is_no_number_is_refused(client: Client) -> None:
    for length in ("\u00b2", "9" * 5000, "-1"):
        connection = HTTPConnection("127.0.0.1", client.port, timeout=20)
        connection.putrequest("POST", "/filter")
        connection.putheader("Content-Length", length.encode("latin-1"))
        connection.endheaders()
        assert connection.getresponse().status == 411
        connection.close()


def test_an_init_container_that_asks_for_more_counts_and_overhead_comes_on_top() -> None:
    one = pod(**{"nvidia.com__gpu": "1"})
    one["spec"]["initContainers"] = [{"resources": {"requests": {"cpu": "3", "memory": "1Mi"}}}]
    one["spec"]["overhead"] = {"cpu": "250m"}
    vm = vm_of(one)
    assert (vm.cpus, vm.memory_mib, vm.gpus[0].count) == (3.25, 1024, 1)


def test_a_sidecar_counts_beside_the_containers_and_beside_those_that_begin_after_it() -> None:
    one = pod()
    sidecar = {"restartPolicy": "Always", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}
    one["spec"]["initContainers"] = [sidecar, {"resources": {"requests": {"cpu": "2"}}}]
    assert (vm_of(one).cpus, vm_of(one).memory_mib) == (3, 2048)
    one["spec"]["initContainers"].reverse()
    assert (vm_of(one).cpus, vm_of(one).memory_mib) == (2, 2048)


def test_what_is_said_of_the_pod_itself_holds() -> None:
    one = pod(**{"nvidia.com__gpu": "1"})
    one["spec"]["resources"] = {"requests": {"cpu": "4"}, "limits": {"cpu": "8"}}
    vm = vm_of(one)
    assert (vm.cpus, vm.memory_mib, vm.gpus[0].count) == (4, 1024, 1)


def test_null_is_as_good_as_nothing() -> None:
    one = pod()
    one["metadata"] |= {"labels": None, "namespace": None}
    one["spec"] |= {"initContainers": None, "overhead": None, "resources": None}
    one["spec"]["containers"].append({"resources": {"limits": None, "requests": None}})
    assert vm_of(one) == vm_of(pod())


def test_containers_ask_together() -> None:
    one = pod(**{"nvidia.com__gpu": "1"})
    one["spec"]["containers"] *= 2
    vm = vm_of(one)
    assert (vm.name, vm.cpus, vm.memory_mib, vm.gpus[0].count) == ("default/p", 1, 2048, 2)
