"""A Kubernetes scheduler extender over a warm cluster: kube-scheduler asks which nodes a pod may run on, and which are
best.

    python examples/kubernetes_extender.py snapshot.json --port 8888

    # in the KubeSchedulerConfiguration
    extenders:
    - urlPrefix: http://127.0.0.1:8888
      filterVerb: filter
      prioritizeVerb: prioritize
      weight: 1
      nodeCacheCapable: true
      ignorable: true
      managedResources: [{name: nvidia.com/gpu}]

Nodes are the snapshot's hosts. A pod's containers ask for CPUs, memory, whole GPUs (`nvidia.com/gpu`), MIG instances
(`nvidia.com/mig-1g.10gb`) and vGPUs (`nvidia.com/GRID_A40-8Q`); of what its containers ask together, its init
containers (those that go on running beside it, too), its overhead and the pod itself, what kube-scheduler counts is
counted. Selectors, taints and other resources are left to kube-scheduler. Nothing is bound here: whoever watches the
API server says what has happened by POSTing events to `/events` (`placer_models.events`; a pod is the VM
`namespace/name`).

A pod that fits nowhere is answered with the reason for each node, and one that cannot be understood with `Error`, which
kube-scheduler shows as the pod's event. What is no request at all gets a JSON object with `Error` and a 4xx.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from placer import Disagreement, Faults, Session, Snapshot
from placer_models.cluster import Vm
from placer_models.document import parse, read_json

Json = Any
MOST_BYTES = 64 * 2**20
BEST = 10
"""The highest score that an extender may give a node."""

MOST_SECONDS = 30
"""How long whoever asks may be silent in the midst of a request."""

MOST_WAITING = 128
"""How many connections may wait to be taken."""

_SUFFIX = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_SUFFIX |= {f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", 1)}
NVIDIA = "nvidia.com/"


def quantity(text: object) -> float:
    """The number that a Kubernetes quantity such as 500m, 2 or 16Gi stands for. Raises Faults."""
    found = re.fullmatch(r"(\d{1,18}(?:\.\d{1,18})?)(?:([eE]\d{1,2})|([A-Za-z]{0,2}))", str(text), re.ASCII)
    if found is None or (found[3] or "") not in _SUFFIX:
        raise Faults("the pod", [f"found {str(text)[:60]!r}, expected a quantity such as 500m, 2 or 16Gi"])
    return float(found[1] + (found[2] or "")) * _SUFFIX[found[3] or ""]


def vm_of(pod: Mapping[str, Json]) -> Vm:
    """The VM that a pod is to placer: what its containers ask for together. Raises Faults."""
    meta, spec = _object(pod.get("metadata"), "metadata"), _object(pod.get("spec"), "spec")
    if not isinstance(meta.get("name"), str):
        raise Faults("the request", ["metadata.name: expected text"])
    asked, beside, first = Counter[str](), Counter[str](), Counter[str]()
    for container in _list(spec.get("containers"), "spec.containers"):
        asked += _asked(container, "spec.containers")
    for container in _list(spec.get("initContainers") or [], "spec.initContainers"):
        one = _asked(container, "spec.initContainers")
        if container.get("restartPolicy") == "Always":  # it goes on running beside all that come after it
            beside += one
        first |= beside if container.get("restartPolicy") == "Always" else beside + one
    asked = (asked + beside) | first
    asked = Counter({**asked, **_asked(spec, "spec")})  # what is said of the pod itself holds
    asked += _quantities(spec.get("overhead"), "spec.overhead")
    gpus: list[Json] = []
    for name, count in asked.items():
        if name.startswith(NVIDIA) and count:
            what = {} if name == f"{NVIDIA}gpu" else {"profile": name.removeprefix(NVIDIA)}
            gpus.append({**what, "count": int(count) if count == int(count) else count})
    values = {
        "name": f"{meta.get('namespace') or 'default'}/{meta['name']}",
        "power": "off",
        "cpus": math.ceil(round(1000 * asked["cpu"], 3)) / 1000,
        "memory_mib": -int(-asked["memory"] // 2**20),
        "gpus": gpus,
        "labels": _object(meta.get("labels") or {}, "labels"),
    }
    return parse(Vm, values, "the pod")


def _asked(one: Json, what: str) -> Counter[str]:
    """What one container (or a pod itself) asks for: a request that is not said is the limit."""
    resources = _object(_object(one, what).get("resources") or {}, f"{what}.resources")
    limits, requests = (_quantities(resources.get(key), f"{what}.resources.{key}") for key in ("limits", "requests"))
    return Counter({**limits, **requests})


def _quantities(values: Json, what: str) -> Counter[str]:
    found = Counter[str]()
    for name, value in _object(values or {}, what).items():
        found[name] = quantity(value)  # type: ignore[assignment]  # counters add and compare decimals, too
    return found


def _object(value: Json, what: str) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise Faults("the request", [f"{what}: expected an object"])
    return value


def _list(value: Json, what: str) -> list[Json]:
    if not isinstance(value, list):
        raise Faults("the request", [f"{what}: expected a list"])
    return value


class Extender:
    """Answers kube-scheduler from a session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.verbs: Mapping[str, Callable[[Mapping[str, Json]], Json]] = {
            "/filter": self.filter,
            "/prioritize": self.prioritize,
            "/events": self.happened,
        }

    def filter(self, asked: Mapping[str, Json]) -> Json:
        """ExtenderArgs -> ExtenderFilterResult: the nodes on which the pod may run, and why not on the others; or
        `Error` alone, which kube-scheduler reads where the status is 200 only.
        """
        try:
            return self._filtered(asked)
        except Faults as faults:
            return {"Error": str(faults)}

    def _filtered(self, asked: Mapping[str, Json]) -> Json:
        ranking = self.session.rank(vm_of(_object(asked.get("Pod"), "Pod")))
        open_to = {name for group in ranking.hosts for name in group}
        names = _names(asked)
        failed = {name: ranking.refused.get(name, "not known to placer") for name in names if name not in open_to}
        answer: dict[str, Json] = {"FailedNodes": failed, "FailedAndUnresolvableNodes": {}, "Error": ""}
        if asked.get("NodeNames") is not None:
            return {"NodeNames": [name for name in names if name in open_to], **answer}
        items = _list(_object(asked["Nodes"], "Nodes").get("items"), "Nodes.items")
        return {"Nodes": {"items": [node for node in items if _name(node) in open_to]}, **answer}

    def prioritize(self, asked: Mapping[str, Json]) -> Json:
        """ExtenderArgs -> HostPriorityList: 10 for the best nodes, less for each group that is worse."""
        ranking = self.session.rank(vm_of(_object(asked.get("Pod"), "Pod")))
        group_of = {name: number for number, group in enumerate(ranking.hosts) for name in group}
        names = _names(asked)
        places = sorted({group_of[name] for name in names if name in group_of})
        scores = {group: BEST - BEST * place // max(1, len(places)) for place, group in enumerate(places)}
        return [{"Host": name, "Score": scores[group_of[name]] if name in group_of else 0} for name in names]

    def happened(self, event: Mapping[str, Json]) -> Json:
        """An event -> the version of the cluster after it."""
        self.session.apply(event)
        return {"version": self.session.version}


def _names(asked: Mapping[str, Json]) -> list[str]:
    names = asked.get("NodeNames")
    if names is not None:
        if any(not isinstance(name, str) for name in _list(names, "NodeNames")):
            raise Faults("the request", ["NodeNames: expected a list of text"])
        return list(names)
    return [_name(node) for node in _list(_object(asked.get("Nodes"), "Nodes").get("items"), "Nodes.items")]


def _name(node: Json) -> str:
    return str(_object(_object(node, "Nodes.items").get("metadata"), "Nodes.items.metadata").get("name"))


def server(extender: Extender, port: int = 0) -> ThreadingHTTPServer:
    """An HTTP server on loopback (port 0: any that is free); `serve_forever` runs it."""

    class Handler(BaseHTTPRequestHandler):
        timeout = MOST_SECONDS

        def do_POST(self) -> None:
            verb = extender.verbs.get(self.path)
            length = self.headers.get("Content-Length", "")
            if verb is None:
                self._say(404, {"Error": f"no such path; known: {', '.join(extender.verbs)}"})
            elif not re.fullmatch("[0-9]{1,12}", length):
                self._say(411, {"Error": "expected a Content-Length"})
            elif int(length) > MOST_BYTES:
                self.close_connection = True
                self._say(413, {"Error": f"expected at most {MOST_BYTES} bytes"})
            else:
                try:
                    values = read_json(self.rfile.read(int(length)), "the request")
                    self._say(200, verb(_object(values, "the request")))
                except Faults as faults:
                    self._say(400, {"Error": str(faults)})
                except Disagreement as bug:
                    self._say(500, {"Error": str(bug)})

        def do_GET(self) -> None:
            self._say(405, {"Error": "expected POST"})

        def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
            self._say(code, {"Error": message or self.responses[code][0]})

        def _say(self, status: int, answer: Json) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: kube-scheduler logs what it asks."""

    class Server(ThreadingHTTPServer):
        request_queue_size = MOST_WAITING

        def handle_error(self, request: Any, client_address: Any) -> None:
            if not isinstance(sys.exc_info()[1], ConnectionError):  # who asks may hang up
                super().handle_error(request, client_address)

    return Server(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve until interrupted."""
    options = argparse.ArgumentParser(description="A Kubernetes scheduler extender over a snapshot.")
    options.add_argument("snapshot", type=Path)
    options.add_argument("--port", type=int, default=8888)
    asked = options.parse_args()
    try:
        session = Session(Snapshot.load(asked.snapshot.read_bytes(), str(asked.snapshot)))
        serving = server(Extender(session), asked.port)
    except (OSError, OverflowError, Faults) as wrong:
        options.error(str(wrong))
    with serving:
        print(f"listening on http://127.0.0.1:{serving.server_address[1]}", flush=True)
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
