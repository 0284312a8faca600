"""Studies: many replays that answer one question. They stand above the rest of `sim`, which knows none of them."""
