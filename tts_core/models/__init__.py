"""Models on this machine: the catalogue, the files on the disk, the models in memory, and downloads."""
