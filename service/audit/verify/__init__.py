"""What `ims audit verify` looks at, and how it names what it finds."""
