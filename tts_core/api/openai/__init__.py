"""The routes below /v1, as OpenAI's clients know them."""
