"""One window of a night as it is planned: what may be done, the search, the way back."""
