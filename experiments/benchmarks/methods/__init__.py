"""The benchmark of methods: what is compared, on what, and how the figures are read."""
