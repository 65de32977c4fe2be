"""The built-in voices' speed: in this process, and beside the packages that they are made of."""
