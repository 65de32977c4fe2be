"""The command `projects`: long texts that are kept as projects."""
