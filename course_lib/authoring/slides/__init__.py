"""Each lesson as slides of reveal.js, made from its own cells: nothing is written twice, nothing needs a network.

`cutting` decides what stands on a slide and what goes to the lecturer's notes; `assets/slides.js` measures in the
browser and hands on to a further slide what would not fit; explorers live by the engine of the site.
"""
