"""The log as evidence: what is proven of it, and how that is verified; what is taken out of it, and put back."""
