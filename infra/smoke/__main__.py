"""`python -m infra.smoke`."""

from infra.smoke.command import main

main()
