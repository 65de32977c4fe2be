"""Use cases around a model's files: delete, move the models folder, export, import, look for updates, clean up."""
