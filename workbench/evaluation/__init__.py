"""Can this model replace that one for my task? Test sets, graders, statistics and the verdict."""
