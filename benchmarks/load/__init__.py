"""How the server bears many users at once."""
