"""REST: the same use cases as the page, over HTTP. Nothing imports this package but the assembly in app.py."""
