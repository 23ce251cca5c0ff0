"""What a sweep is worth: its front, its compute beside a grid's, and what a trial costs beside learning."""
