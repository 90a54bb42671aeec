"""Let optional libraries in, each through one module; decide nothing with them."""
