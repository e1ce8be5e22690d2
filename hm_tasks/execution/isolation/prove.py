"""The path of `hm_tasks.sandbox.isolation.prove` up to 0.1: `python -m` of it."""

from hm_tasks.sandbox.isolation.prove import main

if __name__ == "__main__":
    main()
