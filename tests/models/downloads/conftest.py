"""Fixtures for downloads: the hubs on loopback."""

from tests.hubs.fixtures import hubs, small_model

__all__ = ["hubs", "small_model"]
