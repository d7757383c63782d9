"""A change of GPU modes planned from its midst on: a flash that has begun is brought to its end, who is down runs
again, and the GPUs that are not yet as wanted have their rounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from placer.rounds.onward import Onward
from placer.rounds.switching import Switching
from placer_models.cluster import Gpu
from placer_models.night import SetMode
from placer_models.plan import Step
from placer_models.scene import Scene


class Switched(Onward):
    """What was done to the host goes on as it was planned, once it has begun; then the VMs that are down run again, at
    home where they find a place; then the other GPUs have their rounds; at last who still has to return does.
    """

    request: SetMode

    def close(self) -> None:
        """Bring to its end what was begun; then who is down runs again."""
        kept = list(self._begun())
        self.steps.steps += kept
        begun = [*(step for step in self.now.done if step.end > self.now.begin), *kept]
        self.clock = max([0, *(self.origin.seconds(step.end) for step in begun if step.vm is None)])
        if self.request.host in self.inside and not any(step.kind == "leave-maintenance" for step in kept):
            self.clock = max(1, self.clock)  # what ends now is told already
            instant = self.origin.instant(self.clock)
            values = {"kind": "leave-maintenance", "host": self.request.host, "start": instant, "end": instant}
            self.steps.steps.append(Step.model_validate({"id": f"{self.mark}h1-leave", **values, "why": "is done"}))
        self._change([step for step in (*self.now.done, *kept) if step.kind == "set-mode"])
        down = {vm: home for vm, home in self.now.carried.homes.items() if vm in self.now.carried.away}
        self.home(down, dict.fromkeys(self.cluster.hosts, self.clock))

    def rounds(self) -> Switching:
        """The rounds of the GPUs that are not yet as wanted."""
        switching = Switching(
            self.snapshot,
            self.request,
            self.decision,
            self.steps,
            self.budget,
            self.progress,
            asked=self.excusing,
            start=self.scene,
            failed=self.failed,
        )
        self.begin(switching)
        return switching

    def _begun(self) -> Iterator[Step]:
        """The steps of a flash that were still to come, where its first have been."""
        known = {step.id for step in self.now.done if step.vm is None}
        for step in sorted(self.now.of_hosts, key=lambda step: step.start):
            flashes = step.mode is not None or step.kind in ("restart-host", "leave-maintenance")
            if flashes and not known.isdisjoint(step.waits_for):
                known.add(step.id)
                yield step

    def _change(self, steps: Sequence[Step]) -> None:
        """Let the GPUs be as these steps put them, and stay so."""
        host = self.cluster.hosts[self.request.host]
        for step in steps:

            def after(gpu: Gpu, step: Step = step) -> Gpu:
                if gpu.id not in {placed.gpu for placed in step.gpus}:
                    return gpu
                model = gpu.model if step.mode is None else self.cluster.catalogue.find(gpu.model).name
                sharing = {} if step.sharing is None else {"sharing": step.sharing, "may_share": None}
                return gpu.model_copy(update={"model": model, "mode": step.mode or gpu.mode, **sharing})

            host = host.model_copy(update={"gpus": tuple(after(gpu) for gpu in host.gpus)})
        self.cluster = replace(self.cluster, hosts={**self.cluster.hosts, host.name: host})
        self.scene = Scene(self.cluster, self.scene.stands())
