"""What methods of the SAE track share: sparse products, losses, the training loop, checkpoints, export."""
