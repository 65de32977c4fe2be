"""Segments become takes: made, checked, made again where they are wrong, for as long as a book takes."""
