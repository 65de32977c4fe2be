"""Files and pasted texts become drafts: chapters of text, looked at before anything is made of them."""
