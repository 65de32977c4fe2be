"""Voices that come from elsewhere and go there: archives, folders of recordings, prompts of the published package."""
