"""Record what a webhook receives and answers, and replay it."""
