"""How good what is found is, against what people marked: see ``benchmarks/README.md``."""
