"""Part-guided refinement of coarse clouds, the application of recursive PartNet (Yu et al., CVPR 2019, section 5)."""
