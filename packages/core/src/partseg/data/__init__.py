"""Part datasets: packed batches, the datamodule, the procedural default and readers of real formats."""
