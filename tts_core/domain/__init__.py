"""The values, events, errors and protocols that everything else speaks in. Imports nothing of ours."""
