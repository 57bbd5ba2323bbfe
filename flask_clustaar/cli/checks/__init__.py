"""What ``flask clustaar check`` looks for: one module for each subject."""
