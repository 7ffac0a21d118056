"""HTTP: routes, errors, events, and what old clients get."""
