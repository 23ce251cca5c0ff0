"""The default recipe over a pretrained trunk that is fine-tuned, beside plain fine-tuning."""
