"""Pieces that several tabs share."""
