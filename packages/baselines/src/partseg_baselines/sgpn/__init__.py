"""SGPN (Wang et al., CVPR 2018), as the PartNet benchmark trains it (Mo et al., CVPR 2019)."""
