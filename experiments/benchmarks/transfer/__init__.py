"""The benchmark of small encoders by imitation."""
