"""An evacuation planned from its midst on: hosts that are done stay done, who is in maintenance comes back, and the
others have their rounds.
"""

from __future__ import annotations

from placer.rounds.onward import Onward
from placer.rounds.rolling import Rolling, care_seconds
from placer_models.night import Evacuate
from placer_models.plan import Freed, Step


class Rolled(Onward):
    """First the hosts that are in maintenance come back, and the VMs that are away from home run there again; then the
    hosts whose turn has not come have their rounds; at last who still has to return does.
    """

    request: Evacuate

    def close(self) -> None:
        """Hosts leave maintenance when they have been cared for, and VMs return to hosts whose turn is over; who is
        down runs again.
        """
        self.steps.freed += [freed for freed in self.plan.freed if freed.until <= self.now.begin]
        ends: dict[str, int] = {}
        for number, (host, enter) in enumerate(self.inside.items(), 1):
            old = next((s for s in self.now.of_hosts if s.host == host and s.kind == "leave-maintenance"), None)
            due = self.origin.seconds(enter.end) + care_seconds(self.request)
            at = max(1, due, 0 if old is None else self.origin.seconds(old.start))  # what ends now is told already
            ends[host] = at
            instant = self.origin.instant(at)
            values = {"kind": "leave-maintenance", "host": host, "start": instant, "end": instant, "why": "is done"}
            step = Step.model_validate({"id": f"{self.mark}h{number}-leave", **values})
            self.steps.steps.append(step if old is None else old.model_copy(update={"start": instant, "end": instant}))
            begins = {f.host: f.from_ for f in self.plan.freed if f.from_ <= self.now.begin < f.until}
            began = begins.get(host, enter.start)
            self.steps.freed.append(Freed.model_validate({"host": host, "from": began, "until": instant}))
        self.clock = max([0, *ends.values()])
        pending = set(self.request.hosts) - set(self._done())
        away = self.now.carried.away
        self.home({vm: home for vm, home in self.now.carried.homes.items() if home not in pending or vm in away}, ends)

    def rounds(self) -> Rolling:
        """The rounds of the hosts whose turn has not come."""
        rolling = Rolling(
            self.snapshot,
            self.request,
            self.decision,
            self.steps,
            self.budget,
            self.progress,
            asked=self.excusing,
            start=self.scene,
            failed=self.failed,
            done=self._done(),
        )
        self.begin(rolling)
        return rolling

    def _done(self) -> list[str]:
        left = {step.host for step in self.now.done if step.kind == "leave-maintenance"}
        return [host for host in dict.fromkeys(self.request.hosts) if host in left or host in self.inside]
