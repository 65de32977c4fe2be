"""The page: Gradio Blocks over the use cases. Nobody imports this package but app.py."""
