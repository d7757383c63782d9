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
(`nvidia.com/mig-1g.10gb`) and vGPUs (`nvidia.com/GRID_A40-8Q`). Nothing is bound here: whoever watches the API server
says what has happened by POSTing events to `/events` (`placer_models.events`; a pod is the VM `namespace/name`).

A request that is no such JSON gets a JSON object with `Error` and a 4xx; a pod that fits nowhere is answered with the
reason for each node, as kube-scheduler expects it.
"""

from __future__ import annotations

import argparse
import json
import re
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

_SUFFIX = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_SUFFIX |= {f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTP", 1)}
NVIDIA = "nvidia.com/"


def quantity(text: object) -> float:
    """The number that a Kubernetes quantity such as 500m, 2 or 16Gi stands for. Raises Faults."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z]{0,2})", str(text))
    if found is None or found[2] not in _SUFFIX:
        raise Faults("the pod", [f"found {str(text)[:60]!r}, expected a quantity such as 500m, 2 or 16Gi"])
    return float(found[1]) * _SUFFIX[found[2]]


def vm_of(pod: Mapping[str, Json]) -> Vm:
    """The VM that a pod is to placer: what its containers ask for together. Raises Faults."""
    meta, asked = _object(pod.get("metadata"), "metadata"), dict[str, float]()
    for container in _list(_object(pod.get("spec"), "spec").get("containers"), "spec.containers"):
        resources = _object(_object(container, "spec.containers").get("resources", {}), "resources")
        limits = _object(resources.get("limits", {}), "limits")
        for name, value in {**limits, **_object(resources.get("requests", {}), "requests")}.items():
            asked[name] = asked.get(name, 0) + quantity(value)
    gpus: list[Json] = []
    for name, count in asked.items():
        if name.startswith(NVIDIA) and count:
            what = {} if name == f"{NVIDIA}gpu" else {"profile": name.removeprefix(NVIDIA)}
            gpus.append({**what, "count": int(count)})
    values = {
        "name": f"{meta.get('namespace', 'default')}/{meta.get('name')}",
        "power": "off",
        "cpus": round(asked.get("cpu", 0), 3),
        "memory_mib": -int(-asked.get("memory", 0) // 2**20),
        "gpus": gpus,
        "labels": _object(meta.get("labels", {}), "labels"),
    }
    return parse(Vm, values, "the pod")


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
        """ExtenderArgs -> ExtenderFilterResult: the nodes on which the pod may run, and why not on the others."""
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
        return [str(name) for name in _list(names, "NodeNames")]
    return [_name(node) for node in _list(_object(asked.get("Nodes"), "Nodes").get("items"), "Nodes.items")]


def _name(node: Json) -> str:
    return str(_object(_object(node, "Nodes.items").get("metadata"), "Nodes.items.metadata").get("name"))


def server(extender: Extender, port: int = 0) -> ThreadingHTTPServer:
    """An HTTP server on loopback (port 0: any that is free); `serve_forever` runs it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            verb = extender.verbs.get(self.path)
            length = self.headers.get("Content-Length", "")
            if verb is None:
                self._say(404, {"Error": f"no such path; known: {', '.join(extender.verbs)}"})
            elif not length.isdigit():
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

        def _say(self, status: int, answer: Json) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: kube-scheduler logs what it asks."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve until interrupted."""
    options = argparse.ArgumentParser(description="A Kubernetes scheduler extender over a snapshot.")
    options.add_argument("snapshot", type=Path)
    options.add_argument("--port", type=int, default=8888)
    asked = options.parse_args()
    session = Session(Snapshot.load(asked.snapshot.read_bytes(), str(asked.snapshot)))
    with server(Extender(session), asked.port) as serving:
        print(f"listening on http://127.0.0.1:{serving.server_address[1]}")
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
