"""Access control: accounts, sessions, attempts at passwords, and how much each visitor may ask for."""
