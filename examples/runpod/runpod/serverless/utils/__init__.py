"""Of RunPod's helpers for workers only `rp_validator` is here."""
