"""Inside the wall: the process that runs programs, and is not trusted."""
