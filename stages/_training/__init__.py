"""What train, prune and qat share: their curves, and going on with what was cut off."""
