"""The one list of goals. A decision says which are wished for, and in which order."""

from __future__ import annotations

from placer_models.goals.balance import Balance
from placer_models.goals.goal import Goal
from placer_models.goals.gpu_milli import GpuMilli
from placer_models.goals.hosts_touched import HostsTouched
from placer_models.goals.moves import Moves
from placer_models.goals.placed import Placed
from placer_models.goals.should import Should
from placer_models.goals.stranded import Stranded

GOALS: dict[str, type[Goal]] = {
    str(goal.model_fields["kind"].default): goal
    for goal in (Placed, GpuMilli, Should, Moves, Stranded, HostsTouched, Balance)
}

__all__ = ["GOALS", "Goal"]
