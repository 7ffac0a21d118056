"""Who may do what: keys, tokens, roles, how often and how much."""
