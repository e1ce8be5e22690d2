"""The commands of this floor: each a module with `main()`, which setup.cfg names as a console entry point."""
