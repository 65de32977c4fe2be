"""What lies in a model's folder: which files, whether they are sound, whether they are the published ones, and why not.

Reads folders and catalogue entries; writes nothing but the hash cache, and never moves or deletes a user's file.
"""
