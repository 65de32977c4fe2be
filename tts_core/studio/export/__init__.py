"""Takes become files: joined in order, with their pauses, speeds and levels, from the disk to the disk."""
