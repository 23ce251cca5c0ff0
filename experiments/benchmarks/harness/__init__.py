"""What benchmarks share: finished cells, processes of their own, servers, rows, tables and plots."""
