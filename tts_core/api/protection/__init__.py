"""Protection of every route: request checks, authentication, rules for guests, quotas, proxies."""
