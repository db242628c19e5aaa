"""The console: one page where people see what rings, why, and say whether that is right."""
