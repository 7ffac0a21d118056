"""What a run costs, beside the others' own tools and beside itself: ``python -m benchmarks.speed``."""
