"""What AWS tells Hallmark, and what Hallmark tells others."""
