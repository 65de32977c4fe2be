"""The edits of projects, as pure functions on the document."""
