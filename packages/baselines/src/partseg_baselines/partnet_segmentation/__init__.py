"""Detection by segmentation, the instance method of the PartNet benchmark (Mo et al., CVPR 2019)."""
