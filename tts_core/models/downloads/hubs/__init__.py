"""The adapters of the hubs' own listings and addresses: Hugging Face, its mirrors and ModelScope."""
