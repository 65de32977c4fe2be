"""Long texts as projects on the disk: chapters, segments and takes, which survive whatever happens to the process."""
