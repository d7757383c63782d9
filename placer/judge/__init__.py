"""Replays, checks and explains. Knows nothing of the solver."""
