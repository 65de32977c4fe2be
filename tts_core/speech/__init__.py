"""Speech from a request to sound: the queue before the engines, takes while they are made and when they are
finished."""
