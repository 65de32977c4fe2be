"""What each hub lists and how it says so: Hugging Face, its mirrors and ModelScope."""
