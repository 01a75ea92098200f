"""What a part decomposition is: hierarchies, merge trees, segmentations and their pictures."""
