"""TTS Studio's core: speech engines, models on disk and the use cases that the page, REST and command line share.

Importing this package loads neither torch nor gradio; `tests/test_architecture.py` proves it.
"""

__version__ = "0.1.0"
