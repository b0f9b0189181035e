"""How far an auxiliary head's gradient reaches."""
