"""The studio's own REST routes: speech, voices, models, downloads, jobs, events; and those of a video editor."""
