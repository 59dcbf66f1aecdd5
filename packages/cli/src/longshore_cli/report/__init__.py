"""What a run came to: figures, tables, pictures and a page. All of it is a view of the journal."""
