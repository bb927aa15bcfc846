"""Pictures of lineage that a person can read: SVG, Mermaid, and a page that needs nothing but a browser."""
