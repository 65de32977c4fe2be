"""The tests, and where the project's root lies."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
