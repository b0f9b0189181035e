"""Every network of the family: where it spends its multiplications and memory, and each of its blocks."""
