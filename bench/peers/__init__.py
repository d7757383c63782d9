"""Others that do placer's job, each in a process of its own on the same snapshot, judged by placer's judge."""
