"""One large convolution as a stack of small ones."""
