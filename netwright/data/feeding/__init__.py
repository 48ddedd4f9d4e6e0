"""A converted dataset to the network: decoding once, the input's pixels, augmentation."""
