"""Recordings of voices: read within limits, judged, mended. Knows no model."""
