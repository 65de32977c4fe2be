"""The built-in voice: espeak-ng, more than a hundred languages with nothing to download."""
