"""The course as static pages, and its explorers in one file: nothing needs a server, a network or Python to be read.

nbconvert's own pages carry 300 kB of style each and ask a server for MathJax; Sphinx would be a second set of sources
and themes for what is a list of lessons. So the cells are written out plainly here, with nbconvert's Markdown and the
course's own formulas, and one style sheet.
"""
