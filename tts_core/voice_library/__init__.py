"""Saved voices on disk: records, their files, moving them between machines. Knows no model and plays nothing."""
