"""The ground of the neural engine: compiled loops, threads, recorded graphs, counted noise."""
