"""What a picture and its boxes must fulfil: rules, classes, perceptual hash."""
