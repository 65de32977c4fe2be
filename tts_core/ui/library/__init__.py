"""The Library tab, for admins and for guests."""
