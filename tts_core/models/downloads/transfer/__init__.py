"""The bytes of one file: several connections, a part file that survives, checks of what arrived."""
