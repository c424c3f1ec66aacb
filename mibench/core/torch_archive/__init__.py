"""Files of ``torch.save`` read without torch: an allowlist of instructions, bounds on everything, numpy arrays."""
