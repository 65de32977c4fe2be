"""Downloads of models: a queue of them, each from sources that take over from each other."""
