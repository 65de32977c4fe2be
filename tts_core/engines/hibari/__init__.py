"""Hibari: small neural English voices, one of which comes with its package."""
