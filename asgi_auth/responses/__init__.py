"""Write what goes out: challenges, refusals and the app's answers."""
