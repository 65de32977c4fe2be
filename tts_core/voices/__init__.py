"""The library of saved voices: records, recordings, prepared prompts, import and export, and finding one by name."""
