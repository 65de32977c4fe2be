"""Models on this machine: which exist, what lies on the disk, what is in memory, and how they are downloaded."""
