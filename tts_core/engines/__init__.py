"""The speech engines, one package each. They do not know each other."""
