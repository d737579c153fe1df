"""The parts of a page, a module each: sentences, tables and drawings as plain values."""
