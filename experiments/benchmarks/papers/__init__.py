"""The source papers in their own setting: photographs, and a pretrained trunk that is fine-tuned."""
