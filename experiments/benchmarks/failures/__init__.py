"""What may never go wrong, tried for as long as you like: killed processes, bad clients, made-up requests."""
