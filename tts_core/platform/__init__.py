"""The machine's services: paths, settings, logs, background jobs, facts about the system. Knows nothing of speech."""
