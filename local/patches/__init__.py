"""What MiniStack does otherwise than AWS, mended: one module for each mend."""
