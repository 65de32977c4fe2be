"""The look into a model's folder: its files, whether they are sound and the published ones, and why not.

Reads folders and catalogue entries; writes nothing but the hash cache, and never moves or deletes a user's file.
"""
