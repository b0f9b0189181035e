"""`python -m course_lib.authoring.site`, which `make site` calls."""

import sys

from course_lib.authoring.site.building import main

if __name__ == "__main__":
    sys.exit(main())
