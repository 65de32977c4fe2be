"""Use case: models are downloaded one after another, from sources that take over from each other."""
