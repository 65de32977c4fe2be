"""Text to codec codes: configuration, weights, transformers, prompts and sampling."""
