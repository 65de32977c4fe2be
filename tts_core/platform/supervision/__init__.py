"""Several services as processes of one command: started, watched, started again, ended together."""
