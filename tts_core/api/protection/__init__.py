"""Who may ask and how much: request checks, authentication, rules for guests, proxies."""
