"""Outside the wall: processes that know what is right, and run no program."""
