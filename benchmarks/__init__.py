"""What measures speed. ``python -m benchmarks`` prints ratios taken within one run."""
