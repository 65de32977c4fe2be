"""The studio's own REST routes: speech, voices, models, downloads, jobs, events."""
