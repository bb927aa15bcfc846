"""Reports as people read them: rows for a terminal, Markdown, one HTML page, histories over runs."""
