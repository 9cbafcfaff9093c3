"""What the program is measured by: data that it writes itself, and whole processes side by side."""
