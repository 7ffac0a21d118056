"""What flows: frozen values, typed tables, provenance, and the one converter to plain data.

Nothing here knows how a file is decoded, which pipelines exist or how results are stored.
"""
