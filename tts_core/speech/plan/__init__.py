"""The speech plan: how a text of any length becomes segments, each spoken by one call of an engine, and one sound."""
