"""`python -m course_lib.authoring.slides`, which `make slides` calls."""

import sys

from course_lib.authoring.slides.building import main

if __name__ == "__main__":
    sys.exit(main())
