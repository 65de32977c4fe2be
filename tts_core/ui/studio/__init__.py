"""The Studio tab: long texts as projects."""
