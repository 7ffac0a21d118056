"""How long the server's lists take over a hundred thousand jobs, on both databases."""
